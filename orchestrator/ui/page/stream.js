// The one stream of a cluster. The browser resumes it by the ID of the last message that arrived;
// what the browser gives up on (an answer that is no stream) is opened again here.
//
// After a hello that does not resume comes a snapshot, whose messages have no ID of their own, and
// then "live". From there on each message has one: BOOT-SEQ.

const types = ["hello", "status", "health", "pairs", "happened", "journal", "sample", "lines", "gone", "live"];
const AGAIN = 1000; // milliseconds between two attempts of our own
const SILENT = 40_000; // the server says something every 15 s; after this time it is away

// open follows the stream of a cluster. on.message(type, data) gets each message once and in
// order, on.link(up, why) whether the stream is there.
export function open(cluster, on) {
  let source;
  let last = ""; // ID of the last message: BOOT-SEQ
  let heard = Date.now();
  let snapshot = true;

  const connect = () => {
    const from = last ? `?after=${encodeURIComponent(last)}` : "";
    source = new EventSource(`/c/${encodeURIComponent(cluster)}/stream${from}`);
    source.addEventListener("open", () => {
      heard = Date.now();
      on.link(true, "");
    });
    for (const type of types) source.addEventListener(type, take);
    source.addEventListener("ping", () => (heard = Date.now()));
    source.addEventListener("error", failed);
  };

  const take = (message) => {
    heard = Date.now();
    const data = JSON.parse(message.data);
    if (message.type === "hello") {
      snapshot = !data.resumed;
    } else if (message.type === "live") {
      snapshot = false;
      last = message.lastEventId;
    } else if (!snapshot) {
      // A message without an ID has that of the one before it.
      if (!isNew(message.lastEventId)) return;
      last = message.lastEventId;
    }
    on.message(message.type, data);
  };

  // isNew tells a message that was seen already: another boot counts from the start.
  const isNew = (id) => {
    const [boot, seq] = split(id);
    const [lastBoot, lastSeq] = split(last);
    return boot !== lastBoot || seq > lastSeq;
  };

  const failed = async () => {
    on.link(false, "");
    if (source.readyState !== EventSource.CLOSED) return; // the browser tries again by itself
    source.close();
    on.link(false, await reason());
    setTimeout(connect, AGAIN);
  };

  setInterval(() => {
    if (Date.now() - heard < SILENT || source.readyState !== EventSource.OPEN) return;
    source.close(); // a connection that is dead and does not know it
    on.link(false, "the server is silent");
    heard = Date.now();
    connect();
  }, 5000);

  connect();
}

function split(id) {
  const at = id.lastIndexOf("-");
  return [id.slice(0, at), Number(id.slice(at + 1))];
}

// reason asks why there is no stream.
async function reason() {
  try {
    const answer = await fetch("/api/clusters");
    if (answer.status === 401 || answer.status === 403) return "token";
    const clusters = await answer.json();
    return Array.isArray(clusters) ? "" : "the server does not answer as it should";
  } catch {
    return "";
  }
}
