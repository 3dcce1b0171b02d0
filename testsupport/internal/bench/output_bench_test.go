//go:build bench

package bench_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/cluster"
	"github.com/beamyard/beamyard/orchestrator/discovery"
	"github.com/beamyard/beamyard/orchestrator/enginetest/contract"
	"github.com/beamyard/beamyard/orchestrator/keeper"
	"github.com/beamyard/beamyard/orchestrator/logs"
	"github.com/beamyard/beamyard/testsupport/internal/bench"
)

// The output's nodes are not VMs but one static binary that prints, so that nothing else takes
// part. They never become Ready, which the output does not wait for.

const (
	benchLines = 1_000_000
	benchSize  = 100 // including the newline
)

// ring times what a line costs once it is read: its place in the node's ring.
func (s *session) ring(t *testing.T) {
	text := strings.Repeat("x", benchSize-1)
	out, at := logs.NewNode("n1", 1000).Out, time.Now()
	got := race(t, rounds(11, 7), func(t *testing.T) map[string]float64 {
		return map[string]float64{"rate": benchLines / seconds(t, func() error {
			for range benchLines {
				out.Append(orchestrator.Stdout, 1, at, text, false)
			}
			return nil
		})}
	})
	s.add(t, bench.Row{Key: "ring", What: "lines appended to a node's output ring", Unit: bench.PerSecond, Ours: got["rate"]})
}

// logEngine is the engine with log files of another size. It records when the output was last
// requested.
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

