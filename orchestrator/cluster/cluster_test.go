package cluster_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/beamyard/beamyard/network/erldist"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/cluster"
	"github.com/beamyard/beamyard/orchestrator/enginetest"
	"github.com/beamyard/beamyard/orchestrator/internal/probe"
	"github.com/beamyard/beamyard/orchestrator/keeper"
)

// These tests run whole clusters on the in-memory engine, in synctest's time. vms stands
// in for the BEAM: it answers the calls of the orchestrator.

// vms are the live VMs of a cluster and the connections between them.
type vms struct {
	mu     sync.Mutex
	alive  map[string]*vm // by BEAM name
	noApp  bool           // the application never starts
	noMeet bool           // connections between nodes fail

	processes int               // of each VM; the limit is 1000
	code      map[string]string // a different module version, by BEAM name
	listens   map[string]string // the address and port that a VM listens on, as in /proc/net/tcp, by BEAM name
	value     string            // the result of Elixir expressions, as printed by inspect
	program   enginetest.Program
	cookie    string          // that each VM reports; "": none
	refused   map[string]bool // VMs that cannot be reached from here, by BEAM name
}

type vm struct {
	name  string
	peers map[string]bool

	forwards bool

	links []chan struct{} // each is closed when its link ends

	sights chan erldist.NodeEvent // what its monitor reports
}

// boot is a container's program: a VM that listens after a moment, prints, and ends on
// TERM.
func (v *vms) boot(ctx context.Context, p *enginetest.Process) int {
	name := "app@" + p.Spec.Hostname
	for _, kv := range p.Spec.Env {
		if given, ok := strings.CutPrefix(kv, "NODE_NAME="); ok {
			name = given
		}
	}
	fmt.Fprintf(p.Stdout, "run %d boots\n", p.Run)
	select {
	case <-time.After(300 * time.Millisecond):
	case <-ctx.Done():
		return 137
	}
	m := &vm{name: name, peers: map[string]bool{}, sights: make(chan erldist.NodeEvent, 10)}
	v.mu.Lock()
	v.alive[name] = m
	v.mu.Unlock()
	defer func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.forget(m)
	}()
	v.mu.Lock()
	program := v.program
	v.mu.Unlock()
	if program != nil {
		return program(ctx, p)
	}
	return enginetest.UntilStopped(ctx, p)
}

func (v *vms) dial(_ context.Context, node, addr string) (probe.Link, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	m := v.alive[node]
	if m == nil || v.refused[node] {
		return nil, &erldist.DialError{Node: node, Addr: addr, Phase: erldist.PhaseConnect, Err: erldist.ErrRefused}
	}
	ended := make(chan struct{})
	m.links = append(m.links, ended)
	return &fakeLink{v, m, ended}, nil
}

// hangUp ends all links to a VM. The caller holds the lock of vms.
func (m *vm) hangUp() {
	for _, ended := range m.links {
		close(ended)
	}
	m.links = nil
}

// cut ends the links to a VM that continues to run.
func (v *vms) cut(name string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.alive[name].hangUp()
}

// forget removes a VM from the sight of others. The caller holds the lock.
func (v *vms) forget(m *vm) {
	m.hangUp()
	if v.alive[m.name] != m { // another one has its name
		return
	}
	delete(v.alive, m.name)
	for _, other := range v.alive {
		delete(other.peers, m.name)
	}
}

// lose takes VMs that continue to run out of reach, of their peers, too. The result brings them back.
func (v *vms) lose(names ...string) (back func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	var lost []*vm
	for _, name := range names {
		lost = append(lost, v.alive[name])
		v.forget(v.alive[name])
	}
	return func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		for _, m := range lost {
			if m.peers = map[string]bool{}; v.alive[m.name] == nil {
				v.alive[m.name] = m
			}
		}
	}
}

// refuse sets whether a VM that continues to run can be reached from here. The links to one that
// cannot have ended: before anything dials it again, which would find it as well as before.
func (v *vms) refuse(name string, refused bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.refused == nil {
		v.refused = map[string]bool{}
	}
	v.refused[name] = refused
	if m := v.alive[name]; m != nil && refused {
		m.hangUp()
	}
}

type fakeLink struct {
	*vms
	*vm
	ended chan struct{}
}

func (l *fakeLink) Done() <-chan struct{} { return l.ended }
func (l *fakeLink) Err() error            { return erldist.ErrClosed }
func (l *fakeLink) Close() error          { return nil }

