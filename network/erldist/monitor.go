package erldist

import (
	"context"
	_ "embed"
	"fmt"
	"strings"
	"sync"
	"time"
)

// NodeEvent reports that the node's connection to another node was set up or lost, as
// observed by the node.
type NodeEvent struct {
	Time   time.Time `json:"time"` // by the node's clock
	Node   string    `json:"node"` // full name of the other node
	Up     bool      `json:"up"`
	Hidden bool      `json:"hidden,omitempty"`
	// Reason for the loss: "connection_closed", "net_tick_timeout", "disconnect", …
	// Source: net_kernel(3), monitor_nodes/2.
	Reason string `json:"reason,omitempty"`
	// Initial is true for a connection that existed when the monitoring began.
	Initial bool `json:"initial,omitempty"`
}

//go:embed monitor.erl
var monitorSource string

// MonitorNodes calls fn with each node that this one is connected to, and then with each nodeup
// and nodedown as it happens. Events are pushed; nothing is polled. It returns when ctx ends
// (with its error), the connection ends ([ErrClosed]) or the node cannot be monitored
// ([*RPCError]). fn runs on the caller's goroutine, in the node's order. Tools that connect in
// the same way as this package are left out.
//
// A process on the node waits during the call. It monitors this connection, and ends when
// MonitorNodes returns or the connection is lost.
func (c *Conn) MonitorNodes(ctx context.Context, fn func(NodeEvent)) error {
	return c.WatchNodes(ctx, func() {}, fn)
}

// WatchNodes is like [Conn.MonitorNodes] for callers that must not miss later events. It
// calls ready, on the caller's goroutine, once the monitor is set and fn has been called
// with every connected node. All events after that are reported.
func (c *Conn) WatchNodes(ctx context.Context, ready func(), fn func(NodeEvent)) error {
	if err := c.watchNodes(ctx, ready, fn); err != nil {
		return fmt.Errorf("monitor the nodes of %s: %w", c.id.peer, err)
	}
	return nil
}

func (c *Conn) watchNodes(ctx context.Context, ready func(), fn func(NodeEvent)) error {
	self, ref, box := c.newPid(), c.newRef(), newInbox()
	args, err := c.evalArgs(ctx, monitorSource, map[string]any{"To": self})
	if err != nil {
		return err
	}
	c.boxes.open(self, box)
	defer c.closeMailbox(self) // the process on the node gets a DOWN message
	if err := c.request(ctx, self, ref, Atom("user"), "erl_eval", "exprs", args); err != nil {
		return err
	}
	_, host, _ := strings.Cut(c.Self(), "@")
	connected := map[string]bool{}
	ready = sync.OnceFunc(ready) // even if a peer repeats its message
	for {
		message, err := c.next(ctx, box)
		if err != nil {
			return err
		}
		t, _ := message.(Tuple)
		switch {
		case len(t) == 2 && t[0] == any(ref):
			// The answer to the call: the process on the node monitors, or failed.
			if _, err := c.result(":erl_eval.exprs/2", t[1]); err != nil {
				return err
			}
		case len(t) == 1 && t[0] == any(Atom("beamyard_watches")):
			ready()
		case len(t) == 5 && t[0] == any(Atom("beamyard_node")):
			e := nodeEvent(t)
			// A node that connects while the monitoring begins is both in the list and reported
			// as an event: it must count once.
			if strings.HasSuffix(e.Node, "@"+host) || e.Up && connected[e.Node] {
				continue
			}
			connected[e.Node] = e.Up
			fn(e)
		}
	}
}

// nodeEvent decodes {beamyard_node, Nanoseconds, initial | up | down, Node, Info}.
func nodeEvent(t Tuple) NodeEvent {
	nanoseconds, _ := t[1].(int64)
	node, _ := t[3].(Atom)
	e := NodeEvent{Time: time.Unix(0, nanoseconds), Node: string(node), Up: t[2] != any(Atom("down")), Initial: t[2] == any(Atom("initial"))}
	info, _ := t[4].(List)
	for _, entry := range info {
		pair, _ := entry.(Tuple)
		if len(pair) != 2 {
			continue
		}
		switch pair[0] {
		case any(Atom("node_type")):
			e.Hidden = pair[1] == any(Atom("hidden"))
		case any(Atom("nodedown_reason")):
			if text, ok := Text(pair[1]); ok {
				e.Reason = text
			} else {
				e.Reason = Format(pair[1])
			}
		}
	}
	return e
}
