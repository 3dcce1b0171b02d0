package diagnosis

import (
	"regexp"
	"strings"

	"github.com/beamyard/beamyard/orchestrator/hint"
)

// runtimeConfig is a config/runtime.exs that raises or does not compile. It is evaluated when a node
// starts: in a release by Config.Reader, a provider, and otherwise by Mix. The provider's own words
// are cut off where the VM ends while they are written; what the VM itself says then is enough.
var runtimeConfig = rule{
	code: "runtime-config", when: func(_ *Evidence, n *Node) (match, bool) {
		if n.Exit == nil || n.Exit.Code == 0 || n.WasReady {
			return match{}, false
		}
		line, because := whereConfigFails(n)
		if because == "" {
			return match{}, false
		}
		at := ""
		if line != "" {
			at = " in line " + line
		}
		return match{evidence: because, words: map[string]string{"at": at, "because": because}}, true
	},
	problem: "config/runtime.exs of {node} fails{at}: {because}",
	try: []try{
		{text("correct it, or the variable that it reads (%s), then", hint.Setting("env")), again, absent},
		{text("correct it, then bring it into the nodes"), hint.Of(hint.SyncRestart.On("{cluster}")), there},
	},
	follows: codes{"env-missing", "name-not-resolved", "read-only-file-system", "file-permission", "disk-full"},
}

var (
	configFrame = pattern(`(?:^|[\s/])runtime\.exs:(\d+): \(file\)`)
	configBoot  = pattern(`Runtime terminating during boot \((?:\*\* )?(.*), in runtime\.exs:(\d+)\)`)
	// Elixir's parser names the place, and its compiler has said before what is wrong, and where.
	configParse   = pattern(`\*\* (\(\w+Error\) .*\bruntime\.exs:(\d+).*)`)
	configCompile = pattern(`\*\* \(CompileError\) (\S*\bruntime\.exs(?::(\d+))?: .*)`)
	compilerSays  = pattern(`^\s*error: (.*)`)
	compilerPlace = pattern(`└─ \S*\bruntime\.exs:(\d+)`)
)

// whereConfigFails returns the line of config/runtime.exs that a node's output names last, and what
// is wrong there. They are "" if the output has no such thing.
func whereConfigFails(n *Node) (line, because string) {
	for i := len(n.Lines) - 1; i >= 0; i-- {
		text := n.Lines[i].Text
		if m := configFrame.FindStringSubmatch(text); m != nil {
			if because := exceptionAbove(n, i); because != "" {
				return m[1], because
			}
		}
		if m := configParse.FindStringSubmatch(text); m != nil {
			return m[2], m[1]
		}
		if m := configCompile.FindStringSubmatch(text); m != nil {
			says, _ := saysAbove(compilerSays, n, i)
			place, ok := saysAbove(compilerPlace, n, i)
			if says == "" || !ok {
				return m[2], m[1]
			}
			return place, says
		}
	}
	if m, ok := saysIn(configBoot, n); ok {
		return m.groups[1], m.groups[0]
	}
	return "", ""
}

// exceptionAbove returns the exception whose stack trace has line i, with the first argument that it
// complains of.
func exceptionAbove(n *Node, i int) string {
	for j := i - 1; j >= 0; j-- {
		exception, ok := strings.CutPrefix(n.Lines[j].Text, "** ")
		if !ok || n.Lines[j].Stream != n.Lines[i].Stream {
			continue
		}
		for _, l := range n.Lines[j+1 : i] {
			if argument, ok := strings.CutPrefix(l.Text, "  * "); ok && strings.HasSuffix(exception, ":") {
				return exception + " " + argument
			}
		}
		return exception
	}
	return ""
}

// saysAbove returns the first group of the nearest line above line i that matches.
func saysAbove(re *regexp.Regexp, n *Node, i int) (string, bool) {
	for j := i - 1; j >= 0; j-- {
		if m := re.FindStringSubmatch(n.Lines[j].Text); m != nil {
			return strings.TrimSpace(m[1]), true
		}
	}
	return "", false
}
