package faults

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
)

// Readmit makes the VMs of a healed fault that said [fault.Disconnect] accept each other again. A
// supervisor does it by itself; it is for a cluster without one. A node that is down is left out:
// it has forgotten. Source: erlang:set_cookie/2.
func (i Injector) Readmit(ctx context.Context, on Evaluator, f fault.Fault) error {
	var names []string
	for _, n := range i.Spec.Nodes {
		names = append(names, n.Name)
	}
	peers := map[string][]string{}
	for _, p := range f.Cuts(names) {
		for _, end := range []fault.Pair{p, {From: p.To, To: p.From}} {
			if beam := "'" + i.Spec.Names().Node(end.To) + "'"; !slices.Contains(peers[end.From], beam) {
				peers[end.From] = append(peers[end.From], beam)
			}
		}
	}
	var failed error
	for _, n := range names {
		if len(peers[n]) == 0 {
			continue
		}
		expression := fmt.Sprintf("[true = erlang:set_cookie(N, erlang:get_cookie()) || N <- [%s]], ok.", strings.Join(peers[n], ", "))
		if _, err := on.Eval(ctx, n, expression, orchestrator.EvalOptions{Erlang: true}); err != nil && !errors.Is(err, orchestrator.ErrNotRunning) {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", n, err))
		}
	}
	return failed
}
