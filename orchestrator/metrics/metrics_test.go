package metrics

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/enginetest/generated"
	"github.com/beamyard/beamyard/orchestrator/health"
	"github.com/beamyard/beamyard/orchestrator/internal/history"
)

// README.md lists the metrics. UPDATE=1 writes them.
func TestReadmeListsTheMetrics(t *testing.T) {
	kinds := map[prometheus.ValueType]string{prometheus.GaugeValue: "gauge", prometheus.CounterValue: "counter", histogram: "histogram"}
	var table strings.Builder
	table.WriteString("\n| metric | type | labels | |\n|---|---|---|---|\n")
	for _, f := range families {
		fmt.Fprintf(&table, "| `%s` | %s | %s | %s |\n", f.name, kinds[f.kind], strings.Join(f.labels, ", "), f.help)
	}
	table.WriteString("\n")
	generated.Check(t, "README.md", "metrics", table.String())
}

// begin is when the cluster of the tests was sampled.
var begin = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

func known(used, limit int64) health.Count {
	return health.Count{Used: used, Limit: limit, Known: true}
}

// shop is a cluster with a node in each kind of trouble.
func shop() snapshot {
	t := newTally()
	for i, e := range []orchestrator.Event{
		{Node: "n1", Kind: orchestrator.EventState, State: orchestrator.Creating},
		{Node: "n1", Kind: orchestrator.EventState, State: orchestrator.Starting},
		{Node: "n1", Kind: orchestrator.EventState, State: orchestrator.Ready},
		{Node: "n2", Kind: orchestrator.EventExit, Exit: &orchestrator.Exit{Class: orchestrator.ExitOOM}},
		{Kind: orchestrator.EventSync, Took: 184 * time.Millisecond},
	} {
		e.Seq, e.Time = uint64(i+1), begin.Add(time.Duration(i)*1500*time.Millisecond)
		_ = t.add(e)
	}
	return snapshot{
		build: Build{Version: "v1.2.3", Revision: "0123456789ab", GoVersion: "go1.26.8"}, counts: t.counts(), failures: 2,
		status: orchestrator.Status{
			Cluster: "shop",
			Nodes: []orchestrator.NodeStatus{
				{Name: "n1", State: orchestrator.Ready, Peers: []string{"n3", "n2"}},
				{Name: "n2", State: orchestrator.BackingOff, RestartCount: 3, DroppedLines: 120},
				{Name: "n3", State: orchestrator.Degraded, Peers: []string{"n1"}},
				{Name: "n4", State: orchestrator.Stopped},
			},
			Faults: []fault.Fault{{Kind: fault.KindPartition}, {Kind: fault.KindClock}, {Kind: fault.KindPartition}},
		},
		health: &health.Report{Time: begin.Add(250 * time.Millisecond), Nodes: []health.NodeReport{
			{Name: "n1", Sample: &health.Sample{
				Memory: map[string]int64{"total": 40 << 20, "atom": 1 << 20}, Container: known(60<<20, 96<<20),
				Processes: known(110, 262144), Atoms: known(20000, 1048576), RunQueue: 2,
			}},
			{Name: "n2"},
			{Name: "n3", Sample: &health.Sample{Container: known(50<<20, 0)}}, // what is not known or not limited is left out
			{Name: "n4", Sample: &health.Sample{Partial: true, RunQueue: 9}},
		}},
	}
}

