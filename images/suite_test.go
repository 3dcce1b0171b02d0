package images

import (
	"errors"
	"strings"
	"testing"
)

// Mix says where the tests of a project are, also if its image was built before.
func TestAProjectWithoutTestsIsRefused(t *testing.T) {
	const umbrella = `{"projects": [{"dir": "/app", "main": true, "umbrella": true, "deps_path": "/app/deps", "build_path": "/app/_build"}, ` +
		`{"dir": "/app/apps/a", "main": true, "app": "a", "tests": ["/app/apps/a/test"], "deps_path": "/app/deps", "build_path": "/app/_build"}, ` +
		`{"dir": "/app/apps/b", "main": true, "app": "b", "tests": ["/app/apps/b/test"], "deps_path": "/app/deps", "build_path": "/app/_build"}]}`
	tests := []struct {
		name, mix string
		files     map[string]string
		why, hint string // ""; the project has tests
	}{
		{"none", says("/app", `, "tests": ["/app/test"]`), nil, "has no tests: there is no folder test", "begin with test/test_helper.exs"},
		{"in test", says("/app", `, "tests": ["/app/test"]`), map[string]string{"test/a_test.exs": ""}, "", ""},
		{"in another folder than those of mix.exs", says("/app", `, "tests": ["/app/spec", "/app/more"]`), map[string]string{"test/a_test.exs": ""}, "there is no folder spec or more", "spec/test_helper.exs"},
		{"in one of them", says("/app", `, "tests": ["/app/spec", "/app/more"]`), map[string]string{"more/a_test.exs": ""}, "", ""},
		{"left out", says("/app", `, "tests": ["/app/test"]`), map[string]string{"test/a_test.exs": "", ".dockerignore": "test"}, ".dockerignore leaves folder test out", "!test"},
		{"an umbrella's", umbrella, map[string]string{"apps/a/mix.exs": "", "apps/b/test/a_test.exs": ""}, "", ""},
		{"of an umbrella without", umbrella, map[string]string{"apps/a/mix.exs": "", "apps/b/mix.exs": "", "test/a_test.exs": ""}, "there is no folder apps/a/test or apps/b/test", "apps/a/test/test_helper.exs"},
		{"no folder is named", says("/app", `, "tests": []`), map[string]string{"test/a_test.exs": ""}, "mix.exs names no folder of tests", "give the folder"},
		{
			"those of another application, which it depends on",
			strings.TrimSuffix(says("/app", `, "tests": ["/app/test"]`), "]}") + `, {"dir": "/app/b", "main": true, "tests": ["/app/b/test"], "deps_path": "/app/deps", "build_path": "/app/_build"}]}`,
			map[string]string{"b/test/b_test.exs": ""}, "there is no folder test", "begin",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			eng, src := engineWith("beamyard/debian:trixie"), tiny(t)
			write(t, src.Dir, tt.files)
			eng.mix = func(*fakeWorkshop) string { return tt.mix }
			refused := func() {
				t.Helper()
				made := len(eng.builds)
				_, err := Resolve(t.Context(), eng, src, Options{Suite: true})
				var source *SourceError
				switch {
				case tt.why == "" && err != nil:
					t.Error(err)
				case tt.why == "":
				case !errors.As(err, &source), !strings.Contains(source.Why, tt.why), !strings.Contains(source.Next, tt.hint), len(eng.builds) != made:
					t.Errorf("got %v (%+v), %d images made", err, source, len(eng.builds)-made)
				}
			}
			refused()
			resolved(t, eng, src, Options{})
			refused() // the answer was remembered
			if eng.open != 0 {
				t.Errorf("%d workshops are left", eng.open)
			}
		})
	}
}

// The image of a Dockerfile is asked itself. If Mix does not answer in it, the tests are
// not checked.
func TestTestsInTheImageOfADockerfile(t *testing.T) {
	const found, none = `{"projects": [{"dir": "/srv", "main": true, "tests": ["/srv/spec"], "has_tests": true}]}`, `{"projects": [{"dir": "/srv", "main": true, "tests": ["/srv/spec"]}]}`
	for name, tt := range map[string]struct {
		said string
		code int
		why  string
	}{
		"tests":         {found, 0, ""},
		"none":          {none, 0, "there is no folder /srv/spec in it"},
		"no Mix":        {"not found", 127, ""},
		"mix.exs fails": {`{"projects": [], "error": {"text": "** (RuntimeError) x"}}`, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			eng, src := engineWith("elixir:1"), tiny(t)
			src.Kind = Dockerfile
			write(t, src.Dir, map[string]string{"Dockerfile": "FROM elixir:1\nCOPY . ."})
			eng.said = func(c Command) (string, int) {
				if strings.Join(c.Args[:2], " ") != "elixir "+inImage {
					t.Errorf("the commands were %q", c.Args)
				}
				return "talk\n" + tt.said + "\n", tt.code
			}
			_, err := Resolve(t.Context(), eng, src, Options{Suite: true})
			var source *SourceError
			if tt.why == "" && err != nil || tt.why != "" && (!errors.As(err, &source) || !strings.Contains(source.Why, tt.why)) {
				t.Errorf("got %v", err)
			}
			if eng.open != 0 {
				t.Errorf("%d workshops are left", eng.open)
			}
		})
	}
}