// Eval answers the expressions of the orchestrator: the health sample and the forwarder.
func (l *fakeLink) Eval(_ context.Context, _ string, bindings map[string]any) (any, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.alive[l.name] != l.vm {
		return nil, erldist.ErrClosed
	}
	if bindings["To"] != nil {
		l.forwards = true
		return erldist.Atom("ok"), nil
	}
	visible := erldist.List{}
	for peer := range l.peers {
		visible = append(visible, erldist.Atom(peer))
	}
	apps := erldist.List{}
	if !l.noApp {
		apps = append(apps, erldist.Atom("shop"))
	}
	told := erldist.Map{
		{Key: erldist.Atom("visible"), Value: visible}, {Key: erldist.Atom("apps"), Value: apps},
		{Key: erldist.Atom("processes"), Value: erldist.Tuple{int64(l.processes), int64(1000)}},
		{Key: erldist.Atom("modules"), Value: erldist.List{erldist.Tuple{erldist.Atom("Elixir.Shop"), []byte(l.code[l.name] + "v1")}}},
	}
	return told, nil
}

// CallOutput answers an evaluation: it prints a text, and the value counts the dials of
// the node.
func (l *fakeLink) CallOutput(_ context.Context, w io.Writer, _, _ string, _ ...any) (any, error) {
	if _, err := io.WriteString(w, "printed"); err != nil {
		return nil, err
	}
	return erldist.Tuple{erldist.Tuple{erldist.Atom("ok"), "links: " + strconv.Itoa(len(l.links))}, erldist.List{}}, nil
}

func (l *fakeLink) EvalOutput(ctx context.Context, w io.Writer, _ string, _ map[string]any) (any, error) {
	reply, err := l.CallOutput(ctx, w, "", "")
	if err != nil {
		return nil, err
	}
	return reply.(erldist.Tuple)[0], nil
}

func (l *fakeLink) MonitorNodes(ctx context.Context, fn func(erldist.NodeEvent)) error {
	for {
		select {
		case e := <-l.sights:
			fn(e)
		case <-ctx.Done():
			return ctx.Err()
		case <-l.ended:
			return erldist.ErrClosed
		}
	}
}

func (l *fakeLink) Call(_ context.Context, module, function string, args ...any) (any, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.alive[l.name] != l.vm {
		return nil, erldist.ErrClosed
	}
	switch module + ":" + function {
	case "application:which_applications":
		if l.noApp {
			return erldist.List{}, nil
		}
		return erldist.List{erldist.Tuple{erldist.Atom("shop"), "", ""}}, nil
	case "prim_file:read_file":
		if l.listens == nil || args[0] != "/proc/net/tcp" {
			break
		}
		table := ""
		if at := l.listens[l.name]; at != "" {
			table = "0: " + at + " 00000000:0000 0A 0 0 0 1000 0 301\n"
		}
		if l.forwards {
			table += "1: 0207D50A:0FA0 00000000:0000 0A 0 0 0 1000 0 302\n"
		}
		return erldist.Tuple{erldist.Atom("ok"), []byte(table)}, nil
	case "erlang:whereis":
		if !l.forwards {
			return erldist.Atom("undefined"), nil
		}
		return erldist.Atom("a pid"), nil
	case "os:system_time":
		return time.Now().UnixNano(), nil
	case "Elixir.Code:eval_string":
		return erldist.Tuple{erldist.Tuple{erldist.Atom("ok"), []byte(l.value)}, erldist.List{}}, nil
	case "erlang:get_cookie":
		if l.cookie != "" {
			return erldist.Atom(l.cookie), nil
		}
	case "erlang:nodes":
		nodes := erldist.List{}
		for peer := range l.peers {
			nodes = append(nodes, erldist.Atom(peer))
		}
		return nodes, nil
	case "lists:map":
		var answers erldist.List
		for _, target := range args[1].(erldist.List) {
			peer := l.alive[string(target.(erldist.Atom))]
			if peer == nil || l.noMeet {
				answers = append(answers, erldist.Atom("false"))
				continue
			}
			l.peers[peer.name], peer.peers[l.name] = true, true
			answers = append(answers, erldist.Atom("true"))
		}
		return answers, nil
	}
	return nil, errors.New("not played: " + module + ":" + function)
}

