// Asks the server to do something.

// ask sends an action. With dry it answers only the command that does the same. The answer is
// {ok, command, said, error, hint}; a server that is away is an answer too.
//
// A container that starts changes the network, and Chromium then breaks off what is under way: so
// what only asks is asked again, and what acts is not, because the server carries it out anyway.
export async function ask(cluster, action, body, dry = false, again = dry) {
  try {
    const answer = await fetch(`/c/${encodeURIComponent(cluster)}/do/${action}${dry ? "?dry=1" : ""}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    const type = answer.headers.get("Content-Type") || "";
    if (!type.includes("json")) return { ok: false, error: `the server answered ${answer.status}: ${(await answer.text()).trim().slice(0, 300)}` };
    return await answer.json();
  } catch {
    if (again) return ask(cluster, action, body, dry, false);
    return { ok: false, error: dry ? "The server does not answer." : "The connection broke before there was an answer. It may have been done: the timeline shows it." };
  }
}
