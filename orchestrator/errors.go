package orchestrator

import (
	"errors"
	"fmt"
	"strings"

	"github.com/beamyard/beamyard/orchestrator/hint"
)

// Sentinels to branch on with errors.Is. Those of the first group come from an [Engine],
// which maps its own errors to them in one place. Those of the second group come from
// this package.
var (
	ErrEngineUnreachable = errors.New("the container engine does not answer")
	ErrEnginePermission  = errors.New("no permission to use the container engine")
	ErrEngineTooOld      = errors.New("the container engine's API is too old")
	ErrNotFound          = errors.New("not found")
	ErrNoRegularFile     = errors.New("it is not a regular file")
	ErrConflict          = errors.New("conflict")
	ErrNameTaken         = errors.New("the name is taken")
	ErrNotRunning        = errors.New("not running")
	ErrNoStdin           = errors.New("its standard input is closed")
	ErrPortTaken         = errors.New("the host port is taken")
	ErrSubnetOverlap     = errors.New("the subnet overlaps with another network")
	ErrAddressPool       = errors.New("no free address range left")
	ErrCannotStart       = errors.New("the container cannot be started")
	ErrUlimit            = errors.New("the engine may not raise this limit")
	ErrNoFaketime        = errors.New("the image has no libfaketime, which clock: true needs")
	ErrNoInit            = errors.New("the engine has no init program")
	ErrNoIPv6            = errors.New("the engine has no IPv6")
	ErrFaultUnsupported  = errors.New("the engine's kernel cannot do this fault")
	ErrHostLost          = errors.New("a host does not answer")
	ErrNoSwarm           = errors.New("the engine manages no swarm")
	ErrNoHostGateway     = errors.New("the engine does not know its machine's address")

	ErrClusterExists = errors.New("the cluster exists already")
	ErrNoCluster     = errors.New("no such cluster")
	ErrNoNode        = errors.New("no such node")
	ErrNotReady      = errors.New("the cluster is not ready in time")
	ErrNodeFailed    = errors.New("a node failed")
	ErrInvalidSpec   = errors.New("invalid cluster specification")
	ErrClosed        = errors.New("the cluster is not running")
	ErrNoSupervisor  = errors.New("no supervisor answers")
	ErrOverlapping   = errors.New("partitions would overlap")
)

// Hinter is an error with a hint: a step to take, or one sentence of advice. The command
// line prints it after the error.
type Hinter interface {
	error
	Hint() hint.Hint
}

// HintError is a plain error with a hint.
type HintError struct {
	Err  error
	Next hint.Hint
}

// WithHint adds a hint to err, formatted by [hint.Newf]. It returns nil if err is nil.
func WithHint(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return &HintError{Err: err, Next: hint.Newf(format, args...)}
}

func (e *HintError) Error() string { return e.Err.Error() }
func (e *HintError) Unwrap() error { return e.Err }

// Hint returns the hint.
func (e *HintError) Hint() hint.Hint { return e.Next }

// Hints returns the hints of an error: the outermost one of each part of a joined error.
func Hints(err error) []hint.Hint {
	if h, ok := err.(Hinter); ok && len(h.Hint()) > 0 { //nolint:errorlint // this walks the tree itself
		return []hint.Hint{h.Hint()}
	}
	switch e := err.(type) { //nolint:errorlint // as above
	case interface{ Unwrap() error }:
		return Hints(e.Unwrap())
	case interface{ Unwrap() []error }:
		var all []hint.Hint
		for _, part := range e.Unwrap() {
			all = append(all, Hints(part)...)
		}
		return all
	}
	return nil
}

// HintOf returns the first hint of an error, or none.
func HintOf(err error) hint.Hint {
	if all := Hints(err); len(all) > 0 {
		return all[0]
	}
	return nil
}

// Problem is one problem of a [Spec].
type Problem struct {
	Field string    `json:"field"` // "nodes[1].name"
	Text  string    `json:"text"`
	Hint  hint.Hint `json:"hint,omitempty"`
}

// SpecError lists every problem of a [Spec]. It matches [ErrInvalidSpec].
type SpecError struct{ Problems []Problem }

func (e *SpecError) Error() string {
	var b strings.Builder
	b.WriteString(ErrInvalidSpec.Error())
	for _, p := range e.Problems {
		fmt.Fprintf(&b, "\n  %s: %s", p.Field, p.Text)
	}
	return b.String()
}

// Is reports whether target is [ErrInvalidSpec].
func (e *SpecError) Is(target error) bool { return target == ErrInvalidSpec }

// Hint returns the hints of all problems, one per line.
func (e *SpecError) Hint() hint.Hint {
	var hints []hint.Hint
	for _, p := range e.Problems {
		hints = append(hints, p.Hint)
	}
	return hint.Lines(hints...)
}

