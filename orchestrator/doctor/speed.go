package doctor

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/beamyard/beamyard/orchestrator"
)

// What another engine would save. It is information, never a warning: a cluster runs as well
// without, and a start is mostly the time that the nodes' VMs take.

// lookSpeed judges what starts and builds cost on this engine.
func lookSpeed(_ context.Context, e *examination) verdict { return judgeSpeed(e.engine.info) }

// The figures are processor time for each container, or elapsed time for each image, on 2
// processors (AMD EPYC). README.md says how they were measured.
const (
	// crunSaves is the difference between runc 1.1.5 (46 ms) and crun 1.8.1 (16 ms), for a
	// container that exits at once.
	crunSaves = 30
	// reexecSaves is what Docker 20.10 takes to execute its own program up to four times for
	// a start. All but one are gone in 24.0, and the last in 28.0.
	reexecSaves = 90
	// fuseCosts is what a node's boot takes longer where every file comes through fuse-overlayfs.
	fuseCosts = 55
)

// judgeSpeed says what an engine's version, its runtime and its storage driver cost.
func judgeSpeed(info orchestrator.EngineInfo) verdict {
	var saves []string
	if info.Runtime == "runc" {
		saves = append(saves, fmt.Sprintf("crun, about %d ms for each container", crunSaves))
	}
	// Versions below 20 are Podman's.
	major := majorVersion(info.Version)
	if major >= 20 && major < 24 {
		saves = append(saves, fmt.Sprintf("Docker 24.0 or later, up to %d ms for each container", reexecSaves))
	}
	if fuse := info.StorageDriver == "fuse-overlayfs"; fuse || info.StorageDriver == "vfs" {
		text := "overlay2"
		if fuse {
			text += fmt.Sprintf(", about %d ms for each boot", fuseCosts)
		}
		saves = append(saves, text+", a second or more for each new image")
	}
	if len(saves) == 0 {
		return ok("nothing is known that would make this engine faster")
	}
	return ok("would save time: %s", strings.Join(saves, "; "))
}

// majorVersion returns the first number of a version, 0 if it has none.
func majorVersion(version string) int {
	first, _, _ := strings.Cut(version, ".")
	n, err := strconv.Atoi(first)
	if err != nil {
		return 0
	}
	return n
}
