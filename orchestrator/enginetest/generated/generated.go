// Package generated compares the generated parts of Markdown files with their sources, in
// tests.
package generated

import (
	"os"
	"strings"
	"testing"
)

// Check fails the test if a generated part of a file is not what it should be: the text
// between "<!-- generated: PART -->" and "<!-- end -->". With UPDATE=1 it writes the part.
func Check(t testing.TB, file, part, want string) {
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
