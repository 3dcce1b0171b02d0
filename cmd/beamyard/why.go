package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/beamyard/beamyard/cmd/beamyard/internal/show"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/health"
)

// whyCmd says what is wrong with a cluster: what inspect says of each node, and health of all. It
// is for assistants.
type whyCmd struct{ target }

// explanation is what is wrong with a cluster.
type explanation struct {
	Cluster    string                    `json:"cluster"`
	Ready      bool                      `json:"ready"`
	Supervised bool                      `json:"supervised"`
	Nodes      []orchestrator.NodeStatus `json:"nodes"`    // that are not ready, have ended before, or have findings
	Findings   []orchestrator.Finding    `json:"findings"` // causes first
	Failed     []health.Check            `json:"failed"`   // checks
	Unknown    string                    `json:"unknown,omitempty"`
}

// Run explains what is wrong.
func (c *whyCmd) Run(ctx context.Context, a *app) error {
	r, err := c.connect(ctx, a, "health", nil)
	if err != nil {
		return err
	}
	defer r.close()
	found, err := r.find(ctx, a)
	if err != nil {
		return err
	}
	report, failed := r.health(ctx, a)
	e := explain(found.Status, report, failed)
	return a.answer(e.printed(), func(o *output) error {
		_, err := fmt.Fprint(o, e.text(a.now()))
		return err
	})
}

// explain selects what is wrong. Without a report it says so. Pure.
func explain(st orchestrator.Status, report orchestrator.HealthReport, failed error) explanation {
	e := explanation{
		Cluster: st.Cluster, Ready: st.Ready, Supervised: st.Supervised,
		Nodes: []orchestrator.NodeStatus{}, Findings: []orchestrator.Finding{}, Failed: []health.Check{},
	}
	add := func(findings []orchestrator.Finding) {
		for _, f := range findings {
			if !slices.ContainsFunc(e.Findings, func(known orchestrator.Finding) bool { return known.Code == f.Code && known.Node == f.Node }) {
				e.Findings = append(e.Findings, f)
			}
		}
	}
	add(report.Findings)
	for _, n := range st.Nodes {
		add(n.Findings)
		if n.State != orchestrator.Ready || n.LastExit != nil || len(n.Findings) > 0 {
			e.Nodes = append(e.Nodes, n)
		}
	}
	for _, check := range report.Checks {
		if check.State == health.Failed {
			e.Failed = append(e.Failed, check)
		}
	}
	if failed != nil {
		e.Unknown = "its health: " + failed.Error()
	}
	slices.SortStableFunc(e.Findings, func(a, b orchestrator.Finding) int {
		switch {
		case (a.SymptomOf == nil) == (b.SymptomOf == nil):
			return 0
		case a.SymptomOf == nil:
			return -1
		}
		return 1
	})
	return e
}

// printed returns the explanation as JSON has it: its hints are text, with commands.
func (e explanation) printed() explanation {
	e.Nodes = orchestrator.Status{Nodes: e.Nodes}.Printed().Nodes
	e.Findings = orchestrator.PrintedFindings(e.Findings)
	e.Failed = health.Report{Checks: e.Failed}.Printed().Checks
	return e
}

func (e explanation) text(now time.Time) string {
	var b strings.Builder
	for _, n := range e.Nodes {
		fmt.Fprintf(&b, "%s: %s", show.Place(n), stateCell(orchestrator.Status{Supervised: e.Supervised}, n, now).text)
		if n.Reason != "" && n.State != orchestrator.Ready {
			fmt.Fprintf(&b, ": %s", n.Reason)
		}
		if n.LastExit != nil {
			fmt.Fprintf(&b, "; last exit: %s", n.LastExit)
			if n.LastExit.Reason != "" && n.LastExit.Class != orchestrator.ExitStartError {
				fmt.Fprintf(&b, ": %s", n.LastExit.Reason)
			}
			fmt.Fprintf(&b, ", %s ago", show.Span(now.Sub(n.LastExit.At)))
		}
		b.WriteByte('\n')
	}
	text := printable(b.String())
	for _, c := range e.Failed {
		var check strings.Builder
		writeCheck(&check, c, false, func(string) string { return "" })
		text += check.String()
	}
	text += findingsText(e.Findings)
	switch {
	case e.Unknown != "":
		text += printable("unknown: " + e.Unknown + "\n")
	case len(e.Findings)+len(e.Failed) == 0 && e.Ready:
		text += "nothing is wrong now: every node is ready, every pair is connected, and no check failed\n"
	}
	return text
}

func sortedKeys[K ~string, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
