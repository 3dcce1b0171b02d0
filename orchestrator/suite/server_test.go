package suite

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/beamyard/beamyard/network/erldist"
	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/faults"
	"github.com/beamyard/beamyard/orchestrator/hint"
)

var (
	_ Controller = orchestrator.Controller(nil)
	_ Injector   = faults.Injector{}
)

const (
	notices = 3 * time.Second        // after which the nodes and their supervisor notice
	told    = 300 * time.Millisecond // after which the supervisor knows of a fault
)

// world is a cluster of three nodes and its supervisor. What is done to it is noticed later.
type world struct {
	mu      sync.Mutex
	spec    orchestrator.Spec
	nodes   map[string]*orchestrator.NodeStatus
	known   []fault.Fault // to the supervisor
	inForce []fault.Fault
	journal []orchestrator.JournalEntry
	blind   bool // nobody notices
	lost    bool // global has not handled a lost connection, and will disconnect n1 from n2
	calls   []string
	ids     int
}

func newWorld() *world {
	w := &world{spec: spec(), nodes: map[string]*orchestrator.NodeStatus{}}
	w.spec.NetTick = 8 * time.Second
	for _, n := range w.names() {
		w.nodes[n] = &orchestrator.NodeStatus{Name: n, Node: "app@" + n + ".shop.test", Host: n + ".shop.test", State: orchestrator.Ready, Incarnation: 1}
	}
	w.connect()
	return w
}

func (w *world) names() []string { return []string{"n1", "n2", "n3"} }

func (w *world) server() *Server { return &Server{Spec: w.spec, Cluster: w, Faults: w} }

// does notes a call, and lets its effect be noticed later.
func (w *world) does(call string, after time.Duration, effect func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = append(w.calls, call)
	time.AfterFunc(after, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		effect()
	})
}

// connect lets each node see those that it can see.
func (w *world) connect() {
	names := w.names()
	cut := map[fault.Pair]bool{}
	for _, f := range w.inForce {
		for _, p := range bothEnds(f.Cuts(names)) {
			cut[p] = true
		}
	}
	up := func(n string) bool { return w.nodes[n].State.Running() && !w.nodes[n].Paused }
	for _, n := range names {
		var peers, apart []string
		for _, p := range names {
			pair := fault.Pair{From: n, To: p}
			switch {
			case p == n:
			case cut[pair]:
				apart = append(apart, p)
				fallthrough
			case !up(n), !up(p):
				if slices.Contains(w.nodes[n].Peers, p) {
					w.journal = append(w.journal, orchestrator.JournalEntry{Time: time.Now(), Source: orchestrator.FromNode, Node: n, Peer: p, Text: "nodedown " + p})
				}
			default:
				peers = append(peers, p)
			}
		}
		w.nodes[n].Peers = peers
		if up(n) {
			w.nodes[n].State = orchestrator.Ready
			if len(apart) > 0 {
				w.nodes[n].State = orchestrator.Degraded
			}
		}
	}
}

func (w *world) Status(context.Context) (orchestrator.Status, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	st := orchestrator.Status{Cluster: "shop", Faults: slices.Clone(w.known)}
	for _, n := range w.names() {
		st.Nodes = append(st.Nodes, *w.nodes[n])
	}
	return st, nil
}

func (w *world) Journal(context.Context) ([]orchestrator.JournalEntry, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.journal), nil
}

func (w *world) Logs(_ context.Context, q orchestrator.LogQuery, fn func(orchestrator.Line) error) error {
	return errors.Join(fn(orchestrator.Line{Stream: orchestrator.StreamSystem, Text: "run 1"}), fn(orchestrator.Line{Stream: orchestrator.Stdout, Text: fmt.Sprint(q.Nodes, q.Tail)}))
}

func (w *world) change(call string, after time.Duration, nodes []string, effect func(n *orchestrator.NodeStatus)) error {
	w.does(call+" "+strings.Join(nodes, " "), after, func() {
		for _, n := range nodes {
			effect(w.nodes[n])
		}
		if !w.blind {
			w.connect()
		}
	})
	return nil
}

