package orchestrator

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/beamyard/beamyard/orchestrator/diagnosis"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/beamyard/beamyard/network/erldist"
)

// script drives a supervisor by hand: it sends messages, moves the time, and
// writes down what the supervisor wants done.
type script struct {
	t     testing.TB
	sup   *supervisor
	now   time.Time
	wants []string
}

func newScript(t testing.TB, nodes int, edit func(*Spec)) *script {
	t.Helper()
	spec := Spec{Name: "demo", Image: "x", Nodes: NodeNames(nodes)}
	if edit != nil {
		edit(&spec)
	}
	s := &script{t: t, sup: newSupervisor(spec.Defaulted(), func() float64 { return 0 }), now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	s.note(s.sup.begin(s.now, true))
	return s
}

// note writes actions down, without those that every step may have.
func (s *script) note(actions []action) {
	for _, a := range actions {
		switch a := a.(type) {
		case actLaunch:
			s.want("launch %s#%d", a.node, a.inc)
		case actStart:
			s.want("start %s#%d", a.node, a.inc)
		case actStop:
			s.want("stop %s#%d", a.node, a.inc)
		case actKill:
			s.want("kill %s %s", a.node, a.signal)
		case actCollect:
			s.want("collect: %v", a.cause)
		case actRemove:
			s.want("remove")
		case actReply:
			s.want("reply %d: %v", a.waiter, a.err)
		case actDone:
			s.want("done: %v", a.err)
		case actEmit:
			if a.event.Kind == EventState {
				s.want("%s", a.event.Text)
			}
		case actPause:
			s.want("pause %s %t", a.node, a.paused)
		case actConnect:
			s.want("connect %s: %s", a.node, strings.Join(a.peers, " "))
		case actSetHalf:
			s.want("half %s: cut [%s] mend [%s]", a.node, strings.Join(a.cut, " "), strings.Join(a.mend, " "))
		case actFault:
			s.want("fault %s %s", a.node, a.text)
		case actFollow, actProbe, actForget, actInspect, actAutopsy, actSweep, actList, actMark:
		}
	}
}

func (s *script) want(format string, args ...any) {
	s.wants = append(s.wants, fmt.Sprintf(format, args...))
}

func (s *script) send(messages ...message) {
	for _, m := range messages {
		s.note(s.sup.step(m, s.now))
	}
}

func (s *script) after(d time.Duration) {
	s.now = s.now.Add(d)
	s.send(msgTick{})
}

// expect compares everything that was wanted since the last call.
func (s *script) expect(want ...string) {
	s.t.Helper()
	if diff := cmp.Diff(want, s.wants); diff != "" {
		s.t.Fatalf("wanted actions (-want +got):\n%s", diff)
	}
	s.wants = nil
}

func (s *script) skip() { s.wants = nil }

func (s *script) report(node string) report { return s.sup.byName[node].report() }

// event is one of the node's container, now.
func (s *script) event(node, action string, edit ...func(*ContainerEvent)) {
	e := ContainerEvent{ID: "id-" + node, Action: action, Time: s.now, Labels: map[string]string{LabelNode: node}}
	for _, f := range edit {
		f(&e)
	}
	s.send(msgEvent{event: e})
}

func (s *script) die(node string, code int) {
	s.event(node, "die", func(e *ContainerEvent) { e.ExitCode = code })
}

func (s *script) signal(node, number string) {
	s.event(node, "kill", func(e *ContainerEvent) { e.Signal = number })
}

// autopsy ends the look at a node's exit.
func (s *script) autopsy(node, slogan string) {
	s.send(msgAutopsy{s.report(node), findings{reason: slogan}})
}

// run takes a launched or started node to its first breath.
func (s *script) run(node string) {
	s.event(node, "start")
	switch r := s.report(node); s.sup.byName[node].busy {
	case launching:
		s.send(msgLaunched{report: r, id: "id-" + node})
	case starting:
		s.send(msgStarted{report: r})
	case idle, stopping:
	}
}

// prove has every live node proven and seeing every other.
func (s *script) prove(nodes ...string) {
	for _, n := range nodes {
		s.send(msgLive{s.report(n)}, msgConnected{report: s.report(n)}, msgProven{s.report(n)})
	}
	s.meet(nodes...)
}

func (s *script) meet(nodes ...string) {
	sees := map[string]sight{}
	for _, n := range nodes {
		peers := slices.DeleteFunc(slices.Clone(nodes), func(p string) bool { return p == n })
		sees[n] = sight{inc: s.report(n).inc, peers: peers}
	}
	s.send(msgMesh{sees})
}

// up is a cluster of that many Ready nodes.
func up(t testing.TB, nodes int, edit func(*Spec)) *script {
	t.Helper()
	s := newScript(t, nodes, edit)
	var names []string
	for _, m := range s.sup.nodes {
		s.run(m.name)
		names = append(names, m.name)
	}
	s.prove(names...)
	if !s.sup.ready() {
		t.Fatalf("not ready: %v", s.wants)
	}
	s.skip()
	return s
}

func (s *script) state(node string, want State) {
	s.t.Helper()
	if got := s.sup.byName[node].state; got != want {
		s.t.Fatalf("%s is %s, want %s", node, got, want)
	}
}

func TestNodesAreReadyOnlyWhenTheyMet(t *testing.T) {
	s := newScript(t, 2, nil)
	s.expect("n1 creating", "launch n1#1", "n2 creating", "launch n2#1")
	s.run("n1")
	s.run("n2")
	s.expect("n1 starting", "n2 starting")
	s.send(msgLive{s.report("n1")}, msgProven{s.report("n1")}, msgLive{s.report("n2")}, msgProven{s.report("n2")})
	s.expect("n1 ready", "connect n2: n1") // n1 was alone when it was proven; n2 must meet it
	s.send(msgMesh{map[string]sight{"n1": {inc: 1, peers: []string{"n2"}}, "n2": {inc: 1}}})
	s.state("n2", Starting) // seen from one side only
	if s.sup.ready() {
		t.Fatal("ready though n2 does not see n1")
	}
	s.meet("n1", "n2")
	s.expect("n2 ready")
	if !s.sup.ready() {
		t.Fatal("not ready though every pair met")
	}
}

func TestACrashIsFollowedByARestartOfTheSameContainer(t *testing.T) {
	s := up(t, 2, nil)
	s.die("n2", 1)
	s.autopsy("n2", "boom")
	s.expect("n2 backing-off: exit 1", "n2 backing-off: crashed (exit 1): boom; restart 1/5 in 1s")
	s.after(999 * time.Millisecond)
	s.expect()
	s.after(time.Millisecond)
	s.expect("n2 starting", "start n2#2")
	s.run("n2")
	s.send(msgLive{s.report("n2")})
	s.expect("connect n2: n1")
	s.send(msgConnected{report: s.report("n2")}, msgProven{s.report("n2")})
	s.state("n2", Starting)
	s.meet("n1", "n2")
	s.expect("n2 ready")
}

func TestANodeThatDiesDuringStartIsRestarted(t *testing.T) {
	s := newScript(t, 1, nil)
	s.skip()
	s.event("n1", "start")
	s.die("n1", 1) // before the engine's answer to the launch
	s.send(msgLaunched{report: s.report("n1"), id: "id-n1"})
	s.autopsy("n1", "first")
	s.expect("n1 starting", "n1 backing-off: exit 1", "n1 backing-off: boot (exit 1): first; restart 1/5 in 1s")
	s.after(time.Second)
	s.run("n1")
	s.skip()
	s.die("n1", 1)
	s.autopsy("n1", "second")
	s.expect("n1 backing-off: exit 1", "n1 backing-off: boot (exit 1): second; restart 2/5 in 2s")
}

func TestTheSameBootFailureTwiceEndsTheForming(t *testing.T) {
	s := newScript(t, 1, nil)
	for range 2 {
		s.run("n1")
		s.die("n1", 1)
		s.skip()
		s.autopsy("n1", "no such application")
		s.after(time.Second)
	}
	const why = "n1 (failed): boot (exit 1): no such application; not restarted: it failed to boot twice with the same message"
	s.expect("n1 failed: boot (exit 1): no such application; not restarted: it failed to boot twice with the same message",
		"collect: cluster demo: a node failed\n  "+why)
	s.send(msgCollected{})
	s.expect("remove")
	s.send(msgRemoved{})
	s.expect("done: cluster demo: a node failed\n  " + why)
}

func TestAForeignStopIsRespected(t *testing.T) {
	for _, order := range []string{"die stop", "stop die"} {
		t.Run(order, func(t *testing.T) {
			s := up(t, 1, nil)
			s.signal("n1", "15")
			for action := range strings.FieldsSeq(order) {
				s.event("n1", action)
			}
			s.autopsy("n1", "")
			s.after(time.Hour)
			s.state("n1", Stopped)
			if got := s.sup.byName["n1"].lastExit.Class; got != ExitStoppedOutside {
				t.Errorf("class %s", got)
			}
			for _, w := range s.wants {
				if strings.HasPrefix(w, "start") {
					t.Errorf("restarted: %v", s.wants)
				}
			}
		})
	}
}

func TestAForeignKillIsACrash(t *testing.T) {
	s := up(t, 1, nil)
	s.signal("n1", "9")
	s.die("n1", 137)
	s.autopsy("n1", "")
	s.expect("n1 backing-off: exit 137") // it may still be the first half of `rm -f`
	s.after(holdExit)
	s.expect("n1 backing-off: killed (exit 137); restart 1/5 in 1s")
}

func TestAForeignRemovalIsNoCrash(t *testing.T) {
	s := up(t, 2, nil)
	s.signal("n1", "9")
	s.die("n1", 137)
	s.autopsy("n1", "")
	s.event("n1", "destroy")
	s.after(time.Hour)
	s.expect("n1 backing-off: exit 137", "n1 stopped: container removed from outside")
	s.send(msgCommand{kind: cmdStart, nodes: []string{"n1"}, waiter: 1})
	s.expect("n1 creating", "launch n1#2")
}

func TestAForeignRestartIsANewRun(t *testing.T) {
	s := up(t, 1, nil)
	s.signal("n1", "15")
	s.die("n1", 0)
	s.event("n1", "stop")
	s.autopsy("n1", "")
	s.now = s.now.Add(time.Millisecond)
	s.event("n1", "start")
	s.expect("n1 backing-off: exit 0", "n1 stopped: stopped-outside (exit 0)", "n1 starting")
	s.prove("n1")
	s.expect("n1 ready")
}

func TestStopIsNoCrashAndCostsNothing(t *testing.T) {
	s := up(t, 2, nil)
	s.send(msgCommand{kind: cmdStop, nodes: []string{"n1"}, waiter: 7})
	s.expect("n1 stopping", "stop n1#1")
	s.signal("n1", "15")
	s.die("n1", 0)
	s.expect("n1 stopped", "reply 7: <nil>")
	s.send(msgCommand{kind: cmdStop, nodes: []string{"n1"}, waiter: 6}) // before the engine has answered the first
	s.expect("reply 6: <nil>")
	s.event("n1", "stop")
	s.send(msgStopped{report: s.report("n1")})
	s.expect()
	s.after(time.Hour)
	s.expect()
	s.send(msgCommand{kind: cmdStop, nodes: []string{"n1"}, waiter: 8})
	s.expect("reply 8: <nil>")
	s.send(msgCommand{kind: cmdStart, nodes: []string{"n1"}, waiter: 9})
	s.expect("n1 starting", "start n1#2")
	s.run("n1")
	s.expect("reply 9: <nil>")
	if got := s.sup.byName["n1"].hist.total; got != 0 {
		t.Errorf("an intended start counted as %d restarts", got)
	}
}

// The event of the death can be lost; the answer to the stop is then followed
// by a look at the container.
func TestStopEndsWithoutTheEvent(t *testing.T) {
	s := up(t, 1, nil)
	s.send(msgCommand{kind: cmdStop, nodes: []string{"n1"}, waiter: 1}, msgStopped{report: s.report("n1")})
	s.send(msgSeen{s.report("n1"), &Container{ID: "id-n1", State: ContainerState{Status: "exited", FinishedAt: s.now}}})
	s.expect("n1 stopping", "stop n1#1", "n1 stopped", "reply 1: <nil>")
}

func TestStopDuringBackoffIsImmediate(t *testing.T) {
	s := up(t, 1, nil)
	s.die("n1", 1)
	s.autopsy("n1", "")
	s.skip()
	s.send(msgCommand{kind: cmdStop, nodes: []string{"n1"}, waiter: 1})
	s.expect("n1 stopped", "reply 1: <nil>")
	s.after(time.Hour)
	s.expect()
}

func TestStopWhileLaunching(t *testing.T) {
	s := newScript(t, 1, nil)
	s.skip()
	s.sup.formed = true
	s.send(msgCommand{kind: cmdStop, nodes: []string{"n1"}, waiter: 1})
	s.expect("n1 stopping")
	s.run("n1")
	s.expect("stop n1#1")
	s.die("n1", 0)
	s.expect("n1 stopped", "reply 1: <nil>")
}

func TestRestartIsAStopAndAStart(t *testing.T) {
	s := up(t, 1, nil)
	s.send(
		msgCommand{kind: cmdRestart, nodes: []string{"n1"}, waiter: 1},
		msgCommand{kind: cmdRestart, nodes: []string{"n1"}, waiter: 2}, // at once: one restart serves both
	)
	s.expect("n1 stopping", "stop n1#1")
	s.die("n1", 0)
	s.expect("n1 stopped") // the engine has not answered the stop yet
	s.send(msgStopped{report: s.report("n1")})
	s.expect("n1 starting", "start n1#2")
	s.run("n1")
	s.expect("reply 1: <nil>", "reply 2: <nil>")
}

func TestADeathThatTheEventsDidNotTell(t *testing.T) {
	s := up(t, 1, nil)
	s.now = s.now.Add(time.Second)
	s.send(msgLost{s.report("n1"), "closed"})
	s.send(msgSeen{s.report("n1"), &Container{ID: "id-n1", State: ContainerState{Status: "exited", ExitCode: 137, OOMKilled: true, FinishedAt: s.now}}})
	s.autopsy("n1", "")
	s.expect("n1 backing-off: exit 137", "n1 backing-off: oom (exit 137); restart 1/5 in 1s")
	s.die("n1", 137) // the event after all
	s.expect()
}

// A death that an inspection found before the events were heard is explained by
// them: nobody restarts what was stopped.
func TestAForeignStopThatIsSeenBeforeItIsHeard(t *testing.T) {
	s := up(t, 1, nil)
	s.send(msgLost{s.report("n1"), "closed"})
	s.send(msgSeen{s.report("n1"), &Container{ID: "id-n1", State: ContainerState{Status: "exited", ExitCode: 143, FinishedAt: s.now}}})
	s.autopsy("n1", "")
	s.expect("n1 backing-off: exit 143")
	s.signal("n1", "15")
	s.die("n1", 143)
	s.event("n1", "stop")
	s.expect("n1 stopped: stopped-outside (exit 143)")
	s.after(time.Hour)
	s.expect()
}

// The list that the first subscription asks for was once taken before a
// container was made, and told after: the node was then called removed.
func TestAListIsOfSettledNodesOnly(t *testing.T) {
	s := newScript(t, 2, nil)
	listed := func() (names []string) {
		for _, a := range s.sup.step(msgSubscribed{}, s.now) {
			if list, ok := a.(actList); ok {
				for name := range list.runs {
					names = append(names, name)
				}
			}
		}
		slices.Sort(names)
		return names
	}
	if got := listed(); got != nil {
		t.Errorf("while both are launched: %v", got)
	}
	s.run("n1")
	if got := listed(); !slices.Equal(got, []string{"n1"}) {
		t.Errorf("while n2 is launched: %v", got)
	}
	s.run("n2")
	if got := listed(); !slices.Equal(got, []string{"n1", "n2"}) {
		t.Errorf("while both run: %v", got)
	}
}

func TestReportsOfAnOldRunAreStale(t *testing.T) {
	s := up(t, 1, nil)
	old := s.report("n1")
	s.die("n1", 1)
	s.autopsy("n1", "")
	s.after(time.Second)
	s.skip()
	s.send(msgLive{old}, msgProven{old}, msgLost{old, "late"}, msgSeen{old, nil}, msgStopped{report: old}, msgPeers{old, erldist.NodeEvent{Node: "x"}})
	s.expect()
	s.run("n1")
	s.now = s.now.Add(-time.Minute)
	s.die("n1", 1) // an event from before this run
	s.now = s.now.Add(time.Minute)
	s.expect()
	s.state("n1", Starting)
}

func TestTheBudgetIsSpent(t *testing.T) {
	s := up(t, 2, nil)
	for i := range 6 {
		s.die("n1", 1)
		s.autopsy("n1", fmt.Sprint(i))
		s.after(31 * time.Second)
		if i == 5 {
			break
		}
		s.run("n1")
		s.prove("n1", "n2")
	}
	s.state("n1", Failed)
	s.state("n2", Ready)
	if got := s.sup.byName["n1"].hist.total; got != 5 {
		t.Errorf("%d restarts, want 5", got)
	}
	s.skip()
	s.send(msgCommand{kind: cmdStart, nodes: []string{"n1"}, waiter: 1})
	s.expect("n1 starting", "start n1#7")
}

func TestTheDeadlineSaysWhoIsMissing(t *testing.T) {
	s := newScript(t, 2, nil)
	s.run("n1")
	s.run("n2")
	s.prove("n1")
	s.send(msgUnproven{s.report("n2"), "application demo is not started", "look"})
	s.skip()
	s.after(DefaultReadyTimeout)
	const missing = "cluster demo: the cluster is not ready in time\n  n2 (starting): application demo is not started"
	s.expect("collect: " + missing)
	s.send(msgCollected{})
	s.expect("n1 stopping", "stop n1#1", "n2 stopping", "stop n2#1")
	s.die("n1", 0)
	s.die("n2", 0)
	s.skip()
	s.send(msgStopped{report: s.report("n1")}, msgStopped{report: s.report("n2")})
	s.expect("remove")
	s.send(msgRemoved{})
	s.expect("done: " + missing)
}

func TestALostPairIsDegradedAndMended(t *testing.T) {
	s := up(t, 2, nil)
	s.send(msgMesh{map[string]sight{"n1": {inc: 1}, "n2": {inc: 1}}})
	s.expect("connect n1: n2", "connect n2: n1")
	s.after(readyGrace)
	s.expect("n1 degraded: not connected to n2", "n2 degraded: not connected to n1")
	s.send(msgConnected{report: s.report("n1")}, msgConnected{report: s.report("n2")})
	s.meet("n1", "n2")
	s.expect("n1 ready", "n2 ready")
}

func TestMeshIsLeftToTheApplication(t *testing.T) {
	s := newScript(t, 2, func(s *Spec) { s.Mesh = MeshApp })
	s.run("n1")
	s.run("n2")
	s.skip()
	s.send(msgLive{s.report("n1")}, msgLive{s.report("n2")}, msgProven{s.report("n1")}, msgProven{s.report("n2")})
	s.send(msgMesh{map[string]sight{"n1": {inc: 1}, "n2": {inc: 1}}})
	s.expect() // neither connected by us, nor believed
	s.meet("n1", "n2")
	s.expect("n1 ready", "n2 ready")
}

func TestDownRemovesOnceAllIsQuiet(t *testing.T) {
	s := up(t, 2, nil)
	s.send(msgCommand{kind: cmdDown, nodes: []string{""}, waiter: 1})
	s.expect("n1 stopping", "stop n1#1", "n2 stopping", "stop n2#1")
	s.send(msgCommand{kind: cmdStart, nodes: []string{"n1"}, waiter: 2})
	s.expect("reply 2: the cluster is not running")
	s.send(msgForce{})
	s.expect("kill n1 KILL", "kill n2 KILL")
	s.die("n1", 137)
	s.send(msgStopped{report: s.report("n1")})
	s.expect("n1 stopped")
	s.die("n2", 137)
	s.send(msgStopped{report: s.report("n2")})
	s.expect("n2 stopped", "remove")
	s.send(msgRemoved{})
	s.expect("reply 1: <nil>", "done: <nil>")
	if at := s.sup.wake(); !at.IsZero() {
		t.Errorf("wakes at %s though it is over", at)
	}
}

func TestPausedIsDegraded(t *testing.T) {
	s := up(t, 1, nil)
	s.event("n1", "pause")
	s.expect("n1 degraded: paused")
	s.event("n1", "unpause")
	s.expect("n1 ready")
}

func TestPauseOnRequest(t *testing.T) {
	s := up(t, 1, nil)
	s.send(msgCommand{kind: cmdPause, nodes: []string{"n1"}, waiter: 1})
	s.expect("pause n1 true")
	s.send(msgPaused{report: s.report("n1"), paused: true, waiter: 1})
	s.expect("n1 degraded: paused", "reply 1: <nil>") // who asked sees it
	s.event("n1", "pause")
	s.send(msgCommand{kind: cmdUnpause, nodes: []string{"n1"}, waiter: 2})
	s.expect("pause n1 false")
	s.send(msgPaused{report: s.report("n1"), waiter: 2})
	s.expect("n1 ready", "reply 2: <nil>")

	old := s.report("n1")
	s.die("n1", 1)
	s.autopsy("n1", "")
	s.skip()
	s.send(msgCommand{kind: cmdPause, nodes: []string{"n1"}, waiter: 3})
	s.expect("reply 3: n1: not running (it is backing-off)")
	s.after(time.Second)
	s.run("n1")
	s.prove("n1")
	s.skip()
	s.send(msgPaused{report: old, paused: true, waiter: 4}) // of the run before
	s.expect("reply 4: <nil>")
	s.state("n1", Ready)
}

// What a node tells of its peers has all nodes asked in a moment; what it lists at
// first is no news.
func TestAPeerThatCameOrWentIsLookedAtNow(t *testing.T) {
	s := up(t, 2, nil)
	asked := func(e erldist.NodeEvent) bool {
		s.sup.sweep = sweepState{at: s.now.Add(time.Hour)}
		s.send(msgPeers{s.report("n1"), e})
		if s.sup.sweep.running {
			t.Error("the others are not waited for")
		}
		s.after(2 * sightEach)
		return s.sup.sweep.running
	}
	if !asked(erldist.NodeEvent{Node: "app@n2.demo.test"}) || !asked(erldist.NodeEvent{Node: "app@n2.demo.test", Up: true}) {
		t.Error("nobody is asked about a peer that went or came")
	}
	if asked(erldist.NodeEvent{Node: "app@n2.demo.test", Up: true, Initial: true}) {
		t.Error("all are asked about one that was there")
	}
}

// Random messages in random order at random times keep the invariants: an
// engine call per node at a time, nothing started that runs or that nobody
// wants, nothing at all after the end.
func TestSupervisorInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := &script{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
		spec := Spec{
			Name: "demo", Image: "x", Nodes: NodeNames(rapid.IntRange(1, 4).Draw(t, "nodes")),
			OnFailed:      rapid.SampledFrom([]FailedMode{FailedKeep, FailedStopCluster}).Draw(t, "on_failed"),
			KeepOnFailure: rapid.Bool().Draw(t, "keep"),
			Restart:       RestartPolicy{Mode: rapid.SampledFrom([]RestartMode{RestartNo, RestartOnFailure, RestartAlways}).Draw(t, "mode")},
		}.Defaulted()
		s.sup = newSupervisor(spec, func() float64 { return 0.5 })
		looks, asking := 0, false
		busy := map[string]string{} // the engine call under way for each node
		stopped := map[string]bool{}
		telling := map[string]actSetHalf{} // what each node is being told
		var askers []waiter                // for nodes to be kept apart, or no longer
		var down, wasDown, wasCollecting, over bool
		check := func(actions []action) {
			defer func() { wasDown, wasCollecting = s.sup.down, s.sup.collecting }() // a step may start a node and then find that time is up
			for _, a := range actions {
				if over {
					if _, reply := a.(actReply); !reply {
						t.Fatalf("%T after the end", a)
					}
				}
				var call string
				var r report
				switch a := a.(type) {
				case actLaunch:
					call, r = "launch", a.report
				case actStart:
					call, r = "start", a.report
				case actStop:
					call, r = "stop", a.report
				case actEmit:
					if e := a.event; e.Kind == EventExit && (e.Exit == nil || e.Exit.Class == "") {
						t.Fatalf("an end that is not understood is told: %+v", e)
					}
				case actRemove:
					if s.sup.cause != nil && spec.KeepOnFailure && !down {
						t.Fatal("removal of what was to be kept")
					}
					for n, b := range busy {
						t.Fatalf("removal while %s of %s is under way", b, n)
					}
				case actCollect:
					if looks++; looks > 1 || a.cause == nil {
						t.Fatalf("look %d, for %v", looks, a.cause)
					}
				case actDiagnose:
					if asking || wasDown || s.sup.collecting {
						t.Fatal("a question that nobody asked")
					}
					asking = true
				case actSetHalf:
					if old, ok := telling[a.node]; ok && old.inc == a.inc {
						t.Fatalf("%s is told two things at once", a.node)
					}
					telling[a.node] = a
				case actConnect:
					for _, p := range a.peers {
						if s.sup.cuts[s.sup.pairOf(s.sup.byName[a.node], s.sup.byName[p])] {
							t.Fatalf("%s and %s are connected, and cut", a.node, p)
						}
					}
				case actReply:
					askers = slices.DeleteFunc(askers, func(w waiter) bool { return w == a.waiter })
				case actDone:
					over = true
				}
				if call == "" {
					continue
				}
				if s.sup.collecting && wasCollecting && (call != "stop" || !s.sup.byName[r.node].stopAsked) {
					t.Fatalf("%s of %s while somebody looks", call, r.node)
				}
				if busy[r.node] != "" {
					t.Fatalf("%s of %s while %s is under way", call, r.node, busy[r.node])
				}
				busy[r.node] = call
				if call != "stop" && (down || wasDown || stopped[r.node]) {
					t.Fatalf("%s of %s, which nobody wants", call, r.node)
				}
			}
		}
		check(s.sup.begin(s.now, rapid.Bool().Draw(t, "forming")))
		for i := range rapid.IntRange(1, 120).Draw(t, "steps") {
			s.now = s.now.Add(time.Duration(rapid.Int64Range(0, int64(20*time.Second)).Draw(t, "pause")))
			m := rapid.SampledFrom(s.sup.nodes).Draw(t, "node")
			r := m.report()
			var msg message
			switch rapid.IntRange(0, 18).Draw(t, "kind") {
			case 0, 1, 2: // the engine answers
				call := busy[m.name]
				delete(busy, m.name)
				var err error
				if rapid.IntRange(0, 9).Draw(t, "fails") == 0 {
					err = ErrCannotStart
				}
				switch call {
				case "launch":
					msg = msgLaunched{report: r, id: "id-" + m.name, err: err}
				case "start":
					msg = msgStarted{r, err}
				case "stop":
					msg = msgStopped{r, err}
				default:
					msg = msgTick{}
				}
			case 3, 4, 5, 6:
				msg = msgEvent{event: ContainerEvent{
					ID:     "id-" + m.name,
					Action: rapid.SampledFrom([]string{"start", "die", "kill", "stop", "oom", "destroy", "pause", "unpause"}).Draw(t, "action"),
					Time:   s.now, Labels: map[string]string{LabelNode: m.name},
					ExitCode: rapid.SampledFrom([]int{0, 1, 3, 127, 137}).Draw(t, "code"), Signal: "15",
				}, restarted: rapid.IntRange(0, 9).Draw(t, "engine restarted") == 0}
				if msg.(msgEvent).event.Action == "start" {
					delete(stopped, m.name) // somebody outside wants it after all
				}
			case 7:
				msg = msgLive{r}
			case 8:
				msg = msgProven{r}
			case 9:
				msg = msgAutopsy{r, findings{reason: rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "slogan")}}
			case 10:
				msg = msgTick{}
			case 13:
				msg = msgPeers{r, erldist.NodeEvent{Node: "app@n1.demo.test", Up: rapid.Bool().Draw(t, "up"), Initial: rapid.Bool().Draw(t, "initial")}}
			case 14:
				msg = msgDiagnosed{map[string]asked{m.name: {r, m.state}}, []diagnosis.Finding{{Code: "killed", Node: m.name, Problem: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "problem")}}}
				asking = false
			case 16:
				peers := []string{}
				for _, p := range s.sup.nodes {
					if p != m && rapid.Bool().Draw(t, "peer") {
						peers = append(peers, p.name)
					}
				}
				loose := map[string]bool{}
				for _, p := range s.sup.nodes {
					loose[p.name] = rapid.Bool().Draw(t, "loose")
				}
				askers = append(askers, waiter(i+1))
				msg = msgCut{node: m.name, peers: peers, apart: rapid.Bool().Draw(t, "apart"), loose: loose, waiter: waiter(i + 1)}
			case 17: // a node was told
				half, ok := telling[m.name]
				delete(telling, m.name)
				if msg = (msgTick{}); ok {
					var err error
					if rapid.IntRange(0, 3).Draw(t, "fails") == 0 {
						err = erldist.ErrClosed
					}
					msg = msgHalfSet{half.report, half.cut, half.mend, err}
				}
			case 18:
				sees := map[string]sight{}
				for _, n := range s.sup.nodes {
					var peers []string
					for _, p := range s.sup.nodes {
						if p != n && rapid.Bool().Draw(t, "sees") {
							peers = append(peers, p.name)
						}
					}
					sees[n.name] = sight{inc: n.inc, peers: peers}
				}
				msg = msgMesh{sees}
			case 15:
				msg = msgPaused{report: r, paused: rapid.Bool().Draw(t, "paused"), waiter: waiter(i + 1)}
			case 11:
				kind := rapid.SampledFrom([]commandKind{cmdStart, cmdStop, cmdRestart, cmdKill, cmdPause, cmdUnpause}).Draw(t, "command")
				msg = msgCommand{kind: kind, nodes: []string{m.name}, waiter: waiter(i + 1)}
				if !down && (kind == cmdStart || kind == cmdRestart) {
					delete(stopped, m.name)
				}
				check(s.sup.step(msg, s.now))
				if !down && kind == cmdStop {
					stopped[m.name] = true
				}
				continue
			case 12:
				if cut := rapid.IntRange(0, 9).Draw(t, "cut"); cut < 4 {
					msg = []message{msgUnsubscribed{}, msgSubscribed{}, msgCollected{}, msgForce{}}[cut]
				} else if rapid.IntRange(0, 9).Draw(t, "down") == 0 {
					down = true
					msg = msgCommand{kind: cmdDown, nodes: []string{""}, waiter: waiter(i + 1)}
				} else {
					msg = msgSeen{r, &Container{ID: "id-" + m.name, State: ContainerState{Status: "exited", FinishedAt: s.now}}}
				}
			}
			check(s.sup.step(msg, s.now))
			for _, m := range s.sup.nodes {
				if len(m.hist.recent) > spec.Restart.Max {
					t.Fatalf("%s was restarted %d times in %s", m.name, len(m.hist.recent), spec.Restart.Window)
				}
				// While somebody looks at a failed cluster nothing is started: all is taken down then.
				if m.state == BackingOff && m.ending == nil && m.restart.IsZero() && m.busy == idle && !s.sup.closing() {
					t.Fatalf("%s waits for a restart that never comes", m.name)
				}
			}
			if len(s.sup.cuts) > 0 && s.sup.ready() {
				t.Fatal("ready though nodes are cut from each other")
			}
			for _, m := range s.sup.nodes {
				if m.state == Ready && len(s.sup.cutFrom(m)) > 0 && m.ending == nil {
					t.Fatalf("%s is ready, and cut from others", m.name)
				}
			}
			if s.sup.over && len(askers) > 0 {
				t.Fatalf("the end leaves waiters %v", askers)
			}
			if at := s.sup.wake(); !at.IsZero() && at.Before(s.now) && !s.sup.removing {
				t.Fatalf("wants to be called at %s, which is %s ago", at, s.now.Sub(at))
			}
		}
	})
}

