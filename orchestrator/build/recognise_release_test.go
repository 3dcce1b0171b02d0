package build

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/beamyard/beamyard/images"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/internal/manifest"
)

func TestReleaseRoots(t *testing.T) {
	for _, tt := range []struct {
		command []string
		dir     string
		want    string
	}{
		{[]string{"/app/bin/server"}, "/app", "[/app] []"},
		{[]string{"bin/ledger", "start"}, "/srv/ledger", "[/srv/ledger] []"},
		{[]string{"/bin/sh", "-c", "./bin/migrate && exec ./bin/shop start"}, "/app/", "[/app] []"},
		{[]string{"/usr/bin/tini", "--", "/opt/shop/bin/shop", "start"}, "", "[/opt/shop] [/]"},
		{[]string{"/entrypoint.sh", "start"}, "/app", "[] [/app]"},
		{nil, "/app", "[] [/app]"},
		{[]string{"mix", "run", "--no-halt"}, "/app", "[] []"},
		{[]string{"elixir", "-S", "mix", "phx.server"}, "/app", "[] []"},
		{[]string{"PATH=/x/bin/y", "/usr/local/bin/run"}, "/", "[] [/]"},
		{[]string{"/app/sbin/x"}, "/app", "[] [/app]"},
	} {
		certain, likely := releaseRoots(tt.command, tt.dir)
		if got := fmt.Sprint(certain, likely); got != tt.want {
			t.Errorf("%s in %q: %s, want %s", strings.Join(tt.command, " "), tt.dir, got, tt.want)
		}
	}
}

// manyImages is an engine with images, some of which contain a release in /app.
type manyImages struct {
	orchestrator.Engine
	images   map[string]images.Info
	releases []string
}

func (e manyImages) Image(_ context.Context, ref string) (images.Info, error) {
	info := e.images[ref]
	info.ID = ref
	return info, nil
}

func (e manyImages) Containers(context.Context, map[string]string) ([]orchestrator.Container, error) {
	return nil, nil
}

func (e manyImages) CreateContainer(_ context.Context, c orchestrator.ContainerSpec) (string, error) {
	return c.Image, nil
}

func (e manyImages) RemoveContainer(context.Context, string) error { return nil }

func (e manyImages) OpenFile(_ context.Context, id, name string) (io.ReadCloser, time.Time, error) {
	if strings.HasPrefix(name, "/app/releases/") && slices.Contains(e.releases, id) {
		return io.NopCloser(strings.NewReader("")), time.Time{}, nil
	}
	return nil, time.Time{}, orchestrator.ErrNotFound
}

// Each custom image is examined: its node runs what that image contains, whatever the
// cluster's contains, with its own command.
func TestReleasesOfNodesImages(t *testing.T) {
	eng := manyImages{
		images: map[string]images.Info{
			"front": {WorkingDir: "/app", Cmd: []string{"/app/bin/front", "start"}, Env: []string{"MIX_ENV=stage"}},
			"back":  {WorkingDir: "/app", Entrypoint: []string{"/app/bin/back"}, Cmd: []string{"start"}},
			"tool":  {WorkingDir: "/", Cmd: []string{"tool"}},
		},
		releases: []string{"front", "back"},
	}
	nodes := []orchestrator.NodeSpec{
		{Name: "n1"},
		{Name: "front", Image: "front", Built: true},
		{Name: "back", Image: "back", Built: true},
		{Name: "own", Image: "front", Built: true, Command: []string{"/app/bin/front", "start_iex"}},
		{Name: "tool", Image: "tool", Built: true},
		{Name: "other", Image: "tool", Command: []string{orchestrator.CommandOfImage}},
	}
	for name, tt := range map[string]struct {
		cluster orchestrator.Spec
		n1      string
	}{
		"beside a Mix project":     {orchestrator.Spec{Image: "mix", Precompiled: true, MixEnv: "dev"}, "false [] [] dev"},
		"beside a release of Mix":  {orchestrator.Spec{Image: "mix", Precompiled: true, MixEnv: "prod", Release: true, Command: []string{images.ReleaseScript, "start"}}, "true [] [" + images.ReleaseScript + " start] prod"},
		"beside a Dockerfile's":    {orchestrator.Spec{Image: "tool"}, "false [] [] dev"},
		"beside a release of such": {orchestrator.Spec{Image: "front"}, "true [] [/app/bin/front start] stage"},
	} {
		t.Run(name, func(t *testing.T) {
			written := orchestrator.Spec{Name: "mill", Nodes: nodes}
			s := tt.cluster
			s.Name, s.Nodes = "mill", slices.Clone(nodes)
			var err error
			if s, err = withImages(t.Context(), s, eng); err != nil {
				t.Fatal(err)
			}
			if s, err = ownReleases(t.Context(), s, eng, written, "", io.Discard); err != nil {
				t.Fatal(err)
			}
			if s, err = recognised(t.Context(), s, eng, "", io.Discard); err != nil {
				t.Fatal(err)
			}
			if s, err = releaseOfImage(t.Context(), s, eng); err != nil {
				t.Fatal(err)
			}
			for node, want := range map[string]string{
				"n1":    tt.n1,
				"front": "true [] [/app/bin/front start] stage",
				"back":  "true [/app/bin/back] [start] prod",
				"own":   "true [] [/app/bin/front start_iex] stage",
				"tool":  "false [] [] dev",
				"other": "false [] [image]",
			} {
				n := s.Node(node)
				got := fmt.Sprint(s.RunsRelease(n), " ", n.Entrypoint, " ", n.Command)
				if node != "other" { // this image does not set MIX_ENV
					got += " " + n.MixEnv
				}
				if s.Image != n.Image || node == "n1" {
					if got != want {
						t.Errorf("%s: %s, want %s", node, got, want)
					}
				}
			}
			env := strings.Join(manifest.Env(s, s.Index("back")), "\n")
			if !strings.Contains(env, "BEAMYARD_ERL_AFLAGS=") || strings.Contains(env, "-setcookie") {
				t.Errorf("the cookie and the flags of back are not those of a release:\n%s", env)
			}
		})
	}
}