func (w *world) Start(_ context.Context, nodes ...string) error {
	w.mu.Lock()
	for _, n := range nodes {
		w.nodes[n].State = orchestrator.Starting
	}
	w.mu.Unlock()
	return w.change("start", notices, nodes, func(n *orchestrator.NodeStatus) { n.State = orchestrator.Ready; n.Incarnation++ })
}

func (w *world) Restart(_ context.Context, nodes ...string) error {
	return w.change("restart", notices, nodes, func(n *orchestrator.NodeStatus) { n.Incarnation++ })
}

func (w *world) Stop(_ context.Context, nodes ...string) error {
	return w.change("stop", notices, nodes, func(n *orchestrator.NodeStatus) { n.State = orchestrator.Stopped })
}

func (w *world) Kill(_ context.Context, signal string, nodes ...string) error {
	return w.change("kill "+signal, notices, nodes, func(n *orchestrator.NodeStatus) { n.State = orchestrator.BackingOff })
}

func (w *world) Pause(_ context.Context, nodes ...string) error {
	w.mu.Lock()
	for _, n := range nodes {
		w.nodes[n].Paused, w.nodes[n].State = true, orchestrator.Degraded
	}
	w.mu.Unlock()
	return w.change("pause", notices, nodes, func(*orchestrator.NodeStatus) {})
}

func (w *world) Unpause(_ context.Context, nodes ...string) error {
	w.mu.Lock()
	for _, n := range nodes {
		w.nodes[n].Paused = false
	}
	w.mu.Unlock()
	return w.change("unpause", notices, nodes, func(*orchestrator.NodeStatus) {})
}

func (w *world) List(context.Context) ([]fault.Fault, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.inForce), nil
}

func (w *world) Inject(_ context.Context, f fault.Fault, lasts time.Duration) (fault.Fault, error) {
	if err := f.Validate(w.names()); err != nil {
		return f, err
	}
	w.mu.Lock()
	w.ids++
	f.ID, f.Begin = fmt.Sprintf("f%d", w.ids), time.Now()
	if lasts > 0 {
		f.End = f.Begin.Add(lasts)
	}
	w.inForce = append(w.inForce, f)
	w.mu.Unlock()
	w.learn()
	w.does("inject "+f.String(), notices, func() {
		if !w.blind {
			w.connect()
		}
	})
	return f, nil
}

// learn tells the supervisor which faults are in force, soon.
func (w *world) learn() {
	time.AfterFunc(told, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.known = slices.Clone(w.inForce)
	})
}

func (w *world) Heal(_ context.Context, ids ...string) ([]fault.Fault, error) {
	w.mu.Lock()
	var healed []fault.Fault
	for _, id := range ids {
		if !slices.ContainsFunc(w.inForce, func(f fault.Fault) bool { return f.ID == id }) {
			w.mu.Unlock()
			return nil, orchestrator.WithHint(fmt.Errorf("fault %s: %w", id, orchestrator.ErrNotFound), "no fault is in force")
		}
	}
	w.inForce = slices.DeleteFunc(w.inForce, func(f fault.Fault) bool {
		gone := len(ids) == 0 || slices.Contains(ids, f.ID)
		if gone {
			healed = append(healed, f)
		}
		return gone
	})
	w.mu.Unlock()
	w.learn()
	w.does("heal "+strings.Join(ids, " "), notices, func() {
		if !w.blind {
			w.connect()
		}
	})
	return healed, nil
}

func (w *world) ResetConnections(_ context.Context, pairs []fault.Pair) (int, error) {
	w.does(fmt.Sprintf("reset %d", len(pairs)), notices, func() {
		for _, p := range pairs {
			w.journal = append(w.journal, orchestrator.JournalEntry{Time: time.Now(), Source: orchestrator.FromNode, Node: p.From, Peer: p.To, Text: "nodedown " + p.To})
		}
	})
	return len(pairs), nil
}

func (w *world) Eval(_ context.Context, _, expression string, _ orchestrator.EvalOptions) (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.lost && strings.Contains(expression, "{global, sync}") {
		w.lost = false
		w.nodes["n1"].Peers, w.nodes["n2"].Peers = []string{"n3"}, []string{"n3"}
		time.AfterFunc(notices, func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.connect()
		})
	}
	return "ok", nil
}

