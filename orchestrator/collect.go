package orchestrator

import (
	"context"
	"errors"
	"time"

	"github.com/beamyard/beamyard/orchestrator/diagnosis"
)

// This file lets somebody look at a cluster that failed, while it is all there.

// collectTime bounds the look: what is left of the cluster waits for it.
const collectTime = 15 * time.Second

type (
	// actCollect lets somebody look before the cluster ends; reply msgCollected.
	actCollect struct {
		cause    error
		suspects []suspect
	}
	// msgCollected ends actCollect.
	msgCollected struct{ found []diagnosis.Finding }
)

func (actCollect) isAction()    {}
func (msgCollected) isMessage() {}

// fail ends a cluster for s.cause. Who wants to look does so first: nothing is
// stopped, removed or restarted until msgCollected, or until somebody asks for
// the end of it.
func (s *supervisor) fail() {
	s.collecting = true
	s.emit(EventPhase, "", "looking for the cause")
	s.do(actCollect{s.cause, s.suspects()})
}

// collected goes on with the end.
func (s *supervisor) collected() {
	if s.collecting {
		s.collecting = false
		s.afterFailure()
	}
}

// afterFailure keeps or takes down what there is. A cluster that never formed is
// kept as it is; the nodes of one that did are stopped first.
func (s *supervisor) afterFailure() {
	if s.spec.KeepOnFailure && !s.formed {
		s.leave()
		return
	}
	s.bringDown()
}

// closing reports whether the cluster comes to its end: nothing is started then.
func (s *supervisor) closing() bool { return s.down || s.collecting }

// collect finds out what is wrong and has the hook look, but not for long.
func (c *Cluster) collect(ctx context.Context, cause error, suspects []suspect) {
	ctx, cancel := context.WithTimeout(ctx, collectTime)
	defer cancel()
	found := c.diagnose(ctx, suspects, true)
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

// collectEarly is the look at a cluster that could not be prepared. One that was
// interrupted did not fail.
func (c *Cluster) collectEarly(ctx context.Context, cause error) {
	if c.opts.OnFailure == nil || ctx.Err() != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, collectTime)
	defer cancel()
	c.opts.OnFailure(ctx, c, cause)
}

// failure is the cause for who looks, with the nodes' last output. It is a copy:
// the loop goes on with its own.
func (c *Cluster) failure(cause error) error {
	var ce *ClusterError
	if !errors.As(cause, &ce) {
		return c.redact(cause)
	}
	own := *ce
	return c.excerpts(&own)
}
