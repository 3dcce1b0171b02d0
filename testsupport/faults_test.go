package testsupport_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/beamyard/beamyard/network/erldist"
	netfault "github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/testsupport"
)

// sees reports whether a node sees another one now.
func sees(t *testing.T, c *testsupport.Cluster, observer, node string) bool {
	t.Helper()
	list, err := testsupport.RPC[[]string](t.Context(), c.Node(observer), "erlang", "nodes")
	if err != nil {
		t.Fatal(err)
	}
	return slices.Contains(list, c.Node(node).BEAM())
}

// TestFaults injects every fault into one cluster. Each fault returns once the nodes have
// seen it, so their answers are read only once. Each is undone when its test ends.
func TestFaults(t *testing.T) {
	t.Parallel()
	c := testsupport.Start(t, demo, testsupport.WithNodes(3), testsupport.WithOverlappingPartitions())
	whole := func(t *testing.T) {
		t.Helper()
		for _, observer := range c.Nodes() {
			for _, node := range c.Nodes() {
				if observer != node && !sees(t, c, observer.Short(), node.Short()) {
					t.Errorf("%s does not see %s", observer, node)
				}
			}
			if st := observer.Status(); st.State != orchestrator.Ready {
				t.Errorf("%s is %s", observer, st.State)
			}
		}
	}
	for _, fault := range []struct {
		name   string
		broken func(t *testing.T)
	}{
		{"crash", func(t *testing.T) {
			c.Crash(t, "n1")
			if sees(t, c, "n2", "n1") || sees(t, c, "n3", "n1") || c.Node("n1").IsRunning() {
				t.Error("n1 still runs, or is seen")
			}
			if e := c.Node("n1").Status().LastExit; e == nil || e.Class != orchestrator.ExitKilled {
				t.Errorf("the exit of n1: %v", e)
			}
		}},
		{"partition", func(t *testing.T) {
			c.Partition(t, []string{"n1"})
			if sees(t, c, "n1", "n2") || sees(t, c, "n3", "n1") || !sees(t, c, "n2", "n3") {
				t.Error("n1 is not cut off, or n2 and n3 are")
			}
		}},
		{"a partition with resets, healed by oneself", func(t *testing.T) {
			id := c.Inject(t, netfault.Fault{Kind: netfault.KindPartition, Groups: [][]string{{"n1", "n2"}}, How: netfault.Reset})
			other := c.Inject(t, netfault.Fault{Kind: netfault.KindPartition, Groups: [][]string{{"n1"}}, How: netfault.Reset})
			c.Heal(t, id)
			if sees(t, c, "n1", "n2") || !sees(t, c, "n2", "n3") {
				t.Errorf("%s is healed too, or %s is not", other, id)
			}
			t.Run("healed in a subtest, and made again", func(t *testing.T) {
				c.Heal(t)
				whole(t)
			})
			if sees(t, c, "n1", "n2") {
				t.Error("the subtest's heal lasts")
			}
		}},
		{"blip", func(t *testing.T) { c.Blip(t) }},
		{"loss", func(t *testing.T) {
			c.Slow(t, netfault.Quality{Loss: 10}, netfault.Pair{From: "n1", To: netfault.Everyone})
			whole(t)
		}},
		{"stop and start by oneself", func(t *testing.T) {
			c.Stop(t, "n2")
			if sees(t, c, "n1", "n2") {
				t.Error("n1 sees n2")
			}
			c.Start(t, "n2")
			whole(t)
		}},
		{"two, mended in a subtest and broken again", func(t *testing.T) {
			c.Crash(t, "n1")
			c.Stop(t, "n2")
			t.Run("mended", func(t *testing.T) { c.Start(t, "n2") })
			if c.Node("n2").IsRunning() {
				t.Error("n2 still runs after the subtest that started it")
			}
		}},
		{"restart", func(t *testing.T) {
			run := c.Node("n3").Status().Incarnation
			c.Restart(t, "n3")
			if c.Node("n3").Status().Incarnation != run+1 {
				t.Error("n3 was not restarted")
			}
			whole(t)
		}},
		{"pause", func(t *testing.T) {
			c.Pause(t, "n3")
			if sees(t, c, "n1", "n3") || !c.Node("n3").Status().Paused {
				t.Error("n3 is not paused")
			}
		}},
		{"disconnect", func(t *testing.T) {
			c.Disconnect(t, "n1", "n2")
			if sees(t, c, "n1", "n2") || sees(t, c, "n2", "n1") || !sees(t, c, "n3", "n1") || !sees(t, c, "n3", "n2") {
				t.Error("not only n1 and n2 are disconnected")
			}
			if met, err := testsupport.RPC[bool](t.Context(), c.Node("n1"), "net_kernel", "connect_node", erldist.Atom(c.Node("n2").BEAM())); err != nil || met {
				t.Errorf("they are connected: %v, %v", met, err)
			}
		}},
		{"disconnect, mended in a subtest from the other side and made again", func(t *testing.T) {
			c.Disconnect(t, "n1", "n2")
			t.Run("mended", func(t *testing.T) {
				c.Reconnect(t, "n2", "n1")
				if !sees(t, c, "n1", "n2") {
					t.Error("n1 does not see n2")
				}
			})
			if sees(t, c, "n1", "n2") {
				t.Error("n1 and n2 are still connected after the subtest that reconnected them")
			}
			t.Run("another", func(t *testing.T) { c.Disconnect(t, "n1") })
			if sees(t, c, "n1", "n2") || !sees(t, c, "n1", "n3") {
				t.Error("not exactly the subtest's disconnection was undone")
			}
		}},
		{"disconnect and reconnect by oneself", func(t *testing.T) {
			c.Disconnect(t, "n1", "n2")
			c.Reconnect(t, "n1", "n2")
			if err := c.WaitMesh(t.Context()); err != nil {
				t.Error(err)
			}
		}},
	} {
		t.Run(fault.name, fault.broken)
		if err := c.WaitMesh(t.Context()); err != nil {
			t.Fatalf("after %s: %v", fault.name, err)
		}
		whole(t)
	}
	var broken []string
	for _, f := range c.Faults() {
		broken = append(broken, f.What)
		if f.End.Before(f.Begin) {
			t.Errorf("%s has not ended: %+v", f.What, f)
		}
	}
	want := []string{
		"crash n1", "partition n1 | the rest, drop", "partition n1 n2 | the rest, reset", "partition n1 | the rest, reset",
		"partition n1 | the rest, reset", "blip", "link n1→*, loss 10%", "stop n2", "crash n1", "stop n2", "stop n2", "restart n3", "pause n3",
		"disconnect n1 n2", "disconnect n1 n2", "disconnect n1 n2", "disconnect n1 n3", "disconnect n1 n2",
	}
	if !slices.Equal(broken, want) {
		t.Errorf("broken were\n%s\nwant\n%s", strings.Join(broken, "\n"), strings.Join(want, "\n"))
	}
}

