// Pane 5: what the nodes print. The page keeps the newest 5,000 lines. A line is only ever text.
import { attr, byId, el, same, show, text } from "./dom.js";
import { clock, clockMs, count, many, time } from "./format.js";

const MOST = 5000; // lines kept, at most
const CHUNK = 100; // lines in an element: the browser lays out only those that are seen
const SOON = 500; // lines that are spread over some frames; more than that come at once
const LONG = 2000; // characters shown of a line, and searched
const BOTTOM = 24; // pixels from the end that count as the end

const COLOURS = /\x1b\[[0-9;?]*[ -/]*[@-~]/g;

export function logs(state, page) {
  const box = byId("lines");
  const find = byId("logs-find");
  const only = byId("logs-only");
  const node = byId("logs-node");
  const stream = byId("logs-stream");
  const pauseButton = byId("logs-pause");
  let kept = []; // {line, at, text, row, hit}
  let colours = new Map(); // of nodes
  let pattern = null;
  let wrong = ""; // what is wrong with the pattern
  let following = true;
  let paused = false;
  let held = []; // lines that came while paused
  let shown = 0;
  let hits = 0;
  let byHand = false; // the user moves the lines

  const wanted = (k) =>
    (!node.value || k.line.node === node.value || (k.line.dropped && !k.line.node)) && (!stream.value || k.line.stream === stream.value) && (!pattern || !only.checked || k.hit || !!k.line.dropped);

  function entry(line) {
    const plain = (line.text || "").replace(COLOURS, "");
    const k = { line, at: time(line.time), text: plain, row: null, hit: false };
    k.hit = matches(k);
    return k;
  }

  const matches = (k) => !!pattern && !k.line.dropped && pattern.test(k.text.slice(0, LONG));

  // rowOf makes the element of a line: its time, its node, its text.
  function rowOf(k) {
    const { line } = k;
    if (line.dropped) {
      return el("div", { class: "line gap" }, `${many(line.dropped, "line")}${line.node ? ` of ${line.node}` : ""} dropped: not kept any more`);
    }
    const row = el("div", { class: `line s-${line.stream}`, "data-hue": hue(line.node) }, el("time", null, clockMs(k.at)), el("b", null, line.node), body(k));
    return row;
  }

  function body(k) {
    const span = el("span", { class: "said" });
    const whole = k.text;
    const part = whole.length > LONG ? whole.slice(0, LONG) : whole;
    if (pattern && k.hit) highlight(span, part);
    else span.append(part);
    if (part !== whole) {
      span.append(
        el("button", { type: "button", class: "link", onclick: () => span.replaceChildren(whole) }, ` … ${count(whole.length - LONG)} more characters`),
      );
    }
    if (k.line.cut) span.append(el("i", null, " (cut: longer than 256 KiB)"));
    return span;
  }

  function highlight(into, words) {
    const all = new RegExp(pattern.source, `g${pattern.flags.replace("g", "")}`);
    let at = 0;
    for (const m of words.matchAll(all)) {
      if (!m[0]) continue;
      into.append(words.slice(at, m.index), el("mark", null, m[0]));
      at = m.index + m[0].length;
    }
    into.append(words.slice(at));
  }

  const hue = (name) => {
    if (!colours.has(name)) colours.set(name, colours.size % 8);
    return colours.get(name);
  };

  // append takes lines in at the end, and drops the oldest.
  function append(list) {
    if (!list.length) return;
    let chunk = box.lastElementChild;
    let batch = document.createDocumentFragment();
    let room = chunk ? CHUNK - chunk.childElementCount : 0;
    const flush = () => {
      if (batch.childElementCount) chunk.append(batch);
      batch = document.createDocumentFragment();
    };
    for (const k of list) {
      kept.push(k);
      if (k.hit) hits++;
      if (!wanted(k)) continue;
      if (room <= 0) {
        if (chunk) {
          flush();
          chunk.classList.add("full");
        }
        chunk = el("div", { class: "chunk" });
        box.append(chunk);
        room = CHUNK;
      }
      k.row = rowOf(k);
      batch.append(k.row);
      room--;
      shown++;
    }
    if (chunk) flush();
    trim();
  }

  // trim drops the oldest lines, a hundred at a time: each change of what is above costs a layout.
  function trim() {
    if (kept.length <= MOST) return;
    const gone = kept.splice(0, kept.length - MOST + CHUNK);
    for (const k of gone) {
      if (k.hit) hits--;
      if (!k.row) continue;
      shown--;
      const chunk = k.row.parentNode;
      if (chunk.lastChild === k.row) chunk.remove();
      else k.row.hidden = true;
    }
    // What is left of a chunk of which only a part is gone.
    for (const row of [...(box.firstChild?.childNodes || [])]) if (row.hidden) row.remove();
  }

  // again shows all lines once more, after another filter was set.
  function again() {
    for (const k of kept) {
      k.row = null;
      k.hit = matches(k);
    }
    const all = kept;
    kept = [];
    shown = 0;
    hits = 0;
    box.replaceChildren();
    append(all);
    note();
    if (following) toEnd();
  }

  function toEnd() {
    byHand = false;
    box.scrollTop = box.scrollHeight;
    follow(true);
  }

  function follow(on) {
    following = on;
    show(byId("logs-down"), !on);
  }

  // Only a hand stops following: a window that changes its size scrolls too.
  for (const type of ["wheel", "touchmove", "pointerdown", "keydown"]) box.addEventListener(type, () => (byHand = true), { passive: true });
  box.addEventListener("scroll", () => {
    const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < BOTTOM;
    if (atEnd) follow(true);
    else if (byHand) follow(false);
  }, { passive: true });
  new ResizeObserver(() => following && toEnd()).observe(box);
  byId("logs-down").addEventListener("click", () => {
    if (paused) pause(false);
    toEnd();
    box.focus({ preventScroll: true });
  });

  function pause(on) {
    paused = on;
    attr(pauseButton, "aria-pressed", String(on));
    text(pauseButton, on ? "Continue" : "Pause");
    if (!on) {
      append(held);
      held = [];
      toEnd();
    }
    note();
  }
  pauseButton.addEventListener("click", () => pause(!paused));

  function read() {
    const source = find.value;
    wrong = "";
    pattern = null;
    if (source) {
      try {
        pattern = new RegExp(source, /[A-Z]/.test(source) ? "" : "i"); // small letters match any case
      } catch (error) {
        wrong = error.message.replace(/^Invalid regular expression: /, "");
      }
    }
    attr(find, "aria-invalid", wrong ? "true" : null);
    save();
    again();
  }

  // save sets the address of the download: the same lines, from the server.
  function save() {
    const q = new URLSearchParams();
    if (node.value) q.set("node", node.value);
    if (stream.value) q.set("stream", stream.value);
    if (pattern && only.checked) q.set("grep", (pattern.flags.includes("i") ? "(?i)" : "") + pattern.source);
    byId("logs-save").href = `/c/${encodeURIComponent(state.cluster)}/logs.txt${q.size ? `?${q}` : ""}`;
  }

  let typing = 0;
  find.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(read, 120);
  });
  find.addEventListener("keydown", (e) => {
    if (e.key !== "Enter") return;
    clearTimeout(typing);
    read();
  });
  for (const control of [only, node, stream]) {
    control.addEventListener("change", () => {
      save();
      again();
    });
  }
  byId("logs-wrap").addEventListener("change", (e) => {
    box.classList.toggle("no-wrap", !e.target.checked);
    if (following) toEnd();
  });
  save();

  function note() {
    const parts = [];
    if (wrong) parts.push(`not a regular expression: ${wrong}`);
    else if (kept.length) {
      parts.push(shown === kept.length ? many(shown, "line") : `${count(shown)} of ${many(kept.length, "line")}`);
      if (pattern) parts.push(`${count(hits)} match`);
    }
    if (paused) parts.push(held.length ? `paused, ${count(held.length)} new` : "paused");
    text(byId("logs-note"), parts.join(" · "));
    const nothing = kept.length ? "No line matches." : "No output yet.";
    text(byId("logs-empty"), nothing);
    show(byId("logs-empty"), shown === 0);
  }

  function take() {
    // The server sends lines ten times a second. A share in each frame moves smoothly, and leaves
    // the frame time for the rest.
    const waiting = state.lines.length;
    const share = waiting > SOON ? waiting : Math.max(20, Math.ceil(waiting / 4));
    const fresh = state.lines.splice(0, share).map(entry);
    if (state.lines.length) page.again("lines");
    if (state.dropped) {
      fresh.unshift(entry({ node: "", stream: "system", dropped: state.dropped, time: fresh[0]?.line.time }));
      state.dropped = 0;
    }
    if (!fresh.length) return;
    if (paused) {
      held.push(...fresh);
      if (held.length > MOST) held.splice(0, held.length - MOST);
    } else append(fresh);
    note();
    if (!paused && following) toEnd(); // last: it needs the layout
  }

  function options() {
    const names = (state.status?.nodes || []).map((n) => n.name);
    for (const n of names) hue(n);
    same(node, ["", ...names], (n) => n, (n) => el("option", { value: n }, n || "all nodes"));
  }
  node.replaceChildren();
  options();

  return {
    draw(topics) {
      if (topics.has("reset")) {
        kept = [];
        held = [];
        again();
      }
      if (topics.has("status")) options();
      if (topics.has("lines")) take();
    },

    // goTo shows the lines of a time, and stays there.
    goTo(at, name) {
      if (name && node.value && node.value !== name) {
        node.value = "";
        save();
        again();
      }
      const rows = kept.filter((k) => k.row);
      if (!rows.length) return;
      const k = rows.find((r) => r.at >= at && (!name || r.line.node === name)) || rows.find((r) => r.at >= at) || rows.at(-1);
      follow(false);
      k.row.scrollIntoView({ block: "center" });
      byId("logs").scrollIntoView({ block: "nearest", behavior: "smooth" });
      for (const old of box.querySelectorAll(".found")) old.classList.remove("found");
      k.row.classList.add("found");
      box.setAttribute("data-at", clock(k.at));
    },

    // only shows the lines of one node.
    only(name) {
      node.value = name;
      save();
      again();
      toEnd();
      byId("logs").scrollIntoView({ block: "nearest", behavior: "smooth" });
      box.focus({ preventScroll: true });
    },

    togglePause: () => pause(!paused),
    search() {
      find.focus();
      find.select();
    },
    clear() {
      if (!find.value) return find.blur();
      find.value = "";
      read();
    },
    field: find,
  };
}
