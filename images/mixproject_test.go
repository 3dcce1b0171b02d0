package images

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadMixProject(t *testing.T) {
	project := func(keyword string) string {
		return "defmodule A.MixProject do\n def project, do: [" + keyword + "]\nend\n"
	}
	deps := func(list string) map[string]string {
		return map[string]string{"mix.exs": project("app: :a, deps: [" + list + "]")}
	}
	one := mixProject{app: "a", manifest: []string{"mix.exs"}}
	remote := one
	remote.external = true
	tests := []struct {
		name  string
		files map[string]string
		want  mixProject
		err   string
	}{
		{name: "no dependencies", files: deps(""), want: one},
		{name: "name with digits", files: map[string]string{"mix.exs": project("app: :app_2B")}, want: mixProject{app: "app_2B", manifest: []string{"mix.exs"}}},
		{name: "name in an attribute", files: map[string]string{"mix.exs": "@app :my_app\n" + project("app: @app")}, want: mixProject{app: "my_app", manifest: []string{"mix.exs"}}},
		{name: "name that is computed", files: map[string]string{"mix.exs": project("app: name()")}, want: mixProject{manifest: []string{"mix.exs"}}},
		{name: "name in a comment", files: map[string]string{"mix.exs": "# app: :old\n" + project("version: \"1\", # app: :older\n app: :a")}, want: one},
		{name: "name after a # in a string", files: map[string]string{"mix.exs": project(`source_url: "https://x/#y", app: :a`)}, want: one},
		{name: "name after a character", files: map[string]string{"mix.exs": project(`x: [?#, ?"], app: :a # "`)}, want: one},

		{name: "hex", files: deps(`{:jason, "~> 1.4"}`), want: remote},
		{name: "hex over two lines", files: deps("{\n:phoenix,\n \">= 0.0.0\", only: [:dev]}"), want: remote},
		{name: "git", files: deps(`{:x, git: "https://example.com/x.git"}`), want: remote},
		{name: "github", files: deps(`{:x, github: "a/x", tag: "v1"}`), want: remote},
		{name: "organization", files: deps(`{:x, organization: "acme"}`), want: remote},
		{name: "hex in a comment", files: deps("# {:jason, \"~> 1.4\"}\n"), want: one},
		{name: "hex behind a comment", files: deps("# the parser:\n{:jason, \"~> 1.4\"} # fast"), want: remote},
		{name: "computed dependencies, but a lock", files: map[string]string{
			"mix.exs": project("app: :a, deps: deps()"), "mix.lock": `%{"jason": {:hex, :jason, "1.4.4"}}`,
		}, want: mixProject{app: "a", manifest: []string{"mix.exs", "mix.lock"}, external: true}},
		{name: "an empty lock", files: map[string]string{"mix.exs": project("app: :a"), "mix.lock": "%{\n}\n"},
			want: mixProject{app: "a", manifest: []string{"mix.exs", "mix.lock"}}},
		{name: "a release is no dependency", files: map[string]string{"mix.exs": project(`app: :a, releases: [a: [path: "../rel"]], build_path: "../_build"`)}, want: one},

		{name: "path", files: map[string]string{
			"mix.exs":              project(`app: :a, deps: [{:b, path: "libs/b"}]`),
			"libs/b/mix.exs":       project(`app: :b, deps: [{:c, path: "../c"}, {:a, path: "../.."}]`),
			"libs/c/mix.exs":       project(`app: :c, deps: [{:jason, "~> 1.0"}]`),
			"config/config.exs":    "import Config\n",
			"libs/unused/mix.exs":  project(`app: :d, deps: [{:e, path: "/e"}]`),
			"libs/unused/mix.lock": "",
		}, want: mixProject{app: "a", manifest: []string{"libs/b/mix.exs", "libs/c/mix.exs", "mix.exs"}, local: []string{"libs/b", "libs/c"}, external: true, config: true}},
		{name: "path that is missing", files: deps(`{:b, path: "libs/b"}`), want: one},
		{name: "path with a version, built by rebar3", files: map[string]string{
			"mix.exs": project(`app: :a, deps: [{:b, "~> 1.0", path: "libs/b"}]`), "libs/b/rebar.config": "",
		}, want: mixProject{app: "a", manifest: []string{"mix.exs"}, local: []string{"libs/b"}}},
		{name: "umbrella", files: map[string]string{
			"mix.exs":             project(`apps_path: "apps", version: "1"`),
			"apps/one/mix.exs":    project(`app: :one, build_path: "../../_build", deps: [{:jason, "~> 1.4"}]`),
			"apps/two/mix.exs":    project(`app: :two, deps: [{:one, in_umbrella: true}, {:c, path: "../../libs/c"}]`),
			"libs/c/rebar.config": "",
			"apps/README.md":      "",
		}, want: mixProject{manifest: []string{"apps/one/mix.exs", "apps/two/mix.exs", "mix.exs"}, local: []string{"libs/c"}, external: true}},

		{name: "path outside", files: deps(`{:b, path: "../b"}`), err: `mix.exs depends on "../b", outside`},
		{name: "path outside, absolute", files: deps(`{:b, path: "/srv/b"}`), err: `"/srv/b", outside`},
		{name: "path outside by a detour", files: deps(`{:b, path: "libs/../../b"}`), err: "outside"},
		{name: "path outside, of an umbrella's", files: map[string]string{
			"mix.exs": project(`apps_path: "apps"`), "apps/one/mix.exs": project(`app: :one, deps: [{:b, path: "../../../b"}]`),
		}, err: `apps/one/mix.exs depends on "../../../b", outside`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, tt.files)
			got, err := readMixProject(dir)
			if tt.err != "" {
				var source *SourceError
				if !errors.As(err, &source) || !strings.Contains(err.Error(), tt.err) || source.Hint() == "" {
					t.Errorf("got %v, want a SourceError that says %q", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(mixProject{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// FuzzReadMixProject: whatever a mix.exs holds, it is read or refused; comments
// are gone and nothing else is.
func FuzzReadMixProject(f *testing.F) {
	f.Add(mixExs, `%{"jason": {:hex, :jason, "1.4.4"}}`)
	f.Add(`[app: :a, deps: [{:b, path: ".."}, {:c, path: "."}, {:d, path: ""}]] # x`, "")
	f.Add(`apps_path: "[", {:a, "`, "")
	f.Add("?\n?#\"\\", "")
	f.Add("#", "{:git,")
	f.Fuzz(func(t *testing.T, text, lock string) {
		dir := t.TempDir()
		write(t, dir, map[string]string{"mix.exs": text, "mix.lock": lock})
		got, err := readMixProject(dir)
		if err == nil {
			if want := []string{"mix.exs", "mix.lock"}; cmp.Diff(want, got.manifest) != "" {
				t.Errorf("manifest %q", got.manifest)
			}
			for _, local := range got.local {
				if strings.HasPrefix(local, "..") && (local == ".." || strings.HasPrefix(local, "../")) || strings.HasPrefix(local, "/") {
					t.Errorf("%q is outside", local)
				}
			}
			if _, err := newMixDockerfile("base", Info{}, Options{MixEnv: "dev"}, got).render(); err != nil {
				t.Error(err)
			}
		}
		code := uncommented(text)
		if len(code) > len(text)+1 || strings.Count(code, "\n") < strings.Count(text, "\n") {
			t.Errorf("%q became %q", text, code)
		}
		if !strings.Contains(text, "#") && code != text {
			t.Errorf("%q without comments became %q", text, code)
		}
	})
}

func TestAFolderOfAnyName(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "[work] *?")
	write(t, dir, map[string]string{"mix.exs": `[apps_path: "apps"]`, "apps/one/mix.exs": `[app: :one, deps: [{:jason, "~> 1.4"}]]`})
	got, err := readMixProject(dir)
	must(t, err)
	want := mixProject{manifest: []string{"apps/one/mix.exs", "mix.exs"}, external: true}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(mixProject{})); diff != "" {
		t.Error(diff)
	}
}

func TestUnreadableManifest(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Mkdir(dir+"/mix.exs", 0o755))
	if _, err := readMixProject(dir); err == nil || !strings.Contains(err.Error(), "read mix.exs") {
		t.Errorf("got %v", err)
	}
}
