package supervisor

import (
	"strings"
	"testing"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
)

func lasting(node string) orchestrator.Finding {
	f := finding(node, "release-env", "rel/env.sh of the release overrides RELEASE_NODE")
	f.Lasting = true
	return f
}

// gaveUp reports whether the supervisor has given up on the cluster.
func (s *script) gaveUp() bool { return strings.Contains(strings.Join(s.wants, "\n"), "collect: ") }

// A problem that does not pass with time ends the wait long before the deadline. It must
// be found twice in a VM that runs, because a script may start another VM first.
func TestALastingProblemEndsTheWait(t *testing.T) {
	s := newScript(t, 2, nil)
	s.run("n1")
	s.run("n2")
	s.after(AskFirst)
	s.send(s.answer(lasting("n1")))
	if s.gaveUp() {
		t.Fatal("given up after the first diagnosis")
	}
	if at := s.sup.askAt(); at.Sub(s.now) != askSure {
		t.Fatalf("the next diagnosis is after %s", at.Sub(s.now))
	}
	s.after(askSure)
	s.send(s.answer(lasting("n1")))
	if !s.gaveUp() {
		t.Fatalf("not given up: %v", s.wants)
	}
	cause, ok := s.sup.cause.(*orchestrator.ClusterError) //nolint:errorlint // as the supervisor made it
	if !ok || len(cause.Problems) != 1 || cause.Problems[0].Node != "n1" {
		t.Errorf("the cause: %v", s.sup.cause)
	}
}

// A problem that is found once and not again has passed.
func TestAPassingProblemDoesNotEndTheWait(t *testing.T) {
	s := newScript(t, 1, nil)
	s.run("n1")
	for _, found := range [][]orchestrator.Finding{{lasting("n1")}, nil, {lasting("n1")}} {
		s.after(askSure)
		s.send(s.answer(found...))
	}
	if s.gaveUp() {
		t.Error("given up")
	}
	s.prove("n1")
	s.state("n1", orchestrator.Ready)
}

// A diagnosis of a run that has ended is enough, even if it arrives after the restart.
func TestALastingProblemOfAnEndedRunEndsTheWait(t *testing.T) {
	for _, late := range []bool{false, true} {
		s := newScript(t, 1, nil)
		s.run("n1")
		s.die("n1", 1)
		s.postmortem("n1", "")
		s.state("n1", orchestrator.BackingOff)
		answer := s.answer(lasting("n1"))
		if late {
			s.after(2 * time.Second)
			s.state("n1", orchestrator.Starting)
		}
		s.send(answer)
		if !s.gaveUp() {
			t.Errorf("late %t: not given up: %v", late, s.wants)
		}
	}
}

// A cluster that was formed once is not given up because of a diagnosis: it may form
// again.
func TestAFormedClusterIsNotGivenUp(t *testing.T) {
	s := up(t, 2, nil)
	s.die("n1", 1)
	s.postmortem("n1", "")
	s.send(s.answer(lasting("n1")))
	s.after(2 * time.Second)
	s.run("n1")
	for range 3 {
		s.after(askSure)
		s.send(s.answer(lasting("n1")))
	}
	if s.gaveUp() {
		t.Error("given up")
	}
}

// A node is diagnosed as soon as a diagnosis can show something, and again when what it
// lacks can no longer be expected to appear.
func TestAStartingNodeIsDiagnosedEarly(t *testing.T) {
	s := newScript(t, 1, nil)
	s.run("n1")
	if at := s.sup.askAt(); at.Sub(s.now) != AskFirst {
		t.Errorf("the first diagnosis is after %s", at.Sub(s.now))
	}
	s.after(AskFirst)
	s.send(s.answer())
	if at := s.sup.askAt(); at.Sub(s.now) != AskAfter-AskFirst {
		t.Errorf("the second diagnosis is after %s", at.Sub(s.now))
	}
}
