package cluster_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/cluster"
)

// An engine without an init program, or one that does not know its machine's address,
// runs nodes all the same, and says once what they lack.
func TestNodesStartWithoutWhatTheEngineLacks(t *testing.T) {
	for name, prepare := range map[string]func(*world){
		"no init program (docker-init)": func(w *world) { w.eng.NoInit = true },
		"machine's address":             func(w *world) { w.eng.FailNext("CreateContainer", orchestrator.ErrNoHostGateway) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				prepare(w)
				w.up(nil)
				if said := w.history(); strings.Count(said, name) != 1 {
					t.Errorf("it is not said once:\n%s", said)
				}
				w.end()
			})
		})
	}
}

// What a user asked for is not left out in silence.
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
