package diagnosis

import (
	"regexp"
	"slices"

	"github.com/beamyard/beamyard/orchestrator"
)

// rules in the order of their findings: the machine and its engine first, then
// what a node is made of, how it ends, how nodes meet, and what runs on them.
// Where several say something of one node, the more telling comes first.
var rules = slices.Concat(engineRules, mixRules, buildRules, endRules, overrideRules, distributionRules, agreeRules, applicationRules, followRules)

func pattern(expr string) *regexp.Regexp { return regexp.MustCompile(expr) }

// Known describes a rule for documentation and tests.
type Known struct {
	Code      orchestrator.FindingCode
	Problem   string
	Solutions []orchestrator.Solution // templates with {words}
	Follows   []orchestrator.FindingCode
}

// Rules returns all rules, in the order of the findings.
func Rules() []Known {
	known := make([]Known, 0, len(rules)+1)
	for _, r := range append(slices.Clone(rules), unknownRule) {
		k := Known{Code: r.code, Problem: r.problem, Follows: r.follows}
		for _, t := range r.try {
			k.Solutions = append(k.Solutions, orchestrator.Solution{Text: t.text, Do: t.do})
		}
		known = append(known, k)
	}
	return known
}
