package supervisor

import (
	"testing"

	"github.com/beamyard/beamyard/orchestrator"
)

// A restarted engine stops the containers that it finds running, and reports that once it
// is back.
func TestWhatARestartedEngineStopsIsStartedAgain(t *testing.T) {
	s := up(t, 2, nil)
	s.skip()
	s.send(Unsubscribed{}, Subscribed{})
	told := func(action string) {
		s.send(EngineEvent{orchestrator.ContainerEvent{ID: "id-n1", Action: action, Signal: "15", Time: s.now, Labels: map[string]string{orchestrator.LabelNode: "n1"}}, true})
	}
	told("kill")
	told("die")
	told("stop")
	s.postmortem("n1", "")
	s.expect("n1 backing-off: exit 0", "n1 stopped: stopped-outside (exit 0)", "n1 starting", "start n1#2")
}
