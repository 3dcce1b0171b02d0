package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/discovery"
	"github.com/beamyard/beamyard/orchestrator/effects"
	"github.com/beamyard/beamyard/orchestrator/faults"
)

type healCmd struct {
	target
	electing
	IDs    []string `arg:"" optional:"" name:"id" complete:"fault" help:"IDs of the faults, as beamyard faults lists them. (Default: all.)"`
	All    bool     `help:"End all faults; the same as no ID."`
	NoWait bool     `help:"Do not wait until the nodes are connected again."`
}

func (healCmd) Help() string {
	return `Needs no supervisor and no running node. If the fault cut connections and a
supervisor answers, heal waits until every pair is connected again (not with mesh:
app or none in beamyard.yml), and then a moment, in which Mnesia and global
decide. Then it reports which pairs were lost and for how long, and what is apart
now: Mnesia, global, names that exist twice.

--json answers with an object: healed, the list of faults, and report.

  beamyard heal             all faults
  beamyard heal fpl2d       one, by its ID from beamyard faults`
}

// Run ends faults.
func (c *healCmd) Run(ctx context.Context, a *app) error {
	if c.All && len(c.IDs) > 0 {
		return usagef("beamyard heal "+strings.Join(c.IDs, " "), "--all and IDs exclude each other")
	}
	return c.withFaults(ctx, a, "heal", nil, func(i faults.Injector, found discovery.Cluster) error {
		before, err := i.List(ctx) // with times by this process's clock
		if err != nil && !errors.Is(err, orchestrator.ErrHostLost) {
			return err
		}
		var voters *voters
		if c.Leader != "" && !c.NoWait {
			controller, hangUp, err := controllerOf(ctx, i.Engine, found.Cluster)
			if err != nil {
				return err
			}
			defer hangUp()
			voters = watchLeader(ctx, controller, c.Leader)
		}
		asked := time.Now() // the kernels heal before Heal returns
		healed, err := a.healFaults(ctx, i, found.Cluster, c.IDs...)
		for n, f := range healed {
			if k := slices.IndexFunc(before, func(b fault.Fault) bool { return b.ID == f.ID }); k >= 0 {
				healed[n] = before[k]
			}
			_, printed := fmt.Fprintf(a.people(), "%s is healed: %s\n", f.ID, f)
			err = errors.Join(err, printed)
		}
		if err != nil {
			return err
		}
		result := healResult{Healed: healed}
		if len(healed) == 0 {
			result.Healed = []fault.Fault{}
			a.say("no fault is in force in %s", found.Cluster)
		} else if !c.NoWait && slices.ContainsFunc(healed, func(f fault.Fault) bool { return len(f.Cuts(nodeNamesOf(i.Spec))) > 0 }) {
			result.Report, err = a.aftermath(ctx, found.Cluster, i.Spec, asked, healed...)
		}
		if err == nil && len(healed) > 0 {
			left := slices.DeleteFunc(before, func(f fault.Fault) bool {
				return slices.ContainsFunc(healed, func(h fault.Fault) bool { return h.ID == f.ID })
			})
			result.Leaders, err = voters.elected(ctx, a, left...)
		}
		if a.json {
			err = errors.Join(err, a.printJSON(result))
		}
		return err
	})
}

// healFaults ends faults, all without IDs. Nodes that a fault made refuse each other accept each
// other again, which a supervisor sees to if there is one.
func (a *app) healFaults(ctx context.Context, i faults.Injector, cluster string, ids ...string) ([]fault.Fault, error) {
	healed, err := i.Heal(ctx, ids...)
	for _, f := range healed {
		if f.How == fault.Disconnect && !a.supervised(ctx, cluster) {
			err = errors.Join(err, i.Readmit(ctx, discovery.Control(i.Engine, cluster), f))
		}
	}
	return healed, err
}

// healResult is what --json prints.
type healResult struct {
	Healed []fault.Fault   `json:"healed"`
	Report *effects.Report `json:"report,omitempty"` // nil without a supervisor, or with --no-wait
	// Leaders are those that the nodes name afterwards, with --leader.
	Leaders []effects.Elected `json:"leaders,omitempty"`
}