// world is a cluster in its synctest bubble.
type world struct {
	*cluster.Cluster
	t      *testing.T
	eng    *enginetest.Engine
	vms    *vms
	cancel context.CancelFunc
	result chan error
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, eng: enginetest.New("shop:1"), vms: &vms{alive: map[string]*vm{}}}
	w.eng.Program = func(orchestrator.ContainerSpec) enginetest.Program { return w.vms.boot }
	t.Cleanup(func() { w.sweep(w.eng) })
	return w
}

// sweep ends what a failed test left running on an engine. A goroutine that outlives its bubble is a
// panic, and its dump would bury the reason why the test failed. A test that passes must have ended all.
func (w *world) sweep(eng *enginetest.Engine) {
	if !w.t.Failed() {
		return
	}
	eng.SetAway(false)
	left, err := eng.Containers(context.Background(), nil)
	for _, c := range left {
		err = errors.Join(err, eng.RemoveContainer(context.Background(), c.ID))
	}
	if err != nil {
		w.t.Errorf("sweep: %v", err)
	}
}

// keep runs a cluster until it ends by itself, w.cancel ends it, or the test has failed.
func (w *world) keep(c *cluster.Cluster) {
	ctx, cancel := context.WithCancel(context.Background())
	result, ended := make(chan error, 1), make(chan struct{})
	w.Cluster, w.cancel, w.result = c, cancel, result
	go func() {
		defer close(ended)
		result <- c.Run(ctx)
	}()
	w.t.Cleanup(func() {
		if w.t.Failed() {
			cancel()
			<-ended
		}
	})
}

// run starts a cluster. edit changes the default spec of three nodes.
func (w *world) run(edit func(*orchestrator.Spec), opts cluster.Options) {
	w.t.Helper()
	w.runOn(w.eng, edit, opts)
}

func (w *world) runOn(eng orchestrator.Engine, edit func(*orchestrator.Spec), opts cluster.Options) {
	w.t.Helper()
	spec := orchestrator.Spec{Name: "shop", Image: "shop:1", App: "shop", Nodes: orchestrator.NodeNames(3), HostPort: 24200}
	if edit != nil {
		edit(&spec)
	}
	c, err := cluster.New(spec, eng, opts.WithDial(w.vms.dial))
	if err != nil {
		w.t.Fatal(err)
	}
	w.keep(c)
}

func (w *world) up(edit func(*orchestrator.Spec)) {
	w.t.Helper()
	w.run(edit, cluster.Options{})
	w.ready()
}

func (w *world) ready() {
	w.t.Helper()
	if err := w.WaitReady(w.t.Context()); err != nil {
		w.t.Fatalf("not ready: %v\n%s", err, w.history())
	}
}

func (w *world) node(name string) orchestrator.NodeStatus {
	st, _ := w.Status(context.Background())
	n, _ := st.Node(name)
	return n
}

func (w *world) container(node string) string { return w.node(node).Container }

// until waits until the condition holds.
func (w *world) until(what string, ok func() bool) {
	w.t.Helper()
	for range 100_000 {
		synctest.Wait()
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	w.t.Fatalf("not in time: %s\n%s", what, w.history())
}

func (w *world) untilState(node string, state orchestrator.State) {
	w.t.Helper()
	w.until(node+" is "+string(state), func() bool { return w.node(node).State == state })
}

func (w *world) history() string {
	var b strings.Builder
	_ = w.Events(context.Background(), 0, false, func(e orchestrator.Event) error {
		fmt.Fprintf(&b, "%s\n", e)
		return nil
	})
	return b.String()
}

// end removes the cluster and checks that nothing is left.
func (w *world) end() {
	w.t.Helper()
	w.cancel()
	if err := <-w.result; err != nil {
		w.t.Errorf("Run: %v", err)
	}
	if left := w.eng.Left(); len(left) > 0 {
		w.t.Errorf("left behind: %v", left)
	}
}

// fails waits for the error of Run and checks that nothing is left.
func (w *world) fails() error {
	w.t.Helper()
	err := <-w.result
	if err == nil {
		w.t.Fatalf("Run did not fail\n%s", w.history())
	}
	if left := w.eng.Left(); len(left) > 0 {
		w.t.Errorf("left behind: %v", left)
	}
	return err
}

func bubble(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, newWorld(t)) })
}

