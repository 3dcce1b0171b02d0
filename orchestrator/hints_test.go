package orchestrator_test

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// command matches a command of the command line in a text.
var command = regexp.MustCompile(`beamyard (up|down|ps|start|stop|restart|kill|pause|unpause|logs|events|inspect|health|rpc|iex|exec|send|run|test|sync|export|doctor|prune|supervise|version)\b`)

// goName matches the name of a field or a method as Go code has it.
var goName = regexp.MustCompile(`\b(Cluster|Controller|Distribution|Spec)\.[A-Z]`)

// A user of the library has no command line, and a user of the command line no Go. So the
// library's texts have steps of package hint, which each writes in its own words.
func TestTheLibraryWritesNoCommands(t *testing.T) {
	found := 0
	check := func(path string, _ fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case path == "hint": // it has the table of commands
			return fs.SkipDir
		case !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		found++
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			literal, ok := n.(*ast.BasicLit)
			if !ok || literal.Kind != token.STRING {
				return true
			}
			if text, err := strconv.Unquote(literal.Value); err != nil || command.MatchString(text) || goName.MatchString(text) {
				t.Errorf("%s: make this a step of package hint: %s", files.Position(literal.Pos()), literal.Value)
			}
			return true
		})
		return nil
	}
	err := errors.Join(filepath.WalkDir(".", check), filepath.WalkDir("../images", check), filepath.WalkDir("../network", check))
	if err != nil || found < 100 {
		t.Errorf("%d files were read: %v", found, err)
	}
}
