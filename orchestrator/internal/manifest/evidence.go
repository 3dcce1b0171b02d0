package manifest

import (
	"slices"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/diagnosis"
	"github.com/beamyard/beamyard/orchestrator/health"
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

// Remarks returns findings about nodes that answer: conditions that do not degrade them
// now, but will cause problems later.
func Remarks(s orchestrator.Spec, seen []health.Seen, clean func(string) string) []orchestrator.Finding {
	e := diagnosis.Evidence{Spec: s}
	apart := health.MnesiaApart(seen)
	for _, one := range seen {
		i := slices.IndexFunc(s.Nodes, func(n orchestrator.NodeSpec) bool { return n.Name == one.Name })
		if i < 0 || one.Sample == nil {
			continue
		}
		n := NodeEvidence(s, i)
		n.State, n.Live = orchestrator.Ready, Live(one.Sample)
		n.Live.MnesiaApart, n.Live.GlobalStuck = apart[one.Name], health.GlobalStuck(one, seen)
		e.Nodes = append(e.Nodes, n)
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
