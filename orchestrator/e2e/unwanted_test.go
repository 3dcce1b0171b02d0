package e2e_test

import (
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/beamyard/beamyard/orchestrator"
)

// Promise 3 on real nodes: no unwanted restart, whatever happens at the same time.
func TestNoUnwantedRestart(t *testing.T) {
	t.Parallel()
	r := up(t, engine(t), "trixie", 3, func(s *orchestrator.Spec) { s.Restart.Backoff, s.Restart.MaxBackoff = time.Hour, time.Hour })
	cli, ctx := bareClient(t), t.Context()
	must := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}

	// Two restarts at once cause one or two runs, and no crash.
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			if err := r.Restart(ctx, "n1"); err != nil {
				t.Errorf("restart: %v", err)
			}
		})
	}
	both.Wait()
	r.ready()
	if n := r.node("n1"); n.RestartCount != 0 || n.Incarnation < 2 || n.Incarnation > 3 {
		t.Errorf("two restarts at once: %+v", n)
	}

	// A paused node is stopped: the engine unpauses it.
	must("pause", r.Pause(ctx, "n1"))
	must("pause again", r.Pause(ctx, "n1"))
	if n := r.node("n1"); n.State != orchestrator.Degraded || n.Reason != "paused" {
		t.Errorf("a paused node: %+v", n)
	}
	must("unpause", r.Unpause(ctx, "n1"))
	must("unpause again", r.Unpause(ctx, "n1"))
	r.ready()
	must("pause", r.Pause(ctx, "n1"))
	must("stop", r.Stop(ctx, "n1"))
	if n := r.node("n1"); n.State != orchestrator.Stopped {
		t.Errorf("a paused node that was stopped: %+v", n)
	}

	// A node that is stopped while it starts stays down.
	must("start", r.Start(ctx, "n1"))
	must("stop", r.Stop(ctx, "n1"))
	if n := r.node("n1"); n.State != orchestrator.Stopped || n.RestartCount != 0 {
		t.Errorf("stopped while it started: %+v", n)
	}

	// A node that is stopped in its backoff stops at once, and stays down.
	must("kill", r.Kill(ctx, "KILL", "n2"))
	r.until("n2", "waits", func(n orchestrator.NodeStatus) bool {
		return n.State == orchestrator.BackingOff && !n.NextRestartAt.IsZero()
	})
	must("stop", r.Stop(ctx, "n2"))
	if n := r.node("n2"); n.State != orchestrator.Stopped || n.Incarnation != 1 || n.LastExit.Class != orchestrator.ExitKilled {
		t.Errorf("stopped during its backoff: %+v", n)
	}

	// A node that is started from outside while it waits: that run is followed, and there
	// is no second start.
	must("kill", r.Kill(ctx, "KILL", "n3"))
	r.until("n3", "waits", func(n orchestrator.NodeStatus) bool {
		return n.State == orchestrator.BackingOff && !n.NextRestartAt.IsZero()
	})
	must("docker start", cli.ContainerStart(ctx, r.node("n3").ContainerID, container.StartOptions{}))
	must("start", r.Start(ctx, "n1", "n2"))
	r.ready()
	if n := r.node("n3"); n.Incarnation != 2 || !n.NextRestartAt.IsZero() {
		t.Errorf("started from outside: %+v", n)
	}

	// Ctrl-C while a node waits for its restart: the end does not wait for it.
	must("kill", r.Kill(ctx, "KILL", "n3"))
	r.until("n3", "waits", func(n orchestrator.NodeStatus) bool {
		return n.State == orchestrator.BackingOff && !n.NextRestartAt.IsZero()
	})
	r.cancel()
	if err := r.end(); err != nil {
		t.Error(err)
	}
	if n := r.node("n3"); n.Incarnation != 2 {
		t.Errorf("started after the end: %+v", n)
	}
}
