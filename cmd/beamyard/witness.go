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
	"github.com/beamyard/beamyard/orchestrator/effects"
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
// which node lost which, and when. The time allowed is what the nodes' ticks allow. It reports
// whether the fault has ended meanwhile.
func (w *meshWitness) wait(ctx context.Context, f fault.Fault, e effects.Expectation) (ended bool, err error) {
	limit := e.Latest() + e.Latest()/4 + 5*time.Second
	if (f.How == "" || f.How == fault.Drop) && len(e.Cut) > 0 {
		w.app.say("waiting for the nodes to notice silence, at most %s", limit)
	}
	if !f.End.IsZero() {
		limit = min(limit, time.Until(f.End))
	}
	lost, missing, err := w.seen(ctx, f, limit)
	if err != nil {
		return false, err
	}
	ended = f.Ended(time.Now())
	if ended { // the report follows
		return true, nil
	}
	return false, w.report(lost, missing, cutEnds(f, w.spec))
}

// local returns a fault with times by this process's clock, as the entries of the journal have
// them. Those of the engine's clock are kept if they can be ours.
func (w *meshWitness) local(f fault.Fault) fault.Fault {
	if f.Begin.After(w.began) && f.Begin.Before(time.Now()) {
		return f
	}
	if !f.End.IsZero() {
		f.End = w.began.Add(f.End.Sub(f.Begin))
	}
	f.Begin = w.began
	return f
}

// cutEnds returns which node loses which because of a fault. A connection needs both directions.
func cutEnds(f fault.Fault, spec orchestrator.Spec) map[fault.Pair]bool {
	cut := map[fault.Pair]bool{}
	for _, p := range f.Cuts(nodeNamesOf(spec)) {
		cut[p], cut[fault.Pair{From: p.To, To: p.From}] = true, true
	}
	return cut
}

// seen waits until all nodes that see one that a fault cuts them off from have seen it go. It
// returns which node lost which, and how long after the fault began, and which do not notice
// within the limit.
func (w *meshWitness) seen(ctx context.Context, f fault.Fault, limit time.Duration) (lost map[fault.Pair]time.Duration, missing []fault.Pair, err error) {
	var expected []fault.Pair
	for p := range cutEnds(f, w.spec) {
		if w.before[p] {
			expected = append(expected, p)
		}
	}
	slices.SortFunc(expected, func(a, b fault.Pair) int { return strings.Compare(a.From+a.To, b.From+b.To) })
	deadline, since := time.Now().Add(limit), w.local(f).Begin
	for {
		entries, err := w.cluster.Journal(ctx)
		if err != nil {
			return nil, nil, err
		}
		lost = map[fault.Pair]time.Duration{}
		for _, e := range entries {
			if p := (fault.Pair{From: e.Node, To: e.Peer}); e.Source == orchestrator.FromNode && e.Time.After(w.began) && strings.HasPrefix(e.Text, "nodedown") {
				if _, again := lost[p]; !again {
					lost[p] = e.Time.Sub(since)
				}
			}
		}
		missing = slices.DeleteFunc(slices.Clone(expected), func(p fault.Pair) bool { _, ok := lost[p]; return ok })
		if len(missing) == 0 || time.Now().After(deadline) {
			return lost, missing, nil
		}
		if err := pauseFor(ctx, meshPoll); err != nil {
			return nil, nil, err
		}
	}
}

// report prints which node lost which, with the pairs that the fault does not cut last.
func (w *meshWitness) report(lost map[fault.Pair]time.Duration, missing []fault.Pair, cut map[fault.Pair]bool) error {
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
		if _, err := fmt.Fprintf(w.app.people(), "%s lost %s after %s%s\n", p.From, p.To, lost[p].Round(10*time.Millisecond), why); err != nil {
			return err
		}
	}
	for _, p := range missing {
		w.app.say("%s has not noticed that it lost %s", p.From, p.To)
	}
	return nil
}
