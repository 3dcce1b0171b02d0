package diagnosis

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/beamyard/beamyard/orchestrator/hint"
	"github.com/beamyard/beamyard/orchestrator/internal/releasefile"
)

// What an image, a release or an application sets over what Beamyard gives to a VM:
// its command, its name, its cookie, and where and how its distribution listens. Time
// cures none of it. How a VM takes its flags: erl(1), net_kernel, auth and
// erl_distribution of OTP 25 and 27.
var overrideRules = []rule{
	{
		code: "entrypoint-ignores-command", lasts: everMore, when: ignoredCommand,
		problem: "the entry point of {node}, {entrypoint}, does not run the command that it is given: it runs {runs}, and so the VM has not the name and the flags that it needs",
		try: []try{
			{text(`let it end in exec "$@", or start without it: %s; then`, hint.Setting("entrypoint: {instead}")), again, absent},
			{text(`let it end in exec "$@", or start without it: %s; then`, hint.Setting("entrypoint: {instead}")), down, there},
		},
	},
	{
		code: "entrypoint-waits", when: waitingEntrypoint,
		problem: "the entry point of {node}, {entrypoint}, has not started the command yet: it runs {runs}",
		try: []try{
			{text("see what it waits for"), tail, there},
			{text("give it what it waits for, longer time (%s), or start without it: %s; then", hint.Setting("ready_timeout"), hint.Setting("entrypoint")), again, absent},
		},
	},
	{
		// What `fly launch` writes: https://fly.io/docs/elixir/the-basics/clustering/
		code: "release-env", lasts: everMore, when: releaseEnv,
		problem: "rel/env.sh of the release overrides {settings}, which {node} is given: {so}",
		try: []try{
			{text("set it only in production, in {template}: {guarded}; then"), again, absent},
			{text("set it only in production, in {template}: {guarded}; then"), down, there},
		},
	},
	{
		code: "vm-args", lasts: everMore, when: argsFile,
		problem: "{file} sets {settings} over what {node} is given: {so}",
		try: []try{
			{text("{way}; then"), again, absent},
			{text("{way}; then"), down, there},
		},
	},
	{
		code: "vm-args", ready: true, when: takenFirst,
		problem: "{file} sets {settings} in vain, as {node} is given that too: {so}",
		try:     []try{{text("{way}; then"), hint.Of(hint.Up.With("{what}")), always}},
	},
	{
		code: "cookie-changed", when: func(_ *Evidence, n *Node) (match, bool) {
			return match{evidence: "the VM took the cluster's cookie, and has another one now"}, n.Knew && (n.CookieChanged || n.Contact == ContactWrongCookie)
		},
		problem: "the cookie of {node} was changed while it runs: existing connections stay, and new ones are refused",
		try: []try{
			{text("let the application not call Node.set_cookie (erlang:set_cookie), or with $ERLANG_COOKIE, which is the cluster's; until then a restart restores the cookie"), restart, there},
			{text("let the application not call Node.set_cookie (erlang:set_cookie), or with $ERLANG_COOKIE, which is the cluster's; then"), again, absent},
		},
	},
	{
		code: "distribution-tls", lasts: everMore, when: overTLS,
		problem: "the VM of {node} speaks its distribution over TLS{where}, and Beamyard speaks it without",
		try: []try{
			{text("let the cluster speak TLS, with certificates of its own: %s; or let only production have -proto_dist inet_tls: in rel/vm.args.eex and rel/env.sh.eex a condition does, in ERL_AFLAGS or ELIXIR_ERL_OPTIONS the environment; then", hint.Setting("distribution.tls: true")), again, absent},
			{text("let the cluster speak TLS, with certificates of its own: %s; or let only production have -proto_dist inet_tls: in rel/vm.args.eex and rel/env.sh.eex a condition does, in ERL_AFLAGS or ELIXIR_ERL_OPTIONS the environment; then", hint.Setting("distribution.tls: true")), down, there},
		},
	},
	{
		code: "distribution-loopback", lasts: everMore, when: onLoopback,
		problem: "the distribution of {node} listens on 127.0.0.1:{port} only, where no other node reaches it: inet_dist_use_interface is set{where}",
		try: []try{
			{text("leave inet_dist_use_interface out, or set it to {0,0,0,0}; then"), again, absent},
			{text("leave inet_dist_use_interface out, or set it to {0,0,0,0}; then"), down, there},
		},
	},
	{
		code: "distribution-ipv6", lasts: everMore, says: pattern(`Protocol 'inet6_t(?:cp|ls)': register/listen error: *(?:eaddrnotavail|eafnosupport)?\s*$`),
		when: func(_ *Evidence, n *Node) (match, bool) {
			return match{words: map[string]string{"where": whereSet(n, "-proto_dist", "inet6_")}}, !slices.ContainsFunc(n.Settings, func(s releasefile.Setting) bool {
				return s.IsEnvScript() && s.Name == "ERL_AFLAGS" && !s.Guarded // release-env tells
			})
		},
		problem: "the VM of {node} speaks its distribution over IPv6 (-proto_dist inet6_tcp){where}, and its container has no IPv6",
		try: []try{
			{text("give the cluster IPv6: %s; or set the flag only in production; then", hint.Setting("distribution.inet6: true")), again, absent},
			{text("give the cluster IPv6: %s; or set the flag only in production; then", hint.Setting("distribution.inet6: true")), down, there},
		},
	},
}

