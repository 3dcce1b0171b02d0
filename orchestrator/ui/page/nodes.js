// Pane 3: the nodes, with what they use, and the reason where one is not well.
import { attr, byId, copyOf, el, same, show, text } from "./dom.js";
import { glyph, reshape } from "./glyphs.js";
import { steps } from "./copy.js";
import { ended, nodeState, withoutCount } from "./states.js";
import { age, bytes, bytesOf, clock, count, left, many, sentence, time } from "./format.js";
import { now } from "./store.js";
import { spark } from "./spark.js";

// Why a node that listens on no reachable port has no URL.
const noURL = {
  loopback: { word: "loopback only", why: "It listens on loopback only, inside its container: have it listen on 0.0.0.0, or set loopback: forward in beamyard.yml." },
  nothing: { word: "no listener", why: "Nothing listens on its HTTP port, inside its container." },
};

export function nodes(state, page) {
  const body = byId("nodes-body");
  const rows = new Map(); // the rows of each node
  const open = new Set(); // nodes with details
  let weakOnly = false;

  const choose = (weak) => {
    weakOnly = weak;
    attr(byId("nodes-all"), "aria-pressed", String(!weak));
    attr(byId("nodes-weak"), "aria-pressed", String(weak));
    draw();
  };
  byId("nodes-all").addEventListener("click", () => choose(false));
  byId("nodes-weak").addEventListener("click", () => choose(true));

  function make(n) {
    const tr = copyOf("node-row");
    const cell = (name) => tr.querySelector(`.n-${name}`);
    const box = cell("choose").firstElementChild;
    box.setAttribute("aria-label", `Act on ${n.name}`);
    box.addEventListener("change", () => page.choose(n.name, box.checked));
    const disclose = tr.querySelector(".disclose");
    const sign = glyph("unknown");
    const on = el("span", { class: "faint" });
    disclose.append(sign, el("span", null, n.name), on);
    disclose.addEventListener("click", () => {
      if (!open.delete(n.name)) open.add(n.name);
      draw();
    });
    const memory = spark();
    const queue = spark();
    const meter = el("span", { class: "meter" }, el("i"));
    const memoryText = el("span", { class: "figure" });
    const queueText = el("span", { class: "figure" });
    cell("memory").append(memory, el("span", { class: "stack" }, memoryText, meter));
    cell("queue").append(queue, queueText);
    const why = el("tr", { class: "why" }, el("td"), el("td", { colspan: "9" }));
    const row = { tr, why, whyCell: why.lastChild, cell, box, disclose, sign, on, memory, memoryText, meter, queue, queueText, state: cell("state").firstElementChild, told: "" };
    rows.set(n.name, row);
    return row;
  }

  function update(n) {
    const row = rows.get(n.name) || make(n);
    const s = nodeState(n);
    attr(row.tr, "data-tone", s.tone);
    attr(row.tr, "data-node", n.name);
    attr(row.disclose, "aria-expanded", String(open.has(n.name)));
    attr(row.disclose, "aria-label", `${n.name}: ${s.word}, details`);
    reshape(row.sign, s.glyph);
    text(row.on, n.host ? `on ${n.host}` : "");
    text(row.state, s.word);
    drawClock(row, n);
    const url = row.cell("url");
    const unreachable = n.url ? "" : n.serving || "";
    if (url.dataset.url !== (n.url || unreachable)) {
      url.dataset.url = n.url || unreachable;
      const none = noURL[unreachable];
      const port = /:(\d+)\/?$/.exec(n.url || "");
      url.replaceChildren(n.url ? el("a", { href: n.url, target: "_blank", rel: "noreferrer", "aria-label": `${n.name} at ${n.url}` }, port ? `:${port[1]}` : "open", glyph("link", 12)) : none ? el("span", { class: "unreachable", title: none.why }, none.word) : el("span", { class: "faint" }, "–"));
    }
    drawSample(row, n);
    drawWhy(row, n, s);
    return row;
  }

  function drawClock(row, n) {
    const at = now(state);
    const began = time(n.started_at);
    const stopped = time(n.stopped_at);
    text(row.cell("up"), ended(n) ? (stopped ? `down ${age(at - stopped)}` : "–") : began ? age(at - began) : "–");
    const next = time(n.next_restart_at);
    const restarts = row.cell("restarts");
    if (n.state === "backing-off") text(restarts, `${n.restarts || n.restart_count}${next ? `, next in ${left(next - at)}` : ""}`);
    else text(restarts, String(n.restart_count || 0));
    attr(restarts, "data-some", n.restart_count ? "" : null);
  }

  function drawSample(row, n) {
    const list = ended(n) ? [] : state.samples.get(n.name) || [];
    const s = list.at(-1);
    const at = now(state);
    row.tr.classList.toggle("no-sample", !s);
    if (!s) {
      for (const node of [row.memoryText, row.queueText, row.cell("processes"), row.cell("atoms")]) text(node, "–");
      row.memory.set([], at);
      row.queue.set([], at);
      show(row.meter, false);
      return;
    }
    text(row.memoryText, s.memory_limit ? bytesOf(s.memory, s.memory_limit) : bytes(s.memory));
    show(row.meter, !!s.memory_limit);
    if (s.memory_limit) {
      const part = Math.min(1, s.memory / s.memory_limit);
      row.meter.firstChild.style.setProperty("--part", part.toFixed(3));
      attr(row.meter, "data-tone", part > 0.9 ? "bad" : part > 0.75 ? "warn" : "ok");
    }
    text(row.queueText, count(s.run_queue));
    text(row.cell("processes"), count(s.processes));
    text(row.cell("atoms"), count(s.atoms));
    attr(row.cell("atoms"), "title", s.atoms_limit ? `of ${count(s.atoms_limit)}` : null);
    row.memory.set(list.map((p) => ({ at: p.at, value: p.memory })), at);
    row.queue.set(list.map((p) => ({ at: p.at, value: p.run_queue })), at);
  }

  // drawWhy shows the reason under a node that is not well, and all that is known about one whose
  // details are open.
  function drawWhy(row, n, s) {
    const wide = open.has(n.name);
    const roots = (n.findings || []).filter((f) => !f.symptom_of);
    const symptom = (n.findings || []).find((f) => f.symptom_of);
    const unwell = s.tone !== "ok" && (n.reason || n.findings?.length);
    show(row.why, wide || !!unwell);
    const key = JSON.stringify([wide, unwell, n.reason, n.findings, wide && { ...n, peers: n.peers }, state.cluster]);
    if (row.told === key) return;
    row.told = key;
    const parts = [];
    if (unwell && n.reason && (wide || !roots.length)) parts.push(el("p", { class: wide ? "reason" : "reason short" }, sentence(withoutCount(n.reason))));
    for (const f of wide ? roots : unwell ? roots.slice(0, 1) : []) {
      parts.push(el("p", { class: "problem" }, sentence(f.problem)));
      if (wide && f.evidence) parts.push(el("p", { class: "proof" }, el("code", null, f.evidence)));
      if (wide) parts.push(el("div", { class: "steps" }, steps(f.solutions || [])));
    }
    if (unwell && symptom && !roots.length) {
      parts.push(el("p", { class: "problem soft" }, `It follows from ${symptom.symptom_of.code}${symptom.symptom_of.node ? ` of ${symptom.symptom_of.node}` : ""}.`));
    }
    if (wide) parts.push(facts(n), el("div", { class: "row-links" }, el("button", { type: "button", class: "link", onclick: () => page.onlyLogsOf(n.name) }, `Logs of ${n.name}`)));
    row.whyCell.replaceChildren(...parts);
  }

  function facts(n) {
    const ports = (n.ports || []).map((p) => `${p.host}→${p.container}`).join(" ");
    const exit = n.exit_reason;
    const last = exit && [`${exit.class} (exit ${exit.code})`, exit.reason, exit.slogan, time(exit.at) && `at ${clock(time(exit.at))}`].filter(Boolean).join(", ");
    const pairs = [
      ["BEAM node", n.node],
      ["Sees", n.peers?.length ? n.peers.join(" ") : "no other node"],
      ["Cut off from", n.cut?.join(" ")],
      ["Host", n.host],
      ["Container", n.container],
      ["Address", n.ip],
      ["Ports", ports],
      ["OS pid", n.os_pid],
      ["Start number", n.incarnation],
      ["Last exit", last],
      ["Crash dump", exit?.dump],
      ["Lines dropped", n.dropped_lines],
    ];
    return el("dl", { class: "facts-list" }, pairs.filter(([, v]) => v).map(([k, v]) => el("div", null, el("dt", null, k), el("dd", null, String(v)))));
  }

  function draw() {
    const all = state.status?.nodes || [];
    const weak = all.filter((n) => !["ok", "info"].includes(nodeState(n).tone));
    const shown = weakOnly ? weak : all;
    for (const n of shown) update(n);
    for (const name of rows.keys()) if (!all.some((n) => n.name === name)) rows.delete(name);
    same(body, shown.flatMap((n) => [rows.get(n.name).tr, rows.get(n.name).why]), (r) => r, (r) => r);
    text(byId("nodes-weak"), weak.length ? `Not ready ${weak.length}` : "Not ready");
    text(byId("nodes-note"), all.length ? `${all.length - weak.length} of ${all.length} ${state.status.supervised ? "ready" : "running"}` : "");
  }

  return {
    draw(topics) {
      if (topics.has("status")) draw();
      else if (topics.has("clock") || topics.has("sample")) {
        for (const n of state.status?.nodes || []) {
          const row = rows.get(n.name);
          if (!row || !row.tr.isConnected) continue;
          if (topics.has("clock")) drawClock(row, n);
          if (topics.has("sample")) drawSample(row, n);
        }
      }
    },
    reveal(name) {
      if (weakOnly) choose(false);
      open.add(name);
      draw();
      const row = rows.get(name);
      row?.tr.scrollIntoView({ block: "nearest", behavior: "smooth" });
      row?.disclose.focus({ preventScroll: true });
    },
    chosen(set) {
      for (const [name, row] of rows) row.box.checked = set.has(name);
    },
  };
}
