// Pane 4: what happened, on one axis of time for all nodes: states as bars, faults as bars over
// them, and signs for what nodes saw and users did. A click moves the logs there.
import { attr, byId, el, show, svg, text } from "./dom.js";
import { glyph, isFilled, pathOf } from "./glyphs.js";
import { nodeState, stateByName } from "./states.js";
import { clock, many, span } from "./format.js";
import { now } from "./store.js";
import { happenings, kinds, segments } from "./history.js";

const LANE = 26; // height of a node's lane
const FLAT = 16; // the same, of many nodes
const AXIS = 20;
const MOST_MARKS = 1500;
const MOST_LISTED = 400;

export function timeline(state, page) {
  const box = byId("chart");
  const list = byId("chart-list");
  let width = 0;
  let asList = false;
  let all = [];
  let stale = true; // all is
  let drawnAt = 0;

  new ResizeObserver(([entry]) => {
    const w = Math.floor(entry.contentRect.width);
    if (!w || w === width) return;
    width = w;
    if (!asList) chart();
  }).observe(box);

  // What is outside of the window is not drawn.
  let inView = true;
  new IntersectionObserver(([entry]) => {
    inView = entry.isIntersecting;
    if (inView) draw();
  }).observe(byId("timeline"));

  const choose = (yes) => {
    asList = yes;
    attr(byId("timeline-list"), "aria-pressed", String(yes));
    attr(byId("timeline-chart"), "aria-pressed", String(!yes));
    show(list, yes);
    show(box, !yes);
    show(byId("timeline-legend"), !yes);
    draw();
  };
  byId("timeline-list").addEventListener("click", () => choose(true));
  byId("timeline-chart").addEventListener("click", () => choose(false));
  byId("timeline-span").addEventListener("change", () => draw());
  legend();

  // A click anywhere in the chart moves the logs to that time; one on a sign, to its own.
  let axis = null; // {from, to, x0, w}
  box.addEventListener("click", (e) => {
    const mark = e.target.closest(".mark");
    if (mark) return page.toLogs(mark.happening.at, mark.happening.node);
    if (!axis) return;
    const x = e.clientX - box.getBoundingClientRect().left;
    if (x < axis.x0) return;
    page.toLogs(axis.from + ((axis.to - axis.from) * (x - axis.x0)) / axis.w, e.target.closest("[data-lane]")?.dataset.lane);
  });
  // A pointer leaves the focus where it is: a sign that has it is not drawn again.
  box.addEventListener("mousedown", (e) => e.target.closest(".mark") && e.preventDefault());
  box.addEventListener("keydown", (e) => {
    const mark = e.target.closest(".mark");
    if (!mark) return;
    if (e.key === "Enter" || e.key === " ") page.toLogs(mark.happening.at, mark.happening.node);
    else if (e.key === "ArrowRight" || e.key === "ArrowLeft") {
      const marks = [...box.querySelectorAll(".mark")].sort((a, b) => a.happening.at - b.happening.at);
      marks[marks.indexOf(mark) + (e.key === "ArrowRight" ? 1 : -1)]?.focus();
    } else return;
    e.preventDefault();
  });

  function draw() {
    if (!inView) return;
    if (stale) {
      all = happenings(state);
      stale = false;
    }
    text(byId("timeline-note"), all.length ? many(all.length, "event") : "");
    if (asList) listed();
    else chart();
  }

  function chart() {
    if (!width) return;
    if (box.contains(document.activeElement) && document.activeElement !== box) {
      drawnAt = 0; // a sign has the focus of a keyboard: do not take it away
      return;
    }
    drawnAt = Date.now();
    const to = now(state);
    const nodes = state.status?.nodes || [];
    const asked = Number(byId("timeline-span").value);
    const first = Math.min(all[0]?.at || to, ...[...state.faults.values()].map((f) => f.begin));
    // Of a young cluster no more than there is to see.
    const from = Math.max(asked && to - asked, Math.min(to - 20_000, first - (to - first) * 0.03));
    const lane = nodes.length > 12 ? FLAT : LANE;
    const x0 = Math.min(96, 20 + 7.5 * Math.max(7, ...nodes.map((n) => n.name.length)));
    const w = width - x0 - 16;
    axis = { from, to, x0, w };
    const x = (at) => x0 + (w * (Math.min(to, Math.max(from, at)) - from)) / (to - from);
    const faults = [...state.faults.values()].filter((f) => (f.end || to) >= from);
    const rows = stack(faults, to);
    const top = AXIS + rows.length * 18; // of the cluster's lane, which is below the faults
    const under = top + lane; // of the nodes' lanes
    const height = under + lane * nodes.length + 4;
    const root = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": "Timeline of all nodes" });

    for (const [at, label] of ticks(from, to, w)) {
      root.append(svg("line", { class: "tick", x1: x(at), x2: x(at), y1: AXIS - 4, y2: height }));
      root.append(svg("text", { class: "tick-text", x: x(at), y: 11, "text-anchor": "middle" }, label));
    }

    if (rows.length) root.append(svg("text", { class: "lane-name", x: 0, y: AXIS + 12 }, "faults"));
    const laneOf = new Map([["", top + lane / 2]]);
    root.append(svg("text", { class: "lane-name", x: 0, y: top + lane / 2 + 4 }, "cluster"));
    rows.forEach((row, i) => {
      for (const f of row) {
        const left = x(f.begin);
        const long = Math.max(3, x(f.end || to) - left);
        const bar = svg("rect", { class: f.end ? "fault-bar past" : "fault-bar", x: left, y: AXIS + i * 18, width: long, height: 15, rx: 3 }, svg("title", null, `${f.id}: ${f.text}, ${clock(f.begin)}${f.end ? ` to ${clock(f.end)}, ${span(f.end - f.begin)}` : ", in force"}`));
        root.append(bar);
        // Its words stand in it, or before it where it is short.
        const room = long > 90 ? long - 10 : left - x0 - 10;
        if (long > 90) root.append(svg("text", { class: "fault-text", x: left + 6, y: AXIS + i * 18 + 11.5 }, shorten(f.text, room)));
        else if (room > 90) root.append(svg("text", { class: "fault-text beside", x: left - 5, y: AXIS + i * 18 + 11.5, "text-anchor": "end" }, shorten(f.text, room)));
      }
    });
    nodes.forEach((n, i) => {
      const y = under + i * lane;
      const group = svg("g", { "data-lane": n.name });
      const s = nodeState(n);
      group.append(svg("rect", { class: "lane", x: x0, y: y + 1, width: w, height: lane - 2, rx: 3 }));
      group.append(svg("text", { class: `lane-name tone-${s.tone}`, x: 0, y: y + lane / 2 + 4 }, shorten(n.name, x0 - 8)));
      for (const seg of segments(all, n, s, to)) {
        if (seg.to < from) continue;
        const a = x(seg.from);
        group.append(segment(seg, a, Math.max(1.5, x(seg.to) - a), y, lane));
      }
      laneOf.set(n.name, y + lane / 2);
      root.append(group);
    });

    const marks = all.filter((h) => h.at >= from && h.kind !== "state" && h.kind !== "fault" && laneOf.has(h.node) && !(h.kind === "note" && h.node));
    const tabbed = marks.length - 1; // the newest is reached by Tab, the others by the arrows
    const placed = new Map(); // the place of the last sign of each lane
    const size = lane === FLAT ? 10 : 13;
    marks.slice(-MOST_MARKS).forEach((h, i, kept) => {
      const k = kinds[h.kind];
      // Signs of one moment stand beside each other, as far as that stays near the truth.
      const exact = x(h.at);
      const place = Math.min(Math.max(exact, (placed.get(h.node) ?? 0) + size * 0.85), exact + 3 * size, width - size / 2 - 2);
      placed.set(h.node, place);
      const mark = svg(
        "g",
        { class: `mark tone-${h.tone}`, role: "button", tabindex: i === Math.min(tabbed, kept.length - 1) ? "0" : "-1", "aria-label": `${clock(h.at)} ${h.text}`, transform: `translate(${(place - size / 2).toFixed(1)} ${laneOf.get(h.node) - size / 2}) scale(${size / 16})` },
        svg("title", null, `${clock(h.at)}  ${h.text}`),
        svg("circle", { class: "mark-ground", cx: 8, cy: 8, r: 9 }),
        svg("path", { class: isFilled(k.glyph) ? "filled" : "stroked", d: pathOf(k.glyph) }),
      );
      mark.happening = h;
      root.append(mark);
    });
    box.replaceChildren(root);
  }

  function listed() {
    const newest = all.slice(-MOST_LISTED).reverse();
    const key = `${all.length} ${newest[0]?.at}`;
    if (list.dataset.key === key) return;
    list.dataset.key = key;
    byId("happenings").replaceChildren(
      ...newest.map((h) =>
        el(
          "li",
          null,
          el("button", { type: "button", class: "happening", onclick: () => page.toLogs(h.at, h.node) }, el("time", null, clock(h.at)), el("span", { class: `happening-kind tone-${h.tone}` }, glyph(h.kind === "state" ? stateByName(h.state).glyph : kinds[h.kind].glyph, 14), kinds[h.kind].word), el("b", null, h.node || "cluster"), el("span", null, h.text)),
        ),
      ),
      newest.length ? "" : el("li", { class: "soft" }, "Nothing has happened yet."),
    );
  }

  return {
    draw(topics) {
      if (["happened", "reset"].some((t) => topics.has(t))) stale = true;
      // The axis moves once a second; more often nothing can be seen to move.
      if (topics.has("clock") || topics.has("reset") || (stale && Date.now() - drawnAt > 250)) draw();
    },
  };
}

