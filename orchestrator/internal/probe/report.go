package probe

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/beamyard/beamyard/network/erldist"
	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/effects"
	"github.com/beamyard/beamyard/orchestrator/health"
	"github.com/beamyard/beamyard/orchestrator/hint"
	"github.com/beamyard/beamyard/orchestrator/internal/dist"
	"github.com/beamyard/beamyard/orchestrator/internal/manifest"
)

// HealthTimeout is how long a node may take to answer for a report. A running node
// answers within milliseconds.
const HealthTimeout = 2 * time.Second

// Report makes the report, unless ctx has ended. The supervisor's findings are merged
// with the report's own, and the faults in force are the first cause.
func Report(ctx context.Context, began time.Time, s orchestrator.Spec, seen []health.Seen, known []orchestrator.Finding, faults []fault.Fault, clean func(string) string) (orchestrator.HealthReport, error) {
	if ctx.Err() != nil {
		return orchestrator.HealthReport{}, ctx.Err()
	}
	for i := range seen {
		seen[i].Reason, seen[i].Hint = clean(seen[i].Reason), seen[i].Hint.Map(clean)
		seen[i].App, seen[i].Runs = s.Node(seen[i].Name).App, manifest.CodeKey(s, seen[i].Name)
	}
	explain(s, seen, faults)
	report := health.Judge(
		health.Observation{Time: began, Took: time.Since(began), Nodes: seen},
		health.Expectations{Cluster: s.Name, App: s.App, NoMesh: s.Mesh == orchestrator.MeshNone, CertificateEnds: dist.CertificateEnds(s)}, s.Health,
	)
	return withFindings(report, merged(known, manifest.Remarks(s, seen, faults, clean))), nil
}

// explain says of each node from which others faults keep it, whether they keep it from us, and which
// sets its clock.
func explain(s orchestrator.Spec, seen []health.Seen, faults []fault.Fault) {
	var names []string
	prevents := map[string]bool{} // a node that does not answer is taken for a new one
	for _, n := range seen {
		names = append(names, n.Name)
		prevents[n.Name] = n.Sample == nil || n.Sample.PreventOverlapping
	}
	cut := effects.Cut(names, faults...)
	innocent := effects.Innocent(names, func(node string) bool { return prevents[node] }, faults...)
	for i := range seen {
		n := &seen[i]
		n.Cut = map[string]health.Cut{}
		for _, peer := range names {
			pair := effects.PairOf(n.Name, peer)
			if f, ok := cut[pair]; ok {
				n.Cut[peer] = health.Cut{ID: f.ID, Text: f.String()}
			} else if f, ok := innocent[pair]; ok {
				n.Cut[peer] = health.Cut{ID: f.ID, Text: f.String(), Innocent: true}
			}
		}
		for _, f := range faults {
			if f.Kind == fault.KindClock && slices.Contains(f.Nodes, n.Name) {
				n.Clock = health.Cut{ID: f.ID, Text: f.String()}
			}
			if n.Sample == nil && f.CutsHost(n.Name) {
				n.Reason, n.Hint = fmt.Sprintf("cut off from the host by %s (%s)", f.ID, f), hint.Newf("heal it: %s", hint.Heal.On(s.Name).With(f.ID))
			}
		}
	}
}

// merged returns the supervisor's findings with the report's own, which are newer and know what all
// nodes say. A finding about the whole cluster is a cause, and comes before the others.
func merged(known, own []orchestrator.Finding) []orchestrator.Finding {
	known = slices.DeleteFunc(slices.Clone(known), func(k orchestrator.Finding) bool {
		return slices.ContainsFunc(own, func(f orchestrator.Finding) bool { return f.Code == k.Code && f.Node == k.Node })
	})
	all := slices.Concat(known, own)
	slices.SortStableFunc(all, func(a, b orchestrator.Finding) int {
		switch whole := [2]bool{a.Node == "", b.Node == ""}; whole {
		case [2]bool{true, false}:
			return -1
		case [2]bool{false, true}:
			return 1
		}
		return 0
	})
	return all
}

