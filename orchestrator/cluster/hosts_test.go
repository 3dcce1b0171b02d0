package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/cluster"
	"github.com/beamyard/beamyard/orchestrator/discovery"
	"github.com/beamyard/beamyard/orchestrator/enginetest"
	"github.com/beamyard/beamyard/orchestrator/hosts"
	"github.com/beamyard/beamyard/orchestrator/keeper"
	"github.com/beamyard/beamyard/orchestrator/upgrade"
)

// machine is one of several hosts, with an address of its own.
type machine struct {
	*enginetest.Engine
	address string
}

func (m machine) Info(ctx context.Context) (orchestrator.EngineInfo, error) {
	info, err := m.Engine.Info(ctx)
	info.Local, info.Host, info.Publish = false, m.address, m.address
	return info, err
}

// fleet is a cluster over several hosts: a, b, ….
type fleet struct {
	*world
	machines []*enginetest.Engine
	eng      orchestrator.Engine
	specs    map[string]orchestrator.HostSpec
}

// newFleet returns n hosts, of which the first manages the swarm and has the image.
func newFleet(t *testing.T, n int) *fleet {
	f := &fleet{world: newWorld(t), specs: map[string]orchestrator.HostSpec{}}
	f.machines = []*enginetest.Engine{f.world.eng}
	for range n - 1 {
		m := enginetest.New()
		f.machines = append(f.machines, m)
		t.Cleanup(func() { f.sweep(m) })
	}
	enginetest.Join(f.machines...)
	byName := map[string]hosts.Machine{}
	for i, m := range f.machines {
		m.Program = f.world.eng.Program
		name, address := string(rune('a'+i)), fmt.Sprintf("10.0.0.%d", i+1)
		byName[name], f.specs[name] = machine{m, address}, orchestrator.HostSpec{Host: "tcp://" + address + ":2375"}
	}
	f.eng = hosts.New(byName, hosts.Options{})
	return f
}

func (f *fleet) up(nodes int) {
	f.t.Helper()
	f.runOn(f.eng, func(s *orchestrator.Spec) {
		s.Nodes, s.MaxNodes, s.Hosts = orchestrator.NodeNames(nodes), nodes, f.specs
	}, cluster.Options{})
	f.ready()
}

// host returns the machine of that name.
func (f *fleet) host(name string) *enginetest.Engine { return f.machines[name[0]-'a'] }

// left are the names of what is left on all hosts.
func (f *fleet) left() (all []string) {
	for _, m := range f.machines {
		all = append(all, m.Left()...)
	}
	return all
}

// nextDownRemoves checks what a `down` left, and that the next one removes it.
func (f *fleet) nextDownRemoves(want string) {
	f.t.Helper()
	left := f.left() // several hosts list the network, if containers of theirs use it
	slices.Sort(left)
	if got := strings.Join(slices.Compact(left), ", "); got != want {
		f.t.Errorf("left %s, want %s", got, want)
	}
	if _, err := discovery.Remove(f.t.Context(), f.eng, "shop", time.Second); err != nil {
		f.t.Errorf("the next one: %v", err)
	}
	if left = f.left(); len(left) > 0 {
		f.t.Errorf("left behind: %v", left)
	}
}

func (f *fleet) end() {
	f.t.Helper()
	f.cancel()
	if err := <-f.result; err != nil {
		f.t.Errorf("Run: %v", err)
	}
	if left := f.left(); len(left) > 0 {
		f.t.Errorf("left behind: %v", left)
	}
}

func onHosts(t *testing.T, n int, test func(t *testing.T, f *fleet)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, newFleet(t, n)) })
}

