package supervisor

import (
	"testing"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
)

// answer returns a diagnosis with these findings, asked for with the nodes' present
// states.
func (s *script) answer(found ...orchestrator.Finding) Diagnosed {
	msg := Diagnosed{Asked: map[string]Asked{}, Found: found}
	for _, m := range s.sup.nodes {
		msg.Asked[m.name] = Asked{m.report(), m.state}
	}
	return msg
}

func finding(node string, code orchestrator.FindingCode, problem string) orchestrator.Finding {
	return orchestrator.Finding{Code: code, Node: node, Problem: problem}
}

// reported counts the events of findings among actions.
func reported(actions []Action) (n int) {
	for _, a := range actions {
		if e, ok := a.(Emit); ok && e.Event.Kind == orchestrator.EventFinding {
			n++
		}
	}
	return n
}

func (s *script) degrade(node string) {
	s.t.Helper()
	s.send(Unproven{RunID: s.report(node), Reason: "HTTP check /: answered 500"})
	s.state(node, orchestrator.Degraded)
}

// A node that became well during the diagnosis has no problem, whatever is wrong with
// others.
func TestALateDiagnosisIsDropped(t *testing.T) {
	s := up(t, 2, nil)
	s.degrade("n1")
	late := s.answer(finding("n1", "http-check", "x"))
	s.degrade("n2")
	s.send(Proven{s.report("n1")})
	s.state("n1", orchestrator.Ready)
	if n := reported(s.sup.Step(late, s.now)); n != 0 || s.sup.byName["n1"].found != nil {
		t.Errorf("%d reported; findings of n1: %v", n, s.sup.byName["n1"].found)
	}
}

func TestFindingsAreReported(t *testing.T) {
	s := up(t, 2, nil)
	s.degrade("n1")
	if n := reported(s.sup.Step(s.answer(finding("n1", "http-check", "x")), s.now)); n != 1 {
		t.Errorf("reported %d times", n)
	}
	// The same finding in other words is not reported again.
	if n := reported(s.sup.Step(s.answer(finding("n1", "http-check", "y")), s.now)); n != 0 || s.sup.byName["n1"].found[0].Problem != "y" {
		t.Errorf("reported %d more times; findings of n1: %v", n, s.sup.byName["n1"].found)
	}
	s.send(Proven{s.report("n1")})
	s.state("n1", orchestrator.Ready)
	if found := s.sup.byName["n1"].found; found != nil {
		t.Errorf("it is well, but has %v", found)
	}
	s.degrade("n1")
	if n := reported(s.sup.Step(s.answer(finding("n1", "http-check", "x")), s.now)); n != 1 {
		t.Errorf("the second time, reported %d times", n)
	}
}

// A node that was stopped on request has not failed, whatever was wrong with it before.
func TestAStopClearsFindings(t *testing.T) {
	s := up(t, 1, nil)
	s.degrade("n1")
	s.send(s.answer(finding("n1", "node-paused", "x")))
	s.send(Command{Kind: CmdStop, Nodes: []string{"n1"}, Waiter: 1})
	s.die("n1", 0)
	s.send(Stopped{RunID: s.report("n1")})
	s.state("n1", orchestrator.Stopped)
	if m := s.sup.byName["n1"]; m.found != nil || !s.sup.why.at.IsZero() && s.sup.why.at.Before(s.now.Add(time.Second)) {
		t.Errorf("findings %v, next diagnosis at %s", m.found, s.sup.why.at)
	}
}

// Two nodes crash together. Waiting callers get the failure once both exits are
// understood, not while the second one is still being examined.
func TestAFailureIsReportedOnceItIsUnderstood(t *testing.T) {
	s := up(t, 2, func(s *orchestrator.Spec) { s.Restart.Mode = orchestrator.RestartNo })
	s.die("n1", 3)
	s.die("n2", 3)
	s.postmortem("n1", "boom")
	s.state("n1", orchestrator.Failed)
	if err := s.sup.Understood(); err != nil {
		t.Fatalf("reported too early: %v", err)
	}
	s.postmortem("n2", "boom")
	s.state("n2", orchestrator.Failed)
	if err := s.sup.Understood(); err != nil {
		t.Fatalf("reported during the diagnosis: %v", err)
	}
	s.send(s.answer(finding("n1", "unknown", "x"), finding("n2", "unknown", "x")))
	err := s.sup.Understood()
	if err == nil || len(err.Problems) != 2 || len(err.Problems[0].Findings) != 1 {
		t.Fatalf("reported: %+v", err)
	}
}

// The longer a node stays Degraded, the less often it is diagnosed.
func TestDiagnosesBecomeLessFrequent(t *testing.T) {
	s := up(t, 1, nil)
	s.degrade("n1")
	var pauses []time.Duration
	for range 8 {
		s.send(s.answer())
		at := s.sup.askAt()
		pauses = append(pauses, at.Sub(s.now))
		s.now = at
		s.send(Tick{})
		s.skip()
	}
	for i, want := range []time.Duration{10e9, 20e9, 40e9, 80e9, 160e9, 300e9, 300e9, 300e9} {
		if pauses[i] != want {
			t.Fatalf("delays %v", pauses)
		}
	}
}

// On a busy machine, the reason of a crash is found after the restart. It is reported,
// but not as a problem of the new run.
func TestTheReasonOfACrashIsReportedAfterTheRestart(t *testing.T) {
	s := up(t, 2, nil)
	s.die("n2", 1)
	s.postmortem("n2", "boom")
	asked := s.answer(finding("n2", "service-not-there", "n2 did not reach db:5432"))
	s.state("n2", orchestrator.BackingOff)
	s.after(time.Second)
	s.send(Started{RunID: s.report("n2")})
	s.state("n2", orchestrator.Starting)
	for _, want := range []int{1, 0} { // once
		if n := reported(s.sup.Step(asked, s.now)); n != want || s.sup.byName["n2"].found != nil {
			t.Errorf("%d reported; findings of the new run: %v", n, s.sup.byName["n2"].found)
		}
	}
	s.die("n2", 1)
	s.postmortem("n2", "boom")
	s.after(2 * time.Second)
	s.send(Started{RunID: s.report("n2")})
	if n := reported(s.sup.Step(asked, s.now)); n != 0 {
		t.Errorf("a finding about the run before the last is reported %d times", n)
	}
}

// While one end is still examined, no diagnosis is requested. A node whose own end is
// judged is started again meanwhile, and the next diagnosis still asks how it ended.
func TestAnEndIsDiagnosedAfterTheRestart(t *testing.T) {
	s := up(t, 2, nil)
	s.die("n1", 1)
	s.die("n2", 1)
	s.postmortem("n2", "boom")
	s.state("n2", orchestrator.BackingOff)
	ended := s.report("n2")
	s.after(time.Second)
	s.send(Started{RunID: s.report("n2")})
	s.state("n2", orchestrator.Starting)
	for _, want := range []struct {
		run   RunID
		state orchestrator.State
	}{{ended, orchestrator.BackingOff}, {s.report("n2"), orchestrator.Starting}} {
		if got := s.sup.snapshots()[1]; got.RunID != want.run || got.State != want.state || (got.Exit != nil) != (want.state == orchestrator.BackingOff) {
			t.Errorf("the diagnosis is about %+v, want %+v", got, want)
		}
		s.postmortem("n1", "boom")
		s.sup.ask()
		s.send(Diagnosed{})
	}
}
