// Puts nodes into the groups of a partition: by dragging them, or by a press, which moves a node to
// the next group.
import { el, text } from "./dom.js";

// groups makes the editor. value() returns the groups that have nodes; changed is called after each
// change.
export function groups(changed) {
  let of = new Map(); // the group of each node, from 0
  let size = 2;
  const boxes = el("div", { class: "groups" });
  const more = el("button", { type: "button", class: "link", onclick: () => resize(Math.min(4, size + 1)) }, "One more group");
  const hint = el("p", { class: "soft small-text" }, "Drag a node to another side, or press it.");
  const said = el("p", { class: "hush", role: "status" });
  const node = el("div", null, boxes, el("div", { class: "groups-foot" }, hint, more), said);

  function resize(n) {
    size = n;
    more.disabled = size >= 4;
    draw();
    changed();
  }

  function put(name, group, focus) {
    if (of.get(name) === group) return;
    of.set(name, group);
    draw();
    text(said, `${name} is in group ${group + 1}`);
    if (focus) boxes.querySelector(`[data-node="${CSS.escape(name)}"]`)?.focus();
    changed();
  }

  function draw() {
    boxes.replaceChildren(
      ...Array.from({ length: size }, (_, g) => {
        const members = [...of].filter(([, at]) => at === g).map(([name]) => name);
        const box = el("div", { class: "group", role: "group", "aria-label": `Group ${g + 1}` }, el("span", { class: "label" }, `Side ${"ABCD"[g]}`), members.map((name) => chip(name, g)), members.length ? null : el("span", { class: "faint" }, "drop nodes here"));
        box.addEventListener("dragover", (e) => {
          e.preventDefault();
          box.classList.add("over");
        });
        box.addEventListener("dragleave", () => box.classList.remove("over"));
        box.addEventListener("drop", (e) => {
          e.preventDefault();
          const name = e.dataTransfer.getData("text/plain");
          if (of.has(name)) put(name, g);
          else draw();
        });
        return box;
      }),
    );
  }

  function chip(name, g) {
    const next = (g + 1) % size;
    const node = el("button", { type: "button", class: "chip", draggable: "true", "data-node": name, "aria-label": `${name}, in group ${g + 1}: move to group ${next + 1}` }, name);
    node.addEventListener("click", () => put(name, next, true));
    node.addEventListener("keydown", (e) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[e.key];
      if (step) {
        e.preventDefault();
        put(name, (g + step + size) % size, true);
      }
    });
    node.addEventListener("dragstart", (e) => e.dataTransfer.setData("text/plain", name));
    return node;
  }

  return {
    node,
    // set takes the names of the nodes, and which are alone at first.
    set(names, alone) {
      const fresh = new Map();
      for (const name of names) fresh.set(name, of.get(name) ?? 1);
      if (![...fresh.values()].some((g) => g === 0)) {
        const first = alone.length && alone.length < names.length ? alone : names.slice(0, Math.max(1, Math.floor((names.length - 1) / 2)));
        for (const name of first) fresh.set(name, 0);
      }
      if (fresh.size === of.size && [...fresh].every(([n, g]) => of.get(n) === g) && boxes.childElementCount) return;
      of = fresh;
      draw();
    },
    apart(names) {
      for (const name of of.keys()) of.set(name, names.includes(name) ? 0 : 1);
      draw();
    },
    value() {
      const all = Array.from({ length: size }, (_, g) => [...of].filter(([, at]) => at === g).map(([name]) => name));
      return all.filter((g) => g.length);
    },
  };
}
