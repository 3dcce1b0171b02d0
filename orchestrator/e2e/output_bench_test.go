//go:build bench

package e2e_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/cluster"
	"github.com/beamyard/beamyard/orchestrator/discovery"
	"github.com/beamyard/beamyard/orchestrator/keeper"
)

// The benchmark of the output path. Its nodes are not VMs but one static binary that
// prints, so that nothing else takes part. They never become Ready, which the output does
// not wait for.

// logEngine is the engine with log files of another size. It records when the output was
// last requested.
type logEngine struct {
	orchestrator.Engine
	maxSize string
	asked   atomic.Pointer[time.Time]
}

func (e *logEngine) CreateContainer(ctx context.Context, c orchestrator.ContainerSpec) (string, error) {
	if e.maxSize != "" {
		c.LogMaxSize = e.maxSize
	}
	return e.Engine.CreateContainer(ctx, c)
}

func (e *logEngine) Logs(ctx context.Context, id string, since time.Time, follow bool) (orchestrator.LogReader, error) {
	now := time.Now()
	e.asked.Store(&now)
	return e.Engine.Logs(ctx, id, since, follow)
}

// printers declares nodes that each print that many lines of that many bytes.
func printers(image string, nodes, lines, size int) orchestrator.Spec {
	return orchestrator.Spec{
		Name: fmt.Sprintf("benchout%08x", rand.Uint32()), Image: image, App: "-", HTTPPort: -1,
		Nodes:        orchestrator.NodeNames(nodes),
		Command:      []string{"/process", "lines", strconv.Itoa(lines), strconv.Itoa(size)},
		ReadyTimeout: time.Hour, StopTimeout: time.Second,
		Restart: orchestrator.RestartPolicy{Mode: orchestrator.RestartNo},
	}
}

// supervise runs a supervisor. leave ends it.
func supervise(t *testing.T, spec orchestrator.Spec, eng orchestrator.Engine, adopt bool) (c *cluster.Cluster, leave func()) {
	t.Helper()
	c, err := cluster.New(spec, eng, cluster.Options{Adopt: adopt})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	leave = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	t.Cleanup(leave)
	return c, leave
}

// until polls every 2 ms, so that the polling does not affect the measurement.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(4 * time.Minute)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not in time: %s", what)
		}
	}
}

// has reports whether the node's n-th line is the last in its ring.
func has(t *testing.T, c *cluster.Cluster, node string, n int) bool {
	t.Helper()
	out, err := c.Output(node)
	if err != nil {
		t.Fatal(err)
	}
	tail := out.TailStream(orchestrator.Stdout, 1)
	return len(tail) == 1 && strings.HasPrefix(tail[0].Text, fmt.Sprintf("line %d ", n))
}

// wrote returns how long the container reports that it wrote.
func wrote(t *testing.T, id string) time.Duration {
	t.Helper()
	var took int64
	eventually(t, "the container has written", func() bool {
		body, err := bareClient(t).ContainerLogs(t.Context(), id, container.LogsOptions{ShowStderr: true})
		if err != nil {
			t.Fatal(err)
		}
		defer body.Close()
		text, err := io.ReadAll(body)
		if err != nil {
			t.Fatal(err)
		}
		if _, said, ok := strings.Cut(string(text), "wrote for "); ok {
			if _, err := fmt.Sscanf(said, "%d ns", &took); err != nil {
				t.Fatal(err)
			}
		}
		return took > 0
	})
	return time.Duration(took)
}

const (
	benchLines = 1_000_000
	benchSize  = 100 // including the newline
)

// TestBenchOutput prints rows for the table of BENCH.md.
func TestBenchOutput(t *testing.T) {
	eng := engine(t)
	_, image := processImage(t, eng)
	var rows []string
	row := func(format string, args ...any) {
		rows = append(rows, fmt.Sprintf(format, args...))
		t.Log(rows[len(rows)-1])
	}
	row("| what | nodes | floor | beamyard | ratio (median of pairs) | target |")
	row("|---|---|---|---|---|---|")
	t.Run("reading", func(t *testing.T) { benchReading(t, eng, image, row) })
	t.Run("memory", func(t *testing.T) { benchMemory(t, eng, image, row) })
	t.Run("writing", func(t *testing.T) { benchWriting(t, eng, image, row) })
	fmt.Println(strings.Join(rows, "\n"))
}

