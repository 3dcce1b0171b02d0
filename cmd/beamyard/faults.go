package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/discovery"
	"github.com/beamyard/beamyard/orchestrator/faults"
)

// lasting are the flags of commands that inject a fault.
type lasting struct {
	For    time.Duration `placeholder:"TIME" help:"Heal it after this time, even if nothing of Beamyard runs then: 10s, 2m."`
	NoWait bool          `help:"Do not wait until the nodes notice."`
}

// nodesIn returns the short names of nodes as they are written: demo/n1, a role.
func nodesIn(spec orchestrator.Spec, written []string) ([]string, error) {
	var names []string
	for _, w := range written {
		_, name := nodeRef(strings.TrimSpace(w))
		names = append(names, name)
	}
	return spec.NodesOf(names...)
}

// groupsIn returns the groups "n1,n2 n3".
func groupsIn(spec orchestrator.Spec, written []string) ([][]string, error) {
	var groups [][]string
	for _, w := range written {
		group, err := nodesIn(spec, strings.Split(w, ","))
		if err != nil {
			return nil, err
		}
		groups = append(groups, group)
	}
	return groups, nil
}

// pairsIn returns the directions "n1:n2". With everyone, a node alone means all its links.
func pairsIn(spec orchestrator.Spec, written []string, everyone bool) ([]fault.Pair, error) {
	var pairs []fault.Pair
	for _, w := range written {
		from, to, both := strings.Cut(w, ":")
		if !both && !everyone {
			return nil, usagef("--one-way n1:n2", "%q is not FROM:TO", w)
		}
		senders, err := nodesIn(spec, []string{from})
		if err != nil {
			return nil, err
		}
		if !both {
			for _, n := range senders {
				pairs = append(pairs, fault.Pair{From: n, To: fault.Everyone}, fault.Pair{From: fault.Everyone, To: n})
			}
			continue
		}
		receivers, err := nodesIn(spec, []string{to})
		if err != nil {
			return nil, err
		}
		for _, f := range senders {
			for _, t := range receivers {
				pairs = append(pairs, fault.Pair{From: f, To: t})
			}
		}
	}
	return pairs, nil
}

// inject injects the fault that build returns, and reports it.
func (t target) inject(ctx context.Context, a *app, command string, l lasting, named []string, build func(orchestrator.Spec, []string) (fault.Fault, error)) error {
	return t.withFaults(ctx, a, command, named, func(i faults.Injector, found discovery.Cluster) error {
		f, err := build(i.Spec, nodeNamesOf(i.Spec))
		if err != nil {
			return err
		}
		var witness *meshWitness
		if !l.NoWait {
			if witness = a.watchMesh(ctx, i, found.Cluster); witness != nil {
				defer witness.close()
			} else {
				a.say("no supervisor answers, so it is not known when the nodes notice")
			}
		}
		if f, err = i.Inject(ctx, f, l.For); err != nil {
			return err
		}
		if a.json {
			if err := a.printJSON(f); err != nil {
				return err
			}
		} else if _, err := fmt.Fprintf(a.out, "%s: %s\n", f.ID, f); err != nil {
			return err
		}
		if witness == nil {
			return nil
		}
		return witness.wait(ctx, f)
	})
}

// withFaults finds the cluster and calls do.
func (t target) withFaults(ctx context.Context, a *app, command string, named []string, do func(faults.Injector, discovery.Cluster) error) error {
	eng, err := a.engine(ctx)
	if err != nil {
		return err
	}
	defer eng.Close()
	cluster, _, err := t.find(ctx, eng, command, named)
	if err != nil {
		return err
	}
	found, err := discovery.Find(ctx, eng, cluster)
	if err != nil {
		return err
	}
	return do(faults.Injector{Engine: eng, Spec: found.Spec}, found)
}

func nodeNamesOf(spec orchestrator.Spec) []string {
	var names []string
	for _, n := range spec.Nodes {
		names = append(names, n.Name)
	}
	return names
}

