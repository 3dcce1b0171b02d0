package cluster

import (
	"context"

	"github.com/beamyard/beamyard/orchestrator/internal/probe"
)

// WithDial sets the function that dials the cluster's nodes.
func (o Options) WithDial(dial func(ctx context.Context, node, addr string) (probe.Link, error)) Options {
	o.dial = dial
	return o
}

// Reach returns the node name and address that Dial uses.
func (c *Cluster) Reach(node string) (beam, addr string, err error) { return c.reach(node) }
