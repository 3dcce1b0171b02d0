package cluster

import (
	"context"

	"github.com/beamyard/beamyard/orchestrator/internal/probe"
)

// WithDial has a cluster reach its nodes by a function of the test.
func (o Options) WithDial(dial func(ctx context.Context, node, addr string) (probe.Link, error)) Options {
	o.dial = dial
	return o
}

// Reach is where Dial dials.
func (c *Cluster) Reach(node string) (beam, addr string, err error) { return c.reach(node) }
