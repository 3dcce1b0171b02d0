package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/ask"
	"github.com/beamyard/beamyard/orchestrator/control"
	"github.com/beamyard/beamyard/orchestrator/effects"
	"github.com/beamyard/beamyard/orchestrator/health"
)

const (
	// meshPoll is how often a supervisor is asked what the nodes see.
	meshPoll = 50 * time.Millisecond
	// wholeTime is how long nodes may take to connect again after a heal.
	wholeTime = time.Minute
	// decideTime is how long global may take to agree on names after that: then it counts as
	// stuck.
	decideTime = health.StuckAfter + 5*time.Second
)

// pauseFor waits, unless ctx ends.
func pauseFor(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// askKernels asks the nodes for their settings, over the supervisor if there is one, while the
// fault is brought into force. The returned function waits for the answer.
func (a *app) askKernels(ctx context.Context, cluster string, spec orchestrator.Spec, f fault.Fault) func() map[string]effects.Kernel {
	answer := make(chan health.Report, 1)
	if len(f.Cuts(nodeNamesOf(spec))) == 0 { // nothing is expected of it
		answer <- health.Report{}
	} else {
		go func() {
			asking, cancel := context.WithTimeout(ctx, supervisorPatience)
			defer cancel()
			var report orchestrator.HealthReport
			if c, err := control.Dial(asking, cluster); err == nil {
				defer c.Close()
				report, _ = c.Health(asking) // without it, the spec's settings are shown as such
			}
			answer <- report.Report
		}()
	}
	return func() map[string]effects.Kernel { return effects.Kernels(spec, <-answer) }
}

// sayExpected says what the nodes are likely to make of a fault.
func (a *app) sayExpected(e effects.Expectation) {
	if a.json && a.words == nil {
		return
	}
	for _, line := range e.Lines() {
		a.say("expect of %s", line)
	}
}

// aftermath waits until the nodes are connected again after faults, and until what they make of
// that shows. Then it prints what was lost, and what is apart. It returns nil if no supervisor
// answers.
func (a *app) aftermath(ctx context.Context, cluster string, spec orchestrator.Spec, healed time.Time, over ...fault.Fault) (*effects.Report, error) {
	asking, cancel := context.WithTimeout(ctx, supervisorPatience)
	defer cancel()
	c, err := control.Dial(asking, cluster)
	if err == nil {
		defer c.Close()
		_, err = c.Status(asking)
	}
	if err != nil {
		a.say("no supervisor answers, so it is not known when the nodes are connected again")
		return nil, nil
	}
	seen := effects.Observation{Spec: spec, Faults: over, Healed: healed}
	late := a.settled(ctx, c, &seen)
	if late != nil && !errors.Is(late, orchestrator.ErrNotReady) {
		return nil, late
	}
	deadline := time.Now().Add(decideTime)
	for {
		report, err := c.Health(ctx)
		if err != nil {
			return nil, errors.Join(late, err)
		}
		if seen.Journal, err = c.Journal(ctx); err != nil {
			return nil, errors.Join(late, err)
		}
		st, err := c.Status(ctx)
		if err != nil {
			return nil, errors.Join(late, err)
		}
		seen.Health, seen.InForce = &report, st.Faults
		if len(effects.Undecided(report.Report)) == 0 || time.Now().After(deadline) {
			break
		}
		if err := pauseFor(ctx, time.Second); err != nil {
			return nil, err
		}
	}
	r := effects.Observe(seen)
	return a.printAftermath(r, late)
}

// settled waits until the nodes are connected again, if Beamyard connects them, and what they make
// of that shows.
func (a *app) settled(ctx context.Context, c orchestrator.Controller, seen *effects.Observation) error {
	if err := a.whole(ctx, c, seen); err != nil {
		return err
	}
	if blip := seen.Healed.IsZero(); !a.json && !blip && seen.Spec.Mesh == orchestrator.MeshBeamyard {
		a.say("every pair is connected again, after %s", time.Since(seen.Healed).Round(10*time.Millisecond))
	}
	report, err := c.Health(ctx)
	if err != nil {
		return err
	}
	if seen.Journal, err = c.Journal(ctx); err != nil {
		return err
	}
	st, err := c.Status(ctx)
	if err != nil {
		return err
	}
	if seen.Spec.Mesh == orchestrator.MeshBeamyard {
		ask.SyncNames(ctx, c, ask.Up(st))
	}
	unnoticed := effects.Observe(*seen).Unnoticed
	if err := pauseFor(ctx, effects.Settle(unnoticed, effects.Kernels(seen.Spec, report.Report))); err != nil {
		return err
	}
	return a.whole(ctx, c, seen)
}

// whole waits until the nodes are connected again, if Beamyard connects them.
func (a *app) whole(ctx context.Context, c orchestrator.Controller, seen *effects.Observation) error {
	var healed []string
	for _, f := range seen.Faults {
		healed = append(healed, f.ID)
	}
	for deadline := time.Now().Add(wholeTime); seen.Spec.Mesh == orchestrator.MeshBeamyard; {
		st, err := c.Status(ctx)
		switch {
		case err != nil:
			return err
		case effects.Whole(st, healed...):
			return nil
		case time.Now().After(deadline):
			return fmt.Errorf("%w: not every pair is connected again within %s", orchestrator.ErrNotReady, wholeTime)
		}
		if err := pauseFor(ctx, meshPoll); err != nil {
			return err
		}
	}
	return nil
}

// printAftermath prints a report, with the findings in full, and returns it with the error.
func (a *app) printAftermath(r effects.Report, late error) (*effects.Report, error) {
	r.Left = orchestrator.PrintedFindings(r.Left)
	text := ""
	for _, line := range r.Lines() {
		text += printable(line) + "\n"
	}
	text += findingsText(r.Left)
	_, err := fmt.Fprint(a.people(), text)
	return &r, errors.Join(late, err)
}
