// What the page knows about one cluster, and how each message of the stream changes it. Panes
// read it and change nothing.
import { time } from "./format.js";

const FIVE_MINUTES = 5 * 60 * 1000;
const MOST = 5000; // entries kept of what happened

// empty is what is known before the first message.
export function empty(cluster) {
  return {
    cluster,
    hello: null, // the server's greeting
    link: { up: false, since: Date.now(), why: "" }, // the stream itself
    gone: "", // why the server does not reach the cluster; "" if it does
    goneSince: 0,
    loading: true, // a snapshot is on its way: nothing is drawn before it is whole
    skew: 0, // the server's clock minus this one, in milliseconds
    ...forgotten(),
  };
}

function forgotten() {
  return {
    status: null,
    health: null,
    pairs: null,
    events: [],
    journal: [],
    faults: new Map(), // every fault that was seen, by its ID: {id, text, begin, end}
    samples: new Map(), // of each node, five minutes: [{at, memory, …}]
    lines: [], // that the log has not taken yet
    dropped: 0, // lines that never got there, because the page was in the background
  };
}

// now is the time by the server's clock.
export const now = (state) => Date.now() + state.skew;

// apply takes one message, and returns the topics that it changes.
export function apply(state, type, data) {
  switch (type) {
    case "hello":
      state.skew = time(data.now) - Date.now();
      state.hello = data;
      state.gone = "";
      if (data.resumed) return ["hello"];
      Object.assign(state, forgotten(), { loading: true });
      return ["hello", "reset", "status", "health", "pairs", "happened", "sample"];
    case "live":
      state.loading = false;
      noteFaults(state, state.status?.faults || []); // those of which only the begin was told are over
      return ["hello"];
    case "status":
      state.status = data;
      state.gone = "";
      return noteFaults(state, data.faults || []) ? ["status", "happened"] : ["status"];
    case "health":
      state.health = data;
      return ["health"];
    case "pairs":
      state.pairs = data;
      return ["pairs"];
    case "happened":
      push(state.events, data);
      readFault(state, data);
      return ["happened"];
    case "journal":
      push(state.journal, data);
      if (data.fault) heldFault(state, data);
      return ["happened"];
    case "sample":
      return addSample(state, data);
    case "lines":
      state.lines.push(...(data || []));
      if (state.lines.length > MOST) {
        state.dropped += state.lines.length - MOST;
        state.lines.splice(0, state.lines.length - MOST);
      }
      return ["lines"];
    case "gone":
      if (!state.gone) state.goneSince = now(state);
      state.gone = data.why || "the cluster does not answer";
      return ["hello", "status"];
  }
  return [];
}

function push(list, entry) {
  list.push(entry);
  if (list.length > MOST) list.splice(0, list.length - MOST);
}

function addSample(state, s) {
  let list = state.samples.get(s.node);
  if (!list) state.samples.set(s.node, (list = []));
  list.push({ ...s, at: time(s.time) });
  while (list.length && list[0].at < list.at(-1).at - FIVE_MINUTES) list.shift();
  return ["sample"];
}

// noteFaults keeps the faults in force, and the end of those that are no longer.
function noteFaults(state, faults) {
  let changed = false;
  for (const f of faults) {
    const known = state.faults.get(f.id);
    if (known?.fault) continue;
    state.faults.set(f.id, { id: f.id, text: describe(f), begin: time(f.begin) || known?.begin || now(state), end: 0, fault: f });
    changed = true;
  }
  for (const known of state.faults.values()) {
    if (known.end === 0 && !faults.some((f) => f.id === known.id)) {
      known.end = now(state);
      changed = true;
    }
  }
  return changed;
}

// heldFault learns of a fault of the past from the journal.
function heldFault(state, { fault, healed, time: at }) {
  const known = state.faults.get(fault.id);
  if (healed) {
    if (known) known.end = time(at);
    else state.faults.set(fault.id, { id: fault.id, text: describe(fault), begin: time(fault.begin) || time(at), end: time(at), fault });
  } else if (!known?.fault) {
    state.faults.set(fault.id, { id: fault.id, text: describe(fault), begin: time(fault.begin) || time(at), end: known?.end || 0, fault });
  }
}

// readFault learns the same from events, which is all that an older supervisor tells: "fgfcj:
// partition n2 | the rest, reset", and "fgfcj is healed".
function readFault(state, event) {
  if (event.kind !== "fault") return;
  const healed = /^(\S+) is healed/.exec(event.text);
  if (healed) {
    const known = state.faults.get(healed[1]);
    if (known) known.end = time(event.time);
    return;
  }
  const began = /^(\S+): (.*)$/.exec(event.text);
  if (began && !state.faults.has(began[1])) {
    state.faults.set(began[1], { id: began[1], text: began[2], begin: time(event.time), end: 0, fault: null });
  }
}

// describe writes a fault as the command line does: "partition n2 | the rest, reset".
export function describe(f) {
  const words = [];
  if (f.kind === "partition") {
    const groups = (f.groups || []).map((g) => g.join(" "));
    if (groups.length === 1) groups.push("the rest");
    words.push(`partition ${groups.join(" | ")}`, f.how || "drop");
  } else if (f.kind === "cut") {
    words.push(`cut ${pairsText(f.pairs)}`, f.how || "drop");
  } else if (f.kind === "link") {
    words.push(`slow ${pairsText(f.pairs)}`, ...quality(f.quality || {}));
  } else {
    words.push(`${f.kind} ${(f.nodes || []).join(" ")}`);
  }
  if (f.hard) words.push("from the host too");
  return words.join(", ");
}

function pairsText(pairs = []) {
  const has = new Set(pairs.map((p) => `${p.from}:${p.to}`));
  const text = [];
  for (const p of pairs) {
    if (!has.has(`${p.from}:${p.to}`)) continue;
    const both = has.has(`${p.to}:${p.from}`) && p.from !== p.to;
    if (both) has.delete(`${p.to}:${p.from}`);
    text.push(`${p.from}${both ? "-" : "→"}${p.to}`);
  }
  return text.join(" ");
}

function quality(q) {
  const ms = (ns) => `${+(ns / 1e6).toFixed(3)}ms`;
  const words = [];
  if (q.loss) words.push(`loss ${q.loss}%`);
  if (q.rate) words.push(q.rate >= 1e6 ? `rate ${q.rate / 1e6}mbit` : `rate ${q.rate / 1e3}kbit`);
  if (q.latency) words.push(`latency ${ms(q.latency)}`);
  if (q.jitter) words.push(`jitter ${ms(q.jitter)}`);
  for (const name of ["duplicate", "corrupt", "reorder"]) if (q[name]) words.push(`${name} ${q[name]}%`);
  return words;
}
