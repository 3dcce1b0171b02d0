//go:build soak

package soak

import (
	"context"
	"errors"
	"flag"
	"math/rand/v2"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"
)

var (
	soakFor  = flag.Duration("soak", 10*time.Minute, "how long things go wrong")
	soakSeed = flag.Uint64("seed", rand.Uint64(), "of the plan; the same seed replays the same faults")
)

// A detached cluster survives an hour of faults, and loses no line.
func TestSoak(t *testing.T) {
	t.Logf("seed %d, for %s, TLS: %t", *soakSeed, *soakFor, overTLS(*soakSeed))
	before := runtime.NumGoroutine()
	r := newRig(t, *soakSeed, *soakFor)
	defer r.save()
	defer r.cleanUp()
	ctx := context.WithoutCancel(t.Context())
	if _, err := r.beamyardWithin(ctx, imageTime, r.upArgs()...); err != nil {
		t.Fatal(err)
	}

	following, stop := context.WithCancel(ctx)
	c, w := newCollector(r), newWatcher(r)
	var followers sync.WaitGroup
	followers.Go(func() { c.followAll(following) })
	followers.Go(func() { w.followAll(following) })
	defer followers.Wait()
	defer stop()

	r.try(ctx, step{kind: settle})
	r.play(ctx, plan(*soakSeed, *soakFor))
	r.try(ctx, step{kind: settle})
	r.stopAll(ctx)
	lines, runs := r.compareOutput(ctx, c)
	stop()
	followers.Wait()
	r.down(ctx)
	r.proxy.Close()
	_ = r.docker.Close()
	if !within(ctx, 10*time.Second, func() bool { return runtime.NumGoroutine() <= before }) {
		stacks := make([]byte, 1<<20)
		r.violation("want %d goroutines as before, got %d:\n%s", before, runtime.NumGoroutine(), stacks[:runtime.Stack(stacks, true)])
	}
	r.report(c, w, lines, runs)
}

// play passes each step, when it is due, to the worker of its target, and returns when
// all are done.
func (r *rig) play(ctx context.Context, steps []step) {
	var workers, pending sync.WaitGroup
	queues := map[string]chan step{}
	begin := time.Now()
	for _, s := range steps {
		timer := time.NewTimer(time.Until(begin.Add(s.at)))
		<-timer.C
		if s.kind == settle {
			pending.Wait()
			r.try(ctx, s)
			if late := time.Since(begin.Add(s.at)) - settleTime; late > 0 {
				begin = begin.Add(late) // otherwise all steps that were due meanwhile would come at once
			}
			continue
		}
		queue := queues[s.target()]
		if queue == nil {
			queue = make(chan step, len(steps))
			queues[s.target()] = queue
			workers.Go(func() {
				for s := range queue {
					r.try(ctx, s)
					pending.Done()
				}
			})
		}
		pending.Add(1)
		queue <- s
	}
	for _, queue := range queues {
		close(queue)
	}
	workers.Wait()
}

// try performs a step and records its result.
func (r *rig) try(ctx context.Context, s step) {
	r.note("%s", s)
	switch err := r.do(ctx, s); {
	case errors.Is(err, errMissed):
		r.note("%s: %v", s, err)
		r.hit(s, true)
	case err != nil:
		r.violation("%s: %v", s, err)
	default:
		r.hit(s, false)
	}
}

// cleanUp removes what an interrupted soak left.
func (r *rig) cleanUp() {
	if len(r.ours()) > 0 {
		_, _ = r.beamyard(context.Background(), "down", r.cluster) // what is left is shown by the kill
	}
	for _, pid := range r.ours() {
		_ = syscall.Kill(pid, syscall.SIGKILL) // it has ended already, as intended
	}
}

// report prints the result of the soak.
func (r *rig) report(c *collector, w *watcher, lines, runs int) {
	r.t.Logf("seed %d, %s; %d violations", *soakSeed, *soakFor, r.violations)
	for _, k := range append(distinct(weighted), unpause, start, up, heal, settle) {
		r.t.Logf("  %-20s %4d done, %d missed", k, r.done[k], r.missed[k])
	}
	r.t.Logf("restarts of nodes: %d; exits after which the supervisor restarted one: %v", runs-len(nodes), w.ends)
	r.t.Logf("lines: %d in the engine's logs, each compared; %d of them compared once more, as delivered by %d supervisors", lines, c.again, c.sessions)
	r.t.Logf("events by kind: %v; complaints about reading: %v", w.kinds, c.system)
	r.t.Logf("the supervisors' peak: %d MB resident", r.peakRSS>>20)
}

func distinct(kinds []kind) (once []kind) {
	seen := map[kind]bool{}
	for _, k := range kinds {
		if !seen[k] {
			seen[k] = true
			once = append(once, k)
		}
	}
	return once
}
