package orchestrator

import (
	"context"
	"fmt"

	"github.com/beamyard/beamyard/network/erldist"
)

// Dial opens a distribution connection to a running node, by its short name, for
// calls, evaluations and monitors of the caller's own. It goes the way that the
// supervisor's own goes: as a hidden node, which the node's peers do not see, to the
// address at which it is reached from here. The caller closes it; it ends with the
// VM, and is not opened again. ctx bounds the dial only.
//
// Errors: [ErrNoNode], [ErrNotRunning] (also of a paused container), and those of
// [erldist.Dialer.Dial]: a node that boots refuses for a moment.
func (c *Cluster) Dial(ctx context.Context, node string) (*erldist.Conn, error) {
	beam, addr, err := c.reach(node)
	if err != nil {
		return nil, err
	}
	return (&erldist.Dialer{Cookie: c.spec.Cookie}).Dial(ctx, beam, addr)
}

// reach is the BEAM name of a running node and where its distribution answers.
func (c *Cluster) reach(node string) (beam, addr string, err error) {
	st := c.view.Load()
	n, known := st.Node(node)
	switch {
	case !known:
		return "", "", c.spec.noNode(node)
	case !n.State.Running():
		return "", "", WithHint(fmt.Errorf("%s: %w (it is %s)", node, ErrNotRunning, n.State), "beamyard start %s/%s", c.spec.Name, node)
	case n.Paused:
		return "", "", WithHint(fmt.Errorf("%s: %w: its container is paused", node, ErrNotRunning), "beamyard unpause %s/%s", c.spec.Name, node)
	}
	return n.Node, c.site.distAddr(node), nil // a node that runs has a site: the view was shown after it
}
