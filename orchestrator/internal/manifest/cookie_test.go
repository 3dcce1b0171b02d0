package manifest

import (
	"slices"
	"testing"

	"github.com/beamyard/beamyard/images"
	"github.com/beamyard/beamyard/orchestrator"
)

// The cookie file is written where a VM with two cookies looks for it, and never over a
// file of the image or the user.
func TestTheCookieInTheHomeFolder(t *testing.T) {
	passwd := map[string]string{"/etc/passwd": "root:x:0:0:root:/root:/bin/sh\nshop:x:12:12::/srv/shop:/bin/sh\nghost:x:13:13::/nonexistent:/bin/sh\n"}
	for _, tc := range []struct {
		name, user string
		env        []string
		edit       func(*orchestrator.Spec)
		files      map[string]string
		want       string
	}{
		{"root's", "", nil, nil, nil, "/root/.erlang.cookie"},
		{"a user's, by its number", "12:12", nil, nil, nil, "/srv/shop/.erlang.cookie"},
		{"a user's, by its name", "shop", nil, nil, nil, "/srv/shop/.erlang.cookie"},
		{"HOME of the image", "shop", []string{"HOME=/app"}, nil, nil, "/app/.erlang.cookie"},
		{"HOME of the spec", "shop", []string{"HOME=/app"}, func(s *orchestrator.Spec) { s.Env = map[string]string{"HOME": "/tmp"} }, nil, "/tmp/.erlang.cookie"},
		{"no home", "ghost", nil, nil, nil, ""},
		{"a file of the image", "", nil, nil, map[string]string{"/root/.erlang.cookie": "own"}, ""},
		{"a file of the spec", "", nil, func(s *orchestrator.Spec) { s.Files = map[string]string{"/root/.erlang.cookie": "x"} }, nil, ""},
		{"a volume", "", nil, func(s *orchestrator.Spec) { s.Volumes = map[string]string{"home": "/root"} }, nil, ""},
	} {
		s := orchestrator.Spec{Nodes: orchestrator.NodeNames(1)}
		if tc.edit != nil {
			tc.edit(&s)
		}
		got, err := CookieInHome(s, 0, images.Info{Env: tc.env}, tc.user, func(path string) (string, error) { return passwd[path] + tc.files[path], nil })
		if err != nil || got != tc.want {
			t.Errorf("%s: %q, %v; want %q", tc.name, got, err, tc.want)
		}
	}
}

// The default command already has the one cookie: it needs no file.
func TestOnlyOtherCommandsNeedTheCookieInTheHomeFolder(t *testing.T) {
	specs := []orchestrator.Spec{
		{}, {Release: true}, {Command: []string{"image"}}, {Entrypoint: []string{"x"}}, {Release: true, CookieFile: "/x"},
	}
	var got []bool
	for _, s := range specs {
		s.Nodes = orchestrator.NodeNames(1)
		got = append(got, SpareCookie(s, 0))
	}
	if !slices.Equal(got, []bool{false, true, true, true, false}) {
		t.Errorf("%v", got)
	}
}
