package images

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWant(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, ".", map[string]string{
		"app/mix.exs": mixExs, "service/Dockerfile": "FROM elixir\n",
		"both/mix.exs": mixExs, "both/Dockerfile": "FROM elixir\n", "both/docker/prod": "FROM elixir\n",
	})
	elsewhere := filepath.Join(t.TempDir(), "Dockerfile")
	write(t, filepath.Dir(elsewhere), map[string]string{"Dockerfile": "FROM elixir\n"})
	args := map[string]string{"VERSION": "1"}
	tests := []struct {
		name string
		want Want
		src  Source
		err  string
	}{
		{"a project beside a Dockerfile", Want{Source: "both"}, Source{Kind: Mix, Dir: "both", Beside: "Dockerfile"}, ""},
		{"its Dockerfile", Want{Source: "both", Dockerfile: "Dockerfile"}, Source{Kind: Dockerfile, Dir: "both", Dockerfile: "Dockerfile"}, ""},
		{"another one", Want{Source: "both", Dockerfile: "docker/prod", Target: "run", Args: args}, Source{Kind: Dockerfile, Dir: "both", Dockerfile: "docker/prod", Target: "run", Args: args}, ""},
		{"one that lies elsewhere", Want{Source: "app", Dockerfile: elsewhere}, Source{Kind: Dockerfile, Dir: "app", Dockerfile: elsewhere}, ""},
		{"the command of its image", Want{Source: "both", OwnCommand: true}, Source{Kind: Dockerfile, Dir: "both"}, ""},
		{"the command of its image, of a project alone", Want{Source: "app", OwnCommand: true}, Source{Kind: Mix, Dir: "app"}, ""},
		{"a folder that has no project", Want{Source: "service", Target: "run", Args: args}, Source{Kind: Dockerfile, Dir: "service", Target: "run", Args: args}, ""},
		{"a base for a project", Want{Source: "both", Base: "trixie", ReleaseName: "web"}, Source{Kind: Mix, Dir: "both", Beside: "Dockerfile"}, ""},
		{"auto asks for nothing", Want{Source: "alpine", Base: "auto"}, Source{Kind: Reference, Ref: "alpine"}, ""},
		{"an image", Want{Source: "both", Image: "app"}, Source{Kind: Reference, Ref: "app"}, ""},

		{"no such Dockerfile", Want{Source: "both", Dockerfile: "Dockerfile.dev"}, Source{}, "Dockerfile.dev: no such Dockerfile"},
		{"a folder as a Dockerfile", Want{Source: "both", Dockerfile: "docker"}, Source{}, "docker: no such Dockerfile"},
		{"a base beside a Dockerfile", Want{Source: "service", Base: "trixie"}, Source{}, "service: is built as its Dockerfile says: base_image: trixie would have no effect"},
		{"a base beside the Dockerfile that was asked for", Want{Source: "both", Dockerfile: "Dockerfile", Base: "trixie"}, Source{}, "base_image: trixie would have no effect"},
		{"a base beside an image", Want{Source: "alpine", Base: "trixie"}, Source{}, "alpine: is an image that exists already: base_image: trixie would have no effect"},
		{"a base beside image:", Want{Image: "alpine", Base: "trixie"}, Source{}, "alpine: is an image that exists already"},
		{"a base beside Debian's packages", Want{Source: "rootfs:trixie", Base: "bookworm"}, Source{}, "is made of Debian packages"},
		{"a Dockerfile beside an image", Want{Source: "alpine", Dockerfile: "Dockerfile"}, Source{}, "dockerfile: Dockerfile would have no effect"},
		{"a Dockerfile beside image:", Want{Source: "both", Image: "alpine", Dockerfile: "Dockerfile"}, Source{}, "dockerfile: Dockerfile would have no effect"},
		{"a target without one", Want{Source: "both", Target: "run"}, Source{}, "both: is a Mix project: target: run would have no effect"},
		{"arguments without one", Want{Source: "app", Args: args}, Source{}, "args: would have no effect"},
		{"the release of a Dockerfile", Want{Source: "service", ReleaseName: "web"}, Source{}, "release_name: web would have no effect"},
		{"nothing there", Want{Source: "./nowhere", Dockerfile: "Dockerfile"}, Source{}, "no such folder"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.want.Detect()
			if tt.err != "" {
				source, ok := err.(*SourceError) //nolint:errorlint // it is returned as it is
				if !ok || !strings.Contains(err.Error(), tt.err) || len(source.Hint()) == 0 {
					t.Errorf("got %v, want %q with a hint", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.src, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
