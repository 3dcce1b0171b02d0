package diagnosis

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/hint"
)

// How nodes find and know each other. Texts: net_kernel, erl_epmd and global of
// OTP 25 and 27, as Erlang's and as Elixir's logger print them.
var distributionRules = []rule{
	{
		code: "node-paused", when: func(_ *Evidence, n *Node) (match, bool) { return match{evidence: "paused"}, n.Paused },
		problem: "{node} is paused: it does not answer until it is unpaused",
		try:     []try{{text("unpause it"), hint.Of(hint.Unpause.On("{cluster}", "{node}")), always}},
	},
	{
		code: "network-detached", when: func(_ *Evidence, n *Node) (match, bool) {
			return match{evidence: "not attached to the cluster's network"}, n.Live != nil && n.Live.Attached != nil && !*n.Live.Attached
		},
		problem: "{node} is not on the cluster's network: it was disconnected",
		try: []try{
			{text("connect it again, with its address and names"), shell("docker network connect --ip {ip} --alias {host} --alias {node} beamyard-{cluster} {container}"), always},
		},
	},
	{
		code: "cookie-mismatch", when: func(e *Evidence, n *Node) (match, bool) {
			return match{evidence: "it hangs up on the proof of the cookie"}, n.Contact == ContactWrongCookie && e.Spec.CookieFile != ""
		},
		lasts: certain, follows: overrides,
		problem: "{node} runs with another cookie than that in {cookie_file}",
		try: []try{
			{text("a VM reads .erlang.cookie in the home of the user that runs it, unless its command says otherwise: set %s to match; see its processes", hint.Setting("cookie_file", "user")), shell("docker top {container}"), there},
			{text("a VM reads .erlang.cookie in the home of the user that runs it, unless its command says otherwise: set %s to match, then", hint.Setting("cookie_file", "user")), again, absent},
		},
	},
	{
		// emqx#6440, erlang/otp#5063, ejabberd#1635: only the accepting node logs it.
		code: "cookie-mismatch", when: func(e *Evidence, n *Node) (match, bool) {
			return match{evidence: "it hangs up on the proof of the cookie"}, n.Contact == ContactWrongCookie && e.Spec.CookieFile == "" && !unsaidRelease(e, n)
		},
		lasts: certain, follows: overrides,
		problem: "{node} runs with another cookie than the cluster",
		try: []try{
			{text("let it take the cookie that it is given: no --cookie, -setcookie or RELEASE_COOKIE of its own in command: and env:; see what it says of refused connections"), grep("challenge"), there},
			{text("let it take the cookie that it is given: no --cookie, -setcookie or RELEASE_COOKIE of its own in command: and env:, then"), again, absent},
			{text("an image that has its cookie in a file gets the cluster's there: %s, for instance /root/.erlang.cookie", hint.Setting("cookie_file")), nil, always},
		},
	},
	{
		code: "cookie-mismatch", when: func(e *Evidence, n *Node) (match, bool) {
			return match{evidence: strings.Join(n.Command, " ")}, n.Contact == ContactWrongCookie && unsaidRelease(e, n)
		},
		lasts: certain, follows: overrides,
		problem: "{node} runs with another cookie than the cluster: its command starts a mix release, whose script gives the VM a second cookie, and of two it takes neither",
		try: []try{
			{text("declare it: %s, then", hint.Setting("release: true")), again, absent},
			{text("declare it: %s, then", hint.Setting("release: true")), down, there},
		},
	},
	{
		code: "cookie-mismatch", says: pattern(`Connection attempt from (?:disallowed )?node :?["']?([^\s"']+)["']? rejected\. Invalid challenge reply`),
		when: func(e *Evidence, n *Node) (match, bool) {
			said, _ := saysIn(refused, n)
			peers := peersOf(e, said.groups[0])
			if n.Contact == ContactWrongCookie || len(peers) == 0 || e.node(peers[0]).Contact == ContactWrongCookie {
				return match{}, false // the rule before tells whose it is; and a stranger's cookie is no failure of ours
			}
			return match{peers: peers}, true
		},
		problem: "{node} refused {1}, which has another cookie",
		try: []try{
			{text("give both the same cookie: that of the cluster is in $ERLANG_COOKIE of each"), grep("challenge"), there},
			{text("give both the same cookie: that of the cluster is in $ERLANG_COOKIE of each, then"), again, absent},
		},
	},
	{
		code: "not-allowed", says: pattern(`Connection attempt from disallowed node`),
		problem: "{node} allows only some nodes to connect (net_kernel:allow/1)",
		try: []try{
			{text("let the application not call net_kernel:allow/1, or with every node of the cluster and beamyard@beamyard.invalid, and see which node was refused"), grep("disallowed"), there},
			{text("let the application not call net_kernel:allow/1, or with every node of the cluster and beamyard@beamyard.invalid, then"), again, absent},
		},
	},
	{
		// distillery#338, emqx#15269.
		code: "name-mode-mixed", when: mixedNames, lasts: certain, follows: overrides,
		problem: "{node} runs with a {other_names} name, and the cluster with {names} ones: the two never connect",
		try: []try{
			{text("give it its {names} name in command:, {name_it}: it is {beam}"), again, absent},
			{text("give it its {names} name in command:, {name_it}, then"), down, there},
			{text("or let the cluster have {other_names} names, if the image needs them: %s", hint.Setting("distribution.names: {other_names}")), nil, always},
		},
	},
	{
		// emqx#15269, #1348; couchdb#729; erlang/otp#7985.
		code: "undotted-host", when: func(e *Evidence, n *Node) (match, bool) {
			if m, ok := saysIn(illegalHost, n); ok {
				if _, notLongMode := saysIn(notLong, n); !notLongMode && !strings.Contains(m.groups[0], ".") {
					return m, true
				}
			}
			_, host, _ := strings.Cut(n.Answered, "@")
			return match{evidence: "it calls itself " + n.Answered, groups: []string{host}}, !e.shortNames() && n.Contact == ContactWrongName && host != "" && !strings.Contains(host, ".")
		},
		lasts:   certain,
		problem: "{node} has the host {1} in its name, without a dot: nodes with long names refuse it",
		try: []try{
			{text("name it by its host here, {beam}: {name_it} in command: does"), again, absent},
			{text("name it by its host here, {beam}: {name_it} in command: does, then"), down, there},
			{text("or let the cluster have short names, if the image needs them: %s", hint.Setting("distribution.names: short")), nil, always},
		},
		follows: append(codes{"name-mode-mixed"}, overrides...),
	},
	{
		code: "wrong-name", when: func(e *Evidence, n *Node) (match, bool) {
			return match{evidence: "it calls itself " + n.Answered}, n.Contact == ContactWrongName && e.Spec.Release
		},
		lasts:   certain,
		problem: "the release of {node} does not use the name that it is given, {beam}",
		try: []try{
			{text("only Beamyard may set RELEASE_NODE and RELEASE_DISTRIBUTION: neither rel/env.sh.eex, nor -name in rel/vm.args.eex, nor %s; then", hint.Setting("env")), again, absent},
			{text("only Beamyard may set RELEASE_NODE and RELEASE_DISTRIBUTION: neither rel/env.sh.eex, nor -name in rel/vm.args.eex, nor %s; then", hint.Setting("env")), down, there},
		},
		follows: append(codes{"undotted-host", "name-mode-mixed"}, overrides...),
	},
	{
		code: "wrong-name", when: func(e *Evidence, n *Node) (match, bool) {
			base, host, _ := strings.Cut(n.Answered, "@")
			return match{evidence: "it calls itself " + n.Answered, words: map[string]string{"called": base}}, n.Contact == ContactWrongName && host == n.Host && !e.Spec.Release
		},
		lasts:   certain,
		problem: "the node on the distribution port of {node} is not {beam}: the host is right, but the part before the @ is {called}",
		try: []try{
			{text("set %s, or start the VM with {name_it} in command:", hint.Setting("basename: {called}")), again, absent},
			{text("set %s, or start the VM with {name_it} in command:, then", hint.Setting("basename: {called}")), down, there},
		},
		follows: append(codes{"undotted-host", "name-mode-mixed"}, overrides...),
	},
	{
		code: "wrong-name", when: func(e *Evidence, n *Node) (match, bool) {
			_, host, _ := strings.Cut(n.Answered, "@")
			return match{evidence: "it calls itself " + n.Answered}, n.Contact == ContactWrongName && host != n.Host && !e.Spec.Release
		},
		problem: "what answers on the distribution port of {node} is not {beam}",
		try: []try{
			{text("start the VM with {name_it} in command:"), again, absent},
			{text("start the VM with {name_it} in command:, then"), down, there},
		},
		follows: append(codes{"undotted-host", "name-mode-mixed"}, overrides...),
	},
	{
		code: "invalid-node-name", says: pattern(`Can't set long node name|\bnodistribution\b|Invalid node name`),
		when: func(_ *Evidence, n *Node) (match, bool) {
			_, listening := saysIn(register, n) // nodistribution follows that, too
			return match{}, !listening
		},
		problem: "the VM of {node} does not accept its own name",
		try: []try{
			{text("name it {beam}: letters, digits, - and _ before the @, a dotted host after it"), again, absent},
			{text("name it {beam}: letters, digits, - and _ before the @, a dotted host after it; see its command"), shell("docker inspect --format '{{.Args}}' {container}"), there},
		},
		follows: append(codes{"name-in-use", "epmd-not-running", "distribution-port-in-use"}, overrides...),
	},
	{
		// pinchflat#439, docker-ejabberd#64, riak#122.
		code: "name-in-use", says: pattern(`the name (\S+) seems to be in use by another Erlang node`),
		problem: "{node} cannot have its name: another VM in its container has {1}",
		try: []try{
			{text("start one VM in a container: look for a second one (an eval, a migration) in the image's entrypoint"), shell("docker image inspect --format '{{.Config.Entrypoint}} {{.Config.Cmd}}' {image}"), always},
		},
	},
	{
		code: "epmd-not-running", when: registerError("econnrefused"), follows: overrides,
		problem: "{node} finds no EPMD to register with, and ended",
		try: []try{
			{text(`let it go without: --erl "-start_epmd false -erl_epmd_port {dist_port}" in command:; or set %s, then`, hint.Setting("distribution.epmd: true")), again, absent},
			{text(`let it go without: --erl "-start_epmd false -erl_epmd_port {dist_port}" in command:; or set %s, then`, hint.Setting("distribution.epmd: true")), down, there},
		},
	},
	{
		code: "distribution-port-in-use", when: registerError("eaddrinuse"), follows: overrides,
		problem: "the distribution of {node} cannot listen: something in its container has the port",
		try: []try{
			{text("set %s to another one", hint.Setting("distribution.port: …")), again, absent},
			{text("set %s to another one, then", hint.Setting("distribution.port: …")), down, there},
		},
	},
	{
		code: "distribution-port", when: registeredPort,
		problem: "the VM of {node} listens for the distribution on port {registered}, as its EPMD says, and not on {dist_port}",
		try: []try{
			{text("say so: %s, and then", hint.Setting("distribution.port: {registered}")), again, absent},
			{text("say so: %s, and then", hint.Setting("distribution.port: {registered}")), down, there},
		},
		follows: append(codes{"node-paused", "network-detached"}, overrides...),
	},
	{
		code: "distribution-port", when: func(e *Evidence, n *Node) (match, bool) {
			_, registered := registeredPort(e, n)
			m, ok := otherPort(e, n)
			return m, ok && !registered
		},
		problem: "the VM of {node} does not listen on its distribution port {dist_port}; what listens in its container: {ports}",
		try: []try{
			{text(`a command of your own needs: --erl "-start_epmd false -erl_epmd_port {dist_port}", or -kernel inet_dist_listen_min {dist_port} inet_dist_listen_max {dist_port}; then`), again, absent},
			{text(`a command of your own needs: --erl "-start_epmd false -erl_epmd_port {dist_port}"; see what it is`), shell("docker inspect --format '{{.Args}}' {container}"), there},
			{text("if one of those is the distribution port of the image, set it: %s", hint.Setting("distribution.port: …")), nil, always},
		},
		follows: append(codes{"node-paused", "network-detached"}, overrides...),
	},
	{
		code: "not-distributed", when: func(e *Evidence, n *Node) (match, bool) {
			return match{evidence: "nothing listens in its container"}, n.Late && refuses(e, n) && len(n.Live.Listening) == 0
		},
		problem: "{node} runs, and nothing in it listens: there is no VM, it is not distributed, or it did not get that far",
		try: []try{
			{text(`a command of your own needs: elixir {name_it} --erl "-start_epmd false -erl_epmd_port {dist_port}" …; then`), again, absent},
			{text("see what runs in it"), shell("docker top {container}"), there},
		},
		follows: append(codes{"node-paused", "network-detached"}, overrides...),
	},
	{
		// erlang/otp#6470, #6214, #5687; couchdb#4290. Not the node that says it is
		// at fault: one pair of others lost each other. global says the same of a node
		// that has ended, when a peer hears of that end before it does.
		code: "overlapping-partitions", says: overlapping,
		when: func(e *Evidence, n *Node) (match, bool) {
			said, _ := saysIn(overlapping, n)
			peers := append(peersOf(e, said.groups[0]), peersOf(e, said.groups[2])...)
			ended := func(name string) bool { return !e.node(name).State.Running() || e.node(name).Young }
			return match{peers: peers}, !slices.ContainsFunc(peers, ended)
		},
		problem: "one pair of nodes lost each other, and global (OTP 25 and later) then took innocent connections away too: {1} and {3}",
		try: []try{
			{text("look for the pair that was cut first"), events, there},
			{text("or switch the prevention off, on purpose: %s, then", hint.Setting("env.ERL_AFLAGS: -kernel prevent_overlapping_partitions false")), down, there},
			{text("or switch the prevention off, on purpose"), againWith("env.ERL_AFLAGS: -kernel prevent_overlapping_partitions false"), absent},
		},
		follows: codes{"fault-in-force"},
	},
	{
		code: "peer-not-resolved", when: pairSays(`does not resolve (\S+)`),
		problem: "{node} does not resolve the host {1} of a peer",
		try: []try{
			{text("see what it resolves"), eval(`:inet.getaddr(~c"{1}", :inet)`), there},
			{text("leave the resolver of the image alone: no inetrc, no ERL_INETRC, no --dns; then"), again, absent},
		},
		follows: codes{"network-detached", "fault-in-force"},
	},
	{
		code: "peer-not-in-epmd", when: func(e *Evidence, n *Node) (match, bool) {
			m, ok := pairSays(`EPMD on (\S+) answers (.*)`)(e, n)
			if ok {
				m.words = map[string]string{"peer_container": e.node(m.peers[0]).Container}
			}
			return m, ok
		},
		problem: "{node} asks EPMD on {1} for its peer, and that knows none: {2}",
		try:     []try{{text("start every node alike, with EPMD or without: %s", hint.Setting("distribution.epmd: …")), again, absent}, {text("see who registered there"), shell("docker exec {peer_container} epmd -names"), runs}},
	},
	{
		code: "mesh-app-idle", whole: func(e *Evidence) (match, bool) {
			if e.Spec.Mesh != orchestrator.MeshApp || len(e.Nodes) < 2 {
				return match{}, false
			}
			missing := 0
			for _, n := range e.Nodes {
				if n.Contact != "" || !n.State.Running() || len(n.Peers) > 0 {
					return match{}, false
				}
				missing += len(n.Missing)
			}
			return match{evidence: "no node sees another one", words: map[string]string{"first": e.Nodes[0].Name, "second": e.Nodes[1].BEAM}}, missing > 0
		},
		problem: "mesh: app leaves it to the application to connect the nodes, and it connects none",
		try: []try{
			{text("let Beamyard connect them: %s, or configure the application's clustering", hint.Setting("mesh: beamyard")), again, absent},
			{text("connect two by hand, to see that they can"), hint.Of(hint.Eval.On("{cluster}", "{first}").With(`Node.connect(:"{second}")`)), there},
		},
	},
	{
		code: "not-connected", when: func(_ *Evidence, n *Node) (match, bool) {
			if len(n.Missing) == 0 {
				return match{}, false
			}
			peers := slices.Sorted(maps.Keys(n.Missing))
			why := ""
			for _, p := range peers {
				if n.Missing[p] != "" {
					why = n.Missing[p]
				}
			}
			return match{evidence: why, peers: peers, words: map[string]string{"peers": strings.Join(peers, ", ")}}, true
		},
		problem: "{node} is not connected to {peers}",
		try: []try{
			{text("see what each of them sees"), health, there},
			{text("keep it for a look"), again, absent},
		},
		follows: codes{
			"cookie-mismatch", "name-mode-mixed", "undotted-host", "wrong-name", "node-paused", "network-detached", "peer-not-resolved",
			"peer-not-in-epmd", "cookie-changed", "fault-in-force", "overlapping-partitions", "mesh-app-idle", "distribution-port", "not-distributed", "not-allowed", "out-of-memory", "killed", "app-not-started", "vm-allocation",
		},
	},
}