func TestAClusterOverThreeHosts(t *testing.T) {
	onHosts(t, 3, func(t *testing.T, f *fleet) {
		f.up(6)
		var got []string
		for i := range 6 {
			n := f.node(fmt.Sprintf("n%d", i+1))
			c, err := f.host(n.On).InspectContainer(t.Context(), n.Container)
			if err != nil || c.ID != n.ContainerID {
				t.Errorf("%s is not on %s: %v", n.Name, n.On, err)
			}
			for _, p := range c.Ports {
				if want := "10.0.0." + string('1'+n.On[0]-'a'); p.HostIP != want {
					t.Errorf("%s publishes at %s, want %s", n.Name, p.HostIP, want)
				}
			}
			got = append(got, n.Name+"@"+n.On+" "+strings.TrimSuffix(n.URL, fmt.Sprint(":", n.HTTPPort)))
		}
		want := []string{"n1@a http://10.0.0.1", "n2@b http://10.0.0.2", "n3@c http://10.0.0.3", "n4@a http://10.0.0.1", "n5@b http://10.0.0.2", "n6@c http://10.0.0.3"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("nodes (-want +got):\n%s", diff)
		}
		if _, addr, err := f.Reach("n2"); err != nil || !strings.HasPrefix(addr, "10.0.0.2:") {
			t.Errorf("n2 is dialled at %s, %v", addr, err)
		}

		before := f.node("n2")
		f.host("b").ExternalKill(before.Container, "KILL")
		f.untilState("n2", orchestrator.BackingOff)
		f.ready()
		if n := f.node("n2"); n.ContainerID != before.ContainerID || n.RestartCount != 1 || n.IP != before.IP || n.URL != before.URL {
			t.Errorf("after the restart %+v, before %+v", n, before)
		}
		var lines []string
		if err := f.Logs(t.Context(), orchestrator.LogQuery{Nodes: []string{"n2"}}, func(l orchestrator.Line) error {
			lines = append(lines, l.Text)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"run 1 boots", "── n2 restarted (exit 137, killed) ──", "run 2 boots"}, lines); diff != "" {
			t.Errorf("lines (-want +got):\n%s", diff)
		}

		found, err := discovery.Find(t.Context(), f.eng, "shop")
		if n, _ := found.Node("n5"); err != nil || n.On != "b" || !strings.HasPrefix(n.URL, "http://10.0.0.2:") {
			t.Errorf("by its labels: %+v, %v", n, err)
		}
		f.end()
	})
}

// An upgrade reaches the nodes of every host, and so does the way back. A node keeps its host, its
// address and its URL.
func TestAnUpgradeOverThreeHosts(t *testing.T) {
	onHosts(t, 3, func(t *testing.T, f *fleet) {
		f.world.eng.AddImage("shop:2") // on the manager alone
		f.up(4)
		places := func() (images, at string) {
			for i := range 4 {
				n := f.node(fmt.Sprintf("n%d", i+1))
				c, err := f.host(n.On).InspectContainer(t.Context(), n.Container)
				if err != nil {
					t.Errorf("%s is not on %s: %v", n.Name, n.On, err)
				}
				images, at = images+" "+c.Image, at+fmt.Sprintf(" %s@%s %s %s", n.Name, n.On, n.IP, n.URL)
			}
			return images, at
		}
		_, before := places()
		for _, step := range []struct {
			o    upgrade.Options
			want string
		}{
			{upgrade.Options{Source: "shop:2"}, " shop:2 shop:2 shop:2 shop:2"},
			{upgrade.Options{Back: true}, " shop:1 shop:1 shop:1 shop:1"},
		} {
			if _, err := f.Upgrade(t.Context(), step.o); err != nil {
				t.Fatalf("%v\n%s", err, f.history())
			}
			if images, at := places(); images != step.want || at != before {
				t.Errorf("nodes run%s at%s; want%s at%s", images, at, step.want, before)
			}
		}
		f.end()
	})
}

func TestAClusterNeedsEveryHostToStart(t *testing.T) {
	for name, tt := range map[string]struct {
		edit func(*fleet)
		kind error
		want string
	}{
		"a host that does not answer": {func(f *fleet) { f.host("b").SetAway(true) }, orchestrator.ErrHostLost, "host b"},
		"an engine of one machine":    {func(f *fleet) { f.eng = f.host("a") }, orchestrator.ErrNotFound, "host a"},
		"no swarm": {func(f *fleet) {
			f.eng = hosts.New(map[string]hosts.Machine{"a": machine{enginetest.New("shop:1"), "10.0.0.1"}, "b": machine{enginetest.New(), "10.0.0.2"}}, hosts.Options{})
		}, orchestrator.ErrNoSwarm, "none of the hosts a, b manages a swarm"},
		"another swarm": {func(f *fleet) {
			other := enginetest.New()
			enginetest.Join(enginetest.New(), enginetest.New(), other)
			f.eng = hosts.New(map[string]hosts.Machine{"a": machine{f.host("a"), "10.0.0.1"}, "b": machine{other, "10.0.0.2"}}, hosts.Options{})
		}, orchestrator.ErrNoSwarm, "host b is not in the swarm of host a"},
	} {
		t.Run(name, func(t *testing.T) {
			onHosts(t, 2, func(t *testing.T, f *fleet) {
				tt.edit(f)
				f.runOn(f.eng, func(s *orchestrator.Spec) { s.Hosts = f.specs }, cluster.Options{})
				err := <-f.result
				if !errors.Is(err, tt.kind) || !strings.Contains(err.Error(), tt.want) || len(orchestrator.HintOf(err)) == 0 {
					t.Errorf("%v, hint %q", err, orchestrator.HintOf(err))
				}
				f.host("b").SetAway(false)
				if left := f.left(); len(left) > 0 {
					t.Errorf("left behind: %v", left)
				}
			})
		})
	}
}

