package manifest

import (
	"errors"

	"github.com/beamyard/beamyard/images"
	"github.com/beamyard/beamyard/network"
	"github.com/beamyard/beamyard/orchestrator/diagnosis"
	"github.com/beamyard/beamyard/orchestrator/internal/sentinels"
)

// KindOf returns an error's kind for package diagnosis, by its type and not its text.
func KindOf(err error) diagnosis.Kind {
	switch {
	case errors.As(err, new(*network.PortTakenError)):
		return diagnosis.KindPortTaken
	case errors.As(err, new(*network.PoolExhaustedError)):
		return diagnosis.KindAddressPool
	}
	for _, k := range sentinels.All {
		if kind := diagnosis.Kind(k.Name); errors.Is(err, k.Err) && kind.Known() {
			return kind
		}
	}
	if errors.As(err, new(*images.BuildError)) {
		return diagnosis.KindBuild
	}
	return ""
}
