package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/control"
	"github.com/beamyard/beamyard/orchestrator/faults"
)

// meshWitness reports what the nodes notice of a fault. It has what they reported to the
// supervisor: nodedown and nodeup, which each node pushes.
type meshWitness struct {
	app     *app
	cluster orchestrator.Controller
	done    func()
	spec    orchestrator.Spec
	began   time.Time
	before  map[fault.Pair]bool // which node saw which
}

// watchMesh begins to watch. It returns nil if no supervisor answers soon: a fault needs none.
func (a *app) watchMesh(ctx context.Context, i faults.Injector, cluster string) *meshWitness {
	asking, cancel := context.WithTimeout(ctx, supervisorPatience)
	defer cancel()
	c, err := control.Dial(asking, cluster)
	if err != nil {
		return nil
	}
	w := &meshWitness{app: a, cluster: c, done: func() { c.Close() }, spec: i.Spec, before: map[fault.Pair]bool{}}
	st, err := c.Status(asking)
	if err != nil {
		c.Close()
		return nil
	}
	for _, n := range st.Nodes {
		for _, p := range n.Peers {
			w.before[fault.Pair{From: n.Name, To: p}] = true
		}
	}
	w.began = time.Now()
	return w
}

func (w *meshWitness) close() { w.done() }

// wait waits until both ends of each connected pair that a fault cuts have noticed, and prints
// which node lost which, and when. The time allowed is what the nodes' tick allows.
func (w *meshWitness) wait(ctx context.Context, f fault.Fault) error {
	var expected []fault.Pair
	cut := map[fault.Pair]bool{}
	for _, p := range f.Cuts(nodeNamesOf(w.spec)) {
		for _, end := range []fault.Pair{p, {From: p.To, To: p.From}} {
			if cut[end] = true; w.before[end] && !slices.Contains(expected, end) {
				expected = append(expected, end)
			}
		}
	}
	if len(expected) == 0 {
		return nil
	}
	tick := w.spec.NetTick
	if tick == 0 {
		tick = time.Minute
	}
	limit := tick + tick/2 + 5*time.Second
	if f.How != fault.Reset {
		w.app.say("waiting for the nodes to notice silence: about net_tick, %s", tick)
	}
	deadline := time.Now().Add(limit)
	since := w.began // by this process's clock, as the entries of the journal
	if local := f.Begin; local.After(since) && local.Before(time.Now()) {
		since = local
	}
	for {
		entries, err := w.cluster.Journal(ctx)
		if err != nil {
			return err
		}
		lost := map[fault.Pair]time.Duration{}
		for _, e := range entries {
			if p := (fault.Pair{From: e.Node, To: e.Peer}); e.Source == orchestrator.FromNode && e.Time.After(w.began) && strings.HasPrefix(e.Text, "nodedown") {
				if _, again := lost[p]; !again {
					lost[p] = e.Time.Sub(since)
				}
			}
		}
		missing := slices.DeleteFunc(slices.Clone(expected), func(p fault.Pair) bool { _, ok := lost[p]; return ok })
		late := time.Now().After(deadline) || !f.End.IsZero() && time.Now().After(f.End)
		if len(missing) == 0 || late {
			return w.report(lost, missing, cut)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// report prints which node lost which, with the pairs that the fault does not cut last.
func (w *meshWitness) report(lost map[fault.Pair]time.Duration, missing []fault.Pair, cut map[fault.Pair]bool) error {
	if w.app.json {
		return nil
	}
	var pairs []fault.Pair
	for p := range lost {
		pairs = append(pairs, p)
	}
	slices.SortFunc(pairs, func(a, b fault.Pair) int {
		if cut[a] != cut[b] {
			if cut[a] {
				return -1
			}
			return 1
		}
		return strings.Compare(a.From+a.To, b.From+b.To)
	})
	for _, p := range pairs {
		why := ""
		if !cut[p] {
			why = ", which the fault does not cut: global disconnects them so that partitions do not overlap"
		}
		if _, err := fmt.Fprintf(w.app.out, "%s lost %s after %s%s\n", p.From, p.To, lost[p].Round(10*time.Millisecond), why); err != nil {
			return err
		}
	}
	for _, p := range missing {
		w.app.say("%s has not noticed that it lost %s", p.From, p.To)
	}
	return nil
}

// waitWhole waits until every node is Ready and the mesh is full.
func (a *app) waitWhole(ctx context.Context, cluster string) error {
	asking, cancel := context.WithTimeout(ctx, supervisorPatience)
	defer cancel()
	c, err := control.Dial(asking, cluster)
	if err == nil {
		defer c.Close()
		_, err = c.Status(asking)
	}
	if err != nil {
		a.say("no supervisor answers, so it is not known when the nodes are connected again")
		return nil
	}
	began, limit := time.Now(), time.Now().Add(time.Minute)
	for {
		st, err := c.Status(ctx)
		switch {
		case err != nil:
			return err
		case st.Ready:
			if !a.json {
				a.say("every pair is connected again, after %s", time.Since(began).Round(10*time.Millisecond))
			}
			return nil
		case time.Now().After(limit):
			return fmt.Errorf("%w: not every pair is connected again within %s", orchestrator.ErrNotReady, time.Minute)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}
