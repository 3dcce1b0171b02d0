package diagnosis

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/beamyard/beamyard/orchestrator/hint"
)

// What Mix says, while an image is built or in a node that compiles at its start.
// Each has its twin for the error of a build.
var buildRules = twins(
	rule{
		code:    "elixir-version",
		says:    wantsElixir,
		problem: "{1} requires Elixir {3}, but the image has {2}",
		when:    func(_ *Evidence, n *Node) (match, bool) { return match{words: baseFor(n)}, true },
		try: []try{
			{text("build it on another base: bookworm has Elixir 1.14, trixie 1.18, forky 1.20"), hint.Of(hint.Up.With("{what}", "base_image: {base}")), always},
			{text("or allow that version in elixir: of mix.exs; see which one the image has"), shell("docker run --rm --entrypoint elixir {image} --version"), always},
			{text("or allow it in elixir: of mix.exs"), shell("mix compile"), always},
		},
	},
	rule{
		code:    "rebar-missing",
		says:    pattern(`Could not (?:find|install) "?[Rr]ebar3?"?`),
		problem: "a dependency is built with rebar3, which the base image does not have",
		try: []try{
			{text("connect the engine to a network, or give a base that has it"), shell("mix local.rebar --force"), always},
			{text("see what this machine reaches"), doctor, always},
		},
	},
	rule{
		// The first is Elixir 1.14, the second 1.18; the third comes from both where
		// the question is not answered.
		code:    "hex-missing",
		says:    pattern(`Could not (?:find|install) Hex|requires the Hex package manager|Could not find an SCM for dependency :(\w+)`),
		problem: "the dependencies come from Hex, and the image has no Hex",
		try: []try{
			{text("connect the engine to a network, or give a base image that has it: %s; by hand", hint.Setting("base_image: IMAGE")), shell("mix local.hex --force"), always},
			{text("see what this machine reaches"), doctor, always},
		},
	},
	rule{
		code:    "dependency-fetch",
		says:    pattern(`\*\* \(Mix\) httpc request failed|Failed to fetch record for|\*\* \(Mix\) (?:Request|Package fetch) failed`),
		problem: "dependencies cannot be fetched: the build reaches no network",
		try: []try{
			{text("see what this machine reaches"), doctor, always},
			{text("fetch them here, so that they are in the folder"), shell("mix deps.get"), always},
		},
		follows: codes{"hex-missing", "rebar-missing"},
	},
	rule{
		// Debian and others split OTP into packages.
		code:    "otp-application-missing",
		says:    pattern(`could not find application file: (asn1|common_test|compiler|crypto|debugger|dialyzer|diameter|edoc|eldap|erl_docgen|et|eunit|ftp|inets|jinterface|megaco|mnesia|observer|odbc|os_mon|parsetools|public_key|reltool|runtime_tools|sasl|snmp|ssh|ssl|syntax_tools|tftp|tools|wx|xmerl)\.app`),
		problem: "the image lacks {1}, a part of OTP",
		try: []try{
			{text("give a base with all of OTP (%s), or install erlang-{1} in a Dockerfile of your own; see what it has", hint.Setting("base_image: IMAGE")), shell("docker run --rm --entrypoint ls {image} /usr/lib/erlang/lib"), always},
			{text("or leave it out of extra_applications in mix.exs"), shell("mix app.tree"), always},
		},
	},
	rule{
		code:    "dependency-not-compiled",
		says:    pattern(`could not compile dependency :(\w+)|the dependency (\w+) .*(?:is not available|build is outdated)|could not find application file: (\w+)\.app`),
		problem: "dependency {1}{2}{3} is not compiled, or does not compile",
		try: []try{
			{text("compile it here, and see why"), shell("mix deps.compile"), always},
			{text("or fetch and compile it again"), shell("mix deps.clean --all"), always},
		},
		follows: codes{"otp-application-missing"},
	},
	rule{
		code:    "compile-error",
		says:    pattern(`== Compilation error in file (\S+) ==`),
		problem: "{1} does not compile",
		try:     []try{{text("fix what the compiler reports, then start again; to see it here"), shell("mix compile"), always}},
		follows: codes{"dependency-not-compiled"},
	},
	rule{
		code:    "no-mix-project",
		says:    pattern(`Cannot execute "mix [\w.]+" without a Mix\.Project|No mix\.exs|Could not find a Mix\.Project`),
		problem: "the working directory of the node has no Mix project",
		try: []try{
			{text("see the image's working directory"), shell("docker image inspect --format '{{.Config.WorkingDir}}' {image}"), always},
			{text("give the project's folder, or set %s", hint.Setting("command")), hint.Of(hint.UpHelp.With()), always},
		},
	},
)

// twins gives each rule another one that looks into the error of the whole.
func twins(of ...rule) []rule {
	var all []rule
	for _, r := range of {
		all = append(all, r)
		twin := r
		twin.whole, twin.says, twin.when = wholeOf(r), nil, nil
		all[len(all)-1].when = bootOnly(r.when)
		all = append(all, twin)
	}
	return all
}

// bootOnly holds a rule to nodes that ended before they were Ready: Mix has spoken
// by then, and what comes later are the application's words.
func bootOnly(when func(*Evidence, *Node) (match, bool)) func(*Evidence, *Node) (match, bool) {
	return func(e *Evidence, n *Node) (match, bool) {
		if n.WasReady || n.Exit == nil {
			return match{}, false
		}
		if when == nil {
			return match{}, true
		}
		return when(e, n)
	}
}

// wholeOf looks for a rule's text in the error of a build.
func wholeOf(r rule) func(*Evidence) (match, bool) {
	find := errorSays(multiline(r.says))
	return func(e *Evidence) (match, bool) {
		m, ok := find(e)
		if ok && r.code == "elixir-version" {
			m.words = baseWords(m.groups)
		}
		return m, ok
	}
}

func baseFor(n *Node) map[string]string {
	m, _ := saysIn(wantsElixir, n)
	return baseWords(m.groups)
}

var (
	wantsElixir = pattern(`trying to run :?(\S+) on Elixir v?(\S+) but .* supports only Elixir (.+)`)
	minor       = pattern(`1\.(\d+)`)
)

// baseWords proposes the base whose Elixir is the nearest that a requirement may
// mean, unless it is the one that failed.
func baseWords(groups []string) map[string]string {
	if len(groups) < 3 {
		return nil
	}
	want := minor.FindStringSubmatch(groups[2])
	if want == nil {
		return nil
	}
	base := ""
	n, _ := strconv.ParseInt(strings.TrimSpace(want[1]), 10, 64) // what is no number counts as none
	switch {
	case n > 20: // none has it yet
	case n > 18:
		base = "forky"
	case n > 14:
		base = "trixie"
	default:
		base = "bookworm"
	}
	if has := minor.FindStringSubmatch(groups[1]); has != nil && map[string]string{"14": "bookworm", "18": "trixie", "20": "forky"}[has[1]] == base {
		return nil
	}
	return map[string]string{"base": base}
}

func multiline(re *regexp.Regexp) *regexp.Regexp { return regexp.MustCompile(`(?m)` + re.String()) }
