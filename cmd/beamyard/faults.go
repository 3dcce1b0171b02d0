package main

import (
	"context"
	"errors"
	"time"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/discovery"
	"github.com/beamyard/beamyard/orchestrator/faults"
)

type faultsCmd struct {
	target
}

func (faultsCmd) Help() string {
	return `Lists partitions, bad links, and faults of DNS, clocks and limits, each with its
ID, and when it ends. Nodes that are down or paused are not in it: see ps. Needs
no supervisor and no running node.

--json answers with a list. Each fault has id, kind, begin, and end if it has one;
and by its kind groups or pairs, how, quality, nodes, dns, clock or limits.`
}

// Run lists the faults in force.
func (c *faultsCmd) Run(ctx context.Context, a *app) error {
	return c.withFaults(ctx, a, "faults", nil, func(i faults.Injector, found discovery.Cluster) error {
		all, lost := i.List(ctx)
		if lost != nil && !errors.Is(lost, orchestrator.ErrHostLost) {
			return lost
		}
		if all == nil {
			all = []fault.Fault{}
		}
		return errors.Join(a.answer(all, func(o *output) error { return a.printFaults(o, found.Cluster, all) }), lost)
	})
}

// printFaults writes a table of faults.
func (a *app) printFaults(o *output, cluster string, all []fault.Fault) error {
	if len(all) == 0 {
		a.say("no fault is in force in %s", cluster)
		return nil
	}
	rows := [][]cell{{{text: "ID"}, {text: "SINCE"}, {text: "FAULT"}, {text: "ENDS"}}}
	for _, f := range all {
		ends := "by beamyard heal"
		if !f.End.IsZero() {
			ends = "in " + max(0, time.Until(f.End)).Round(time.Second).String()
		}
		rows = append(rows, []cell{{text: f.ID}, {text: time.Since(f.Begin).Round(time.Second).String()}, {text: f.String()}, {text: ends}})
	}
	return writeTable(o, o.color, rows)
}
