package testsupport

import (
	"context"
	"testing"
	"time"

	"github.com/beamyard/beamyard/orchestrator/chaos"
	"github.com/beamyard/beamyard/orchestrator/check"
	"github.com/beamyard/beamyard/orchestrator/secrets"
	"github.com/beamyard/beamyard/orchestrator/target"
)

// This file breaks clusters at random, in a way that a seed repeats.

// ChaosOption is a setting of [Cluster.Chaos].
type ChaosOption func(*chaosSettings)

type chaosSettings struct {
	options chaos.Options
	replay  *chaos.Schedule
	checks  []string
	settle  time.Duration
}

// ChaosFor sets how long faults come, and the time from one to the next. Default 30 s and 5 s.
func ChaosFor(d, every time.Duration) ChaosOption {
	return func(s *chaosSettings) { s.options.For, s.options.Every = d, every }
}

// ChaosFaults sets the kinds of faults. Default [chaos.DefaultKinds].
func ChaosFaults(kinds ...chaos.Kind) ChaosOption {
	return func(s *chaosSettings) { s.options.Kinds = kinds }
}

// ChaosAfterHeal adds a second fault that long after the end of each, while the nodes recover.
func ChaosAfterHeal(d time.Duration) ChaosOption {
	return func(s *chaosSettings) { s.options.AfterHeal = d }
}

// ChaosReplay plays a schedule in place of the one that the seed determines.
func ChaosReplay(schedule chaos.Schedule) ChaosOption {
	return func(s *chaosSettings) { s.replay = &schedule }
}

// ChaosChecks sets what must hold before the first fault and after the last one: Elixir that is true
// on every node, "agree: EXPR" for the same value on all, and "unique: EXPR" for at most one
// process of each name: see package orchestrator/check. The checks may take settle to hold after
// the nodes are Ready; 0 means 10 s.
func ChaosChecks(settle time.Duration, checks ...string) ChaosOption {
	return func(s *chaosSettings) { s.settle, s.checks = settle, append(s.checks, checks...) }
}

// Chaos breaks the cluster at random. The seed determines the schedule, which is logged first; the
// faults are logged as they happen. Chaos returns when every fault has ended, the nodes are Ready, and
// the checks hold. If the nodes are not Ready within a minute, or the checks do not hold in time, the
// test fails, with the seed and the evidence. Nodes that a fault took down are started, whatever the
// restart policy.
//
//	c.Chaos(t, 7, testsupport.ChaosChecks(0, "agree: Shop.Counter.value()"))
func (c *Cluster) Chaos(tb testing.TB, seed uint64, opts ...ChaosOption) chaos.Report {
	tb.Helper()
	s := chaosSettings{options: chaos.Options{Seed: seed, For: 30 * time.Second, Every: 5 * time.Second}}
	for _, o := range opts {
		o(&s)
	}
	if c.core == nil {
		require(tb, "chaos", ErrNotStarted)
	}
	var checks []check.Check
	for _, text := range s.checks {
		parsed, err := check.Parse(text)
		require(tb, "chaos", err)
		checks = append(checks, parsed)
	}
	s.options.Kills, s.options.Window = chaos.PolicyOf(c.Spec())
	schedule := chaos.Plan(s.options, c.names())
	if s.replay != nil {
		schedule = *s.replay
		require(tb, "chaos", schedule.Validate())
	}
	tb.Logf("chaos with %s", schedule)
	live := &chaos.Live{Cluster: c.core, Faults: c.injector()}
	require(tb, "chaos", live.Faults.Prepare(tb.Context()))
	report, err := chaos.Runner{
		Actor: breaker{live, c}, Checks: live.Holds(checks...), Settle: s.settle, Tell: func(e chaos.Event) { tb.Logf("%s", e) },
	}.Run(tb.Context(), schedule)
	if err != nil && tb.Context().Err() == nil {
		c.failed(tb.Context(), c.core, err) // as it is now
	}
	require(tb, "chaos", err)
	tb.Logf("%s", report)
	return report
}

// breaker is the actor of a test's cluster.
type breaker struct {
	*chaos.Live
	cluster *Cluster
}

var _ chaos.Actor = breaker{}

// Pause implements [chaos.Actor].
func (b breaker) Pause(ctx context.Context, nodes ...string) error {
	for _, n := range nodes {
		b.cluster.Node(n).hangUp() // later calls on the old connection would wait for the paused node
	}
	return b.Live.Pause(ctx, nodes...)
}

// Pick returns the short names of the nodes that targets mean: "n*", "@one", "@minority",
// "@majority", "@all", "@host:a", "@leader:EXPR"; see package orchestrator/target. Random choices are among
// the nodes that run; the same seed makes the same choices.
//
//	c.Crash(t, c.Pick(t, 7, "@leader:Shop.leader()")[0])
func (c *Cluster) Pick(tb testing.TB, seed uint64, targets ...string) []string {
	tb.Helper()
	st := c.Status()
	chooser := target.Chooser{Spec: c.Spec(), Seed: seed, What: "running", Among: []string{}}
	for _, n := range st.Nodes {
		if n.State.Running() && !n.Paused {
			chooser.Among = append(chooser.Among, n.Name)
		}
	}
	chooser.Leader = func(expression string) (string, error) {
		return target.Leader(st, expression, target.Ask(tb.Context(), c.core, st, expression), secrets.Redactor(c.Spec()).Replace)
	}
	nodes, err := chooser.Nodes(targets...)
	require(tb, "pick", err)
	for _, made := range chooser.Choices() {
		tb.Logf("%s", made)
	}
	return nodes
}
