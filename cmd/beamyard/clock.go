package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/discovery"
	"github.com/beamyard/beamyard/orchestrator/faults"
)

type clockCmd struct {
	faulty
	Bump   time.Duration `placeholder:"TIME" help:"Set the clock forward or back: 30s, -5m."`
	Drift  float64       `placeholder:"RATE" help:"Let the clock run fast or slow: with 1.02 it shows 1.02 s after one second."`
	Strobe time.Duration `placeholder:"TIME" help:"Set the clock forward in every other second, and right again in between: 200ms."`
	Reset  bool          `help:"Heal the faults of these clocks. One that names several nodes ends for all of them."`
}

func (clockCmd) Help() string {
	return `Changes the wall clock of nodes with libfaketime. It needs clock: true in
beamyard.yml before the nodes start. Monotonic time stays right, and so do timers
and ticks: a wrong clock does not look like a partition. os:system_time and logs
show the change within a second. erlang:system_time follows: up to OTP 25 it
corrects itself by 1 %, from OTP 26 on in one jump within a minute.

  beamyard clock n1 --bump 30s
  beamyard clock n1 --drift 1.02 --for 1m
  beamyard clock n1 --reset`
}

// Run changes clocks, and prints what the nodes make of it.
func (c *clockCmd) Run(ctx context.Context, a *app) error {
	if c.Reset {
		return c.reset(ctx, a)
	}
	clock := fault.Clock{Bump: c.Bump, Drift: c.Drift, Strobe: c.Strobe}
	if clock == (fault.Clock{}) {
		return usagef("beamyard clock "+strings.Join(c.Nodes, " ")+" --bump 30s", "nothing to change: give --bump, --drift, --strobe or --reset")
	}
	nodes, err := c.inject(ctx, a, "clock", nil, func(_ context.Context, _ *nodeChooser, f *fault.Fault) error {
		f.Kind, f.Clock = fault.KindClock, clock
		return nil
	})
	if err != nil || a.json {
		return err
	}
	return c.showClocks(ctx, a, nodes)
}

// reset heals the faults of these clocks.
func (c *clockCmd) reset(ctx context.Context, a *app) error {
	if c.Bump != 0 || c.Drift != 0 || c.Strobe != 0 || c.For != 0 {
		return usagef("beamyard clock "+strings.Join(c.Nodes, " ")+" --reset", "--reset makes the clocks right, and takes no other flag")
	}
	return c.withFaults(ctx, a, "clock", c.Nodes, func(i faults.Injector, found discovery.Cluster) error {
		nodes, err := a.chooser(i.Engine, "clock", i.Spec, &c.seeded).nodes(ctx, c.Nodes...)
		if err != nil {
			return err
		}
		all, err := i.List(ctx)
		if err != nil {
			return err
		}
		var ids []string
		for _, f := range all {
			if f.Kind == fault.KindClock && slices.ContainsFunc(f.Nodes, func(n string) bool { return slices.Contains(nodes, n) }) {
				ids = append(ids, f.ID)
			}
		}
		healed := []fault.Fault{}
		if len(ids) > 0 {
			if healed, err = i.Heal(ctx, ids...); err != nil {
				return err
			}
		}
		if a.json {
			return a.printJSON(healed)
		}
		if len(healed) == 0 {
			a.say("no fault changes the clock of %s", strings.Join(nodes, ", "))
		}
		for _, f := range healed {
			if _, err := fmt.Fprintf(a.out, "%s is healed: %s\n", f.ID, f); err != nil {
				return err
			}
		}
		return nil
	})
}

// clockPatience is how long a node may take to read the new offset: it does so once a second.
const clockPatience = 2500 * time.Millisecond

// showClocks prints how far the clocks of nodes are ahead of this machine's.
func (c *clockCmd) showClocks(ctx context.Context, a *app, nodes []string) error {
	return c.withFaults(ctx, a, "clock", c.Nodes, func(i faults.Injector, found discovery.Cluster) error {
		controller, hangUp, err := controllerOf(ctx, i.Engine, found.Cluster)
		if err != nil {
			return err
		}
		defer hangUp()
		for _, n := range nodes {
			deadline := time.Now().Add(clockPatience)
			var os, erlang time.Duration
			for {
				if os, erlang, err = readClock(ctx, controller, n); err != nil {
					a.say("the clock of %s could not be read: %v", n, err)
					break
				}
				if os.Abs() > min(c.Bump.Abs()/2, time.Second) || time.Now().After(deadline) || c.Bump == 0 {
					break
				}
				select {
				case <-ctx.Done():
					return ctx.Err()
				case <-time.After(50 * time.Millisecond):
				}
			}
			if err != nil {
				continue
			}
			if _, err := fmt.Fprintf(a.out, "%s: os:system_time is %s, erlang:system_time %s\n", n, ahead(os), ahead(erlang)); err != nil {
				return err
			}
		}
		return nil
	})
}

// readings is how often a clock is read. The reading with the shortest round trip counts, as in NTP:
// nothing tells which half of a long one took the time.
const readings = 5

// readClock returns how far the two clocks of a VM are ahead of this machine's.
func readClock(ctx context.Context, on faults.Evaluator, node string) (os, erlang time.Duration, err error) {
	shortest := time.Duration(0)
	for range readings {
		before := time.Now()
		text, err := on.Eval(ctx, node, "{os:system_time(microsecond), erlang:system_time(microsecond)}.", orchestrator.EvalOptions{Erlang: true})
		if err != nil {
			return 0, 0, err
		}
		took := time.Since(before)
		var o, e int64
		if _, err := fmt.Sscanf(text, "{%d,%d}", &o, &e); err != nil {
			return 0, 0, fmt.Errorf("%q is not a pair of times", text)
		}
		if now := before.Add(took / 2); shortest == 0 || took < shortest {
			shortest, os, erlang = took, time.UnixMicro(o).Sub(now), time.UnixMicro(e).Sub(now)
		}
	}
	return os, erlang, nil
}

// ahead describes an offset.
func ahead(d time.Duration) string {
	switch d = d.Round(100 * time.Millisecond); {
	case d < 0:
		return (-d).String() + " behind"
	case d > 0:
		return d.String() + " ahead"
	}
	return "right"
}
