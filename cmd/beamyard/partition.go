package main

import (
	"context"
	"slices"
	"strings"

	"github.com/beamyard/beamyard/network/fault"
	choice "github.com/beamyard/beamyard/orchestrator/target"
)

type partitionCmd struct {
	target
	lasting
	Groups   []string `arg:"" optional:"" sep:"none" complete:"nodes" help:"Groups of nodes that stay connected: n1,n2 n3. Nodes that are not named are a group of their own."`
	Isolate  []string `sep:"none" placeholder:"NODE" complete:"nodes" help:"Cut these nodes off from all others, and from each other."`
	Halves   bool     `help:"Cut the cluster into two halves."`
	Majority bool     `help:"Cut the smallest majority off from the rest; --seed chooses it."`
	Minority bool     `help:"Cut the largest minority off from the rest; --seed chooses it."`
	Bridge   string   `placeholder:"NODE" complete:"node" help:"Cut the cluster into two halves that both see this node, but not each other."`
	Ring     bool     `help:"Let each node see only its two neighbours."`
	OneWay   []string `sep:"none" placeholder:"FROM:TO" complete:"links" help:"Drop what FROM sends to TO."`
	Random   bool     `help:"Cut a random group off from the rest; --seed chooses it."`
	Kind     string   `enum:"drop,reset,disconnect" default:"drop" help:"drop: packets disappear, which peers notice after net_tick, 60 s by default. reset: connections are reset at once, and new ones refused. disconnect: the VMs drop their distribution connections and refuse new ones; the network stays as it is (${default})."`
	Hard     bool     `help:"Cut the named nodes off from the host and from all other containers, too."`
}

func (partitionCmd) Help() string {
	return `The nodes' containers stay in their network: rules in the kernel, in the network
namespace of each node, cut them off, also after a restart of the node. Says what
to expect, and returns when the nodes have noticed: after net_tick with --kind
drop, and at once otherwise. heal ends it. With --for it ends by itself, in the
kernel, even if nothing of Beamyard runs then; only the supervisor ends a
disconnect.

  beamyard partition n1,n2 n3       two sides
  beamyard partition --isolate n1   n1 alone
  beamyard partition @host:a @host:b
  beamyard partition '@leader:MyApp.leader()' --kind reset
  beamyard partition --halves --for 10s`
}

// Run cuts nodes off from each other.
func (c *partitionCmd) Run(ctx context.Context, a *app) error {
	return c.inject(ctx, a, "partition", &c.lasting, c.named(), c.fault)
}

// named returns the nodes that the command line names.
func (c *partitionCmd) named() []string {
	var names []string
	for _, g := range slices.Concat(c.Isolate, c.Groups) {
		names = append(names, choice.Split(g, ',')...)
	}
	if c.Bridge != "" {
		names = append(names, c.Bridge)
	}
	return append(names, endsOf(c.OneWay)...)
}

// fault builds the fault, in a cluster with these nodes.
func (c *partitionCmd) fault(ctx context.Context, in *nodeChooser, all []string) (fault.Fault, error) {
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
		groups, err := in.groups(ctx, c.Groups)
		if err != nil {
			return f, err
		}
		f = fault.Partition(groups...)
	case len(c.Isolate) > 0:
		groups, err := in.groups(ctx, c.Isolate)
		if err != nil {
			return f, err
		}
		f = fault.Isolate(slices.Concat(groups...)...)
	case c.Halves:
		f = fault.Halves(all)
	case c.Majority:
		f = fault.Majority(all, c.tell(in.app))
	case c.Minority:
		f = fault.Minority(all, c.tell(in.app))
	case c.Bridge != "":
		names, err := in.nodes(ctx, c.Bridge)
		if err != nil {
			return f, err
		}
		if len(names) != 1 {
			return f, usagef("beamyard partition --bridge "+names[0], "--bridge takes one node, and %s means %s", c.Bridge, strings.Join(names, ", "))
		}
		f = fault.Bridge(all, names[0])
	case c.Ring:
		f = fault.Ring(all)
	case len(c.OneWay) > 0:
		pairs, err := in.pairs(ctx, c.OneWay, false)
		if err != nil {
			return f, err
		}
		f = fault.OneWay(pairs...)
	case c.Random:
		f = fault.Random(all, c.tell(in.app))
	}
	f.How, f.Hard = fault.How(c.Kind), c.Hard
	return f, nil
}