func TestClusterLife(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.up(nil)
		want := `creating network beamyard-shop
starting 3 nodes
n1 creating
n2 creating
n3 creating`
		if got := w.history(); !strings.HasPrefix(got, want) {
			t.Errorf("history (-want +got):\n%s", cmp.Diff(want, got))
		}
		before := w.node("n2")
		if err := w.Kill(t.Context(), "KILL", "n2"); err != nil {
			t.Fatal(err)
		}
		w.untilState("n2", orchestrator.BackingOff)
		w.ready()
		after := w.node("n2")
		if after.RestartCount != 1 || after.Incarnation != 2 || after.IP != before.IP || after.URL != before.URL || after.ContainerID != before.ContainerID {
			t.Errorf("after  %+v\nbefore %+v", after, before)
		}
		var lines []string
		if err := w.Logs(t.Context(), orchestrator.LogQuery{Nodes: []string{"n2"}}, func(l orchestrator.Line) error {
			lines = append(lines, l.Text)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"run 1 boots", "── n2 restarted (exit 137, killed) ──", "run 2 boots"}, lines); diff != "" {
			t.Errorf("lines (-want +got):\n%s", diff)
		}
		w.end()
	})
}

// A node is dialled once for each run, however often it evaluates expressions.
func TestEvalInMemory(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.up(nil)
		for _, o := range []orchestrator.EvalOptions{{}, {Erlang: true}} {
			var out strings.Builder
			o.Output = &out
			if value, err := w.Eval(t.Context(), "n1", "x", o); err != nil || value != "links: 1" || out.String() != "printed" {
				t.Errorf("%q, %v, output %q", value, err, &out)
			}
		}
		if _, err := w.Eval(t.Context(), "n9", "x", orchestrator.EvalOptions{}); !errors.Is(err, orchestrator.ErrNoNode) {
			t.Errorf("unknown node: %v", err)
		}
		if err := w.Stop(t.Context(), "n1"); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Eval(t.Context(), "n1", "x", orchestrator.EvalOptions{}); !errors.Is(err, orchestrator.ErrNotRunning) {
			t.Errorf("stopped node: %v", err)
		}
		w.end()
	})
}

func TestStartStopRestartInMemory(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.up(nil)
		if err := w.Stop(t.Context(), "n1", "n2"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if n := w.node("n1"); n.State != orchestrator.Stopped || n.RestartCount != 0 {
			t.Errorf("an hour after its stop: %+v", n)
		}
		if err := w.Start(t.Context(), "n1", "n2"); err != nil {
			t.Fatal(err)
		}
		w.ready()
		if err := w.Restart(t.Context(), "n3"); err != nil {
			t.Fatal(err)
		}
		w.ready()
		if n := w.node("n3"); n.Incarnation != 2 || n.RestartCount != 0 {
			t.Errorf("after its restart: %+v", n)
		}
		if err := w.Kill(t.Context(), "KILL", "n9"); !errors.Is(err, orchestrator.ErrNoNode) {
			t.Errorf("unknown node: %v", err)
		}
		w.end()
	})
}

// The name of a role stands for all its nodes.
func TestCommandsTakeRoles(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.up(func(s *orchestrator.Spec) { s.Nodes[1].Role, s.Nodes[2].Role = "worker", "worker" })
		printed := map[string]bool{}
		if err := w.Logs(t.Context(), orchestrator.LogQuery{Nodes: []string{"worker"}}, func(l orchestrator.Line) error {
			printed[l.Node] = true
			return nil
		}); err != nil || len(printed) != 2 || printed["n1"] {
			t.Errorf("lines of %v, %v", printed, err)
		}
		if err := w.Stop(t.Context(), "worker"); err != nil {
			t.Fatal(err)
		}
		for node, want := range map[string]orchestrator.State{"n1": orchestrator.Ready, "n2": orchestrator.Stopped, "n3": orchestrator.Stopped} {
			if got := w.node(node).State; got != want {
				t.Errorf("%s is %s, want %s", node, got, want)
			}
		}
		if err := w.Start(t.Context(), "n2", "worker"); err != nil {
			t.Fatal(err)
		}
		w.ready()
		if err := w.Stop(t.Context(), "n1", "wroker"); !errors.Is(err, orchestrator.ErrNoNode) || w.node("n1").State != orchestrator.Ready {
			t.Errorf("n1 is %s: %v", w.node("n1").State, err)
		}
		if _, err := w.Sync(t.Context(), orchestrator.SyncOptions{Nodes: []string{"wroker"}}); !errors.Is(err, orchestrator.ErrNoNode) {
			t.Errorf("sync: %v", err)
		}
		w.end()
	})
}

