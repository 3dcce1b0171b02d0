package e2e_test

import (
	"io/fs"
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
		if !named[name] && name != "TestScenariosAreListed" && name != "TestLongTestsExist" {
			t.Errorf("%s is not in SCENARIOS.md", name)
		}
	}
	for name := range named {
		if !wanted[name] && !known[name] {
			t.Errorf("SCENARIOS.md lists %s, which does not exist", name)
		}
	}
}

// .ci/long, which says what only `make test-all` runs, has names of tests and scripts that exist. A
// test of that name in another package would not run either.
func TestLongTestsExist(t *testing.T) {
	t.Parallel()
	list, err := os.ReadFile("../../.ci/long")
	if err != nil {
		t.Fatal(err)
	}
	packages := map[string]int{} // with a test of that name
	err = filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		for _, name := range testsOf(t, path) {
			packages[name]++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for line := range strings.Lines(string(list)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		name, part, _ := strings.Cut(line, "/")
		if packages[name] == 0 || part == "" && packages[name] > 1 || listed[line] {
			t.Errorf("%s: %d packages have it; listed before: %t", line, packages[name], listed[line])
		}
		listed[line] = true
		if name == "TestEngineScript" {
			if _, err := os.Stat(commandLine + "/testdata/script/engine/" + part + ".txtar"); err != nil {
				t.Error(err)
			}
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
