package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator/discovery"
	"github.com/beamyard/beamyard/orchestrator/effects"
	"github.com/beamyard/beamyard/orchestrator/faults"
	choice "github.com/beamyard/beamyard/orchestrator/target"
)

type blipCmd struct {
	target
	seeded
	electing
	Groups []string      `arg:"" optional:"" sep:"none" complete:"nodes" help:"Reset the connections between these groups: n1,n2 n3. Nodes that are not named are a group of their own. (Default: between all nodes.)"`
	Pairs  []string      `sep:"none" placeholder:"A:B" complete:"links" help:"Reset the connections of these pairs only."`
	For    time.Duration `placeholder:"TIME" help:"Refuse new connections for this long, at most 1s: 6ms. (Default: new connections are possible at once.)"`
	NoWait bool          `help:"Do not wait until the nodes are connected again."`
}

func (blipCmd) Help() string {
	return `Every TCP connection between the groups is reset within milliseconds, those of the
distribution included. The nodes can connect again at once, but Mnesia does not
merge by itself: it stays apart until nodes are restarted. Reports what was lost,
and what is apart afterwards, as heal does.

  beamyard blip                 between all nodes
  beamyard blip n1              between n1 and the rest
  beamyard blip n1 --for 6ms    and refuse new connections for 6 ms`
}

// Run resets connections.
func (c *blipCmd) Run(ctx context.Context, a *app) error {
	named := endsOf(c.Pairs)
	for _, g := range c.Groups {
		named = append(named, choice.Split(g, ',')...)
	}
	if len(c.Groups) > 0 && len(c.Pairs) > 0 {
		return usagef("beamyard blip --pairs n1:n2", "groups and --pairs exclude each other")
	}
	if c.For < 0 || c.For > faults.MaxBlip {
		return usagef("beamyard partition n1 --kind reset --for "+c.For.Abs().String(), "--for %s: a blip lasts %s at most, and a partition longer", c.For, faults.MaxBlip)
	}
	return c.withFaults(ctx, a, "blip", named, func(i faults.Injector, found discovery.Cluster) error {
		all, chooser := nodeNamesOf(i.Spec), a.chooser(i.Engine, "blip", i.Spec, &c.seeded)
		var pairs []fault.Pair
		switch {
		case len(c.Pairs) > 0:
			var err error
			if pairs, err = chooser.pairs(ctx, c.Pairs, false); err != nil {
				return err
			}
		case len(c.Groups) > 0:
			groups, err := chooser.groups(ctx, c.Groups)
			if err != nil {
				return err
			}
			pairs = fault.Partition(groups...).Cuts(all)
		default:
			pairs = fault.Isolate(all...).Cuts(all)
		}
		f := fault.Fault{Kind: fault.KindCut, How: fault.Reset, Pairs: pairs}
		if !c.NoWait {
			a.sayExpected(effects.Expect(f, i.Spec, a.askKernels(ctx, found.Cluster, i.Spec, f)()))
		}
		var witness *meshWitness
		var voters *voters
		if !c.NoWait {
			if witness = a.watchMesh(ctx, i, found.Cluster); witness != nil {
				defer witness.close()
				voters = watchLeader(ctx, witness.cluster, c.leaderIn(named))
			} else {
				a.say("no supervisor answers, so it is not known what the nodes notice")
			}
		}
		f.Begin = time.Now()
		result := blipResult{}
		var err error
		if result.Reset, err = i.Blip(ctx, pairs, c.For); err != nil {
			return err
		}
		if _, err := fmt.Fprintf(a.people(), "%s reset\n", plural(result.Reset, "connection")); err != nil {
			return err
		}
		if witness != nil && result.Reset > 0 {
			if _, _, err = witness.seen(ctx, f, blipNoticed); err == nil {
				result.Report, err = a.aftermath(ctx, found.Cluster, i.Spec, time.Time{}, f)
			}
			if err == nil {
				result.Leaders, err = voters.elected(ctx, a)
			}
		}
		if a.json {
			err = errors.Join(err, a.printJSON(result))
		}
		return err
	})
}

// blipNoticed is how long nodes may take to notice that connections were reset.
const blipNoticed = 10 * time.Second

// blipResult is what --json prints.
type blipResult struct {
	Reset  int             `json:"reset"`            // connections
	Report *effects.Report `json:"report,omitempty"` // nil without a supervisor, or with --no-wait
	// Leaders are those that the nodes name afterwards, if an expression is known.
	Leaders []effects.Elected `json:"leaders,omitempty"`
}
