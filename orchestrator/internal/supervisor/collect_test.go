package supervisor

import (
	"testing"

	"github.com/beamyard/beamyard/orchestrator"
)

// What failed is looked at before anything of it is stopped, and nothing is
// started meanwhile.
func TestAFailureIsLookedAtFirst(t *testing.T) {
	looking := func(t *testing.T, edit func(*orchestrator.Spec)) *script {
		s := newScript(t, 2, edit)
		s.run("n1")
		s.run("n2")
		s.die("n2", 1) // it waits for its restart when time is up
		s.after(holdExit)
		s.autopsy("n2", "boom")
		s.skip()
		s.sup.deadline = s.now
		s.send(Tick{})
		s.expect("collect: cluster demo: the cluster is not ready in time\n  n1 (starting): no answer yet\n  n2 (backing-off): boot (exit 1): boom; restart 1/5 in 700ms")
		s.after(orchestrator.DefaultReadyTimeout) // the restart and the deadline are long over
		if s.sup.Wake().Before(s.now) {
			t.Errorf("wakes at %s, which is past", s.sup.Wake())
		}
		s.send(Command{Kind: CmdStart, Nodes: []string{"n2"}, Waiter: 1})
		s.expect("reply 1: the cluster is not running")
		return s
	}
	removed := func(s *script, done ...string) {
		s.t.Helper()
		s.die("n1", 0)
		s.skip()
		s.send(Stopped{RunID: s.report("n1")})
		s.expect("remove")
		s.send(Removed{})
		s.expect(done...)
		s.send(Collected{})
		s.expect()
	}
	const says = "done: cluster demo: the cluster is not ready in time\n  n1 (starting): no answer yet\n  n2 (backing-off): boot (exit 1): boom; restart 1/5 in 700ms"

	t.Run("then it comes down", func(t *testing.T) {
		s := looking(t, nil)
		s.send(Collected{})
		s.expect("n1 stopping", "stop n1#1", "n2 stopped")
		removed(s, says)
	})
	t.Run("or is kept", func(t *testing.T) {
		s := looking(t, func(s *orchestrator.Spec) { s.KeepOnFailure = true })
		s.send(Collected{})
		s.expect(says)
	})
	t.Run("who asks for the end does not wait", func(t *testing.T) {
		s := looking(t, nil)
		s.send(Command{Kind: CmdDown, Nodes: []string{""}, Waiter: 2})
		s.expect("n1 stopping", "stop n1#1", "n2 stopped")
		s.send(Collected{}) // the look ends
		s.expect()
		removed(s, "reply 2: <nil>", says)
	})
	t.Run("nor does who forces it", func(t *testing.T) {
		s := looking(t, nil)
		s.send(Force{})
		s.expect("n1 stopping", "stop n1#1", "n2 stopped")
	})
}

func TestAFormedClustersFailureIsLookedAtFirst(t *testing.T) {
	s := up(t, 2, func(s *orchestrator.Spec) {
		s.OnFailed, s.Restart.Mode = orchestrator.FailedStopCluster, orchestrator.RestartNo
	})
	s.die("n2", 3)
	s.skip()
	s.autopsy("n2", "")
	s.expect("n2 failed: crashed (exit 3); not restarted: the restart policy is \"no\"",
		"collect: cluster demo: a node failed\n  n2 (failed): crashed (exit 3); not restarted: the restart policy is \"no\"")
	s.after(listEvery)
	s.send(Collected{})
	s.expect("n1 stopping", "stop n1#1")
}

func TestAnEndThatWasAskedForIsNoFailure(t *testing.T) {
	s := newScript(t, 1, nil)
	s.run("n1")
	s.send(Command{Kind: CmdDown, Nodes: []string{""}})
	s.skip()
	s.after(orchestrator.DefaultReadyTimeout)
	s.expect()
}