var (
	refused     = pattern(`Connection attempt from node :?["']?([^\s"']+)["']? rejected\. Invalid challenge reply`)
	notLong     = pattern(`System NOT running to use fully qualified hostnames`)
	illegalHost = pattern(`Hostname (\S+) is illegal`)
	overlapping = pattern(`'global' at node :?["']?([^\s"']+)["']? (requested disconnect from|disconnected) node :?["']?([^\s"']+)["']? in order to prevent overlapping partitions`)
	register    = pattern(`Protocol 'inet6?_t(?:cp|ls)': register/listen error: *(\w*)`)
)

// releaseCommand is the command of a release's script: "/app/bin/shop start".
var releaseCommand = pattern(`\bbin/\w+ start(?:_iex)?\b`)

// unsaidRelease tells a release that the spec does not call one.
func unsaidRelease(e *Evidence, n *Node) bool {
	return !e.Spec.Release && releaseCommand.MatchString(strings.Join(n.Command, " "))
}

// node is one of the nodes, or nobody.
func (e *Evidence) node(name string) *Node {
	for i := range e.Nodes {
		if e.Nodes[i].Name == name {
			return &e.Nodes[i]
		}
	}
	return &Node{}
}

// peersOf is the short name of a node that is known by its BEAM name.
func peersOf(e *Evidence, beam string) []string {
	for _, n := range e.Nodes {
		if n.BEAM == beam {
			return []string{n.Name}
		}
	}
	return nil
}

