package faults

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/beamyard/beamyard/network/erldist"
	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/hint"
)

// How says how the VM of a node ends.
type How string

// The ways of a VM to end. Source: erlang:halt/2.
const (
	Halt   How = "halt"   // at once, with exit code 1: nothing is stopped or flushed
	Abort  How = "abort"  // SIGABRT, as after a failed assertion of the VM
	Slogan How = "slogan" // a crash dump, with exit code 1
	OOM    How = "oom"    // it allocates until the kernel kills it at the container's memory limit
)

// crashes are Erlang expressions.
var crashes = map[How]string{
	Halt:   `erlang:halt(1, [{flush, false}])`,
	Abort:  `erlang:halt(abort)`,
	Slogan: `erlang:halt("crashed on purpose")`,
	OOM:    `(fun Grow(Kept) -> Grow([binary:copy(<<1>>, 16#1000000) | Kept]) end)([])`,
}

// Hows returns the ways to crash.
func Hows() []string {
	var hows []string
	for how := range crashes {
		hows = append(hows, string(how))
	}
	return slices.Sorted(slices.Values(hows))
}

// Evaluator evaluates an Erlang expression on a node: an [orchestrator.Controller].
type Evaluator interface {
	Eval(ctx context.Context, node, expression string, o orchestrator.EvalOptions) (string, error)
}

// Crash makes the VM of a node crash from inside, and returns when the VM has been told to. The
// restart policy applies. [OOM] without a memory limit is refused: it would take the memory of the
// whole machine.
func (i Injector) Crash(ctx context.Context, on Evaluator, node string, how How) error {
	expression, known := crashes[how]
	if !known {
		return fmt.Errorf("unknown way to crash %q: use %s", how, strings.Join(Hows(), ", "))
	}
	spec, known := i.Spec.NodeOf(node)
	if !known {
		return i.Spec.NoNode(node)
	}
	if how == OOM {
		info, err := i.Engine.Info(ctx)
		if err != nil {
			return err
		}
		all, err := i.List(ctx)
		if err != nil {
			return err
		}
		if fault.LimitsOf(node, fault.Limits{Memory: spec.Memory}, all, info.Time).Memory == 0 {
			return orchestrator.WithHint(fmt.Errorf("%s has no memory limit, so it would take the memory of the whole machine", node),
				"give it one: %s", hint.Squeeze.On(i.Spec.Name, node).With("256MiB"))
		}
	}
	// The pause gives the answer time to arrive.
	_, err := on.Eval(ctx, node, fmt.Sprintf("spawn(fun() -> timer:sleep(200), %s end), ok.", expression), orchestrator.EvalOptions{Erlang: true})
	if errors.Is(err, erldist.ErrClosed) {
		return nil // it crashed before its answer arrived
	}
	return err
}
