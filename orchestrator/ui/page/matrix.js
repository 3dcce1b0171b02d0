// Pane 2: who sees whom. Row n1, column n2 is how n1 sees n2.
import { attr, byId, el, text } from "./dom.js";
import { glyph, reshape } from "./glyphs.js";
import { pairState, pairStates } from "./states.js";
import { age, clock, many, sentence, time } from "./format.js";
import { now } from "./store.js";

const MANY = 16; // from so many nodes on, the matrix has a row of the page for itself

export function matrix(state, page) {
  const table = byId("matrix");
  const detail = byId("mesh-detail");
  let names = [];
  let cells = []; // cells[i][j] is the table's cell
  let drawn = []; // the state that it shows
  let at = [0, 0]; // the cell that the keys are at
  let looked = null; // the cell that the detail tells of
  const items = legend();

  const place = (target) => {
    const cell = target.closest("td");
    return cell && table.contains(cell) ? cell.place : null;
  };
  const look = (where) => {
    if (looked) mark(looked, false);
    looked = where;
    if (looked) mark(looked, true);
    tell();
  };
  const mark = ([i, j], on) => {
    heads[0][j]?.classList.toggle("on", on);
    heads[1][i]?.classList.toggle("on", on);
    cells[i]?.[j]?.classList.toggle("on", on);
  };
  let heads = [[], []];

  table.addEventListener("pointerover", (e) => look(place(e.target) || looked));
  table.addEventListener("pointerleave", () => look(table.contains(document.activeElement) ? at : null));
  table.addEventListener("focusin", (e) => {
    const where = place(e.target);
    if (!where) return;
    move(where, false);
    look(where);
  });
  table.addEventListener("focusout", (e) => {
    if (!table.contains(e.relatedTarget)) look(null);
  });
  table.addEventListener("keydown", (e) => {
    const where = place(e.target);
    if (!where) return;
    let [i, j] = where;
    if (e.key === "ArrowUp") i--;
    else if (e.key === "ArrowDown") i++;
    else if (e.key === "ArrowLeft") j--;
    else if (e.key === "ArrowRight") j++;
    else if (e.key === "Home") j = 0;
    else if (e.key === "End") j = names.length - 1;
    else if (e.key === "Enter") return page.toNode(names[i]);
    else return;
    e.preventDefault();
    if (cells[i]?.[j]) move([i, j], true);
  });
  table.addEventListener("click", (e) => {
    const where = place(e.target);
    if (where) {
      move(where, true);
      look(where);
    }
  });

  // Only one cell is reached by Tab; the arrows move from there.
  function move([i, j], focus) {
    const old = cells[at[0]]?.[at[1]];
    old?.setAttribute("tabindex", "-1");
    old?.removeAttribute("aria-describedby");
    at = [i, j];
    cells[i][j].setAttribute("tabindex", "0");
    cells[i][j].setAttribute("aria-describedby", "mesh-detail");
    if (focus) cells[i][j].focus();
  }

  function build() {
    const wide = names.length > MANY;
    document.body.classList.toggle("many", wide);
    table.classList.toggle("dense", names.length > 8);
    table.classList.toggle("tiny", wide);
    const column = names.map((n) => el("th", { scope: "col" }, el("span", null, n)));
    const row = names.map((n) => el("th", { scope: "row" }, el("button", { type: "button", class: "plain", tabindex: "-1", onclick: () => page.toNode(n) }, n)));
    heads = [column, row];
    cells = names.map((_, i) =>
      names.map((_, j) => {
        const cell = el("td", { role: "gridcell", tabindex: "-1" }, glyph("unknown", wide ? 12 : 16));
        cell.place = [i, j];
        return cell;
      }),
    );
    drawn = names.map(() => []);
    const head = el("thead", null, el("tr", null, el("td", { class: "corner", role: "gridcell" }, el("span", { class: "hush" }, "row sees column")), column));
    const body = el("tbody", null, cells.map((line, i) => el("tr", null, row[i], line)));
    table.replaceChildren(head, body);
    looked = null;
    if (cells.length) move([0, cells.length > 1 ? 1 : 0], false);
  }

  function draw() {
    const pairs = state.pairs;
    const all = pairs?.nodes || (state.status?.nodes || []).map((n) => n.name);
    if (all.length !== names.length || all.some((n, i) => n !== names[i])) {
      names = [...all];
      build();
    }
    for (let i = 0; i < names.length; i++) {
      for (let j = 0; j < names.length; j++) {
        const name = i === j ? "self" : pairs?.cells?.[i]?.[j]?.state || "unknown";
        if (drawn[i][j] === name) continue;
        drawn[i][j] = name;
        const cell = cells[i][j];
        cell.dataset.state = name;
        cell.dataset.tone = name === "self" ? "self" : pairState(name).tone;
        reshape(cell.firstChild, pairStates[name] || name === "self" ? name : "unknown");
        attr(cell, "aria-label", name === "self" ? names[i] : `${names[i]} sees ${names[j]}: ${pairState(name).word}`);
      }
    }
    note();
    count();
    tell();
  }

  function note() {
    const n = names.length;
    let good = 0;
    for (let i = 0; i < n; i++) {
      for (let j = i + 1; j < n; j++) {
        if (sees(i, j) && sees(j, i)) good++;
      }
    }
    text(byId("mesh-note"), n < 2 ? "" : `${good} of ${many((n * (n - 1)) / 2, "pair")} connected`);
  }

  // count writes beside each state of the legend how many cells have it.
  function count() {
    const n = {};
    drawn.forEach((row, i) => row.forEach((name, j) => i !== j && (n[name] = (n[name] || 0) + 1)));
    for (const [name, item] of items) {
      text(item.lastChild, n[name] ? String(n[name]) : "");
      item.classList.toggle("none", !n[name]);
    }
  }

  const sees = (i, j) => ["connected", "hidden"].includes(drawn[i][j]);

  function tell() {
    if (!looked || !names.length) {
      text(detail, names.length > 1 ? "Point at a pair to see since when, and why." : "");
      return;
    }
    const [i, j] = looked;
    if (i === j) return text(detail, names[i]);
    const cell = state.pairs?.cells?.[i]?.[j] || { state: "unknown" };
    const kind = pairState(cell.state);
    const since = time(cell.since);
    const when = since ? ` since ${clock(since)} (${age(now(state) - since)})` : "";
    text(detail, `${names[i]} → ${names[j]}: ${kind.word}${when}. ${cell.why ? sentence(cell.why) : cell.state === "connected" ? "" : sentence(kind.means)}`);
  }

  return {
    draw(topics) {
      if (topics.has("pairs") || (topics.has("status") && !names.length)) draw();
      else if (topics.has("clock") && looked) tell();
    },
  };
}

// legend makes the legend, and returns the item of each state.
function legend() {
  const items = new Map();
  for (const [name, s] of Object.entries(pairStates)) {
    items.set(name, el("li", { title: s.means }, el("span", { class: "swatch", "data-tone": s.tone, "data-state": name }, glyph(name, 14)), s.word, el("b", null)));
  }
  byId("legend").replaceChildren(...items.values());
  return items;
}
