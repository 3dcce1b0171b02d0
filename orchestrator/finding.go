package orchestrator

import (
	"fmt"
	"slices"
	"strings"

	"github.com/beamyard/beamyard/orchestrator/hint"
)

// FindingCode identifies a problem, for scripts and searches: "cookie-mismatch". The codes
// are listed with the rules that find them, in package diagnosis.
type FindingCode string

// Finding is one present or coming problem, and what to do about it. Package diagnosis makes
// findings.
type Finding struct {
	Code FindingCode `json:"code"`
	// Node is the short name of the node that has the problem; "" for the cluster or the
	// machine.
	Node string `json:"node,omitempty"`
	// Problem says in one line what is wrong, and why it matters.
	Problem string `json:"problem"`
	// Evidence is what revealed the problem: a line of output, an engine's error, a
	// state.
	Evidence string `json:"evidence,omitempty"`
	// Solutions, the most likely first. At least one has something to do.
	Solutions []Solution `json:"solutions"`
	// SymptomOf is the finding that this one follows from, if known: fix that one first.
	SymptomOf *Cause `json:"symptom_of,omitempty"`
	// Lasting means that waiting does not help: a node that still has the problem after
	// its time to boot will never be Ready. A supervisor then stops waiting.
	Lasting bool `json:"-"`
}

// Solution is one way to fix a problem.
type Solution struct {
	Text hint.Hint `json:"text"`              // what to do, in a few words
	Do   hint.Hint `json:"command,omitempty"` // the exact step, or a command of another program
}

// Cause identifies another finding.
type Cause struct {
	Code FindingCode `json:"code"`
	Node string      `json:"node,omitempty"`
}

// Hint returns the solution on one line: "raise its limit: beamyard …".
func (s Solution) Hint() hint.Hint {
	switch {
	case len(s.Do) == 0, strings.Contains(s.Text.String(), s.Do.String()):
		return s.Text
	case len(s.Text) == 0:
		return s.Do
	}
	return hint.Newf("%s: %s", s.Text, s.Do)
}

// String formats the finding in one line: "cookie-mismatch: n2 has another cookie …".
func (f Finding) String() string { return fmt.Sprintf("%s: %s", f.Code, f.Problem) }

// Hint returns the solutions, one per line.
func (f Finding) Hint() hint.Hint {
	lines := make([]hint.Hint, len(f.Solutions))
	for i, s := range f.Solutions {
		lines[i] = s.Hint()
	}
	return hint.Lines(lines...)
}

// PrintedFindings returns findings as the command line prints them: their solutions are
// text, with commands.
func PrintedFindings(findings []Finding) []Finding {
	findings = slices.Clone(findings)
	for i := range findings {
		f := &findings[i]
		f.Solutions = slices.Clone(f.Solutions)
		for j, s := range f.Solutions {
			f.Solutions[j] = Solution{s.Text.Printed(), s.Do.Printed()}
		}
	}
	return findings
}

// RootCauses returns the findings that do not follow from another finding.
func RootCauses(findings []Finding) []Finding {
	var roots []Finding
	for _, f := range findings {
		if f.SymptomOf == nil {
			roots = append(roots, f)
		}
	}
	return roots
}

// FindingsFor returns the findings about one node and about the whole cluster, in their order.
func FindingsFor(findings []Finding, node string) []Finding {
	var own []Finding
	for _, f := range findings {
		if f.Node == node || f.Node == "" {
			own = append(own, f)
		}
	}
	return own
}
