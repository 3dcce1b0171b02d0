package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/beamyard/beamyard/images"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/chaos"
	"github.com/beamyard/beamyard/orchestrator/check"
	"github.com/beamyard/beamyard/orchestrator/cluster"
	"github.com/beamyard/beamyard/orchestrator/config"
	"github.com/beamyard/beamyard/orchestrator/doctor"
	"github.com/beamyard/beamyard/orchestrator/hint"
)

// Exit codes, as listed in --help.
const (
	exitOK          = 0
	exitError       = 1
	exitUsage       = 2
	exitNotReady    = 3
	exitNodeFailed  = 4
	exitUnsupported = 5
	exitInterrupted = 130
)

// errInterrupted reports that a signal ended the command.
var errInterrupted = errors.New("interrupted")

// usageError reports an invalid command line.
type usageError struct{ text, hint string }

func (e *usageError) Error() string   { return e.text }
func (e *usageError) Hint() hint.Hint { return hint.Text(e.hint) }

// usagef makes a usageError.
func usagef(next, format string, args ...any) error {
	return &usageError{text: fmt.Sprintf(format, args...), hint: next}
}

// exited is the exit code of a program that ran on the user's behalf.
type exited struct {
	code int
	err  error // why it did not run; nil: the program has reported its own error
}

func (e *exited) Error() string {
	if e.err != nil {
		return e.err.Error()
	}
	return fmt.Sprintf("the command ended with exit code %d", e.code)
}
func (e *exited) Unwrap() error { return e.err }

// silent reports whether an error needs no message.
func silent(err error) bool {
	switch e := err.(type) { //nolint:errorlint // all parts of a joined error are looked at
	case *exited:
		return e.err == nil
	case interface{ Unwrap() []error }:
		parts := e.Unwrap() // none: it has only its own message
		return len(parts) > 0 && !slices.ContainsFunc(parts, func(part error) bool { return !silent(part) })
	}
	return err == errInterrupted //nolint:errorlint // as above
}

// exitCode returns the exit code for an error; the codes are listed in --help.
func exitCode(err error) int {
	var program *exited
	var usage *usageError
	var file *config.Error
	var source *images.SourceError
	var unusable *doctor.UnusableError
	var broken *chaos.FailedError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &program):
		return program.code
	case errors.Is(err, errInterrupted):
		return exitInterrupted
	case errors.As(err, &usage), errors.As(err, &file), errors.As(err, &source), errors.Is(err, orchestrator.ErrInvalidSpec):
		return exitUsage
	case errors.As(err, &broken), errors.Is(err, check.ErrFailed):
		return exitNodeFailed
	case errors.Is(err, orchestrator.ErrNotReady):
		return exitNotReady
	case errors.Is(err, orchestrator.ErrNodeFailed), errors.Is(err, errUnhealthy):
		return exitNodeFailed
	case errors.As(err, &unusable),
		errors.Is(err, orchestrator.ErrEngineUnreachable),
		errors.Is(err, orchestrator.ErrFaultUnsupported),
		errors.Is(err, orchestrator.ErrEnginePermission),
		errors.Is(err, orchestrator.ErrEngineTooOld),
		errors.Is(err, orchestrator.ErrNoIPv6):
		return exitUnsupported
	}
	return exitError
}

// fail prints an error with its hint, and returns the exit code. It is the one
// place where errors are printed.
func (a *app) fail(ctx context.Context, err error) int {
	if ctx.Err() != nil && (err == nil || errors.Is(err, context.Canceled)) {
		err = interrupted(err)
	}
	if err == nil {
		return exitOK
	}
	var program *exited
	if silent(err) || errors.Is(err, errInterrupted) && !errors.As(err, &program) { // the user knows
		return exitCode(err)
	}
	err = understood(err)
	if a.json {
		_, _ = a.err.Write(failureJSON(err)) // fails if stderr is closed: the exit code remains
	} else {
		writeFailure(a.err, err)
	}
	return exitCode(err)
}

// writeFailure writes an error with its causes and hints.
func writeFailure(o *output, err error) {
	red, off := o.color("31;1"), o.color("0")
	fmt.Fprintf(o, "%serror:%s %s\n", red, off, printable(err.Error()))
	var diagnosed *orchestrator.DiagnosedError
	if errors.As(err, &diagnosed) {
		for _, f := range orchestrator.RootCauses(diagnosed.Findings) {
			fmt.Fprintf(o, "why: %s\n", printable(fmt.Sprint(f)))
		}
	}
	for _, line := range hints(err) {
		fmt.Fprintf(o, "hint: %s\n", printable(line))
	}
}

// hints returns the lines of the hints in an error, each once.
func hints(err error) []string {
	var all []string
	for line := range strings.Lines(hint.Lines(orchestrator.Hints(err)...).String()) {
		if line = strings.TrimRight(line, "\n"); line != "" && !slices.Contains(all, line) {
			all = append(all, line)
		}
	}
	return all
}

// interrupted reduces an error to what is worth reporting after a signal. The signal made a
// call give up: its context error is dropped, and errors joined to it are kept, such as a
// command that could not be ended.
func interrupted(err error) error {
	joined, ok := err.(interface{ Unwrap() []error }) // with a message around its parts it is one failure
	if !ok {
		return errInterrupted
	}
	parts := joined.Unwrap()
	if len(parts) < 2 || parts[0] != context.Canceled { //nolint:errorlint // as above
		return errInterrupted
	}
	rest := errors.Join(slices.DeleteFunc(slices.Clone(parts[1:]), func(part error) bool {
		return silent(part) || errors.Is(part, context.Canceled)
	})...)
	if rest == nil {
		return errInterrupted
	}
	return &exited{code: exitInterrupted, err: rest}
}

// understood adds the meaning to an engine's error. An error that ends an `up` has already been
// explained, along with what it concerned.
func understood(err error) error {
	switch {
	case errors.Is(err, orchestrator.ErrEngineUnreachable), errors.Is(err, orchestrator.ErrEnginePermission), errors.Is(err, orchestrator.ErrEngineTooOld):
		return cluster.Diagnose(err, orchestrator.Spec{})
	}
	return err
}

// failure is the JSON form of an error.
type failure struct {
	Error    string                     `json:"error"`
	ExitCode int                        `json:"exit_code"`
	Hints    []string                   `json:"hints,omitempty"`
	Problems []orchestrator.NodeProblem `json:"problems,omitempty"` // problems of nodes, with their findings
	Findings []orchestrator.Finding     `json:"findings,omitempty"`
}

// failureJSON returns an error as a line of JSON. It goes to stderr: stdout holds the answer, or
// the part of it that there is.
func failureJSON(err error) []byte {
	f := failure{Error: err.Error(), ExitCode: exitCode(err)}
	f.Hints = hints(err)
	var cluster *orchestrator.ClusterError
	if errors.As(err, &cluster) {
		for _, p := range cluster.Problems {
			f.Problems = append(f.Problems, p.Printed())
		}
	}
	var diagnosed *orchestrator.DiagnosedError
	if errors.As(err, &diagnosed) {
		f.Findings = orchestrator.PrintedFindings(diagnosed.Findings)
	}
	data, jsonErr := encodeJSON(f, "")
	if jsonErr != nil { // strings and numbers always encode
		panic(jsonErr)
	}
	return data
}