// One host needs no swarm.
func TestAClusterOnOneNamedHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		eng := hosts.New(map[string]hosts.Machine{"big": machine{w.eng, "10.0.0.1"}}, hosts.Options{})
		w.runOn(eng, func(s *orchestrator.Spec) {
			s.Hosts = map[string]orchestrator.HostSpec{"big": {Host: "tcp://10.0.0.1:2375"}}
		}, cluster.Options{})
		w.ready()
		if n := w.node("n3"); n.On != "big" || !strings.HasPrefix(n.URL, "http://10.0.0.1:") {
			t.Errorf("%+v", n)
		}
		w.end()
	})
}

// A host that does not answer: its nodes are Unreachable with since when and why, the others go
// on, and nothing is started elsewhere. When it is back, what runs is taken over as it is, and
// what died there is restarted there.
func TestAHostThatIsLostAndReturns(t *testing.T) {
	onHosts(t, 3, func(t *testing.T, f *fleet) {
		f.up(6)
		before := map[string]orchestrator.NodeStatus{"n2": f.node("n2"), "n5": f.node("n5")}
		f.host("b").SetAway(true)
		time.Sleep(time.Minute)
		for _, name := range []string{"n2", "n5"} {
			if n := f.node(name); n.State != orchestrator.Ready { // the API of the engine alone does not answer
				t.Errorf("%s is %s: %s", name, n.State, n.Reason)
			}
		}
		lost := time.Now()
		for name := range before {
			f.vms.refuse(before[name].Node, true) // now the machine does not, either
		}
		f.untilState("n2", orchestrator.Unreachable)
		f.untilState("n5", orchestrator.Unreachable)
		if n := f.node("n2"); !strings.HasPrefix(n.Reason, "host b has not answered since 2000-01-01T00:0") || !strings.Contains(n.Reason, "connection reset") {
			t.Errorf("reason %q", n.Reason)
		}
		time.Sleep(10 * time.Minute) // lists are compared many times
		if n := f.node("n2"); n.State != orchestrator.Unreachable || n.RestartCount != 0 || time.Since(lost) < 10*time.Minute {
			t.Errorf("later %+v", n)
		}
		if n := f.node("n1"); n.State != orchestrator.Ready {
			t.Errorf("n1 is %s: %s", n.State, n.Reason)
		}
		// The others are kept as ever.
		f.host("a").ExternalKill(f.node("n4").Container, "KILL")
		f.until("n4 is restarted", func() bool { n := f.node("n4"); return n.RestartCount == 1 && n.State == orchestrator.Ready })
		for _, other := range []string{"a", "c"} {
			list, err := f.host(other).Containers(t.Context(), nil)
			if err != nil || len(list) != 2 {
				t.Errorf("%d containers on %s, %v", len(list), other, err)
			}
		}

		f.host("b").ExternalKill(before["n5"].Container, "KILL") // it dies unseen
		for name := range before {
			f.vms.refuse(before[name].Node, false)
		}
		f.host("b").SetAway(false)
		f.until("n2 and n5 are back", func() bool {
			return f.node("n2").State == orchestrator.Ready && f.node("n5").State == orchestrator.Ready
		})
		f.ready()
		n2, n5 := f.node("n2"), f.node("n5")
		if n2.ContainerID != before["n2"].ContainerID || n2.RestartCount != 0 || n2.Incarnation != before["n2"].Incarnation {
			t.Errorf("n2, which ran all the time: %+v", n2)
		}
		if n5.ContainerID != before["n5"].ContainerID || n5.RestartCount != 1 || n5.LastExit == nil || n5.LastExit.Class != orchestrator.ExitKilled {
			t.Errorf("n5, which was killed: %+v, %v", n5, n5.LastExit)
		}
		history := f.history()
		for _, want := range []string{"host b does not answer: ", "n2 unreachable: host b has not answered since", "host b answers again"} {
			if strings.Count(history, want) != 1 {
				t.Errorf("%q is %d times in\n%s", want, strings.Count(history, want), history)
			}
		}
		f.end()
	})
}

