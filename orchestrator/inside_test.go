package orchestrator

import (
	"fmt"
	"slices"
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

// The cookie goes where a VM that was given two of them looks, and over no file of
// somebody else's.
func TestTheCookieInTheHomeFolder(t *testing.T) {
	passwd := map[string]string{"/etc/passwd": "root:x:0:0:root:/root:/bin/sh\nshop:x:12:12::/srv/shop:/bin/sh\nghost:x:13:13::/nonexistent:/bin/sh\n"}
	for _, tc := range []struct {
		name, user string
		env        []string
		edit       func(*Spec)
		files      map[string]string
		want       string
	}{
		{"root's", "", nil, nil, nil, "/root/.erlang.cookie"},
		{"a user's, by its number", "12:12", nil, nil, nil, "/srv/shop/.erlang.cookie"},
		{"a user's, by its name", "shop", nil, nil, nil, "/srv/shop/.erlang.cookie"},
		{"HOME of the image", "shop", []string{"HOME=/app"}, nil, nil, "/app/.erlang.cookie"},
		{"HOME of the spec", "shop", []string{"HOME=/app"}, func(s *Spec) { s.Env = map[string]string{"HOME": "/tmp"} }, nil, "/tmp/.erlang.cookie"},
		{"no home", "ghost", nil, nil, nil, ""},
		{"a file of the image", "", nil, nil, map[string]string{"/root/.erlang.cookie": "own"}, ""},
		{"a file of the spec", "", nil, func(s *Spec) { s.Files = map[string]string{"/root/.erlang.cookie": "x"} }, nil, ""},
		{"a volume", "", nil, func(s *Spec) { s.Volumes = map[string]string{"home": "/root"} }, nil, ""},
	} {
		s := Spec{Nodes: NodeNames(1)}
		if tc.edit != nil {
			tc.edit(&s)
		}
		got, err := s.cookieInHome(0, images.Info{Env: tc.env}, tc.user, func(path string) (string, error) { return passwd[path] + tc.files[path], nil })
		if err != nil || got != tc.want {
			t.Errorf("%s: %q, %v; want %q", tc.name, got, err, tc.want)
		}
	}
}

// The default command is given one cookie and needs no second way to it.
func TestWhoseCookieIsAlsoInItsHome(t *testing.T) {
	specs := []Spec{
		{}, {Release: true}, {Command: []string{"image"}}, {Entrypoint: []string{"x"}}, {Release: true, CookieFile: "/x"},
	}
	var got []bool
	for _, s := range specs {
		s.Nodes = NodeNames(1)
		got = append(got, s.spareCookie(0))
	}
	if !slices.Equal(got, []bool{false, true, true, true, false}) {
		t.Errorf("%v", got)
	}
}