func (w *world) Crash(_ context.Context, _ faults.Evaluator, node string, how faults.How) error {
	return w.change("crash "+string(how), notices, []string{node}, func(n *orchestrator.NodeStatus) { n.State = orchestrator.BackingOff })
}

// asked returns what a request is answered, in words, and how long that took.
func asked(t *testing.T, s *Server, request any) (string, time.Duration) {
	t.Helper()
	began := time.Now()
	answer := s.Answer(t.Context(), received(t, request))
	return erldist.Format(received(t, answer)), time.Since(began)
}

// step is a request with its answer.
type step struct {
	request any
	answer  string
	noticed bool // it took as long as the nodes need
}

func play(t *testing.T, w *world, steps []step, calls ...string) {
	t.Helper()
	s := w.server()
	for _, st := range steps {
		answer, took := asked(t, s, st.request)
		if answer != st.answer {
			t.Errorf("%s\n got  %s\n want %s", erldist.Format(st.request), answer, st.answer)
		}
		if (took > notices/2) != st.noticed || took > notices+time.Second {
			t.Errorf("%s took %s", erldist.Format(st.request), took)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if diff := cmp.Diff(calls, w.calls); diff != "" {
		t.Error(diff)
	}
}

const (
	all    = `[:"app@n1.shop.test", :"app@n2.shop.test", :"app@n3.shop.test"]`
	others = `[:"app@n2.shop.test", :"app@n3.shop.test"]`
)

func TestAPartitionIsNoticedAndHealed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		play(t, newWorld(), []step{
			{tuple{atom("partition"), terms{terms{"n1"}}, opts()}, `{:ok, "f1"}`, true},
			{tuple{atom("await_mesh"), opts()}, "{:ok, []}", false}, // those that are cut do not count
			{tuple{atom("partition"), terms{terms{"n1"}}, opts("wait", false)}, `{:ok, "f2"}`, false},
			{tuple{atom("heal"), terms{"f1"}}, `{:ok, {["f1"], []}}`, false},
			{tuple{atom("undo"), tuple{atom("fault"), "f1"}}, "{:ok, []}", false},
			{tuple{atom("heal"), terms{}}, `{:ok, {["f2"], ` + all + `}}`, true},
			{tuple{atom("heal"), terms{}}, `{:ok, {[], ` + all + `}}`, false},
			{atom("faults"), "{:ok, []}", false},
		}, "inject partition n1 | the rest, drop", "inject partition n1 | the rest, drop", "heal f1", "heal ", "heal ")
	})
}

func TestAPartitionThatNobodyNoticesIsHealed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.blind = true
		s := w.server()
		answer, took := asked(t, s, tuple{atom("partition"), terms{terms{"n1"}}, opts()})
		if !strings.Contains(answer, "has not noticed within 17s that it lost") || took < 17*time.Second || len(w.inForce) > 0 {
			t.Errorf("%s after %s, %d in force", answer, took, len(w.inForce))
		}
		if answer, _ := asked(t, s, tuple{atom("partition"), terms{terms{"n1"}}, opts("for", 100)}); answer != `{:ok, "f2"}` {
			t.Errorf("one that ends before: %s", answer)
		}
	})
}

// A test that is killed while its partition is not noticed yet cannot undo it.
func TestWhatIsNotAwaitedIsUndone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.blind = true
		s := w.server()
		for _, request := range []any{
			tuple{atom("partition"), terms{terms{"n1"}}, opts()}, tuple{atom("crash"), "n2", atom("kill")}, tuple{atom("pause"), "n3", opts()},
		} {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			if answer := erldist.Format(s.Answer(ctx, received(t, request))); !strings.Contains(answer, "context deadline exceeded") {
				t.Errorf("got %s", answer)
			}
			cancel()
		}
		if want := []string{"inject partition n1 | the rest, drop", "heal f1", "kill KILL n2", "start n2", "pause n3", "unpause n3"}; !slices.Equal(w.calls, want) {
			t.Errorf("got %q", w.calls)
		}
	})
}

func TestNodesGoAndComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		play(t, w, []step{
			{tuple{atom("crash"), "n1", atom("kill")}, "{:ok, nil}", true},
			{tuple{atom("undo"), tuple{atom("node"), "n1"}}, "{:ok, " + all + "}", true}, // its restart is not waited for
			{tuple{atom("undo"), tuple{atom("node"), "n1"}}, "{:ok, " + all + "}", false},
			{tuple{atom("crash"), "n1", atom("abort")}, "{:ok, nil}", true},
			{tuple{atom("undo"), tuple{atom("node"), "n1"}}, "{:ok, " + all + "}", true},
			{tuple{atom("stop"), "n1"}, "{:ok, nil}", true},
			{tuple{atom("await_mesh"), opts()}, "{:ok, " + others + "}", false},
			{tuple{atom("need"), 2}, "{:ok, " + others + "}", false},
			{tuple{atom("need"), 3}, "{:ok, " + all + "}", true},
			{tuple{atom("pause"), "n1", opts()}, "{:ok, nil}", true},
			{tuple{atom("unpause"), "n1"}, "{:ok, " + all + "}", true},
			{tuple{atom("pause"), "n1", opts("wait", false)}, "{:ok, nil}", false},
			{tuple{atom("undo"), tuple{atom("node"), "n1"}}, "{:ok, " + all + "}", true},
			{tuple{atom("blip"), terms{}}, "{:ok, 6}", true},
			{tuple{atom("crash"), "n1", atom("gently")}, `{:error, "crash n1: unknown way \"gently\": use kill, abort, halt, oom, slogan"}`, false},
			{tuple{atom("need"), 4}, `{:error, "4 nodes are needed, and the cluster has 3\nhint: start the suite with more: -n 4"}`, false},
			{tuple{atom("partition"), terms{terms{"n1"}}, opts("how", atom("softly"))}, `{:error, "unknown way to cut \"softly\": use drop, reset or disconnect"}`, false},
			{tuple{atom("heal"), terms{"f9"}}, `{:error, "fault f9: not found\nhint: no fault is in force"}`, false},
			{tuple{atom("output"), "n1", 7}, `{:ok, ["[n1] 7"]}`, false},
		}, "kill KILL n1", "start n1", "crash abort n1", "start n1", "stop n1", "start n1", "pause n1", "unpause n1", "pause n1", "unpause n1", "reset 6")
	})
}

// The nodes are connected again, and then global disconnects two of them because of what others
// told it. That is waited for.
func TestGlobalDisconnectsLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		play(t, w, []step{{tuple{atom("pause"), "n3", opts()}, "{:ok, nil}", true}}, "pause n3")
		w.lost, w.calls = true, nil
		_, took := asked(t, w.server(), tuple{atom("unpause"), "n3"})
		if want := 2*notices + steady; took < want || took > want+2*poll || w.lost {
			t.Errorf("unpaused after %s, want %s", took, want)
		}
	})
}

func TestWhatASuiteLeavesIsUndone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		s := w.server()
		for _, request := range []any{
			tuple{atom("slow"), terms{"n1"}, opts("loss", 5)}, tuple{atom("slow"), terms{"n1"}, opts("loss", 6)},
			tuple{atom("heal"), terms{"f1"}}, tuple{atom("crash"), "n2", atom("kill")}, tuple{atom("stop"), "n3"}, tuple{atom("undo"), tuple{atom("node"), "n3"}},
		} {
			if answer, _ := asked(t, s, request); !strings.HasPrefix(answer, "{:ok") {
				t.Fatalf("%s: %s", erldist.Format(request), answer)
			}
		}
		w.calls = nil
		if err := s.Undo(t.Context()); err != nil {
			t.Error(err)
		}
		if want := []string{"heal f2", "start n2"}; !slices.Equal(w.calls, want) {
			t.Errorf("got %q", w.calls)
		}
		if err := s.Undo(t.Context()); err != nil || len(w.calls) != 2 {
			t.Errorf("again: %v, %q", err, w.calls)
		}
		if !s.Crashed("n2") || s.Crashed("n3") {
			t.Error("it is not known which node was crashed")
		}
	})
}

func TestReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		s := w.server()
		s.Spec.Cookie = "s3cret-cookie"
		w.nodes["n2"].State, w.nodes["n2"].Reason = orchestrator.Degraded, "it has s3cret-cookie"
		w.nodes["n2"].Findings = []orchestrator.Finding{{Code: "cookie-mismatch", Problem: "n2 has another cookie", Solutions: []orchestrator.Solution{{Text: hint.Text("use ours")}}}}
		var causes []string
		s.Evidence = func(_ context.Context, cause error) (string, error) {
			causes = append(causes, cause.Error())
			if len(causes) == 2 {
				return "", errors.New("the disk is full")
			}
			return "/tmp/it", nil
		}
		want := "n1 is ready\nn2 is degraded: it has [secret]\n  cookie-mismatch: n2 has another cookie\n    use ours\nn3 is ready\n"
		for i := range maxEvidence + 1 {
			last, path := "evidence: /tmp/it\n", any([]byte("/tmp/it"))
			switch i {
			case 1:
				last, path = "evidence could not be kept: the disk is full\n", atom("nil")
			case maxEvidence:
				last, path = "evidence: only the first 5 failed tests have it\n", atom("nil")
			}
			answer := received(t, s.Answer(t.Context(), received(t, tuple{atom("report"), "a test"})))
			m, _ := answer.(tuple)[1].(erldist.Map)
			text, _ := m.Get(atom("text"))
			if got, _ := erldist.Text(text); got != want+last {
				t.Errorf("%d: %s", i, got)
			}
			if got, _ := m.Get(atom("evidence")); !erldist.Equal(got, path) {
				t.Errorf("%d: evidence %v", i, got)
			}
		}
		if len(causes) != maxEvidence || causes[0] != "a test failed" {
			t.Errorf("causes %q", causes)
		}
	})
}

func TestNodesAndFaultsAreShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.spec.HTTPPort = 4000
		w.nodes["n2"].State = orchestrator.BackingOff
		play(t, w, []step{
			{tuple{atom("slow"), terms{"n1"}, opts("loss", 5, "for", 5000)}, `{:ok, "f1"}`, false},
		}, "inject "+fault.Link(fault.Quality{Loss: 5}, fault.Pair{From: "n1", To: "*"}, fault.Pair{From: "*", To: "n1"}).String())
		s := w.server()
		shown := func(request any) (all []map[string]string) {
			list, _ := received(t, s.Answer(t.Context(), request)).(tuple)[1].(terms)
			for _, e := range list {
				fields := map[string]string{}
				for _, p := range e.(erldist.Map) {
					fields[string(p.Key.(atom))] = erldist.Format(p.Value)
				}
				all = append(all, fields)
			}
			return all
		}
		nodes := shown(atom("nodes"))
		want := map[string]string{"name": `"n2"`, "node": `:"app@n2.shop.test"`, "state": ":backing_off", "paused": "false", "url": `"http://n2.shop.test:4000"`, "peers": `["n1", "n3"]`}
		if len(nodes) != 3 || !maps.Equal(nodes[1], want) {
			t.Errorf("got %v", nodes)
		}
		faults := shown(atom("faults"))
		if len(faults) != 1 || faults[0]["id"] != `"f1"` || faults[0]["kind"] != ":link" || faults[0]["ends_in"] != "5000" {
			t.Errorf("got %v", faults)
		}
	})
}

// An application that connects the nodes may need longer than any limit.
func TestNobodyWaitsForTheApplicationToConnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.spec.Mesh = orchestrator.MeshApp
		play(t, w, []step{
			{tuple{atom("partition"), terms{terms{"n1"}}, opts()}, `{:ok, "f1"}`, true},
			{tuple{atom("heal"), terms{}}, `{:ok, {["f1"], []}}`, false},
			{tuple{atom("await_mesh"), opts()}, "{:ok, " + all + "}", true},
		}, "inject partition n1 | the rest, drop", "heal ")
	})
}
