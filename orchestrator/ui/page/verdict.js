// Says in one sentence how the cluster is, why, and what to type: purely, from what is known.
import { ended, nodeState, withoutCount } from "./states.js";
import { clock, list, many, time } from "./format.js";
import { describe, now } from "./store.js";

// verdict returns {tone, word, title, why, evidence, steps, node, more}. word is the state in one
// word. steps are {text, command}. more are the root findings besides the one that it tells.
export function verdict(state) {
  const { status } = state;
  if (!status) {
    return { tone: "busy", word: "waiting", title: "Waiting for the first report of the cluster …", steps: [], more: [] };
  }
  const nodes = status.nodes || [];
  const roots = rootFindings(state);
  const faults = status.faults || [];
  const down = nodes.filter((n) => ended(n) && n.state !== "completed");
  const weak = nodes.filter((n) => ["degraded", "unreachable"].includes(n.state) || n.paused);
  const booting = nodes.filter((n) => ["pending", "creating", "starting", "stopping"].includes(n.state));

  if (down.length) {
    const first = worst(down);
    const { why, steps, last } = whyDown(first, status);
    return told(state, {
      tone: down.some((n) => nodeState(n).tone === "bad") ? "bad" : "warn",
      word: down.length === nodes.length ? "down" : "degraded",
      title: downTitle(down, nodes, status),
      why,
      steps,
      last,
      node: first,
      among: down,
      roots,
    });
  }
  const cuts = faults.filter((f) => f.kind === "partition" || f.kind === "cut");
  if (cuts.length) {
    return told(state, {
      tone: "cut",
      word: "partitioned",
      title: `Partitioned on purpose: ${sides(cuts[0], nodes)}`,
      why: `${lost(state.pairs)}${how(cuts[0])} Heal ends it.`,
      among: nodes,
      roots,
    });
  }
  const islands = split(state);
  if (islands.length > 1) {
    return told(state, {
      tone: "bad",
      word: "split",
      title: `The cluster is split: ${islands.map((i) => list(i)).join("  |  ")}`,
      why: "No fault of yours cuts them. They do not see each other.",
      among: nodes,
      roots,
    });
  }
  if (weak.length) {
    return told(state, { tone: "warn", word: "degraded", title: weakTitle(weak), node: weak[0], among: weak, roots });
  }
  if (booting.length) {
    const ready = nodes.filter((n) => n.state === "ready").length;
    const slow = booting.find((n) => n.reason);
    return told(state, {
      tone: roots.length ? "warn" : "busy",
      word: "starting",
      title: `Starting: ${ready} of ${many(nodes.length, "node")} ready`,
      why: slow ? `${slow.name}: ${slow.reason}` : "",
      among: booting,
      roots,
      quiet: !roots.length,
    });
  }
  if (!nodes.length) return { tone: "off", word: "empty", title: "The cluster has no nodes.", steps: [], more: [] };
  if (roots.length) {
    return told(state, { tone: "warn", word: status.ready ? "ready" : "running", title: roots[0].problem, among: nodes, roots, plain: true });
  }
  const check = failedCheck(state);
  if (check) return told(state, { tone: "warn", word: status.ready ? "ready" : "running", title: check.title, steps: check.steps, node: check.node, among: nodes, roots });
  if (!status.ready) {
    const all = `All ${many(nodes.length, "node")} run`;
    const title = status.supervised ? `${all}; not every pair is connected yet` : `${all}; no supervisor proves that they are ready`;
    return { tone: "info", word: "running", title, steps: [], more: [] };
  }
  const done = nodes.filter((n) => n.state === "completed").length;
  const title = nodes.length === 1 ? "The node is ready" : `All ${many(nodes.length - done, "node")} are ready, every pair is connected`;
  return { tone: "ok", word: "ready", title, steps: [], more: [], why: lately(state) };
}