// Promise 2: an exit whose event the engine dropped is found.
func TestAnExitWithoutEventsIsFound(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.up(nil)
		w.eng.DropEvents(2) // kill, die
		w.eng.ExternalKill(w.container("n1"), "KILL")
		w.until("n1 is restarted", func() bool { return w.node("n1").RestartCount == 1 })
		w.ready()
		w.end()
	})
}

// An exit while the event stream is reconnected is found, and handled once.
func TestAnExitDuringAReconnectIsFound(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.up(nil)
		w.eng.FailNext("Events", orchestrator.ErrEngineUnreachable, orchestrator.ErrEngineUnreachable)
		w.eng.BreakStreams()
		w.eng.ExternalKill(w.container("n2"), "KILL")
		w.until("n2 is restarted", func() bool { return w.node("n2").RestartCount == 1 })
		w.ready()
		time.Sleep(time.Minute)
		if n := w.node("n2"); n.RestartCount != 1 || n.Incarnation != 2 {
			t.Errorf("a minute later: %+v", n)
		}
		w.end()
	})
}

// Promise 3: a node that was stopped or removed from outside stays down.
func TestOutsideActionsInMemory(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.up(nil)
		w.eng.ExternalStop(w.container("n1"))
		w.untilState("n1", orchestrator.Stopped)
		w.eng.ExternalRemove(w.container("n2"))
		w.until("n2 is stopped", func() bool { return w.node("n2").State == orchestrator.Stopped })
		time.Sleep(time.Hour)
		for name, class := range map[string]orchestrator.ExitClass{"n1": orchestrator.ExitStoppedOutside, "n2": orchestrator.ExitRemoved} {
			if n := w.node(name); n.State != orchestrator.Stopped || n.LastExit.Class != class || n.RestartCount != 0 {
				t.Errorf("%s: %+v %+v", name, n, n.LastExit)
			}
		}
		w.eng.ExternalStart(w.container("n1"))
		if err := w.Start(t.Context(), "n2"); err != nil {
			t.Fatal(err)
		}
		w.ready()
		w.eng.OOM(w.container("n3"))
		w.until("n3 is restarted", func() bool { return w.node("n3").RestartCount == 1 })
		if n := w.node("n3"); n.LastExit.Class != orchestrator.ExitOOM {
			t.Errorf("n3: %+v", n.LastExit)
		}
		w.ready()
		w.end()
	})
}

func TestACrashLoopEnds(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.up(nil)
		w.vms.mu.Lock()
		w.vms.program = func(_ context.Context, p *enginetest.Process) int {
			if p.Run > 1 && strings.HasSuffix(p.Spec.Name, "n1") {
				fmt.Fprintf(p.Stderr, "** (RuntimeError) number %d\n", p.Run)
				return 1
			}
			<-p.Signals
			return 0
		}
		w.vms.refused = map[string]bool{"app@n1.shop.test": true} // a run that is Ready for an instant begins a new report
		w.vms.mu.Unlock()
		w.eng.ExternalKill(w.container("n1"), "KILL")
		w.untilState("n1", orchestrator.Failed)
		n := w.node("n1")
		told := map[orchestrator.FindingCode]int{}
		if err := w.Events(t.Context(), 0, false, func(e orchestrator.Event) error {
			if e.Finding != nil && e.Node == "n1" {
				told[e.Finding.Code]++
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if len(told) == 0 {
			t.Error("no finding")
		}
		for code, times := range told { // a finding that stays the same is reported once
			if times > 1 {
				t.Errorf("%s is reported %d times", code, times)
			}
		}
		if n.RestartCount != 5 || !strings.Contains(n.Reason, "used up") {
			t.Errorf("n1: %+v", n)
		}
		var ce *orchestrator.ClusterError
		if err := w.WaitReady(t.Context()); !errors.As(err, &ce) || !errors.Is(err, orchestrator.ErrNodeFailed) {
			t.Errorf("WaitReady: %v", err)
		}
		if len(ce.Problems) != 1 || !slices.Contains(ce.Problems[0].Output, "stderr: ** (RuntimeError) number 6") {
			t.Errorf("problems %+v", ce.Problems)
		}
		w.end()
	})
}

// If a node's host port is in use while the node is down, its start is retried.
func TestAPinnedPortInUseIsRetried(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.up(nil)
		before := w.node("n1").URL
		w.eng.FailNext("StartContainer", orchestrator.ErrPortTaken, orchestrator.ErrPortTaken)
		w.eng.ExternalKill(w.container("n1"), "KILL")
		w.untilState("n1", orchestrator.BackingOff)
		w.ready()
		if n := w.node("n1"); n.URL != before || n.RestartCount != 1 {
			t.Errorf("n1: %+v", n)
		}
		w.eng.FailNext("StartContainer", slices.Repeat([]error{orchestrator.ErrPortTaken}, 100)...)
		w.eng.ExternalKill(w.container("n1"), "KILL")
		w.untilState("n1", orchestrator.Failed)
		w.end()
	})
}