// overrides are the codes of what is set over Beamyard's: how it then shows follows
// from them.
var overrides = codes{
	"entrypoint-ignores-command", "entrypoint-waits", "release-env", "vm-args", "cookie-changed", "distribution-tls", "distribution-loopback", "distribution-ipv6",
}

// everMore is for a rule that time never cures.
func everMore(*Evidence, *Node) bool { return true }

// certain is for a rule about what a VM answers: one that is the container's first
// process is what is meant to answer. A script may run another one before.
func certain(_ *Evidence, n *Node) bool { vm := n.vm(); return vm != nil && vm.First }

// ignoredCommand holds where an image's entry point runs something else than the
// command: a VM that goes on for ever without the name of the node. One that runs
// beside the entry point may be a migration that comes first.
func ignoredCommand(_ *Evidence, n *Node) (match, bool) {
	if !n.behindEntrypoint() {
		return match{}, false
	}
	for _, vm := range n.Live.VMs {
		if _, named := vm.name(); named || !vm.First && !forEver(vm.Run) {
			continue
		}
		m := n.entrypoint(or(vm.Run, "a VM"))
		m.evidence = fmt.Sprintf("the command is %q, and the VM runs without a name", strings.Join(n.Command, " "))
		return m, true
	}
	return match{}, false
}

func forEver(run string) bool {
	return strings.Contains(run, "--no-halt") || strings.Contains(run, "phx.server")
}

// waitingEntrypoint holds where an image's entry point runs for long, and the command
// does not yet.
func waitingEntrypoint(e *Evidence, n *Node) (match, bool) {
	if _, ignored := ignoredCommand(e, n); ignored || n.Young || !n.behindEntrypoint() || len(n.Live.First) == 0 {
		return match{}, false
	}
	if !slices.Contains(n.Live.First, n.Entrypoint[0]) && !slices.Contains(n.Live.First, path.Base(n.Entrypoint[0])) {
		return match{}, false
	}
	m := n.entrypoint(or(strings.Join(n.Live.Last, " "), "nothing else"))
	m.evidence = "its first process is " + strings.Join(n.Live.First, " ")
	return m, true
}

// behindEntrypoint tells whether a node's command is given to its image's entry point,
// and what is the VM's name in it.
func (n *Node) behindEntrypoint() bool {
	return len(n.Entrypoint) > 0 && len(n.Command) > 0 && n.Live != nil && n.Contact != "" && n.Contact != ContactWrongCookie
}

