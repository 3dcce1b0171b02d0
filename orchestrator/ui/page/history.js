// Gathers what happened from events and the journal, in one order: purely, for the timeline.
import { time } from "./format.js";
import { stateByName } from "./states.js";

// The kinds of things that happen, with their signs.
export const kinds = {
  state: { word: "state", glyph: "state" },
  exit: { word: "exit", glyph: "exit", tone: "bad" },
  down: { word: "nodedown", glyph: "down", tone: "warn" },
  up: { word: "nodeup", glyph: "up", tone: "ok" },
  user: { word: "request", glyph: "user", tone: "info" },
  sync: { word: "sync", glyph: "sync", tone: "info" },
  fault: { word: "fault", glyph: "cut", tone: "cut" },
  finding: { word: "finding", glyph: "degraded", tone: "warn" },
  note: { word: "note", glyph: "busy", tone: "off" },
};

// happenings returns [{at, node, kind, tone, text, state}], the oldest first.
export function happenings(state) {
  const all = [];
  for (const e of state.events) {
    const kind = { state: "state", exit: "exit", fault: "fault", finding: "finding", sync: "sync", mesh: "note", phase: "note", note: "note" }[e.kind] || "note";
    const tone = kind === "state" ? stateByName(e.state).tone : kinds[kind].tone;
    all.push({ at: time(e.time), node: e.node || "", kind, tone, text: e.text, state: e.state });
  }
  for (const j of state.journal) {
    // The engine's own events say again what the cluster concluded from them, and a fault's are
    // events too.
    if (j.source === "node") {
      const kind = j.text.startsWith("nodeup") ? "up" : "down";
      all.push({ at: time(j.time), node: j.node || "", kind, tone: kinds[kind].tone, text: `${j.node} saw ${j.text}` });
    } else if (j.source === "user") {
      all.push({ at: time(j.time), node: j.node || "", kind: "user", tone: "info", text: j.node && !j.text.includes(j.node) ? `${j.node}: ${j.text}` : j.text });
    }
  }
  return all.sort((a, b) => a.at - b.at);
}

// segments returns the states of a node as pieces of time: [{from, to, state, tone}]. What was
// before the first event is unknown, and left out.
export function segments(all, node, current, now) {
  const list = [];
  for (const h of all) {
    if (h.kind !== "state" || h.node !== node.name || !h.state) continue;
    if (list.length) list.at(-1).to = h.at;
    list.push({ from: h.at, to: now, state: h.state, tone: h.tone });
  }
  if (!list.length && time(node.started_at)) list.push({ from: time(node.started_at), to: now, state: node.state, tone: current.tone });
  return list;
}