// A launch adjusts to what the engine refuses where possible.
func TestLaunchAdjustsAfterRefusals(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.eng.FailNext("CreateNetwork", orchestrator.ErrSubnetOverlap, orchestrator.ErrSubnetOverlap)
		w.eng.FailNext("StartContainer", orchestrator.ErrPortTaken, orchestrator.ErrUlimit, orchestrator.ErrConflict)
		w.up(nil)
		w.end()
	})
}

func TestFailures(t *testing.T) {
	broken := errors.New("the disk is full")
	tests := []struct {
		name string
		set  func(w *world)
		edit func(*orchestrator.Spec)
		want error
		says string
	}{
		{"no engine", func(w *world) { w.eng.FailNext("Info", orchestrator.ErrEngineUnreachable) }, nil, orchestrator.ErrEngineUnreachable, ""},
		{"no subnet", func(w *world) { w.eng.FailNext("CreateNetwork", orchestrator.ErrAddressPool) }, nil, orchestrator.ErrAddressPool, ""},
		{"no place", func(w *world) { w.eng.FailNext("Containers", broken) }, nil, broken, ""},
		{"no events", func(w *world) { w.eng.FailNext("Events", slices.Repeat([]error{broken}, 1000)...) }, nil, orchestrator.ErrEngineUnreachable, "subscribe"},
		{"no container", func(w *world) { w.eng.FailNext("CreateContainer", broken) }, nil, orchestrator.ErrNodeFailed, "the disk is full"},
		{"no start", func(w *world) { w.eng.FailNext("StartContainer", orchestrator.ErrCannotStart) }, nil, orchestrator.ErrNodeFailed, "start error: start container beamyard-shop-n"},
		{"no image", nil, func(s *orchestrator.Spec) { s.Image, s.Source = "", "no-such/image" }, nil, "no registry answers"},
		{"no application", func(w *world) { w.vms.noApp = true }, nil, orchestrator.ErrNotReady, "application shop is not started"},
		{"no mesh", func(w *world) { w.vms.noMeet = true }, nil, orchestrator.ErrNotReady, "not connected to"},
		{"no VM", func(w *world) {
			w.eng.Program = func(orchestrator.ContainerSpec) enginetest.Program { return enginetest.UntilStopped }
		}, nil, orchestrator.ErrNotReady, "does not listen on its distribution port 9100"},
		{"exit at boot", func(w *world) {
			w.eng.Program = func(orchestrator.ContainerSpec) enginetest.Program {
				return func(_ context.Context, p *enginetest.Process) int {
					fmt.Fprintln(p.Stderr, "** (Mix) Could not start application shop")
					return 1
				}
			}
		}, nil, orchestrator.ErrNodeFailed, "failed to boot twice"},
		{"success before Ready", func(w *world) {
			w.eng.Program = func(orchestrator.ContainerSpec) enginetest.Program {
				return func(context.Context, *enginetest.Process) int { return 0 }
			}
		}, nil, orchestrator.ErrNodeFailed, "completed (exit 0)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				if tt.set != nil {
					tt.set(w)
				}
				w.run(tt.edit, cluster.Options{})
				err := w.fails()
				if tt.want != nil && !errors.Is(err, tt.want) {
					t.Errorf("%v, want %v", err, tt.want)
				}
				if !strings.Contains(err.Error(), tt.says) {
					t.Errorf("%v does not say %q", err, tt.says)
				}
			})
		})
	}
}