// What a host that does not answer has of a cluster stays when the cluster is taken down, which
// says so; and the network stays, by which the next `down` finds it.
func TestDownWithALostHost(t *testing.T) {
	onHosts(t, 3, func(t *testing.T, f *fleet) {
		f.up(6)
		f.host("b").SetAway(true)
		for _, name := range []string{"n2", "n5"} {
			f.vms.refuse(f.node(name).Node, true)
		}
		f.untilState("n2", orchestrator.Unreachable)
		began := time.Now()
		err := f.Down(t.Context())
		if !errors.Is(err, orchestrator.ErrHostLost) || !strings.Contains(err.Error(), "host b does not answer") || !strings.Contains(orchestrator.HintOf(err).String(), "beamyard down shop") {
			t.Errorf("down: %v, hint %q", err, orchestrator.HintOf(err))
		}
		if took := time.Since(began); took > 2*time.Minute {
			t.Errorf("it took %v", took)
		}
		<-f.result
		f.host("b").SetAway(false)
		f.nextDownRemoves("container beamyard-shop-n2, container beamyard-shop-n5, network beamyard-shop")
	})
}

// Without an answer of a host, its nodes are known from the spec: they are Unreachable. A cluster that
// may be there is not said to be none.
func TestLabelsOfALostHost(t *testing.T) {
	onHosts(t, 3, func(t *testing.T, f *fleet) {
		f.up(6)
		f.host("b").SetAway(true)
		found, err := discovery.Find(t.Context(), f.eng, "shop")
		if err != nil || !errors.Is(found.Missing, orchestrator.ErrHostLost) {
			t.Fatalf("%v, missing %v", err, found.Missing)
		}
		var got []string
		for _, n := range found.Nodes {
			got = append(got, n.Name+"@"+n.On+" "+string(n.State))
			if lost := n.On == "b"; lost != strings.HasPrefix(n.Reason, "host b does not answer: ") || lost != (n.ContainerID == "") || n.IP != f.node(n.Name).IP {
				t.Errorf("%+v", n)
			}
		}
		want := []string{"n1@a running", "n2@b unreachable", "n3@c running", "n4@a running", "n5@b unreachable", "n6@c running"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("nodes (-want +got):\n%s", diff)
		}
		if _, err := discovery.Find(t.Context(), f.eng, "other"); !errors.Is(err, orchestrator.ErrHostLost) || errors.Is(err, orchestrator.ErrNoCluster) {
			t.Errorf("another cluster: %v", err)
		}
		if unused, err := discovery.UnusedVolumes(t.Context(), f.eng); !errors.Is(err, orchestrator.ErrHostLost) {
			t.Errorf("volumes of clusters that may be up: %v, %v", unused, err)
		}
		f.host("b").SetAway(false)
		if found, err = discovery.Find(t.Context(), f.eng, "shop"); err != nil || found.Missing != nil {
			t.Errorf("later: %v, missing %v", err, found.Missing)
		}
		f.end()
	})
}

// A prune removes what it reaches of a cluster that was left behind, says what stays, and the next one
// finishes.
func TestPruneWithALostHost(t *testing.T) {
	onHosts(t, 3, func(t *testing.T, f *fleet) {
		f.runOn(f.eng, func(s *orchestrator.Spec) { s.Hosts, s.Owner = f.specs, keeper.Self(true) }, cluster.Options{})
		f.ready()
		f.cancel()
		if err := <-f.result; err != nil {
			t.Fatal(err)
		}
		for _, m := range f.machines {
			m.Relabel("shop", dead(false))
		}
		f.host("b").SetAway(true)
		removed, err := discovery.Prune(t.Context(), f.eng, discovery.PruneOptions{})
		if !errors.Is(err, orchestrator.ErrHostLost) || !strings.Contains(err.Error(), "what it has of shop stays, and so does the network: ") || !strings.Contains(orchestrator.HintOf(err).String(), "when it answers again: beamyard down shop") {
			t.Errorf("%v, hint %q", err, orchestrator.HintOf(err))
		}
		if len(removed) != 1 || len(removed[0].Containers) != 2 || len(removed[0].Networks) != 0 {
			t.Errorf("removed %+v", removed)
		}
		f.host("b").SetAway(false)
		removed, err = discovery.Prune(t.Context(), f.eng, discovery.PruneOptions{})
		if err != nil || len(removed) != 1 || len(removed[0].Containers) != 1 || len(removed[0].Networks) != 1 {
			t.Errorf("the next one removed %+v, %v", removed, err)
		}
		if left := f.left(); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	})
}
