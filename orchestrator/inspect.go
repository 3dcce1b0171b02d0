package orchestrator

import (
	"context"
	"errors"
	"strings"
)

// This file asks the engine, and a node's last words, what became of a run.

// compare asks the engine for all containers and reports each node's: what the
// event stream lost is found here.
func (c *Cluster) compare(ctx context.Context, runs map[string]report) {
	listed, err := c.eng.Containers(ctx, map[string]string{LabelCluster: c.spec.Name})
	if err != nil {
		return // the event stream tells when the engine is back
	}
	found := map[string]Container{}
	for _, l := range listed {
		found[l.Labels[LabelNode]] = l
	}
	for node, r := range runs {
		switch l, ok := found[node]; {
		case !ok:
			c.box.post(msgSeen{r, nil})
		default:
			c.inspect(ctx, r, l.ID)
		}
	}
}

func (c *Cluster) inspect(ctx context.Context, r report, id string) {
	switch found, err := c.eng.InspectContainer(ctx, id); {
	case err == nil:
		c.box.post(msgSeen{r, &found})
	case errors.Is(err, ErrNotFound):
		c.box.post(msgSeen{r, nil})
	}
}

// autopsy reads what is known of an end: the output up to its last line, and
// whether the kernel killed it for its memory.
func (c *Cluster) autopsy(ctx context.Context, r report, id string) {
	found, err := c.eng.InspectContainer(ctx, id)
	out := c.outputs[r.node]
	out.drained(ctx, r.inc)
	c.box.post(msgAutopsy{r, c.clean(slogan(out.out.Tail(50), r.inc)), err == nil && found.State.OOMKilled})
}

// slogans begin the line in which a VM says why it ended, most telling first.
var slogans = []string{
	"** (Mix)", "** (CompileError)", "** (UndefinedFunctionError)", "Protocol 'inet_tcp'",
	"Runtime terminating during boot", "Kernel pid terminated", "init terminating in do_boot", "** (", "Slogan:",
}

// slogan picks the line that says why a run ended, or "".
func slogan(lines []Line, run int) string {
	for _, s := range slogans {
		for _, l := range lines {
			if l.Run == run && l.Stream != StreamSystem && strings.Contains(l.Text, s) {
				return strings.TrimSpace(l.Text)
			}
		}
	}
	for i := len(lines) - 1; i >= 0; i-- {
		if l := lines[i]; l.Run == run && l.Stream == Stderr && strings.TrimSpace(l.Text) != "" {
			return strings.TrimSpace(l.Text)
		}
	}
	return ""
}