// registerError finds net_kernel's error of the first listen. OTP 25 writes its
// reason to the other stream, on a line of its own.
func registerError(reason string) func(*Evidence, *Node) (match, bool) {
	return func(_ *Evidence, n *Node) (match, bool) {
		m, ok := saysIn(register, n)
		if !ok {
			return match{}, false
		}
		if m.groups[0] == "" {
			ok = slices.ContainsFunc(n.Lines, func(l orchestrator.Line) bool { return strings.TrimSpace(l.Text) == reason })
			m.evidence += " " + reason
			return m, ok
		}
		return m, m.groups[0] == reason
	}
}

// mixedNames holds where a node has a name of the other kind.
func mixedNames(e *Evidence, n *Node) (match, bool) {
	if m, ok := saysIn(notLong, n); ok && !e.shortNames() {
		return m, true
	}
	_, host, _ := strings.Cut(n.Answered, "@")
	if e.shortNames() {
		return match{evidence: "it calls itself " + n.Answered}, n.Contact == ContactWrongName && strings.Contains(host, ".")
	}
	short := slices.ContainsFunc(n.Command, func(w string) bool {
		return w == "--sname" || w == "-sname" || strings.Contains(w, "-sname ")
	}) || n.Env["RELEASE_DISTRIBUTION"] == "sname"
	return match{evidence: n.Answered}, n.Contact == ContactWrongName && short
}

