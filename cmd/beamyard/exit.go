package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/beamyard/beamyard/images"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/doctor"
)

// Exit codes, as in --help.
const (
	exitOK          = 0
	exitError       = 1
	exitUsage       = 2
	exitNotReady    = 3
	exitNodeFailed  = 4
	exitUnsupported = 5
	exitInterrupted = 130
)

// errInterrupted says that a signal ended the command.
var errInterrupted = errors.New("interrupted")

// usageError is a command line or a file that cannot be obeyed.
type usageError struct{ text, hint string }

func (e *usageError) Error() string { return e.text }
func (e *usageError) Hint() string  { return e.hint }

// usagef makes a usageError.
func usagef(hint, format string, args ...any) error {
	return &usageError{text: fmt.Sprintf(format, args...), hint: hint}
}

// exitCode of an error; the codes are in --help.
func exitCode(err error) int {
	var usage *usageError
	var source *images.SourceError
	var unusable *doctor.UnusableError
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errInterrupted):
		return exitInterrupted
	case errors.As(err, &usage), errors.As(err, &source), errors.Is(err, orchestrator.ErrInvalidSpec):
		return exitUsage
	case errors.Is(err, orchestrator.ErrNotReady):
		return exitNotReady
	case errors.Is(err, orchestrator.ErrNodeFailed):
		return exitNodeFailed
	case errors.As(err, &unusable),
		errors.Is(err, orchestrator.ErrEngineUnreachable),
		errors.Is(err, orchestrator.ErrEnginePermission),
		errors.Is(err, orchestrator.ErrEngineTooOld):
		return exitUnsupported
	}
	return exitError
}

// fail prints an error with its hint, and returns the exit code. It is the one
// place where errors are printed.
func (a *app) fail(ctx context.Context, err error) int {
	if ctx.Err() != nil && (err == nil || errors.Is(err, context.Canceled)) {
		err = errInterrupted // a call gave up because of the signal: say nothing of its context
	}
	if err == nil {
		return exitOK
	}
	if errors.Is(err, errInterrupted) { // it needs no words: who pressed Ctrl-C knows
		return exitInterrupted
	}
	red, off := a.err.color("31;1"), a.err.color("0")
	fmt.Fprintf(a.err, "%serror:%s %v\n", red, off, err)
	var h orchestrator.Hinter
	if errors.As(err, &h) {
		for line := range strings.Lines(h.Hint()) {
			fmt.Fprintf(a.err, "hint: %s\n", strings.TrimRight(line, "\n"))
		}
	}
	return exitCode(err)
}
