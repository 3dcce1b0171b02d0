package diagnosis

import (
	"slices"
	"strings"

	"github.com/beamyard/beamyard/orchestrator/hint"
	"github.com/beamyard/beamyard/orchestrator/internal/english"
)

// What faults do, and what nodes that are connected do not agree on.
var agreeRules = []rule{
	{
		code: "fault-in-force", whole: func(e *Evidence) (match, bool) {
			texts, id := make([]string, len(e.Faults)), "" // without an ID, all are healed
			for i, f := range e.Faults {
				texts[i], id = f.Text, f.ID
			}
			if len(texts) > 1 {
				id = ""
			}
			return match{evidence: "recorded as a fault", words: map[string]string{"faults": strings.Join(texts, "; "), "id": id}}, len(texts) > 0
		},
		problem: "broken on purpose: {faults}",
		try:     []try{{text("heal it"), hint.Of(hint.Heal.On("{cluster}").With("{id}")), there}},
	},
	{
		// rabbitmq-server#17319, ekka#273, otp#11021: the cluster looks whole, and its tables differ.
		code: "mnesia-apart", ready: true, when: func(_ *Evidence, n *Node) (match, bool) {
			if m, ok := mnesiaApart(n); ok {
				return m, slices.Contains(n.Live.MnesiaRestarted, n.Name)
			}
			m, ok := saysIn(inconsistent, n)
			m.words = map[string]string{"peers": strings.Join(m.groups, ""), "kept": "the other side"}
			return m, ok
		},
		problem: mnesiaProblem,
		try: []try{
			{text("Mnesia does not merge by itself: keep the tables of {kept}, and restart this node, which then loads them; or the other way round"), restart, there},
			{text("see both sides"), eval(":mnesia.info()"), runs},
		},
	},
	{
		code: "mnesia-apart", ready: true, when: func(_ *Evidence, n *Node) (match, bool) {
			m, ok := mnesiaApart(n)
			return m, ok && !slices.Contains(n.Live.MnesiaRestarted, n.Name)
		},
		problem: mnesiaProblem,
		try: []try{
			{text("Mnesia does not merge by itself: keep its tables, and restart {restarted}, which then load them; see both sides"), eval(":mnesia.info()"), runs},
		},
	},
	{
		// otp#3923, #6524, #9112.
		code: "global-stuck", ready: true, when: func(_ *Evidence, n *Node) (match, bool) {
			if n.Live == nil || n.Live.GlobalStuck == "" {
				return match{}, false
			}
			return match{evidence: n.Live.GlobalStuck, words: map[string]string{"stuck": n.Live.GlobalStuck}}, true
		},
		problem: "global of {node} is stuck: {stuck}; no name can be registered, and :global.sync() does not return",
		try: []try{
			{text("see which process holds it"), eval(":ets.tab2list(:global_locks)"), runs},
			{text("unless the lock is held on purpose, restart that node"), restart, there},
		},
		follows: codes{"fault-in-force"},
	},
	{
		code: "duplicate-names", whole: func(e *Evidence) (match, bool) {
			if len(e.Duplicates) == 0 {
				return match{}, false
			}
			d := e.Duplicates[0]
			last := len(d.Nodes) - 1
			return match{evidence: english.Plural(len(e.Duplicates), "name", "names"), words: map[string]string{
				"name": d.Name, "on": strings.Join(d.Nodes, ", "), "first": d.Nodes[0], "last": d.Nodes[last],
			}}, true
		},
		problem: "global has a process for the name {name} on each of {on}, though they are connected: a lookup returns one or the other",
		try: []try{
			{text("choose whose process to keep, and restart the other node"), hint.Of(hint.Restart.On("{cluster}", "{last}")), there},
			{text("see which process a node has for each name"), hint.Of(hint.EvalErlang.On("{cluster}", "{first}").With("[{N, global:whereis_name(N)} || N <- global:registered_names()].")), there},
		},
	},
}

const mnesiaProblem = "Mnesia of {node} does not work with that of {peers}, though the nodes are connected: each continues with its own copy of the tables"

// mnesiaApart holds where the Mnesia of connected nodes does not work together.
func mnesiaApart(n *Node) (match, bool) {
	if n.Live == nil || len(n.Live.MnesiaApart) == 0 {
		return match{}, false
	}
	peers := strings.Join(n.Live.MnesiaApart, ", ")
	return match{
		evidence: "mnesia:system_info(running_db_nodes) lacks " + peers, peers: n.Live.MnesiaApart,
		words: map[string]string{"peers": peers, "kept": strings.Join(n.Live.MnesiaKept, ", "), "restarted": strings.Join(n.Live.MnesiaRestarted, ", ")},
	}, true
}

// Source: mnesia(3), system events; the second is of a node that starts.
var inconsistent = pattern(`inconsistent_database, *:?(?:running|starting)_partitioned_network, *:?["']?([\w.-]+@[\w.-]+)`)
