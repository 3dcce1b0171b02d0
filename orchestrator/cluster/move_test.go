package cluster_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/cluster"
	"github.com/beamyard/beamyard/orchestrator/discovery"
	"github.com/beamyard/beamyard/orchestrator/keeper"
)

// moving starts a cluster whose nodes leave a host that is lost.
func (f *fleet) moving(nodes int, edit func(*orchestrator.Spec)) {
	f.t.Helper()
	f.runOn(f.eng, func(s *orchestrator.Spec) {
		s.Nodes, s.Hosts, s.OnHostLost = orchestrator.NodeNames(nodes), f.specs, orchestrator.HostLostMove
		if edit != nil {
			edit(s)
		}
	}, cluster.Options{})
	f.ready()
}

// lose takes a host away with everything on it, and returns what brings it back.
func (f *fleet) lose(host string) (back func()) {
	f.t.Helper()
	var names []string
	st, _ := f.Status(f.t.Context())
	for _, n := range st.Nodes {
		if n.On == host {
			names = append(names, n.Node)
		}
	}
	f.host(host).SetAway(true)
	reach := f.vms.lose(names...)
	return func() {
		reach()
		f.host(host).SetAway(false)
	}
}

// told checks that each text is in the history once.
func (f *fleet) told(texts ...string) {
	f.t.Helper()
	history := f.history()
	for _, want := range texts {
		if strings.Count(history, want) != 1 {
			f.t.Errorf("%q is %d times in\n%s", want, strings.Count(history, want), history)
		}
	}
}

// names are the containers on a host.
func (f *fleet) containers(host string) (names []string) {
	f.t.Helper()
	list, err := f.host(host).Containers(f.t.Context(), nil)
	if err != nil {
		f.t.Fatal(err)
	}
	for _, c := range list {
		names = append(names, c.Name)
	}
	slices.Sort(names)
	return names
}

// The nodes of a host that is lost for a minute run on others, as new containers with their names.
// When it returns, the old ones are removed there, and the new ones stay.
func TestNodesLeaveALostHost(t *testing.T) {
	onHosts(t, 3, func(t *testing.T, f *fleet) {
		f.moving(6, nil)
		before := map[string]orchestrator.NodeStatus{"n2": f.node("n2"), "n5": f.node("n5")}
		back := f.lose("b")
		lost := time.Now()
		f.untilState("n2", orchestrator.Unreachable)
		time.Sleep(orchestrator.MoveAfter - time.Since(lost) - time.Second)
		if n := f.node("n2"); n.State != orchestrator.Unreachable || n.ContainerID != before["n2"].ContainerID {
			t.Errorf("before the time %+v", n)
		}
		f.ready()
		if took := time.Since(lost); took < orchestrator.MoveAfter || took > orchestrator.MoveAfter+30*time.Second {
			t.Errorf("they are back after %s", took)
		}
		for name, host := range map[string]string{"n2": "a", "n5": "c"} {
			n, was := f.node(name), before[name]
			if n.On != host || n.Node != was.Node || n.ContainerID == was.ContainerID || n.RestartCount != 0 || n.Incarnation != was.Incarnation+1 || len(n.Peers) != 5 {
				t.Errorf("%s after %+v\nbefore %+v", name, n, was)
			}
			if want := "http://10.0.0." + string('1'+host[0]-'a') + ":"; !strings.HasPrefix(n.URL, want) {
				t.Errorf("%s is at %s, want %s…", name, n.URL, want)
			}
			if _, addr, err := f.Reach(name); err != nil || !strings.HasPrefix(addr, strings.TrimPrefix(n.URL, "http://")[:len("10.0.0.1")]) {
				t.Errorf("%s is dialled at %s, %v", name, addr, err)
			}
			// The swarm keeps the address for the container on the lost host.
			if n.IP == was.IP || slices.ContainsFunc([]string{"n1", "n3", "n4", "n6"}, func(o string) bool { return f.node(o).IP == n.IP }) {
				t.Errorf("%s has %s, before %s", name, n.IP, was.IP)
			}
			if on, _ := f.Spec().NodeOf(name); on.Host != host {
				t.Errorf("the spec says that %s is on %s", name, on.Host)
			}
		}
		if f.node("n2").IP == f.node("n5").IP {
			t.Error("two nodes have one address")
		}
		var lines []string
		if err := f.Logs(t.Context(), orchestrator.LogQuery{Nodes: []string{"n2"}}, func(l orchestrator.Line) error {
			lines = append(lines, l.Text)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"run 1 boots", "── n2 moved from host b to host a ──", "run 1 boots"}, lines); diff != "" {
			t.Errorf("lines (-want +got):\n%s", diff)
		}

		back()
		f.until("nothing is left on b", func() bool { return len(f.containers("b")) == 0 })
		f.ready()
		time.Sleep(5 * time.Minute)
		for name, host := range map[string]string{"n2": "a", "n5": "c"} {
			if n := f.node(name); n.On != host || n.State != orchestrator.Ready || n.Incarnation != before[name].Incarnation+1 {
				t.Errorf("%s after the return: %+v", name, n)
			}
		}
		f.told("n2 moves to host a, with empty disks: host b has not answered since", "n2 runs on host a now; what host b has of it is removed when that answers",
			"removed what host b still had of n2", "removed what host b still had of n5")

		// It is restarted where it is.
		f.host("a").ExternalKill(f.node("n2").Container, "KILL")
		f.until("n2 is restarted", func() bool { n := f.node("n2"); return n.RestartCount == 1 && n.State == orchestrator.Ready })
		if n := f.node("n2"); n.On != "a" {
			t.Errorf("restarted %+v", n)
		}
		f.end()
	})
}

