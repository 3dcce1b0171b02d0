package testsupport

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/beamyard/beamyard/network/erldist"
	"github.com/beamyard/beamyard/orchestrator"
)

// sight is what one node sees of the others, as it reports it.
type sight struct {
	*erldist.NodeWatcher
	node *Node
}

// look begins a sight. Changes after look returns are reported.
func (n *Node) look(ctx context.Context) (sight, error) {
	conn, err := n.dial(ctx)
	if err != nil {
		return sight{}, err
	}
	s, err := conn.Watch(ctx)
	return sight{s, n}, err
}

// sights are the sights of several nodes.
type sights []sight

// looking begins the sights of all nodes that run and answer, except the node named by but,
// which is about to change.
func (c *Cluster) looking(ctx context.Context, but string) (sights, error) {
	var all sights
	for _, n := range c.Nodes() {
		if n.name == but {
			continue
		}
		s, answers, err := n.lookIfUp(ctx)
		if err != nil {
			all.close()
			return nil, err
		}
		if answers {
			all = append(all, s)
		}
	}
	return all, nil
}

// lookAgain is the interval at which a node that should answer, and does not, is asked again.
const lookAgain = 250 * time.Millisecond

// lookIfUp begins a sight of a running node. A VM that exits stops answering a moment before
// the engine reports it to the supervisor: lookIfUp then waits for that report.
func (n *Node) lookIfUp(ctx context.Context) (s sight, answers bool, err error) {
	for n.answers() {
		s, err = n.lookWhileSame(ctx)
		switch {
		case err == nil:
			return s, true, nil
		case errors.Is(err, errOther):
		case ctx.Err() != nil || !silent(err):
			return sight{}, false, err
		}
	}
	return sight{}, false, nil
}

// silent reports whether an error may be caused by a VM that has exited.
func silent(err error) bool {
	return slices.ContainsFunc([]error{erldist.ErrClosed, erldist.ErrRefused, erldist.ErrTimeout, erldist.ErrUnreachable, orchestrator.ErrNotRunning},
		func(of error) bool { return errors.Is(err, of) })
}

// errOther means that the supervisor reports a new state of a node.
var errOther = errors.New("its state changed")

// lookWhileSame begins a sight, and fails with errOther once the node's state changes. If the
// node does not answer in an unchanged state, it returns after lookAgain.
func (n *Node) lookWhileSame(ctx context.Context) (sight, error) {
	before := n.Status()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		cancel(cmp.Or(n.cluster.await(ctx, n.name, func(now orchestrator.NodeStatus) bool {
			return now.State != before.State || now.Incarnation != before.Incarnation || now.Paused != before.Paused
		}), errOther))
	}()
	s, err := n.look(ctx)
	if err == nil {
		return s, nil
	}
	select {
	case <-heard: // immediately if this ended the look
		return s, context.Cause(ctx)
	case <-time.After(lookAgain):
		return s, err
	}
}

func (all sights) close() {
	for _, s := range all {
		s.Close()
	}
}

// seeing returns the sights that currently see a node.
func (all sights) seeing(beam string) sights {
	return slices.DeleteFunc(slices.Clone(all), func(s sight) bool { return !s.Now().Up[beam] })
}

// until waits until shown holds for each sight; the error names the node that is late.
func (all sights) until(ctx context.Context, what string, shown func(erldist.Seen) bool) error {
	for _, s := range all {
		if err := s.Until(ctx, shown); err != nil {
			return fmt.Errorf("%s %s: %w", s.node.name, what, err)
		}
	}
	return nil
}

// answers reports whether the node's VM can be queried: it runs, and is not paused.
func (n *Node) answers() bool {
	st := n.Status()
	return st.State == orchestrator.Ready || st.State == orchestrator.Degraded && !st.Paused
}