// OverlapError refuses to disconnect A from B, or to reconnect others while these two
// stay disconnected: a third node would be connected to both. It matches
// [ErrOverlapping].
type OverlapError struct {
	A, B      string // the two nodes that would be disconnected
	Third     string // the node that would be connected to both
	Strict    string // one of the three, whose kernel prevents this
	Reconnect bool   // the request was to reconnect
}

func (e *OverlapError) Error() string {
	return fmt.Sprintf("%v: %s and %s would be apart while %s is connected to both, which the kernel of %s prevents: global would take innocent connections off",
		ErrOverlapping, e.A, e.B, e.Third, e.Strict)
}

// Is reports whether target is [ErrOverlapping].
func (e *OverlapError) Is(target error) bool { return target == ErrOverlapping }

// Hint says what to do instead. Source: kernel(6), prevent_overlapping_partitions.
func (e *OverlapError) Hint() hint.Hint {
	instead := "cut whole groups: with no peers named a node is cut off from all others"
	if e.Reconnect {
		instead = "reconnect whole groups: all that are cut from each other at once, with no peers named"
	}
	return hint.Newf("%s; or let partitions overlap: %s, or -kernel prevent_overlapping_partitions false in the VM's flags",
		instead, hint.Setting("distribution.overlapping_partitions: true"))
}

// NodeProblem says why a node is not Ready.
type NodeProblem struct {
	Node   string    `json:"node"`
	State  State     `json:"state"`
	Reason string    `json:"reason"`
	Hint   hint.Hint `json:"hint,omitempty"`
	Output []string  `json:"output,omitempty"` // the last lines, stderr first, each with its stream
	// Findings say what is wrong with the node, root causes first.
	Findings []Finding `json:"findings,omitempty"`
}

// Printed returns the problem as the command line prints it: its hints are text, with
// commands.
func (p NodeProblem) Printed() NodeProblem {
	p.Hint, p.Findings = p.Hint.Printed(), PrintedFindings(p.Findings)
	return p
}

// ClusterError says which nodes kept a cluster from becoming Ready, and why. It matches
// [ErrNotReady] if the deadline passed and [ErrNodeFailed] if a node failed for good.
type ClusterError struct {
	Cluster  string
	Kind     error // ErrNotReady or ErrNodeFailed
	Problems []NodeProblem
	Kept     bool // its containers and network are kept for inspection
}

func (e *ClusterError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "cluster %s: %v", e.Cluster, e.Kind)
	told := map[string]bool{}
	for _, p := range e.Problems {
		fmt.Fprintf(&b, "\n  %s (%s): %s", p.Node, p.State, p.Reason)
		for _, f := range RootCauses(p.Findings) {
			if text := f.String(); !told[text] {
				told[text] = true
				fmt.Fprintf(&b, "\n    why: %s", text)
			}
		}
		for _, line := range p.Output {
			fmt.Fprintf(&b, "\n    | %s", line)
		}
	}
	return b.String()
}

func (e *ClusterError) Unwrap() error { return e.Kind }

// Hint says how to fix the root causes that were found, each kind once: a fix for one
// node applies to the others too. If nothing was found, it returns the hints of the
// nodes.
func (e *ClusterError) Hint() hint.Hint {
	var hints []hint.Hint
	seen := map[string]bool{}
	add := func(key string, h hint.Hint) {
		if len(h) > 0 && !seen[key] {
			seen[key] = true
			hints = append(hints, h)
		}
	}
	for _, p := range e.Problems {
		for _, f := range RootCauses(p.Findings) {
			add("code "+string(f.Code), f.Hint())
		}
	}
	if len(hints) > 0 {
		if e.Kept && len(e.Problems) > 0 {
			add("kept", KeptHint(e.Cluster, e.Problems[0].Node))
		}
		return hint.Lines(hints...)
	}
	for _, p := range e.Problems {
		add(p.Hint.String(), p.Hint)
	}
	return hint.Lines(hints...)
}

// KeptHint returns a hint on how to inspect and remove a kept cluster.
func KeptHint(cluster, node string) hint.Hint {
	return hint.Newf("look: %s, %s; remove it: %s", hint.Logs.On(cluster, node), hint.Inspect.On(cluster, node), hint.Down.On(cluster))
}

// DiagnosedError is an error with its findings. Its text is that of Err.
type DiagnosedError struct {
	Err      error
	Findings []Finding
}

func (e *DiagnosedError) Error() string { return e.Err.Error() }

func (e *DiagnosedError) Unwrap() error { return e.Err }

// Hint says how to fix the root causes.
func (e *DiagnosedError) Hint() hint.Hint {
	var hints []hint.Hint
	for _, f := range RootCauses(e.Findings) {
		hints = append(hints, f.Hint())
	}
	return hint.Lines(hints...)
}

// EvalError is an exception that an expression raised on a node.
type EvalError struct {
	Node  string
	Text  string // as the language prints it
	Trace string // the stack trace, one call per line; "" if unknown
}

func (e *EvalError) Error() string {
	return strings.TrimRight(fmt.Sprintf("%s: %s\n%s", e.Node, e.Text, e.Trace), "\n")
}
