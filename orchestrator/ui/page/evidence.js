// Pane 7: take the evidence along, and write down what was done here as a test.
import { byId, text } from "./dom.js";
import { copy } from "./copy.js";
import { many } from "./format.js";

export function evidence(state) {
  const base = `/c/${encodeURIComponent(state.cluster)}`;
  byId("export").href = `${base}/export`;
  const dialog = byId("script");
  const said = byId("script-said");
  byId("as-go").addEventListener("click", () => open("go", "As a Go test"));
  byId("as-exunit").addEventListener("click", () => open("exunit", "As an ExUnit test"));
  byId("script-copy").addEventListener("click", take);

  async function open(as, title) {
    text(byId("script-title"), title);
    text(byId("script-text"), "");
    text(said, "Asking the server …");
    dialog.showModal();
    try {
      const answer = await fetch(`${base}/script?as=${as}`);
      const words = await answer.text();
      if (!answer.ok) return text(said, `The server answered ${answer.status}: ${words.trim().slice(0, 300)}`);
      text(byId("script-text"), words);
      await take();
    } catch {
      text(said, "The server did not answer.");
    }
  }

  async function take() {
    const words = byId("script-text").textContent;
    const done = words && (await copy(words));
    text(said, done ? `Copied ${many(words.trimEnd().split("\n").length, "line")} to the clipboard.` : "Not copied: select the text and copy it.");
  }

  return { draw() {} };
}
