package chaos

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/internal/wait"
)

// Actor does to a cluster what a schedule says. A node that is not running matches
// [orchestrator.ErrNotRunning], and what cannot be done to it is missed.
type Actor interface {
	Kill(ctx context.Context, nodes ...string) error
	Stop(ctx context.Context, nodes ...string) error
	// Start starts those of the nodes, or of all without any, that are down for good.
	Start(ctx context.Context, nodes ...string) error
	Pause(ctx context.Context, nodes ...string) error
	// Unpause resumes those of the nodes, or of all without any, that are paused.
	Unpause(ctx context.Context, nodes ...string) error
	// Inject brings a fault into force, and returns its ID. Heal ends it after about that time.
	Inject(ctx context.Context, f fault.Fault, lasts time.Duration) (id string, err error)
	// Heal ends faults of the network, or all without any ID.
	Heal(ctx context.Context, ids ...string) error
	// Blip resets the connections that a fault cuts.
	Blip(ctx context.Context, f fault.Fault) error
	// Ready returns nil if every node is Ready and the mesh is full. Otherwise it says what is
	// missing.
	Ready(ctx context.Context) error
}

// Runner plays schedules. Its zero value needs an Actor.
type Runner struct {
	Actor Actor
	// Checks returns nil if the cluster is as it should be while no fault is in force. Nil:
	// Ready is enough.
	Checks func(ctx context.Context) error
	// Leader returns the leaders that nodes name, "" among them for a node that knows none.
	// Nil: it is not asked for.
	Leader func(ctx context.Context) []string
	// Recovery is how long the nodes may take to be Ready after the last fault. Default 1m.
	Recovery time.Duration
	// Settle is how long the checks may take to hold after that. Default 10s.
	Settle time.Duration
	// Tell gets each event as it happens, on the goroutine of Run. Nil: they are dropped.
	Tell func(Event)
}

// Defaults of a [Runner].
const (
	DefaultRecovery = time.Minute
	DefaultSettle   = 10 * time.Second
)

const (
	// poll is the time between two questions to the cluster.
	poll = 100 * time.Millisecond
	// steady is how long a cluster must have been Ready to count as recovered. A supervisor knows
	// of a death within 30 ms, and of reset connections within half a second.
	steady = time.Second
	// endTime limits the end of a fault, and of all.
	endTime = 30 * time.Second
)

// FailedError says that a cluster did not come back, or that a check does not hold after the
// last fault. It wraps the reason.
type FailedError struct {
	Seed  uint64
	Cause error
}

func (e *FailedError) Error() string {
	return fmt.Sprintf("after the faults of seed %d: %v", e.Seed, e.Cause)
}
func (e *FailedError) Unwrap() error { return e.Cause }

// Run plays a schedule, and returns what was done. The error is a [FailedError] if the cluster
// does not come back, the error of a fault that could not be injected, which ends the run, or that
// of ctx.
// All faults have ended when Run returns, whatever the reason. A cluster that is not Ready, or
// whose checks do not hold, is not touched.
func (r Runner) Run(ctx context.Context, s Schedule) (Report, error) {
	if r.Recovery == 0 {
		r.Recovery = DefaultRecovery
	}
	if r.Settle == 0 {
		r.Settle = DefaultSettle
	}
	if r.Tell == nil {
		r.Tell = func(Event) {}
	}
	if _, err := r.settled(ctx); err != nil {
		return Report{Seed: s.Seed}, fmt.Errorf("before the first fault: %w", err)
	}
	p := &play{Runner: r, begin: time.Now(), report: Report{Seed: s.Seed}}
	stop := p.watchLeader(ctx)
	err := p.steps(ctx, s)
	if err == nil {
		err = p.last(ctx, s)
	} else {
		err = errors.Join(err, p.endAll(ctx))
	}
	stop()
	p.report.leaders(p.samples)
	return p.report, err
}

// settled waits until the cluster has been Ready for a second and the checks hold. It returns the
// time since which the cluster has been Ready; zero if it is not.
func (r Runner) settled(ctx context.Context) (ready time.Time, err error) {
	deadline := time.Now().Add(r.Recovery)
	for {
		err := r.Actor.Ready(ctx)
		now := time.Now()
		switch {
		case ctx.Err() != nil:
			return ready, context.Cause(ctx)
		case err != nil && now.After(deadline):
			return ready, fmt.Errorf("%w, after %s: %w", orchestrator.ErrNotReady, r.Recovery, err)
		case err != nil:
			ready = time.Time{}
		case ready.IsZero():
			ready = now
		case now.Sub(ready) < steady:
		case r.Checks == nil:
			return ready, nil
		default:
			err = r.Checks(ctx)
			switch now = time.Now(); {
			case ctx.Err() != nil:
				return ready, context.Cause(ctx)
			case err == nil:
				return ready, nil
			case now.Sub(ready) > r.Settle:
				return ready, fmt.Errorf("after %s: %w", r.Settle, err)
			}
		}
		wait.Sleep(ctx, poll)
	}
}

// play is one run.
type play struct {
	Runner
	begin   time.Time
	report  Report
	samples []sample
}

func (p *play) now() time.Duration { return time.Since(p.begin) }

func (p *play) tell(phase Phase, s Step, text string) {
	p.Tell(Event{At: p.now(), Phase: phase, Step: s, Text: text})
}

