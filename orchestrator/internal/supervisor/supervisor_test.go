package supervisor

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/beamyard/beamyard/network/erldist"
	"github.com/beamyard/beamyard/orchestrator/hint"
	"github.com/beamyard/beamyard/orchestrator/internal/redial"
)

// script drives a supervisor by hand: it sends messages, advances the time, and records
// the actions that the supervisor returns.
type script struct {
	t     testing.TB
	sup   *Supervisor
	now   time.Time
	wants []string
}

func newScript(t testing.TB, nodes int, edit func(*orchestrator.Spec)) *script {
	t.Helper()
	spec := orchestrator.Spec{Name: "demo", Image: "x", Nodes: orchestrator.NodeNames(nodes)}
	if edit != nil {
		edit(&spec)
	}
	s := &script{t: t, sup: New(spec.Defaulted(), func() float64 { return 0 }), now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	s.note(s.sup.Begin(s.now, true))
	return s
}

// note records actions, except those that every step may return.
func (s *script) note(actions []Action) {
	for _, a := range actions {
		switch a := a.(type) {
		case Launch:
			s.want("launch %s#%d", a.Node, a.Inc)
		case Start:
			s.want("start %s#%d", a.Node, a.Inc)
		case Stop:
			s.want("stop %s#%d", a.Node, a.Inc)
		case Kill:
			s.want("kill %s %s", a.Node, a.Signal)
		case Collect:
			s.want("collect: %v", a.Cause)
		case Remove:
			s.want("remove")
		case Reply:
			s.want("reply %d: %v", a.Waiter, a.Err)
		case Done:
			s.want("done: %v", a.Err)
		case Emit:
			if a.Event.Kind == orchestrator.EventState {
				s.want("%s", a.Event.Text)
			}
		case Pause:
			s.want("pause %s %t", a.Node, a.Paused)
		case Connect:
			s.want("connect %s: %s", a.Node, strings.Join(a.Peers, " "))
		case SetBlocked:
			s.want("peers of %s: block [%s] unblock [%s]", a.Node, strings.Join(a.Block, " "), strings.Join(a.Unblock, " "))
		case Fault:
			s.want("fault %s %s", a.Node, a.Text)
		case Follow, Probe, Forget, Inspect, Postmortem, Sweep, List, Mark:
		}
	}
}

func (s *script) want(format string, args ...any) {
	s.wants = append(s.wants, fmt.Sprintf(format, args...))
}

func (s *script) send(messages ...Message) {
	for _, m := range messages {
		s.note(s.sup.Step(m, s.now))
	}
}

func (s *script) after(d time.Duration) {
	s.now = s.now.Add(d)
	s.send(Tick{})
}

// expect compares all actions since the last call.
func (s *script) expect(want ...string) {
	s.t.Helper()
	if diff := cmp.Diff(want, s.wants); diff != "" {
		s.t.Fatalf("actions (-want +got):\n%s", diff)
	}
	s.wants = nil
}

func (s *script) skip() { s.wants = nil }

func (s *script) report(node string) RunID { return s.sup.byName[node].report() }

// event sends an event of the node's container, with the current time.
func (s *script) event(node, action string, edit ...func(*orchestrator.ContainerEvent)) {
	e := orchestrator.ContainerEvent{ID: "id-" + node, Action: action, Time: s.now, Labels: map[string]string{orchestrator.LabelNode: node}}
	for _, f := range edit {
		f(&e)
	}
	s.send(EngineEvent{Event: e})
}

func (s *script) die(node string, code int) {
	s.event(node, "die", func(e *orchestrator.ContainerEvent) { e.ExitCode = code })
}

func (s *script) signal(node, number string) {
	s.event(node, "kill", func(e *orchestrator.ContainerEvent) { e.Signal = number })
}

// postmortem answers the examination of a node's exit.
func (s *script) postmortem(node, slogan string) {
	s.send(Examined{s.report(node), Findings{Reason: slogan}})
}

// run answers a launch or a start: the container runs.
func (s *script) run(node string) {
	s.event(node, "start")
	switch r := s.report(node); s.sup.byName[node].busy {
	case launching:
		s.send(Launched{RunID: r, ID: "id-" + node})
	case starting:
		s.send(Started{RunID: r})
	case idle, stopping:
	}
}

// prove makes the nodes live, proven, and connected to each other.
func (s *script) prove(nodes ...string) {
	for _, n := range nodes {
		s.send(Live{s.report(n)}, Connected{RunID: s.report(n)}, Proven{s.report(n)})
	}
	s.meet(nodes...)
}

func (s *script) meet(nodes ...string) {
	sees := map[string]Sight{}
	for _, n := range nodes {
		peers := slices.DeleteFunc(slices.Clone(nodes), func(p string) bool { return p == n })
		sees[n] = Sight{Inc: s.report(n).Inc, Peers: peers}
	}
	s.send(Mesh{sees})
}

// up returns a cluster of that many Ready nodes.
func up(t testing.TB, nodes int, edit func(*orchestrator.Spec)) *script {
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

func (s *script) state(node string, want orchestrator.State) {
	s.t.Helper()
	if got := s.sup.byName[node].state; got != want {
		s.t.Fatalf("%s is %s, want %s", node, got, want)
	}
}

func TestNodesAreReadyOnceTheyAreConnected(t *testing.T) {
	s := newScript(t, 2, nil)
	s.expect("n1 creating", "launch n1#1", "n2 creating", "launch n2#1")
	s.run("n1")
	s.run("n2")
	s.expect("n1 starting", "n2 starting")
	s.send(Live{s.report("n1")}, Proven{s.report("n1")}, Live{s.report("n2")}, Proven{s.report("n2")})
	s.expect("n1 ready", "connect n2: n1") // n1 was alone when it was proven; it must also be connected to n2
	s.send(Mesh{map[string]Sight{"n1": {Inc: 1, Peers: []string{"n2"}}, "n2": {Inc: 1}}})
	s.state("n2", orchestrator.Starting) // only one of the two reports the connection
	if s.sup.ready() {
		t.Fatal("ready though n2 does not see n1")
	}
	s.meet("n1", "n2")
	s.expect("n2 ready")
	if !s.sup.ready() {
		t.Fatal("not ready though every pair is connected")
	}
}

func TestACrashIsFollowedByARestartOfTheSameContainer(t *testing.T) {
	s := up(t, 2, nil)
	s.die("n2", 1)
	s.postmortem("n2", "boom")
	s.expect("n2 backing-off: exit 1", "n2 backing-off: crashed (exit 1): boom; restart 1/5 in 1s")
	s.after(999 * time.Millisecond)
	s.expect()
	s.after(time.Millisecond)
	s.expect("n2 starting", "start n2#2")
	s.run("n2")
	s.send(Live{s.report("n2")})
	s.expect("connect n2: n1")
	s.send(Connected{RunID: s.report("n2")}, Proven{s.report("n2")})
	s.state("n2", orchestrator.Starting)
	s.meet("n1", "n2")
	s.expect("n2 ready")
}

func TestANodeThatDiesDuringStartIsRestarted(t *testing.T) {
	s := newScript(t, 1, nil)
	s.skip()
	s.event("n1", "start")
	s.die("n1", 1) // before the engine's answer to the launch
	s.send(Launched{RunID: s.report("n1"), ID: "id-n1"})
	s.postmortem("n1", "first")
	s.expect("n1 starting", "n1 backing-off: exit 1", "n1 backing-off: boot (exit 1): first; restart 1/5 in 1s")
	s.after(time.Second)
	s.run("n1")
	s.skip()
	s.die("n1", 1)
	s.postmortem("n1", "second")
	s.expect("n1 backing-off: exit 1", "n1 backing-off: boot (exit 1): second; restart 2/5 in 2s")
}

func TestTheSameBootFailureTwiceEndsTheForming(t *testing.T) {
	s := newScript(t, 1, nil)
	for range 2 {
		s.run("n1")
		s.die("n1", 1)
		s.skip()
		s.postmortem("n1", "no such application")
		s.after(time.Second)
	}
	const why = "n1 (failed): boot (exit 1): no such application; not restarted: it failed to boot twice with the same message"
	s.expect("n1 failed: boot (exit 1): no such application; not restarted: it failed to boot twice with the same message",
		"collect: cluster demo: a node failed\n  "+why)
	s.send(Collected{})
	s.expect("remove")
	s.send(Removed{})
	s.expect("done: cluster demo: a node failed\n  " + why)
}

func TestAnOutsideStopIsRespected(t *testing.T) {
	for _, order := range []string{"die stop", "stop die"} {
		t.Run(order, func(t *testing.T) {
			s := up(t, 1, nil)
			s.signal("n1", "15")
			for action := range strings.FieldsSeq(order) {
				s.event("n1", action)
			}
			s.postmortem("n1", "")
			s.after(time.Hour)
			s.state("n1", orchestrator.Stopped)
			if got := s.sup.byName["n1"].lastExit.Class; got != orchestrator.ExitStoppedOutside {
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

func TestAnOutsideKillIsACrash(t *testing.T) {
	s := up(t, 1, nil)
	s.signal("n1", "9")
	s.die("n1", 137)
	s.postmortem("n1", "")
	s.expect("n1 backing-off: exit 137") // it may still be the first half of `docker rm -f`
	s.after(holdExit)
	s.expect("n1 backing-off: killed (exit 137); restart 1/5 in 700ms")
}

func TestAnOutsideRemovalIsNotACrash(t *testing.T) {
	s := up(t, 2, nil)
	s.signal("n1", "9")
	s.die("n1", 137)
	s.postmortem("n1", "")
	s.event("n1", "destroy")
	s.after(time.Hour)
	s.expect("n1 backing-off: exit 137", "n1 stopped: container removed from outside")
	s.send(Command{Kind: CmdStart, Nodes: []string{"n1"}, Waiter: 1})
	s.expect("n1 creating", "launch n1#2")
}

func TestAnOutsideRestartIsANewRun(t *testing.T) {
	s := up(t, 1, nil)
	s.signal("n1", "15")
	s.die("n1", 0)
	s.event("n1", "stop")
	s.postmortem("n1", "")
	s.now = s.now.Add(time.Millisecond)
	s.event("n1", "start")
	s.expect("n1 backing-off: exit 0", "n1 stopped: stopped-outside (exit 0)", "n1 starting")
	s.prove("n1")
	s.expect("n1 ready")
}

func TestStopIsNotACrashAndCostsNoBudget(t *testing.T) {
	s := up(t, 2, nil)
	s.send(Command{Kind: CmdStop, Nodes: []string{"n1"}, Waiter: 7})
	s.expect("n1 stopping", "stop n1#1")
	s.signal("n1", "15")
	s.die("n1", 0)
	s.expect("n1 stopped", "reply 7: <nil>")
	s.send(Command{Kind: CmdStop, Nodes: []string{"n1"}, Waiter: 6}) // before the engine has answered the first
	s.expect("reply 6: <nil>")
	s.event("n1", "stop")
	s.send(Stopped{RunID: s.report("n1")})
	s.expect()
	s.after(time.Hour)
	s.expect()
	s.send(Command{Kind: CmdStop, Nodes: []string{"n1"}, Waiter: 8})
	s.expect("reply 8: <nil>")
	s.send(Command{Kind: CmdStart, Nodes: []string{"n1"}, Waiter: 9})
	s.expect("n1 starting", "start n1#2")
	s.run("n1")
	s.expect("reply 9: <nil>")
	if got := s.sup.byName["n1"].hist.Total; got != 0 {
		t.Errorf("an intended start counted as %d restarts", got)
	}
}

// The die event can be lost. After the answer to the stop, the container is inspected.
func TestStopEndsWithoutTheEvent(t *testing.T) {
	s := up(t, 1, nil)
	s.send(Command{Kind: CmdStop, Nodes: []string{"n1"}, Waiter: 1}, Stopped{RunID: s.report("n1")})
	s.send(Seen{s.report("n1"), &orchestrator.Container{ID: "id-n1", State: orchestrator.ContainerState{Status: "exited", FinishedAt: s.now}}})
	s.expect("n1 stopping", "stop n1#1", "n1 stopped", "reply 1: <nil>")
}

func TestStopDuringBackoffIsImmediate(t *testing.T) {
	s := up(t, 1, nil)
	s.die("n1", 1)
	s.postmortem("n1", "")
	s.skip()
	s.send(Command{Kind: CmdStop, Nodes: []string{"n1"}, Waiter: 1})
	s.expect("n1 stopped", "reply 1: <nil>")
	s.after(time.Hour)
	s.expect()
}

func TestStopWhileLaunching(t *testing.T) {
	s := newScript(t, 1, nil)
	s.skip()
	s.sup.formed = true
	s.send(Command{Kind: CmdStop, Nodes: []string{"n1"}, Waiter: 1})
	s.expect("n1 stopping")
	s.run("n1")
	s.expect("stop n1#1")
	s.die("n1", 0)
	s.expect("n1 stopped", "reply 1: <nil>")
}

func TestRestartIsAStopAndAStart(t *testing.T) {
	s := up(t, 1, nil)
	s.send(
		Command{Kind: CmdRestart, Nodes: []string{"n1"}, Waiter: 1},
		Command{Kind: CmdRestart, Nodes: []string{"n1"}, Waiter: 2}, // at the same time: one restart serves both
	)
	s.expect("n1 stopping", "stop n1#1")
	s.die("n1", 0)
	s.expect("n1 stopped") // the engine has not answered the stop yet
	s.send(Stopped{RunID: s.report("n1")})
	s.expect("n1 starting", "start n1#2")
	s.run("n1")
	s.expect("reply 1: <nil>", "reply 2: <nil>")
}

// A start that was in progress is not the one that a restart asks for.
func TestRestartWhileStarting(t *testing.T) {
	s := up(t, 1, nil)
	s.die("n1", 1)
	s.postmortem("n1", "")
	s.after(2 * time.Second)
	s.skip()
	s.send(Command{Kind: CmdRestart, Nodes: []string{"n1"}, Waiter: 1})
	s.expect("n1 stopping")
	s.run("n1")
	s.expect("stop n1#2")
	s.die("n1", 143)
	s.send(Stopped{RunID: s.report("n1")})
	s.expect("n1 stopped", "n1 starting", "start n1#3")
	s.run("n1")
	s.expect("reply 1: <nil>")
}

func TestStopDuringARestart(t *testing.T) {
	const stopped = "n1: not running: it was stopped before it was started again"
	for _, deathFirst := range []bool{true, false} {
		s := up(t, 1, nil)
		s.send(Command{Kind: CmdRestart, Nodes: []string{"n1"}, Waiter: 1}, Command{Kind: CmdStop, Nodes: []string{"n1"}, Waiter: 2})
		s.expect("n1 stopping", "stop n1#1")
		answer := Stopped{RunID: s.report("n1")}
		if deathFirst {
			s.die("n1", 0)
			s.expect("n1 stopped", "reply 2: <nil>")
			s.send(answer)
			s.expect("reply 1: " + stopped)
		} else {
			s.send(answer)
			s.die("n1", 0)
			s.expect("n1 stopped", "reply 2: <nil>", "reply 1: "+stopped)
		}
	}
}

func TestAnExitWithoutAnEvent(t *testing.T) {
	s := up(t, 1, nil)
	s.now = s.now.Add(time.Second)
	s.send(Lost{s.report("n1"), "closed"})
	s.send(Seen{s.report("n1"), &orchestrator.Container{ID: "id-n1", State: orchestrator.ContainerState{Status: "exited", ExitCode: 137, OOMKilled: true, FinishedAt: s.now}}})
	s.postmortem("n1", "")
	s.expect("n1 backing-off: exit 137", "n1 backing-off: oom (exit 137); restart 1/5 in 1s")
	s.die("n1", 137) // the event arrives late
	s.expect()
}

// An exit that an inspection found before its events arrived is explained by them: a node
// that was stopped is not restarted.
func TestAnOutsideStopFoundBeforeItsEvents(t *testing.T) {
	s := up(t, 1, nil)
	s.send(Lost{s.report("n1"), "closed"})
	s.send(Seen{s.report("n1"), &orchestrator.Container{ID: "id-n1", State: orchestrator.ContainerState{Status: "exited", ExitCode: 143, FinishedAt: s.now}}})
	s.postmortem("n1", "")
	s.expect("n1 backing-off: exit 143")
	s.signal("n1", "15")
	s.die("n1", 143)
	s.event("n1", "stop")
	s.expect("n1 stopped: stopped-outside (exit 143)")
	s.after(time.Hour)
	s.expect()
}

// A regression test. The list that the first subscription requests was taken before a
// container was created, and arrived afterwards: the node was then reported as removed.
func TestAListIsComparedWithSettledNodesOnly(t *testing.T) {
	s := newScript(t, 2, nil)
	listed := func() (names []string) {
		for _, a := range s.sup.Step(Subscribed{}, s.now) {
			if list, ok := a.(List); ok {
				for name := range list.Runs {
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
	s.postmortem("n1", "")
	s.after(time.Second)
	s.skip()
	s.send(Live{old}, Proven{old}, Lost{old, "late"}, Seen{old, nil}, Stopped{RunID: old}, PeerEvent{old, erldist.NodeEvent{Node: "x"}})
	s.expect()
	s.run("n1")
	s.now = s.now.Add(-time.Minute)
	s.die("n1", 1) // an event of an earlier run
	s.now = s.now.Add(time.Minute)
	s.expect()
	s.state("n1", orchestrator.Starting)
}

func TestTheBudgetIsSpent(t *testing.T) {
	s := up(t, 2, nil)
	for i := range 6 {
		s.die("n1", 1)
		s.postmortem("n1", fmt.Sprint(i))
		s.after(31 * time.Second)
		if i == 5 {
			break
		}
		s.run("n1")
		s.prove("n1", "n2")
	}
	s.state("n1", orchestrator.Failed)
	s.state("n2", orchestrator.Ready)
	if got := s.sup.byName["n1"].hist.Total; got != 5 {
		t.Errorf("%d restarts, want 5", got)
	}
	s.skip()
	s.send(Command{Kind: CmdStart, Nodes: []string{"n1"}, Waiter: 1})
	s.expect("n1 starting", "start n1#7")
}

func TestTheDeadlineNamesTheMissingNodes(t *testing.T) {
	s := newScript(t, 2, nil)
	s.run("n1")
	s.run("n2")
	s.prove("n1")
	s.send(Unproven{s.report("n2"), "application demo is not started", hint.Text("look")})
	s.skip()
	s.after(orchestrator.DefaultReadyTimeout)
	const missing = "cluster demo: the cluster is not ready in time\n  n2 (starting): application demo is not started"
	s.expect("collect: " + missing)
	s.send(Collected{})
	s.expect("n1 stopping", "stop n1#1", "n2 stopping", "stop n2#1")
	s.die("n1", 0)
	s.die("n2", 0)
	s.skip()
	s.send(Stopped{RunID: s.report("n1")}, Stopped{RunID: s.report("n2")})
	s.expect("remove")
	s.send(Removed{})
	s.expect("done: " + missing)
}

func TestALostPairIsDegradedAndReconnected(t *testing.T) {
	s := up(t, 2, nil)
	s.send(Mesh{map[string]Sight{"n1": {Inc: 1}, "n2": {Inc: 1}}})
	s.expect("connect n1: n2", "connect n2: n1")
	s.after(readyGrace)
	s.expect("n1 degraded: not connected to n2", "n2 degraded: not connected to n1")
	s.send(Connected{RunID: s.report("n1")}, Connected{RunID: s.report("n2")})
	s.meet("n1", "n2")
	s.expect("n1 ready", "n2 ready")
}

// global may break each new connection for a while: it is made ever less often. See package redial.
func TestAPairThatBreaksAgainAndAgain(t *testing.T) {
	s := up(t, 2, nil)
	apart := func() { s.send(Mesh{map[string]Sight{"n1": {Inc: 1}, "n2": {Inc: 1}}}) }
	apart()
	for range 10 {
		s.skip()
		s.send(Connected{RunID: s.report("n1")}, Connected{RunID: s.report("n2")})
		s.meet("n1", "n2")
		apart()
		began := s.now
		for !slices.Contains(s.wants, "connect n1: n2") && s.now.Sub(began) < time.Minute {
			s.after(10 * time.Millisecond)
			apart()
		}
		if !slices.Contains(s.wants, "connect n2: n1") {
			t.Fatalf("not connected again: %v", s.wants)
		}
		if took := s.now.Sub(began); took > redial.Rare {
			t.Fatalf("connected again after %s", took)
		}
	}
	began := s.now
	s.send(Connected{RunID: s.report("n1")}, Connected{RunID: s.report("n2")})
	if at := s.sup.byName["n1"].dialling.Next(); at.Sub(began) != redial.Rare {
		t.Errorf("next after %s", at.Sub(began))
	}
	s.meet("n1", "n2")
	s.after(redial.Lasts)
	s.meet("n1", "n2")
	s.skip()
	apart()
	s.expect("connect n1: n2", "connect n2: n1")
}

func TestMeshIsLeftToTheApplication(t *testing.T) {
	s := newScript(t, 2, func(s *orchestrator.Spec) { s.Mesh = orchestrator.MeshApp })
	s.run("n1")
	s.run("n2")
	s.skip()
	s.send(Live{s.report("n1")}, Live{s.report("n2")}, Proven{s.report("n1")}, Proven{s.report("n2")})
	s.send(Mesh{map[string]Sight{"n1": {Inc: 1}, "n2": {Inc: 1}}})
	s.expect() // the pair is neither connected by us nor taken as connected
	s.meet("n1", "n2")
	s.expect("n1 ready", "n2 ready")
}

func TestDownRemovesOnceAllNodesStopped(t *testing.T) {
	s := up(t, 2, nil)
	s.send(Command{Kind: CmdDown, Nodes: []string{""}, Waiter: 1})
	s.expect("n1 stopping", "stop n1#1", "n2 stopping", "stop n2#1")
	s.send(Command{Kind: CmdStart, Nodes: []string{"n1"}, Waiter: 2})
	s.expect("reply 2: the cluster is not running")
	s.send(Force{})
	s.expect("kill n1 KILL", "kill n2 KILL")
	s.die("n1", 137)
	s.send(Stopped{RunID: s.report("n1")})
	s.expect("n1 stopped")
	s.die("n2", 137)
	s.send(Stopped{RunID: s.report("n2")})
	s.expect("n2 stopped", "remove")
	s.send(Removed{})
	s.expect("reply 1: <nil>", "done: <nil>")
	if at := s.sup.Wake(); !at.IsZero() {
		t.Errorf("wakes at %s though the cluster has ended", at)
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
	s.send(Command{Kind: CmdPause, Nodes: []string{"n1"}, Waiter: 1})
	s.expect("pause n1 true")
	s.send(Paused{RunID: s.report("n1"), Paused: true, Waiter: 1})
	s.expect("n1 degraded: paused", "reply 1: <nil>") // the caller sees it at once
	s.event("n1", "pause")
	s.send(Command{Kind: CmdUnpause, Nodes: []string{"n1"}, Waiter: 2})
	s.expect("pause n1 false")
	s.send(Paused{RunID: s.report("n1"), Waiter: 2})
	s.expect("n1 ready", "reply 2: <nil>")

	old := s.report("n1")
	s.die("n1", 1)
	s.postmortem("n1", "")
	s.skip()
	s.send(Command{Kind: CmdPause, Nodes: []string{"n1"}, Waiter: 3})
	s.expect("reply 3: n1: not running (it is backing-off)")
	s.after(time.Second)
	s.run("n1")
	s.prove("n1")
	s.skip()
	s.send(Paused{RunID: old, Paused: true, Waiter: 4}) // of the previous run
	s.expect("reply 4: <nil>")
	s.state("n1", orchestrator.Ready)
}

// When a node reports that a peer connected or disconnected, all nodes are soon asked for
// their peers. The peers that it lists at first are not a change.
func TestAChangedPeerStartsASweep(t *testing.T) {
	s := up(t, 2, nil)
	asked := func(e erldist.NodeEvent) bool {
		s.sup.sweep = sweepState{at: s.now.Add(time.Hour)}
		s.send(PeerEvent{s.report("n1"), e})
		if s.sup.sweep.running {
			t.Error("the sweep does not wait for the reports of the others")
		}
		s.after(2 * sightEach)
		return s.sup.sweep.running
	}
	if !asked(erldist.NodeEvent{Node: "app@n2.demo.test"}) || !asked(erldist.NodeEvent{Node: "app@n2.demo.test", Up: true}) {
		t.Error("no sweep after a peer disconnected or connected")
	}
	if asked(erldist.NodeEvent{Node: "app@n2.demo.test", Up: true, Initial: true}) {
		t.Error("a sweep for a peer that was connected before")
	}
}

// Random messages in random order at random times keep the invariants: one engine call
// per node at a time, no start of a node that runs or is not wanted, no action after the
// end.
func TestSupervisorInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := &script{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
		spec := orchestrator.Spec{
			Name: "demo", Image: "x", Nodes: orchestrator.NodeNames(rapid.IntRange(1, 4).Draw(t, "nodes")),
			OnFailed:      rapid.SampledFrom([]orchestrator.FailedMode{orchestrator.FailedKeep, orchestrator.FailedStopCluster}).Draw(t, "on_failed"),
			KeepOnFailure: rapid.Bool().Draw(t, "keep"),
			Restart:       orchestrator.RestartPolicy{Mode: rapid.SampledFrom([]orchestrator.RestartMode{orchestrator.RestartNo, orchestrator.RestartOnFailure, orchestrator.RestartAlways}).Draw(t, "mode")},
		}.Defaulted()
		s.sup = New(spec, func() float64 { return 0.5 })
		looks, asking := 0, false
		busy := map[string]string{} // the engine call in progress for each node
		stopped := map[string]bool{}
		telling := map[string]SetBlocked{} // the list of blocked peers that each node is receiving
		var askers []Waiter                // of requests that are not answered yet
		var down, wasDown, wasCollecting, over bool
		check := func(actions []Action) {
			defer func() { wasDown, wasCollecting = s.sup.goingDown(), s.sup.phase == phaseFailing }() // a step may start a node and then find that the deadline has passed
			for _, a := range actions {
				if over {
					if _, reply := a.(Reply); !reply {
						t.Fatalf("%T after the end", a)
					}
				}
				var call string
				var r RunID
				switch a := a.(type) {
				case Launch:
					call, r = "launch", a.RunID
				case Start:
					call, r = "start", a.RunID
				case Stop:
					call, r = "stop", a.RunID
				case Emit:
					if e := a.Event; e.Kind == orchestrator.EventExit && (e.Exit == nil || e.Exit.Class == "") {
						t.Fatalf("an exit event without a class: %+v", e)
					} else if e.State == orchestrator.Running {
						t.Fatalf("%s is Running, the state of a node without a supervisor", e.Node)
					}
				case Remove:
					if s.sup.cause != nil && spec.KeepOnFailure && !down {
						t.Fatal("removal of a cluster that was to be kept")
					}
					for n, b := range busy {
						t.Fatalf("removal while %s of %s is in progress", b, n)
					}
				case Collect:
					if looks++; looks > 1 || a.Cause == nil {
						t.Fatalf("collection %d, for %v", looks, a.Cause)
					}
				case Diagnose:
					if asking || wasDown || s.sup.phase == phaseFailing {
						t.Fatal("an unexpected diagnosis")
					}
					asking = true
				case SetBlocked:
					if old, ok := telling[a.Node]; ok && old.Inc == a.Inc {
						t.Fatalf("%s gets two lists of blocked peers at once", a.Node)
					}
					telling[a.Node] = a
				case Connect:
					for _, p := range a.Peers {
						if s.sup.disconnected[s.sup.pairOf(s.sup.byName[a.Node], s.sup.byName[p])] {
							t.Fatalf("%s and %s are connected though they are partitioned", a.Node, p)
						}
					}
				case Reply:
					askers = slices.DeleteFunc(askers, func(w Waiter) bool { return w == a.Waiter })
				case Done:
					over = true
				}
				if call == "" {
					continue
				}
				if s.sup.phase == phaseFailing && wasCollecting && (call != "stop" || !s.sup.byName[r.Node].stopAsked) {
					t.Fatalf("%s of %s while evidence is collected", call, r.Node)
				}
				if busy[r.Node] != "" {
					t.Fatalf("%s of %s while %s is in progress", call, r.Node, busy[r.Node])
				}
				busy[r.Node] = call
				if call != "stop" && (down || wasDown || stopped[r.Node]) {
					t.Fatalf("%s of %s, which is not wanted", call, r.Node)
				}
			}
		}
		check(s.sup.Begin(s.now, rapid.Bool().Draw(t, "forming")))
		for i := range rapid.IntRange(1, 120).Draw(t, "steps") {
			s.now = s.now.Add(time.Duration(rapid.Int64Range(0, int64(20*time.Second)).Draw(t, "pause")))
			m := rapid.SampledFrom(s.sup.nodes).Draw(t, "node")
			r := m.report()
			var msg Message
			switch rapid.IntRange(0, 18).Draw(t, "kind") {
			case 0, 1, 2: // the engine answers
				call := busy[m.name]
				delete(busy, m.name)
				var err error
				if rapid.IntRange(0, 9).Draw(t, "fails") == 0 {
					err = orchestrator.ErrCannotStart
				}
				switch call {
				case "launch":
					msg = Launched{RunID: r, ID: "id-" + m.name, Err: err}
				case "start":
					msg = Started{r, err}
				case "stop":
					msg = Stopped{r, err}
				default:
					msg = Tick{}
				}
			case 3, 4, 5, 6:
				msg = EngineEvent{Event: orchestrator.ContainerEvent{
					ID:     "id-" + m.name,
					Action: rapid.SampledFrom([]string{"start", "die", "kill", "stop", "oom", "destroy", "pause", "unpause"}).Draw(t, "action"),
					Time:   s.now, Labels: map[string]string{orchestrator.LabelNode: m.name},
					ExitCode: rapid.SampledFrom([]int{0, 1, 3, 127, 137}).Draw(t, "code"), Signal: "15",
				}, Restarted: rapid.IntRange(0, 9).Draw(t, "engine restarted") == 0}
				if msg.(EngineEvent).Event.Action == "start" {
					delete(stopped, m.name) // started from outside, so it is wanted again
				}
			case 7:
				msg = Live{r}
			case 8:
				msg = Proven{r}
			case 9:
				msg = Examined{r, Findings{Reason: rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "slogan")}}
			case 10:
				msg = Tick{}
			case 13:
				msg = PeerEvent{r, erldist.NodeEvent{Node: "app@n1.demo.test", Up: rapid.Bool().Draw(t, "up"), Initial: rapid.Bool().Draw(t, "initial")}}
			case 14:
				msg = Diagnosed{map[string]Asked{m.name: {r, m.state}}, []orchestrator.Finding{{Code: "killed", Node: m.name, Problem: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "problem")}}}
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
				askers = append(askers, Waiter(i+1))
				msg = Partition{Node: m.name, Peers: peers, Apart: rapid.Bool().Draw(t, "apart"), OverlapAllowed: loose, Waiter: Waiter(i + 1)}
			case 17: // a node has set its blocked peers
				half, ok := telling[m.name]
				delete(telling, m.name)
				if msg = (Tick{}); ok {
					var err error
					if rapid.IntRange(0, 3).Draw(t, "fails") == 0 {
						err = erldist.ErrClosed
					}
					msg = BlockedSet{half.RunID, half.Block, half.Unblock, err}
				}
			case 18:
				sees := map[string]Sight{}
				for _, n := range s.sup.nodes {
					var peers []string
					for _, p := range s.sup.nodes {
						if p != n && rapid.Bool().Draw(t, "sees") {
							peers = append(peers, p.name)
						}
					}
					sees[n.name] = Sight{Inc: n.inc, Peers: peers}
				}
				msg = Mesh{sees}
			case 15:
				msg = Paused{RunID: r, Paused: rapid.Bool().Draw(t, "paused"), Waiter: Waiter(i + 1)}
			case 11:
				kind := rapid.SampledFrom([]CommandKind{CmdStart, CmdStop, CmdRestart, CmdKill, CmdPause, CmdUnpause}).Draw(t, "command")
				msg = Command{Kind: kind, Nodes: []string{m.name}, Waiter: Waiter(i + 1)}
				if kind == CmdStart || kind == CmdStop || kind == CmdRestart {
					askers = append(askers, Waiter(i+1))
				}
				if !down && (kind == CmdStart || kind == CmdRestart) {
					delete(stopped, m.name)
				}
				check(s.sup.Step(msg, s.now))
				if !down && kind == CmdStop {
					stopped[m.name] = true
				}
				continue
			case 12:
				if cut := rapid.IntRange(0, 9).Draw(t, "cut"); cut < 4 {
					msg = []Message{Unsubscribed{}, Subscribed{}, Collected{}, Force{}}[cut]
				} else if rapid.IntRange(0, 9).Draw(t, "down") == 0 {
					down = true
					msg = Command{Kind: CmdDown, Nodes: []string{""}, Waiter: Waiter(i + 1)}
				} else {
					msg = Seen{r, &orchestrator.Container{ID: "id-" + m.name, State: orchestrator.ContainerState{Status: "exited", FinishedAt: s.now}}}
				}
			}
			check(s.sup.Step(msg, s.now))
			for _, m := range s.sup.nodes {
				if len(m.hist.Recent) > spec.Restart.Max {
					t.Fatalf("%s was restarted %d times in %s", m.name, len(m.hist.Recent), spec.Restart.Window)
				}
				// While evidence of a failed cluster is collected, no node is started:
				// afterwards all are stopped.
				if m.state == orchestrator.BackingOff && m.ending == nil && m.restart.IsZero() && m.busy == idle && !s.sup.closing() {
					t.Fatalf("%s waits for a restart that never comes", m.name)
				}
				if len(m.startWaiters) > 0 && m.busy == idle && m.state.Final() && !s.sup.closing() {
					t.Fatalf("%s is %s, and somebody waits for its start", m.name, m.state)
				}
			}
			if len(s.sup.disconnected) > 0 && s.sup.ready() {
				t.Fatal("ready though nodes are partitioned")
			}
			for _, m := range s.sup.nodes {
				if m.state == orchestrator.Ready && len(s.sup.disconnectedFrom(m)) > 0 && m.ending == nil {
					t.Fatalf("%s is Ready though it is partitioned", m.name)
				}
			}
			if s.sup.phase == phaseOver && len(askers) > 0 {
				t.Fatalf("the end leaves requests unanswered: %v", askers)
			}
			if at := s.sup.Wake(); !at.IsZero() && at.Before(s.now) && s.sup.phase < phaseRemoving {
				t.Fatalf("wakes at %s, which is %s ago", at, s.now.Sub(at))
			}
		}
	})
}

// An engine that shuts down stops its containers first, and reports each as `docker
// stop`. They are started again when it is back. A container that was stopped while
// others ran stays down.
func TestWhatTheEngineStoppedWithItselfIsStartedAgain(t *testing.T) {
	stop := func(s *script, node string) {
		s.signal(node, "15")
		s.die(node, 0)
		s.event(node, "stop")
		s.postmortem(node, "")
		s.state(node, orchestrator.Stopped)
	}
	s := up(t, 3, nil)
	stop(s, "n3")
	s.after(time.Minute)
	stop(s, "n1")
	stop(s, "n2")
	s.skip()
	s.send(Unsubscribed{}, Subscribed{})
	s.expect("n1 starting", "start n1#2", "n2 starting", "start n2#2")
	s.state("n3", orchestrator.Stopped)

	s = up(t, 2, nil)
	stop(s, "n1")
	s.skip()
	s.send(Unsubscribed{}, Subscribed{}) // n2 runs, so the engine was not stopped
	s.expect()
	s.state("n1", orchestrator.Stopped)

	s = up(t, 1, func(s *orchestrator.Spec) { s.Restart.Mode = orchestrator.RestartNo })
	stop(s, "n1")
	s.skip()
	s.send(Unsubscribed{}, Subscribed{})
	s.expect()
}

// A resumed stream may deliver events of an earlier run. Neither its start nor its end
// are those of the present run.
func TestEventsOfAnEarlierRunAreOld(t *testing.T) {
	s := up(t, 1, nil)
	old := s.now
	s.after(time.Minute)
	s.die("n1", 1)
	s.postmortem("n1", "")
	s.after(2 * time.Second)
	s.state("n1", orchestrator.Starting)
	at := func(e *orchestrator.ContainerEvent) { e.Time = old }
	s.event("n1", "start", at)
	s.event("n1", "kill", at)
	s.event("n1", "die", at)
	s.event("n1", "stop", at)
	s.state("n1", orchestrator.Starting)
	if m := s.sup.byName["n1"]; m.begun || !m.runSince.IsZero() || len(m.signals) > 0 {
		t.Errorf("%+v", m)
	}
}

// The engine may report an oom event 0.1 s after the exit that it caused.
func TestALateOOMEvent(t *testing.T) {
	s := up(t, 1, nil)
	s.die("n1", 137)
	s.postmortem("n1", "")
	s.after(100 * time.Millisecond)
	s.event("n1", "oom")
	s.after(holdExit)
	if e := s.sup.byName["n1"].lastExit; e == nil || e.Class != orchestrator.ExitOOM {
		t.Errorf("%+v", e)
	}
}

// The last lines of a run are recorded after its end. The output of the next run begins
// with its start.
func TestARunsOutputBeginsWithItsStart(t *testing.T) {
	start, end := time.Date(2026, 1, 1, 0, 0, 5, 0, time.UTC), time.Date(2026, 1, 1, 0, 0, 3, 0, time.UTC)
	for name, c := range map[string]struct{ since, ended, want time.Time }{
		"the first run":             {start, time.Time{}, time.Time{}},
		"a later one":               {start, end, start.Add(-orchestrator.StartSlack)},
		"right after the end":       {end.Add(time.Millisecond), end, end},
		"its start is not reported": {time.Time{}, end, end},
		"nothing is reported":       {},
	} {
		m := &member{endedAt: c.ended, run: run{runSince: c.since}}
		if got := (&Supervisor{}).followed(m).Began; !got.Equal(c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// Found by TestSupervisorInvariants: a node that was stopped from outside, and by a
// user's request as well, is not started again with the engine.
func TestARequestedStopOutlivesAnEngineRestart(t *testing.T) {
	s := up(t, 1, nil)
	s.signal("n1", "15")
	s.die("n1", 0)
	s.event("n1", "stop")
	s.send(Command{Kind: CmdStop, Nodes: []string{"n1"}, Waiter: 1})
	s.skip()
	s.send(Unsubscribed{}, Subscribed{})
	s.expect()
	s.state("n1", orchestrator.Stopped)
}

// `docker rm -f` is a kill followed by a removal. A busy engine reports the removal late,
// and it is still not a failure.
func TestALateRemovalEvent(t *testing.T) {
	s := up(t, 1, func(s *orchestrator.Spec) { s.Restart.Mode = orchestrator.RestartNo })
	s.signal("n1", "9")
	s.die("n1", 137)
	s.postmortem("n1", "")
	s.after(holdExit)
	s.state("n1", orchestrator.Failed)
	s.after(time.Second)
	s.event("n1", "destroy")
	s.state("n1", orchestrator.Stopped)
	if e := s.sup.byName["n1"].lastExit; e.Class != orchestrator.ExitRemoved {
		t.Errorf("%+v", e)
	}
}

// An exit is not judged while the engine removes the container, however long that takes:
// it is one end, and no reason for a restart. If the removal fails, the node was killed.
func TestARemovalInProgressIsWaitedFor(t *testing.T) {
	for removed, want := range map[bool]orchestrator.ExitClass{true: orchestrator.ExitRemoved, false: orchestrator.ExitKilled} {
		s := up(t, 1, nil)
		s.signal("n1", "9")
		s.die("n1", 137)
		s.send(Examined{s.report("n1"), Findings{Removing: true}})
		s.after(holdRemoval - time.Second)
		s.state("n1", orchestrator.BackingOff)
		s.expect("n1 backing-off: exit 137")
		if removed {
			s.event("n1", "destroy")
			s.state("n1", orchestrator.Stopped)
		} else {
			s.after(time.Second)
			s.state("n1", orchestrator.Starting)
		}
		if e := s.sup.byName["n1"].lastExit; e == nil || e.Class != want {
			t.Errorf("removed %t: %+v", removed, e)
		}
	}
}

// An engine that comes back stops what it believes to be running, including containers
// that have exited since, and reports the code 255 or their own. That was not a stop, in
// whichever order the events arrive. A container that the engine had to kill was stopped.
func TestAnExitDuringAnEngineRestartIsNotAStop(t *testing.T) {
	for _, c := range []struct {
		code  int
		order []string // a number stands for a kill event with that signal
		class orchestrator.ExitClass
	}{
		{255, []string{"15", "die", "stop"}, orchestrator.ExitKilled},
		{255, []string{"15", "stop", "die"}, orchestrator.ExitKilled},
		{137, []string{"15", "die", "stop"}, orchestrator.ExitKilled},
		{137, []string{"15", "stop", "die"}, orchestrator.ExitKilled},
		{137, []string{"15", "9", "die", "stop"}, orchestrator.ExitStoppedOutside},
		{137, []string{"15", "9", "stop", "die"}, orchestrator.ExitStoppedOutside},
		{0, []string{"15", "die", "stop"}, orchestrator.ExitStoppedOutside},
	} {
		s := up(t, 1, nil)
		s.send(Unsubscribed{})
		for _, action := range c.order {
			e := orchestrator.ContainerEvent{ID: "id-n1", Action: action, Time: s.now, Labels: map[string]string{orchestrator.LabelNode: "n1"}, ExitCode: c.code}
			if action[0] <= '9' {
				e.Action, e.Signal = "kill", action
			}
			s.send(EngineEvent{Event: e, Restarted: true})
		}
		s.postmortem("n1", "")
		s.after(holdExit)
		restarts := 0
		if c.class == orchestrator.ExitKilled {
			restarts = 1
		}
		if m := s.sup.byName["n1"]; m.lastExit == nil || m.lastExit.Class != c.class || m.hist.Total != restarts {
			t.Errorf("%d %v: %+v, %d restarts", c.code, c.order, m.lastExit, m.hist.Total)
		}
	}
}
