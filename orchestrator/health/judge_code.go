package health

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/beamyard/beamyard/orchestrator/hint"
	"github.com/beamyard/beamyard/orchestrator/internal/english"
)

// code compares the application's modules over all nodes that told of them, and are
// to run the same. A node alone with what it runs agrees with itself.
func (j *judge) code() []Check {
	c := Check{Name: "modules", State: Unknown}
	var told []Seen
	var silent []string
	known := false
	for _, n := range j.Nodes {
		if j.app(n) == "" {
			continue
		}
		known = true
		if n.Sample == nil || n.Sample.Modules == nil {
			silent = append(silent, n.Name)
			continue
		}
		told = append(told, n)
	}
	switch {
	case !known:
		c.Means, c.Suggestion = "no application is known to compare", hint.Newf("name it: %s", hint.Setting("app"))
		return []Check{c}
	case len(told) == 0:
		c.Means = "no node told the modules of " + j.apps()
		return []Check{c}
	}
	var differ []string
	names := map[string]bool{}
	groups := alike(told, j.app)
	for _, same := range groups {
		for m := range modulesOf(same) {
			names[m] = true
		}
		for _, d := range differences(same) {
			j.report.Code = append(j.report.Code, d)
			differ = append(differ, describe(d))
		}
	}
	c.State = Passed
	if len(groups) > 1 {
		c.Means = "compared only within each image and application: " + apart(groups)
	}
	c.Figures = []Figure{{Name: "modules", Value: float64(len(names))}, {Name: "nodes", Value: float64(len(told))}}
	if len(differ) > 0 {
		c.State = Failed
		c.Figures = append(c.Figures, Figure{Name: "differ", Value: float64(len(differ))})
		if more := len(differ) - 5; more > 0 {
			differ = append(differ[:5], fmt.Sprintf("and %d more", more))
		}
		c.Means = "the nodes do not run the same code: " + strings.Join(differ, "; ")
		c.Suggestion = hint.Newf("start what differs from the same image again: %s", j.restart(told))
	} else if len(silent) > 0 { // that few agree says nothing of the rest
		compared := make([]string, len(told))
		for i, n := range told {
			compared[i] = n.Name
		}
		c.State = Unknown
		c.Means = fmt.Sprintf("no data from %s; compared: %s", strings.Join(silent, ", "), strings.Join(compared, ", "))
	}
	return []Check{c}
}

// apps names the applications that nodes are to run.
func (j *judge) apps() string {
	var apps []string
	for _, n := range j.Nodes {
		if app := j.app(n); app != "" && !slices.Contains(apps, app) {
			apps = append(apps, app)
		}
	}
	return english.PluralWord(len(apps), "application ", "applications ") + strings.Join(apps, ", ")
}

// alike are the groups of nodes that run the same application of the same image.
func alike(nodes []Seen, app func(Seen) string) [][]Seen {
	type role struct{ runs, app string }
	var order []role
	groups := map[role][]Seen{}
	for _, n := range nodes {
		r := role{n.Runs, app(n)}
		if groups[r] == nil {
			order = append(order, r)
		}
		groups[r] = append(groups[r], n)
	}
	list := make([][]Seen, len(order))
	for i, r := range order {
		list[i] = groups[r]
	}
	return list
}

// apart names the nodes of groups: "n1 n3; n2".
func apart(groups [][]Seen) string {
	texts := make([]string, len(groups))
	for i, g := range groups {
		var names []string
		for _, n := range g {
			names = append(names, n.Name)
		}
		texts[i] = strings.Join(names, " ")
	}
	return strings.Join(texts, "; ")
}

func modulesOf(nodes []Seen) map[string]bool {
	names := map[string]bool{}
	for _, n := range nodes {
		for m := range n.Sample.Modules {
			names[m] = true
		}
	}
	return names
}

// differences are the modules that are not the same on all of these nodes.
func differences(nodes []Seen) []Difference {
	var found []Difference
	for _, m := range slices.Sorted(maps.Keys(modulesOf(nodes))) {
		d := Difference{Module: m, Nodes: map[string][]string{}}
		for _, n := range nodes {
			sum := n.Sample.Modules[m]
			d.Nodes[sum] = append(d.Nodes[sum], n.Name)
		}
		if len(d.Nodes) > 1 {
			found = append(found, d)
		}
	}
	return found
}

// describe says who has another version than most: "Demo.Counter on n2".
func describe(d Difference) string {
	most := ""
	for sum, nodes := range d.Nodes {
		if n := len(d.Nodes[most]); len(nodes) > n || len(nodes) == n && (most == "" || sum < most) {
			most = sum
		}
	}
	var others, lack []string
	for _, sum := range slices.Sorted(maps.Keys(d.Nodes)) {
		switch {
		case sum == "":
			lack = append(lack, d.Nodes[sum]...)
		case sum != most:
			others = append(others, d.Nodes[sum]...)
		}
	}
	text := strings.TrimPrefix(d.Module, "Elixir.")
	if len(others) > 0 {
		text += " on " + strings.Join(others, ", ")
	}
	if len(lack) > 0 {
		text += " (missing on " + strings.Join(lack, ", ") + ")"
	}
	return text
}

// restart is the step for all nodes that differ from the most in anything.
func (j *judge) restart(told []Seen) hint.Step {
	odd := map[string]bool{}
	for _, d := range j.report.Code {
		most := ""
		for _, sum := range slices.Sorted(maps.Keys(d.Nodes)) {
			if sum != "" && len(d.Nodes[sum]) > len(d.Nodes[most]) || most == "" {
				most = sum
			}
		}
		for sum, nodes := range d.Nodes {
			for _, n := range nodes {
				odd[n] = odd[n] || sum != most
			}
		}
	}
	var nodes []string
	for _, n := range told {
		if odd[n.Name] {
			nodes = append(nodes, n.Name)
		}
	}
	return hint.Restart.On(j.Cluster, nodes...)
}