// segment draws a piece of a node's life. The shape differs as well as the colour: a full bar is
// down for a bad reason, a line is down on purpose, dashes are on the way.
function segment(seg, x, width, y, lane) {
  const s = stateByName(seg.state);
  const middle = y + lane / 2;
  const label = svg("title", null, `${s.word} ${clock(seg.from)} to ${clock(seg.to)}, ${span(seg.to - seg.from)}`);
  if (s.tone === "off" || s.tone === "busy") {
    return svg("line", { class: `seg-line tone-${s.tone}`, x1: x, x2: x + width, y1: middle, y2: middle, "stroke-dasharray": s.tone === "busy" ? "3 3" : null }, label);
  }
  const height = s.tone === "bad" ? lane - 6 : s.tone === "warn" ? (lane - 6) * 0.7 : 6;
  return svg("rect", { class: `seg tone-${s.tone}`, x, y: middle - height / 2, width, height, rx: 2 }, label);
}

// stack puts faults into rows in which none lies over another.
function stack(faults, to) {
  const rows = [];
  for (const f of [...faults].sort((a, b) => a.begin - b.begin)) {
    const row = rows.find((r) => (r.at(-1).end || to) <= f.begin);
    if (row) row.push(f);
    else rows.push([f]);
  }
  return rows.slice(-5);
}

