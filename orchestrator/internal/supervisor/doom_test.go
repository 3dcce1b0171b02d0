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

// gaveUp reports whether a cluster was given up.
func (s *script) gaveUp() bool { return strings.Contains(strings.Join(s.wants, "\n"), "collect: ") }

// What time does not cure ends the waiting long before the deadline. A VM that runs is
// seen twice before, as a script may start another one first.
func TestWaitingEndsWhereItIsOfNoUse(t *testing.T) {
	s := newScript(t, 2, nil)
	s.run("n1")
	s.run("n2")
	s.after(AskFirst)
	s.send(s.answer(lasting("n1")))
	if s.gaveUp() {
		t.Fatal("given up at the first look")
	}
	if at := s.sup.askAt(); at.Sub(s.now) != askSure {
		t.Fatalf("asked again after %s", at.Sub(s.now))
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

// What was seen once and not again was something that passed.
func TestWhatPassesIsWaitedFor(t *testing.T) {
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

// A run that ended says so once, also where the answer comes after its restart.
func TestARunThatEndedIsNotRepeatedInVain(t *testing.T) {
	for _, late := range []bool{false, true} {
		s := newScript(t, 1, nil)
		s.run("n1")
		s.die("n1", 1)
		s.autopsy("n1", "")
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

// A cluster that stood once is not given up by a look: it may stand again.
func TestAFormedClusterIsNotGivenUp(t *testing.T) {
	s := up(t, 2, nil)
	s.die("n1", 1)
	s.autopsy("n1", "")
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

// A node is looked at as soon as a look can tell something, and again when what it
// lacked may no longer be on its way.
func TestANodeThatStartsIsLookedAtEarly(t *testing.T) {
	s := newScript(t, 1, nil)
	s.run("n1")
	if at := s.sup.askAt(); at.Sub(s.now) != AskFirst {
		t.Errorf("first after %s", at.Sub(s.now))
	}
	s.after(AskFirst)
	s.send(s.answer())
	if at := s.sup.askAt(); at.Sub(s.now) != AskAfter-AskFirst {
		t.Errorf("then after %s", at.Sub(s.now))
	}
}
