//go:build hosts

package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/discovery"
	"github.com/beamyard/beamyard/orchestrator/docker"
	"github.com/beamyard/beamyard/orchestrator/enginetest/contract"
	"github.com/beamyard/beamyard/orchestrator/target"
)

// These scenarios run on several engines: see .ci/dind/hosts, which starts them.

// machines returns the hosts of the test, by name.
func machines(t testing.TB) map[string]orchestrator.HostSpec {
	t.Helper()
	specs := map[string]orchestrator.HostSpec{}
	for _, word := range strings.Fields(os.Getenv("BEAMYARD_TEST_HOSTS")) {
		name, at, _ := strings.Cut(word, "=")
		specs[name] = orchestrator.HostSpec{Host: at}
	}
	if len(specs) < 3 {
		t.Fatalf("BEAMYARD_TEST_HOSTS has %d hosts, want 3: run make hosts-test", len(specs))
	}
	return specs
}

// over opens the engines of hosts as one.
func over(t testing.TB, specs map[string]orchestrator.HostSpec) *docker.Hosts {
	t.Helper()
	eng, err := docker.Open(orchestrator.Spec{Hosts: specs})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(eng.Close)
	return eng
}

// alone opens the engine of one host.
func alone(t testing.TB, spec orchestrator.HostSpec) *docker.Engine {
	t.Helper()
	eng, err := docker.New(docker.Options{Host: spec.Host})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(eng.Close)
	return eng
}

// placedOn creates every container on one host.
type placedOn struct {
	orchestrator.Engine
	host string
}

func (e placedOn) CreateContainer(ctx context.Context, c orchestrator.ContainerSpec) (string, error) {
	if c.NetworkOf == "" && c.PIDOf == "" {
		c.Host = e.host
	}
	return e.Engine.CreateContainer(ctx, c)
}

func (e placedOn) CreateVolume(ctx context.Context, v orchestrator.Volume) error {
	v.Host = e.host
	return e.Engine.CreateVolume(ctx, v)
}

func TestHostsContract(t *testing.T) {
	specs := machines(t)
	delete(specs, "c")
	a, b := alone(t, specs["a"]), alone(t, specs["b"])
	_, ref := contract.Image(t, a)
	t.Run("an image is copied", func(t *testing.T) { contract.Transfer(t, a, b, ref) })
	t.Run("overlay", func(t *testing.T) { contract.Overlay(t, a, b, ref, "/process") })
	for _, host := range []string{"a", "b"} {
		t.Run("on host "+host, func(t *testing.T) {
			contract.Run(t, func(t testing.TB) orchestrator.Engine { return placedOn{over(t, specs), host} }, ref, "/process")
		})
	}
}