// entrypoint are the words of a rule about a node's entry point.
func (n *Node) entrypoint(runs string) match {
	quoted := make([]string, len(n.Command))
	for i, word := range n.Command {
		if quoted[i] = hint.Quote(word); word == n.BEAM {
			quoted[i] = "{node}"
		}
	}
	instead := strings.ReplaceAll("exec "+strings.Join(quoted, " "), "'", "''")
	return match{words: map[string]string{"entrypoint": strings.Join(n.Entrypoint, " "), "runs": runs, "instead": "[sh, -c, '" + instead + "']"}}
}

// releaseEnv holds where env.sh of a release sets what its node is given, and the node
// is not as it should be for that.
func releaseEnv(e *Evidence, n *Node) (match, bool) {
	signs := n.signs(e)
	blamed := n.blamed(func(s releasefile.Setting) bool {
		if !s.IsEnvScript() {
			return false
		}
		switch s.Name {
		case "RELEASE_NODE", "RELEASE_DISTRIBUTION":
			return signs.name != ""
		case "RELEASE_COOKIE":
			return signs.cookie != ""
		}
		return signs.flags != ""
	})
	if len(blamed) == 0 {
		return match{}, false
	}
	so, evidence := signs.of(blamed, e, n)
	return match{evidence: evidence, words: map[string]string{
		"settings": settingsText(blamed), "so": so, "template": blamed[0].Template(), "guarded": guarded(blamed),
	}}, true
}

// guarded is how env.sh says the same without overriding what it is given. It is read
// before the script of the release fills what is missing. Source: Mix.Tasks.Release.
func guarded(settings []releasefile.Setting) string {
	var names []string
	for _, s := range settings {
		if !slices.Contains(names, s.Name) {
			names = append(names, s.Name)
		}
	}
	for _, s := range settings {
		if s.Needs != "" {
			for i, name := range names {
				names[i] = name + "=…"
			}
			return fmt.Sprintf(`if [ -n "$%s" ]; then export %s; fi`, s.Needs, strings.Join(names, " "))
		}
	}
	for i, name := range names {
		names[i] = fmt.Sprintf(`%s="${%s:-…}"`, name, name)
	}
	return "export " + strings.Join(names, " ")
}

// argsFile holds where a vm.args sets what a node is given, and the node is not as it
// should be for that; or where a VM is given two cookies, from wherever.
func argsFile(e *Evidence, n *Node) (match, bool) {
	signs := n.signs(e)
	blamed := n.blamed(func(s releasefile.Setting) bool {
		switch {
		case s.IsEnvScript():
			return false
		case s.Name == "-setcookie":
			return signs.cookie != ""
		case s.Name == "-name" || s.Name == "-sname":
			return signs.name != ""
		}
		return signs.flags != "" && s.Name != "-kernel inet_dist_use_interface"
	})
	if len(blamed) == 0 {
		vm := n.vm()
		if vm == nil || signs.cookie == "" || len(vm.all("-setcookie")) < 2 {
			return match{}, false
		}
		return match{
			evidence: signs.cookie, words: map[string]string{"file": "a vm.args or the command", "settings": "-setcookie", "so": twoCookies},
			way: text("take -setcookie out of where it is, or say the same to Beamyard: %s", hint.Setting("cookie")),
		}, true
	}
	so, evidence := signs.of(blamed, e, n)
	file := blamed[0].File
	if e.Spec.Release {
		file = "rel/vm.args of the release"
	}
	way := text("take it out of %s", editedAt(blamed[0], e))
	if slices.ContainsFunc(blamed, func(s releasefile.Setting) bool { return s.Name == "-setcookie" }) {
		way = orSameCookie(way)
	}
	if slices.ContainsFunc(blamed, func(s releasefile.Setting) bool { return s.Name == "-name" || s.Name == "-sname" }) {
		way = text("%s, or name the nodes so: %s", way, hint.Setting("basename", "distribution.names: …"))
	}
	return match{evidence: evidence, words: map[string]string{"file": file, "settings": settingsText(blamed), "so": so}, way: way}, true
}