// benchReading makes one supervisor after another adopt a container that has printed
// everything, and reads the same log in the same mode directly in between. All lines must
// still be kept for that, so the container's log file may grow to 1 GB. With a live
// container, both would only wait for its output.
func benchReading(t *testing.T, eng orchestrator.Engine, image string, row func(string, ...any)) {
	big := &logEngine{Engine: eng, maxSize: "1g"}
	spec := printers(image, 1, benchLines, benchSize)
	spec.Owner = keeper.Self(true)
	t.Cleanup(func() {
		if _, err := discovery.Remove(context.Background(), eng, spec.Name, time.Second); err != nil {
			t.Error(err)
		}
	})
	c, leave := supervise(t, spec, big, false)
	until(t, "all is printed", func() bool { return has(t, c, "n1", benchLines) })
	leave()
	f, err := discovery.Find(t.Context(), eng, spec.Name)
	if err != nil {
		t.Fatal(err)
	}
	cli, id := bareClient(t), f.Nodes[0].ContainerID
	raw := func(follow bool, n int64) (int64, time.Duration) {
		began := time.Now()
		body, err := cli.ContainerLogs(t.Context(), id, container.LogsOptions{ShowStdout: true, ShowStderr: true, Timestamps: true, Follow: follow})
		if err != nil {
			t.Fatal(err)
		}
		defer body.Close()
		n, err = io.Copy(io.Discard, io.LimitReader(body, n))
		if err != nil {
			t.Fatal(err)
		}
		return n, time.Since(began)
	}
	size, _ := raw(false, 1<<40) // and the files are in memory
	var raws, ours, wholes []time.Duration
	var ratios, wholeRatios []float64
	for pair := range 5 {
		var rawTime, ourTime, wholeTime time.Duration
		for turn := range 2 {
			if (pair+turn)%2 == 0 {
				_, rawTime = raw(true, size)
				continue
			}
			began := time.Now()
			c, leave := supervise(t, f.Spec, big, true)
			until(t, "all is read", func() bool { return has(t, c, "n1", benchLines) })
			ourTime, wholeTime = time.Since(*big.asked.Load()), time.Since(began)
			leave()
		}
		t.Logf("raw %s, ours %s, with the adoption %s", rawTime, ourTime, wholeTime)
		raws, ours, wholes = append(raws, rawTime), append(ours, ourTime), append(wholes, wholeTime)
		ratios = append(ratios, ourTime.Seconds()/rawTime.Seconds())
		wholeRatios = append(wholeRatios, wholeTime.Seconds()/rawTime.Seconds())
	}
	row("| a log of 1,000,000 lines of 100 bytes read into the ring (floor: the same stream to nowhere) | 1 | %.2f s | %.2f s | %.2f | ≤ 1.1 |",
		median(raws).Seconds(), median(ours).Seconds(), median(ratios))
	row("| the same with the adoption of its cluster | 1 | %.2f s | %.2f s | %.2f | |",
		median(raws).Seconds(), median(wholes).Seconds(), median(wholeRatios))
}

// benchMemory fills the default rings of ten nodes: with lines of that length, and with
// the longest lines that the rings keep.
func benchMemory(t *testing.T, eng orchestrator.Engine, image string, row func(string, ...any)) {
	const nodes = 10
	for _, of := range []struct {
		what        string
		lines, size int
		target      string
	}{
		{"lines of 100 bytes", 20_000, benchSize, "< 64 MB"},
		// Less than a file of 10 MB: a daemon before 23.0 may end its following there,
		// without an error (moby/moby#37646).
		{"lines of 8 KiB, the most that they hold of one stream", 1100, 8 << 10, ""},
	} {
		inUse := func() (heap, rss int64) {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return int64(m.HeapInuse), resident(t, "self")
		}
		heapBefore, rssBefore := inUse()
		c, leave := supervise(t, printers(image, nodes, of.lines, of.size), eng, false)
		until(t, "the rings are full", func() bool {
			full := true
			for _, n := range orchestrator.NodeNames(nodes) {
				full = full && has(t, c, n.Name, of.lines)
			}
			return full
		})
		heapAfter, rssAfter := inUse()
		row("| rings full of %s, heap in use / resident, over before | %d | | %.1f / %.1f MB | | %s |",
			of.what, nodes, float64(heapAfter-heapBefore)/1e6, float64(rssAfter-rssBefore)/1e6, of.target)
		leave()
	}
}

// benchWriting asks the container how long it wrote: without a reader, with a bare
// follower that discards everything, and with ours, under the same log settings. The cost
// of the bare follower is the daemon's decoding.
func benchWriting(t *testing.T, eng orchestrator.Engine, image string, row func(string, ...any)) {
	cli := bareClient(t)
	alone := func(in container.InspectResponse, follow bool) time.Duration {
		made, err := cli.ContainerCreate(t.Context(), in.Config, &container.HostConfig{LogConfig: in.HostConfig.LogConfig, Init: in.HostConfig.Init}, nil, nil, "beamyard-bench-alone")
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := cli.ContainerRemove(context.Background(), made.ID, container.RemoveOptions{Force: true}); err != nil {
				t.Error(err)
			}
		}()
		if err := cli.ContainerStart(t.Context(), made.ID, container.StartOptions{}); err != nil {
			t.Fatal(err)
		}
		if follow {
			body, err := cli.ContainerLogs(t.Context(), made.ID, container.LogsOptions{ShowStdout: true, ShowStderr: true, Timestamps: true, Follow: true})
			if err != nil {
				t.Fatal(err)
			}
			read := make(chan struct{})
			go func() {
				defer close(read)
				_, _ = io.Copy(io.Discard, body) // ends with the body
			}()
			defer func() { body.Close(); <-read }()
		}
		return wrote(t, made.ID)
	}
	var alones, bares, read []time.Duration
	var ratios, bareRatios []float64
	for range 3 {
		c, leave := supervise(t, printers(image, 1, benchLines, benchSize), eng, false)
		var id string
		until(t, "the node runs", func() bool {
			st, _ := c.Status(t.Context())
			id = st.Nodes[0].ContainerID
			return st.Nodes[0].State == orchestrator.Starting && id != ""
		})
		in := template(t, cli, id)
		in.Config.Labels = nil
		ours := wrote(t, id)
		leave()
		floor, bare := alone(in, false), alone(in, true)
		t.Logf("alone %s, followed by a bare client %s, by us %s", floor, bare, ours)
		alones, bares, read = append(alones, floor), append(bares, bare), append(read, ours)
		ratios = append(ratios, ours.Seconds()/floor.Seconds())
		bareRatios = append(bareRatios, ours.Seconds()/bare.Seconds())
	}
	row("| a container writes 1,000,000 lines of 100 bytes (floor: without a reader) | 1 | %.2f s | %.2f s | %.2f | |",
		median(alones).Seconds(), median(read).Seconds(), median(ratios))
	row("| the same (floor: a bare client follows to nowhere) | 1 | %.2f s | %.2f s | %.2f | |",
		median(bares).Seconds(), median(read).Seconds(), median(bareRatios))
}
