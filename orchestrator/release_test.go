package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/beamyard/beamyard/images"
)

// oneImage is an engine that has one image.
type oneImage struct {
	Engine
	info images.Info
	err  error
}

func (e oneImage) Info(context.Context) (EngineInfo, error) { return EngineInfo{}, nil }

func (e oneImage) Image(context.Context, string) (images.Info, error) { return e.info, e.err }

// What starts the release of an image that holds one: what the spec says, or the
// image; once it is known it stays.
func TestReleaseOfAnImage(t *testing.T) {
	bin, start := []string{"/app/bin/shop"}, []string{"start"}
	tests := []struct {
		name string
		spec Spec
		info images.Info
		err  error
		want string // entrypoint, command or the error
	}{
		{"the image's own", Spec{}, images.Info{Entrypoint: bin, Cmd: start}, nil, "[/app/bin/shop] [start]"},
		{"a command", Spec{Command: []string{"/app/bin/server"}}, images.Info{Cmd: start}, nil, "[] [/app/bin/server]"},
		{"a command for the image's entrypoint", Spec{Command: []string{"start_iex"}}, images.Info{Entrypoint: bin, Cmd: start}, nil, "[/app/bin/shop] [start_iex]"},
		{"an entrypoint", Spec{Entrypoint: []string{"/init"}}, images.Info{Entrypoint: bin, Cmd: start}, nil, "[/init] [start]"},
		{"neither", Spec{}, images.Info{}, nil, "neither an ENTRYPOINT nor a CMD"},
		{"an image that is not there", Spec{}, images.Info{}, fmt.Errorf("shop: %w", images.ErrNotFound), "[] []"},
		{"an engine that is not there", Spec{}, images.Info{}, ErrEngineUnreachable, "look at image shop:1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.spec.Image, tt.spec.Release = "shop:1", true
			eng := oneImage{info: tt.info, err: tt.err}
			got, err := Prepare(t.Context(), eng, tt.spec, t.Output())
			if err != nil {
				if !strings.Contains(err.Error(), tt.want) || tt.err != nil && !errors.Is(err, tt.err) {
					t.Errorf("error %v, want %q", err, tt.want)
				}
				return
			}
			again, err := Prepare(t.Context(), eng, got, t.Output())
			if said := fmt.Sprint(again.Entrypoint, again.Command); err != nil || said != tt.want || said != fmt.Sprint(got.Entrypoint, got.Command) {
				t.Errorf("%s, %v, want %s", said, err, tt.want)
			}
		})
	}
}

// The VM flags of a release go to the node alone, its cookie where only its script
// looks, and what a user adds to both.
func TestReleaseContainer(t *testing.T) {
	s := Spec{Name: "shop", Image: "shop:1", Nodes: NodeNames(2), Release: true, Cookie: "crumb", NetTick: 8 * time.Second, Env: map[string]string{"ERL_AFLAGS": "-x y"}}.releaseOfProject().Defaulted()
	c := containerSpec(s, 1, "net", placement{}, time.Unix(1, 0))
	if got := slices.Concat(c.Entrypoint[3:], c.Command); !slices.Equal(got, []string{"sh", images.ReleaseScript, "start"}) || c.Entrypoint[0] != "sh" {
		t.Errorf("entrypoint %q, command %q", c.Entrypoint, c.Command)
	}
	for _, want := range []string{
		"BEAMYARD_ERL_AFLAGS=-start_epmd false -erl_epmd_port 9100 -kernel net_ticktime 8 +sbwt none +sbwtdcpu none +sbwtdio none +Q 65536 -x y",
		"ERL_AFLAGS=-start_epmd false -erl_epmd_port 9100 -dist_listen false -x y",
		"MIX_ENV=prod", "RELEASE_COOKIE=crumb", "RELEASE_DISTRIBUTION=name", "RELEASE_NODE=app@n2.shop.test", "RELEASE_TMP=/tmp",
	} {
		if !slices.Contains(c.Env, want) {
			t.Errorf("no %s in %q", want, c.Env)
		}
	}
	if text := fmt.Sprint(c.Entrypoint, c.Command); strings.Contains(text, "crumb") {
		t.Errorf("the cookie is an argument: %s", text)
	}
	s.Distribution.EPMD = true
	c = containerSpec(s, 0, "net", placement{}, time.Unix(1, 0))
	if !slices.Contains(c.Env, "ERL_AFLAGS=-x y") {
		t.Errorf("with EPMD: %q", c.Env)
	}
}
