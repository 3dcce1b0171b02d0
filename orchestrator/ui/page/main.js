// The page of one cluster: takes the stream's messages, and lets each pane draw what changed, at
// most once a frame.
import { open } from "./stream.js";
import { apply, empty } from "./store.js";
import { header } from "./header.js";
import { matrix } from "./matrix.js";
import { nodes } from "./nodes.js";
import { timeline } from "./timeline.js";
import { logs } from "./logs.js";
import { actions } from "./actions.js";
import { evidence } from "./evidence.js";
import { keys } from "./keys.js";

const name = decodeURIComponent(location.pathname.split("/")[2] || "");
const state = empty(name);

// What panes ask of each other.
const page = {
  toLogs: (at, node) => log.goTo(at, node),
  onlyLogsOf: (node) => log.only(node),
  toNode: (node) => table.reveal(node),
  choose: (node, on) => act.choose(node, on),
  chosen: (set) => table.chosen(set),
  heal: (ids) => act.run("heal", { ids }),
  again: (topic) => change([topic]), // in the next frame
  takeOver: () => act.run("take-over", {}),
};

const log = logs(state, page);
const table = nodes(state, page);
const act = actions(state, page);
const top = header(state, page);
const panes = [top, matrix(state, page), table, act, timeline(state, page), log, evidence(state)];
keys(log);

const changed = new Set();
let waiting = false;

function draw() {
  if (!waiting) return;
  waiting = false;
  top.away();
  if (state.loading) return; // what changed is drawn once the snapshot is whole
  const topics = new Set(changed);
  changed.clear();
  for (const pane of panes) pane.draw(topics);
}

function change(topics) {
  for (const topic of topics) changed.add(topic);
  if (waiting) return;
  waiting = true;
  // A page in the background has no frames: its title still says how the cluster is.
  if (document.hidden) setTimeout(draw, 500);
  else requestAnimationFrame(draw);
}
// A frame that was asked for before the page went to the background may not come.
document.addEventListener("visibilitychange", () => waiting && draw());

open(name, {
  message: (type, data) => change(apply(state, type, data)),
  link(up, why) {
    if (state.link.up !== up) state.link = { up, since: Date.now(), why };
    else if (why) state.link.why = why;
    change(["link"]);
  },
});

// Uptimes, countdowns and the axis of time move on by themselves.
setInterval(() => change(["clock"]), 1000);