func orSameCookie(way hint.Hint) hint.Hint {
	return text("%s, or say the same to Beamyard: %s with its value", way, hint.Setting("cookie"))
}

// takenFirst holds where a VM runs that was given a flag twice.
func takenFirst(e *Evidence, n *Node) (match, bool) {
	if len(n.Twice) == 0 {
		return match{}, false
	}
	blamed := n.blamed(func(s releasefile.Setting) bool { return slices.Contains(n.Twice, s.Name) })
	m := match{evidence: "its VM was given " + strings.Join(n.Twice, " and ") + " twice, with different values"}
	file, settings, place := "a vm.args or the command", strings.Join(n.Twice, " and "), "where it is"
	if len(blamed) > 0 {
		file, settings, place = blamed[0].File, settingsText(blamed), editedAt(blamed[0], e)
		if e.Spec.Release {
			file = "rel/vm.args of the release"
		}
	}
	so, way := "of two names a VM takes the first, and it is "+n.BEAM, text("take it out of %s", place)
	if slices.Contains(n.Twice, "-setcookie") {
		so = twoCookies + ", and it has the cluster's by .erlang.cookie in its home folder"
		way = orSameCookie(way)
	}
	m.words, m.way = map[string]string{"file": file, "settings": settings, "so": so}, way
	return m, true
}

// editedAt is the file that somebody edits for a setting.
func editedAt(s releasefile.Setting, e *Evidence) string {
	if e.Spec.Release {
		return s.Template()
	}
	return s.File
}

// settingsText is "RELEASE_NODE (line 9) and ERL_AFLAGS (line 5)".
func settingsText(settings []releasefile.Setting) string {
	texts := make([]string, len(settings))
	for i, s := range settings {
		texts[i] = fmt.Sprintf("%s (line %d)", s.Name, s.Line)
	}
	if len(texts) > 1 {
		texts = append(texts[:len(texts)-2], texts[len(texts)-2]+" and "+texts[len(texts)-1])
	}
	return strings.Join(texts, ", ")
}

// blamed are the settings of a kind that hold for sure, or where there are none of
// these those that hold under a condition.
func (n *Node) blamed(kind func(releasefile.Setting) bool) []releasefile.Setting {
	var sure, maybe []releasefile.Setting
	for _, s := range n.Settings {
		switch {
		case !kind(s):
		case s.Guarded:
			maybe = append(maybe, s)
		default:
			sure = append(sure, s)
		}
	}
	if len(sure) > 0 {
		return sure
	}
	return maybe
}

// signs are how a node shows that its name, its cookie or its flags are not those that
// it was given; "" where they do not show it.
type signs struct{ name, cookie, flags string }

const twoCookies = "a VM that is given two cookies takes neither"

var (
	badName  = pattern(`Invalid -s?name given to erl|Can't set (?:long|short) node name|nodistribution`)
	noListen = pattern(`Protocol 'inet6?_t(?:cp|ls)': register/listen error`)
)

func (n *Node) signs(e *Evidence) signs {
	var s signs
	if n.WasReady {
		return s
	}
	ended := n.Exit != nil && n.Exit.Code != 0
	if m, ok := saysIn(badName, n); ok && (ended || n.State.Running()) {
		s.name = m.evidence
	}
	if m, ok := saysIn(noListen, n); ok && ended {
		s.flags = m.evidence
	}
	switch n.Contact {
	case ContactWrongName:
		s.name = "it calls itself " + n.Answered
	case ContactWrongCookie:
		s.cookie = "it hangs up on the proof of the cookie"
	case "", ContactRefused, ContactSilent, ContactTLS, ContactOther:
	}
	vm := n.vm()
	if vm == nil || !n.State.Running() || n.Contact == "" {
		return s
	}
	if name, named := vm.name(); s.name == "" && e.Spec.Release && named && name != n.BEAM && name+"@"+n.Host != n.BEAM {
		s.name = "its VM is to be named " + or(name, "nothing")
	}
	if n.Contact != ContactRefused {
		return s
	}
	if ports := vm.all("-erl_epmd_port"); e.Spec.Release && !e.Spec.Distribution.EPMD && (len(ports) == 0 || ports[len(ports)-1] != fmt.Sprint(e.Spec.Distribution.Port)) {
		s.flags = "its VM has not the flags that it was given"
	}
	return s
}

