package cluster

import (
	"testing"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/internal/supervisor"
)

func TestLinesThatMayExplainAProblem(t *testing.T) {
	fell := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		state orchestrator.State
		young bool
		any   bool
		from  time.Time
	}{
		{orchestrator.Ready, false, false, time.Time{}},
		{orchestrator.Stopped, false, false, time.Time{}},
		{orchestrator.Stopping, false, false, time.Time{}},
		{orchestrator.Starting, true, false, time.Time{}},
		{orchestrator.Starting, false, true, time.Time{}},
		{orchestrator.Failed, false, true, time.Time{}},
		{orchestrator.BackingOff, false, true, time.Time{}},
		{orchestrator.Degraded, false, true, fell.Add(-unwellSlack)},
	} {
		if from, any := linesFrom(supervisor.NodeSnapshot{State: tc.state, Unwell: fell}, tc.young); any != tc.any || any && !from.Equal(tc.from) {
			t.Errorf("%s, young %t: %t from %s", tc.state, tc.young, any, from)
		}
	}
}
