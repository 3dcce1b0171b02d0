// What the states of nodes and of pairs are called here, and what they look like.

// tone is one of ok, busy, warn, bad, cut, off, info: a colour of base.css.
const nodeStates = {
  pending: { tone: "busy", glyph: "busy", word: "pending" },
  creating: { tone: "busy", glyph: "busy", word: "creating" },
  starting: { tone: "busy", glyph: "busy", word: "starting" },
  running: { tone: "info", glyph: "running", word: "running" },
  ready: { tone: "ok", glyph: "ready", word: "ready" },
  degraded: { tone: "warn", glyph: "degraded", word: "degraded" },
  unreachable: { tone: "warn", glyph: "unknown", word: "unreachable" },
  "backing-off": { tone: "bad", glyph: "backing", word: "backing off" },
  stopping: { tone: "off", glyph: "off", word: "stopping" },
  stopped: { tone: "off", glyph: "off", word: "stopped" },
  completed: { tone: "off", glyph: "ready", word: "completed" },
  failed: { tone: "bad", glyph: "failed", word: "failed" },
};

const strange = { tone: "busy", glyph: "unknown", word: "unknown" };

// nodeState describes the state of a node.
export function nodeState(node) {
  if (node.paused) return { tone: "warn", glyph: "paused", word: "paused" };
  return nodeStates[node.state] || { ...strange, word: node.state || "unknown" };
}

// stateByName describes a state without a node.
export const stateByName = (name) => nodeStates[name] || strange;

// ended says that a node does not run.
export const ended = (node) => ["backing-off", "stopped", "completed", "failed"].includes(node.state);

// withoutCount leaves out of a reason the time to the restart, which was right only at first.
export const withoutCount = (reason) => reason.replace(/; restart \d+\/\d+ in [^;]+$/, "");

// The states of a pair, in the order of the legend.
export const pairStates = {
  connected: { tone: "ok", word: "connected", means: "sees the other as a connected node" },
  missing: { tone: "bad", word: "not connected", means: "should be connected, and is not" },
  "one-sided": { tone: "warn", word: "one-sided", means: "sees the other, which does not see it" },
  hidden: { tone: "info", word: "hidden", means: "connected as a hidden node" },
  cut: { tone: "cut", word: "cut by a fault", means: "a fault of yours keeps the two apart" },
  collateral: { tone: "warn", word: "cut by global", means: "no fault cuts it: global disconnected the two so that partitions do not overlap" },
  unknown: { tone: "off", word: "unknown", means: "the node does not answer, or does not run" },
};

export const pairState = (name) => pairStates[name] || pairStates.unknown;
