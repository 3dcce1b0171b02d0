package cluster_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/cluster"
)

// An engine without an init program, or one that does not know its host's address, still
// runs nodes. What they lack is reported once.
func TestNodesStartOnAnEngineThatLacksFeatures(t *testing.T) {
	for name, prepare := range map[string]func(*world){
		"no init program (docker-init)": func(w *world) { w.eng.NoInit = true },
		"machine's address":             func(w *world) { w.eng.FailNext("CreateContainer", orchestrator.ErrNoHostGateway) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				prepare(w)
				w.up(nil)
				if said := w.history(); strings.Count(said, name) != 1 {
					t.Errorf("it is not reported once:\n%s", said)
				}
				w.end()
			})
		})
	}
}

// A setting of the user is never left out silently.
func TestAHostThatTheEngineRefusesIsAnError(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.eng.FailNext("CreateContainer", orchestrator.ErrNoHostGateway, orchestrator.ErrNoHostGateway, orchestrator.ErrNoHostGateway,
			orchestrator.ErrNoHostGateway, orchestrator.ErrNoHostGateway, orchestrator.ErrNoHostGateway)
		w.run(func(s *orchestrator.Spec) { s.ExtraHosts = map[string]string{"machine": orchestrator.HostGateway} }, cluster.Options{})
		if err := w.fails(); !errors.Is(err, orchestrator.ErrNodeFailed) || !strings.Contains(err.Error(), "machine's address") {
			t.Errorf("%v", err)
		}
	})
}
