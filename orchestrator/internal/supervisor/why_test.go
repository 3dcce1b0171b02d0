package supervisor

import (
	"testing"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
)

// answer is what is found of these nodes, asked as they are now.
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

// told counts the events of findings in what a step wants.
func told(actions []Action) (n int) {
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

// A node that got well while somebody looked has nothing wrong with it, whatever is
// wrong with others.
func TestAnAnswerThatComesTooLateIsDropped(t *testing.T) {
	s := up(t, 2, nil)
	s.degrade("n1")
	late := s.answer(finding("n1", "http-check", "x"))
	s.degrade("n2")
	s.send(Proven{s.report("n1")})
	s.state("n1", orchestrator.Ready)
	if n := told(s.sup.Step(late, s.now)); n != 0 || s.sup.byName["n1"].found != nil {
		t.Errorf("told %d, of n1: %v", n, s.sup.byName["n1"].found)
	}
}

func TestWhatIsFoundIsTold(t *testing.T) {
	s := up(t, 2, nil)
	s.degrade("n1")
	if n := told(s.sup.Step(s.answer(finding("n1", "http-check", "x")), s.now)); n != 1 {
		t.Errorf("told %d times", n)
	}
	// Other words of the same are no news.
	if n := told(s.sup.Step(s.answer(finding("n1", "http-check", "y")), s.now)); n != 0 || s.sup.byName["n1"].found[0].Problem != "y" {
		t.Errorf("told %d times more, of n1: %v", n, s.sup.byName["n1"].found)
	}
	s.send(Proven{s.report("n1")})
	s.state("n1", orchestrator.Ready)
	if found := s.sup.byName["n1"].found; found != nil {
		t.Errorf("it is well, and has %v", found)
	}
	s.degrade("n1")
	if n := told(s.sup.Step(s.answer(finding("n1", "http-check", "x")), s.now)); n != 1 {
		t.Errorf("told %d times of the second fall", n)
	}
}

// What somebody stopped is no failure, whatever was wrong with it before.
func TestAStopEndsTheSuspicion(t *testing.T) {
	s := up(t, 1, nil)
	s.degrade("n1")
	s.send(s.answer(finding("n1", "node-paused", "x")))
	s.send(Command{Kind: CmdStop, Nodes: []string{"n1"}, Waiter: 1})
	s.die("n1", 0)
	s.send(Stopped{RunID: s.report("n1")})
	s.state("n1", orchestrator.Stopped)
	if m := s.sup.byName["n1"]; m.found != nil || !s.sup.why.at.IsZero() && s.sup.why.at.Before(s.now.Add(time.Second)) {
		t.Errorf("found %v, asked again at %s", m.found, s.sup.why.at)
	}
}

// Two nodes crash together: who waits is told of the failure once it is understood,
// and not while the second end is still looked at.
func TestAFailureIsToldOnceItIsUnderstood(t *testing.T) {
	s := up(t, 2, func(s *orchestrator.Spec) { s.Restart.Mode = orchestrator.RestartNo })
	s.die("n1", 3)
	s.die("n2", 3)
	s.autopsy("n1", "boom")
	s.state("n1", orchestrator.Failed)
	if err := s.sup.Understood(); err != nil {
		t.Fatalf("told too early: %v", err)
	}
	s.autopsy("n2", "boom")
	s.state("n2", orchestrator.Failed)
	if err := s.sup.Understood(); err != nil {
		t.Fatalf("told while somebody looks: %v", err)
	}
	s.send(s.answer(finding("n1", "unknown", "x"), finding("n2", "unknown", "x")))
	err := s.sup.Understood()
	if err == nil || len(err.Problems) != 2 || len(err.Problems[0].Findings) != 1 {
		t.Fatalf("told: %+v", err)
	}
}

// A node that stays Degraded is looked at ever more seldom.
func TestTheQuestionIsPutMoreSeldom(t *testing.T) {
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
			t.Fatalf("pauses %v", pauses)
		}
	}
}

// On a busy machine the reason of a crash is found after the restart. It is reported, and
// it is not what is wrong with the new run.
func TestTheReasonOfACrashIsReportedAfterTheRestart(t *testing.T) {
	s := up(t, 2, nil)
	s.die("n2", 1)
	s.autopsy("n2", "boom")
	asked := s.answer(finding("n2", "service-not-there", "n2 did not reach db:5432"))
	s.state("n2", orchestrator.BackingOff)
	s.after(time.Second)
	s.send(Started{RunID: s.report("n2")})
	s.state("n2", orchestrator.Starting)
	for _, want := range []int{1, 0} { // once
		if n := told(s.sup.Step(asked, s.now)); n != want || s.sup.byName["n2"].found != nil {
			t.Errorf("told %d, of the new run: %v", n, s.sup.byName["n2"].found)
		}
	}
	s.die("n2", 1)
	s.autopsy("n2", "boom")
	s.after(2 * time.Second)
	s.send(Started{RunID: s.report("n2")})
	if n := told(s.sup.Step(asked, s.now)); n != 0 {
		t.Errorf("a finding about the run before the last is told %d times", n)
	}
}

// While one end is still examined, no diagnosis is requested. A node whose own end is
// judged is started again meanwhile, and the next diagnosis still asks how it ended.
func TestAnEndIsDiagnosedAfterTheRestart(t *testing.T) {
	s := up(t, 2, nil)
	s.die("n1", 1)
	s.die("n2", 1)
	s.autopsy("n2", "boom")
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
		s.autopsy("n1", "boom")
		s.sup.ask()
		s.send(Diagnosed{})
	}
}
