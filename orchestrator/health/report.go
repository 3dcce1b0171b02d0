package health

import (
	"slices"
	"time"

	"github.com/beamyard/beamyard/orchestrator/hint"
)

// Group is the subject of a check.
type Group string

// The groups, in the order of a report: each group depends on those before it.
const (
	Connectivity Group = "connectivity" // each node answers
	Formation    Group = "formation"    // each node is connected to each other node
	Code         Group = "code"         // all nodes run the same modules
	Operations   Group = "operations"   // the application runs, and the cluster's own checks pass
	Performance  Group = "performance"  // no node is overloaded
	Resources    Group = "resources"    // no node is near its limits
)

// Groups are all groups, in the order of a report.
var Groups = []Group{Connectivity, Formation, Code, Operations, Performance, Resources}

// State is the outcome of a check.
type State string

// The states. Unknown means that the check could not be made, because something else
// failed or because the system does not provide the information.
const (
	Passed  State = "passed"
	Failed  State = "failed"
	Unknown State = "unknown"
)

// Check is the result of one check.
type Check struct {
	Group   Group    `json:"group"`
	Name    string   `json:"name"`           // "application", "memory", or the name of one of the cluster's own checks
	Node    string   `json:"node,omitempty"` // short name; "" for the cluster
	State   State    `json:"state"`
	Figures []Figure `json:"figures,omitempty"`
	// Means says in one line what is wrong and why it matters, if the check did not pass.
	Means string `json:"means,omitempty"`
	// Suggestion is what to do next, if the check did not pass.
	Suggestion hint.Hint `json:"suggestion,omitempty"`
	// Crashed means that the check itself failed, and says nothing about its subject.
	Crashed bool `json:"crashed,omitempty"`
}

// Figure is a measured value.
type Figure struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit,omitempty"`  // "ms", "bytes", "%"; "" for a count
	Limit float64 `json:"limit,omitempty"` // value from which the check fails, in the same unit; 0 if there is none
}

// Summary counts the checks.
type Summary struct {
	Total   int `json:"total"`
	Passed  int `json:"passed"`
	Failed  int `json:"failed"`
	Unknown int `json:"unknown"`
}

// Sight is how one node sees another.
type Sight string

// The sights.
const (
	SeesVisible Sight = "visible"
	SeesHidden  Sight = "hidden"
	SeesNot     Sight = "missing"
	SeesUnknown Sight = "unknown" // it did not answer
)

// Matrix shows how each node sees each other node: Rows[i][j] is how Nodes[i] sees
// Nodes[j]. The diagonal is "".
type Matrix struct {
	Nodes []string  `json:"nodes"` // short names
	Rows  [][]Sight `json:"rows"`
}

// Full reports whether every node sees every other node as a visible one.
func (m Matrix) Full() bool {
	for i, row := range m.Rows {
		for j, sight := range row {
			if i != j && sight != SeesVisible {
				return false
			}
		}
	}
	return true
}

// Difference is a module that differs between nodes.
type Difference struct {
	Module string `json:"module"`
	// Nodes by the MD5 of their version, in hexadecimal. Under "" are nodes that do not
	// have the module, or cannot read it.
	Nodes map[string][]string `json:"nodes"`
}

// NodeReport is the part of a report about one node.
type NodeReport struct {
	Name   string  `json:"name"`
	Node   string  `json:"node"` // its BEAM name
	Sample *Sample `json:"sample,omitempty"`
}

// Report is the health of a cluster at one point in time. It is plain data.
type Report struct {
	Cluster string        `json:"cluster"`
	Time    time.Time     `json:"time"`
	Took    time.Duration `json:"took"`   // nanoseconds
	Passed  bool          `json:"passed"` // no check failed
	Summary Summary       `json:"summary"`
	Checks  []Check       `json:"checks"` // sorted by group, then by node
	Matrix  Matrix        `json:"matrix"`
	// Code lists the modules that differ.
	Code  []Difference `json:"code,omitempty"`
	Nodes []NodeReport `json:"nodes"`
	// Suggestions of the failed checks, without duplicates. If no check failed, it has
	// one line, which says that all is well.
	Suggestions []hint.Hint `json:"suggestions"`
}

// Printed returns the report as the command line prints it: its hints are text, with
// commands.
func (r Report) Printed() Report {
	r.Checks, r.Suggestions = slices.Clone(r.Checks), slices.Clone(r.Suggestions)
	for i, c := range r.Checks {
		r.Checks[i].Suggestion = c.Suggestion.Printed()
	}
	for i, h := range r.Suggestions {
		r.Suggestions[i] = h.Printed()
	}
	return r
}

// Of returns the checks of a group.
func (r Report) Of(g Group) []Check {
	var checks []Check
	for _, c := range r.Checks {
		if c.Group == g {
			checks = append(checks, c)
		}
	}
	return checks
}

// FirstFailed returns the first failed check of these groups.
func (r Report) FirstFailed(groups ...Group) (Check, bool) {
	i := slices.IndexFunc(r.Checks, func(c Check) bool { return c.State == Failed && slices.Contains(groups, c.Group) })
	if i < 0 {
		return Check{}, false
	}
	return r.Checks[i], true
}

// nothingToDo is what is suggested if nothing failed.
const nothingToDo = "all is well: nothing to do"

// add takes a check into the report.
func (r *Report) add(c Check) {
	r.Checks = append(r.Checks, c)
	r.Summary.Total++
	switch c.State {
	case Passed:
		r.Summary.Passed++
	case Failed:
		r.Summary.Failed++
	case Unknown:
		r.Summary.Unknown++
	}
}
