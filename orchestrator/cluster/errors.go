package cluster

import (
	"context"
	"errors"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/diagnosis"
	"github.com/beamyard/beamyard/orchestrator/internal/manifest"
	"github.com/beamyard/beamyard/orchestrator/secrets"
)

// This file derives the meaning of an error from its type.

// Diagnose adds findings to an error that ended an `up` of this spec, or a query of the
// engine, before there was a node: the result is a [orchestrator.DiagnosedError]. An error
// that has its own hint, and about which no more is known, is returned unchanged.
func Diagnose(err error, s orchestrator.Spec) error {
	var already *orchestrator.DiagnosedError
	var cluster *orchestrator.ClusterError
	if err == nil || errors.As(err, &already) || errors.As(err, &cluster) || errors.Is(err, orchestrator.ErrInvalidSpec) || errors.Is(err, context.Canceled) {
		return err
	}
	clean := secrets.Redactor(s).Replace // before any text is shortened
	e := diagnosis.Evidence{Spec: s, Error: clean(err.Error()), Kind: manifest.KindOf(err), Hint: orchestrator.HintOf(err).Map(clean), Absent: true}
	found := diagnosis.Diagnose(e)
	if len(found) == 0 || found[0].Code == "unknown" && len(e.Hint) > 0 {
		return err
	}
	return &orchestrator.DiagnosedError{Err: err, Findings: manifest.CleanFindings(found, clean)}
}
