package main

import "github.com/beamyard/beamyard/orchestrator"

// servingText describes what answers at a node's HTTP port if that is not what it should be.
func servingText(n orchestrator.NodeStatus) string {
	switch n.Serving {
	case orchestrator.ServingForwarded:
		return "listens on loopback only; its port is forwarded"
	case orchestrator.ServingLoopback:
		return "listens on loopback only, inside its container: it cannot be reached"
	case orchestrator.ServingNothing:
		return "nothing listens on its HTTP port"
	case orchestrator.ServingUnknown, orchestrator.ServingOpen:
	}
	return ""
}
