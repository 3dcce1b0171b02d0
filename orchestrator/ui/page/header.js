// Pane 1: how the cluster is, in one line; why, and what to type; the faults in force.
import { attr, byId, el, same, show, text } from "./dom.js";
import { glyph } from "./glyphs.js";
import { command, steps } from "./copy.js";
import { age, clock, left, many, sentence, time } from "./format.js";
import { describe, now } from "./store.js";
import { verdict } from "./verdict.js";

const toneGlyph = { ok: "ready", busy: "busy", warn: "degraded", bad: "failed", cut: "cut", info: "running", off: "off" };

const BLINK = 1200; // milliseconds; a stream that is away for less than that is not worth a banner

export function header(state, page) {
  text(byId("name"), state.cluster);
  const heal = byId("heal-all");
  heal.addEventListener("click", () => page.heal([]));
  for (const id of ["away", "unsupervised"]) byId(id).querySelector(".notice-glyph").append(glyph("degraded"));
  let drawn = "";
  let takeOver = null;

  return {
    // away says that the stream or the cluster is away: also while nothing else is drawn.
    away: () => drawAway(state),
    draw(topics) {
      if (!["clock", "status", "health", "pairs", "hello", "happened"].some((t) => topics.has(t))) return;
      const v = verdict(state);
      drawState(state, v);
      const key = JSON.stringify(v);
      if (key !== drawn) {
        drawn = key;
        drawVerdict(v, page);
      }
      const next = byId("verdict").querySelector(".verdict-count");
      if (next) text(next, `Restart in ${left(time(v.restart) - now(state))}`);
      const faults = state.status?.faults || [];
      drawFaults(state, faults, page);
      heal.disabled = !faults.length || !!state.hello?.read_only;
      heal.classList.toggle("primary", !heal.disabled);
      text(heal, faults.length > 1 ? `Heal all ${faults.length}` : "Heal all");
      attr(heal, "title", state.hello?.read_only ? "This page is read-only: beamyard heal" : faults.length ? `beamyard heal -c ${state.cluster}` : "No fault is in force");

      const alone = state.hello && !state.hello.supervised && !state.gone;
      show(byId("unsupervised"), !!alone);
      const offer = alone ? state.hello.take_over || "" : null;
      if (offer !== takeOver) {
        takeOver = offer;
        const box = byId("take-over");
        box.replaceChildren();
        if (offer) {
          const button = el("button", { type: "button", class: "button small", onclick: page.takeOver, disabled: state.hello.read_only }, "Take over");
          box.append(button, command(offer));
        }
      }
    },
  };
}

function drawAway(state) {
  const { link, gone } = state;
  const away = !link.up && state.hello !== null && Date.now() - link.since >= BLINK;
  const never = !link.up && state.hello === null && Date.now() - link.since > 2000;
  show(byId("away"), away || never || !!gone);
  document.body.classList.toggle("stale", away || !!gone);
  if (away || never) {
    const since = away ? ` since ${clock(link.since)} (${age(Date.now() - link.since)})` : "";
    text(byId("away-title"), `Not connected${since}, trying again`);
    text(
      byId("away-why"),
      link.why === "token"
        ? `The server asks for a new token. Type: beamyard ui ${state.cluster}`
        : link.why || (state.status ? "The page shows what it knew then. Nothing is lost: it continues where it was." : `Does the server run? Type: beamyard ui ${state.cluster}`),
    );
  } else if (gone) {
    text(byId("away-title"), `The cluster is away since ${clock(state.goneSince)}, trying again`);
    text(byId("away-why"), gone);
  }
}

function drawState(state, v) {
  const pill = byId("state");
  attr(pill, "data-tone", v.tone);
  if (pill.dataset.word !== v.word) {
    pill.dataset.word = v.word;
    pill.replaceChildren(glyph(toneGlyph[v.tone], 14), v.word);
  }
  document.title = `${v.word === "ready" ? "" : `${v.word}: `}${state.cluster} · Beamyard`;
  const s = state.status;
  if (!s) return;
  const nodes = s.nodes || [];
  const ready = nodes.filter((n) => n.state === "ready" || n.state === "running").length;
  const facts = [`${ready} of ${many(nodes.length, "node")} ${s.supervised ? "ready" : "running"}`];
  if (time(s.created)) facts.push(`up ${age(now(state) - time(s.created))}`);
  if (s.app && s.app !== "-") facts.push(s.app);
  text(byId("facts"), facts.join(" · "));
  attr(byId("facts"), "title", s.image);
}

function drawVerdict(v, page) {
  const box = byId("verdict");
  attr(box, "data-tone", v.tone);
  text(byId("spoken"), v.title);
  const title = el("p", { class: "verdict-title" }, glyph(toneGlyph[v.tone], 18), el("span", null, v.title));
  const body = el("div", { class: "verdict-body" });
  if (v.why) body.append(el("p", { class: "verdict-why" }, sentence(v.why)));
  if (v.evidence) body.append(el("p", { class: "verdict-evidence" }, el("span", { class: "label" }, "Seen"), el("code", null, v.evidence)));
  const todo = steps(v.steps);
  if (todo.length) body.append(el("div", { class: "verdict-steps" }, el("span", { class: "label" }, "Try"), el("div", { class: "steps" }, todo)));
  const foot = el("div", { class: "verdict-foot" });
  if (v.restart) foot.append(el("b", { class: "verdict-count" }));
  if (v.node && v.tone !== "ok") {
    foot.append(el("button", { type: "button", class: "link", onclick: () => page.onlyLogsOf(v.node) }, `Logs of ${v.node}`));
    foot.append(el("button", { type: "button", class: "link", onclick: () => page.toNode(v.node) }, `All about ${v.node}`));
  }
  if (v.code) foot.append(el("span", { class: "soft" }, `Finding: ${v.code}`));
  if (foot.childNodes.length) body.append(foot);
  if (v.more.length) {
    const more = v.more.map((f) => el("li", null, el("p", null, f.node ? el("b", null, f.node) : null, f.node ? " " : "", f.problem), el("div", { class: "steps" }, steps((f.solutions || []).slice(0, 1)))));
    body.append(el("details", { class: "more" }, el("summary", null, `${many(v.more.length, "more problem")}`), el("ul", null, more)));
  }
  box.replaceChildren(title);
  if (body.childNodes.length) box.append(body);
}

function drawFaults(state, faults, page) {
  const list = byId("faults");
  show(list, faults.length > 0);
  same(
    list,
    faults,
    (f) => f.id,
    (f) => {
      const label = describe(f);
      const button = el("button", { type: "button", class: "button small", "aria-label": `Heal ${f.id}: ${label}`, onclick: () => page.heal([f.id]) }, "Heal");
      const item = el("li", { class: "fault" }, glyph("cut"), el("span", null, label), el("code", { class: "soft" }, f.id), el("span", { class: "fault-time soft" }), button);
      item.button = button;
      return item;
    },
    (item, f) => {
      const at = now(state);
      const ends = time(f.end);
      text(item.querySelector(".fault-time"), ends ? `ends in ${left(ends - at)}` : `for ${age(at - time(f.begin))}, until it is healed`);
      item.button.disabled = !!state.hello?.read_only;
    },
  );
}
