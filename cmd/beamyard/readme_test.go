package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/beamyard/beamyard/orchestrator/enginetest/generated"
)

// The commands in README.md are those of the command line. UPDATE=1 writes them.
func TestReadmeListsTheCommands(t *testing.T) {
	parser := newParser(t)
	var overview, details strings.Builder
	overview.WriteString("\n| command | |\n|---|---|\n")
	for _, command := range parser.Model.Leaves(true) {
		fmt.Fprintf(&overview, "| [`%s`](#%s) | %s |\n", command.Path(), strings.ReplaceAll(command.Path(), " ", "-"), escaped(command.Help))
		describe(&details, command)
	}
	overview.WriteString("\n")
	generated.Check(t, "README.md", "commands", overview.String())
	generated.Check(t, "README.md", "flags", details.String()+"\n")
}

// newParser returns the command line's parser.
func newParser(t *testing.T) *kong.Kong {
	t.Helper()
	parser, err := kong.New(&cli{}, kong.Name("beamyard"), kong.Description(description), kong.Vars{"version": ""})
	if err != nil {
		t.Fatal(err)
	}
	return parser
}

// describe writes the --help text of a command.
func describe(b *strings.Builder, command *kong.Node) {
	fmt.Fprintf(b, "\n### %s\n\n`beamyard %s`\n\n%s\n", command.Path(), command.Summary(), command.Help)
	if command.Detail != "" {
		fmt.Fprintf(b, "\n```text\n%s\n```\n", command.Detail)
	}
	rows := make([]string, 0, len(command.Positional)+len(command.Flags))
	for _, arg := range command.Positional {
		rows = append(rows, fmt.Sprintf("| `%s` | %s |", strings.ToUpper(escaped(arg.Name)), escaped(arg.Help)))
	}
	for _, flag := range command.Flags {
		if flag.Hidden {
			continue
		}
		name := "`--" + flag.Name
		if !flag.IsBool() {
			name += "=" + escaped(flag.FormatPlaceHolder())
		}
		name += "`"
		if flag.Short != 0 {
			name = "`-" + string(flag.Short) + "`, " + name
		}
		help := escaped(flag.Help)
		for _, env := range flag.Envs {
			help += " ($" + env + ")"
		}
		rows = append(rows, fmt.Sprintf("| %s | %s |", name, help))
	}
	if len(rows) > 0 {
		fmt.Fprintf(b, "\n| argument or flag | |\n|---|---|\n%s\n", strings.Join(rows, "\n"))
	}
}

// escaped escapes a text for a table.
func escaped(text string) string { return strings.ReplaceAll(text, "|", `\|`) }
