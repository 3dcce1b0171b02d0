package diagnosis

import (
	"fmt"
	"strings"
)

// Code names what is wrong, for scripts and searches: "cookie-mismatch". The
// codes are listed with the rules that find them.
type Code string

// Finding is one thing that is wrong, or will be, and what to do about it.
type Finding struct {
	Code Code `json:"code"`
	// Node is the short name of the node that it is about; "" for the cluster
	// or the machine.
	Node string `json:"node,omitempty"`
	// Problem says in one line what is wrong, and why that matters.
	Problem string `json:"problem"`
	// Evidence is what told it: a line of output, an engine's error, a state.
	Evidence string `json:"evidence,omitempty"`
	// Solutions, the most likely first. At least one has a command to type.
	Solutions []Solution `json:"solutions"`
	// SymptomOf is the finding that this one follows from, where that is known:
	// mend that one first.
	SymptomOf *Cause `json:"symptom_of,omitempty"`
	// Lasting says that time will not cure it: a node that has it once it has had the
	// time to boot will never be Ready. For a supervisor, which then waits no longer.
	Lasting bool `json:"-"`
}

// Solution is one way out.
type Solution struct {
	Text    string `json:"text"`              // what to do, in a few words
	Command string `json:"command,omitempty"` // what to type for it, exactly
}

// Cause names another finding.
type Cause struct {
	Code Code   `json:"code"`
	Node string `json:"node,omitempty"`
}

// String is the solution in one line: "raise its limit: beamyard …".
func (s Solution) String() string {
	switch {
	case s.Command == "", strings.Contains(s.Text, s.Command):
		return s.Text
	case s.Text == "":
		return s.Command
	}
	return s.Text + ": " + s.Command
}

// String is the finding in one line: "cookie-mismatch: n2 has another cookie …".
func (f Finding) String() string { return fmt.Sprintf("%s: %s", f.Code, f.Problem) }

// Hint joins the solutions, a line each.
func (f Finding) Hint() string {
	lines := make([]string, len(f.Solutions))
	for i, s := range f.Solutions {
		lines[i] = s.String()
	}
	return strings.Join(lines, "\n")
}

// Roots are the findings that follow from no other one.
func Roots(findings []Finding) []Finding {
	var roots []Finding
	for _, f := range findings {
		if f.SymptomOf == nil {
			roots = append(roots, f)
		}
	}
	return roots
}
