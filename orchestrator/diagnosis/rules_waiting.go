package diagnosis

import (
	"cmp"
	"slices"
	"strings"

	"github.com/beamyard/beamyard/orchestrator/hint"
)

// What a run ended for want of, and time may bring. A host without an address is the
// rule name-not-resolved.

var localhostIsItself = text("localhost in a container is the container itself: name the host as the node sees it. "+
	"host.docker.internal is the engine's machine; a container of another network has its name there (%s)", hint.Setting("networks"))

var waitLocal = rule{
	code: "localhost-refused",
	when: func(_ *Evidence, n *Node) (match, bool) {
		w, ok := waitOf(n, WaitService)
		at := cmp.Or(w.For, localIn(n.Env))
		where := ""
		if w.For == "" && at != "" {
			where = ", as its environment says (" + at + ")"
		}
		return match{evidence: w.Line, words: map[string]string{"at": cmp.Or(w.For, "localhost"), "why": w.Why, "where": where}}, ok && (w.Local() || w.For == "" && at != "")
	},
	problem: "{node} looks for a service at {at}{where}, which is its own container, where nothing answers: {why}",
	try: []try{
		{text("%s; give the address in env:, then", localhostIsItself), again, absent},
		{text("%s; see what listens in its own", localhostIsItself), shell("docker exec {container} cat /proc/net/tcp /proc/net/tcp6"), runs},
		{text("%s; see which address it took", localhostIsItself), tail, ended},
	},
}

var waitService = rule{
	code: "service-not-there",
	when: func(_ *Evidence, n *Node) (match, bool) {
		w, ok := waitOf(n, WaitService)
		local := w.Local() || w.For == "" && localIn(n.Env) != ""
		return match{evidence: w.Line, words: map[string]string{"at": cmp.Or(w.For, "a service"), "why": w.Why}}, ok && !local
	},
	problem: "{node} ended because it did not reach {at}: {why}",
	try: []try{
		{text("see whether that runs, and on which network"), shell("docker ps --format '{{.Names}} {{.Networks}} {{.Status}}'"), always},
		{text("give it more time: %s; then", hint.Setting("ready_timeout", "restart.max: …")), again, absent},
	},
}

var waitPeer = rule{
	code: "peer-not-there",
	when: func(e *Evidence, n *Node) (match, bool) {
		w, ok := waitOf(n, WaitPeer)
		m := match{evidence: w.Line, words: map[string]string{"at": cmp.Or(w.For, "another node"), "why": w.Why, "first": "NODE"}}
		if i := slices.IndexFunc(e.Nodes, func(o Node) bool { return o.BEAM == w.For }); i >= 0 {
			m.words["first"], m.peers = e.Nodes[i].Name, []string{e.Nodes[i].Name}
		}
		return m, ok
	},
	problem: "{node} ended because it did not reach {at}: {why}",
	try: []try{
		{text("start it when that node is Ready: %s; then", hint.SettingOf("{node}", "after: [{first}]")), again, absent},
		{text("start it when that node is Ready, from the next start on: %s; see the state of that node", hint.SettingOf("{node}", "after: [{first}]")), hint.Of(hint.Status.On("{cluster}")), there},
	},
}

// waitOf is what a run of a node ended for want of, of one kind.
func waitOf(n *Node, kind WaitKind) (Wait, bool) {
	if n.Exit == nil || n.Exit.Code == 0 {
		return Wait{}, false
	}
	w, ok := WaitsFor(n.Lines, n.BEAM)
	return w, ok && w.Kind == kind
}

// localIn is the first variable of an environment that names localhost.
func localIn(env map[string]string) string {
	for _, key := range sorted(env) {
		if key == "PHX_HOST" { // the name that it is called by, not one that it calls
			continue
		}
		for _, host := range []string{"localhost", "127.0.0.1", "[::1]"} {
			if strings.Contains(env[key], host) {
				return key
			}
		}
	}
	return ""
}

func sorted(env map[string]string) []string {
	keys := make([]string, 0, len(env))
	for key := range env {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
