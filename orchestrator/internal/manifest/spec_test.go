package manifest

import (
	"github.com/beamyard/beamyard/images"
	"github.com/beamyard/beamyard/orchestrator"
)

// validSpec returns a minimal valid spec.
func validSpec() orchestrator.Spec {
	return orchestrator.Spec{Name: "shop", Image: "shop:1", Nodes: orchestrator.NodeNames(3)}
}

// roles returns a spec of a web node and two workers.
func roles() orchestrator.Spec {
	return orchestrator.Spec{
		Name: "mill", Image: "mill:1", App: "mill", HTTPCheck: "/health", Cookie: "crumb",
		Checks: []orchestrator.Check{{Name: "db", RPC: "1"}, {HTTP: "/live"}, {Name: "queue", RPC: "2", Nodes: []string{"worker"}}},
		Nodes: []orchestrator.NodeSpec{
			{Name: "web", HTTPPort: 4001, HTTPCheck: "/up", Checks: []orchestrator.Check{{Name: "db", RPC: "3"}}},
			{Name: "worker1", Role: "worker", App: "mill_worker", HTTPPort: -1},
			{Name: "worker2", Role: "worker", HTTPCheck: "-"},
		},
	}
}

// twoImages returns a spec of nodes with two releases, as Prepare returns it.
func twoImages() orchestrator.Spec {
	return orchestrator.Spec{
		Name: "loom", Source: "/src", Image: "sha256:front", Precompiled: true, Release: true, Command: []string{images.ReleaseScript, "start"}, Cookie: "crumb",
		Nodes: []orchestrator.NodeSpec{{Name: "web", App: "loom_web"}, {Name: "worker", App: "loom_worker", Image: "sha256:back", Built: true, Precompiled: true}, {Name: "db", Image: "db:1", App: "-"}},
	}.Defaulted()
}
