package supervisor

import (
	"testing"

	"github.com/beamyard/beamyard/orchestrator"
)

// The evidence of a failure is collected before any node is stopped, and no node is
// started meanwhile.
func TestEvidenceIsCollectedBeforeNodesStop(t *testing.T) {
	looking := func(t *testing.T, edit func(*orchestrator.Spec)) *script {
		s := newScript(t, 2, edit)
		s.run("n1")
		s.run("n2")
		s.die("n2", 1) // it is waiting for its restart when the deadline passes
		s.after(holdExit)
		s.postmortem("n2", "boom")
		s.skip()
		s.sup.deadline = s.now
		s.send(Tick{})
		s.expect("collect: cluster demo: the cluster is not ready in time\n  n1 (starting): no answer yet\n  n2 (backing-off): boot (exit 1): boom; restart 1/5 in 700ms")
		s.after(orchestrator.DefaultReadyTimeout) // the restart and the deadline are long past
		if s.sup.Wake().Before(s.now) {
			t.Errorf("the next wake-up, %s, is in the past", s.sup.Wake())
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
	t.Run("a requested end does not wait", func(t *testing.T) {
		s := looking(t, nil)
		s.send(Command{Kind: CmdDown, Nodes: []string{""}, Waiter: 2})
		s.expect("n1 stopping", "stop n1#1", "n2 stopped")
		s.send(Collected{}) // the collection ends
		s.expect()
		removed(s, "reply 2: <nil>", says)
	})
	t.Run("a forced end does not wait", func(t *testing.T) {
		s := looking(t, nil)
		s.send(Force{})
		s.expect("n1 stopping", "stop n1#1", "n2 stopped")
	})
}

func TestEvidenceOfAFormedClusterIsCollectedBeforeNodesStop(t *testing.T) {
	s := up(t, 2, func(s *orchestrator.Spec) {
		s.OnFailed, s.Restart.Mode = orchestrator.FailedStopCluster, orchestrator.RestartNo
	})
	s.die("n2", 3)
	s.skip()
	s.postmortem("n2", "")
	s.expect("n2 failed: crashed (exit 3); not restarted: the restart policy is \"no\"",
		"collect: cluster demo: a node failed\n  n2 (failed): crashed (exit 3); not restarted: the restart policy is \"no\"")
	s.after(listEvery)
	s.send(Collected{})
	s.expect("n1 stopping", "stop n1#1")
}

func TestARequestedEndIsNotAFailure(t *testing.T) {
	s := newScript(t, 1, nil)
	s.run("n1")
	s.send(Command{Kind: CmdDown, Nodes: []string{""}})
	s.skip()
	s.after(orchestrator.DefaultReadyTimeout)
	s.expect()
}
