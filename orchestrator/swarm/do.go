package swarm

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Do carries out a plan, step by step. It calls done after each step. The first step that fails
// ends it; those before it stay done.
func Do(ctx context.Context, machines map[string]Machine, p Plan, done func(Step)) error {
	for _, s := range p.Steps {
		if err := do(ctx, machines, s); err != nil {
			return fmt.Errorf("host %s: %w", s.Host, err)
		}
		done(s)
	}
	return nil
}

func do(ctx context.Context, machines map[string]Machine, s Step) error {
	m := machines[s.Host]
	switch s.Do {
	case ActInit:
		return m.InitSwarm(ctx, s.Advertise)
	case ActJoin:
		manager, err := managerAddress(ctx, machines[s.Via], s)
		if err != nil {
			return fmt.Errorf("ask host %s for its address: %w", s.Via, err)
		}
		token, err := machines[s.Via].WorkerToken(ctx)
		if err != nil {
			return fmt.Errorf("ask host %s for the token of workers: %w", s.Via, err)
		}
		return discreet(m.JoinSwarm(ctx, s.Advertise, manager, token), token)
	case ActLeave:
		return m.LeaveSwarm(ctx, s.Force)
	case ActForget:
		return m.RemoveMember(ctx, s.Member)
	}
	return fmt.Errorf("unknown step %q", s.Do)
}

// managerAddress returns the address of a manager. One that the plan made a manager is asked.
func managerAddress(ctx context.Context, via Machine, s Step) (string, error) {
	if s.Manager != "" {
		return s.Manager, nil
	}
	state, err := via.Swarm(ctx)
	switch {
	case err != nil:
		return "", err
	case state.Address == "":
		return "", errors.New("it tells none")
	}
	return state.listens(), nil
}

// discreet removes a token from an error's text.
func discreet(err error, t Token) error {
	if err == nil || t.secret == "" || !strings.Contains(err.Error(), t.secret) {
		return err
	}
	return &discreetError{text: strings.ReplaceAll(err.Error(), t.secret, hidden), err: err}
}

// discreetError has another text than its cause. What the cause matches, it matches too.
type discreetError struct {
	text string
	err  error
}

func (e *discreetError) Error() string        { return e.text }
func (e *discreetError) Is(target error) bool { return errors.Is(e.err, target) }
