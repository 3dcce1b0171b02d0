// Pane 6: what can be done to the cluster, each action with the command that does the same.
import { attr, byId, el, same, show, text } from "./dom.js";
import { glyph, reshape } from "./glyphs.js";
import { command } from "./copy.js";
import { ask } from "./server.js";
import { groups } from "./groups.js";
import { list, span } from "./format.js";

const MOST_RUNS = 6;

// The actions. needs says what a form asks for; undo is what takes it back.
const catalogue = {
  kill: { group: "Nodes", word: "Kill", needs: ["nodes"], says: "SIGKILL, as a crash. The restart policy brings it back." },
  stop: { group: "Nodes", word: "Stop", needs: ["nodes"], says: "An orderly stop. It stays down until you start it.", undo: "start" },
  start: { group: "Nodes", word: "Start", needs: ["nodes"], says: "Starts nodes that are down. A node that runs stays as it is." },
  restart: { group: "Nodes", word: "Restart", needs: ["nodes"], says: "Stops and starts. It does not count against the restart budget." },
  pause: { group: "Nodes", word: "Pause", needs: ["nodes"], says: "Freezes all processes. Peers notice the silence after net_tick.", undo: "unpause" },
  unpause: { group: "Nodes", word: "Unpause", needs: ["nodes"], says: "Frozen processes continue." },
  partition: { group: "Network", word: "Partition", needs: ["groups", "kind", "for"], says: "The sides do not reach each other until you heal it.", undo: "heal" },
  slow: { group: "Network", word: "Slow", needs: ["pairs", "quality", "for"], says: "Packets are lost, late or limited on these links until you heal it.", undo: "heal" },
  blip: { group: "Network", word: "Blip", needs: ["blip"], says: "Resets every connection once. Nodes connect again by themselves; Mnesia stays apart until a restart." },
  heal: { group: "Repair", word: "Heal", needs: ["faults"], says: "Ends faults, and reports what was lost meanwhile." },
  sync: { group: "Repair", word: "Sync", needs: ["any"], says: "Compiles what you saved, and loads it into the running nodes. Code that does not compile changes nothing." },
};

const kindsSay = {
  drop: "Packets disappear: silence, noticed after net_tick.",
  reset: "Connections are reset, and refused: noticed at once.",
  disconnect: "The VMs drop their connections and refuse new ones; the network stays as it is.",
};

