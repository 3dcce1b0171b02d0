package build

import (
	"fmt"
	"strings"
	"testing"

	"github.com/beamyard/beamyard/images"
)

func TestRootsOfReleases(t *testing.T) {
	for _, tc := range []struct {
		command []string
		workDir string
		want    string
	}{
		{[]string{images.ReleaseScript, "start"}, "/app", "/app/_build/release /app"},
		{[]string{"/app/bin/server"}, "/app", "/app"},
		{[]string{"bin/shop", "start"}, "/srv/shop", "/srv/shop"},
		{[]string{"sh", "-c", "cd / && exec /opt/shop/bin/shop start"}, "", "/opt/shop"},
		{[]string{"/entrypoint.sh", "./bin/shop", "start"}, "/app", "/app"},
		{[]string{"/usr/bin/env", "/usr/local/bin/thing", "/bin/sh"}, "/", ""},
		{nil, "", ""},
	} {
		if got := strings.Join(roots(tc.command, tc.workDir), " "); got != tc.want {
			t.Errorf("%q in %q: %q, want %q", tc.command, tc.workDir, got, tc.want)
		}
	}
}

func TestReadSettingsOfARelease(t *testing.T) {
	files := map[string]string{
		"/a/releases/start_erl.data":   "15.2.7 0.1.0\n",
		"/a/releases/0.1.0/env.sh":     "export RELEASE_NODE=x@y\n",
		"/a/releases/0.1.0/vm.args":    "-setcookie hush\n",
		"/b/rel/vm.args":               "-sname vault\n",
		"/c/releases/start_erl.data":   "15.2.7 ../../etc\n",
		"/c/releases/../../etc/env.sh": "RELEASE_NODE=x",
	}
	read := func(file string) string { return files[file] }
	for _, tc := range []struct{ roots, want string }{
		{"/a", "/a/releases/0.1.0/env.sh:1 RELEASE_NODE, /a/releases/0.1.0/vm.args:1 -setcookie"},
		{"/x /b", "/b/rel/vm.args:1 -sname"},
		{"/c", ""},
	} {
		var got []string
		for _, s := range readSettings(strings.Fields(tc.roots), read) {
			got = append(got, fmt.Sprintf("%s:%d %s", s.File, s.Line, s.Name))
		}
		if strings.Join(got, ", ") != tc.want {
			t.Errorf("%s: %v", tc.roots, got)
		}
	}
}
