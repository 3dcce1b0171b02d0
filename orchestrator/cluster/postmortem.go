package cluster

import (
	"context"
	"errors"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/diagnosis"
	"github.com/beamyard/beamyard/orchestrator/discovery"
	"github.com/beamyard/beamyard/orchestrator/internal/supervisor"
	"github.com/beamyard/beamyard/orchestrator/logs"
)

// This file finds out why a run ended, from its last output and its crash dump.

// postmortem collects the data about an end: the output up to its last line, the crash dump,
// and whether the kernel killed the process for its memory use.
func (c *Cluster) postmortem(ctx context.Context, r supervisor.RunID, id string, code int) {
	var f supervisor.Findings
	out := c.outputs[r.Node]
	found, err := c.eng.InspectContainer(ctx, id)
	f.OOM = err == nil && found.State.OOMKilled
	f.Removing = err == nil && found.State.Status == "removing" || errors.Is(err, orchestrator.ErrNotFound)
	if err == nil && code != 0 && code != orchestrator.CodeKilled { // a VM that ends normally or by KILL writes none
		f.Crash, f.Dump, err = discovery.CrashDump(ctx, c.eng, c.current(), found)
		if f.Crash != nil {
			f.Slogan = f.Crash.Slogan
		}
		if err != nil && ctx.Err() == nil {
			c.note(r.Node, "the crash dump of %s was not kept: %v", r.Node, err)
		}
	}
	out.Drained(ctx, r.Inc)
	f.Reason = c.clean(logs.ExitLine(out.Out.Tail(50), r.Inc, f.Slogan))
	f.Slogan = c.clean(f.Slogan)
	f.Waits = c.waited(r)
	c.box.post(supervisor.Examined{RunID: r, Findings: f})
}

// waited returns what a run lacked when it ended, or "" if time does not fix it.
func (c *Cluster) waited(r supervisor.RunID) string {
	wait, ok := diagnosis.WaitsFor(c.linesOf(r, time.Time{}, nil), c.spec.Names().Node(r.Node))
	if !ok {
		return ""
	}
	return wait.String()
}
