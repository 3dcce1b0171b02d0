package control

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/beamyard/beamyard/orchestrator"
)

func TestFolder(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	long := filepath.Join(dir, strings.Repeat("d", 100))
	if err := os.Mkdir(long, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, runtime, state, home string
		folder                     string
		fails                      bool
	}{
		{name: "a login's", runtime: dir, folder: dir + "/beamyard"},
		{name: "one to be made", state: dir + "/a/b", folder: dir + "/a/b/beamyard"},
		{name: "a long one", runtime: long, folder: long + "/beamyard"},
		{name: "below a file", state: file, folder: file + "/beamyard", fails: true},
		{name: "nowhere", fails: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("XDG_RUNTIME_DIR", tt.runtime)
			t.Setenv("XDG_STATE_HOME", tt.state)
			t.Setenv("HOME", tt.home)
			folder, room, err := Folder()
			if folder != tt.folder || (err != nil) != tt.fails {
				t.Fatalf("%s, %v", folder, err)
			}
			if tt.fails {
				if !strings.Contains(orchestrator.HintOf(err).String(), "XDG_RUNTIME_DIR") {
					t.Errorf("%v", err)
				}
				return
			}
			// A name of that length also fits in Listen.
			if got := len(filepath.Join(folder, strings.Repeat("n", max(room, 0))+".sock")); room > 0 && got != maxPath {
				t.Errorf("with a name of %d bytes the path has %d", room, got)
			}
			if room < 0 != (tt.runtime == long) {
				t.Errorf("room for %d bytes", room)
			}
		})
	}
	// Nothing was created except by the test.
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 2 {
		t.Errorf("%v, %v", left, err)
	}
}

// Only its owner can read a cookie file. It is removed with its cluster only, whatever
// characters the path has.
func TestCookieFiles(t *testing.T) {
	run := filepath.Join(t.TempDir(), "[a]*?")
	if err := os.Mkdir(run, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_RUNTIME_DIR", run)
	paths := map[string]string{}
	for _, cluster := range []string{"shop", "shop-2"} {
		path, err := CookieFile(cluster, "crumb")
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		info, statErr := os.Stat(path)
		if err != nil || statErr != nil || string(text) != "crumb" || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %q, %v, %v, %v", path, text, info.Mode(), err, statErr)
		}
		paths[cluster] = path
	}
	for range 2 { // a missing file is not an error
		if err := RemoveFiles("shop"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(paths["shop"]); !os.IsNotExist(err) {
		t.Errorf("the file is left: %v", err)
	}
	if _, err := os.Stat(paths["shop-2"]); err != nil {
		t.Errorf("the file of another cluster is gone: %v", err)
	}
}
