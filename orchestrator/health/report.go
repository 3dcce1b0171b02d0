package health

import (
	"slices"
	"time"

	"github.com/beamyard/beamyard/orchestrator/diagnosis"
)

// Group is what a check is about.
type Group string

// The groups, in the order of a report: what comes later rests on what comes
// before.
const (
	Connectivity Group = "connectivity" // each node answers
	Formation    Group = "formation"    // each sees each
	Code         Group = "code"         // all run the same modules
	Operations   Group = "operations"   // the application runs, and the cluster's own checks pass
	Performance  Group = "performance"  // it is not overloaded
	Resources    Group = "resources"    // it is far from its limits
)

// Groups are all of them.
var Groups = []Group{Connectivity, Formation, Code, Operations, Performance, Resources}

// State is the outcome of a check.
type State string

// The states. Unknown is for what could not be asked, because of something else
// that failed, or that the system does not tell.
const (
	Passed  State = "passed"
	Failed  State = "failed"
	Unknown State = "unknown"
)

// Check is one thing that was looked at.
type Check struct {
	Group   Group    `json:"group"`
	Name    string   `json:"name"`           // "application", "memory", a name of the spec's own
	Node    string   `json:"node,omitempty"` // short name; "" for the cluster
	State   State    `json:"state"`
	Figures []Figure `json:"figures,omitempty"`
	// Means says in one line what is so and why that matters, where it did not
	// pass.
	Means string `json:"means,omitempty"`
	// Suggestion is what to do next, where it did not pass.
	Suggestion string `json:"suggestion,omitempty"`
	// Crashed: the check itself failed, and nothing is known of its object.
	Crashed bool `json:"crashed,omitempty"`
}

// Figure is a measured value.
type Figure struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit,omitempty"`  // "ms", "bytes", "%"; "" for a number of things
	Limit float64 `json:"limit,omitempty"` // where it fails, in the same unit; 0: no such
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
	SeesUnknown Sight = "unknown" // it could not be asked
)

// Matrix is who sees whom: Rows[i][j] is how Nodes[i] sees Nodes[j]. The
// diagonal is "".
type Matrix struct {
	Nodes []string  `json:"nodes"` // short names
	Rows  [][]Sight `json:"rows"`
}

// Full reports whether every node sees every other as a visible one.
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

// Difference is a module that is not the same on all nodes.
type Difference struct {
	Module string `json:"module"`
	// Nodes by the MD5 of what they have, in hexadecimal; under "" are those that
	// lack it, or cannot read it.
	Nodes map[string][]string `json:"nodes"`
}

// NodeReport is one node of a report.
type NodeReport struct {
	Name   string  `json:"name"`
	Node   string  `json:"node"` // its BEAM name
	Sample *Sample `json:"sample,omitempty"`
}

// Report is the health of a cluster at one time. It is plain data.
type Report struct {
	Cluster string        `json:"cluster"`
	Time    time.Time     `json:"time"`
	Took    time.Duration `json:"took"`   // nanoseconds
	Passed  bool          `json:"passed"` // nothing failed
	Summary Summary       `json:"summary"`
	Checks  []Check       `json:"checks"` // by group, then by node
	Matrix  Matrix        `json:"matrix"`
	// Code lists the modules that differ.
	Code  []Difference `json:"code,omitempty"`
	Nodes []NodeReport `json:"nodes"`
	// Suggestions of the failed checks, each once. When nothing failed it is one
	// line: that all is well, or that there are findings.
	Suggestions []string `json:"suggestions"`
	// Findings say why, roots first, where that is known.
	Findings []diagnosis.Finding `json:"findings,omitempty"`
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

// FirstFailed is the first check of these groups that failed.
func (r Report) FirstFailed(groups ...Group) (Check, bool) {
	i := slices.IndexFunc(r.Checks, func(c Check) bool { return c.State == Failed && slices.Contains(groups, c.Group) })
	if i < 0 {
		return Check{}, false
	}
	return r.Checks[i], true
}

// What is suggested when nothing failed.
const (
	nothingToDo  = "all is well: nothing to do"
	seeTheCauses = "no check failed, but see the findings"
)

// Tell adds findings, but for those of which the report has one of that code about
// that node: what the supervisor found and what a report finds may be the same,
// and is told of each node when it is about the whole.
func (r *Report) Tell(found ...diagnosis.Finding) {
	for _, f := range found {
		if !slices.ContainsFunc(r.Findings, func(known diagnosis.Finding) bool { return known.Code == f.Code && known.Node == f.Node }) {
			r.Findings = append(r.Findings, f)
		}
	}
	if r.Passed && len(r.Findings) > 0 {
		r.Suggestions = []string{seeTheCauses}
	}
}

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
