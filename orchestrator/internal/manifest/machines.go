package manifest

import (
	"fmt"
	"maps"
	"slices"

	"github.com/beamyard/beamyard/orchestrator"
)

// CheckHosts checks that an engine has every host of a spec, and that each answers.
func CheckHosts(s orchestrator.Spec, info orchestrator.EngineInfo) error {
	for _, name := range slices.Sorted(maps.Keys(s.Hosts)) {
		switch h, known := info.Hosts[name]; {
		case !known && len(s.Hosts) == 1: // its engine alone is one engine, as without hosts
		case !known:
			return orchestrator.WithHint(fmt.Errorf("host %s: %w: the cluster has several hosts, and the engine is one", name, orchestrator.ErrNotFound),
				"in Go: docker.Open(spec) opens the engines of its hosts")
		case h.Lost != "":
			return orchestrator.WithHint(fmt.Errorf("host %s: %w: %s", name, orchestrator.ErrHostLost, h.Lost), "start its engine, or leave the host out of hosts")
		}
	}
	return nil
}

// EngineOf returns what is known of the engine that node i runs on.
func EngineOf(s orchestrator.Spec, i int, info orchestrator.EngineInfo) orchestrator.EngineInfo {
	if h, ok := info.Hosts[s.Nodes[i].Host]; ok {
		return h
	}
	return info
}