// told explains a title with the root finding about one of these nodes, or else with the reason
// that the node gives itself.
function told(state, v) {
  const names = new Set(v.among.map((n) => n.name));
  const own = v.roots.filter((f) => f.node === v.node?.name);
  const finding = own[0] || v.roots.find((f) => names.has(f.node) || !f.node) || v.roots[0];
  const more = v.roots.filter((f) => f !== finding);
  const why = v.plain ? "" : finding && !v.quiet ? finding.problem : v.why || withoutCount(v.node?.reason || "");
  return {
    tone: v.tone,
    word: v.word,
    title: v.title,
    why: finding && v.why && v.tone === "cut" ? v.why : why,
    code: finding?.code,
    evidence: finding?.evidence || "",
    steps: withLast(finding?.solutions || v.steps || [], v.last).map((s) => ({ text: s.text || "", command: s.command || "" })),
    node: finding?.node || v.node?.name,
    restart: v.node?.state === "backing-off" ? v.node.next_restart_at : "",
    more,
  };
}

// withLast ends the steps with starting the node, unless one of them starts or removes it.
function withLast(steps, last) {
  const acts = (s) => /^beamyard (start|restart|down) /.test(s.command || "");
  return last && !steps.some(acts) ? [...steps, last] : steps;
}

// rootFindings returns the findings that follow from no other one, each once.
export function rootFindings(state) {
  const all = (state.status?.nodes || []).flatMap((n) => n.findings || []);
  all.push(...(state.health?.findings || []));
  const seen = new Set();
  return all.filter((f) => {
    const key = `${f.code} ${f.node || ""}`;
    if (f.symptom_of || seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

// crashedAlone says that a node crashed while no supervisor watched it: its container only stopped.
const crashedAlone = (n, status) => n.state === "stopped" && !status.supervised && ["crashed", "boot", "oom", "killed"].includes(n.exit_reason?.class);

// whyDown says what the node that is down tells of itself, and what to type.
function whyDown(n, status) {
  const start = `beamyard start -c ${status.cluster} ${n.name}`;
  if (crashedAlone(n, status)) {
    return {
      why: `${n.reason || n.exit_reason.class}; only a supervisor finds the cause: take the cluster over`,
      steps: [
        { text: "see its last lines", command: `beamyard logs -c ${status.cluster} ${n.name} --tail 50` },
        { text: "start it once the cause is fixed", command: start },
      ],
    };
  }
  if (n.state === "failed") return { why: "", steps: [], last: { text: "start it once the cause is fixed", command: start } };
  if (n.state !== "stopped") return { why: "", steps: [] };
  return { why: n.reason || "It was stopped on request, and stays down until it is started.", steps: [{ text: "start it", command: start }] };
}

// lately tells of the last crash within ten minutes, after which all is well again.
function lately(state) {
  const crashes = (state.status.nodes || [])
    .filter((n) => n.exit_reason && !["stopped", "stopped-outside", "completed"].includes(n.exit_reason.class))
    .map((n) => ({ name: n.name, at: time(n.exit_reason.at), exit: n.exit_reason, count: n.restart_count || 0 }))
    .filter((c) => now(state) - c.at < 10 * 60 * 1000)
    .sort((a, b) => b.at - a.at);
  if (!crashes.length) return "";
  const [{ name, at, exit, count }] = crashes;
  const others = crashes.length > 1 ? `; ${many(crashes.length - 1, "other node")} crashed within the last 10 minutes too` : "";
  return `${name} crashed at ${clock(at)}: ${exit.class} (exit ${exit.code})${count > 1 ? `, restarted ${count} times` : ""}${others}`;
}

// failedCheck tells the first check of the health that failed, of a report about these runs.
function failedCheck({ status, health }) {
  if (!health || (status.nodes || []).some((n) => time(n.started_at) > time(health.time))) return null;
  const check = (health.checks || []).find((c) => c.state === "failed");
  if (!check) return null;
  const means = check.means || `${check.name} failed`;
  const next = check.suggestion || `beamyard health ${status.cluster}`;
  return {
    node: check.node,
    title: check.node && !means.includes(check.node) ? `${check.node}: ${means}` : means,
    steps: [next.startsWith("beamyard ") ? { command: next } : { text: next }],
  };
}

function worst(nodes) {
  const rank = { failed: 0, "backing-off": 1, stopped: 2 };
  return [...nodes].sort((a, b) => (rank[a.state] ?? 9) - (rank[b.state] ?? 9))[0];
}

function downTitle(down, nodes, status) {
  const by = new Map();
  for (const n of down) {
    const how = crashedAlone(n, status) ? "crashed" : n.state;
    by.set(how, [...(by.get(how) || []), n]);
  }
  const parts = [...by].map(([state, list]) => downWords(state, list));
  const others = nodes.length - down.length;
  const rest = others === 0 ? "" : others === 1 ? "; 1 other node runs" : `; ${others} other nodes run`;
  return parts.join(", ") + rest;
}

function downWords(state, nodes) {
  const names = list(nodes.map((n) => n.name));
  const is = nodes.length === 1 ? "is" : "are";
  if (state === "failed") return `${names} ${is} down: failed, not restarted`;
  if (state === "backing-off") return `${names} ${is} down: crashed, will be restarted`;
  if (state === "crashed") return `${names} ${is} down: crashed, and nothing restarts ${nodes.length === 1 ? "it" : "them"}`;
  return `${names} ${is} stopped`;
}

function weakTitle(weak) {
  const names = list(weak.map((n) => n.name));
  const is = weak.length === 1 ? "is" : "are";
  if (weak.every((n) => n.paused)) return `${names} ${is} paused: frozen, and not answering`;
  return `${names} ${is} running, and not well`;
}

// sides writes who is kept apart: "n2 | n1, n3".
function sides(f, nodes) {
  if (f.kind !== "partition") return describe(f).replace(/, [a-z]+$/, "");
  const named = (f.groups || []).flat();
  const rest = nodes.map((n) => n.name).filter((n) => !named.includes(n));
  return [...(f.groups || []), rest].filter((g) => g.length).map((g) => list(g)).join("  |  ");
}

function how(f) {
  if (f.how === "reset") return "Connections are reset, and new ones refused.";
  if (f.how === "disconnect") return "The VMs refuse each other; the network stays as it is.";
  return "Packets disappear; nodes notice after net_tick.";
}

// lost counts the pairs that are not connected.
function lost(pairs) {
  const n = { cut: 0, collateral: 0 };
  pairs?.cells?.forEach((row, i) =>
    row.forEach((cell, j) => {
      if (j > i && cell.state in n) n[cell.state]++;
    }),
  );
  if (!n.cut && !n.collateral) return "";
  const by = n.collateral ? `, and global disconnected ${n.collateral} more` : "";
  return `${many(n.cut, "pair")} cut${by}. `;
}

// split returns the groups of running nodes that see each other.
export function split(state) {
  if (!state.pairs || state.status?.ready) return []; // a cluster that is Ready may need no mesh
  const { nodes, cells } = { nodes: state.pairs.nodes || [], cells: state.pairs.cells || [] };
  const runs = new Set((state.status?.nodes || []).filter((n) => ["ready", "degraded", "running"].includes(n.state) && !n.paused).map((n) => n.name));
  const sees = (i, j) => ["connected", "hidden", "one-sided"].includes(cells[i]?.[j]?.state);
  const known = (i, j) => cells[i]?.[j]?.state !== "unknown";
  const left = new Set(nodes.map((_, i) => i).filter((i) => runs.has(nodes[i])));
  const groups = [];
  let certain = false;
  while (left.size) {
    const [start] = left;
    left.delete(start);
    const group = [start];
    for (const i of group) {
      for (const j of [...left]) {
        if (sees(i, j) || sees(j, i)) {
          left.delete(j);
          group.push(j);
        } else if (known(i, j)) certain = true;
      }
    }
    groups.push(group.sort((a, b) => a - b).map((i) => nodes[i]));
  }
  return certain ? groups : [];
}
