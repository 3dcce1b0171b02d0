// The keys of the whole page. The button "?" shows them.
import { byId } from "./dom.js";

export function keys(log) {
  const dialog = byId("keys");
  const help = () => (dialog.open ? dialog.close() : dialog.showModal());
  byId("help").addEventListener("click", help);
  for (const d of document.querySelectorAll("dialog")) {
    d.addEventListener("click", (e) => e.target === d && d.close()); // outside of it
  }
  addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || e.defaultPrevented) return;
    if (e.key === "Escape" && e.target === log.field) {
      e.preventDefault();
      return log.clear();
    }
    const typing = e.target.closest?.("input:not([type=checkbox]), select, textarea");
    if (typing) return;
    if (e.key === "?") help();
    else if (document.querySelector("dialog[open]")) return;
    else if (e.key === "/") log.search();
    else if (e.key === "p") log.togglePause();
    else return;
    e.preventDefault();
  });
}