// withFindings adds findings to a report, each once for a node. The supervisor and a report
// may find the same problem; a finding about the whole cluster can be reported for each node.
func withFindings(report health.Report, found []orchestrator.Finding) orchestrator.HealthReport {
	r := orchestrator.HealthReport{Report: report}
	for _, f := range found {
		if !slices.ContainsFunc(r.Findings, func(known orchestrator.Finding) bool { return known.Code == f.Code && known.Node == f.Node }) {
			r.Findings = append(r.Findings, f)
		}
	}
	if r.Passed && len(r.Findings) > 0 {
		r.Suggestions = []hint.Hint{hint.Text("no check failed, but see the findings")}
	}
	return r
}

// Examine asks a node for its sample, and then runs all of its custom checks at once, so
// that their cost does not count as the node's load. A node that returns no sample is not
// examined further.
func Examine(ctx context.Context, n orchestrator.NodeStatus, conn Link, ask health.Ask, own Checks) health.Seen {
	seen := health.Seen{Name: n.Name, Node: n.Node}
	limited, cancel := within(ctx, HealthTimeout)
	defer cancel()
	sample, err := health.Take(limited, conn, ask)
	if rpc := (*erldist.RPCError)(nil); errors.As(err, &rpc) {
		sample, err = health.Glance(limited, conn)
	}
	switch {
	case err == nil:
		seen.Sample = &sample
		at := own.lookAt(limited, n.Name, conn)
		checks, _ := unserved(at.node, own.of(n.Name), at.is)
		seen.Own = make([]health.Outcome, len(checks))
		var group sync.WaitGroup
		for i, k := range checks {
			group.Go(func() { seen.Own[i] = at.explained(k, own.run(ctx, k, n.Name, conn)) })
		}
		group.Wait()
		seen.Own = append(seen.Own, at.unreached()...)
	case errors.Is(err, context.DeadlineExceeded):
		seen.Reason = fmt.Sprintf("does not answer within %s", HealthTimeout)
	default:
		seen.Reason = err.Error()
	}
	if err != nil && n.Reason != "" {
		seen.Reason += " (" + n.Reason + ")"
	}
	return seen
}

// toTell is how much of the caller's time is reserved for reporting the results.
const toTell = 500 * time.Millisecond

// within bounds one question by d, and early enough to report its result before ctx's own
// deadline.
func within(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if deadline, ok := ctx.Deadline(); ok {
		left := time.Until(deadline)
		d = min(d, max(left-toTell, left/2))
	}
	return context.WithTimeout(ctx, d)
}

// Unanswered returns the result for a node that cannot be examined, with the reason.
func Unanswered(cluster string, n orchestrator.NodeStatus) health.Seen {
	seen := health.Seen{Name: n.Name, Node: n.Node, Reason: n.Reason}
	switch n.State {
	case orchestrator.Stopped, orchestrator.Completed:
		seen.Reason = "its container is stopped" + ended(n.LastExit)
		seen.Hint = hint.Of(hint.Start.On(cluster, n.Name))
	case orchestrator.Failed:
		seen.Reason = "it failed, and nothing restarts it" + ended(n.LastExit)
		seen.Hint = hint.Of(hint.Tail.On(cluster, n.Name))
	case orchestrator.BackingOff:
		seen.Reason = "it crashed and waits for its restart" + ended(n.LastExit)
		seen.Hint = hint.Of(hint.Tail.On(cluster, n.Name))
	case orchestrator.Pending, orchestrator.Creating, orchestrator.Starting:
		if seen.Reason == "" {
			seen.Reason = "it still starts"
		}
	case orchestrator.Stopping:
		seen.Reason = "it is being stopped"
	case orchestrator.Unreachable:
		seen.Reason = n.Reason
	case orchestrator.Running, orchestrator.Ready, orchestrator.Degraded:
		switch {
		case n.Paused:
			seen.Reason, seen.Hint = "its container is paused", hint.Of(hint.Unpause.On(cluster, n.Name))
		case seen.Reason == "":
			seen.Reason = "the distribution connection to it is gone"
		}
	}
	return seen
}

// ended describes how the last run ended, unless the end was requested.
func ended(e *orchestrator.Exit) string {
	if e == nil || e.Class == orchestrator.ExitStopped {
		return ""
	}
	return " (" + e.String() + ")"
}
