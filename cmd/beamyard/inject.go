package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/control"
	"github.com/beamyard/beamyard/orchestrator/discovery"
	"github.com/beamyard/beamyard/orchestrator/effects"
	"github.com/beamyard/beamyard/orchestrator/faults"
	"github.com/beamyard/beamyard/orchestrator/hint"
	choice "github.com/beamyard/beamyard/orchestrator/target"
)

// lasting are the flags of commands that inject a fault.
type lasting struct {
	seeded
	electing
	For    time.Duration `placeholder:"TIME" help:"Heal it after this time: 10s, 2m."`
	NoWait bool          `help:"Do not wait until the nodes have noticed."`
}

// groups returns the groups "n1,n2 n3".
func (c *nodeChooser) groups(ctx context.Context, written []string) ([][]string, error) {
	var groups [][]string
	for _, w := range written {
		group, err := c.nodes(ctx, choice.Split(w, ',')...)
		if err != nil {
			return nil, err
		}
		groups = append(groups, group)
	}
	return groups, nil
}

// pairs returns the directions "n1:n2". With everyone, a node alone means all its links.
func (c *nodeChooser) pairs(ctx context.Context, written []string, everyone bool) ([]fault.Pair, error) {
	var pairs []fault.Pair
	for _, w := range eachPair(written) {
		ends := choice.Split(w, ':')
		if len(ends) > 2 || len(ends) == 1 && !everyone {
			return nil, usagef("n1:n2", "%q is not FROM:TO", w)
		}
		senders, err := c.nodes(ctx, ends[0])
		if err != nil {
			return nil, err
		}
		if len(ends) == 1 {
			for _, n := range senders {
				pairs = append(pairs, fault.Pair{From: n, To: fault.Everyone}, fault.Pair{From: fault.Everyone, To: n})
			}
			continue
		}
		receivers, err := c.nodes(ctx, ends[1])
		if err != nil {
			return nil, err
		}
		for _, f := range senders {
			for _, t := range receivers {
				if f != t || len(senders) == 1 && len(receivers) == 1 { // @all:@one
					pairs = append(pairs, fault.Pair{From: f, To: t})
				}
			}
		}
	}
	return pairs, nil
}

// eachPair splits "n1:n2,n2:n3".
func eachPair(written []string) (pairs []string) {
	for _, w := range written {
		pairs = append(pairs, choice.Split(w, ',')...)
	}
	return pairs
}

// endsOf returns the targets of pairs.
func endsOf(pairs []string) (ends []string) {
	for _, p := range eachPair(pairs) {
		ends = append(ends, choice.Split(p, ':')...)
	}
	return ends
}

// inject injects the fault that build returns, and reports it.
func (t target) inject(ctx context.Context, a *app, command string, l *lasting, named []string, build func(context.Context, *nodeChooser, []string) (fault.Fault, error)) error {
	return t.withFaults(ctx, a, command, named, func(i faults.Injector, found discovery.Cluster) error {
		f, err := build(ctx, a.chooser(i.Engine, command, i.Spec, &l.seeded), nodeNamesOf(i.Spec))
		if err != nil {
			return err
		}
		supervised := a.supervised(ctx, found.Cluster)
		if f.How == fault.Disconnect && !supervised {
			return orchestrator.WithHint(fmt.Errorf("%w: it is what makes the VMs refuse each other", orchestrator.ErrNoSupervisor), "%s", hint.Supervise.On(found.Cluster))
		}
		kernels := a.askKernels(ctx, found.Cluster, i.Spec, f)
		var witness *meshWitness
		var voters *voters
		if !l.NoWait {
			if witness = a.watchMesh(ctx, i, found.Cluster); witness != nil {
				defer witness.close()
				voters = watchLeader(ctx, witness.cluster, l.leaderIn(named))
			} else {
				a.say("no supervisor answers, so it is not known when the nodes notice")
			}
		}
		if f, err = i.Inject(ctx, f, l.For); err != nil {
			return err
		}
		expected := effects.Expect(f, i.Spec, kernels())
		if a.json {
			if err := a.printJSON(injected{f, expected}); err != nil {
				return err
			}
		}
		if _, err := fmt.Fprintf(a.people(), "%s: %s\n", f.ID, f); err != nil {
			return err
		}
		a.sayExpected(expected)
		switch {
		case f.Kind == fault.KindSqueeze && l.For > 0 && !supervised: // no kernel ends it
			return a.healLater(ctx, i, f, l.For)
		case witness == nil:
			return nil
		}
		ended, err := witness.wait(ctx, f, expected)
		if err != nil {
			return err
		}
		if !ended {
			_, err = voters.elected(ctx, a, f)
			return err
		}
		f = witness.local(f)
		if _, err = a.aftermath(ctx, found.Cluster, i.Spec, f.End, f); err != nil {
			return err
		}
		_, err = voters.elected(ctx, a)
		return err
	})
}

// healLater heals a fault that nobody else ends, after a time or when the command is interrupted.
func (a *app) healLater(ctx context.Context, i faults.Injector, f fault.Fault, lasts time.Duration) error {
	a.say("no supervisor answers, so this command heals it, in %s", lasts)
	select {
	case <-ctx.Done():
	case <-time.After(lasts):
	}
	healing, cancel := context.WithTimeout(context.WithoutCancel(ctx), orchestrator.RemovalTime)
	defer cancel()
	_, err := i.Heal(healing, f.ID)
	return err
}

// supervised reports whether a supervisor of the cluster answers.
func (a *app) supervised(ctx context.Context, cluster string) bool {
	asking, cancel := context.WithTimeout(ctx, supervisorPatience)
	defer cancel()
	c, err := control.Dial(asking, cluster)
	if err != nil {
		return false
	}
	defer c.Close()
	_, err = c.Status(asking)
	return err == nil
}

// injected is a fault with what to expect of it, as --json prints it.
type injected struct {
	fault.Fault
	Expect effects.Expectation `json:"expect"`
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

// faulty are the arguments of the commands that inject a fault into nodes.
type faulty struct {
	target
	seeded
	Nodes []string      `arg:"" name:"node" sep:"none" complete:"node" help:"The nodes: n1, demo/n1, a role, n*, @one, @minority, @majority, @all, @host:NAME, @leader:EXPR."`
	For   time.Duration `placeholder:"TIME" help:"Heal it after this time: 10s, 2m."`
}

// inject injects a fault of these nodes, and returns them. The nodes do not notice each other's
// absence: their connections stay.
func (c *faulty) inject(ctx context.Context, a *app, command string, others []string, build func(context.Context, *nodeChooser, *fault.Fault) error) (nodes []string, err error) {
	l := lasting{seeded: c.seeded, For: c.For, NoWait: true}
	err = c.target.inject(ctx, a, command, &l, slices.Concat(c.Nodes, others), func(ctx context.Context, in *nodeChooser, _ []string) (f fault.Fault, err error) {
		if f.Nodes, err = in.nodes(ctx, c.Nodes...); err != nil {
			return f, err
		}
		nodes = f.Nodes
		return f, build(ctx, in, &f)
	})
	return nodes, err
}