// registeredPort holds where EPMD in a node's container tells where its VM listens.
func registeredPort(e *Evidence, n *Node) (match, bool) {
	m, ok := otherPort(e, n)
	base, _, _ := strings.Cut(n.BEAM, "@")
	if !ok || n.Live.Registered[base] == 0 {
		return match{}, false
	}
	m.words["registered"] = strconv.Itoa(n.Live.Registered[base])
	return m, true
}

// otherPort holds where something else listens, and time is up: a script may do
// other things before it starts the VM.
func otherPort(e *Evidence, n *Node) (match, bool) {
	if !n.Late || !refuses(e, n) || len(n.Live.Listening) == 0 {
		return match{}, false
	}
	ports := make([]string, len(n.Live.Listening))
	for i, p := range n.Live.Listening {
		ports[i] = strconv.Itoa(p)
	}
	return match{evidence: fmt.Sprintf("port %d refuses connections", e.Spec.Distribution.Port), words: map[string]string{"ports": strings.Join(ports, ", ")}}, true
}

// refuses holds where a container runs, and nothing in it listens where the
// distribution should.
func refuses(e *Evidence, n *Node) bool {
	return e.Spec.Distribution.Port != 0 && n.Contact == ContactRefused && n.State.Running() && n.Live != nil && n.Live.Looked && !slices.Contains(n.Live.Listening, e.Spec.Distribution.Port)
}

// pairSays looks into why a node misses its peers.
func pairSays(expr string) func(*Evidence, *Node) (match, bool) {
	re := pattern(expr)
	return func(_ *Evidence, n *Node) (match, bool) {
		for _, peer := range slices.Sorted(maps.Keys(n.Missing)) {
			if groups := re.FindStringSubmatch(n.Missing[peer]); groups != nil {
				return match{evidence: n.Missing[peer], groups: groups[1:], peers: []string{peer}}, true
			}
		}
		return match{}, false
	}
}
