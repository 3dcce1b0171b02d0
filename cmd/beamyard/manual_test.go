package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// beamyard.1 is the command line's --help texts as a manual page, for man. UPDATE=1 writes it.
//
// It is our own because mango-kong, the only generator for kong, had its last release in 2022, and
// knows neither the texts of commands nor the variables of the environment.
func TestManualIsCurrent(t *testing.T) {
	const file = "beamyard.1"
	want := manual(t, newParser(t).Model)
	got, err := os.ReadFile(file)
	if string(got) == want {
		return
	}
	if os.Getenv("UPDATE") == "" {
		t.Fatalf("%s is not current (%v); update it: UPDATE=1 go test -run %s", file, err, t.Name())
	}
	if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

// manual returns the page in roff's man macros: see man(7).
func manual(t *testing.T, app *kong.Application) string {
	t.Helper()
	var b strings.Builder
	summary, rest, _ := strings.Cut(app.Help, "\n\n")
	rest, exit, found := strings.Cut(rest, "Exit codes:\n")
	examples, names, both := strings.Cut(rest, "\n\n")
	if !found || !both || !strings.HasPrefix(examples, "Examples:\n") {
		t.Fatalf("the description has other parts: %q", app.Help)
	}
	fmt.Fprintf(&b, `.\" Generated from the command line: see manual_test.go.
.TH BEAMYARD 1 "" "Beamyard" "User Commands"
.nh
.ad l
.SH NAME
beamyard \- %s
.SH SYNOPSIS
.B beamyard
.I command
.RI [ flags ]
.SH DESCRIPTION
`, roff(lower(strings.TrimSuffix(summary, "."))))
	prose(&b, summary+"\n"+names)
	b.WriteString(".SH COMMANDS\n")
	for _, command := range app.Leaves(true) {
		fmt.Fprintf(&b, ".SS beamyard %s\n", roff(command.Summary()))
		prose(&b, command.Help)
		prose(&b, command.Detail)
		for _, arg := range command.Positional {
			fmt.Fprintf(&b, ".TP\n.I %s\n%s\n", roff(strings.ToUpper(arg.Name)), roff(arg.Help))
		}
		flags(&b, command.Flags)
	}
	b.WriteString(".SH FLAGS OF EVERY COMMAND\n")
	flags(&b, app.Flags)
	b.WriteString(".SH EXIT STATUS\n")
	prose(&b, exit)
	b.WriteString(".SH ENVIRONMENT\n")
	environment(t, &b)
	b.WriteString(".SH FILES\n.TP\n.I beamyard.yml\nSettings of a project, in its folder.\n.SH EXAMPLES\n")
	prose(&b, strings.TrimPrefix(examples, "Examples:\n"))
	b.WriteString(".SH SEE ALSO\n.BR docker (1),\n.BR erl (1),\n.BR iex (1),\n.BR mix (1)\n.PP\nhttps://github.com/beamyard/beamyard\n")
	return b.String()
}

func flags(b *strings.Builder, all []*kong.Flag) {
	for _, flag := range all {
		if flag.Hidden {
			continue
		}
		b.WriteString(".TP\n")
		if flag.Short != 0 {
			fmt.Fprintf(b, "\\fB\\-%c\\fR, ", flag.Short)
		}
		fmt.Fprintf(b, "\\fB\\-\\-%s\\fR", roff(flag.Name))
		if !flag.IsBool() {
			fmt.Fprintf(b, "=\\fI%s\\fR", roff(flag.FormatPlaceHolder()))
		}
		help := flag.Help
		for _, env := range flag.Envs {
			help += " ($" + env + ")"
		}
		fmt.Fprintf(b, "\n%s\n", roff(help))
	}
}

// environment writes what README.md says of the variables.
func environment(t *testing.T, b *strings.Builder) {
	t.Helper()
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, part, _ := strings.Cut(string(readme), "\n## Environment\n")
	part, _, _ = strings.Cut(part, "\n## ")
	rows := regexp.MustCompile("(?m)^\\| (`.*`) \\| (.*) \\|$").FindAllStringSubmatch(part, -1)
	if len(rows) == 0 {
		t.Fatal("README.md lists no variable")
	}
	plain := strings.NewReplacer("`", "")
	for _, row := range rows {
		about := regexp.MustCompile(`\[([^]]*)\]\([^)]*\)`).ReplaceAllString(row[2], "$1")
		fmt.Fprintf(b, ".TP\n.B %s\n%s\n", roff(plain.Replace(row[1])), roff(plain.Replace(about)))
	}
}

// prose writes paragraphs. Lines that are indented stay as they are.
func prose(b *strings.Builder, text string) {
	filled, verbatim := false, false
	for line := range strings.Lines(strings.TrimRight(text, "\n")) {
		line = strings.TrimRight(line, "\n")
		indented := strings.HasPrefix(line, "  ")
		if verbatim && !indented {
			b.WriteString(".fi\n")
		}
		switch {
		case line == "":
		case indented && !verbatim:
			b.WriteString(".PP\n.nf\n")
		case !indented && !filled:
			b.WriteString(".PP\n")
		}
		if line != "" {
			b.WriteString(roff(line) + "\n")
		}
		filled, verbatim = line != "" && !indented, indented
	}
	if verbatim {
		b.WriteString(".fi\n")
	}
}

// roff escapes a text: see groff_char(7). A hyphen is one that can be copied.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`).Replace(text)
	if strings.HasPrefix(text, ".") {
		text = `\&` + text
	}
	return text
}

func lower(text string) string { return strings.ToLower(text[:1]) + text[1:] }
