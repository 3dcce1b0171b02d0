package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/cluster"
	"github.com/beamyard/beamyard/orchestrator/evidence"
)

// exportDir is the environment variable that names the folder in which every failed `up` leaves
// its evidence.
const exportDir = "BEAMYARD_EXPORT_DIR"

// failureEvidence saves the evidence of one `up`, once, if the environment asks for it.
type failureEvidence struct {
	a   *app
	dir string // absolute; "": evidence is off

	mu     sync.Mutex
	spec   orchestrator.Spec // what is known of the cluster
	tried  bool
	path   string // path of the evidence; "" if there is none
	failed error  // why there is none
}

func newFailureEvidence(a *app) (*failureEvidence, error) {
	dir := os.Getenv(exportDir)
	if dir == "" {
		return &failureEvidence{a: a}, nil
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("find folder %s: %w", os.Getenv(exportDir), err)
	}
	return &failureEvidence{a: a, dir: dir}, nil
}

// knows sets the spec of the cluster that is being started.
func (w *failureEvidence) knows(spec orchestrator.Spec) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.spec = spec
}

// hook returns the function that examines a failing cluster, or nil if evidence is off.
func (w *failureEvidence) hook(eng orchestrator.Engine) func(context.Context, *cluster.Cluster, error) {
	if w.dir == "" {
		return nil
	}
	return func(ctx context.Context, c *cluster.Cluster, cause error) {
		w.leave(ctx, evidence.Source{Spec: c.Spec(), Cause: cause, Cluster: c, Engine: eng})
	}
}

func (w *failureEvidence) leave(ctx context.Context, src evidence.Source) {
	b := collect(ctx, src)
	path, err := b.Leave(w.dir)
	err = errors.Join(err, b.Close())
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tried, w.path, w.failed = true, path, err
}

// left records evidence that another process left.
func (w *failureEvidence) left(path string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tried, w.path = path != "", path
}

// told reports where the evidence of a failure is. If the failure has not been examined yet,
// because there was no cluster to examine, told does so now. It does not change the failure.
func (w *failureEvidence) told(ctx context.Context, err error) {
	if w.dir == "" || err == nil {
		return
	}
	// An interrupted `up` did not fail, an invalid command line left nothing to examine, and
	// the failure of a program that we ran is not one of the cluster.
	var program *exited
	failed := ctx.Err() == nil && !errors.Is(err, errInterrupted) && !errors.As(err, &program) && exitCode(err) != exitUsage
	w.mu.Lock()
	tried, spec := w.tried, w.spec
	w.mu.Unlock()
	if failed && !tried {
		const patience = 15 * time.Second
		looking, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		src := evidence.Source{Spec: spec, Cause: err}
		if eng, err := w.a.engine(looking); err == nil {
			defer eng.Close()
			src.Engine = eng
		}
		w.leave(looking, src)
	}
	w.say()
}

// where returns the path of the evidence, or "" if there is none.
func (w *failureEvidence) where() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.path
}

// say reports the evidence on stderr.
func (w *failureEvidence) say() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.path != "" {
		w.a.say("evidence: %s", w.path)
	}
	if w.failed != nil {
		w.a.say("evidence could not be kept: %v", w.failed)
	}
}