export function actions(state, page) {
  const chosen = new Set();
  const runs = [];
  let action = "kill";
  let asked = 0;
  let timer = 0;
  let names = [];

  // The choice of the action.
  const tabs = new Map();
  const byGroup = Map.groupBy(Object.entries(catalogue), ([, a]) => a.group);
  byId("act-choice").append(
    el(
      "div",
      { class: "acts", role: "radiogroup", "aria-label": "Action" },
      [...byGroup].map(([group, list]) =>
        el(
          "div",
          { class: "act-group" },
          el("span", { class: "label" }, group),
          el(
            "div",
            { class: "act-row" },
            list.map(([name, a]) => {
              const input = el("input", { type: "radio", name: "action", value: name, checked: name === action, onchange: () => choose(name) });
              tabs.set(name, input);
              return el("label", { class: "act" }, input, el("span", null, a.word));
            }),
          ),
        ),
      ),
    ),
  );

  // The form: its parts are shown as the action needs them.
  const nodesBox = el("div", { class: "chips", role: "group", "aria-label": "Nodes to act on" });
  const editor = groups(preview);
  const kind = el("select", { name: "kind", onchange: preview }, Object.keys(kindsSay).map((k) => el("option", null, k)));
  const kindSay = el("span", { class: "soft small-text" });
  const during = el("input", { type: "text", name: "for", placeholder: "until healed", size: 10, oninput: preview, spellcheck: "false" });
  const from = el("select", { name: "from", onchange: preview });
  const to = el("select", { name: "to", onchange: preview });
  const both = el("input", { type: "checkbox", checked: true, onchange: preview });
  const loss = el("input", { type: "text", name: "loss", placeholder: "5%", size: 6, value: "5%", oninput: preview });
  const latency = el("input", { type: "text", name: "latency", placeholder: "50ms", size: 6, oninput: preview });
  const rate = el("input", { type: "text", name: "rate", placeholder: "1mbit", size: 6, oninput: preview });
  const blipNodes = el("select", { onchange: preview });
  const faultChoice = el("select", { onchange: preview });
  const says = el("p", { class: "soft act-says" });
  const shown = command("…");
  const error = el("p", { class: "act-error", role: "alert" });
  const go = el("button", { class: "button primary", type: "submit" }, "Kill");
  const field = (label, ...inputs) => el("label", { class: "field" }, el("span", { class: "label" }, label), ...inputs);
  const parts = {
    nodes: el("div", { class: "field" }, el("span", { class: "label" }, "Nodes"), nodesBox),
    groups: editor.node,
    kind: el("div", { class: "fields" }, field("How", kind), field("For", during), kindSay),
    pairs: el("div", { class: "fields" }, field("From", from), field("To", to), el("label", { class: "check" }, both, " both ways")),
    quality: el("div", { class: "fields" }, field("Loss", loss), field("Latency", latency), field("Rate", rate)),
    blip: field("Between", blipNodes),
    faults: field("Which", faultChoice),
  };
  const duringSlow = el("div", { class: "fields" });
  parts.for = duringSlow;
  const form = byId("act-form");
  form.append(parts.nodes, parts.groups, parts.pairs, parts.quality, parts.kind, parts.blip, parts.faults, duringSlow, says, el("div", { class: "act-go" }, shown, go), error);
  const duringField = during.parentNode;
  form.addEventListener("submit", (e) => {
    e.preventDefault();
    run(action, body());
  });

  function choose(name) {
    action = name;
    tabs.get(name).checked = true;
    layout();
    preview();
  }

  function layout() {
    const { needs } = catalogue[action];
    show(parts.nodes, needs.includes("nodes") || needs.includes("any"));
    for (const part of ["groups", "pairs", "quality", "blip", "faults"]) show(parts[part], needs.includes(part));
    // "For" stands beside "How" where there is one.
    const home = needs.includes("kind") ? parts.kind : duringSlow;
    if (duringField.parentNode !== home) home.insertBefore(duringField, home === parts.kind ? kindSay : null);
    show(parts.kind, needs.includes("kind"));
    show(duringSlow, needs.includes("for") && !needs.includes("kind"));
    text(says, catalogue[action].says);
    if (action === "partition") editor.set(names, [...chosen]);
  }

  // body is what the server is asked for.
  function body() {
    const some = (name, value) => (value.trim() ? { [name]: value.trim() } : {});
    switch (action) {
      case "partition": {
        const all = editor.value();
        return { groups: all, kind: kind.value, ...some("for", during.value) };
      }
      case "slow": {
        const pair = to.value === "*" ? [from.value] : [`${from.value}:${to.value}`, ...(both.checked ? [`${to.value}:${from.value}`] : [])];
        return { pairs: pair, ...some("loss", loss.value), ...some("latency", latency.value), ...some("rate", rate.value), ...some("for", during.value) };
      }
      case "blip":
        return blipNodes.value ? { groups: [[blipNodes.value]] } : { groups: [] };
      case "heal":
        return { ids: faultChoice.value ? [faultChoice.value] : [] };
    }
    return { nodes: names.filter((n) => chosen.has(n)) };
  }

  // why says why the action cannot be done yet; "" if it can.
  function why() {
    const { needs } = catalogue[action];
    if (needs.includes("nodes") && !chosen.size) return "Choose a node.";
    if (action === "partition" && editor.value().length < 2) return "Put nodes on two sides at least.";
    if (action === "slow" && from.value === to.value) return "A link needs two nodes.";
    if (action === "heal" && !state.status?.faults?.length) return "No fault is in force.";
    return "";
  }

  // preview asks the server for the command.
  function preview() {
    const missing = why();
    const readOnly = !!state.hello?.read_only;
    const target = catalogue[action].needs.includes("nodes") && chosen.size ? ` ${list(names.filter((n) => chosen.has(n)), 3)}` : "";
    text(go, `${catalogue[action].word}${target}`);
    go.disabled = !!missing || readOnly;
    text(kindSay, kindsSay[kind.value]);
    show(both.parentNode, to.value !== "*");
    text(error, "");
    const wanted = ++asked;
    clearTimeout(timer);
    if (missing) {
      shown.set(missing);
      shown.classList.add("none");
      return;
    }
    timer = setTimeout(async () => {
      const answer = await ask(state.cluster, action, body(), true);
      if (wanted !== asked) return; // it is about another action by now
      shown.classList.toggle("none", !answer.command);
      shown.set(answer.command || "No command for that.");
      if (!answer.ok) {
        text(error, sentence(answer));
        go.disabled = true;
      }
    }, 80);
  }

  // run does something, and says in the list below what came of it.
  async function run(name, what) {
    if (state.hello?.read_only) return;
    const r = { id: Symbol(name), name, command: `${catalogue[name]?.word || name} …`, began: Date.now(), took: 0, answer: null };
    runs.unshift(r);
    runs.length = Math.min(runs.length, MOST_RUNS);
    drawRuns();
    const told = ask(state.cluster, name, what, true).then((a) => {
      if (a.command && !r.answer) {
        r.command = a.command;
        drawRuns();
      }
    });
    r.answer = await ask(state.cluster, name, what);
    await told;
    r.took = Date.now() - r.began;
    if (r.answer.command) r.command = r.answer.command;
    r.what = what;
    drawRuns();
    preview();
  }

  function drawRuns() {
    same(
      byId("runs"),
      runs,
      (r) => r.id,
      () => {
        const sign = glyph("busy", 14);
        const said = el("p", { class: "run-said" });
        const line = command("…");
        const item = el("li", { class: "run" }, el("div", { class: "run-head" }, sign, line, el("span", { class: "run-took soft", "aria-live": "off" })), said);
        Object.assign(item, { sign, line, said });
        return item;
      },
      (item, r) => {
        const a = r.answer;
        attr(item, "data-tone", !a ? "busy" : a.ok ? "ok" : "bad");
        reshape(item.sign, !a ? "busy" : a.ok ? "done" : "failed");
        item.line.set(r.command);
        text(item.querySelector(".run-took"), a ? span(r.took) : `running ${span(Date.now() - r.began)}`);
        if (!a || item.said.dataset.done) return;
        item.said.dataset.done = "yes";
        item.said.replaceChildren(a.ok ? a.said || "Done." : sentence(a));
        const undo = catalogue[r.name]?.undo;
        if (a.ok && undo) item.said.append(" ", el("button", { type: "button", class: "link", onclick: () => run(undo, undo === "heal" ? { ids: [] } : { nodes: r.what.nodes }) }, `${catalogue[undo].word}${undo === "heal" ? " all" : ""}`));
      },
    );
  }

  // fill brings the choices in step with the cluster.
  function fill() {
    const now = (state.status?.nodes || []).map((n) => n.name);
    const same_ = now.length === names.length && now.every((n, i) => n === names[i]);
    if (!same_) {
      names = now;
      for (const n of chosen) if (!names.includes(n)) chosen.delete(n);
      nodesBox.replaceChildren(
        ...names.map((n) => el("label", { class: "chip-choice" }, el("input", { type: "checkbox", value: n, checked: chosen.has(n), onchange: (e) => pick(n, e.target.checked) }), el("span", null, n))),
        names.length > 1 ? el("button", { type: "button", class: "link", onclick: all }, "all, or none") : "",
      );
      for (const [box, rest] of [[from, []], [to, [["*", "everyone"]]]]) {
        const was = box.value;
        box.replaceChildren(...names.map((n) => el("option", { value: n }, n)), ...rest.map(([v, w]) => el("option", { value: v }, w)));
        box.value = names.includes(was) || was === "*" ? was : names[box === to && names.length > 1 ? 1 : 0] || "";
      }
      blipNodes.replaceChildren(el("option", { value: "" }, "all nodes"), ...names.map((n) => el("option", { value: n }, `${n} and the rest`)));
      editor.set(names, [...chosen]);
    }
    const faults = state.status?.faults || [];
    const key = faults.map((f) => f.id).join();
    if (faultChoice.dataset.key !== key) {
      faultChoice.dataset.key = key;
      faultChoice.replaceChildren(el("option", { value: "" }, faults.length ? "all faults" : "none in force"), ...faults.map((f) => el("option", { value: f.id }, f.id)));
      if (same_ && action === "heal") preview();
    }
    if (!same_) preview();
  }

  function pick(name, on) {
    if (on) chosen.add(name);
    else chosen.delete(name);
    page.chosen(chosen);
    mark();
    preview();
  }

  function all() {
    const every = names.every((n) => chosen.has(n));
    for (const n of names) {
      if (every) chosen.delete(n);
      else chosen.add(n);
    }
    page.chosen(chosen);
    mark();
    preview();
  }

  function mark() {
    for (const box of nodesBox.querySelectorAll("input")) box.checked = chosen.has(box.value);
  }

  layout();
  return {
    draw(topics) {
      if (topics.has("hello")) {
        const readOnly = !!state.hello?.read_only;
        show(byId("read-only"), readOnly);
        byId("actions").classList.toggle("is-read-only", readOnly);
        preview();
      }
      if (topics.has("status")) fill();
      if (topics.has("clock") && runs.some((r) => !r.answer)) drawRuns();
    },
    choose: (name, on) => pick(name, on),
    run,
  };
}

function sentence(a) {
  return [a.error || "It failed.", a.hint && `Try: ${a.hint}`].filter(Boolean).join(" ");
}
