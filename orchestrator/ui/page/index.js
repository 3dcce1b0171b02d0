// The overview: all clusters of this machine, asked for every two seconds.
import { attr, byId, el, same, show, text } from "./dom.js";
import { command } from "./copy.js";
import { glyph, reshape } from "./glyphs.js";
import { clock, many } from "./format.js";

const EVERY = 2000;

let heard = Date.now();
byId("start").append(el("p", { class: "step" }, command("beamyard up --detach")));

async function look() {
  try {
    const answer = await fetch("/api/clusters");
    if (answer.status === 401 || answer.status === 403) throw new Error("The server asks for a new token. Type: beamyard ui");
    if (!answer.ok) throw new Error(`The server answered ${answer.status}`);
    draw(await answer.json());
    heard = Date.now();
    show(byId("away"), false);
  } catch (error) {
    const known = error instanceof TypeError || error instanceof SyntaxError ? `Not connected since ${clock(heard)}, trying again` : error.message;
    text(byId("away-title"), known);
    show(byId("away"), true);
  }
  setTimeout(look, EVERY);
}

// tone judges a cluster by the worst that is known of it.
function tone(c) {
  if (c.finding) return ["bad", "failed"];
  if (c.faults) return ["cut", "cut"];
  if (c.ready) return ["ok", "ready"];
  if (!c.supervised) return ["info", "running"];
  return c.running < c.nodes ? ["warn", "degraded"] : ["busy", "busy"];
}

function draw(clusters) {
  clusters ||= [];
  text(byId("facts"), clusters.length ? many(clusters.length, "cluster") : "");
  show(byId("nothing"), clusters.length === 0);
  same(
    byId("clusters"),
    clusters,
    (c) => c.cluster,
    (c) => {
      const sign = glyph("busy");
      const item = el("li", null, el("a", { class: "cluster-card", href: `/c/${encodeURIComponent(c.cluster)}/` }, el("span", { class: "cluster-name" }, sign, el("b", null, c.cluster), el("span", { class: "pill" })), el("span", { class: "cluster-facts soft" }), el("span", { class: "cluster-finding" })));
      item.sign = sign;
      return item;
    },
    (item, c) => {
      const [kind, sign] = tone(c);
      attr(item.firstChild, "data-tone", kind);
      reshape(item.sign, sign);
      const pill = item.querySelector(".pill");
      attr(pill, "data-tone", kind);
      text(pill, c.state);
      const facts = [`${c.running} of ${many(c.nodes, "node")} running`];
      if (!c.supervised) facts.push("no supervisor");
      if (c.faults) facts.push(`${many(c.faults, "fault")} in force`);
      text(item.querySelector(".cluster-facts"), facts.join(" · "));
      text(item.querySelector(".cluster-finding"), c.finding || "");
    },
  );
}

look();
