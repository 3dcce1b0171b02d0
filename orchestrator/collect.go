package orchestrator

import (
	"context"
	"errors"
	"time"

	"github.com/beamyard/beamyard/orchestrator/diagnosis"
)

// This file calls the OnFailure hook while a failed cluster is still complete.

// collectTime bounds the hook: the rest of the cluster waits for it.
const collectTime = 15 * time.Second

type (
	// actCollect calls the hook before the cluster ends; reply msgCollected.
	actCollect struct {
		cause     error
		snapshots []nodeSnapshot
	}
	// msgCollected ends actCollect.
	msgCollected struct{ found []diagnosis.Finding }
)

func (actCollect) isAction()    {}
func (msgCollected) isMessage() {}

// fail ends a cluster because of s.cause. The hook runs first: nothing is stopped,
// removed or restarted until msgCollected, or until a user requests the end.
func (s *supervisor) fail() {
	s.collecting = true
	s.emit(EventPhase, "", "looking for the cause")
	s.do(actCollect{s.cause, s.snapshots()})
}

// collected continues with the end of the cluster.
func (s *supervisor) collected() {
	if s.collecting {
		s.collecting = false
		s.afterFailure()
	}
}

// afterFailure keeps or removes the cluster. A cluster that never formed is kept as it
// is; the nodes of one that formed are stopped first.
func (s *supervisor) afterFailure() {
	if s.spec.KeepOnFailure && !s.formed {
		s.leave()
		return
	}
	s.bringDown()
}

// closing reports whether the cluster is ending: no node is started then.
func (s *supervisor) closing() bool { return s.down || s.collecting }

// collect diagnoses the nodes and calls the hook, within collectTime.
func (c *Cluster) collect(ctx context.Context, cause error, snapshots []nodeSnapshot) {
	ctx, cancel := context.WithTimeout(ctx, collectTime)
	defer cancel()
	found := c.diagnose(ctx, snapshots, true)
	defer func() { c.box.post(msgCollected{found}) }()
	if c.opts.OnFailure == nil {
		return
	}
	blame(cause, found)
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
	var ce *ClusterError
	if !errors.As(cause, &ce) {
		return c.redact(cause)
	}
	own := *ce
	return c.excerpts(&own)
}
