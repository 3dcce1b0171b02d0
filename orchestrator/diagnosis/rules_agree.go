package diagnosis

import "strings"

// What nodes that are connected do not agree on.
var agreeRules = []rule{
	{
		// rabbitmq-server and ejabberd call it a network partition. Mnesia does not mend it.
		code: "mnesia-apart", ready: true, when: func(_ *Evidence, n *Node) (match, bool) {
			if m, ok := saysIn(inconsistent, n); ok {
				m.words = map[string]string{"peers": m.groups[0]}
				return m, true
			}
			if n.Live == nil || len(n.Live.MnesiaApart) == 0 {
				return match{}, false
			}
			peers := strings.Join(n.Live.MnesiaApart, ", ")
			return match{evidence: "mnesia:system_info(running_db_nodes) lacks " + peers, words: map[string]string{"peers": peers}, peers: n.Live.MnesiaApart}, true
		},
		problem: "Mnesia of {node} does not work with that of {peers}, though the nodes are connected: each continues with its own copy of the tables",
		try: []try{
			{text("choose whose tables to keep; make that node the master of the others (mnesia:set_master_nodes/1), and restart them"), restart, there},
			{text("see its output"), tail, ended},
			{text("see both sides"), eval(":mnesia.info()"), runs},
		},
	},
	{
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
	},
}

// Source: mnesia(3), system events; the second is of a node that starts.
var inconsistent = pattern(`inconsistent_database, *:?(?:running|starting)_partitioned_network, *:?["']?([\w.-]+@[\w.-]+)`)
