// Copies text, and shows commands with a button that copies them.
import { el } from "./dom.js";
import { glyph, reshape } from "./glyphs.js";

// copy puts text on the clipboard, and says whether it is there.
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Without permission: by a selection, as before there was a clipboard to write to.
    const box = el("textarea", { class: "hush", "aria-hidden": "true" });
    box.value = text;
    (document.querySelector("dialog[open]") || document.body).append(box);
    box.select();
    const done = document.execCommand("copy");
    box.remove();
    return done;
  }
}

// command makes a command to read and to copy. With another text, set it again.
export function command(text) {
  const code = el("code", null, text);
  const sign = glyph("copy", 14);
  const button = el("button", { type: "button", class: "copy", title: "Copy" }, sign);
  const name = () => button.setAttribute("aria-label", `Copy: ${code.textContent}`);
  name();
  button.addEventListener("click", async () => {
    const done = await copy(code.textContent);
    reshape(sign, done ? "done" : "failed");
    button.setAttribute("aria-label", done ? "Copied" : "Not copied");
    setTimeout(() => {
      reshape(sign, "copy");
      name();
    }, 1500);
  });
  const node = el("span", { class: "command" }, code, button);
  node.set = (value) => {
    if (code.textContent === value) return;
    code.textContent = value;
    name();
  };
  return node;
}

// steps makes the solutions of a finding: what to do, and the command that does it.
export function steps(solutions) {
  return solutions
    .filter((s) => s.text || s.command)
    .map((s) => {
      const said = s.text && s.text !== s.command && !(s.command && s.text.includes(s.command));
      return el("p", { class: "step" }, said && el("span", null, s.command ? `${s.text}:` : s.text), s.command ? command(s.command) : !said && s.text && el("span", null, s.text));
    });
}
