package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// The commands in README.md are those of the command line. UPDATE=1 writes them.
func TestReadmeListsTheCommands(t *testing.T) {
	parser, err := kong.New(&cli{}, kong.Name("beamyard"), kong.Description(description), kong.Vars{"version": ""})
	if err != nil {
		t.Fatal(err)
	}
	var overview, details strings.Builder
	overview.WriteString("\n| command | |\n|---|---|\n")
	for _, command := range parser.Model.Leaves(true) {
		fmt.Fprintf(&overview, "| [`%s`](#%[1]s) | %s |\n", command.Name, escaped(command.Help))
		describe(&details, command)
	}
	overview.WriteString("\n")
	current(t, "README.md", "commands", overview.String())
	current(t, "README.md", "flags", details.String()+"\n")
}

// describe writes what --help says of a command.
func describe(b *strings.Builder, command *kong.Node) {
	fmt.Fprintf(b, "\n### %s\n\n`beamyard %s`\n\n%s\n", command.Name, command.Summary(), command.Help)
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

// escaped is a text in a table.
func escaped(text string) string { return strings.ReplaceAll(text, "|", `\|`) }

// current compares a generated part of a file with what it should be; UPDATE=1 writes it.
func current(t *testing.T, file, part, want string) {
	t.Helper()
	data, err := os.ReadFile(file)
	begin, end := "<!-- generated: "+part+" -->\n", "<!-- end -->"
	before, rest, begun := strings.Cut(string(data), begin)
	got, after, ended := strings.Cut(rest, end)
	switch {
	case err != nil, !begun, !ended:
		t.Fatalf("%s: no generated part %q (%v)", file, part, err)
	case got != want && os.Getenv("UPDATE") == "":
		t.Errorf("%s: the part %q is not current; update it: UPDATE=1 go test -run %s", file, part, t.Name())
	case got != want:
		if err := os.WriteFile(file, []byte(before+begin+want+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