// Six nodes over three engines: the mesh is proven, a kill on a worker is noticed and the same
// container starts again, every line arrives once, what is saved runs on all of them, hosts are
// partitioned and healed, and nothing is left on any engine.
func TestHostsCluster(t *testing.T) {
	specs := machines(t)
	eng := over(t, specs)
	p := newProject(t)
	r := up(t, eng, "trixie", 6, func(s *orchestrator.Spec) { s.Hosts, s.Source = specs, p.dir })
	st, err := r.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	on := map[string]int{}
	for _, n := range st.Nodes {
		on[n.On]++
		if len(n.Peers) != 5 {
			t.Errorf("%s on %s sees %v", n.Name, n.On, n.Peers)
		}
	}
	if on["a"] != 2 || on["b"] != 2 || on["c"] != 2 {
		t.Errorf("nodes by host: %v", on)
	}
	before, _ := st.Node("n2")
	if before.On != "b" {
		t.Fatalf("n2 is on %s", before.On)
	}
	began := time.Now()
	if err := alone(t, specs["b"]).KillContainer(t.Context(), before.ContainerID, "KILL"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the kill is noticed", func() bool {
		st, _ := r.Status(t.Context())
		n, _ := st.Node("n2")
		return n.RestartCount == 1
	})
	t.Logf("noticed %v after the kill", time.Since(began).Round(time.Millisecond))
	if err := r.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Logf("ready again after %v", time.Since(began).Round(time.Millisecond))
	st, _ = r.Status(t.Context())
	if after, _ := st.Node("n2"); after.ContainerID != before.ContainerID || after.IP != before.IP || after.URL != before.URL || len(after.Peers) != 5 {
		t.Errorf("after %+v, before %+v", after, before)
	}

	const lines = 2000
	for _, node := range []string{"n1", "n2", "n3"} {
		if _, err := r.Eval(t.Context(), node, fmt.Sprintf("for i <- 1..%d, do: IO.puts(:user, \"line #{i}\")", lines), orchestrator.EvalOptions{}); err != nil {
			t.Fatal(err)
		}
		want := make([]string, lines)
		for i := range want {
			want[i] = fmt.Sprintf("line %d", i+1)
		}
		eventually(t, node+" printed all", func() bool {
			var got []string
			if err := r.Logs(t.Context(), orchestrator.LogQuery{Nodes: []string{node}}, func(l orchestrator.Line) error {
				if strings.HasPrefix(l.Text, "line ") {
					got = append(got, l.Text)
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			return slices.Equal(got, want[len(want)-len(got):]) && len(got) >= 900 // the ring keeps the last 1000 lines
		})
	}

	p.version("", "1")
	r.synced("synced Demo.Router on n1 n2 n3 n4 n5 n6")
	r.partitionsHosts(specs)

	began = time.Now()
	if err := r.Down(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Logf("down after %v", time.Since(began).Round(time.Millisecond))
	for name, spec := range specs {
		if _, err := discovery.Find(t.Context(), alone(t, spec), r.name); !errors.Is(err, orchestrator.ErrNoCluster) {
			t.Errorf("left on %s: %v", name, err)
		}
	}
}

// on returns the nodes on a host.
func (r *running) on(host string) []string {
	r.t.Helper()
	chooser := target.Chooser{Spec: r.Spec()}
	nodes, err := chooser.Nodes(orchestrator.OnHost + host)
	if err != nil || len(nodes) != 2 {
		r.t.Fatalf("on %s are %v, %v", host, nodes, err)
	}
	return nodes
}

// partitionsHosts cuts each host off from the others, and heals that. Then a fault of the nodes of
// a worker comes into force there, and connections between two hosts are reset.
func (r *running) partitionsHosts(specs map[string]orchestrator.HostSpec) {
	t := r.t
	f := fault.Partition(r.on("a"), r.on("b"))
	f.How = fault.Reset
	began := time.Now()
	f = r.inject(f, 0)
	t.Logf("%s: in force after %v", f, time.Since(began).Round(time.Millisecond))
	for _, n := range r.Spec().Nodes {
		r.seesEventually(n.Name, 1)
	}
	t.Logf("noticed after %v", time.Since(began).Round(time.Millisecond))
	began = time.Now()
	r.heal(f.ID)
	t.Logf("whole %v after the heal", time.Since(began).Round(time.Millisecond))

	f = fault.Partition(r.on("c"))
	f.How = fault.Reset
	f = r.inject(f, 15*time.Second) // it ends by itself, on each host's clock
	for _, name := range r.on("a") {
		r.seesEventually(name, 3)
	}
	r.whole()
	if late := time.Since(f.End); late < 0 {
		t.Errorf("whole %v before its end", -late)
	}
	r.inject(fault.Fault{Kind: fault.KindSqueeze, Nodes: r.on("b"), Limits: fault.Limits{CPUs: 0.5}}, 0)
	for _, name := range r.on("b") {
		c, err := alone(t, specs["b"]).InspectContainer(t.Context(), r.node(name).ContainerID)
		if err != nil || c.Limits.CPUs != 0.5 {
			t.Errorf("limits of %s: %+v, %v", name, c.Limits, err)
		}
	}
	if reset, err := r.injector().ResetConnections(t.Context(), []fault.Pair{{From: r.on("a")[0], To: r.on("c")[0]}}); err != nil || reset == 0 {
		t.Errorf("%d connections reset, %v", reset, err)
	}
	r.heal()
}

// The machine of a host stops to answer, with the node on it: the node is Unreachable, the others
// go on, and nothing is started elsewhere. When the machine answers again, the same run is Ready
// again.
func TestHostsLost(t *testing.T) {
	specs := machines(t)
	containers := strings.Fields(os.Getenv("BEAMYARD_TEST_HOST_CONTAINERS"))
	if len(containers) != 3 {
		t.Fatalf("BEAMYARD_TEST_HOST_CONTAINERS has %d containers, want 3", len(containers))
	}
	cli := bareClient(t)
	r := up(t, over(t, specs), "trixie", 3, func(s *orchestrator.Spec) { s.Hosts, s.NetTick = specs, 8*time.Second })
	node := func(name string) orchestrator.NodeStatus {
		st, err := r.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		n, _ := st.Node(name)
		return n
	}
	before := node("n3")
	if before.On != "c" {
		t.Fatalf("n3 is on %s", before.On)
	}
	if err := cli.ContainerPause(t.Context(), containers[2]); err != nil {
		t.Fatal(err)
	}
	thaw := func(ctx context.Context) error { return cli.ContainerUnpause(ctx, containers[2]) }
	t.Cleanup(func() { _ = thaw(context.Background()) }) // an error says that it runs
	lost := time.Now()
	within(t, 3*time.Minute, "n3 is unreachable", func() bool { return node("n3").State == orchestrator.Unreachable })
	t.Logf("unreachable after %v: %s", time.Since(lost).Round(time.Second), node("n3").Reason)
	within(t, time.Minute, "the others lost it", func() bool { return len(node("n1").Peers) == 1 && len(node("n2").Peers) == 1 })
	for _, name := range []string{"n1", "n2"} {
		if n := node(name); n.State != orchestrator.Ready {
			t.Errorf("%s is %s: %s", name, n.State, n.Reason)
		}
	}
	back := time.Now()
	if err := thaw(t.Context()); err != nil {
		t.Fatal(err)
	}
	within(t, 3*time.Minute, "the cluster is whole", func() bool {
		st, err := r.Status(t.Context())
		return err == nil && st.Ready
	})
	t.Logf("whole again after %v", time.Since(back).Round(time.Second))
	if after := node("n3"); after.ContainerID != before.ContainerID || after.RestartCount != 0 || after.Incarnation != before.Incarnation {
		t.Errorf("after %+v, before %+v", after, before)
	}
}

// The machine of a host stops to answer: after a minute its node runs on another host, in the mesh
// and under its name. When the machine answers again, the old container is removed there.
func TestHostsMoved(t *testing.T) {
	specs := machines(t)
	containers := strings.Fields(os.Getenv("BEAMYARD_TEST_HOST_CONTAINERS"))
	if len(containers) != 3 {
		t.Fatalf("BEAMYARD_TEST_HOST_CONTAINERS has %d containers, want 3", len(containers))
	}
	cli := bareClient(t)
	r := up(t, over(t, specs), "trixie", 3, func(s *orchestrator.Spec) {
		s.Hosts, s.NetTick, s.OnHostLost = specs, 8*time.Second, orchestrator.HostLostMove
	})
	before := r.node("n3")
	if before.On != "c" {
		t.Fatalf("n3 is on %s", before.On)
	}
	if err := cli.ContainerPause(t.Context(), containers[2]); err != nil {
		t.Fatal(err)
	}
	thaw := func(ctx context.Context) error { return cli.ContainerUnpause(ctx, containers[2]) }
	t.Cleanup(func() { _ = thaw(context.Background()) }) // an error says that it runs
	lost := time.Now()
	within(t, 5*time.Minute, "n3 runs elsewhere", func() bool {
		n := r.node("n3")
		return n.On != "c" && n.State == orchestrator.Ready && len(n.Peers) == 2
	})
	after := r.node("n3")
	t.Logf("on %s after %v, at %s, before at %s", after.On, time.Since(lost).Round(time.Second), after.IP, before.IP)
	if after.Node != before.Node || after.ContainerID == before.ContainerID || time.Since(lost) < orchestrator.MoveAfter {
		t.Errorf("after %+v, before %+v", after, before)
	}
	for _, name := range []string{"n1", "n2"} {
		if answer := r.rpc(name, `Node.ping(:"`+after.Node+`")`); answer != ":pong" {
			t.Errorf("%s gets %s from n3", name, answer)
		}
	}
	if err := thaw(t.Context()); err != nil {
		t.Fatal(err)
	}
	c := alone(t, specs["c"])
	within(t, 3*time.Minute, "nothing is left on c", func() bool {
		left, err := c.Containers(t.Context(), map[string]string{orchestrator.LabelCluster: r.name})
		return err == nil && len(left) == 0
	})
	r.whole()
	if n := r.node("n3"); n.ContainerID != after.ContainerID || n.On != after.On {
		t.Errorf("after the return %+v, before %+v", n, after)
	}
}

// within waits until the condition holds.
func within(t *testing.T, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(limit)
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not within %v: %s", limit, what)
		}
	}
}