func TestMetrics(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(shop())
	golden, err := os.Open("testdata/shop.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer golden.Close()
	if err := testutil.GatherAndCompare(registry, golden); err != nil {
		t.Error(err)
	}
	problems, err := testutil.GatherAndLint(registry)
	if err != nil || len(problems) > 0 {
		t.Errorf("%v, %v", problems, err)
	}
	all, err := registry.Gather()
	if err != nil || len(all) != len(families) {
		t.Errorf("%d of %d families: %v", len(all), len(families), err)
	}
}

// With mesh: none no pair should be connected.
func TestPairsWithoutAMesh(t *testing.T) {
	if is, should := pairs(shop().status, orchestrator.MeshNone); is != 1 || should != 0 {
		t.Errorf("%d of %d", is, should)
	}
	if is, should := pairs(shop().status, orchestrator.MeshBeamyard); is != 1 || should != 3 {
		t.Errorf("%d of %d", is, should)
	}
}

// Several readers of the same events count each once, and a gap in the numbers as missed.
func TestTally(t *testing.T) {
	state := func(seq uint64, second int, node string, s orchestrator.State) orchestrator.Event {
		return orchestrator.Event{Seq: seq, Time: begin.Add(time.Duration(second) * time.Second), Node: node, Kind: orchestrator.EventState, State: s}
	}
	events := []orchestrator.Event{
		state(3, 0, "n1", orchestrator.Starting),   // 1 and 2 are gone
		state(4, 1, "n1", orchestrator.BackingOff), // a boot that failed is not measured
		{Seq: 5, Kind: orchestrator.EventExit, Exit: &orchestrator.Exit{Class: orchestrator.ExitBoot}},
		state(6, 10, "n1", orchestrator.Starting),
		state(7, 11, "n2", orchestrator.Ready), // its start was not seen
		state(8, 13, "n1", orchestrator.Ready),
		state(9, 14, "n1", orchestrator.Degraded),
		state(10, 20, "n1", orchestrator.Ready), // it was no start
		{Seq: 14, Kind: orchestrator.EventSync, Took: 300 * time.Millisecond},
	}
	tally := newTally()
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for _, e := range events {
				_ = tally.add(e)
			}
		})
	}
	readers.Wait()
	got := tally.counts()
	want := counts{
		missed: 2 + 3, exits: map[orchestrator.ExitClass]uint64{orchestrator.ExitBoot: 1},
		ready: durations{1, 3, map[float64]uint64{0.25: 0, 0.5: 0, 1: 0, 2: 0, 4: 1, 8: 1, 16: 1, 32: 1, 64: 1, 128: 1}},
		syncs: durations{1, 0.3, map[float64]uint64{0.05: 0, 0.1: 0, 0.2: 0, 0.4: 1, 0.8: 1, 1.6: 1, 3.2: 1, 6.4: 1, 12.8: 1, 25.6: 1}},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(counts{}, durations{})); diff != "" {
		t.Error(diff)
	}
	if tally.after() != 14 {
		t.Errorf("the last event is %d", tally.after())
	}
}

// world is a cluster in memory.
type world struct {
	orchestrator.Controller
	log    *history.Events
	fails  atomic.Bool  // the status
	hangs  atomic.Bool  // the nodes
	takes  atomic.Int64 // a sample, in nanoseconds
	asked  atomic.Int64 // how often the nodes were
	unread atomic.Bool  // the events cannot be read
}

func newWorld() *world { return &world{log: history.NewEvents()} }

func (w *world) exit() {
	w.log.Add(orchestrator.Event{Kind: orchestrator.EventExit, Exit: &orchestrator.Exit{Class: orchestrator.ExitKilled}}, time.Now())
}

func (w *world) Status(context.Context) (orchestrator.Status, error) {
	if w.fails.Load() {
		return orchestrator.Status{}, orchestrator.ErrNoSupervisor
	}
	return orchestrator.Status{Cluster: "shop", Nodes: []orchestrator.NodeStatus{{Name: "n1", State: orchestrator.Ready}}}, nil
}

func (w *world) Events(ctx context.Context, after uint64, follow bool, fn func(orchestrator.Event) error) error {
	if w.unread.Load() {
		return orchestrator.ErrNoSupervisor
	}
	return w.log.Read(ctx, after, follow, fn)
}

func (w *world) Health(ctx context.Context) (orchestrator.HealthReport, error) {
	n := w.asked.Add(1)
	if w.hangs.Load() {
		<-ctx.Done()
		return orchestrator.HealthReport{}, ctx.Err()
	}
	time.Sleep(time.Duration(w.takes.Load()))
	return orchestrator.HealthReport{Report: health.Report{Time: time.Now(), Nodes: []health.NodeReport{{Name: "n1", Sample: &health.Sample{RunQueue: int(n)}}}}}, nil
}

// scrape returns the lines of some metrics, and how long the answer took.
func scrape(t *testing.T, h http.Handler, header string, names ...string) (code int, lines string, took time.Duration) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil)
	if header != "" {
		r.Header.Set("X-Prometheus-Scrape-Timeout-Seconds", header)
	}
	w, asked := httptest.NewRecorder(), time.Now()
	h.ServeHTTP(w, r)
	took = time.Since(asked)
	for line := range strings.Lines(w.Body.String()) {
		for _, name := range names {
			if strings.HasPrefix(line, name) {
				lines += line
			}
		}
	}
	return w.Code, lines, took
}

const (
	queue  = `beamyard_node_run_queue{cluster="shop",node="n1"} `
	failed = `beamyard_health_sample_failures_total{cluster="shop"} `
	killed = `beamyard_exits_total{class="killed",cluster="shop"} `
)

// serve runs a test on a handler, in a bubble, and ends the handler.
func serve(t *testing.T, test func(t *testing.T, w *world, h http.Handler)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		w := newWorld()
		test(t, w, Handler(ctx, w, Options{}))
		cancel() // the bubble fails if the handler leaves a goroutine
		synctest.Wait()
	})
}

