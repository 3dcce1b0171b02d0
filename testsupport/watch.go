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

// sight is what one node sees of the others, as it tells it.
type sight struct {
	*erldist.NodeWatcher
	node *Node
}

// look begins a sight. What comes or goes after look has returned is told.
func (n *Node) look(ctx context.Context) (sight, error) {
	conn, err := n.dial(ctx)
	if err != nil {
		return sight{}, err
	}
	s, err := conn.Watch(ctx)
	return sight{s, n}, err
}

// sights of several nodes.
type sights []sight

// looking begins the sights of those nodes that run and answer, but for the one
// that something is to happen to.
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

// lookAgain is how soon a node is looked at again that should answer and does not.
const lookAgain = 250 * time.Millisecond

// lookIfUp begins a sight of a node that runs. A VM that went does not answer a moment
// before the supervisor hears of it from the engine: then that is waited for.
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

// silent tells of an error that it may be that of a VM that is gone.
func silent(err error) bool {
	return slices.ContainsFunc([]error{erldist.ErrClosed, erldist.ErrRefused, erldist.ErrTimeout, erldist.ErrUnreachable, orchestrator.ErrNotRunning},
		func(of error) bool { return errors.Is(err, of) })
}

// errOther: the supervisor says another thing of a node now.
var errOther = errors.New("its state changed")

// lookWhileSame begins a sight, and gives it up with errOther once the node is in
// another state. Where it is silent in the same one, it returns after lookAgain.
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
	case <-heard: // at once where the look ended for it
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

// seeing are those that see a node now.
func (all sights) seeing(beam string) sights {
	return slices.DeleteFunc(slices.Clone(all), func(s sight) bool { return !s.Now().Up[beam] })
}

// until waits for what each shows; the error says who has not.
func (all sights) until(ctx context.Context, what string, shown func(erldist.Seen) bool) error {
	for _, s := range all {
		if err := s.Until(ctx, shown); err != nil {
			return fmt.Errorf("%s %s: %w", s.node.name, what, err)
		}
	}
	return nil
}

// answers tells whether the node's VM can be asked: it runs, and is not paused.
func (n *Node) answers() bool {
	st := n.Status()
	return st.State == orchestrator.Ready || st.State == orchestrator.Degraded && !st.Paused
}
