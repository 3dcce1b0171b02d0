package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/beamyard/beamyard/images"
	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/enginetest"
)

// kernels are the rules of nodes of an in-memory cluster, as its helpers set them.
type kernels struct {
	t     *testing.T
	eng   *enginetest.Engine
	nodes map[string]string  // container ID by name
	other *enginetest.Engine // of host b, if there are two hosts

	mu     sync.Mutex
	rules  map[string]string // by container ID
	reset  map[string][]netip.Addr
	fails  map[string]string // the kernel's error for rules, by container ID; none are always taken
	broken map[string]bool   // kernels that fail whatever is asked
	kept   map[string]keep   // what keepers keep, by container ID
	alone  int               // how many helpers worked for one node only
	apart  bool              // the engine refuses to share the machine's processes
	during func()            // runs once, while the first helper works
}

func inMemory(t *testing.T, names ...string) (*kernels, Injector) {
	t.Helper()
	k := &kernels{t: t, kept: map[string]keep{}, eng: enginetest.New(images.Bases()[0]), nodes: map[string]string{}, rules: map[string]string{}, reset: map[string][]netip.Addr{}, fails: map[string]string{}}
	k.eng.AddImage("app:1")
	k.eng.Program = k.program
	spec := orchestrator.Spec{Name: "demo"}
	k.create(t, k.eng, &spec, names...)
	return k, Injector{Engine: k.eng, Spec: spec}
}

