package designs_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/beamyard/beamyard/network/erldist"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/enginetest/turn"
	"github.com/beamyard/beamyard/testsupport"
	"github.com/beamyard/beamyard/testsupport/history"
)

func TestMain(m *testing.M) {
	turn.Share()
	os.Exit(testsupport.Main(m))
}

// TestDesigns gives one cluster to all scenarios. In each, the designs for one purpose have
// the same clients, and go through the same partition.
func TestDesigns(t *testing.T) {
	t.Parallel()
	for _, otp := range []struct{ name, base string }{{"otp25", "bookworm"}, {"otp27", "trixie"}} {
		t.Run(otp.name, func(t *testing.T) {
			t.Parallel()
			c := testsupport.Start(t, "testdata/designs", testsupport.WithNodes(3), testsupport.WithNetTick(4*time.Second),
				testsupport.WithSpec(func(s *orchestrator.Spec) { s.BaseImage = otp.base }))
			t.Run("one holder of a name", func(t *testing.T) { oneHolder(t, c) })
			t.Run("no addition is lost", func(t *testing.T) { noneLost(t, c) })
			t.Run("reads are current", func(t *testing.T) { current(t, c) })
		})
	}
}

// Both sides of a partition claim one name.
func oneHolder(t *testing.T, c *testsupport.Cluster) {
	c.Partition(t, []string{"n1"})
	for _, design := range []string{"Designs.NaiveRegistry", "Designs.GlobalRegistry"} {
		claimed := map[any]bool{}
		for _, node := range c.Nodes() {
			pid, err := ask(t.Context(), node, design, "claim", "leader")
			if err != nil {
				t.Fatal(err)
			}
			claimed[pid] = true
		}
		if len(claimed) != 2 {
			t.Errorf("%s has not one holder on each side: %v", design, claimed)
		}
	}
	c.Heal(t)
	holders := func(design string) history.Views[map[string][]erldist.Pid] {
		return testsupport.Each[map[string][]erldist.Pid](c, design, "holders")
	}
	caught(t, func(tb testing.TB) { history.Unique(tb, 2*time.Second, holders("Designs.NaiveRegistry"), c) },
		"1 of 1 names have more than one holder", "leader: ", "(seen by n1)", "(seen by n2)", "fault: partition n1 | the rest")
	history.Unique(t, 10*time.Second, holders("Designs.GlobalRegistry"), c)
}

// Clients add on both sides of a partition, while nothing has noticed it and after.
func noneLost(t *testing.T, c *testsupport.Cluster) {
	designs := []string{"Designs.LastWriteWins", "Designs.MergedCounter", "Designs.QuorumCounter"}
	histories := map[string]*history.History{}
	for _, design := range designs {
		histories[design] = history.New(c)
	}
	broken(t, c, 10, func(node *testsupport.Node) {
		for design, h := range histories {
			do(t.Context(), h, node, history.Add{Value: 1}, design, "add", 1)
		}
	})
	for _, design := range designs {
		history.Converges(t, 10*time.Second, testsupport.Each[int](c, design, "value"), c)
		final, err := testsupport.RPC[int](t.Context(), c.Node("n3"), design, "value")
		if err != nil {
			t.Fatal(err)
		}
		check := func(tb testing.TB) { histories[design].NothingLost(tb, history.Sum(final)) }
		if design == "Designs.LastWriteWins" {
			caught(t, check, "is lost", "fault 1: partition n1 | the rest, drop, from")
			continue
		}
		check(t)
	}
	if outcomes(histories["Designs.QuorumCounter"])[history.Unknown] == 0 {
		t.Error("every addition was acknowledged by a majority: there was no partition")
	}
}

