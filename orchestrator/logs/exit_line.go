package logs

import (
	"slices"
	"strings"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/internal/erlterm"
)

// telling are the beginnings of lines in which a VM says why it ended, most specific
// first.
var telling = []string{
	"** (Mix)", "** (CompileError)", "** (UndefinedFunctionError)", "Protocol 'inet_tcp'",
	"Runtime terminating during boot", "Kernel pid terminated", "init terminating in do_boot", "** (",
}

// ExitLine returns the text that explains the end of a run: a line that matches telling,
// else the crash dump's slogan, else the last line of stderr, or "" if there is none of
// these. Erlang terms in it are readable.
func ExitLine(lines []orchestrator.Line, run int, slogan string) string {
	return erlterm.Readable(exitLine(lines, run, slogan))
}

func exitLine(lines []orchestrator.Line, run int, slogan string) string {
	for _, s := range telling {
		for _, l := range lines {
			if l.Run == run && l.Stream != orchestrator.StreamSystem && strings.Contains(l.Text, s) {
				return strings.TrimSpace(l.Text)
			}
		}
	}
	if slogan != "" {
		return slogan
	}
	for _, l := range slices.Backward(lines) {
		if l.Run == run && l.Stream == orchestrator.Stderr && strings.TrimSpace(l.Text) != "" {
			return strings.TrimSpace(l.Text)
		}
	}
	return ""
}
