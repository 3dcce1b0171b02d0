package testsupport

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/beamyard/beamyard/network/erldist"
	"github.com/beamyard/beamyard/orchestrator"
)

// sight is what one node sees of the others, as it tells it.
type sight struct {
	*erldist.Sight
	node *Node
}

// look begins a sight. What comes or goes after look has returned is told.
func (n *Node) look(ctx context.Context) (sight, error) {
	conn, err := n.dial(ctx)
	if err != nil {
		return sight{}, err
	}
	s, err := conn.Look(ctx)
	return sight{s, n}, err
}

// sights of several nodes.
type sights []sight

// looking begins the sights of those nodes that run and answer, but for the one
// that something is to happen to.
func (c *Cluster) looking(ctx context.Context, but string) (sights, error) {
	var all sights
	for _, n := range c.Nodes() {
		if n.name == but || !n.answers() {
			continue
		}
		s, err := n.look(ctx)
		if errors.Is(err, orchestrator.ErrNotRunning) || errors.Is(err, erldist.ErrClosed) && !n.answers() {
			continue // it went meanwhile
		}
		if err != nil {
			all.close()
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
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