// Clients read and write on both sides of a partition.
func current(t *testing.T, c *testsupport.Cluster) {
	designs := []string{"Designs.LastWriteWins", "Designs.QuorumRegister"}
	histories := map[string]*history.History{}
	for _, design := range designs {
		histories[design] = history.New(c)
	}
	var last atomic.Int64 // each write has a value of its own
	broken(t, c, 5, func(node *testsupport.Node) {
		for design, h := range histories {
			value := int(last.Add(1))
			do(t.Context(), h, node, history.Read{Key: "x"}, design, "read", "x")
			do(t.Context(), h, node, history.Write{Key: "x", Value: value}, design, "write", "x", value)
		}
	})
	text := caught(t, func(tb testing.TB) { histories["Designs.LastWriteWins"].Linearizable(tb, history.Register(0)) },
		"register x is not linearizable", "client n", ", answer ", "fault 1: partition n1 | the rest")
	_, path, _ := strings.Cut(text, "\npicture: ")
	if picture, err := os.ReadFile(path); err != nil || !strings.Contains(string(picture), "partition n1 | the rest") {
		t.Errorf("the picture %q: %v", path, err)
	}
	if err := os.Remove(path); err != nil { // of a failure that is wanted
		t.Error(err)
	}
	histories["Designs.QuorumRegister"].Linearizable(t, history.Register(0))
	if got := outcomes(histories["Designs.QuorumRegister"]); got[history.Failed]+got[history.Unknown] == 0 {
		t.Error("every operation had a majority: there was no partition")
	}
}

// broken has a client at each node. Each does something as often as said before a partition, while
// no node has noticed it, and after the heal. Once all have noticed it, the clients take turns.
func broken(t *testing.T, c *testsupport.Cluster, times int, client func(node *testsupport.Node)) {
	t.Helper()
	all := func(after <-chan struct{}) (wait func()) {
		var group sync.WaitGroup
		for _, node := range c.Nodes() {
			group.Go(func() {
				<-after
				for range times {
					client(node)
				}
			})
		}
		return group.Wait
	}
	now := make(chan struct{})
	close(now)
	all(now)()
	unnoticed := all(inForce(t.Context(), c))
	c.Partition(t, []string{"n1"})
	unnoticed()
	for range times {
		for _, node := range c.Nodes() {
			client(node)
		}
	}
	c.Heal(t)
	all(now)()
}

// inForce is closed when a fault is in force, whether the nodes have noticed it or not.
func inForce(ctx context.Context, c *testsupport.Cluster) <-chan struct{} {
	yes := make(chan struct{})
	go func() {
		defer close(yes)
		for tick := time.NewTicker(10 * time.Millisecond); ; {
			if slices.ContainsFunc(c.Faults(), func(f history.Fault) bool { return f.End.IsZero() }) {
				return
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	return yes
}

// do performs one operation of the client at a node, and records it.
func do(ctx context.Context, h *history.History, node *testsupport.Node, input any, module, function string, args ...any) {
	_, _ = history.Do(h, node.Short(), input, func() (any, error) { return ask(ctx, node, module, function, args...) }) // recorded
}

// ask calls a design. The error says whether the operation failed or is unknown.
func ask(ctx context.Context, node *testsupport.Node, module, function string, args ...any) (any, error) {
	type answer struct {
		Outcome string
		Value   any
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	a, err := testsupport.RPC[answer](ctx, node, module, function, args...)
	switch {
	case err != nil:
		return nil, err
	case a.Outcome == "ok":
		return a.Value, nil
	case a.Outcome == "failed":
		return nil, fmt.Errorf("%w: %s", history.ErrFailed, a.Value)
	}
	return nil, errors.New(erldist.Format(a.Value))
}

// outcomes counts the operations of a history by their outcome.
func outcomes(h *history.History) map[history.Outcome]int {
	count := map[history.Outcome]int{}
	for _, op := range h.Operations() {
		count[op.Outcome]++
	}
	return count
}

// reports is a test that collects what a check reports.
type reports struct {
	testing.TB
	text []string
}

// Errorf implements testing.TB.
func (r *reports) Errorf(format string, args ...any) {
	r.text = append(r.text, fmt.Sprintf(format, args...))
}

// caught requires that a check fails and says these words, and returns what it says.
func caught(t *testing.T, check func(testing.TB), words ...string) (text string) {
	t.Helper()
	r := &reports{TB: t}
	check(r)
	text = strings.Join(r.text, "\n")
	if text == "" {
		t.Error("the check passes a design that is known to be bad")
	}
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("the report does not say %q:\n%s", w, text)
		}
	}
	t.Logf("reported of a bad design:\n%s", text)
	return text
}