// steps plays all steps.
func (p *play) steps(ctx context.Context, s Schedule) error {
	for i, step := range s.Steps {
		due := step.At
		if step.After > 0 {
			due = p.now() + step.After
		}
		if !wait.Sleep(ctx, due-p.now()) {
			return context.Cause(ctx)
		}
		next := time.Duration(-1) // the last phase waits for what the last step left
		if i+1 < len(s.Steps) && s.Steps[i+1].After == 0 {
			next = s.Steps[i+1].At
		}
		done, err := p.step(ctx, step, next)
		p.report.Steps = append(p.report.Steps, done)
		if err != nil {
			return err
		}
	}
	return nil
}

// step plays one step, and watches the nodes until the next one begins.
func (p *play) step(ctx context.Context, s Step, next time.Duration) (Done, error) {
	d := Done{Step: s, Began: p.now()}
	p.tell(Begins, s, "")
	id, err := p.do(ctx, s)
	d.Fault = id
	if errors.Is(err, orchestrator.ErrNotRunning) {
		d.Missed = err.Error()
		p.tell(Misses, s, d.Missed)
		d.Ended = p.now()
		return d, p.undo(ctx, s, id) // of several nodes, others run
	}
	if err != nil {
		return d, fmt.Errorf("%s: %w", s, err)
	}
	end := p.now() + s.Lasts // it is in force now
	recovers := &recovery{from: d.Began}
	if s.Kind == Kill {
		p.watch(ctx, recovers, end)
	}
	if !wait.Sleep(ctx, end-p.now()) {
		return d, context.Cause(ctx)
	}
	if err := p.undo(ctx, s, id); err != nil {
		return d, fmt.Errorf("end of %s: %w", s, err)
	}
	d.Ended = p.now()
	if s.Kind.lasts() && s.Kind != Kill {
		p.tell(Ends, s, "")
	}
	if s.Kind != Kill {
		recovers = &recovery{from: d.Ended}
	}
	if next >= 0 {
		p.watch(ctx, recovers, next)
	}
	if recovers.done {
		d.recovered(recovers.ready)
		p.tell(Recovers, s, seconds(*d.Recovered))
	}
	return d, context.Cause(ctx)
}

// do begins a step, and returns the ID of its fault.
func (p *play) do(ctx context.Context, s Step) (id string, err error) {
	switch s.Kind {
	case Kill:
		return "", p.Actor.Kill(ctx, s.Nodes...)
	case Stop:
		return "", p.Actor.Stop(ctx, s.Nodes...)
	case Pause:
		return "", p.Actor.Pause(ctx, s.Nodes...)
	case Blip:
		return "", p.Actor.Blip(ctx, s.Fault)
	case Partition, OneWay, Loss, Rate:
		return p.Actor.Inject(ctx, s.Fault, s.Lasts)
	}
	return "", fmt.Errorf("unknown kind of step %q", s.Kind)
}

// undo ends a step.
func (p *play) undo(ctx context.Context, s Step, id string) error {
	ctx, cancel := context.WithTimeout(ctx, endTime)
	defer cancel()
	switch s.Kind {
	case Kill, Stop:
		return p.Actor.Start(ctx, s.Nodes...)
	case Pause:
		return p.Actor.Unpause(ctx, s.Nodes...)
	case Partition, OneWay, Loss, Rate:
		return p.Actor.Heal(ctx, id)
	case Blip:
	}
	return nil
}

// recovery is the time at which the nodes were Ready again.
type recovery struct {
	from, ready time.Duration
	holds, done bool
}

// watch watches the nodes until they have recovered, or until that time.
func (p *play) watch(ctx context.Context, r *recovery, end time.Duration) {
	for !r.done && p.now() < end && ctx.Err() == nil {
		switch err := p.Actor.Ready(ctx); {
		case err != nil:
			r.holds = false
		case !r.holds:
			r.ready, r.holds = p.now(), true
			if r.ready-r.from < poll {
				r.ready = r.from // they have been ready all the time
			}
		default:
			r.done = p.now()-r.ready >= steady
		}
		wait.Sleep(ctx, min(poll, end-p.now()))
	}
}

// last ends everything, and waits for the cluster.
func (p *play) last(ctx context.Context, s Schedule) error {
	p.tell(Lasts, Step{}, "")
	from := p.now() // before what is told to end has ended: as each step counts
	if err := p.endAll(ctx); err != nil {
		return &FailedError{s.Seed, err}
	}
	ready, err := p.settled(ctx)
	if n := len(p.report.Steps); n > 0 && !ready.IsZero() {
		p.report.Steps[n-1].recovered(ready.Sub(p.begin))
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return &FailedError{s.Seed, err}
	}
	back := p.now() - from
	p.report.Back = &back
	return nil
}

// endAll ends all faults, also if ctx has ended.
func (p *play) endAll(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTime)
	defer cancel()
	if err := errors.Join(p.Actor.Unpause(ctx), p.Actor.Heal(ctx), p.Actor.Start(ctx)); err != nil {
		return fmt.Errorf("%w: %w", ErrFaultsLeft, err)
	}
	return nil
}

// ErrFaultsLeft says that not all faults could be ended.
var ErrFaultsLeft = errors.New("not all faults could be ended")

// watchLeader asks for the leader until stop is called, which waits for the last answer.
func (p *play) watchLeader(ctx context.Context) (stop func()) {
	if p.Leader == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	var samples []sample
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			at := p.now()
			leaders := p.Leader(ctx)
			if ctx.Err() == nil && len(leaders) > 0 {
				samples = append(samples, sample{at, leaders})
			}
			wait.Sleep(ctx, poll)
		}
	}()
	return func() {
		cancel()
		<-ended
		p.samples = samples
	}
}

// sample is what nodes named as their leader at a time.
type sample struct {
	at      time.Duration
	leaders []string
}

// agreed reports whether all named the same one.
func (s sample) agreed() bool { return len(s.leaders) == 1 && !slices.Contains(s.leaders, "") }
