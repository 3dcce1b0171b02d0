package e2e_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/docker"
	"github.com/beamyard/beamyard/orchestrator/enginetest/gate"
)

// Promises 1 and 2 while the connection to the engine is broken: no exit is missed, and
// no line is lost or repeated.

// gated connects to the engine through a gate.
func gated(t testing.TB) (*docker.Engine, *gate.Gate) {
	t.Helper()
	g, err := gate.New(bareClient(t).DaemonHost(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	if host, elsewhere := g.Env()["BEAMYARD_HOST"]; elsewhere {
		// It is the same for all tests, which run in parallel.
		if err := os.Setenv("BEAMYARD_HOST", host); err != nil { //nolint:usetesting // t.Setenv refuses parallel tests
			t.Fatal(err)
		}
	}
	eng, err := docker.New(docker.Options{Host: g.Endpoint()}) // a client of its own
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { eng.Close() })
	return eng, g
}

// reopened opens a closed gate.
func reopened(t testing.TB, g *gate.Gate) {
	t.Helper()
	if err := g.Open(); err != nil {
		t.Fatal(err)
	}
}

// restartedOnce waits until a node is ready again, and checks that it was restarted once.
func restartedOnce(t *testing.T, r *running, before orchestrator.NodeStatus) {
	t.Helper()
	r.until(before.Name, "is restarted", func(n orchestrator.NodeStatus) bool {
		return n.RestartCount > before.RestartCount && n.State == orchestrator.Ready
	})
	r.ready()
	if n := r.node(before.Name); n.RestartCount != before.RestartCount+1 || n.Incarnation != before.Incarnation+1 || n.LastExit == nil || n.LastExit.Class != orchestrator.ExitKilled {
		t.Errorf("%+v, exit %v", n, n.LastExit)
	}
}

// Whatever was missed while the engine could not be reached is found afterwards.
func TestTheWayToTheEngineIsCut(t *testing.T) {
	t.Parallel()
	eng, g := gated(t)
	r := up(t, eng, newest, 2, func(s *orchestrator.Spec) {
		s.OutputLines, s.Restart.Backoff, s.Restart.Max = 100_000, 100*time.Millisecond, 10
	})
	cut := func(test func(*testing.T, *running, *gate.Gate)) func(*testing.T, *running) {
		return func(t *testing.T, r *running) { test(t, r, g) }
	}
	scenarios(t, r, newest, []scenario{
		{name: "a death", do: cut(exitWhileTheEngineIsAway)},
		{name: "a death in a gap of many events", do: cut(exitInAGapOfManyEvents)},
		{name: "lines", do: cut(linesOverBreaks)},
	})
}

func exitWhileTheEngineIsAway(t *testing.T, r *running, g *gate.Gate) {
	before := r.node("n2")
	g.Shut()
	if err := bareClient(t).ContainerKill(t.Context(), before.ContainerID, "KILL"); err != nil {
		t.Fatal(err)
	}
	r.until("n1", "lost n2", func(n orchestrator.NodeStatus) bool { return !slices.Contains(n.Peers, "n2") })
	reopened(t, g)
	restartedOnce(t, r, before)
}

// The engine replays 256 events. An exit before those is found by listing the containers.
func exitInAGapOfManyEvents(t *testing.T, r *running, g *gate.Gate) {
	const gap = 300
	before := r.node("n2")
	cli := bareClient(t)
	st, err := r.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	noisy, err := cli.ContainerCreate(t.Context(), &container.Config{Image: st.Image}, nil, nil, nil, r.name+"-noisy")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cli.ContainerRemove(context.Background(), noisy.ID, container.RemoveOptions{}); err != nil {
			t.Error(err)
		}
	})
	g.Shut()
	if err := cli.ContainerKill(t.Context(), r.node("n2").ContainerID, "KILL"); err != nil {
		t.Fatal(err)
	}
	for i := range gap {
		if err := cli.ContainerRename(t.Context(), noisy.ID, fmt.Sprintf("%s-noisy%d", r.name, i)); err != nil {
			t.Fatal(err)
		}
	}
	reopened(t, g)
	restartedOnce(t, r, before)
}

// Nodes print numbered lines while the connection to the engine breaks again and again,
// and a node is killed meanwhile. No line that is read is missing or repeated.
func linesOverBreaks(t *testing.T, r *running, g *gate.Gate) {
	printing := func(node string) {
		r.rpc(node, `spawn(fn -> Enum.each(Stream.iterate(1, & &1 + 1), fn k ->
			IO.puts(:user, "out #{k}"); IO.puts(:standard_error, "err #{k}"); Process.sleep(2) end) end)`)
	}
	printing("n1")
	printing("n2")
	lines := func(node string) int {
		out, err := r.Output(node)
		if err != nil {
			t.Fatal(err)
		}
		return len(out.Tail(0))
	}
	for range 3 {
		before := lines("n1")
		eventually(t, "n1 prints", func() bool { return lines("n1") > before+200 })
		g.Shut()
		if err := bareClient(t).ContainerKill(t.Context(), r.node("n2").ContainerID, "KILL"); err != nil {
			t.Fatal(err)
		}
		reopened(t, g)
		count := r.node("n2").RestartCount
		r.until("n2", "is back", func(n orchestrator.NodeStatus) bool { return n.RestartCount > count && n.State == orchestrator.Ready })
		r.ready()
		printing("n2")
	}
	if err := r.Stop(t.Context(), "n1", "n2"); err != nil {
		t.Fatal(err)
	}
	for _, node := range []string{"n1", "n2"} {
		log := kept(t, r.node(node).ContainerID)
		out, err := r.Output(node)
		if err != nil {
			t.Fatal(err)
		}
		for _, stream := range []orchestrator.Stream{orchestrator.Stdout, orchestrator.Stderr} {
			kept := strings.Split(strings.TrimSuffix(log[stream], "\n"), "\n")
			eventually(t, fmt.Sprintf("all %d lines of %s's %s are read", len(kept), node, stream), func() bool { return len(out.TailStream(stream, 0)) >= len(kept) })
			var got []string
			for i, l := range out.TailStream(stream, 0) {
				if l.Seq != uint64(i+1) {
					t.Fatalf("%s %s: line %d has number %d", node, stream, i+1, l.Seq)
				}
				got = append(got, l.Text)
			}
			if !slices.Equal(got, kept) {
				t.Errorf("%s %s: %d lines are not the %d that the engine kept", node, stream, len(got), len(kept))
			}
		}
	}
}
