package build

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/beamyard/beamyard/images"
	"github.com/beamyard/beamyard/orchestrator"
)

// oneImage is an engine with one image.
type oneImage struct {
	orchestrator.Engine
	info images.Info
	err  error
}

func (e oneImage) Proxies() map[string]string { return nil }

func (e oneImage) Image(context.Context, string) (images.Info, error) { return e.info, e.err }

// The command that starts the release in an image comes from the spec or from the image.
// Once it is known, it is kept.
func TestReleaseOfAnImage(t *testing.T) {
	bin, start := []string{"/app/bin/shop"}, []string{"start"}
	tests := []struct {
		name string
		spec orchestrator.Spec
		info images.Info
		err  error
		want string // the wanted entrypoint, command or error
	}{
		{"the image's own", orchestrator.Spec{}, images.Info{Entrypoint: bin, Cmd: start}, nil, "[/app/bin/shop] [start]"},
		{"a command", orchestrator.Spec{Command: []string{"/app/bin/server"}}, images.Info{Cmd: start}, nil, "[] [/app/bin/server]"},
		{"a command for the image's entrypoint", orchestrator.Spec{Command: []string{"start_iex"}}, images.Info{Entrypoint: bin, Cmd: start}, nil, "[/app/bin/shop] [start_iex]"},
		{"an entrypoint", orchestrator.Spec{Entrypoint: []string{"/init"}}, images.Info{Entrypoint: bin, Cmd: start}, nil, "[/init] [start]"},
		{"neither", orchestrator.Spec{}, images.Info{}, nil, "neither an ENTRYPOINT nor a CMD"},
		{"an image that is not there", orchestrator.Spec{}, images.Info{}, fmt.Errorf("shop: %w", images.ErrNotFound), "[] []"},
		{"an engine that is not there", orchestrator.Spec{}, images.Info{}, orchestrator.ErrEngineUnreachable, "look at image shop:1"},
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