// A node is not moved while it runs: its connection to us holds, or a peer is connected to it. Only
// the engine of its host does not answer, or only we do not reach it.
func TestANodeThatRunsIsNotMoved(t *testing.T) {
	onHosts(t, 2, func(t *testing.T, f *fleet) {
		f.moving(4, nil)
		before := f.node("n2")
		f.host("b").SetAway(true)
		time.Sleep(10 * time.Minute)
		f.vms.refuse(before.Node, true) // its peers are connected to it still
		f.untilState("n2", orchestrator.Unreachable)
		time.Sleep(10 * time.Minute)
		if strings.Contains(f.history(), "moves to") || len(f.containers("a")) != 2 {
			t.Errorf("on a %v\n%s", f.containers("a"), f.history())
		}
		f.vms.refuse(before.Node, false)
		f.host("b").SetAway(false)
		f.ready()
		if n := f.node("n2"); n.ContainerID != before.ContainerID || n.Incarnation != before.Incarnation {
			t.Errorf("after %+v", n)
		}
		f.end()
	})
}

// A host that answers again in time keeps its nodes.
func TestAHostThatReturnsInTimeKeepsItsNodes(t *testing.T) {
	onHosts(t, 3, func(t *testing.T, f *fleet) {
		f.moving(3, nil)
		before := f.node("n2")
		back := f.lose("b")
		f.untilState("n2", orchestrator.Unreachable)
		time.Sleep(40 * time.Second)
		back()
		f.ready()
		time.Sleep(5 * time.Minute)
		if n := f.node("n2"); n.ContainerID != before.ContainerID || n.On != "b" || strings.Contains(f.history(), "moves to") {
			t.Errorf("after %+v\n%s", n, f.history())
		}
		f.end()
	})
}

// A move that fails leaves the node what it was, and is tried again. The old run is the node's if its
// host answers first.
func TestAMoveThatFails(t *testing.T) {
	onHosts(t, 2, func(t *testing.T, f *fleet) {
		f.moving(2, nil)
		before := f.node("n2")
		back := f.lose("b")
		broken := errors.New("no space left on device")
		f.host("a").FailNext("CreateContainer", broken)
		f.host("a").FailNext("StartContainer", broken)
		f.until("the second failure", func() bool { return strings.Count(f.history(), "n2 could not be started on host a: ") == 2 })
		if n := f.node("n2"); n.State != orchestrator.Unreachable || n.On != "b" || len(f.containers("a")) != 1 {
			t.Errorf("after it failed %+v, on a %v", n, f.containers("a"))
		}
		back()
		f.ready()
		if n := f.node("n2"); n.ContainerID != before.ContainerID || n.Incarnation != before.Incarnation {
			t.Errorf("after %+v", n)
		}

		f.lose("b") // and a third time, it succeeds
		f.until("n2 runs on a", func() bool { n := f.node("n2"); return n.On == "a" && n.State == orchestrator.Ready })
		f.host("b").SetAway(false)
		f.until("nothing is left on b", func() bool { return len(f.containers("b")) == 0 })
		f.end()
	})
}

// A user stops a node that is being moved: it is not started elsewhere.
func TestAStopDuringAMove(t *testing.T) {
	onHosts(t, 2, func(t *testing.T, f *fleet) {
		f.moving(2, nil)
		back := f.lose("b")
		f.until("the move begins", func() bool { return strings.Contains(f.history(), "n2 moves to host a") })
		if err := f.Stop(t.Context(), "n2"); !errors.Is(err, orchestrator.ErrHostLost) {
			t.Errorf("stop: %v", err)
		}
		f.told("n2 stays on host b")
		time.Sleep(10 * time.Minute)
		if on := f.containers("a"); len(on) != 1 || f.node("n2").On != "b" {
			t.Errorf("on a %v, n2 on %s", on, f.node("n2").On)
		}
		back()
		f.until("n2 can be stopped", func() bool { return f.Stop(t.Context(), "n2") == nil })
		f.untilState("n2", orchestrator.Stopped)
		f.end()
	})
}