// printed waits until the n-th line of every node is the last in its ring.
func printed(t *testing.T, c *cluster.Cluster, nodes, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	if err := until(ctx, func() error {
		for _, node := range orchestrator.NodeNames(nodes) {
			out, err := c.Output(node.Name)
			if err != nil {
				return err
			}
			tail := out.TailStream(orchestrator.Stdout, 1)
			if len(tail) != 1 || !strings.HasPrefix(tail[0].Text, fmt.Sprintf("line %d ", n)) {
				return fmt.Errorf("%s has not printed line %d", node.Name, n)
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// outputs measures the output of containers.
func (s *session) outputs(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		for _, key := range []string{"log-read", "log-memory", "log-write"} {
			s.add(t, bench.Row{Key: key, What: "output of containers", Unit: bench.Seconds, Why: "Go, which builds the program that prints, is not installed"})
		}
		return
	}
	_, image := contract.Image(t, s.eng)
	defer s.removeImage(t, image)
	s.reading(t, image)
	s.memory(t, image)
	s.writing(t, image)
}

// reading makes one supervisor after another adopt a container that has printed everything, and
// reads the same log in the same mode directly in between. All lines must still be kept for
// that, so the container's log file may grow to 1 GB. With a live container, both would only
// wait for its output.
func (s *session) reading(t *testing.T, image string) {
	big := &logEngine{Engine: s.eng, maxSize: "1g"}
	spec := printers(image, 1, benchLines, benchSize)
	spec.Owner = keeper.Self(true)
	defer func() {
		if _, err := discovery.Remove(context.Background(), s.eng, spec.Name, time.Second); err != nil {
			t.Error(err)
		}
	}()
	c, leave := supervise(t, spec, big, false)
	printed(t, c, 1, benchLines)
	leave()
	found, err := discovery.Find(t.Context(), s.eng, spec.Name)
	if err != nil {
		t.Fatal(err)
	}
	discard := func(follow bool, most int64) (n int64) {
		body, err := s.cli.ContainerLogs(t.Context(), found.Nodes[0].ContainerID, client.ContainerLogsOptions{ShowStdout: true, ShowStderr: true, Timestamps: true, Follow: follow})
		if err != nil {
			t.Fatal(err)
		}
		defer body.Close()
		if n, err = io.Copy(io.Discard, io.LimitReader(body, most)); err != nil {
			t.Fatal(err)
		}
		return n
	}
	size := discard(false, 1<<40) // and the files are in memory
	got := race(t, rounds(5, 0),
		func(t *testing.T) map[string]float64 {
			return map[string]float64{"raw": seconds(t, func() error { discard(true, size); return nil })}
		},
		func(t *testing.T) map[string]float64 {
			c, leave := supervise(t, found.Spec, big, true)
			printed(t, c, 1, benchLines)
			took := time.Since(*big.asked.Load())
			leave()
			return map[string]float64{"ours": took.Seconds()}
		})
	s.add(t, bench.Row{
		Key: "log-read", What: "1,000,000 lines of 100 bytes read into the ring", Nodes: 1, Unit: bench.Seconds, Ours: got["ours"],
		By: "discard", Beside: "the same stream, read and discarded", Theirs: got["raw"],
	})
}

// memory fills the default rings of ten nodes with lines of the usual length.
func (s *session) memory(t *testing.T, image string) {
	const nodes, lines = 10, 20_000
	inUse := func() float64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return float64(m.HeapInuse)
	}
	got := race(t, rounds(3, 0), func(t *testing.T) map[string]float64 {
		before := inUse()
		c, leave := supervise(t, printers(image, nodes, lines, benchSize), s.eng, false)
		printed(t, c, nodes, lines)
		over := inUse() - before
		leave()
		return map[string]float64{"heap": over}
	})
	s.add(t, bench.Row{Key: "log-memory", What: "memory of rings full of such lines", Nodes: nodes, Unit: bench.Bytes, Ours: got["heap"]})
}

// writing asks the container how long it wrote: without a reader, with a bare follower that
// discards everything, and with ours, under the same log settings. The cost of the bare follower
// is the daemon's decoding.
func (s *session) writing(t *testing.T, image string) {
	var in container.InspectResponse
	ours := func(t *testing.T) map[string]float64 {
		c, leave := supervise(t, printers(image, 1, benchLines, benchSize), s.eng, false)
		defer leave()
		id := ""
		if err := c.Await(t.Context(), func(st orchestrator.Status) bool {
			id = st.Nodes[0].ContainerID
			return st.Nodes[0].State == orchestrator.Starting && id != ""
		}); err != nil {
			t.Fatal(err)
		}
		inspected, err := s.cli.ContainerInspect(t.Context(), id, client.ContainerInspectOptions{})
		if err != nil {
			t.Fatal(err)
		}
		in = inspected.Container
		in.Config.Labels = nil
		return map[string]float64{"ours": s.wrote(t, id)}
	}
	ours(t) // for its settings
	alone := func(name string, follow bool) contender {
		return func(t *testing.T) map[string]float64 {
			return map[string]float64{name: s.alone(t, in, follow)}
		}
	}
	got := race(t, rounds(3, 0), ours, alone("unread", false), alone("followed", true))
	const what = "a container writes 1,000,000 such lines while it is followed"
	s.add(t, bench.Row{
		Key: "log-write", What: what, Nodes: 1, Unit: bench.Seconds, Ours: got["ours"],
		By: "unread", Beside: "without a reader", Theirs: got["unread"],
	})
	s.add(t, bench.Row{
		Key: "log-write", What: what, Nodes: 1, Unit: bench.Seconds, Ours: got["ours"],
		By: "followed", Beside: "while a bare client follows, for which the engine decodes", Theirs: got["followed"],
	})
}

// alone runs the container without us.
func (s *session) alone(t *testing.T, in container.InspectResponse, follow bool) float64 {
	t.Helper()
	made, err := s.cli.ContainerCreate(t.Context(), client.ContainerCreateOptions{
		Name: "beamyard-bench-alone", Config: in.Config, HostConfig: &container.HostConfig{LogConfig: in.HostConfig.LogConfig, Init: in.HostConfig.Init},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if _, err := s.cli.ContainerRemove(context.Background(), made.ID, client.ContainerRemoveOptions{Force: true}); err != nil {
			t.Error(err)
		}
	}()
	if _, err := s.cli.ContainerStart(t.Context(), made.ID, client.ContainerStartOptions{}); err != nil {
		t.Fatal(err)
	}
	if follow {
		body, err := s.cli.ContainerLogs(t.Context(), made.ID, client.ContainerLogsOptions{ShowStdout: true, ShowStderr: true, Timestamps: true, Follow: true})
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
	return s.wrote(t, made.ID)
}

// wrote returns how long the container reports that it wrote, in seconds.
func (s *session) wrote(t *testing.T, id string) float64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		body, err := s.cli.ContainerLogs(ctx, id, client.ContainerLogsOptions{ShowStderr: true})
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(body)
		body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if _, said, ok := strings.Cut(string(text), "wrote for "); ok {
			var took time.Duration
			if _, err := fmt.Sscanf(said, "%d ns", &took); err != nil {
				t.Fatal(err)
			}
			return took.Seconds()
		}
		select {
		case <-ctx.Done():
			t.Fatalf("the container does not say how long it wrote: %q", text)
		case <-tick.C:
		}
	}
}
