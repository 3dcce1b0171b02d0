package main

import (
	"fmt"

	"github.com/beamyard/beamyard/cmd/beamyard/internal/show"
)

// Messages include text from outside: a key of a beamyard.yml, a name on the command line, a
// line of a build. It must not move the cursor, colour what follows, or hide something: see
// printable. The output of nodes and programs is their own; logs, exec, run and test pass it
// through unchanged.

// printable is [show.Printable].
func printable(text string) string { return show.Printable(text) }

// uncoloured is [show.Uncoloured].
func uncoloured(line string) string { return show.Uncoloured(line) }

// printables makes the texts among the arguments of a format printable.
func printables(args []any) []any {
	safe := make([]any, len(args))
	for i, arg := range args {
		switch v := arg.(type) {
		case string:
			safe[i] = printable(v)
		case error:
			safe[i] = printable(v.Error())
		case fmt.Stringer:
			safe[i] = printable(v.String())
		default:
			safe[i] = arg
		}
	}
	return safe
}
