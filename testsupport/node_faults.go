package testsupport

import (
	"context"
	"testing"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator/faults"
)

// This file breaks single nodes of clusters on purpose: their DNS, their limits and their clocks.

// CrashBy makes a node's VM crash from inside: by faults.Halt, faults.Abort, faults.Slogan, which
// leaves a crash dump, or faults.OOM, which needs a memory limit. Otherwise it is like
// [Cluster.Crash].
func (c *Cluster) CrashBy(tb testing.TB, node string, how faults.How) {
	tb.Helper()
	c.down(tb, "crash ("+string(how)+")", node, func(ctx context.Context) error { return c.injector().Crash(ctx, c.core, node, how) })
}

// Squeeze gives nodes less memory or processor time, or fills their file systems, until
// [Cluster.Heal] or the end of the test. It returns the fault's ID. Folders in Full must be file
// systems in memory with a size: Tmpfs of the spec.
func (c *Cluster) Squeeze(tb testing.TB, l fault.Limits, nodes ...string) (id string) {
	tb.Helper()
	return c.Inject(tb, fault.Fault{Kind: fault.KindSqueeze, Limits: l, Nodes: nodes})
}

// Clock makes the wall clocks of nodes wrong, until [Cluster.Heal] or the end of the test. It
// returns the fault's ID. Clock of the spec must be set, see [WithSpec]. os:system_time shows the
// change within a second; erlang:system_time follows: by 1 % up to OTP 25, and in one jump within
// a minute from OTP 26 on. Monotonic time is right.
func (c *Cluster) Clock(tb testing.TB, clock fault.Clock, nodes ...string) (id string) {
	tb.Helper()
	return c.Inject(tb, fault.Fault{Kind: fault.KindClock, Clock: clock, Nodes: nodes})
}

// DNS gives nodes no answers, or stale ones, when they resolve the names of peers, until
// [Cluster.Heal] or the end of the test. It returns the fault's ID. Connections stay.
func (c *Cluster) DNS(tb testing.TB, dns fault.DNS, nodes ...string) (id string) {
	tb.Helper()
	return c.Inject(tb, fault.Fault{Kind: fault.KindDNS, DNS: dns, Nodes: nodes})
}
