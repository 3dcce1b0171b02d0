package manifest

import (
	"fmt"
	"slices"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/diagnosis"
	"github.com/beamyard/beamyard/orchestrator/health"
	"github.com/beamyard/beamyard/orchestrator/hint"
)

// NodeEvidence returns what a spec tells about one node: its names, and what its container is
// given.
func NodeEvidence(s orchestrator.Spec, i int) diagnosis.Node {
	names, node, words := s.Names(), s.NodeAt(i), Words(s, i)
	n := diagnosis.Node{
		Name: node.Name, BEAM: names.Node(node.Name), Host: names.Host(node.Name), Container: names.Container(node.Name),
		Command: append(replaced(words, node.Entrypoint), nodeCommand(s, i)...), Env: map[string]string{},
	}
	for key, value := range node.Env {
		n.Env[key] = words.Replace(value)
	}
	return n
}

// Live returns the evidence in a sample of a VM that answers.
func Live(s *health.Sample) *diagnosis.Live {
	if s == nil {
		return nil
	}
	return &diagnosis.Live{Encoding: s.Encoding, Heart: s.Heart, Skew: s.ClockSkew}
}

// Faults returns the faults in force as evidence.
func Faults(all []fault.Fault) []diagnosis.Fault {
	faults := make([]diagnosis.Fault, len(all))
	for i, f := range all {
		faults[i] = diagnosis.Fault{ID: f.ID, Text: fmt.Sprintf("%s (%s)", f.ID, f)}
	}
	return faults
}

// Remarks returns findings about nodes that answer: conditions that do not degrade them
// now, but will cause problems later. The faults in force are one.
func Remarks(s orchestrator.Spec, seen []health.Seen, faults []fault.Fault, clean func(string) string) []orchestrator.Finding {
	e := diagnosis.Evidence{Spec: s, Faults: Faults(faults)}
	apart := health.MnesiaApart(seen)
	kept, restarted := health.MnesiaKept(seen)
	for _, one := range seen {
		i := slices.IndexFunc(s.Nodes, func(n orchestrator.NodeSpec) bool { return n.Name == one.Name })
		if i < 0 || one.Sample == nil {
			continue
		}
		n := NodeEvidence(s, i)
		n.State, n.Live = orchestrator.Ready, Live(one.Sample)
		n.Live.MnesiaApart, n.Live.MnesiaKept, n.Live.MnesiaRestarted = apart[one.Name], kept[one.Name], restarted[one.Name]
		n.Live.GlobalStuck = health.GlobalStuck(one, seen)
		e.Nodes = append(e.Nodes, n)
	}
	for _, d := range health.DuplicateNames(seen) {
		e.Duplicates = append(e.Duplicates, diagnosis.Duplicate(d))
	}
	return CleanFindings(diagnosis.Diagnose(e), clean)
}

// CleanFindings removes secrets from findings, which quote nodes and engines.
func CleanFindings(found []orchestrator.Finding, clean func(string) string) []orchestrator.Finding {
	for i := range found {
		f := &found[i]
		f.Problem, f.Evidence = clean(f.Problem), clean(f.Evidence)
		f.Solutions = slices.Clone(f.Solutions)
		for j := range f.Solutions {
			f.Solutions[j].Text, f.Solutions[j].Do = f.Solutions[j].Text.Map(clean), f.Solutions[j].Do.Map(clean)
		}
	}
	return found
}

// FindingEvent reports a finding: what is wrong, and what to do first.
func FindingEvent(f orchestrator.Finding) orchestrator.Event {
	e := orchestrator.Event{Node: f.Node, Kind: orchestrator.EventFinding, Text: f.String(), Finding: &f}
	if i := slices.IndexFunc(f.Solutions, func(s orchestrator.Solution) bool { return len(s.Do) > 0 }); i >= 0 {
		e.Hint = hint.Newf("try: %s", f.Solutions[i].Hint())
	}
	return e
}

// Blame adds the last findings to the cause of a cluster's failure.
func Blame(cause error, found []orchestrator.Finding) {
	if e, ok := cause.(*orchestrator.ClusterError); ok { //nolint:errorlint // the supervisor's own, unwrapped
		e.Problems = slices.Clone(e.Problems)
		for i, p := range e.Problems {
			e.Problems[i].Findings = orchestrator.FindingsFor(found, p.Node)
		}
	}
}