// create creates a cluster's network and nodes, each on the host that its name begins with, if there
// are two, and starts them.
func (k *kernels) create(t *testing.T, eng orchestrator.Engine, spec *orchestrator.Spec, names ...string) {
	net, err := eng.CreateNetwork(t.Context(), orchestrator.NetworkSpec{Name: "beamyard-demo", Labels: map[string]string{orchestrator.LabelCluster: "demo"}, Subnet: netip.MustParsePrefix("10.213.0.0/26"), Gateway: netip.MustParseAddr("10.213.0.1")})
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range names {
		host := ""
		if k.other != nil {
			host = name[:1]
		}
		spec.Nodes = append(spec.Nodes, orchestrator.NodeSpec{Name: name, Host: host})
		id, err := eng.CreateContainer(t.Context(), orchestrator.ContainerSpec{
			Host: host, Name: "beamyard-demo-" + name, Image: "app:1", NetworkID: net, IP: netip.AddrFrom4([4]byte{10, 213, 0, byte(2 + i)}),
			Labels: map[string]string{orchestrator.LabelCluster: "demo", orchestrator.LabelNode: name},
		})
		if err != nil {
			t.Fatal(err)
		}
		k.nodes[name] = id
		if err := eng.StartContainer(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
}

func (k *kernels) start(name string) {
	k.t.Helper()
	if err := k.eng.StartContainer(k.t.Context(), k.nodes[name]); err != nil {
		k.t.Fatal(err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.rules, k.nodes[name]) // a new network namespace
}

// program runs a helper as Help does, without a kernel.
func (k *kernels) program(spec orchestrator.ContainerSpec) enginetest.Program {
	if spec.NetworkOf == "" && spec.PIDOf == "" && !spec.HostPID {
		return nil
	}
	return func(ctx context.Context, p *enginetest.Process) int {
		k.mu.Lock()
		during := k.during
		k.during = nil
		k.mu.Unlock()
		if during != nil {
			during()
		}
		var r request
		if err := json.Unmarshal([]byte(strings.TrimPrefix(p.Spec.Env[0], helperVariable+"=")), &r); err != nil {
			return 1
		}
		if r.Resolve != nil || r.Keep != nil {
			return k.stays(ctx, p, r)
		}
		k.mu.Lock()
		defer k.mu.Unlock()
		if !slices.Contains(p.Spec.Capabilities, "NET_ADMIN") {
			return 1
		}
		var a answer
		if spec.NetworkOf != "" {
			k.alone++
			a = k.do(spec.NetworkOf, r)
		}
		for _, m := range r.Members {
			if k.apart || !spec.HostPID || !slices.Contains(p.Spec.Capabilities, "SYS_ADMIN") {
				return 1
			}
			a.Members = append(a.Members, k.do(m.Container, m.Request))
		}
		data, _ := json.Marshal(a) // plain data
		fmt.Fprintln(p.Stdout, string(data))
		return 0
	}
}

// do does what a helper does in the network namespace of a node.
func (k *kernels) do(node string, r request) (a answer) {
	a.Reset = len(r.Reset)
	if why := k.fails[node]; why != "" && r.Rules != nil && !r.Rules.Empty() {
		a.Error, a.Unsupported = why, true
	}
	if k.broken[node] {
		a.Error = "no buffer space"
	}
	if r.Rules != nil && !r.Ends.IsZero() && !slices.ContainsFunc(r.Rules.Cuts, func(c fault.Cut) bool { return c.Until.Equal(r.Ends) }) {
		a.Error = "no rule ends with the blip"
	}
	if a.Error != "" {
		return a
	}
	k.reset[node] = append(k.reset[node], r.Reset...)
	if r.Rules != nil {
		k.rules[node] = r.Rules.String()
		a.Rules = r.Rules.Live(time.Now()).String()
	}
	return a
}

// has compares the rules of nodes.
func (k *kernels) has(want map[string]string) {
	k.t.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	got := map[string]string{}
	for name, id := range k.nodes {
		if rules := k.rules[id]; rules != "" {
			got[name] = rules
		}
	}
	if !maps.Equal(got, want) {
		k.t.Errorf("rules %q\nwant %q", got, want)
	}
}

// nothingElse reports containers that are left besides nodes and these many records.
func (k *kernels) nothingElse(records int) {
	k.t.Helper()
	all, err := k.eng.Containers(k.t.Context(), nil)
	if err != nil || len(all) != len(k.nodes)+records {
		k.t.Errorf("%d containers, want %d nodes and %d records; %v", len(all), len(k.nodes), records, err)
	}
}

const (
	n1 = "cut in 10.213.0.2 drop\ncut out 10.213.0.2 drop\n"
	n2 = "cut in 10.213.0.3 drop\ncut out 10.213.0.3 drop\n"
	n3 = "cut in 10.213.0.4 drop\ncut out 10.213.0.4 drop\n"
)

func TestInjectAndHeal(t *testing.T) {
	t.Parallel()
	t.Run("one helper for all nodes", func(t *testing.T) { injectAndHeal(t, false, 0) })
	t.Run("a helper for each", func(t *testing.T) { injectAndHeal(t, true, 6*3) })
}

func injectAndHeal(t *testing.T, apart bool, alone int) {
	t.Parallel()
	k, i := inMemory(t, "n1", "n2", "n3")
	k.apart = apart
	f, err := i.Inject(t.Context(), fault.Partition([]string{"n1"}), 0)
	if err != nil {
		t.Fatal(err)
	}
	k.has(map[string]string{"n1": n2 + n3, "n2": n1, "n3": n1})
	k.nothingElse(1)
	if all, err := i.List(t.Context()); err != nil || len(all) != 1 || all[0].ID != f.ID || all[0].Begin.IsZero() {
		t.Errorf("in force: %+v, %v", all, err)
	}

	// A second one is added to it, and the first one is healed.
	second, err := i.Inject(t.Context(), fault.Partition([]string{"n2"}), 0)
	if err != nil || second.ID == f.ID {
		t.Fatal(second.ID, err)
	}
	k.has(map[string]string{"n1": n2 + n3, "n2": n1 + n3, "n3": n1 + n2})
	if healed, err := i.Heal(t.Context(), f.ID); err != nil || len(healed) != 1 || healed[0].ID != f.ID {
		t.Errorf("healed: %+v, %v", healed, err)
	}
	k.has(map[string]string{"n1": n2, "n2": n1 + n3, "n3": n2})
	if _, err := i.Heal(t.Context(), f.ID); !errors.Is(err, orchestrator.ErrNotFound) || orchestrator.HintOf(err).String() != "in force: "+second.ID {
		t.Errorf("heal twice: %v, %s", err, orchestrator.HintOf(err))
	}
	if _, err := i.Heal(t.Context()); err != nil {
		t.Error(err)
	}
	k.has(nil)
	k.nothingElse(0)
	k.mu.Lock()
	k.rules[k.nodes["n1"]] = "cut in 10.213.0.9 drop\n" // left, without a record
	k.mu.Unlock()
	if healed, err := i.Heal(t.Context()); err != nil || healed != nil {
		t.Errorf("nothing to heal: %v, %v", healed, err)
	}
	k.has(nil)
	if k.alone != alone {
		t.Errorf("%d helpers for one node, want %d", k.alone, alone)
	}
}

// The peers of a node that is down keep their rules, and it gets its own when it runs again.
func TestANodeThatIsDown(t *testing.T) {
	t.Parallel()
	k, i := inMemory(t, "n1", "n2")
	if err := k.eng.KillContainer(t.Context(), k.nodes["n2"], "KILL"); err != nil {
		t.Fatal(err)
	}
	if _, err := i.Inject(t.Context(), fault.Isolate("n1"), 0); err != nil {
		t.Fatal(err)
	}
	k.has(map[string]string{"n1": n2})
	k.start("n2")
	if err := i.Apply(t.Context(), "n2"); err != nil {
		t.Fatal(err)
	}
	k.has(map[string]string{"n1": n2, "n2": n1})
	for _, node := range []string{"n1", "n2"} {
		if err := k.eng.KillContainer(t.Context(), k.nodes[node], "KILL"); err != nil {
			t.Fatal(err)
		}
	}
	if healed, err := i.Heal(t.Context()); err != nil || len(healed) != 1 {
		t.Errorf("heal without a node that runs: %v, %v", healed, err)
	}
	k.nothingElse(0)
}

// A fault that one node's kernel cannot have is on no node.
func TestAFaultIsOnAllNodesOrNone(t *testing.T) {
	t.Parallel()
	k, i := inMemory(t, "n1", "n2", "n3")
	k.fails[k.nodes["n3"]] = "the kernel has no netem"
	_, err := i.Inject(t.Context(), fault.Isolate("n1"), 0)
	if !errors.Is(err, orchestrator.ErrFaultUnsupported) || len(orchestrator.HintOf(err)) == 0 {
		t.Errorf("%v, hint %q", err, orchestrator.HintOf(err))
	}
	k.nothingElse(0)
	k.mu.Lock()
	clear(k.fails)
	k.mu.Unlock()
	k.has(nil)
	for _, wrong := range []fault.Fault{fault.Partition([]string{"n9"}), fault.Partition([]string{"n1", "n2", "n3"}), {Kind: "flood"}} {
		if _, err := i.Inject(t.Context(), wrong, 0); err == nil {
			t.Errorf("%+v is injected", wrong)
		}
	}
	k.nothingElse(0)
}

// A heal that fails, or is killed, leaves the record: the fault is listed, and healed later.
func TestAHealThatFails(t *testing.T) {
	t.Parallel()
	k, i := inMemory(t, "n1", "n2")
	f, err := i.Inject(t.Context(), fault.Isolate("n1"), 0)
	if err != nil {
		t.Fatal(err)
	}
	k.broken = map[string]bool{k.nodes["n2"]: true}
	if healed, err := i.Heal(t.Context()); err == nil || healed != nil {
		t.Errorf("healed %v, %v", healed, err)
	}
	if all, err := i.List(t.Context()); err != nil || len(all) != 1 || all[0].ID != f.ID {
		t.Errorf("in force: %v, %v", all, err)
	}
	k.nothingElse(1)
	k.mu.Lock()
	clear(k.broken)
	k.mu.Unlock()
	if healed, err := i.Heal(t.Context()); err != nil || len(healed) != 1 {
		t.Errorf("healed %v, %v", healed, err)
	}
	k.has(nil)
	k.nothingElse(0)
}

// Of two requests at once, each leaves what both want.
func TestTwoRequestsAtOnce(t *testing.T) {
	t.Parallel()
	k, i := inMemory(t, "n1", "n2", "n3")
	k.during = func() {
		if _, err := i.Inject(context.Background(), fault.Isolate("n2"), 0); err != nil {
			t.Error(err)
		}
	}
	if _, err := i.Inject(t.Context(), fault.Isolate("n1"), 0); err != nil {
		t.Fatal(err)
	}
	k.has(map[string]string{"n1": n2 + n3, "n2": n1 + n3, "n3": n1 + n2})

	// The second one is healed while the first one is.
	all, err := i.List(t.Context())
	if err != nil || len(all) != 2 {
		t.Fatal(all, err)
	}
	k.mu.Lock()
	k.during = func() {
		if _, err := i.Heal(context.Background(), all[1].ID); err != nil {
			t.Error(err)
		}
	}
	k.mu.Unlock()
	if _, err := i.Heal(t.Context(), all[0].ID); err != nil {
		t.Fatal(err)
	}
	k.has(nil)
	k.nothingElse(0)
}

func TestAFaultEnds(t *testing.T) {
	t.Parallel()
	_, i := inMemory(t, "n1", "n2")
	f, err := i.Inject(t.Context(), fault.Isolate("n1"), 20*time.Millisecond)
	if err != nil || !f.End.Equal(f.Begin.Add(20*time.Millisecond)) {
		t.Fatalf("%+v, %v", f, err)
	}
	for began := time.Now(); ; {
		all, err := i.List(t.Context())
		if err != nil || time.Since(began) > 5*time.Second {
			t.Fatalf("in force: %v, %v", all, err)
		}
		if len(all) == 0 {
			break
		}
	}
	if healed, err := i.Heal(t.Context()); err != nil || len(healed) != 0 {
		t.Errorf("healed %v, %v", healed, err)
	}
}

// A fault may have ended before its helpers have started.
func TestAFaultThatIsShort(t *testing.T) {
	t.Parallel()
	k, i := inMemory(t, "n1", "n2")
	const lasts = 10 * time.Millisecond
	k.during = func() { <-time.After(2 * lasts) }
	if f, err := i.Inject(t.Context(), fault.Isolate("n1"), lasts); err != nil || f.End.IsZero() {
		t.Errorf("%+v, %v", f, err)
	}
}

func TestResetConnections(t *testing.T) {
	t.Parallel()
	k, i := inMemory(t, "n1", "n2", "n3")
	n, err := i.ResetConnections(t.Context(), []fault.Pair{{From: "n1", To: "n2"}})
	if err != nil || n != 2 {
		t.Errorf("%d, %v", n, err)
	}
	want := map[string][]netip.Addr{k.nodes["n1"]: {netip.MustParseAddr("10.213.0.3")}, k.nodes["n2"]: {netip.MustParseAddr("10.213.0.2")}}
	if !maps.EqualFunc(k.reset, want, slices.Equal) {
		t.Errorf("reset %v", k.reset)
	}
	k.nothingElse(0)
}

// A blip that lasts refuses connections in both directions, and the kernel ends that.
func TestBlip(t *testing.T) {
	t.Parallel()
	k, i := inMemory(t, "n1", "n2", "n3")
	if n, err := i.Blip(t.Context(), []fault.Pair{{From: "n1", To: "n2"}}, 6*time.Millisecond); err != nil || n != 2 {
		t.Errorf("%d, %v", n, err)
	}
	k.mu.Lock()
	for node, peer := range map[string]string{"n1": "10.213.0.3", "n2": "10.213.0.2"} {
		rules := strings.Split(strings.TrimSpace(k.rules[k.nodes[node]]), "\n")
		if len(rules) != 2 || !strings.HasPrefix(rules[0], "cut in "+peer+" reset until ") || !strings.HasPrefix(rules[1], "cut out "+peer+" reset until ") {
			t.Errorf("rules of %s: %q", node, rules)
		}
	}
	if rules := k.rules[k.nodes["n3"]]; rules != "" {
		t.Errorf("rules of n3: %q", rules)
	}
	k.mu.Unlock()
	k.nothingElse(0)
	if _, err := i.Blip(t.Context(), nil, MaxBlip+1); err == nil {
		t.Error("a blip lasts for ever")
	}
}

// New connections are refused as long as was asked for, also if the helper has started late. What
// another fault cuts ends at its time.
func TestAHelperThatIsLate(t *testing.T) {
	t.Parallel()
	at := time.Now().Add(-time.Minute)
	other := at.Add(time.Hour)
	r := request{At: at, Ends: at.Add(time.Second), Rules: &fault.Rules{Cuts: []fault.Cut{{Until: at.Add(time.Second)}, {Until: other}, {}}}}
	r.wait()
	left := time.Until(r.Rules.Cuts[0].Until)
	if left < 0 || left > time.Second || !r.Rules.Cuts[1].Until.Equal(other) || !r.Rules.Cuts[2].Until.IsZero() {
		t.Errorf("%+v", r.Rules.Cuts)
	}
}

func TestHelpRefusesNonsense(t *testing.T) {
	var out bytes.Buffer
	if err := help("{", &out); err == nil || out.Len() > 0 {
		t.Errorf("%v, printed %q", err, out.String())
	}
}

// A helper that could not be removed is removed by a later request, and not while the answer of one
// may still be read.
func TestHelpersThatWereLeft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k, i := inMemory(t, "n1", "n2", "n3")
		defer func() {
			for _, id := range k.nodes {
				if err := k.eng.RemoveContainer(t.Context(), id); err != nil {
					t.Error(err)
				}
			}
		}()
		left := func() (helpers int) {
			all, err := k.eng.Containers(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range all {
				if c.Labels[orchestrator.LabelHelper] == passing {
					helpers++
				}
			}
			return helpers
		}
		k.eng.FailNext("RemoveContainer", orchestrator.ErrEngineUnreachable)
		if _, err := i.Inject(t.Context(), fault.Partition([]string{"n1"}), 0); err != nil {
			t.Fatal(err)
		}
		if err := i.Apply(t.Context()); err != nil || left() != 1 {
			t.Errorf("a young helper: want it left, got %d, %v", left(), err)
		}
		time.Sleep(2 * time.Minute)
		if _, err := i.Heal(t.Context()); err != nil || left() != 0 {
			t.Errorf("want no helper left, got %d, %v", left(), err)
		}
	})
}
