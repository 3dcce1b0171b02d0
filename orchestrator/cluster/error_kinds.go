package cluster

import (
	"context"
	"errors"

	"github.com/beamyard/beamyard/images"
	"github.com/beamyard/beamyard/network"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/diagnosis"
	"github.com/beamyard/beamyard/orchestrator/internal/manifest"
	"github.com/beamyard/beamyard/orchestrator/secrets"
)

// This file derives the meaning of an error from its type.

// kindOf returns an error's kind for package diagnosis, by its type and not its text.
func kindOf(err error) diagnosis.Kind {
	var taken *network.PortTakenError
	var full *network.PoolExhaustedError
	var build *images.BuildError
	switch {
	case errors.Is(err, orchestrator.ErrEngineUnreachable):
		return diagnosis.KindEngineUnreachable
	case errors.Is(err, orchestrator.ErrEnginePermission):
		return diagnosis.KindEnginePermission
	case errors.Is(err, orchestrator.ErrEngineTooOld):
		return diagnosis.KindEngineTooOld
	case errors.Is(err, images.ErrNoRegistry):
		return diagnosis.KindNoRegistry
	case errors.Is(err, images.ErrNotFound):
		return diagnosis.KindNoImage
	case errors.As(err, &taken), errors.Is(err, orchestrator.ErrPortTaken):
		return diagnosis.KindPortTaken
	case errors.As(err, &full), errors.Is(err, orchestrator.ErrAddressPool):
		return diagnosis.KindAddressPool
	case errors.Is(err, orchestrator.ErrSubnetOverlap):
		return diagnosis.KindSubnetOverlap
	case errors.Is(err, orchestrator.ErrNameTaken):
		return diagnosis.KindNameTaken
	case errors.Is(err, orchestrator.ErrUlimit):
		return diagnosis.KindUlimit
	case errors.Is(err, orchestrator.ErrCannotStart):
		return diagnosis.KindCannotStart
	case errors.As(err, &build):
		return diagnosis.KindBuild
	}
	return ""
}

// Diagnose adds findings to an error that ended an `up` of this spec, or a query of the
// engine, before there was a node: the result is a [orchestrator.DiagnosedError]. An error that has
// its own hint, and about which no more is known, is returned unchanged.
func Diagnose(err error, s orchestrator.Spec) error {
	var already *orchestrator.DiagnosedError
	var cluster *orchestrator.ClusterError
	if err == nil || errors.As(err, &already) || errors.As(err, &cluster) || errors.Is(err, orchestrator.ErrInvalidSpec) || errors.Is(err, context.Canceled) {
		return err
	}
	e := manifest.Evidence(s)
	clean := secrets.Redactor(s).Replace // before any text is shortened
	e.Error, e.Kind, e.Hint, e.Absent = clean(err.Error()), kindOf(err), clean(orchestrator.HintOf(err)), true
	found := diagnosis.Diagnose(e)
	if len(found) == 0 || found[0].Code == "unknown" && e.Hint != "" {
		return err
	}
	return &orchestrator.DiagnosedError{Err: err, Findings: manifest.CleanFindings(found, clean)}
}
