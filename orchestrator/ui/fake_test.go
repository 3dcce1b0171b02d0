package ui

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/codesync"
	"github.com/beamyard/beamyard/orchestrator/evidence"
	"github.com/beamyard/beamyard/orchestrator/faults"
	"github.com/beamyard/beamyard/orchestrator/health"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The secrets of the fake cluster. None may be in any payload.
const (
	theCookie = "crumbcrumbcrumb"
	theSecret = `s3cr3t "pass"/word`
)

// fake is a cluster that does what a test says, and a source of it.
type fake struct {
	mu         sync.Mutex
	spec       orchestrator.Spec
	status     orchestrator.Status
	report     orchestrator.HealthReport
	events     []orchestrator.Event
	journal    []orchestrator.JournalEntry
	lines      []orchestrator.Line
	faults     []fault.Fault
	changed    chan struct{} // closed and replaced with each change
	asked      []string
	fail       error // of everything
	gone       error // of Open
	opened     int
	open       int
	supervised bool
	takeOver   func(context.Context) error
}

func newFake() *fake {
	f := &fake{changed: make(chan struct{}), supervised: true}
	f.spec = orchestrator.Spec{
		Name: "demo", Image: "demo:1", Cookie: theCookie, Nodes: orchestrator.NodeNames(3),
		Env: map[string]string{"TOKEN": theSecret}, Secrets: []string{"TOKEN"},
	}.Defaulted()
	f.status = orchestrator.Status{Cluster: "demo", Supervised: true, Ready: true, Image: "demo:1"}
	f.report = orchestrator.HealthReport{Report: health.Report{Cluster: "demo", Passed: true}}
	for i, n := range f.spec.Nodes {
		var peers []string
		for _, p := range f.spec.Nodes {
			if p.Name != n.Name {
				peers = append(peers, p.Name)
			}
		}
		f.status.Nodes = append(f.status.Nodes, orchestrator.NodeStatus{Name: n.Name, State: orchestrator.Ready, Peers: peers, Incarnation: 1})
		f.report.Nodes = append(f.report.Nodes, health.NodeReport{Name: n.Name, Sample: &health.Sample{
			Memory: map[string]int64{"total": int64(i+1) << 20}, Processes: health.Count{Used: 60, Known: true}, RunQueue: i,
		}})
	}
	return f
}

// change changes the cluster, and wakes who follows.
func (f *fake) change(do func(*fake)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do(f)
	close(f.changed)
	f.changed = make(chan struct{})
}

func (f *fake) ask(format string, args ...any) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, fmt.Sprintf(format, args...))
	return f.fail
}

func (f *fake) List(context.Context) ([]Listed, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return []Listed{{f.status, f.spec}}, f.gone
}

func (f *fake) Open(_ context.Context, cluster string) (*Cluster, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if cluster != f.spec.Name {
		return nil, fmt.Errorf("%w: %s", orchestrator.ErrNoCluster, cluster)
	}
	if f.gone != nil {
		return nil, f.gone
	}
	f.opened++
	f.open++
	c := &Cluster{Controller: f, Spec: f.spec, Supervised: f.supervised, Faults: injector{f}, Close: func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.open--
	}}
	if !f.supervised {
		c.TakeOver = f.takeOver
	}
	c.Export = func(ctx context.Context) *evidence.Bundle {
		return evidence.Collect(ctx, evidence.Source{Spec: c.Spec, Cluster: f})
	}
	return c, nil
}

func (f *fake) Status(context.Context) (orchestrator.Status, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	st := f.status
	st.Supervised, st.Nodes, st.Faults = f.supervised, slices.Clone(st.Nodes), slices.Clone(f.faults)
	return st, f.fail
}

func (f *fake) Health(context.Context) (orchestrator.HealthReport, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.report, f.fail
}

func (f *fake) WaitReady(context.Context) error { return f.fail }

