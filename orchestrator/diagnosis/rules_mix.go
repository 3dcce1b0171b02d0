package diagnosis

import "github.com/beamyard/beamyard/orchestrator/hint"

// What a Mix project asks of the place where its image is built: the environment, git.
var mixRules = []rule{
	{
		code:    "build-env-missing",
		whole:   missingAtBuild,
		problem: "the build needs the environment variable {variable}, which is not set: {file} reads it",
		try: []try{
			{text("set it: %s (and list it in secrets:, if it is one); the build gets it too; or once", hint.Setting("env.{variable}: VALUE")), hint.Of(hint.Up.With("{what}", "env.{variable}: VALUE")), always},
			{text("or read it when a node starts: in config/runtime.exs, not in config.exs or mix.exs; try it here"), shell("{variable}=VALUE mix compile"), always},
		},
		follows: codes{"compile-error", "dependency-not-compiled"},
	},
	{
		// Elixir's Config.Provider and Mix.Tasks.App.Config, of 1.14 to 1.18.
		code:    "compile-env-mismatch",
		says:    pattern(`the application :(\w+) has a different value set for (?:path .+ inside )?key :(\S+) during runtime compared to compile time`),
		problem: "{node} starts with another value of {2} of :{1} than its image was compiled with (Application.compile_env)",
		try: []try{
			{text("what config reads from the environment belongs into env: of the whole cluster, which the build gets too, not of a single node; then"), again, absent},
			{text("what config reads from the environment belongs into env: of the whole cluster, which the build gets too, not of a single node; then"), down, there},
			{text("or read it when it is needed: Application.get_env(:{1}, :{2}) in place of compile_env; see where it is read"), shell("grep -rn compile_env lib"), always},
		},
		follows: codes{"app-does-not-start"},
	},
	{
		code:    "git-missing",
		whole:   errorSays(pattern(`(?m)(?:\(in|build [^:]*:)?\s*(\S+) runs git, and the folder is in no git repository`)),
		problem: "{1} asks git for a version, and the folder is in no git repository",
		try: []try{
			{text("make it one"), shell("git init && git add -A && git commit -m first"), always},
			{text(`or let it do without: if File.dir?(".git") and System.find_executable("git"), do: …, else: "unknown"; try it here`), shell("mix compile"), always},
		},
	},
}

var (
	// The frames of Elixir's own begin with its name in brackets: the first that does
	// not is the project's.
	fetchEnv = multiline(pattern(`could not fetch environment variable "(\w+)"[^\n]*\n(?:\s+\([^\n]*\n)*\s*([\w./-]+\.\w+:\d+)`))
	readsEnv = multiline(pattern(`(\S+) reads the environment variable (\w+), which is not set while`))
)

func missingAtBuild(e *Evidence) (match, bool) {
	variable, file := 0, 1
	m, ok := errorSays(fetchEnv)(e)
	if !ok {
		variable, file = 1, 0
		m, ok = errorSays(readsEnv)(e)
	}
	if ok {
		m.words = map[string]string{"variable": m.groups[variable], "file": m.groups[file]}
	}
	return m, ok
}
