package supervisor

import (
	"strings"
	"testing"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
)

// waits answers the examination of a node that exited because it lacked something.
func (s *script) waits(node, on string) {
	s.send(Examined{s.report(node), Findings{Reason: "** (Mix) Could not start application shop", Waits: on}})
}

func TestAPassingFailureIsRetriedUntilTheDeadline(t *testing.T) {
	s := newScript(t, 1, func(spec *orchestrator.Spec) { spec.Restart.Max = 30 })
	s.run("n1")
	s.skip()
	for try, next := range []string{"1 try; restart 1/30 in 1s", "2 tries; restart 2/30 in 2s", "3 tries; restart 3/30 in 4s", "4 tries; restart 4/30 in 8s"} {
		if try > 0 {
			s.after(time.Duration(1<<(try-1)) * time.Second)
			s.run("n1")
			s.skip()
		}
		s.die("n1", 1)
		s.waits("n1", "db:5432: connection refused")
		s.expect("n1 backing-off: exit 1", "n1 backing-off: boot (exit 1): waits for db:5432: connection refused, "+next)
	}
	s.after(8 * time.Second) // the fifth try is in progress when the deadline passes
	s.run("n1")
	s.skip()
	s.after(30 * time.Second)
	if got := strings.Join(s.wants, "\n"); !strings.Contains(got, "n1 (starting): waits for db:5432: connection refused, 4 tries") {
		t.Errorf("the deadline does not say what n1 waited for:\n%s", got)
	}
}

func TestPassingFailuresUseUpTheBudget(t *testing.T) {
	s := newScript(t, 1, func(spec *orchestrator.Spec) { spec.Restart.Max = 1 })
	s.run("n1")
	s.die("n1", 1)
	s.waits("n1", "db:5432: connection refused")
	s.after(time.Second)
	s.run("n1")
	s.skip()
	s.die("n1", 1)
	s.waits("n1", "db:5432: connection refused")
	got := strings.Join(s.wants, "\n")
	if !strings.Contains(got, "n1 failed: boot (exit 1): waits for db:5432: connection refused, 2 tries; not restarted: 1 restarts within 10m0s are used up") {
		t.Errorf("%s", got)
	}
}
