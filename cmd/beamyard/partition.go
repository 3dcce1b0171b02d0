package main

import (
	"context"
	"slices"
	"strings"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
)

type partitionCmd struct {
	target
	lasting
	Groups   []string `arg:"" optional:"" help:"Nodes that stay together: n1,n2 n3. Those that are not named are a group of their own."`
	Isolate  []string `placeholder:"NODE" help:"Cut these nodes off from all others, and from each other."`
	Halves   bool     `help:"Cut the cluster into two halves."`
	Majority bool     `help:"Cut the smallest majority off from the rest; --seed chooses it."`
	Minority bool     `help:"Cut the largest minority off from the rest; --seed chooses it."`
	Bridge   string   `placeholder:"NODE" help:"Two halves that both see this node, and not each other."`
	Ring     bool     `help:"Each node sees only its two neighbours."`
	OneWay   []string `placeholder:"FROM:TO" help:"TO does not get what FROM sends."`
	Random   bool     `help:"Cut a random group off from the rest; --seed chooses it."`
	Seed     uint64   `placeholder:"N" help:"Makes the random choices; the same seed makes the same."`
	Kind     string   `enum:"drop,reset" default:"drop" help:"drop: silence, which peers notice after net_tick. reset: connections are refused and reset at once (${default})."`
	Hard     bool     `help:"Cut the named nodes off from the host too, and from all other containers."`
}

func (partitionCmd) Help() string {
	return `The nodes' containers stay in their network: rules in the kernel, in the
network namespace of each node, cut them off. Rules survive a restart of a node.
The command returns when the nodes have noticed. heal ends it.

  beamyard partition n1,n2 n3       two sides
  beamyard partition --isolate n1   n1 alone
  beamyard partition --halves --for 10s`
}

// Run cuts nodes off from each other.
func (c *partitionCmd) Run(ctx context.Context, a *app) error {
	return c.inject(ctx, a, "partition", c.lasting, c.named(), c.fault)
}

// named returns the nodes that the command line names.
func (c *partitionCmd) named() []string {
	names := slices.Clone(c.Isolate)
	for _, g := range c.Groups {
		names = append(names, strings.Split(g, ",")...)
	}
	if c.Bridge != "" {
		names = append(names, c.Bridge)
	}
	for _, p := range c.OneWay {
		names = append(names, strings.Split(p, ":")...)
	}
	return names
}

// fault builds the fault, in a cluster with these nodes.
func (c *partitionCmd) fault(spec orchestrator.Spec, all []string) (fault.Fault, error) {
	const usage = "beamyard partition n1,n2 n3, or one of --isolate, --halves, --majority, --minority, --bridge, --ring, --one-way, --random"
	shapes := 0
	for _, given := range []bool{len(c.Groups) > 0, len(c.Isolate) > 0, c.Halves, c.Majority, c.Minority, c.Bridge != "", c.Ring, len(c.OneWay) > 0, c.Random} {
		if given {
			shapes++
		}
	}
	if shapes != 1 {
		return fault.Fault{}, usagef(usage, "a partition has one shape, and %d are given", shapes)
	}
	var f fault.Fault
	switch {
	case len(c.Groups) > 0:
		groups, err := groupsIn(spec, c.Groups)
		if err != nil {
			return f, err
		}
		f = fault.Partition(groups...)
	case len(c.Isolate) > 0:
		names, err := nodesIn(spec, c.Isolate)
		if err != nil {
			return f, err
		}
		f = fault.Isolate(names...)
	case c.Halves:
		f = fault.Halves(all)
	case c.Majority:
		f = fault.Majority(all, c.Seed)
	case c.Minority:
		f = fault.Minority(all, c.Seed)
	case c.Bridge != "":
		names, err := nodesIn(spec, []string{c.Bridge})
		if err != nil {
			return f, err
		}
		f = fault.Bridge(all, names[0])
	case c.Ring:
		f = fault.Ring(all)
	case len(c.OneWay) > 0:
		pairs, err := pairsIn(spec, c.OneWay, false)
		if err != nil {
			return f, err
		}
		f = fault.OneWay(pairs...)
	case c.Random:
		f = fault.Random(all, c.Seed)
	}
	f.How, f.Hard = fault.How(c.Kind), c.Hard
	return f, nil
}
