package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
)

// verdict is the result of a check.
type verdict struct {
	state  State
	text   string
	remedy string
}

func ok(format string, args ...any) verdict {
	return verdict{state: OK, text: fmt.Sprintf(format, args...)}
}

func warning(remedy, format string, args ...any) verdict {
	return verdict{Warning, fmt.Sprintf(format, args...), remedy}
}

func failed(remedy, format string, args ...any) verdict {
	return verdict{Failed, fmt.Sprintf(format, args...), remedy}
}

func unknown(format string, args ...any) verdict {
	return verdict{state: Unknown, text: fmt.Sprintf(format, args...)}
}

// check is one check of the examination.
type check struct {
	code, title string
	look        func(context.Context, *examination) verdict
}

// examination is the state that the checks of one examination share. All of it is set before
// the first check runs.
type examination struct {
	Options
	engine    engineFacts
	engineErr error // why the engine cannot be queried

	containers *future[[]orchestrator.Container]
	networks   *future[[]orchestrator.Network]
	registry   *future[registryFacts]
	helper     *future[helperFacts]
}

// engineFacts are the engine's own data.
type engineFacts struct {
	info          orchestrator.EngineInfo
	asked, answer time.Time // by our clock, before and after the engine's
}

// begin asks the engine for its info, and then gathers the facts that several checks need.
func begin(ctx context.Context, o Options) *examination {
	e := &examination{Options: o, engineErr: o.NoEngine}
	switch {
	case o.NoEngine != nil:
	case o.Engine == nil:
		e.engineErr = errNoEngine
	default:
		e.engine.asked = time.Now()
		info := start(ctx, o.Patience, o.Engine.Info)
		<-info.done
		e.engine.answer, e.engine.info, e.engineErr = time.Now(), info.value, info.err
		if errors.Is(e.engineErr, errLate) {
			e.engineErr = &hangsError{e.engineErr}
		}
	}
	if e.engineErr != nil {
		return e
	}
	e.containers = start(ctx, o.Patience, func(ctx context.Context) ([]orchestrator.Container, error) { return o.Engine.Containers(ctx, nil) })
	e.networks = start(ctx, o.Patience, func(ctx context.Context) ([]orchestrator.Network, error) { return o.Engine.Networks(ctx, nil) })
	e.registry = start(ctx, o.Patience, e.askRegistry)
	// The helper's image may have to be made first, from a program of about 20 MB.
	e.helper = start(ctx, 3*o.Patience, e.runHelper)
	return e
}

// end waits for the goroutines of begin, which clean up after themselves.
func (e *examination) end() {
	if e.engineErr == nil {
		<-e.containers.done
		<-e.networks.done
		<-e.registry.done
		<-e.helper.done
	}
}

// run runs all checks at once; the results keep the order of the checks.
func (e *examination) run(ctx context.Context, all []check) []Check {
	results := make([]Check, len(all))
	var wg sync.WaitGroup
	for i, c := range all {
		wg.Go(func() {
			v := e.guarded(ctx, c)
			// An error may have several lines; the text of a check has one.
			results[i] = Check{c.code, c.title, v.state, strings.Join(strings.Fields(v.text), " "), v.remedy}
		})
	}
	wg.Wait()
	return results
}

// guarded turns the panic of a check into a failure.
func (e *examination) guarded(ctx context.Context, c check) (v verdict) {
	defer func() {
		if r := recover(); r != nil {
			v = notTold(fmt.Errorf("%w: %v", errCrashed, r))
		}
	}()
	// Longer than the limits of the facts, which report their own delays.
	ctx, cancel := context.WithTimeout(ctx, 4*e.Patience)
	defer cancel()
	return c.look(ctx, e)
}

// Errors of a fact: it was not available in time; the code that gathers it crashed.
var (
	errLate    = errors.New("no answer")
	errCrashed = errors.New("the check itself failed")
)

// hangsError reports that the engine did not answer in time.
type hangsError struct{ late error }

func (e *hangsError) Error() string   { return e.late.Error() }
func (e *hangsError) Unwrap() []error { return []error{orchestrator.ErrEngineUnreachable, e.late} }

// notTold is the verdict if a fact is missing.
func notTold(err error) verdict {
	switch {
	case errors.Is(err, errCrashed):
		return failed("report it with this line: it is a bug of beamyard", "%v", err)
	case errors.Is(err, context.DeadlineExceeded):
		return unknown("no answer in time")
	}
	return unknown("%v", err)
}

// future is a fact that is being gathered.
type future[T any] struct {
	done  chan struct{}
	value T
	err   error
}

// start gathers a fact in a goroutine that ends within the limit.
func start[T any](ctx context.Context, limit time.Duration, gather func(context.Context) (T, error)) *future[T] {
	f := &future[T]{done: make(chan struct{})}
	go func() {
		defer close(f.done)
		defer func() {
			if r := recover(); r != nil {
				f.err = fmt.Errorf("%w: %v", errCrashed, r)
			}
		}()
		ctx, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		f.value, f.err = gather(ctx)
		if errors.Is(f.err, context.DeadlineExceeded) {
			f.err = fmt.Errorf("%w within %s", errLate, limit)
		}
	}()
	return f
}

// get waits for the fact.
func (f *future[T]) get(ctx context.Context) (T, error) {
	select {
	case <-f.done:
		return f.value, f.err
	case <-ctx.Done():
		var none T
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return none, fmt.Errorf("%w in time", errLate)
		}
		return none, ctx.Err()
	}
}
