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
	"github.com/beamyard/beamyard/orchestrator/faults"
)

// lasting are the flags of commands that inject a fault.
type lasting struct {
	For    time.Duration `placeholder:"TIME" help:"Heal it after this time, even if nothing of Beamyard runs then: 10s, 2m."`
	NoWait bool          `help:"Do not wait until the nodes notice."`
}

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
		for _, g := range c.Groups {
			group, err := nodesIn(spec, strings.Split(g, ","))
			if err != nil {
				return f, err
			}
			f.Groups = append(f.Groups, group)
		}
		f.Kind = fault.KindPartition
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

// nodesIn returns the short names of nodes as they are written: demo/n1, a role.
func nodesIn(spec orchestrator.Spec, written []string) ([]string, error) {
	var names []string
	for _, w := range written {
		_, name := nodeRef(strings.TrimSpace(w))
		names = append(names, name)
	}
	return spec.NodesOf(names...)
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
		witness, err := a.watchMesh(ctx, i, found.Cluster)
		if err != nil {
			return err
		}
		defer witness.close()
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
		if l.NoWait {
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
		return a.waitWhole(ctx, i, found.Cluster)
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
	named := slices.Clone(c.Pairs)
	for _, g := range c.Groups {
		named = append(named, strings.Split(g, ",")...)
	}
	if len(c.Groups) > 0 && len(c.Pairs) > 0 {
		return usagef("beamyard blip --pairs n1:n2", "groups and --pairs exclude each other")
	}
	return c.withFaults(ctx, a, "blip", nil, func(i faults.Injector, found discovery.Cluster) error {
		all := nodeNamesOf(i.Spec)
		var pairs []fault.Pair
		switch {
		case len(c.Pairs) > 0:
			var err error
			if pairs, err = pairsIn(i.Spec, c.Pairs, false); err != nil {
				return err
			}
		case len(c.Groups) > 0:
			f := fault.Fault{Kind: fault.KindPartition}
			for _, g := range c.Groups {
				group, err := nodesIn(i.Spec, strings.Split(g, ","))
				if err != nil {
					return err
				}
				f.Groups = append(f.Groups, group)
			}
			pairs = f.Cuts(all)
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

type slowCmd struct {
	target
	lasting
	Links     []string      `arg:"" name:"link" help:"n1:n2 is what n1 sends to n2; n1 alone is all that it sends and receives."`
	Loss      string        `placeholder:"PERCENT" help:"Lose packets: 5%."`
	Rate      string        `placeholder:"RATE" help:"Limit the rate: 1mbit, 500kbit."`
	Latency   time.Duration `placeholder:"TIME" help:"Delay packets: 50ms."`
	Jitter    time.Duration `placeholder:"TIME" help:"Vary the delay by as much."`
	Duplicate string        `placeholder:"PERCENT" help:"Send packets twice."`
	Corrupt   string        `placeholder:"PERCENT" help:"Flip a bit in packets."`
	Reorder   string        `placeholder:"PERCENT" help:"Send packets at once, before those that wait; needs --latency."`
}

func (slowCmd) Help() string {
	return `Loss and rate work on most kernels. Latency, jitter, duplicate, corrupt and
reorder need the kernel's netem: where it is missing, nothing is changed and the
exit code is 5. Both directions: beamyard slow n1:n2 n2:n1 --loss 5%.`
}

// Run makes links worse.
func (c *slowCmd) Run(ctx context.Context, a *app) error {
	c.NoWait = true // nodes do not notice: their connections stay
	return c.inject(ctx, a, "slow", c.lasting, nil, func(spec orchestrator.Spec, _ []string) (fault.Fault, error) {
		q := fault.Quality{Shaping: fault.Shaping{Latency: c.Latency, Jitter: c.Jitter}}
		for _, p := range []struct {
			flag, text string
			to         *float64
		}{{"--loss", c.Loss, &q.Loss}, {"--duplicate", c.Duplicate, &q.Duplicate}, {"--corrupt", c.Corrupt, &q.Corrupt}, {"--reorder", c.Reorder, &q.Reorder}} {
			var err error
			if *p.to, err = percentOf(p.text); err != nil {
				return fault.Fault{}, usagef(p.flag+" 5%", "%s: %v", p.flag, err)
			}
		}
		var err error
		if q.Rate, err = rateOf(c.Rate); err != nil {
			return fault.Fault{}, usagef("--rate 1mbit", "--rate: %v", err)
		}
		if q == (fault.Quality{}) {
			return fault.Fault{}, usagef("beamyard slow "+strings.Join(c.Links, " ")+" --loss 5%", "nothing to change: give --loss, --rate, --latency or another")
		}
		pairs, err := pairsIn(spec, c.Links, true)
		return fault.Link(q, pairs...), err
	})
}

// percentOf parses "5%" or "5"; "" is 0.
func percentOf(text string) (float64, error) {
	var p float64
	if text == "" {
		return 0, nil
	}
	if n, err := fmt.Sscanf(strings.TrimSuffix(text, "%")+"\n", "%g\n", &p); n != 1 || err != nil || p < 0 || p > 100 {
		return 0, fmt.Errorf("%q is not a percentage from 0 to 100", text)
	}
	return p, nil
}

// rateOf parses bits per second as tc(8) writes them: "1mbit", "500kbit", "64000bit"; "" is 0.
func rateOf(text string) (uint64, error) {
	if text == "" {
		return 0, nil
	}
	lower := strings.ToLower(text)
	for _, u := range []struct {
		suffix string
		factor float64
	}{{"gbit", 1e9}, {"mbit", 1e6}, {"kbit", 1e3}, {"bit", 1}} {
		number, ok := strings.CutSuffix(lower, u.suffix)
		var n float64
		if !ok {
			continue
		}
		if got, err := fmt.Sscanf(number+"\n", "%g\n", &n); got == 1 && err == nil && n > 0 {
			return uint64(n * u.factor), nil
		}
		break
	}
	return 0, fmt.Errorf("%q is not a rate like 1mbit or 500kbit", text)
}
