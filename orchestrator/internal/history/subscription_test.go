package history

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
)

// The events that an engine replays on a resumed stream show whether it was restarted: a
// restarted engine has forgotten its earlier events.
func TestAForgetfulEngineWasRestarted(t *testing.T) {
	at := func(second int) time.Time { return time.Date(2026, 1, 1, 0, 0, second, 0, time.UTC) }
	for name, c := range map[string]struct {
		told  []int // the times of the replayed events after a break at 10, resumed at 20
		fresh string
	}{
		"it remembers":                {[]int{5, 15, 16, 25}, "15 16 25"},
		"it was restarted":            {[]int{15, 16, 25}, "15! 16! 25"},
		"nothing happened meanwhile":  {[]int{5, 25}, "25"},
		"restarted, and quiet so far": {[]int{25, 26}, "25 26"},
	} {
		s := NewSubscription(at(0))
		s.Take(orchestrator.ContainerEvent{ID: "a", Action: "start", Time: at(3)})
		s.Take(orchestrator.ContainerEvent{ID: "a", Action: "start", Time: at(5)})
		s.Resume(at(20))
		var got []string
		for _, second := range c.told {
			switch fresh, restarted := s.Take(orchestrator.ContainerEvent{ID: "a", Action: "start", Time: at(second)}); {
			case restarted:
				got = append(got, fmt.Sprint(second, "!"))
			case fresh:
				got = append(got, fmt.Sprint(second))
			}
		}
		if strings.ReplaceAll(strings.Join(got, " "), " !", "!") != c.fresh {
			t.Errorf("%s: %q, want %q", name, got, c.fresh)
		}
	}
}
