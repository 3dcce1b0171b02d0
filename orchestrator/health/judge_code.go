package health

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// code compares the application's modules over all nodes that told of them.
func (j *judge) code() []Check {
	c := Check{Name: "modules", State: Unknown}
	names := map[string]bool{}
	var told []Seen
	var silent []string
	for _, n := range j.Nodes {
		if n.Sample == nil || n.Sample.Modules == nil {
			silent = append(silent, n.Name)
			continue
		}
		told = append(told, n)
		for m := range n.Sample.Modules {
			names[m] = true
		}
	}
	switch {
	case j.Mixed:
		c.Means = "nodes have images of their own, so their modules are not compared"
		return []Check{c}
	case j.App == "" || j.App == "-":
		c.Means = "no application is known to compare: app: in beamyard.yml names it"
		return []Check{c}
	case len(told) == 0:
		c.Means = fmt.Sprintf("no node told the modules of application %s", j.App)
		return []Check{c}
	}
	var differ []string
	for _, m := range slices.Sorted(maps.Keys(names)) {
		d := Difference{Module: m, Nodes: map[string][]string{}}
		for _, n := range told {
			sum := n.Sample.Modules[m]
			d.Nodes[sum] = append(d.Nodes[sum], n.Name)
		}
		if len(d.Nodes) > 1 {
			j.report.Code = append(j.report.Code, d)
			differ = append(differ, describe(d))
		}
	}
	c.State = Passed
	c.Figures = []Figure{{Name: "modules", Value: float64(len(names))}, {Name: "nodes", Value: float64(len(told))}}
	if len(differ) > 0 {
		c.State = Failed
		c.Figures = append(c.Figures, Figure{Name: "differ", Value: float64(len(differ))})
		if more := len(differ) - 5; more > 0 {
			differ = append(differ[:5], fmt.Sprintf("and %d more", more))
		}
		c.Means = "the nodes do not run the same code: " + strings.Join(differ, "; ")
		c.Suggestion = "start what differs from the same image again: " + j.restart(told)
	} else if len(silent) > 0 { // that few agree says nothing of the rest
		compared := make([]string, len(told))
		for i, n := range told {
			compared[i] = n.Name
		}
		c.State = Unknown
		c.Means = fmt.Sprintf("%s did not tell; compared: %s", strings.Join(silent, ", "), strings.Join(compared, ", "))
	}
	return []Check{c}
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

// restart is the command for all nodes that differ from the most in anything.
func (j *judge) restart(told []Seen) string {
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
	command := "beamyard restart"
	for _, n := range told {
		if odd[n.Name] {
			command += " " + j.at(n)
		}
	}
	return command
}