// ticks returns times to write at the axis, with room for each.
function ticks(from, to, width) {
  const steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400].map((s) => s * 1000);
  const step = steps.find((s) => (to - from) / s <= width / 84) || steps.at(-1);
  const zone = new Date(from).getTimezoneOffset() * 60_000;
  const list = [];
  for (let at = Math.ceil((from - zone) / step) * step + zone; at < to; at += step) {
    list.push([at, step < 60_000 ? clock(at) : clock(at).slice(0, 5)]);
  }
  // Half a label at either end would be cut off.
  return list.filter(([at]) => ((at - from) / (to - from)) * width > 12 && ((to - at) / (to - from)) * width > 22);
}

const shorten = (words, width) => {
  const room = Math.max(1, Math.floor(width / 6.6));
  return words.length > room ? `${words.slice(0, room - 1)}…` : words;
};

function legend() {
  const item = (sign, word) => el("li", null, sign, word);
  const bar = (tone, state) => {
    const s = svg("svg", { width: 18, height: 14, viewBox: "0 0 18 14", "aria-hidden": "true" });
    s.append(segment({ state, from: 0, to: 0 }, 1, 16, -3, 20));
    s.querySelector("title").remove();
    return item(s, stateByName(state).word);
  };
  byId("timeline-legend").replaceChildren(
    bar("ok", "ready"),
    bar("busy", "starting"),
    bar("warn", "degraded"),
    bar("bad", "failed"),
    bar("off", "stopped"),
    ...["down", "up", "exit", "user", "sync", "finding"].map((k) => item(el("span", { class: `tone-${kinds[k].tone}` }, glyph(kinds[k].glyph, 12)), kinds[k].word)),
  );
}