type healCmd struct {
	target
	IDs    []string `arg:"" optional:"" name:"id" help:"The faults, by their IDs from faults. Without any, all."`
	All    bool     `help:"All faults; the same as no ID."`
	NoWait bool     `help:"Do not wait until the nodes are connected again."`
}

func (healCmd) Help() string {
	return `It needs no supervisor and no running node. With a supervisor it waits until
every pair is connected again, unless beamyard.yml says mesh: app or none.`
}

// Run ends faults.
func (c *healCmd) Run(ctx context.Context, a *app) error {
	if c.All && len(c.IDs) > 0 {
		return usagef("beamyard heal "+strings.Join(c.IDs, " "), "--all and IDs exclude each other")
	}
	return c.withFaults(ctx, a, "heal", nil, func(i faults.Injector, found discovery.Cluster) error {
		healed, err := i.Heal(ctx, c.IDs...)
		if a.json && err == nil {
			if healed == nil {
				healed = []fault.Fault{}
			}
			err = a.printJSON(healed)
		} else {
			for _, f := range healed {
				_, printed := fmt.Fprintf(a.out, "%s is healed: %s\n", f.ID, f)
				err = errors.Join(err, printed)
			}
		}
		switch {
		case err != nil:
			return err
		case len(healed) == 0:
			a.say("no fault is in force in %s", found.Cluster)
			return nil
		case c.NoWait || i.Spec.Mesh != orchestrator.MeshBeamyard:
			return nil
		}
		return a.waitWhole(ctx, found.Cluster)
	})
}

type faultsCmd struct {
	target
}

func (faultsCmd) Help() string {
	return `--json answers with a list: id, kind, groups or pairs, how, begin, end.`
}

// Run lists the faults in force.
func (c *faultsCmd) Run(ctx context.Context, a *app) error {
	return c.withFaults(ctx, a, "faults", nil, func(i faults.Injector, found discovery.Cluster) error {
		all, err := i.List(ctx)
		if err != nil {
			return err
		}
		if a.json {
			if all == nil {
				all = []fault.Fault{}
			}
			return a.printJSON(all)
		}
		if len(all) == 0 {
			a.say("no fault is in force in %s", found.Cluster)
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
		return writeTable(a.out, a.out.color, rows)
	})
}

type blipCmd struct {
	target
	Groups []string `arg:"" optional:"" help:"Reset the connections between these groups: n1,n2 n3. Without any: between all nodes."`
	Pairs  []string `placeholder:"A:B" help:"Reset the connections of these pairs only."`
}

func (blipCmd) Help() string {
	return `Every distribution connection, and every other TCP connection, between the
groups is reset within milliseconds. The nodes may connect again at once: this is
what a blip of the network does, and what splits Mnesia for good.`
}

// Run resets connections.
func (c *blipCmd) Run(ctx context.Context, a *app) error {
	var named []string
	for _, p := range c.Pairs {
		named = append(named, strings.Split(p, ":")...)
	}
	for _, g := range c.Groups {
		named = append(named, strings.Split(g, ",")...)
	}
	if len(c.Groups) > 0 && len(c.Pairs) > 0 {
		return usagef("beamyard blip --pairs n1:n2", "groups and --pairs exclude each other")
	}
	return c.withFaults(ctx, a, "blip", named, func(i faults.Injector, found discovery.Cluster) error {
		all := nodeNamesOf(i.Spec)
		var pairs []fault.Pair
		switch {
		case len(c.Pairs) > 0:
			var err error
			if pairs, err = pairsIn(i.Spec, c.Pairs, false); err != nil {
				return err
			}
		case len(c.Groups) > 0:
			groups, err := groupsIn(i.Spec, c.Groups)
			if err != nil {
				return err
			}
			pairs = fault.Partition(groups...).Cuts(all)
		default:
			pairs = fault.Isolate(all...).Cuts(all)
		}
		reset, err := i.ResetConnections(ctx, pairs)
		if err != nil {
			return err
		}
		if a.json {
			return a.printJSON(map[string]int{"reset": reset})
		}
		_, err = fmt.Fprintf(a.out, "%s reset\n", plural(reset, "connection"))
		return err
	})
}