// follow calls read with each state, until it fails or ctx ends.
func (f *fake) follow(ctx context.Context, follow bool, read func() error) error {
	for {
		f.mu.Lock()
		changed, failed := f.changed, f.fail
		f.mu.Unlock()
		if failed != nil {
			return failed
		}
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

func (f *fake) Events(ctx context.Context, after uint64, follow bool, fn func(orchestrator.Event) error) error {
	if !f.supervised {
		return orchestrator.ErrNoSupervisor
	}
	return f.follow(ctx, follow, func() error {
		f.mu.Lock()
		events := slices.Clone(f.events)
		f.mu.Unlock()
		for _, e := range events {
			if e.Seq > after {
				if err := fn(e); err != nil {
					return err
				}
				after = e.Seq
			}
		}
		return nil
	})
}

func (f *fake) Logs(ctx context.Context, q orchestrator.LogQuery, fn func(orchestrator.Line) error) error {
	sent := 0
	return f.follow(ctx, q.Follow, func() error {
		f.mu.Lock()
		lines := slices.Clone(f.lines)
		f.mu.Unlock()
		for _, l := range lines[sent:] {
			sent++
			if l.Time.Before(q.Since) || len(q.Nodes) > 0 && !slices.Contains(q.Nodes, l.Node) {
				continue
			}
			if err := fn(l); err != nil {
				return err
			}
		}
		return nil
	})
}

func (f *fake) Journal(context.Context) ([]orchestrator.JournalEntry, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.supervised {
		return nil, orchestrator.ErrNoSupervisor
	}
	return slices.Clone(f.journal), f.fail
}

func (f *fake) Start(_ context.Context, n ...string) error   { return f.ask("start %v", n) }
func (f *fake) Stop(_ context.Context, n ...string) error    { return f.ask("stop %v", n) }
func (f *fake) Restart(_ context.Context, n ...string) error { return f.ask("restart %v", n) }
func (f *fake) Kill(_ context.Context, s string, n ...string) error {
	return f.ask("kill %s %v", s, n)
}
func (f *fake) Pause(_ context.Context, n ...string) error   { return f.ask("pause %v", n) }
func (f *fake) Unpause(_ context.Context, n ...string) error { return f.ask("unpause %v", n) }
func (f *fake) Down(context.Context) error                   { return f.ask("down") }
func (f *fake) Eval(context.Context, string, string, orchestrator.EvalOptions) (string, error) {
	return "", f.ask("eval")
}

func (f *fake) Sync(_ context.Context, o orchestrator.SyncOptions) (codesync.Report, error) {
	return codesync.Report{Cluster: "demo"}, f.ask("sync %v", o.Nodes)
}

// injector is the fake's faults.
type injector struct{ f *fake }

func (i injector) List(context.Context) ([]fault.Fault, error) { return i.f.faults, nil }

func (i injector) Inject(_ context.Context, x fault.Fault, lasts time.Duration) (fault.Fault, error) {
	x.ID = "f1"
	return x, i.f.ask("inject %s for %s", x, lasts)
}

func (i injector) Heal(_ context.Context, ids ...string) ([]fault.Fault, error) {
	i.f.mu.Lock()
	healed := i.f.faults
	i.f.mu.Unlock()
	return healed, i.f.ask("heal %v", ids)
}

func (i injector) Blip(_ context.Context, pairs []fault.Pair, lasts time.Duration) (int, error) {
	return len(pairs), i.f.ask("blip %v for %s", pairs, lasts)
}

func (i injector) Readmit(_ context.Context, _ faults.Evaluator, x fault.Fault) error {
	return i.f.ask("readmit %s", x)
}

// served is a server of a fake, with a browser that has entered.
type served struct {
	*Server
	t      *testing.T
	base   string // "http://localhost:PORT"
	client *http.Client
}

func serve(t *testing.T, o Options) *served {
	t.Helper()
	l, err := Listen(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &served{Server: New(l, o), t: t, base: fmt.Sprintf("http://localhost:%d", l.Port())}
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	s.client = &http.Client{Transport: transport, Jar: jar}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return s
}

// entered is serve, with a browser that has opened the URL.
func entered(t *testing.T, o Options) *served {
	t.Helper()
	s := serve(t, o)
	s.enter(s.URL("/", o.ReadOnly))
	return s
}

// enter opens an address in the browser.
func (s *served) enter(address string) {
	s.t.Helper()
	if resp, _ := s.request(http.MethodGet, strings.TrimPrefix(address, s.base), ""); resp.StatusCode != http.StatusOK {
		s.t.Fatalf("the URL leads to %s", resp.Status)
	}
}

// reply is an answer without its body.
type reply struct {
	Status     string
	StatusCode int
	Header     http.Header
	cookies    []*http.Cookie
}

// request makes a request, and returns the answer and its body.
func (s *served) request(method, path, body string, header ...string) (reply, string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.base+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			req.Host = header[i+1]
			continue
		}
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := s.client.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return reply{resp.Status, resp.StatusCode, resp.Header, resp.Cookies()}, string(data)
}

// event is one message of a stream, as a browser gets it.
type event struct{ id, kind, data string }

// watching is an open stream.
type watching struct {
	t      *testing.T
	lines  *bufio.Scanner
	cancel context.CancelFunc
	body   io.Closer
}

func (s *served) watch(cluster, last string) *watching {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.base+"/c/"+cluster+"/stream", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	resp, err := s.client.Do(req) //nolint:bodyclose // close does
	if err != nil {
		s.t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		s.t.Fatalf("the stream is %s", resp.Status)
	}
	w := &watching{s.t, bufio.NewScanner(resp.Body), cancel, resp.Body}
	w.lines.Buffer(nil, 16<<20)
	s.t.Cleanup(w.close)
	return w
}

func (w *watching) close() {
	w.cancel()
	w.body.Close()
}

// next returns the next message. It is over when the stream has ended.
func (w *watching) next() (e event, over bool) {
	for w.lines.Scan() {
		field, value, _ := strings.Cut(w.lines.Text(), ": ")
		switch field {
		case "id":
			e.id = value
		case "event":
			e.kind = value
		case "data":
			e.data = value
		case "":
			if e.kind != "" && e.kind != "ping" {
				return e, false
			}
			e = event{}
		}
	}
	return e, true
}

// until returns the messages up to the first of a kind that a condition accepts.
func (w *watching) until(kind string, accept func(data string) bool) []event {
	w.t.Helper()
	var all []event
	for {
		e, over := w.next()
		if over {
			w.t.Fatalf("the stream ended before %s: %v", kind, w.lines.Err())
		}
		all = append(all, e)
		if e.kind == kind && (accept == nil || accept(e.data)) {
			return all
		}
	}
}