// of is what follows from settings, and what tells it.
func (s signs) of(settings []releasefile.Setting, e *Evidence, n *Node) (so, evidence string) {
	for _, one := range settings {
		switch one.Name {
		case "RELEASE_COOKIE":
			return "it has another cookie than the cluster", s.cookie
		case "-setcookie":
			return "it has another cookie than the cluster, and " + twoCookies, s.cookie
		case "RELEASE_NODE", "RELEASE_DISTRIBUTION", "-name", "-sname":
			return "it is not " + n.BEAM, s.name
		}
	}
	return fmt.Sprintf("it does not listen on port %d", e.Spec.Distribution.Port), s.flags
}

// overTLS holds where a VM's distribution runs over TLS, and the cluster's does not.
func overTLS(e *Evidence, n *Node) (match, bool) {
	if e.Spec.Distribution.TLS.Enabled {
		return match{}, false
	}
	m := match{evidence: "it answers the handshake as TLS does", words: map[string]string{"where": whereSet(n, "-proto_dist", "_tls")}}
	if n.Contact == ContactTLS {
		return m, true
	}
	vm := n.vm()
	if vm == nil || n.Contact == "" || !strings.HasSuffix(vm.proto(), "_tls") {
		return match{}, false
	}
	m.evidence = "its VM has the flag -proto_dist " + vm.proto()
	return m, true
}

// onLoopback holds where a VM's distribution listens where only its own container
// reaches it.
func onLoopback(e *Evidence, n *Node) (match, bool) {
	if n.Live == nil || !n.Live.Looked || n.Contact != ContactRefused {
		return match{}, false
	}
	base, _, _ := strings.Cut(n.BEAM, "@")
	for _, port := range []int{e.Spec.Distribution.Port, n.Live.Registered[base]} {
		if port != 0 && slices.Contains(n.Live.Loopback, port) {
			where := whereSet(n, "inet_dist_use_interface", "")
			if where == "" {
				where = " in sys.config of its release, config/*.exs, or a file of -config"
			}
			return match{
				evidence: fmt.Sprintf("in its container 127.0.0.1:%d listens, and %s:%d refuses", port, n.IP, port),
				words:    map[string]string{"where": where, "port": fmt.Sprint(port)},
			}, true
		}
	}
	return match{}, false
}

// whereSet is where a flag with a value of that kind was given to a VM: " (in …)"; ""
// where that is not known.
func whereSet(n *Node, flag, value string) string {
	for _, s := range n.Settings {
		if strings.HasSuffix(s.Name, flag) {
			return fmt.Sprintf(" (%s, line %d)", s.File, s.Line)
		}
	}
	has := func(text string) bool { return strings.Contains(text, flag) && strings.Contains(text, value) }
	for _, key := range []string{"ERL_AFLAGS", "ERL_FLAGS", "ERL_ZFLAGS", "ELIXIR_ERL_OPTIONS"} {
		if has(n.Env[key]) {
			return fmt.Sprintf(" (in %s of env: in beamyard.yml)", key)
		}
	}
	if has(strings.Join(n.Command, " ")) {
		return " (in command: of beamyard.yml)"
	}
	if vm := n.vm(); vm != nil && slices.ContainsFunc(vm.Flags, func(f Flag) bool { return has(f.Name + " " + strings.Join(f.Values, " ")) }) {
		return " (in the flags of its VM: ERL_AFLAGS, ERL_FLAGS, ERL_ZFLAGS or ELIXIR_ERL_OPTIONS of the image, or a vm.args)"
	}
	return ""
}

func or(text, fallback string) string {
	if text == "" {
		return fallback
	}
	return text
}