func TestWaits(t *testing.T) {
	t.Parallel()
	c := testsupport.Start(t, demo, testsupport.WithNodes(2))
	ctx := t.Context()
	down := make(chan error, 1)
	go func() { down <- c.WaitDown(ctx, "n1", "n2") }()
	if err := c.WaitUp(ctx, "n1", "n2"); err != nil {
		t.Error(err)
	}
	if err := c.Controller().Kill(ctx, "KILL", "n2"); err != nil {
		t.Fatal(err)
	}
	if err := <-down; err != nil {
		t.Error(err)
	}
	if err := c.WaitMesh(ctx); err != nil { // of the check that remains
		t.Error(err)
	}
	short, cancel := context.WithTimeout(ctx, 3*time.Second) // a busy machine's first answer takes a while
	defer cancel()
	if err := c.WaitUp(short, "n1", "n2"); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "n1 does not see n2") {
		t.Error(err)
	}
	if err := c.WaitDown(ctx, "n1", "n7"); !errors.Is(err, orchestrator.ErrNoNode) {
		t.Error(err)
	}
	if _, err := c.Output("n1").WaitLine(short, "never printed"); err == nil {
		t.Error("a line was found that was never printed")
	}
	if _, err := testsupport.RPC[int](ctx, c.Node("n1"), "erlang", "node"); err == nil || !strings.Contains(err.Error(), "does not fit into a int") {
		t.Error(err)
	}
	if _, err := testsupport.RPC[int](ctx, c.Node("n1"), "Demo.Nothing", "value"); err == nil || !strings.Contains(err.Error(), "Demo.Nothing") {
		t.Error(err)
	}
}

// TestSharedIsRestoredEachTime gives one cluster to tests that break it in turn.
func TestSharedIsRestoredEachTime(t *testing.T) {
	t.Parallel()
	var name string
	for _, loan := range []struct {
		name string
		use  func(t *testing.T, c *testsupport.Cluster)
	}{
		{"kills", func(t *testing.T, c *testsupport.Cluster) {
			name = c.Name()
			if err := c.Controller().Kill(t.Context(), "KILL", "n1"); err != nil {
				t.Error(err)
			}
		}},
		{"counts", func(t *testing.T, c *testsupport.Cluster) {
			if !sees(t, c, "n1", "n2") || c.Name() != name {
				t.Errorf("%s is damaged, or not %s", c.Name(), name)
			}
			if again := testsupport.Shared(t, "tests", demo); again != c {
				t.Error("a second call returned another cluster")
			}
			if _, err := testsupport.RPC[int](t.Context(), c.Node("n1"), "Demo.Counter", "add", 5); err != nil {
				t.Error(err)
			}
		}},
		{"finds the count", func(t *testing.T, c *testsupport.Cluster) {
			if n, err := testsupport.RPC[int](t.Context(), c.Node("n2"), "Demo.Counter", "value"); err != nil || n != 5 {
				t.Errorf("%d, %v", n, err)
			}
		}},
	} {
		t.Run(loan.name, func(t *testing.T) {
			loan.use(t, testsupport.Shared(t, "tests", demo, testsupport.WithNodes(2)))
		})
	}
	t.Run("fresh", func(t *testing.T) {
		c := testsupport.Shared(t, "tests", demo, testsupport.WithNodes(2), testsupport.WithFreshApplication())
		if n, err := testsupport.RPC[int](t.Context(), c.Node("n2"), "Demo.Counter", "value"); err != nil || n != 0 {
			t.Errorf("%d, %v", n, err)
		}
	})
}
