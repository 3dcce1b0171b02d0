package discovery

import (
	"context"
	"errors"
	"fmt"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/codesync"
	"github.com/beamyard/beamyard/orchestrator/hint"
)

// Unsupervised is a cluster that no supervisor keeps. It is an [orchestrator.Controller]
// by what labels, the engine and the nodes themselves tell. What only a supervisor knows or
// does matches [orchestrator.ErrNoSupervisor]: events, the journal, readiness, and changes of
// single nodes, which a supervisor would have to tell from crashes.
type Unsupervised struct {
	eng     orchestrator.Engine
	cluster string
}

var _ orchestrator.Controller = (*Unsupervised)(nil)

// Control returns the cluster of that name. It sends no request: each call finds the cluster
// anew, and matches [orchestrator.ErrNoCluster] if there is none.
func Control(eng orchestrator.Engine, cluster string) *Unsupervised {
	return &Unsupervised{eng: eng, cluster: cluster}
}

// Status implements [orchestrator.Controller]. A node whose container runs is Running.
func (u *Unsupervised) Status(ctx context.Context) (orchestrator.Status, error) {
	f, err := Find(ctx, u.eng, u.cluster)
	return f.Status, err
}

// Health implements [orchestrator.Controller]; see [Health].
func (u *Unsupervised) Health(ctx context.Context) (orchestrator.HealthReport, error) {
	return Health(ctx, u.eng, u.cluster)
}

// Logs implements [orchestrator.Controller]; see [Logs].
func (u *Unsupervised) Logs(ctx context.Context, q orchestrator.LogQuery, fn func(orchestrator.Line) error) error {
	return Logs(ctx, u.eng, u.cluster, q, fn)
}

// Eval implements [orchestrator.Controller]; see [Eval].
func (u *Unsupervised) Eval(ctx context.Context, node, expression string, o orchestrator.EvalOptions) (string, error) {
	return Eval(ctx, u.eng, u.cluster, node, expression, o)
}

// Sync implements [orchestrator.Controller]; see [Sync].
func (u *Unsupervised) Sync(ctx context.Context, opts orchestrator.SyncOptions) (codesync.Report, error) {
	return Sync(ctx, u.eng, u.cluster, opts)
}

// Down implements [orchestrator.Controller]; see [Remove]. A cluster that is gone is not an
// error.
func (u *Unsupervised) Down(ctx context.Context) error {
	f, err := Find(ctx, u.eng, u.cluster)
	if err == nil {
		_, err = Remove(ctx, u.eng, u.cluster, f.Spec.StopTimeout)
	}
	if errors.Is(err, orchestrator.ErrNoCluster) {
		return nil
	}
	return err
}

// WaitReady matches [orchestrator.ErrNoSupervisor].
func (u *Unsupervised) WaitReady(ctx context.Context) error { return u.noSupervisor(ctx) }

// Events matches [orchestrator.ErrNoSupervisor].
func (u *Unsupervised) Events(ctx context.Context, _ uint64, _ bool, _ func(orchestrator.Event) error) error {
	return u.noSupervisor(ctx)
}

// Journal matches [orchestrator.ErrNoSupervisor].
func (u *Unsupervised) Journal(ctx context.Context) ([]orchestrator.JournalEntry, error) {
	return nil, u.noSupervisor(ctx)
}

// Start matches [orchestrator.ErrNoSupervisor].
func (u *Unsupervised) Start(ctx context.Context, _ ...string) error { return u.noSupervisor(ctx) }

// Stop matches [orchestrator.ErrNoSupervisor].
func (u *Unsupervised) Stop(ctx context.Context, _ ...string) error { return u.noSupervisor(ctx) }

// Restart matches [orchestrator.ErrNoSupervisor].
func (u *Unsupervised) Restart(ctx context.Context, _ ...string) error { return u.noSupervisor(ctx) }

// Kill matches [orchestrator.ErrNoSupervisor].
func (u *Unsupervised) Kill(ctx context.Context, _ string, _ ...string) error {
	return u.noSupervisor(ctx)
}

// Pause matches [orchestrator.ErrNoSupervisor].
func (u *Unsupervised) Pause(ctx context.Context, _ ...string) error { return u.noSupervisor(ctx) }

// Unpause matches [orchestrator.ErrNoSupervisor].
func (u *Unsupervised) Unpause(ctx context.Context, _ ...string) error { return u.noSupervisor(ctx) }

// noSupervisor returns the error for what needs a supervisor, or that for a cluster which
// does not exist.
func (u *Unsupervised) noSupervisor(ctx context.Context) error {
	f, err := Find(ctx, u.eng, u.cluster)
	if err != nil {
		return err
	}
	return orchestrator.WithHint(fmt.Errorf("cluster %s: %w", f.Cluster, orchestrator.ErrNoSupervisor), "supervise it again: %s", hint.Supervise.On(f.Cluster))
}
