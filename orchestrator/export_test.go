package orchestrator

import "context"

// Link is what a test's distribution gives to a cluster.
type Link = link

// WithDial has a cluster reach its nodes by a function of the test.
func (o Options) WithDial(dial func(ctx context.Context, node, addr string) (Link, error)) Options {
	o.dial = dial
	return o
}

// Reach is where Dial dials.
func (c *Cluster) Reach(node string) (beam, addr string, err error) { return c.reach(node) }
