// Package wait provides wait strategies for nodes of a BEAM cluster. They complement
// testcontainers' package wait: they can be combined with its strategies (ForAll, ForAny) and
// passed to WithWaitStrategy.
//
//	target ── its node's RPC ──► erlang:nodes/0 · which_applications/0 · module:function
//	   └───── its State ───────► a container that has exited ends the wait
//
// A cluster that testsupport returns is already proven: every pair is connected, and the
// application runs. Use these strategies for what the application does after that, and for
// nodes that were started again.
//
// # Threads
//
// None: a strategy runs in the goroutine that waits.
package wait

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/testcontainers/testcontainers-go/wait"

	"github.com/beamyard/beamyard/network/erldist"
)

// Node is queried by a strategy. *testsupport.Node implements it.
type Node interface {
	// Call runs module:function(args…) on the node; see *testsupport.Node.
	Call(ctx context.Context, module, function string, args ...any) (any, error)
}

// DefaultTimeout is the default timeout of a strategy.
const DefaultTimeout = 60 * time.Second

// defaultPoll is the interval between queries: a call takes well under a millisecond.
const defaultPoll = 50 * time.Millisecond

// Strategy polls a node until a condition holds.
type Strategy struct {
	what    string
	ask     func(ctx context.Context, node Node) error // nil if it holds, otherwise why it does not
	timeout *time.Duration
	poll    time.Duration
}

var (
	_ wait.Strategy        = (*Strategy)(nil)
	_ wait.StrategyTimeout = (*Strategy)(nil)
	_ fmt.Stringer         = (*Strategy)(nil)
)

// WithStartupTimeout sets the timeout. Default [DefaultTimeout].
func (s *Strategy) WithStartupTimeout(d time.Duration) *Strategy {
	s.timeout = &d
	return s
}

// WithPollInterval sets the interval between queries. Default 50 ms.
func (s *Strategy) WithPollInterval(d time.Duration) *Strategy {
	s.poll = d
	return s
}

// Timeout implements wait.StrategyTimeout.
func (s *Strategy) Timeout() *time.Duration { return s.timeout }

// String describes the condition: "mesh of 3 nodes".
func (s *Strategy) String() string { return s.what }

// WaitUntilReady implements wait.Strategy. The target must be a node of a cluster. The
// error includes the node's last answer.
func (s *Strategy) WaitUntilReady(ctx context.Context, target wait.StrategyTarget) error {
	node, ok := target.(Node)
	if !ok {
		return fmt.Errorf("wait for %s: a %T is not a node of a cluster that testsupport started", s.what, target)
	}
	timeout := DefaultTimeout
	if s.timeout != nil {
		timeout = *s.timeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	began := time.Now()
	var last error
	for {
		why := s.ask(ctx, node)
		if why == nil {
			return nil
		}
		if ctx.Err() == nil || last == nil { // a call that was cut off has no new information
			last = why
		}
		if err := ended(ctx, target); err != nil {
			return fmt.Errorf("wait for %s: %w (%w)", s.what, err, last)
		}
		select {
		case <-time.After(s.poll):
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w after %s: %w", s.what, ctx.Err(), time.Since(began).Round(time.Millisecond), last)
		}
	}
}

// ended returns the reason to stop waiting, or nil.
func ended(ctx context.Context, target wait.StrategyTarget) error {
	state, _ := target.State(ctx) // if it fails, the next poll asks again
	switch {
	case state == nil || state.Running:
		return nil
	case state.OOMKilled:
		return errors.New("its container was killed over its memory limit")
	}
	return fmt.Errorf("its container has ended: %s, exit code %d", state.Status, state.ExitCode)
}

// ForMesh waits until the node sees n-1 others, and so belongs to a mesh of n. Hidden
// nodes, such as tools, do not count. Source: erlang:nodes/0.
func ForMesh(n int) *Strategy {
	return &Strategy{
		what: fmt.Sprintf("mesh of %d nodes", n), poll: defaultPoll,
		ask: func(ctx context.Context, node Node) error {
			answer, err := node.Call(ctx, "erlang", "nodes")
			if err != nil {
				return err
			}
			others, _ := answer.(erldist.List)
			if len(others)+1 < n {
				return fmt.Errorf("it sees %d others: %s", len(others), erldist.Format(answer))
			}
			return nil
		},
	}
}

// ForApplication waits until an OTP application is started on the node: "shop". Source:
// application:which_applications/0.
func ForApplication(app string) *Strategy {
	return &Strategy{
		what: "application " + app, poll: defaultPoll,
		ask: func(ctx context.Context, node Node) error {
			answer, err := node.Call(ctx, "application", "which_applications")
			if err != nil {
				return err
			}
			started, _ := answer.(erldist.List)
			for _, entry := range started {
				if t, ok := entry.(erldist.Tuple); ok && len(t) > 0 && t[0] == any(erldist.Atom(app)) {
					return nil
				}
			}
			return fmt.Errorf("%s is not among its %d started applications", app, len(started))
		},
	}
}

// MFA is a call: a module, a function and its arguments. The name of an Elixir module is
// written as in Elixir: "Demo.Counter".
type MFA struct {
	Module, Function string
	Args             []any
}

// String returns "Demo.Counter.value/0".
func (m MFA) String() string { return fmt.Sprintf("%s.%s/%d", m.Module, m.Function, len(m.Args)) }

// ForRPC waits until the result of a call on the node matches. If matches is nil, every
// result except nil, false, undefined, :error and {:error, …} matches. A failed call is
// repeated, because calls fail until the application has started.
func ForRPC(call MFA, matches func(result any) bool) *Strategy {
	if matches == nil {
		matches = wellFormed
	}
	return &Strategy{
		what: "RPC " + call.String(), poll: defaultPoll,
		ask: func(ctx context.Context, node Node) error {
			answer, err := node.Call(ctx, call.Module, call.Function, call.Args...)
			if err != nil {
				return err
			}
			if !matches(answer) {
				return fmt.Errorf("it gave %s", erldist.Format(answer))
			}
			return nil
		},
	}
}

// wellFormed reports whether a result means success.
func wellFormed(result any) bool {
	if t, ok := result.(erldist.Tuple); ok {
		return len(t) == 0 || t[0] != any(erldist.Atom("error"))
	}
	name, ok := result.(erldist.Atom)
	return !ok || name != "nil" && name != "false" && name != "undefined" && name != "error"
}
