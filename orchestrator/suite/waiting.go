package suite

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/beamyard/beamyard/network/erldist"
	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/ask"
	"github.com/beamyard/beamyard/orchestrator/internal/wait"
)

// This file waits for what a request brings about.

const (
	meshTime = time.Minute           // for the nodes to be connected again
	poll     = 25 * time.Millisecond // between two looks at what the supervisor knows
	// steady is how long a mesh that was not whole must be whole after global of all nodes has
	// handled what others told of earlier losses: it can disconnect some because of that.
	steady = 500 * time.Millisecond
)

// view is what was known before a fault.
type view struct {
	status orchestrator.Status
	at     time.Time // by the clock of this process, as the entries of the journal
}

func (s *Server) look(ctx context.Context) (view, error) {
	st, err := s.Cluster.Status(ctx)
	return view{st, time.Now()}, err
}

func (s *Server) names() []string {
	names, _ := s.Spec.Declared()
	return names
}

// peersOf returns the pairs of every other node and this one.
func (s *Server) peersOf(node string) []fault.Pair {
	var pairs []fault.Pair
	for _, n := range s.names() {
		if n != node {
			pairs = append(pairs, fault.Pair{From: n, To: node})
		}
	}
	return pairs
}

// noticed waits until the first node of each pair that saw the second has lost it. Silence is
// noticed by the nodes' tick, at the latest; a fault that ends before need not be noticed.
func (s *Server) noticed(ctx context.Context, before view, pairs []fault.Pair, lasts time.Duration) error {
	saw := seen(before.status)
	pairs = slices.DeleteFunc(pairs, func(p fault.Pair) bool { return !saw[p] })
	tick := s.Spec.NetTick
	if tick == 0 {
		tick = time.Minute // net_ticktime's default; see kernel(6)
	}
	limit := tick + tick/2 + 5*time.Second
	for began := time.Now(); len(pairs) > 0; {
		journal, err := s.Cluster.Journal(ctx)
		if err != nil {
			return err
		}
		took := time.Since(began)
		switch pairs = unnoticed(pairs, journal, before.at); {
		case len(pairs) == 0, lasts > 0 && took > lasts:
			return nil
		case took > limit:
			return fmt.Errorf("%s has not noticed within %s that it lost %s", pairs[0].From, limit, pairs[0].To)
		}
		if !wait.Sleep(ctx, poll) {
			return ctx.Err()
		}
	}
	return nil
}

// await waits until nothing is missing any more.
func (s *Server) await(ctx context.Context, limit time.Duration, missing func(orchestrator.Status) string) error {
	for began := time.Now(); ; {
		st, err := s.Cluster.Status(ctx)
		if err != nil {
			return err
		}
		why := missing(st)
		switch {
		case why == "":
			return nil
		case time.Since(began) > limit:
			return fmt.Errorf("%w within %s: %s", orchestrator.ErrNotReady, limit, why)
		case !wait.Sleep(ctx, poll):
			return ctx.Err()
		}
	}
}

// whole waits until the mesh is whole, and returns the nodes that are Ready. It does not wait for
// the restarts of these nodes. A mesh that was broken before, or is at first, must stay whole for a
// while.
func (s *Server) whole(ctx context.Context, limit time.Duration, without map[string]bool, broken bool) (ready erldist.List, err error) {
	inForce, err := s.Faults.List(ctx)
	if err != nil {
		return nil, err
	}
	var failed error
	var since time.Time // it is whole, and global knows
	err = s.await(ctx, limit, func(st orchestrator.Status) string {
		ready = readyNodes(st)
		if knows(st, inForce, time.Now()) || failed != nil {
			switch why := unsettled(s.Spec, st, without); {
			case why != "":
				broken, since = true, time.Time{}
				return why
			case since.IsZero():
				if broken {
					ask.SyncNames(ctx, s.Cluster, ask.Up(st))
				}
				since = time.Now()
			}
			if broken && time.Since(since) < steady {
				return "every pair has been connected only since " + since.Format(time.TimeOnly)
			}
			return ""
		}
		inForce, failed = s.Faults.List(ctx) // it may be that another process has injected one
		return "its supervisor does not know yet which faults are in force"
	})
	return ready, errors.Join(failed, err)
}

// mended is whole after a heal, if Beamyard connects the nodes: when an application does is not
// known.
func (s *Server) mended(ctx context.Context) (erldist.List, error) {
	if s.Spec.Mesh == orchestrator.MeshApp || s.Spec.Mesh == orchestrator.MeshNone {
		st, err := s.Cluster.Status(ctx)
		return readyNodes(st), err
	}
	return s.whole(ctx, meshTime, s.brokenNodes(), true)
}

// settled is whole, with this node running.
func (s *Server) settled(ctx context.Context, node string) (any, error) {
	without := s.brokenNodes()
	delete(without, node)
	ready, err := s.whole(ctx, meshTime, without, true)
	if err != nil {
		return nil, err
	}
	st, err := s.Cluster.Status(ctx)
	if err != nil {
		return nil, err
	}
	if n, _ := st.Node(node); n.State.Final() {
		return nil, fmt.Errorf("%s: %w: it is %s: %s", node, orchestrator.ErrNotReady, n.State, n.Reason)
	}
	return ready, nil
}

// brokenNodes returns the nodes that the suite took down and that are to be undone.
func (s *Server) brokenNodes() map[string]bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.broken)
}

func readyNodes(st orchestrator.Status) erldist.List {
	all := erldist.List{}
	for _, n := range st.Nodes {
		if n.State == orchestrator.Ready {
			all = append(all, erldist.Atom(n.Node))
		}
	}
	return all
}
