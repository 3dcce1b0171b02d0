package diagnosis

import "regexp"

// What Mix says, while an image is built or in a node that compiles at its start.
// Each has its twin for the error of a build.
var buildRules = twins(
	rule{
		code:    "elixir-version",
		says:    pattern(`trying to run :?(\S+) on Elixir v?(\S+) but .* supports only Elixir (.+)`),
		problem: "{1} wants Elixir {3}, and the image has {2}",
		try: []try{
			{"build it on another base: trixie has Elixir 1.18, bookworm 1.14, forky 1.20", "beamyard up {what} --base trixie", always},
			{"or let elixir: in mix.exs allow it", "", always},
		},
	},
	rule{
		code:    "rebar-missing",
		says:    pattern(`Could not (?:find|install) "?[Rr]ebar3?"?`),
		problem: "a dependency is built with rebar3, which the base image does not have",
		try: []try{
			{"connect the engine to a network, or give a base that has it", "mix local.rebar --force", always},
			{"see what this machine reaches", "beamyard doctor", always},
		},
	},
	rule{
		// The first is Elixir 1.14, the second 1.18; the third comes from both where
		// the question is not answered.
		code:    "hex-missing",
		says:    pattern(`Could not (?:find|install) Hex|requires the Hex package manager|Could not find an SCM for dependency :(\w+)`),
		problem: "the dependencies come from Hex, and the image has no Hex",
		try: []try{
			{"connect the engine to a network, or give a base image that has it: --base IMAGE; by hand", "mix local.hex --force", always},
			{"see what this machine reaches", "beamyard doctor", always},
		},
	},
	rule{
		code:    "dependency-fetch",
		says:    pattern(`(?i)failed to fetch|httpc request failed|request failed \(.*(?:nxdomain|econnrefused|timeout)`),
		problem: "dependencies cannot be fetched: the build reaches no network",
		try: []try{
			{"see what this machine reaches", "beamyard doctor", always},
			{"fetch them here, so that they are in the folder", "mix deps.get", always},
		},
		follows: []Code{"hex-missing", "rebar-missing"},
	},
	rule{
		code:    "dependency-not-compiled",
		says:    pattern(`could not compile dependency :(\w+)|the dependency (\w+) .*(?:is not available|build is outdated)|could not find application file: (\w+)\.app`),
		problem: "dependency {1}{2}{3} is not compiled, or does not compile",
		try: []try{
			{"compile it here, and see why", "mix deps.compile", always},
			{"or begin with it anew", "mix deps.clean --all", always},
		},
	},
	rule{
		code:    "compile-error",
		says:    pattern(`== Compilation error in file (\S+) ==`),
		problem: "{1} does not compile",
		try:     []try{{"mend what the compiler says, then start again; to see it here", "mix compile", always}},
		follows: []Code{"dependency-not-compiled"},
	},
	rule{
		code:    "no-mix-project",
		says:    pattern(`Cannot execute "mix [\w.]+" without a Mix\.Project|No mix\.exs|Could not find a Mix\.Project`),
		problem: "the folder in which the node starts holds no Mix project",
		try: []try{
			{"see where the image starts", "docker image inspect --format '{{.Config.WorkingDir}}' {image}", always},
			{"give the project's folder, or set command: in beamyard.yml", "beamyard up --help", always},
		},
	},
)

// twins gives each rule another one that looks into the error of the whole.
func twins(of ...rule) []rule {
	var all []rule
	for _, r := range of {
		all = append(all, r)
		r.whole, r.says = errorSays(multiline(r.says)), nil
		r.when = nil
		all = append(all, r)
	}
	return all
}

func multiline(re *regexp.Regexp) *regexp.Regexp { return regexp.MustCompile(`(?m)` + re.String()) }
