package manifest

import (
	"fmt"
	"testing"

	"github.com/beamyard/beamyard/images"
	"github.com/beamyard/beamyard/network"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/diagnosis"
)

// The kind of an error is found however it is wrapped. If an error matches two sentinels,
// the one that explains it decides.
func TestKindOf(t *testing.T) {
	for want, err := range map[diagnosis.Kind]error{
		diagnosis.KindEngineUnreachable: fmt.Errorf("start: %w", orchestrator.ErrEngineUnreachable),
		diagnosis.KindNoRegistry:        fmt.Errorf("%w: %w", images.ErrNotFound, images.ErrNoRegistry),
		diagnosis.KindNoImage:           images.ErrNotFound,
		diagnosis.KindPortTaken:         &network.PortTakenError{Port: 4000},
		diagnosis.KindAddressPool:       fmt.Errorf("network: %w", orchestrator.ErrAddressPool),
		diagnosis.KindBuild:             &images.BuildError{Err: orchestrator.ErrNotRunning},
		"":                              orchestrator.ErrConflict,
	} {
		if got := KindOf(err); got != want {
			t.Errorf("%v: %q, want %q", err, got, want)
		}
	}
}
