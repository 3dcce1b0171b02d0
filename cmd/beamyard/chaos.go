package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/chaos"
	"github.com/beamyard/beamyard/orchestrator/check"
	"github.com/beamyard/beamyard/orchestrator/discovery"
	"github.com/beamyard/beamyard/orchestrator/evidence"
	"github.com/beamyard/beamyard/orchestrator/faults"
	"github.com/beamyard/beamyard/orchestrator/hint"
)

type chaosCmd struct {
	target
	seeded
	For          *time.Duration `placeholder:"TIME" help:"How long to break the cluster. (Default: 1m.)"`
	Every        *time.Duration `placeholder:"TIME" help:"Time from one fault to the next. (Default: 10s.)"`
	Faults       []string       `placeholder:"KIND" complete:"kill|stop|pause|partition|one-way|blip|loss|rate" help:"Kinds of faults: kill, stop, pause, partition, one-way, blip, loss, rate. (Default: kill,partition,blip,pause,loss.)"`
	AfterHeal    *time.Duration `placeholder:"TIME" help:"Add a second fault this long after the end of each, while the nodes recover: 50ms."`
	Check        []string       `sep:"none" placeholder:"EXPR" help:"What must hold before and after the faults: EXPR is true on every node; agree: EXPR is the same value on all; unique: EXPR has one process for each name. Elixir. May be repeated."`
	Leader       string         `placeholder:"EXPR" help:"Elixir that returns the leader: a node, a pid, or {name, node}. Reports the time until all nodes name one again."`
	Recovery     time.Duration  `default:"1m" placeholder:"TIME" help:"How long the nodes may take to be Ready after the last fault (${default})."`
	Settle       time.Duration  `default:"10s" placeholder:"TIME" help:"How long the checks may take to hold after that (${default})."`
	Replay       string         `placeholder:"FILE" complete:"files" help:"Play the schedule in this file, which --save wrote, with the checks of this command."`
	Save         string         `placeholder:"FILE" complete:"files" help:"Write the schedule to this file."`
	UntilFailure bool           `help:"Repeat with the next seed until the cluster does not come back, or a check fails."`
}

func (chaosCmd) Help() string {
	return `Plays faults by a schedule that the seed determines, and prints the schedule first.
The cluster must be Ready and the checks must hold before the first fault. At the end
all faults are healed; then every node must be Ready again, the mesh full, and the
checks must hold. Otherwise the exit code is 4, and the evidence is kept, as export
writes it. Ctrl-C ends the faults, too. Needs a supervisor.

Partitions and pauses are silence, which nodes notice after net_tick, 60 s by default.
A fault lasts a fifth to three fifths of --every. So that each one is noticed, set
net_tick: 4s in beamyard.yml, and use --every 30s.
No node is killed more often than its restart policy allows.

--json prints the schedule and a report; with --until-failure, a line for each seed.

Examples:
  beamyard chaos --seed 7 --for 5m --every 30s
  beamyard chaos --check 'agree: MyApp.Counter.value()' --until-failure
  beamyard chaos --faults partition --check 'unique: MyApp.Registry.all()'`
}

// Run breaks a cluster by a schedule.
func (c *chaosCmd) Run(ctx context.Context, a *app) error {
	checks, err := c.parsed()
	if err != nil {
		return err
	}
	replayed, err := c.replayed()
	if err != nil {
		return err
	}
	return c.withFaults(ctx, a, "chaos", nil, func(i faults.Injector, found discovery.Cluster) error {
		controller, hangUp, err := controllerOf(ctx, i.Engine, found.Cluster)
		if err != nil {
			return err
		}
		defer hangUp()
		if st, err := controller.Status(ctx); err != nil {
			return err
		} else if !st.Supervised {
			return orchestrator.WithHint(fmt.Errorf("cluster %s: %w", found.Cluster, orchestrator.ErrNoSupervisor), "supervise it again: %s", hint.Supervise.On(found.Cluster))
		}
		if err := i.Prepare(ctx); err != nil {
			return err
		}
		live := &chaos.Live{Cluster: controller, Faults: i}
		runner := chaos.Runner{Actor: live, Checks: live.Holds(checks...), Leader: live.Leaders(c.Leader), Recovery: c.Recovery, Settle: c.Settle}
		if !a.json {
			runner.Tell = func(e chaos.Event) { fmt.Fprintln(a.out, e) }
		}
		for seed := c.seed(); ; seed++ {
			s := replayed
			if c.Replay == "" {
				s = c.schedule(i.Spec, seed)
			}
			if len(s.Steps) == 0 && c.Replay != "" {
				return usagef("beamyard chaos --seed 7 --save "+hint.Quote(c.Replay), "--replay %s: the schedule has no fault", c.Replay)
			}
			if len(s.Steps) == 0 {
				return usagef("beamyard chaos --for 5m --every 10s", "the schedule has no fault: --for is too short, the cluster is too small, or its restart policy allows no kill")
			}
			err := c.play(ctx, a, runner, i.Spec, s)
			if err != nil {
				return c.failed(ctx, a, i, s, err)
			}
			if !c.UntilFailure {
				return nil
			}
		}
	})
}

