package reach

import (
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/internal/manifest"
)

// FileLimit returns the limit of open files to request. An engine refuses a limit
// above its own hard limit when the container starts, which costs half a second for each
// node to find out; an engine on this machine seldom has less than this process.
func FileLimit(info orchestrator.EngineInfo) int64 {
	if hard, known := hardNoFile(); known && info.Local {
		return min(manifest.NoFile, hard)
	}
	return manifest.NoFile
}
