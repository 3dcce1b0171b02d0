package chaos

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/ask"
	"github.com/beamyard/beamyard/orchestrator/check"
	"github.com/beamyard/beamyard/orchestrator/faults"
	"github.com/beamyard/beamyard/orchestrator/secrets"
	"github.com/beamyard/beamyard/orchestrator/target"
)

// Margin is how long a fault of the network stays in the kernel after its planned end, if
// nothing ends it: the process that runs the schedule was killed.
const Margin = 30 * time.Second

// Cluster is the part of an [orchestrator.Controller] that Live uses. It needs a supervisor.
type Cluster interface {
	ask.Evaluator
	Status(ctx context.Context) (orchestrator.Status, error)
	Kill(ctx context.Context, signal string, nodes ...string) error
	Stop(ctx context.Context, nodes ...string) error
	Start(ctx context.Context, nodes ...string) error
	Pause(ctx context.Context, nodes ...string) error
	Unpause(ctx context.Context, nodes ...string) error
}

// Live is the actor of a real cluster.
type Live struct {
	Cluster Cluster
	Faults  faults.Injector

	killed map[string][]time.Time
}

var _ Actor = (*Live)(nil)

// Kill implements [Actor]. See "Restart budgets" in the package's documentation.
func (l *Live) Kill(ctx context.Context, nodes ...string) error {
	if l.killed == nil {
		l.killed = map[string][]time.Time{}
	}
	if kills, window := PolicyOf(l.Faults.Spec); l.Faults.Spec.OnFailed == orchestrator.FailedStopCluster {
		for _, n := range nodes {
			l.killed[n] = slices.DeleteFunc(l.killed[n], func(t time.Time) bool { return time.Since(t) >= window })
			if len(l.killed[n]) >= kills {
				return fmt.Errorf("%s: its restart budget is used up, and its failure would stop the cluster: %w", n, orchestrator.ErrNotRunning)
			}
		}
	}
	for _, n := range nodes {
		l.killed[n] = append(l.killed[n], time.Now())
	}
	return l.Cluster.Kill(ctx, "KILL", nodes...)
}

// Stop implements [Actor].
func (l *Live) Stop(ctx context.Context, nodes ...string) error { return l.Cluster.Stop(ctx, nodes...) }

// Start implements [Actor].
func (l *Live) Start(ctx context.Context, nodes ...string) error {
	down, err := l.those(ctx, nodes, func(n orchestrator.NodeStatus) bool { return n.State.Final() })
	if err != nil || len(down) == 0 {
		return err
	}
	return l.Cluster.Start(ctx, down...)
}

// Pause implements [Actor].
func (l *Live) Pause(ctx context.Context, nodes ...string) error {
	return l.Cluster.Pause(ctx, nodes...)
}

// Unpause implements [Actor].
func (l *Live) Unpause(ctx context.Context, nodes ...string) error {
	paused, err := l.those(ctx, nodes, func(n orchestrator.NodeStatus) bool { return n.Paused })
	if err != nil || len(paused) == 0 {
		return err
	}
	if err = l.Cluster.Unpause(ctx, paused...); errors.Is(err, orchestrator.ErrNotRunning) {
		return nil // it ended meanwhile
	}
	return err
}

// those returns the names of the nodes that meet a condition.
func (l *Live) those(ctx context.Context, nodes []string, fulfil func(orchestrator.NodeStatus) bool) ([]string, error) {
	st, err := l.Cluster.Status(ctx)
	var names []string
	for _, n := range st.Nodes {
		if (len(nodes) == 0 || slices.Contains(nodes, n.Name)) && fulfil(n) {
			names = append(names, n.Name)
		}
	}
	return names, err
}

// Inject implements [Actor].
func (l *Live) Inject(ctx context.Context, f fault.Fault, lasts time.Duration) (string, error) {
	f, err := l.Faults.Inject(ctx, f, lasts+Margin)
	return f.ID, err
}

// Heal implements [Actor].
func (l *Live) Heal(ctx context.Context, ids ...string) error {
	_, err := l.Faults.Heal(ctx, ids...)
	if len(ids) > 0 && errors.Is(err, orchestrator.ErrNotFound) {
		return nil // another process healed it
	}
	return err
}

// Blip implements [Actor].
func (l *Live) Blip(ctx context.Context, f fault.Fault) error {
	declared, _ := l.Faults.Spec.Declared()
	_, err := l.Faults.ResetConnections(ctx, f.Cuts(declared))
	return err
}

// Ready implements [Actor].
func (l *Live) Ready(ctx context.Context) error {
	st, err := l.Cluster.Status(ctx)
	if err != nil || st.Ready {
		return err
	}
	var not []string
	for _, n := range st.Nodes {
		if n.State != orchestrator.Ready {
			text := fmt.Sprintf("%s is %s", n.Name, n.State)
			if n.Reason != "" {
				text += " (" + n.Reason + ")"
			}
			not = append(not, text)
		}
	}
	if len(not) == 0 {
		return errors.New("the mesh is not full")
	}
	return errors.New(strings.Join(not, "; "))
}

// Holds returns the Checks of a [Runner]: all nodes that can answer are asked.
func (l *Live) Holds(checks ...check.Check) func(context.Context) error {
	if len(checks) == 0 {
		return nil
	}
	clean := secrets.Redactor(l.Faults.Spec).Replace
	return func(ctx context.Context) error {
		st, err := l.Cluster.Status(ctx)
		if err != nil {
			return err
		}
		return check.Holds(ctx, l.Cluster, clean, ask.Up(st), checks...)
	}
}

// Leaders returns the Leader of a [Runner], from an expression like that of the target @leader.
func (l *Live) Leaders(expression string) func(context.Context) []string {
	if expression == "" {
		return nil
	}
	return func(ctx context.Context) []string {
		st, err := l.Cluster.Status(ctx)
		if err != nil {
			return nil
		}
		leaders, _ := target.Leaders(st, target.Ask(ctx, l.Cluster, st, expression))
		return leaders
	}
}