// parsed checks the flags, and returns the checks.
func (c *chaosCmd) parsed() (checks []check.Check, err error) {
	for flag, d := range map[string]*time.Duration{"--for": c.For, "--every": c.Every, "--after-heal": c.AfterHeal, "--recovery": &c.Recovery, "--settle": &c.Settle} {
		if d != nil && *d <= 0 {
			return nil, usagef("beamyard chaos --for 5m --every 10s", "%s %s: it must be longer than 0", flag, *d)
		}
	}
	for _, k := range c.Faults {
		if !slices.Contains(chaos.Kinds, chaos.Kind(k)) {
			return nil, usagef("beamyard chaos --faults kill,partition", "--faults %s: it is not one of %s", k, kindNames(chaos.Kinds))
		}
	}
	for _, text := range c.Check {
		k, err := check.Parse(text)
		if err != nil {
			return nil, usagef("beamyard chaos --check 'agree: MyApp.Counter.value()'", "--check: %v", err)
		}
		checks = append(checks, k)
	}
	if c.Replay != "" && (c.Seed != nil || c.UntilFailure || c.For != nil || c.Every != nil || c.AfterHeal != nil || c.Faults != nil) {
		return nil, usagef("beamyard chaos --replay "+hint.Quote(c.Replay), "--replay plays one schedule as it is: --seed, --for, --every, --faults, --after-heal and --until-failure make others")
	}
	return checks, nil
}

func kindNames(kinds []chaos.Kind) string {
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = string(k)
	}
	return strings.Join(names, ", ")
}

// replayed returns the schedule of --replay.
func (c *chaosCmd) replayed() (s chaos.Schedule, err error) {
	if c.Replay == "" {
		return s, nil
	}
	data, err := os.ReadFile(c.Replay)
	if err == nil {
		s, err = chaos.Read(data)
	}
	if err != nil {
		return s, usagef("beamyard chaos --seed 7 --save "+hint.Quote(c.Replay), "--replay %s: %v", c.Replay, err)
	}
	return s, nil
}

// schedule plans the faults of a seed.
func (c *chaosCmd) schedule(spec orchestrator.Spec, seed uint64) chaos.Schedule {
	o := chaos.Options{Seed: seed}
	for to, given := range map[*time.Duration]*time.Duration{&o.For: c.For, &o.Every: c.Every, &o.AfterHeal: c.AfterHeal} {
		if given != nil {
			*to = *given
		}
	}
	o.Kills, o.Window = chaos.PolicyOf(spec)
	for _, k := range c.Faults {
		o.Kinds = append(o.Kinds, chaos.Kind(k))
	}
	return chaos.Plan(o, nodeNamesOf(spec))
}

