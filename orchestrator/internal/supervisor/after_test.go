package supervisor

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
)

// chain makes n2 start after n1, and n3 after n2.
func chain(s *orchestrator.Spec) { s.Nodes[1].After, s.Nodes[2].After = []string{"n1"}, []string{"n2"} }

func TestANodeStartsWhenThoseBeforeItAreReady(t *testing.T) {
	s := newScript(t, 3, chain)
	s.expect("n1 creating", "launch n1#1")
	if n := s.sup.byName["n3"]; n.state != orchestrator.Pending || n.reason != "waits for n2 (pending)" {
		t.Errorf("n3 is %s: %s", n.state, n.reason)
	}
	s.run("n1")
	s.skip()
	s.prove("n1")
	s.expect("n1 ready", "n2 creating", "launch n2#1")
	s.run("n2")
	s.die("n1", 1) // n2 has started already: it does not matter to it that n1 comes back
	s.postmortem("n1", "")
	s.skip()
	s.prove("n2")
	if !slices.Contains(s.wants, "launch n3#1") {
		t.Errorf("n3 is not started: %v", s.wants)
	}
}

// A role in after: stands for all nodes of that role.
func TestANodeStartsWhenAllOfARoleAreReady(t *testing.T) {
	s := newScript(t, 3, func(spec *orchestrator.Spec) {
		spec.Nodes[0].Role, spec.Nodes[1].Role = "db", "db"
		spec.Nodes[2].After = []string{"db"}
	})
	s.expect("n1 creating", "launch n1#1", "n2 creating", "launch n2#1")
	if n := s.sup.byName["n3"]; n.reason != "waits for n1 (creating), n2 (creating)" {
		t.Errorf("n3 is %s: %s", n.state, n.reason)
	}
	s.run("n1")
	s.run("n2")
	s.skip()
	s.prove("n1")
	if slices.Contains(s.wants, "launch n3#1") {
		t.Errorf("n3 does not wait for n2: %v", s.wants)
	}
	s.prove("n2")
	s.meet("n1", "n2")
	if !slices.Contains(s.wants, "launch n3#1") {
		t.Errorf("n3 is not started: %v", s.wants)
	}
}

func TestWhatStartsAfterAFailureFailsWithIt(t *testing.T) {
	s := newScript(t, 3, func(spec *orchestrator.Spec) { chain(spec); spec.Restart.Mode = orchestrator.RestartNo })
	s.run("n1")
	s.die("n1", 1)
	s.skip()
	s.postmortem("n1", "no such application")
	want := []string{
		"n1 failed: boot (exit 1): no such application; not restarted: the restart policy is \"no\"",
		"n2 failed: not started: it starts after n1, which failed", "n3 failed: not started: it starts after n2, which failed",
	}
	if !slices.Equal(s.wants[:3], want) {
		t.Errorf("%v", s.wants)
	}
	if cause := s.sup.cause.Error(); strings.Index(cause, "n1 (failed)") > strings.Index(cause, "n2 (failed)") {
		t.Errorf("the root cause is not listed first: %s", cause)
	}
}

func TestTheDeadlineCountsForNodesThatWait(t *testing.T) {
	s := newScript(t, 2, func(spec *orchestrator.Spec) { spec.Nodes[1].After = []string{"n1"} })
	s.run("n1")
	s.after(30 * time.Second)
	if cause := s.sup.cause.Error(); !strings.Contains(cause, "n2 (pending): waits for n1 (starting)") {
		t.Error(cause)
	}
}

func TestAStartByHandDoesNotWait(t *testing.T) {
	s := newScript(t, 2, func(spec *orchestrator.Spec) { spec.Nodes[1].After = []string{"n1"} })
	s.skip()
	s.send(Command{Kind: CmdStart, Nodes: []string{"n2"}, Waiter: 7})
	s.expect("n2 creating", "launch n2#1")
}

func TestAStopEndsTheWait(t *testing.T) {
	s := newScript(t, 2, func(spec *orchestrator.Spec) { spec.Nodes[1].After = []string{"n1"} })
	s.skip()
	s.send(Command{Kind: CmdDown})
	s.run("n1")
	s.send(Stopped{RunID: s.report("n1")})
	s.die("n1", 0)
	if slices.Contains(s.wants, "launch n2#1") || !slices.Contains(s.wants, "remove") {
		t.Errorf("%v", s.wants)
	}
}