// An engine that stops stops its containers first, and tells that as `docker
// stop` of each. They are started again when it is back; one that somebody
// stopped while others ran stays down.
func TestWhatTheEngineStoppedWithItselfIsStartedAgain(t *testing.T) {
	stop := func(s *script, node string) {
		s.signal(node, "15")
		s.die(node, 0)
		s.event(node, "stop")
		s.autopsy(node, "")
		s.state(node, Stopped)
	}
	s := up(t, 3, nil)
	stop(s, "n3")
	s.after(time.Minute)
	stop(s, "n1")
	stop(s, "n2")
	s.skip()
	s.send(msgUnsubscribed{}, msgSubscribed{})
	s.expect("n1 starting", "start n1#2", "n2 starting", "start n2#2")
	s.state("n3", Stopped)

	s = up(t, 2, nil)
	stop(s, "n1")
	s.skip()
	s.send(msgUnsubscribed{}, msgSubscribed{}) // n2 runs: the engine was not stopped
	s.expect()
	s.state("n1", Stopped)

	s = up(t, 1, func(s *Spec) { s.Restart.Mode = RestartNo })
	stop(s, "n1")
	s.skip()
	s.send(msgUnsubscribed{}, msgSubscribed{})
	s.expect()
}

// A stream that is resumed may tell of a run before the present one: its start
// is not this one's, and its end not either.
func TestEventsOfAnEarlierRunAreOld(t *testing.T) {
	s := up(t, 1, nil)
	old := s.now
	s.after(time.Minute)
	s.die("n1", 1)
	s.autopsy("n1", "")
	s.after(2 * time.Second)
	s.state("n1", Starting)
	at := func(e *ContainerEvent) { e.Time = old }
	s.event("n1", "start", at)
	s.event("n1", "kill", at)
	s.event("n1", "die", at)
	s.event("n1", "stop", at)
	s.state("n1", Starting)
	if m := s.sup.byName["n1"]; m.begun || !m.runSince.IsZero() || len(m.signals) > 0 {
		t.Errorf("%+v", m)
	}
}

