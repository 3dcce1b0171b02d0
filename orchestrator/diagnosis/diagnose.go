package diagnosis

import (
	"cmp"
	"slices"

	"github.com/beamyard/beamyard/orchestrator"
)

// Diagnose applies the rules to the evidence. It returns the findings roots first, then
// in the order of the rules and of the nodes, each once per node. A finding that follows
// from another one names it. A problem that matches no rule is quoted in the finding
// "unknown". Empty evidence gives no findings.
func Diagnose(e Evidence) []orchestrator.Finding {
	var found []match
	at := make([]*Evidence, len(e.Nodes))
	for i := range e.Nodes {
		at[i] = e.at(&e.Nodes[i])
	}
	for i := range rules {
		r := &rules[i]
		if r.whole != nil {
			if m, ok := r.whole(&e); ok {
				found = append(found, m.of(r, &e, nil))
			}
		}
		for j := range e.Nodes {
			n := &e.Nodes[j]
			if m, ok := r.matches(at[j], n); ok {
				found = append(found, m.of(r, at[j], n))
			}
		}
	}
	found = append(found, unknowns(&e, found)...)
	relate(found)
	slices.SortStableFunc(found, func(a, b match) int {
		return cmp.Compare(boolInt(a.finding.SymptomOf != nil), boolInt(b.finding.SymptomOf != nil))
	})
	findings := make([]orchestrator.Finding, len(found))
	for i, m := range found {
		findings[i] = m.finding
	}
	return findings
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// relate tells of each finding which other one it follows from: the first that
// its rule names and that is about the same node, about one that it has to do
// with, or about the whole.
func relate(found []match) {
	for i := range found {
		m := &found[i]
		for _, code := range m.rule.follows {
			if cause := causeOf(found, m, code); cause != nil {
				m.finding.SymptomOf = cause
				break
			}
		}
	}
}

func causeOf(found []match, m *match, code orchestrator.FindingCode) *orchestrator.Cause {
	for _, other := range found {
		near := other.finding.Node == m.finding.Node || other.finding.Node == "" || slices.Contains(m.peers, other.finding.Node)
		if other.finding.Code == code && near {
			return &orchestrator.Cause{Code: code, Node: other.finding.Node}
		}
	}
	return nil
}
