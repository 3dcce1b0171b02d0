package browser

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/faults"
	"github.com/beamyard/beamyard/orchestrator/health"
	"github.com/beamyard/beamyard/orchestrator/ui"
)

// TestServer tests what is essential against the real server, which watches a world as it watches a
// cluster.
func TestServer(t *testing.T) {
	browser := start(t)
	w := newWorld("demo", 3, 4*time.Minute)
	c := newController(w)
	all := numbered(w, 1, 50)
	l, err := ui.Listen(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	server := ui.New(l, ui.Options{Source: c})
	ctx, cancel := context.WithCancel(context.Background())
	end := sync.OnceFunc(cancel)
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx) }()
	t.Cleanup(func() {
		end()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})

	b := newTab(t, browser, wide, high)
	page := fmt.Sprintf("http://localhost:%d/c/demo/", l.Port())
	b.visit(server.URL("/c/demo/", false), page)
	b.until(`document.querySelectorAll("tr.node").length === 3`)
	if at := get[string](b, `location.href`); strings.Contains(at, "token") {
		t.Errorf("the address still has the token: %s", at)
	}
	b.until(cellState("n1", "n2") + ` === "connected"`)
	b.until(`document.querySelector("#verdict").dataset.tone === "ok"`)
	b.until(`document.querySelector('tr[data-node="n1"] .n-memory').textContent.includes("58 / 256 MiB")`)
	b.sameLines(all)

	// A kill is seen, and comes back.
	b.click(`tr[data-node="n2"] input`)
	b.until(`document.querySelector("#act-form .command code").textContent === "beamyard kill -c demo n2"`)
	b.click(`#act-form button[type="submit"]`)
	b.until(cellState("n1", "n2") + ` === "missing" && ` + cellState("n2", "n1") + ` === "unknown"`)
	b.until(`document.querySelector("#runs").textContent.includes("n2 got SIGKILL")`)
	b.until(`document.querySelectorAll('#chart .mark[aria-label*="n1 saw nodedown n2"]').length === 1`)
	w.ready("n2")
	b.until(cellState("n1", "n2") + ` === "connected" && ` + cellState("n2", "n1") + ` === "connected"`)

	// A partition is drawn, and healed by the button.
	b.act("partition")
	b.until(`document.querySelector("#act-form .command code").textContent.startsWith("beamyard partition -c demo n")`)
	b.click(`#act-form button[type="submit"]`)
	b.until(cellState("n2", "n1") + ` === "cut"`)
	b.until(`document.querySelector("#faults").textContent.includes("partition")`)
	b.shot("server-partition")
	b.click("#heal-all")
	b.until(cellState("n2", "n1") + ` === "connected" && document.querySelector("#faults").hidden`)
	b.until(`document.querySelectorAll("#chart .fault-bar.past").length === 1`)

	// A stream that the server ends is resumed.
	hellos := get[float64](b, `performance.getEntriesByType("resource").filter(r => r.name.includes("/stream")).length`)
	c.set(func() { c.supervised = false })
	b.until(`!document.querySelector("#unsupervised").hidden`)
	all = append(all, numbered(w, 51, 90)...)
	c.set(func() { c.supervised = true })
	b.until(`document.querySelector("#unsupervised").hidden`)
	b.sameLines(all)
	b.until(fmt.Sprintf(`performance.getEntriesByType("resource").filter(r => r.name.includes("/stream")).length > %v`, hellos))

	// The test that repeats it.
	b.click("#as-go")
	b.until(`document.querySelector("#script-text").textContent.includes("testsupport")`)
	b.until(`document.querySelector("#script-said").textContent.startsWith("Copied")`)

	// A server that is gone is said to be, and a new one wants a new token.
	end()
	b.until(away)
	b.until(`document.querySelector("#away-title").textContent.startsWith("Not connected since")`)
	l2, err := ui.Listen(t.Context(), l.Port())
	if err != nil {
		t.Fatal(err)
	}
	other := ui.New(l2, ui.Options{Source: c})
	ctx2, cancel2 := context.WithCancel(context.Background())
	done2 := make(chan error, 1)
	go func() { done2 <- other.Serve(ctx2) }()
	t.Cleanup(func() {
		cancel2()
		if err := <-done2; err != nil {
			t.Error(err)
		}
	})
	b.until(`document.querySelector("#away-why").textContent.includes("beamyard ui demo")`)
	b.visit(other.URL("/c/demo/", true), page)
	b.until(`document.querySelectorAll("tr.node").length === 3 && !document.querySelector("#read-only").hidden`)
	b.sameLines(all)

	if diff := cmp.Diff([]string{"kill KILL n2", "inject", "heal"}, c.did()); diff != "" {
		t.Errorf("the cluster was asked for something else (-want +got):\n%s", diff)
	}
}

// controller is a world as a cluster that can be controlled, and the source of it. What no test
// needs panics.
type controller struct {
	orchestrator.Controller
	w *world

	mu         sync.Mutex
	changed    chan struct{} // closed and replaced with each change
	supervised bool
	asked      []string
}

