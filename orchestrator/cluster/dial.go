package cluster

import (
	"context"
	"fmt"

	"github.com/beamyard/beamyard/network/erldist"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/hint"
	"github.com/beamyard/beamyard/orchestrator/internal/dist"
)

// Dial opens a distribution connection to a running node, given by its short name, for
// the caller's own calls, evaluations and monitors. Like the supervisor's own connection,
// it connects as a hidden node, which the node's peers do not see, to the address at
// which the node is reachable from this process. The caller closes it. It ends with the
// VM, and is not reopened. ctx bounds the dial only.
//
// Errors: [orchestrator.ErrNoNode], [orchestrator.ErrNotRunning] (also for a paused
// container), and those of [erldist.Dialer.Dial]: a booting node refuses connections for a
// moment.
func (c *Cluster) Dial(ctx context.Context, node string) (*erldist.Conn, error) {
	beam, addr, err := c.reach(node)
	if err != nil {
		return nil, err
	}
	dialer, err := dist.Dialer(c.spec, "")
	if err != nil {
		return nil, err
	}
	return dialer.Dial(ctx, beam, addr)
}

// reach returns the BEAM name of a running node and the address of its distribution.
func (c *Cluster) reach(node string) (beam, addr string, err error) {
	st := c.view.Load()
	n, known := st.Node(node)
	switch {
	case !known:
		return "", "", c.spec.NoNode(node)
	case !n.State.Running():
		return "", "", orchestrator.WithHint(fmt.Errorf("%s: %w (it is %s)", node, orchestrator.ErrNotRunning, n.State), "%s", hint.Start.On(c.spec.Name, node))
	case n.Paused:
		return "", "", orchestrator.WithHint(fmt.Errorf("%s: %w: its container is paused", node, orchestrator.ErrNotRunning), "%s", hint.Unpause.On(c.spec.Name, node))
	}
	return n.Node, c.site.distAddr(node), nil // a running node has a site: the view was published after it
}
