package images

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden Dockerfiles anew")

func TestMixDockerfile(t *testing.T) {
	debian := Info{
		WorkingDir: workDir, Labels: map[string]string{imageLabel: "debian"},
		Env: append([]string{"PATH=/bin", "MIX_ENV=dev"}, homeEnv...),
	}
	official := Info{Env: []string{"PATH=/bin", "LANG=C.UTF-8"}, WorkingDir: "/app"}
	withHex := Info{User: "elixir:elixir", Env: []string{"MIX_HOME=/opt/mix", "HEX_HOME=/opt/hex"}}
	umbrella := mixProject{
		manifest: []string{"apps/a/mix.exs", "apps/b c/mix.exs", "mix.exs", "mix.lock"}, local: []string{"libs/d"}, external: true, config: true,
	}
	tests := []struct {
		golden  string
		base    Info
		env     string
		project mixProject
		release Options
	}{
		{"debian", debian, "dev", mixProject{app: "a", manifest: []string{"mix.exs"}, config: true}, Options{}},
		{"debian-prod", debian, "prod", mixProject{app: "a", manifest: []string{"mix.exs"}}, Options{}},
		{"official", official, "dev", mixProject{app: "a", manifest: []string{"mix.exs"}}, Options{}},
		{"hex", official, "prod", mixProject{app: "a", manifest: []string{"mix.exs", "mix.lock"}, external: true}, Options{}},
		{"own-hex", withHex, "dev", mixProject{app: "a", manifest: []string{"mix.exs", "mix.lock"}, external: true, config: true}, Options{}},
		{"umbrella", official, "dev", umbrella, Options{}},
		{"release", debian, "prod", mixProject{app: "a", manifest: []string{"mix.exs"}}, Options{Release: true}},
		{"release-name", official, "prod", umbrella, Options{Release: true, ReleaseName: "web"}},
	}
	for _, tt := range tests {
		t.Run(tt.golden, func(t *testing.T) {
			tt.release.MixEnv = tt.env
			got, err := newMixDockerfile("base:1", tt.base, tt.release, tt.project).render()
			must(t, err)
			name := filepath.Join("testdata", tt.golden+".Dockerfile")
			if *update {
				must(t, os.WriteFile(name, got, 0o644))
			}
			want, err := os.ReadFile(name)
			must(t, err)
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
