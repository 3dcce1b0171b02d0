package e2e_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const commandLine = "../../cmd/beamyard"

// SCENARIOS.md lists each test of this package and each script of the command line, and
// nothing else.
func TestScenariosAreListed(t *testing.T) {
	t.Parallel()
	list, err := os.ReadFile("SCENARIOS.md")
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for _, m := range regexp.MustCompile("`((?:Test|script/)\\w+)").FindAllStringSubmatch(string(list), -1) {
		named[m[1]] = true
	}
	scripts, err := filepath.Glob(commandLine + "/testdata/script/engine/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	wanted, known := map[string]bool{}, map[string]bool{}
	for _, path := range scripts {
		wanted["script/"+strings.TrimSuffix(filepath.Base(path), ".txtar")] = true
	}
	for _, name := range testsOf(t, ".") {
		wanted[name] = true
	}
	for _, dir := range []string{commandLine, "../cluster", "../../testsupport"} {
		for _, name := range testsOf(t, dir) {
			known[name] = true
		}
	}
	for name := range wanted {
		if !named[name] && name != "TestScenariosAreListed" {
			t.Errorf("%s is not in SCENARIOS.md", name)
		}
	}
	for name := range named {
		if !wanted[name] && !known[name] {
			t.Errorf("SCENARIOS.md lists %s, which does not exist", name)
		}
	}
}

// testsOf returns the names of a folder's tests.
func testsOf(t *testing.T, dir string) (names []string) {
	t.Helper()
	files, err := filepath.Glob(dir + "/*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(t `).FindAllStringSubmatch(string(text), -1) {
			names = append(names, m[1])
		}
	}
	return names
}
