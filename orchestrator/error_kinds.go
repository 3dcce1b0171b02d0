package orchestrator

import (
	"context"
	"errors"
	"strings"

	"github.com/beamyard/beamyard/images"
	"github.com/beamyard/beamyard/network"
	"github.com/beamyard/beamyard/orchestrator/diagnosis"
)

// This file derives the meaning of an error from its type.

// kindOf returns an error's kind for package diagnosis, by its type and not its text.
func kindOf(err error) diagnosis.Kind {
	var taken *network.PortTakenError
	var full *network.PoolExhaustedError
	var build *images.BuildError
	switch {
	case errors.Is(err, ErrEngineUnreachable):
		return diagnosis.KindEngineUnreachable
	case errors.Is(err, ErrEnginePermission):
		return diagnosis.KindEnginePermission
	case errors.Is(err, ErrEngineTooOld):
		return diagnosis.KindEngineTooOld
	case errors.Is(err, images.ErrNoRegistry):
		return diagnosis.KindNoRegistry
	case errors.Is(err, images.ErrNotFound):
		return diagnosis.KindNoImage
	case errors.As(err, &taken), errors.Is(err, ErrPortTaken):
		return diagnosis.KindPortTaken
	case errors.As(err, &full), errors.Is(err, ErrAddressPool):
		return diagnosis.KindAddressPool
	case errors.Is(err, ErrSubnetOverlap):
		return diagnosis.KindSubnetOverlap
	case errors.Is(err, ErrNameTaken):
		return diagnosis.KindNameTaken
	case errors.Is(err, ErrUlimit):
		return diagnosis.KindUlimit
	case errors.Is(err, ErrCannotStart):
		return diagnosis.KindCannotStart
	case errors.As(err, &build):
		return diagnosis.KindBuild
	}
	return ""
}

// DiagnosedError is an error with its findings. Its text is that of Err.
type DiagnosedError struct {
	Err      error
	Findings []diagnosis.Finding
}

func (e *DiagnosedError) Error() string { return e.Err.Error() }
func (e *DiagnosedError) Unwrap() error { return e.Err }

// Hint says how to fix the root causes.
func (e *DiagnosedError) Hint() string { return hintOfRoots(e.Findings) }

func hintOfRoots(found []diagnosis.Finding) string {
	var hints []string
	for _, f := range diagnosis.Roots(found) {
		hints = append(hints, f.Hint())
	}
	return strings.Join(hints, "\n")
}

// Diagnose adds findings to an error that ended an `up` of this spec, or a query of the
// engine, before there was a node: the result is a [DiagnosedError]. An error that has
// its own hint, and about which no more is known, is returned unchanged.
func Diagnose(err error, s Spec) error {
	var already *DiagnosedError
	var cluster *ClusterError
	if err == nil || errors.As(err, &already) || errors.As(err, &cluster) || errors.Is(err, ErrInvalidSpec) || errors.Is(err, context.Canceled) {
		return err
	}
	e := evidenceOf(s)
	clean := redactor(s).Replace // before any text is shortened
	e.Error, e.Kind, e.Hint, e.Absent = clean(err.Error()), kindOf(err), clean(hintOf(err)), true
	found := diagnosis.Diagnose(e)
	if len(found) == 0 || found[0].Code == "unknown" && e.Hint != "" {
		return err
	}
	return &DiagnosedError{Err: err, Findings: cleanFindings(found, clean)}
}
