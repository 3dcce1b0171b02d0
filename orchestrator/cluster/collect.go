package cluster

import (
	"context"
	"errors"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/internal/manifest"
	"github.com/beamyard/beamyard/orchestrator/internal/supervisor"
)

// This file calls the OnFailure hook while a failed cluster is still complete.

// collectTime bounds the hook: the rest of the cluster waits for it.
const collectTime = 15 * time.Second

// collect diagnoses the nodes and calls the hook, within collectTime.
func (c *Cluster) collect(ctx context.Context, cause error, snapshots []supervisor.NodeSnapshot) {
	ctx, cancel := context.WithTimeout(ctx, collectTime)
	defer cancel()
	found := c.diagnose(ctx, snapshots, true)
	defer func() { c.box.post(supervisor.Collected{Found: found}) }()
	if c.opts.OnFailure == nil {
		return
	}
	manifest.Blame(cause, found)
	looked := make(chan struct{})
	c.wg.Go(func() {
		defer close(looked)
		c.opts.OnFailure(ctx, c, cause)
	})
	select {
	case <-looked:
	case <-ctx.Done():
	}
}

// collectEarly calls the hook for a cluster that could not be prepared. An interrupted
// cluster has not failed.
func (c *Cluster) collectEarly(ctx context.Context, cause error) {
	if c.opts.OnFailure == nil || ctx.Err() != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, collectTime)
	defer cancel()
	c.opts.OnFailure(ctx, c, cause)
}

// failure returns the cause for the hook, with the nodes' last output. It is a copy: the
// loop keeps using its own.
func (c *Cluster) failure(cause error) error {
	var ce *orchestrator.ClusterError
	if !errors.As(cause, &ce) {
		return c.redact(cause)
	}
	own := *ce
	return c.excerpts(&own)
}