func TestAnExistingNameIsRefused(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.up(nil)
		first := *w
		w.run(nil, cluster.Options{})
		if err := <-w.result; !errors.Is(err, orchestrator.ErrClusterExists) {
			t.Errorf("the second Run returned %v", err)
		}
		first.ready()
		first.end()
	})
}

// A detached cluster outlives its supervisor. The next supervisor finds what happened
// meanwhile, and judges it once.
func TestAdoptionInMemory(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		detached := func(s *orchestrator.Spec) { s.Owner = keeper.Self(true); s.Cookie = "the_same" }
		w.up(detached)
		before, _ := w.Status(t.Context())
		w.cancel()
		if err := <-w.result; err != nil {
			t.Fatal(err)
		}
		w.eng.ExternalKill(before.Nodes[1].Container, "KILL")
		w.eng.ExternalStop(before.Nodes[2].Container)
		time.Sleep(time.Minute)

		w.run(detached, cluster.Options{Adopt: true})
		w.untilState("n1", orchestrator.Ready)
		w.untilState("n2", orchestrator.Ready)
		for i, want := range []struct {
			state       orchestrator.State
			incarnation int
			restarts    int
		}{{orchestrator.Ready, 1, 0}, {orchestrator.Ready, 2, 1}, {orchestrator.Stopped, 1, 0}} {
			n := w.node(before.Nodes[i].Name)
			if n.State != want.state || n.Incarnation != want.incarnation || n.RestartCount != want.restarts ||
				n.ContainerID != before.Nodes[i].ContainerID || n.URL != before.Nodes[i].URL {
				t.Errorf("%s: %+v, want %+v", n.Name, n, want)
			}
		}
		if err := w.Down(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.end()
	})
}

// Force ends a stop that uses its whole timeout.
func TestForce(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.vms.program = func(ctx context.Context, _ *enginetest.Process) int { <-ctx.Done(); return 137 }
		w.up(func(s *orchestrator.Spec) { s.StopTimeout = time.Hour })
		began := time.Now()
		w.cancel()
		w.untilState("n1", orchestrator.Stopping)
		w.Force()
		w.end()
		if took := time.Since(began); took > time.Minute {
			t.Errorf("took %s", took)
		}
	})
}

// Ctrl-C while the nodes are being created leaves nothing.
func TestCancelWhileStarting(t *testing.T) {
	for _, after := range []time.Duration{0, time.Millisecond, 100 * time.Millisecond, 310 * time.Millisecond} {
		bubble(t, func(t *testing.T, w *world) {
			w.run(nil, cluster.Options{})
			time.Sleep(after)
			w.cancel()
			err := <-w.result
			if err != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("after %s: %v", after, err)
			}
			if left := w.eng.Left(); len(left) > 0 {
				t.Errorf("after %s left behind: %v", after, left)
			}
		})
	}
}

// Lines of the nodes reach a logger with the prefix of the guide and without secrets.
func TestForwardedLines(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		var log lockedBuffer
		logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		w.run(nil, cluster.Options{Logger: logger, OutputLevel: slog.LevelDebug})
		w.ready()
		w.end()
		if got := log.String(); !strings.Contains(got, `msg="[n2:stdout] run 1 boots"`) {
			t.Errorf("log:\n%s", got)
		}
		if strings.Contains(log.String(), w.Spec().Cookie) {
			t.Error("the cookie is in the log")
		}
	})
}

// A handler that blocks forever delays neither the supervisor nor the end of Run: nodes
// form, crash and restart, and the cluster is removed.
func TestALoggerThatBlocks(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		free := make(chan struct{})
		defer close(free)
		w.run(nil, cluster.Options{Logger: slog.New(blocked{free}), OutputLevel: slog.LevelDebug})
		w.ready()
		w.eng.ExternalKill(w.container("n1"), "KILL")
		w.until("n1 runs again", func() bool { n := w.node("n1"); return n.Incarnation == 2 && n.State == orchestrator.Ready })
		w.end()
	})
}

// blocked is a handler that blocks until the channel is closed.
type blocked struct{ until <-chan struct{} }

func (b blocked) Enabled(context.Context, slog.Level) bool  { return true }
func (b blocked) Handle(context.Context, slog.Record) error { <-b.until; return nil }
func (b blocked) WithAttrs([]slog.Attr) slog.Handler        { return b }
func (b blocked) WithGroup(string) slog.Handler             { return b }

type lockedBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}