// play prints a schedule, plays it, and prints the report.
func (c *chaosCmd) play(ctx context.Context, a *app, runner chaos.Runner, spec orchestrator.Spec, s chaos.Schedule) error {
	if missing := slices.DeleteFunc(slices.Clone(s.Nodes), func(n string) bool { return spec.Index(n) >= 0 }); len(missing) > 0 {
		return usagef("beamyard up -n "+strconv.Itoa(len(s.Nodes)), "the schedule is for %s, and there is no %s", strings.Join(s.Nodes, ", "), strings.Join(missing, ", "))
	}
	if c.Save != "" {
		data, err := encodeJSON(s, "  ")
		if err == nil {
			err = os.WriteFile(c.Save, data, 0o600)
		}
		if err != nil {
			return fmt.Errorf("save the schedule: %w", err)
		}
	}
	if !a.json {
		fmt.Fprint(a.out, s)
		c.expect(a, spec, s)
		fmt.Fprintln(a.out)
	}
	report, err := runner.Run(ctx, s)
	switch {
	case a.json && c.UntilFailure:
		err = errors.Join(err, a.printJSONLine(chaosRun{s, report}))
	case a.json:
		err = errors.Join(err, a.printJSON(chaosRun{s, report}))
	case len(report.Steps) > 0 && ctx.Err() == nil:
		fmt.Fprintf(a.out, "\n%s", report)
	}
	return err
}

// chaosRun is the answer in JSON.
type chaosRun struct {
	Schedule chaos.Schedule `json:"schedule"`
	Report   chaos.Report   `json:"report"`
}

// expect says what the nodes will not notice.
func (c *chaosCmd) expect(a *app, spec orchestrator.Spec, s chaos.Schedule) {
	tick, silent := spec.NetTick, 0
	if tick == 0 {
		tick = time.Minute
	}
	for _, step := range s.Steps {
		if step.Lasts >= tick-tick/4 {
			continue
		}
		if step.Kind == chaos.Pause || step.Kind == chaos.OneWay || step.Kind == chaos.Partition && step.Fault.How == fault.Drop {
			silent++
		}
	}
	if silent > 0 {
		are := "are"
		if silent == 1 {
			are = "is"
		}
		a.say("%s %s silence that ends before net_tick (%s): the nodes stay connected. For longer silence, give a longer --every, or a shorter net_tick: in beamyard.yml", plural(silent, "fault"), are, tick)
	}
}

// failed keeps the evidence of a failure, and says how to play it again.
func (c *chaosCmd) failed(ctx context.Context, a *app, i faults.Injector, s chaos.Schedule, err error) error {
	if ctx.Err() != nil {
		if !errors.Is(err, chaos.ErrFaultsLeft) {
			a.say("all faults are healed")
		}
		return err
	}
	var failed *chaos.FailedError
	if !errors.As(err, &failed) && !errors.Is(err, check.ErrFailed) {
		return err
	}
	dir := os.Getenv(exportDir)
	if dir == "" {
		dir = "."
	}
	path, unwritten := filepath.Abs(dir)
	if unwritten == nil {
		b := collect(ctx, evidence.Source{Spec: i.Spec, Cause: err, Engine: i.Engine})
		path, unwritten = b.Leave(path)
		unwritten = errors.Join(unwritten, b.Close())
	}
	if unwritten != nil {
		a.say("evidence could not be kept: %v", unwritten)
	} else {
		a.say("evidence: %s", path)
	}
	if failed == nil { // nothing was played
		return err
	}
	return orchestrator.WithHint(err, "play it again: %s", c.again(i.Spec.Name, s))
}

// again is the command that plays a schedule again.
func (c *chaosCmd) again(cluster string, s chaos.Schedule) string {
	words := []string{"beamyard chaos -c", cluster}
	if c.Replay != "" {
		words = append(words, "--replay", hint.Quote(c.Replay))
	} else {
		words = append(words, "--seed", strconv.FormatUint(s.Seed, 10), "--for", s.For.String(), "--every", s.Every.String())
		if c.Faults != nil {
			words = append(words, "--faults", strings.Join(c.Faults, ","))
		}
		if c.AfterHeal != nil {
			words = append(words, "--after-heal", c.AfterHeal.String())
		}
	}
	if c.Recovery != chaos.DefaultRecovery {
		words = append(words, "--recovery", c.Recovery.String())
	}
	if c.Settle != chaos.DefaultSettle {
		words = append(words, "--settle", c.Settle.String())
	}
	if c.Leader != "" {
		words = append(words, "--leader", hint.Quote(c.Leader))
	}
	for _, k := range c.Check {
		words = append(words, "--check", hint.Quote(k))
	}
	return strings.Join(words, " ")
}
