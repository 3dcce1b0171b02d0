package ui

import (
	"context"
	"time"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/evidence"
	"github.com/beamyard/beamyard/orchestrator/faults"
)

// Source finds the clusters whose pages are served.
type Source interface {
	// List returns every cluster, sorted by name.
	List(ctx context.Context) ([]Listed, error)
	// Open returns one cluster. If it does not exist, the error matches
	// [orchestrator.ErrNoCluster]. The caller closes the cluster.
	Open(ctx context.Context, cluster string) (*Cluster, error)
}

// Listed is one of all clusters.
type Listed struct {
	orchestrator.Status
	Spec orchestrator.Spec // its secrets are masked
}

// Injector injects and heals faults; [faults.Injector] does.
type Injector interface {
	List(ctx context.Context) ([]fault.Fault, error)
	Inject(ctx context.Context, f fault.Fault, lasts time.Duration) (fault.Fault, error)
	Heal(ctx context.Context, ids ...string) ([]fault.Fault, error)
	Blip(ctx context.Context, pairs []fault.Pair, lasts time.Duration) (int, error)
	Readmit(ctx context.Context, on faults.Evaluator, f fault.Fault) error
}

var _ Injector = faults.Injector{}

// Cluster is an open cluster, with all that its page needs.
type Cluster struct {
	orchestrator.Controller
	Spec       orchestrator.Spec // its secrets are masked in everything that is served
	Supervised bool
	// Faults injects faults. Nil: no engine answers.
	Faults Injector
	// Export collects the evidence. Nil: it cannot.
	Export func(ctx context.Context) *evidence.Bundle
	// TakeOver starts a supervisor for a cluster that has none, and returns when it answers.
	// Nil: it has one, or this server cannot.
	TakeOver func(ctx context.Context) error
	// Close ends the connections to the cluster. Nil: there is nothing to close.
	Close func()
}

func (c *Cluster) close() {
	if c.Close != nil {
		c.Close()
	}
}