// Without room on another host, a node waits, and that is said.
func TestNoRoomToMoveTo(t *testing.T) {
	onHosts(t, 2, func(t *testing.T, f *fleet) {
		a := f.specs["a"]
		a.Nodes = 1
		f.specs["a"] = a
		f.moving(2, nil)
		back := f.lose("b")
		const said = "n2 is not moved: no host that answers has room for it"
		f.until("it is said", func() bool { return strings.Contains(f.history(), said) })
		time.Sleep(10 * time.Minute)
		f.told(said)
		back()
		f.ready()
		f.end()
	})
}

// A user stops a node, or takes the cluster down, after a move: what the lost host has of it is told,
// and the next `down` removes it.
func TestDownAfterAMove(t *testing.T) {
	onHosts(t, 3, func(t *testing.T, f *fleet) {
		f.moving(3, nil)
		f.lose("b")
		f.until("n2 is moved", func() bool { n := f.node("n2"); return n.On == "a" && n.State == orchestrator.Ready })
		if err := f.Down(t.Context()); !errors.Is(err, orchestrator.ErrHostLost) {
			t.Errorf("down: %v", err)
		}
		<-f.result
		f.host("b").SetAway(false)
		f.nextDownRemoves("container beamyard-shop-n2, network beamyard-shop")
	})
}

// The supervisor ends after a move, and the lost host answers before there is another one: the newer
// container is the node, also for whoever only reads labels, and the next supervisor removes the
// older one.
func TestAnAdoptionAfterAMove(t *testing.T) {
	onHosts(t, 3, func(t *testing.T, f *fleet) {
		detached := func(s *orchestrator.Spec) { s.Owner, s.Cookie = keeper.Self(true), "the_same" }
		f.moving(3, detached)
		back := f.lose("b")
		f.until("n2 is moved", func() bool { n := f.node("n2"); return n.On == "a" && n.State == orchestrator.Ready })
		f.ready()
		moved := f.node("n2")
		f.cancel()
		if err := <-f.result; err != nil {
			t.Fatal(err)
		}
		back()
		found, err := discovery.Find(t.Context(), f.eng, "shop")
		n, _ := found.Node("n2")
		if err != nil || len(found.Nodes) != 3 || n.On != "a" || n.ContainerID != moved.ContainerID {
			t.Errorf("by its labels: %+v, %v", found.Nodes, err)
		}
		if on, _ := found.Spec.NodeOf("n2"); on.Host != "a" {
			t.Errorf("the spec says that n2 is on %s", on.Host)
		}
		f.runOn(f.eng, func(s *orchestrator.Spec) {
			s.Hosts, s.OnHostLost = f.specs, orchestrator.HostLostMove
			detached(s)
		}, cluster.Options{Adopt: true})
		f.ready()
		if n := f.node("n2"); n.ContainerID != moved.ContainerID || n.On != "a" || n.URL != moved.URL {
			t.Errorf("adopted %+v\nbefore %+v", n, moved)
		}
		f.until("nothing is left on b", func() bool { return len(f.containers("b")) == 0 })
		if err := f.Down(t.Context()); err != nil {
			t.Error(err)
		}
		<-f.result
		if left := f.left(); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	})
}

// A named volume is new on the host that a node moves to, and belongs to its user there. The one on
// the lost host stays, as named volumes do.
func TestAMovedNodeHasNewVolumes(t *testing.T) {
	onHosts(t, 2, func(t *testing.T, f *fleet) {
		f.moving(2, func(s *orchestrator.Spec) { s.Volumes = map[string]string{"data": "/data"} })
		back := f.lose("b")
		f.host("a").FailNext("StartContainer", errors.New("no space left on device"))
		f.until("n2 is moved", func() bool { n := f.node("n2"); return n.On == "a" && n.State == orchestrator.Ready })
		back()
		f.until("nothing runs on b", func() bool { return len(f.containers("b")) == 0 })
		for host, want := range map[string]int{"a": 2, "b": 1} {
			volumes, err := f.host(host).Volumes(t.Context(), nil)
			if err != nil || len(volumes) != want {
				t.Errorf("%d volumes on %s, want %d: %v, %v", len(volumes), host, want, volumes, err)
			}
		}
		f.cancel()
		if err := <-f.result; err != nil {
			t.Error(err)
		}
		if removed, err := discovery.RemoveVolumes(t.Context(), f.eng, "shop"); err != nil {
			t.Errorf("%v, %v", removed, err)
		}
		if left := f.left(); len(left) > 0 {
			t.Errorf("left behind: %v", fmt.Sprint(left))
		}
	})
}