// The engine may tell of the memory limit 0.1 s after the death by it.
func TestAnOOMThatIsToldLate(t *testing.T) {
	s := up(t, 1, nil)
	s.die("n1", 137)
	s.autopsy("n1", "")
	s.after(100 * time.Millisecond)
	s.event("n1", "oom")
	s.after(holdExit)
	if e := s.sup.byName["n1"].lastExit; e == nil || e.Class != ExitOOM {
		t.Errorf("%+v", e)
	}
}

// What a run printed last is written down after its end: the next run's output
// begins with its start.
func TestARunsOutputBeginsWithItsStart(t *testing.T) {
	start, end := time.Date(2026, 1, 1, 0, 0, 5, 0, time.UTC), time.Date(2026, 1, 1, 0, 0, 3, 0, time.UTC)
	for name, c := range map[string]struct{ since, ended, want time.Time }{
		"the first run":          {start, time.Time{}, time.Time{}},
		"a later one":            {start, end, start.Add(-startSlack)},
		"right after the end":    {end.Add(time.Millisecond), end, end},
		"its start is not told":  {time.Time{}, end, end},
		"nothing is told at all": {},
	} {
		m := &member{runSince: c.since, endedAt: c.ended}
		if got := (&supervisor{}).followed(m).began; !got.Equal(c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// Found by TestSupervisorInvariants: a node that somebody stopped outside and a
// user of ours, too, is not the engine's to bring back.
func TestAStopOfOursIsNotUndoneWithTheEngine(t *testing.T) {
	s := up(t, 1, nil)
	s.signal("n1", "15")
	s.die("n1", 0)
	s.event("n1", "stop")
	s.send(msgCommand{kind: cmdStop, nodes: []string{"n1"}, waiter: 1})
	s.skip()
	s.send(msgUnsubscribed{}, msgSubscribed{})
	s.expect()
	s.state("n1", Stopped)
}

// `docker rm -f` is a kill and then a removal, which a busy engine tells late: it is
// no failure all the same.
func TestARemovalThatIsToldLate(t *testing.T) {
	s := up(t, 1, func(s *Spec) { s.Restart.Mode = RestartNo })
	s.signal("n1", "9")
	s.die("n1", 137)
	s.autopsy("n1", "")
	s.after(holdExit)
	s.state("n1", Failed)
	s.after(time.Second)
	s.event("n1", "destroy")
	s.state("n1", Stopped)
	if e := s.sup.byName["n1"].lastExit; e.Class != ExitRemoved {
		t.Errorf("%+v", e)
	}
}

// An engine that comes back stops what it believes to run, also what has died since,
// and tells 255 of it, or its own code: that was no stop, in whichever order it is
// told. One that it had to kill itself was.
func TestADeathThatTheEngineDidNotSeeIsNoStop(t *testing.T) {
	for _, c := range []struct {
		code  int
		order []string // a number is a signal
		class ExitClass
	}{
		{255, []string{"15", "die", "stop"}, ExitKilled},
		{255, []string{"15", "stop", "die"}, ExitKilled},
		{137, []string{"15", "die", "stop"}, ExitKilled},
		{137, []string{"15", "stop", "die"}, ExitKilled},
		{137, []string{"15", "9", "die", "stop"}, ExitStoppedOutside},
		{137, []string{"15", "9", "stop", "die"}, ExitStoppedOutside},
		{0, []string{"15", "die", "stop"}, ExitStoppedOutside},
	} {
		s := up(t, 1, nil)
		s.send(msgUnsubscribed{})
		for _, action := range c.order {
			e := ContainerEvent{ID: "id-n1", Action: action, Time: s.now, Labels: map[string]string{LabelNode: "n1"}, ExitCode: c.code}
			if action[0] <= '9' {
				e.Action, e.Signal = "kill", action
			}
			s.send(msgEvent{event: e, restarted: true})
		}
		s.autopsy("n1", "")
		s.after(holdExit)
		restarts := 0
		if c.class == ExitKilled {
			restarts = 1
		}
		if m := s.sup.byName["n1"]; m.lastExit == nil || m.lastExit.Class != c.class || m.hist.total != restarts {
			t.Errorf("%d %v: %+v, %d restarts", c.code, c.order, m.lastExit, m.hist.total)
		}
	}
}