func newController(w *world) *controller {
	c := &controller{w: w, changed: make(chan struct{}), supervised: true}
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.events {
		w.events[i].Seq = uint64(i + 1)
	}
	w.tell = func(string, any) { c.set(func() {}) }
	return c
}

// set changes the controller, and wakes who follows.
func (c *controller) set(do func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	do()
	close(c.changed)
	c.changed = make(chan struct{})
}

func (c *controller) ask(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = append(c.asked, what)
}

func (c *controller) did() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.asked)
}

func (c *controller) spec() orchestrator.Spec {
	return orchestrator.Spec{Name: "demo", Image: "demo:1", Nodes: orchestrator.NodeNames(3)}.Defaulted()
}

func (c *controller) List(ctx context.Context) ([]ui.Listed, error) {
	st, err := c.Status(ctx)
	return []ui.Listed{{Status: st, Spec: c.spec()}}, err
}

func (c *controller) Open(context.Context, string) (*ui.Cluster, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return &ui.Cluster{Controller: c, Spec: c.spec(), Supervised: c.supervised, Faults: injector{c}}, nil
}

func (c *controller) Status(context.Context) (orchestrator.Status, error) {
	c.mu.Lock()
	supervised := c.supervised
	c.mu.Unlock()
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	st := c.w.status
	st.Supervised, st.Nodes, st.Faults = supervised, slices.Clone(st.Nodes), slices.Clone(st.Faults)
	for i, n := range st.Nodes {
		st.Nodes[i].Peers = nil
		for _, p := range st.Nodes {
			if c.w.sees(n.Name, p.Name).State == "connected" {
				st.Nodes[i].Peers = append(st.Nodes[i].Peers, p.Name)
			}
		}
	}
	return st, nil
}

func (c *controller) Health(context.Context) (orchestrator.HealthReport, error) {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	r := orchestrator.HealthReport{Report: health.Report{Cluster: "demo", Time: time.Now(), Passed: true}}
	for _, n := range c.w.status.Nodes {
		if n.State == orchestrator.Ready {
			r.Nodes = append(r.Nodes, health.NodeReport{Name: n.Name, Node: n.Node, Sample: &health.Sample{
				Time: time.Now(), Container: health.Count{Used: 58 << 20, Limit: 256 << 20, Known: true}, RunQueue: 1,
				Processes: health.Count{Used: 92, Known: true}, Atoms: health.Count{Used: 18_300, Limit: 1 << 20, Known: true},
			}})
		}
	}
	return r, nil
}

// follow calls read now, and with follow after each change, until ctx ends.
func (c *controller) follow(ctx context.Context, follow bool, read func() error) error {
	for {
		c.mu.Lock()
		changed := c.changed
		c.mu.Unlock()
		if err := read(); err != nil || !follow {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}

func (c *controller) Events(ctx context.Context, after uint64, follow bool, fn func(orchestrator.Event) error) error {
	return c.follow(ctx, follow, func() error {
		if err := c.answers(); err != nil {
			return err
		}
		c.w.mu.Lock()
		events := slices.Clone(c.w.events)
		c.w.mu.Unlock()
		for _, e := range events {
			if e.Seq <= after {
				continue
			}
			after = e.Seq
			if err := fn(e); err != nil {
				return err
			}
		}
		return nil
	})
}

func (c *controller) Logs(ctx context.Context, q orchestrator.LogQuery, fn func(orchestrator.Line) error) error {
	sent := 0
	return c.follow(ctx, q.Follow, func() error {
		c.w.mu.Lock()
		lines := slices.Clone(c.w.lines)
		c.w.mu.Unlock()
		for _, l := range lines[sent:] {
			sent++
			if l.Time.Before(q.Since) {
				continue
			}
			if err := fn(l); err != nil {
				return err
			}
		}
		return nil
	})
}

// answers returns an error if there is no supervisor.
func (c *controller) answers() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.supervised {
		return orchestrator.ErrNoSupervisor
	}
	return nil
}

func (c *controller) Journal(context.Context) ([]orchestrator.JournalEntry, error) {
	if err := c.answers(); err != nil {
		return nil, err
	}
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	return slices.Clone(c.w.journ), nil
}

func (c *controller) WaitReady(context.Context) error { return nil }

func (c *controller) Kill(_ context.Context, signal string, nodes ...string) error {
	c.ask("kill " + signal + " " + strings.Join(nodes, " "))
	for _, n := range nodes {
		c.w.crash(n)
	}
	return nil
}

// injector injects faults into the world.
type injector struct{ c *controller }

func (i injector) List(ctx context.Context) ([]fault.Fault, error) {
	st, err := i.c.Status(ctx)
	return st.Faults, err
}

func (i injector) Inject(_ context.Context, f fault.Fault, _ time.Duration) (fault.Fault, error) {
	i.c.ask("inject")
	return i.c.w.inject(f), nil
}

func (i injector) Heal(ctx context.Context, ids ...string) ([]fault.Fault, error) {
	i.c.ask("heal")
	all, err := i.List(ctx)
	i.c.w.heal(ids...)
	return all, err
}

func (i injector) Blip(context.Context, []fault.Pair, time.Duration) (int, error) { return 0, nil }

func (i injector) Readmit(context.Context, faults.Evaluator, fault.Fault) error { return nil }