// Nodes are sampled again when the last sample is 5 s old, and once for scrapes at the same time.
func TestAScrapeDoesNotLoadTheNodes(t *testing.T) {
	serve(t, func(t *testing.T, w *world, h http.Handler) {
		w.takes.Store(int64(time.Second))
		var together sync.WaitGroup
		for range 8 {
			together.Go(func() {
				if _, lines, _ := scrape(t, h, "", queue); lines != queue+"1\n" {
					t.Errorf("%q", lines)
				}
			})
		}
		together.Wait()
		time.Sleep(DefaultMaxAge - time.Millisecond)
		if _, lines, took := scrape(t, h, "", queue); lines != queue+"1\n" || took != 0 {
			t.Errorf("%q after %s", lines, took)
		}
		time.Sleep(time.Millisecond)
		if _, lines, took := scrape(t, h, "", queue); lines != queue+"2\n" || took != time.Second {
			t.Errorf("%q after %s", lines, took)
		}
		if n := w.asked.Load(); n != 2 {
			t.Errorf("the nodes were sampled %d times", n)
		}
	})
}

// Nodes that do not answer delay a scrape until its deadline, and take only their samples from it.
func TestAScrapeHasADeadline(t *testing.T) {
	for _, c := range []struct {
		header string
		within time.Duration
	}{{"", 5 * time.Second}, {"10", 5 * time.Second}, {"3", 2500 * time.Millisecond}, {"0.4", 200 * time.Millisecond}, {"-1", 5 * time.Second}, {"soon", 5 * time.Second}} {
		t.Run("of "+c.header, func(t *testing.T) {
			serve(t, func(t *testing.T, w *world, h http.Handler) {
				w.hangs.Store(true)
				code, lines, took := scrape(t, h, c.header, queue, failed, killed)
				if want := killed + "0\n" + failed + "1\n"; code != http.StatusOK || lines != want || took != c.within {
					t.Errorf("%d after %s: %q", code, took, lines)
				}
				w.hangs.Store(false)
				if _, lines, _ := scrape(t, h, c.header, queue, failed); lines != failed+"1\n"+queue+"2\n" {
					t.Errorf("%q", lines)
				}
			})
		})
	}
}

// Exits are counted although nobody scrapes while more events happen than are kept, and a scrape
// knows those that happened just before it.
func TestEventsAreFollowed(t *testing.T) {
	serve(t, func(t *testing.T, w *world, h http.Handler) {
		w.exit() // before the handler began to follow, or after
		for range 50 {
			for range 100 {
				w.exit()
			}
			synctest.Wait()
		}
		w.exit()
		if _, lines, _ := scrape(t, h, "", killed, "beamyard_events_missed_total"); lines != "beamyard_events_missed_total{cluster=\"shop\"} 0\n"+killed+"5002\n" {
			t.Errorf("%q", lines)
		}
	})
}

// Events that cannot be read, as without a supervisor, are read again when they can.
func TestEventsThatBreakOff(t *testing.T) {
	serve(t, func(t *testing.T, w *world, h http.Handler) {
		w.unread.Store(true)
		w.exit()
		if code, lines, _ := scrape(t, h, "", killed); code != http.StatusOK || lines != killed+"0\n" {
			t.Errorf("%d, %q", code, lines)
		}
		w.unread.Store(false)
		time.Sleep(followAgain)
		synctest.Wait()
		for range 3 {
			for range 1000 {
				w.exit()
			}
			synctest.Wait()
		}
		if _, lines, _ := scrape(t, h, "", killed); lines != killed+"3001\n" {
			t.Errorf("%q", lines)
		}
	})
}

func TestAStatusThatIsNotKnown(t *testing.T) {
	serve(t, func(t *testing.T, w *world, h http.Handler) {
		w.fails.Store(true)
		code, lines, _ := scrape(t, h, "", "")
		if code != http.StatusServiceUnavailable || !strings.Contains(lines, orchestrator.ErrNoSupervisor.Error()) {
			t.Errorf("%d %q", code, lines)
		}
		if n := w.asked.Load(); n != 0 {
			t.Error("the nodes were sampled")
		}
	})
}

// BenchmarkScrape is a scrape of 50 nodes whose samples are known.
func BenchmarkScrape(b *testing.B) {
	s := shop()
	s.status.Nodes, s.health.Nodes = nil, nil
	names := orchestrator.NodeNames(50)
	for _, n := range names {
		node := orchestrator.NodeStatus{Name: n.Name, State: orchestrator.Ready}
		for _, p := range names {
			node.Peers = append(node.Peers, p.Name)
		}
		s.status.Nodes = append(s.status.Nodes, node)
		s.health.Nodes = append(s.health.Nodes, health.NodeReport{Name: n.Name, Sample: shop().health.Nodes[0].Sample})
	}
	for b.Loop() {
		w := httptest.NewRecorder()
		write(w, httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/metrics", nil), s)
		b.ReportMetric(float64(w.Body.Len()), "bytes")
	}
}
