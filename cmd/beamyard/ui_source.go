package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/cluster"
	"github.com/beamyard/beamyard/orchestrator/control"
	"github.com/beamyard/beamyard/orchestrator/discovery"
	"github.com/beamyard/beamyard/orchestrator/evidence"
	"github.com/beamyard/beamyard/orchestrator/faults"
	"github.com/beamyard/beamyard/orchestrator/ui"
)

// ownCluster is the cluster of this process, for its page.
type ownCluster struct {
	*cluster.Cluster
	eng orchestrator.Engine
}

func (o ownCluster) List(ctx context.Context) ([]ui.Listed, error) {
	st, err := o.Status(ctx)
	return []ui.Listed{{Status: st, Spec: o.Spec()}}, err
}

func (o ownCluster) Open(_ context.Context, name string) (*ui.Cluster, error) {
	if name != o.Spec().Name {
		return nil, fmt.Errorf("%w: %s", orchestrator.ErrNoCluster, name)
	}
	return &ui.Cluster{
		Controller: o.Cluster, Spec: o.Spec(), Supervised: true, Faults: o.Faults(),
		Export: func(ctx context.Context) *evidence.Bundle {
			return collect(ctx, evidence.Source{Spec: o.Spec(), Engine: o.eng, Cluster: o.Cluster})
		},
	}, nil
}

// foundClusters are the clusters of the engine and of supervisors that answer, for a page that this
// command serves.
type foundClusters struct {
	app *app
	eng orchestrator.Engine // nil: it does not answer
}

func (s foundClusters) List(ctx context.Context) ([]ui.Listed, error) {
	var all []ui.Listed
	if s.eng == nil {
		for _, name := range control.Answering(ctx) {
			c, err := s.Open(ctx, name)
			if err != nil {
				continue // it ended meanwhile, or hangs
			}
			st, err := c.Status(ctx)
			c.Close()
			if err == nil {
				all = append(all, ui.Listed{Status: st, Spec: c.Spec})
			}
		}
		return all, nil
	}
	found, err := discovery.All(ctx, s.eng)
	for _, f := range found {
		if f.Parked {
			continue
		}
		all = append(all, ui.Listed{Status: statusOf(ctx, f.Status), Spec: f.Spec})
	}
	return all, err
}

// Open connects to the supervisor, or returns the cluster found by its labels if there is none.
func (s foundClusters) Open(ctx context.Context, name string) (*ui.Cluster, error) {
	r := &connection{cluster: name}
	switch silent := r.dial(ctx); {
	case silent == nil:
		spec, err := r.client.Spec(ctx)
		if err != nil {
			r.hangUp()
			return nil, fmt.Errorf("ask the supervisor of %s for its spec: %w", name, err)
		}
		return s.cluster(r.client, spec, r.hangUp), nil
	case s.eng == nil:
		return nil, silent
	case !errors.Is(silent, orchestrator.ErrNoSupervisor):
		return nil, fmt.Errorf("the supervisor of %s does not answer: %w", name, silent)
	}
	found, err := discovery.Find(ctx, s.eng, name)
	if err != nil {
		return nil, err
	}
	c := s.cluster(discovery.Control(s.eng, name), found.Spec, func() {})
	c.Supervised = false
	if !found.Orphaned() {
		c.TakeOver = func(ctx context.Context) error { return s.takeOver(ctx, found) }
	}
	return c, nil
}

func (s foundClusters) cluster(c orchestrator.Controller, spec orchestrator.Spec, hangUp func()) *ui.Cluster {
	open := &ui.Cluster{Controller: c, Spec: spec, Supervised: true, Close: hangUp}
	src := evidence.Source{Spec: spec}
	if s.eng != nil {
		open.Faults = faults.Injector{Engine: s.eng, Spec: spec}
		src.Engine = s.eng
	}
	open.Export = func(ctx context.Context) *evidence.Bundle { return collect(ctx, src) }
	return open
}

// takeOver is `up NAME -d` of a cluster that has no supervisor.
func (s foundClusters) takeOver(ctx context.Context, found discovery.Cluster) error {
	w, err := newFailureEvidence(s.app)
	if err != nil {
		return err
	}
	quiet := newOutput(io.Discard)
	u := &up{app: s.app, eng: s.eng, spec: found.Spec, evidence: w, progress: newProgress("plain", quiet, s.app.now)}
	defer u.progress.close()
	_, err = u.again(ctx, found)
	return err
}
