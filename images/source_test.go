package images

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDetect(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, ".", map[string]string{
		"app/mix.exs":        mixExs,
		"service/Dockerfile": "FROM elixir\n",
		"both/mix.exs":       mixExs,
		"both/Dockerfile":    "FROM elixir\n",
		"empty/README.md":    "",
		"odd/mix.exs/x":      "", // a folder of that name is not a Mix project
		"notes.txt":          "",
		"elixir/mix.exs":     mixExs,
	})
	digest := "@sha256:" + strings.Repeat("0a", 32)
	tests := []struct {
		arg  string
		want Source
		err  string
	}{
		{arg: "app", want: Source{Kind: Mix, Dir: "app"}},
		{arg: "./app/", want: Source{Kind: Mix, Dir: "./app/"}},
		{arg: "app/mix.exs", want: Source{Kind: Mix, Dir: "app"}},
		{arg: "service", want: Source{Kind: Dockerfile, Dir: "service"}},
		{arg: "both", want: Source{Kind: Mix, Dir: "both", Beside: "Dockerfile"}},
		{arg: "elixir", want: Source{Kind: Mix, Dir: "elixir"}}, // an existing folder takes precedence over an image name
		{arg: "rootfs:trixie", want: Source{Kind: Debian, Suite: "trixie"}},
		{arg: "rootfs:bookworm", want: Source{Kind: Debian, Suite: "bookworm"}},
		{arg: "rootfs:trixie,rabbitmq-server,g++", want: Source{Kind: Debian, Suite: "trixie", Packages: []string{"rabbitmq-server", "g++"}}},

		{arg: "alpine", want: Source{Kind: Reference, Ref: "alpine"}},
		{arg: "repo/app:1.0", want: Source{Kind: Reference, Ref: "repo/app:1.0"}},
		{arg: "localhost:5000/team/app", want: Source{Kind: Reference, Ref: "localhost:5000/team/app"}},
		{arg: "r.example:5000/a__b/c-d:V_1" + digest, want: Source{Kind: Reference, Ref: "r.example:5000/a__b/c-d:V_1" + digest}},
		{arg: "app" + digest, want: Source{Kind: Reference, Ref: "app" + digest}},
		{arg: digest[1:], want: Source{Kind: Reference, Ref: digest[1:]}},
		{arg: "c93eb1cb7475", want: Source{Kind: Reference, Ref: "c93eb1cb7475"}},

		{arg: "", err: "no such folder"},
		{arg: "./nowhere", err: "no such folder"},
		{arg: "/no/where", err: "no such folder"},
		{arg: "nowhere/", err: "no such folder"},
		{arg: "..nowhere", err: "no such folder"},
		{arg: "~/app", err: "no such folder"},
		{arg: "notes.txt", err: "is a file, not a folder"},
		{arg: "notes.txt/App", err: "is neither a folder"},
		{arg: "empty", err: "neither a mix.exs nor a Dockerfile"},
		{arg: "odd", err: "neither a mix.exs nor a Dockerfile"},
		{arg: "MyApp", err: "is neither a folder nor the name of an image"},
		{arg: "a b", err: "is neither a folder nor the name of an image"},
		{arg: "app:", err: "is neither a folder nor the name of an image"},
		{arg: "app:1:2", err: "is neither a folder nor the name of an image"},
		{arg: "app@sha256:abc", err: "is neither a folder nor the name of an image"},
		{arg: "app//x", err: "is neither a folder nor the name of an image"},
		{arg: "app\x00", err: "is neither a folder nor the name of an image"},
		{arg: "rootfs:", err: `"" is not a Debian suite`},
		{arg: "rootfs:trixie,", err: `"" is not a valid Debian package name`},
		{arg: "rootfs:trixie,-x", err: `"-x" is not a valid Debian package name`},
		{arg: "rootfs:potato,x", err: `"potato" is not a Debian suite`},
		{arg: "rootfs:potato", err: `"potato" is not a Debian suite`},
	}
	for _, tt := range tests {
		t.Run(tt.arg, func(t *testing.T) {
			got, err := Detect(tt.arg)
			if tt.err == "" {
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Error(diff)
				}
				return
			}
			var source *SourceError
			if !errors.As(err, &source) || !strings.Contains(err.Error(), tt.err) || len(source.Hint()) == 0 {
				t.Errorf("got %+v, %v (%T); want a SourceError with a hint, saying %q", got, err, err, tt.err)
			}
		})
	}
}

const mixExs = `defmodule Tiny.MixProject do
  use Mix.Project

  def project do
    [app: :tiny, version: "0.1.0", elixir: "~> 1.14"]
  end
end
`

// write creates files from a map of slash-separated paths to texts.
func write(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		full := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// listen keeps a unix socket at path until the test ends.
func listen(t *testing.T, path string) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
}
