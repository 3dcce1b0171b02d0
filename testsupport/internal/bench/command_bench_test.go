//go:build bench

package bench_test

import (
	"context"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/moby/moby/client"

	"github.com/beamyard/beamyard/orchestrator/discovery"
	"github.com/beamyard/beamyard/testsupport/internal/bench"
)

// commands times commands from the shell, and measures the supervisor of a detached cluster of
// ten at rest, which checks each node every 5 s.
func (s *session) commands(t *testing.T) {
	const name = "benchrest"
	nodes := 10
	if *quick {
		nodes = 3
	}
	beamyard, err := filepath.Abs(*program)
	if err != nil {
		t.Fatal(err)
	}
	run := func(ctx context.Context, args ...string) {
		t.Helper()
		if out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
	}
	run(t.Context(), beamyard, "up", demo, "-d", "-n", strconv.Itoa(nodes), "--name", name, "--wait-timeout", "5m")
	defer run(context.WithoutCancel(t.Context()), beamyard, "down", name)

	timed := func(key string, args ...string) contender {
		return func(t *testing.T) map[string]float64 {
			t.Helper()
			began := time.Now()
			run(t.Context(), args...)
			return map[string]float64{key: time.Since(began).Seconds()}
		}
	}
	contenders := []contender{
		timed("ps", beamyard, "ps", name),
		timed("rpc", beamyard, "rpc", name+"/n1", "node()"),
	}
	docker, err := exec.LookPath("docker")
	if err == nil {
		contenders = append(contenders, timed("docker", docker, "ps"))
	}
	got := race(t, rounds(21, 9), contenders...)
	ps := bench.Row{Key: "ps", What: "`beamyard ps` from the shell", Nodes: nodes, Unit: bench.Seconds, Ours: got["ps"]}
	if docker != "" {
		ps.By, ps.Beside, ps.Theirs = "docker", "`docker ps`", got["docker"]
	}
	s.add(t, ps)
	s.add(t, bench.Row{Key: "rpc-command", What: "`beamyard rpc n1 'node()'` from the shell", Nodes: nodes, Unit: bench.Seconds, Ours: got["rpc"]})

	if *quick {
		return
	}
	found, err := discovery.Find(t.Context(), s.eng, name)
	if err != nil {
		t.Fatal(err)
	}
	pid := strconv.Itoa(found.Spec.Owner.PID)
	const look = 10 * time.Second // two checks of each node
	got = race(t, rounds(3, 0), func(t *testing.T) map[string]float64 {
		before, began := ticks(t, pid), time.Now()
		<-time.After(look)
		return map[string]float64{"cpu": (ticks(t, pid) - before) / time.Since(began).Seconds(), "memory": resident(t, pid)}
	})
	s.add(t, bench.Row{Key: "rest-memory", What: "memory of the supervisor at rest", Nodes: nodes, Unit: bench.Bytes, Ours: got["memory"]})
	s.add(t, bench.Row{Key: "rest-processor", What: "processor time of the supervisor at rest, of one core", Nodes: nodes, Unit: bench.Share, Ours: got["cpu"]})
}

// removeImage removes an image that was made for the benchmark alone.
func (s *session) removeImage(t *testing.T, ref string) {
	t.Helper()
	if _, err := s.cli.ImageRemove(context.WithoutCancel(t.Context()), ref, client.ImageRemoveOptions{Force: true, PruneChildren: true}); err != nil {
		t.Errorf("remove image %s: %v", ref, err)
	}
}
