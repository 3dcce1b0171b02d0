package orchestrator_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/beamyard/beamyard/orchestrator/enginetest/generated"
)

const architecture = "../.github/ARCHITECTURE.md"

// ARCHITECTURE.md shows the packages and their imports. UPDATE=1 rewrites it.
func TestArchitectureShowsThePackages(t *testing.T) {
	rooms := listRooms(t)
	var picture, table strings.Builder
	picture.WriteString("\n```mermaid\nflowchart TD\n")
	table.WriteString("\n| package | purpose | imports |\n|---|---|---|\n")
	for _, name := range sortedNames(rooms) {
		r := rooms[name]
		for _, imported := range r.imports {
			// An import that another import already implies needs no arrow of its own.
			if !slices.ContainsFunc(r.imports, func(via string) bool { return via != imported && reaches(rooms, via, imported) }) {
				fmt.Fprintf(&picture, "  %s --> %s\n", box(name), box(imported))
			}
		}
		fmt.Fprintf(&table, "| [`%s`](../%[1]s) | %s | %s |\n", name, r.purpose, strings.Join(r.imports, ", "))
	}
	picture.WriteString("```\n\n")
	table.WriteString("\n")
	generated.Check(t, architecture, "picture", picture.String())
	generated.Check(t, architecture, "packages", table.String())
}

// room is a package with its imports from this module.
type room struct {
	purpose string
	imports []string
}

func listRooms(t *testing.T) map[string]room {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Doc,Imports", module+"/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	rooms := map[string]room{}
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			ImportPath, Doc string
			Imports         []string
		}
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return rooms
		} else if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimPrefix(p.ImportPath, module+"/")
		r := room{purpose: purpose(p.Doc)}
		for _, imported := range p.Imports {
			if short, ok := strings.CutPrefix(imported, module+"/"); ok {
				r.imports = append(r.imports, short)
			}
		}
		rooms[name] = r
	}
}

// purpose returns a package's synopsis without its name.
func purpose(doc string) string {
	words := strings.SplitN(doc, " ", 3) // Package name …, Command name …
	return strings.NewReplacer("[", "", "]", "").Replace(strings.TrimSuffix(words[len(words)-1], "."))
}

func sortedNames(rooms map[string]room) []string {
	names := make([]string, 0, len(rooms))
	for name := range rooms {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// reaches reports whether a package imports another one, directly or through others.
func reaches(rooms map[string]room, from, to string) bool {
	return slices.ContainsFunc(rooms[from].imports, func(next string) bool { return next == to || reaches(rooms, next, to) })
}

// box returns a package for the picture: an identifier and its name.
func box(name string) string {
	return strings.NewReplacer("/", "_").Replace(name) + "[" + strings.TrimPrefix(name, "orchestrator/") + "]"
}
