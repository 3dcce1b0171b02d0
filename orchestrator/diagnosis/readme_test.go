package diagnosis

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/enginetest/generated"
)

// README.md lists every finding with its problem and its solutions. UPDATE=1 writes it.
func TestReadmeListsTheFindings(t *testing.T) {
	listed := 0
	for _, group := range []struct {
		name  string
		rules [][]rule
	}{
		{"findings of the engine", [][]rule{engineRules}},
		{"findings of builds", [][]rule{mixRules, buildRules}},
		{"findings of exits", [][]rule{endRules}},
		{"findings of settings", [][]rule{overrideRules}},
		{"findings of the distribution", [][]rule{distributionRules, agreeRules}},
		{"findings of the application", [][]rule{applicationRules}},
		{"findings that follow from others", [][]rule{followRules, {unknownRule}}},
	} {
		all := slices.Concat(group.rules...)
		listed += len(all)
		generated.Check(t, "README.md", group.name, describe(all))
	}
	if known := len(Rules()); listed != known {
		t.Errorf("%d rules are listed, and there are %d", listed, known)
	}
}

// describe has a section for each code: what is wrong, of which other finding it can be a
// symptom, and what to do.
func describe(rules []rule) string {
	var listed codes
	problems, solutions, follows := map[orchestrator.FindingCode][]string{}, map[orchestrator.FindingCode][]string{}, map[orchestrator.FindingCode][]string{}
	add := func(to map[orchestrator.FindingCode][]string, code orchestrator.FindingCode, text string) {
		if !slices.Contains(to[code], text) {
			to[code] = append(to[code], text)
		}
	}
	for _, r := range rules {
		if !slices.Contains(listed, r.code) {
			listed = append(listed, r.code)
		}
		add(problems, r.code, example(r.problem))
		for _, other := range r.follows {
			add(follows, r.code, "`"+string(other)+"`")
		}
		for _, s := range r.try {
			text := "- " + s.text.Map(example).String()
			if len(s.do) > 0 {
				text += ": `" + s.do.Map(example).String() + "`"
			}
			add(solutions, r.code, text)
		}
	}
	var b strings.Builder
	for _, code := range listed {
		fmt.Fprintf(&b, "\n### %s\n\n", code)
		for _, problem := range problems[code] {
			fmt.Fprintf(&b, "> %s\n\n", problem)
		}
		for _, solution := range solutions[code] {
			fmt.Fprintln(&b, solution)
		}
		if f := follows[code]; len(f) > 0 {
			fmt.Fprintf(&b, "\nCan be a symptom of %s.\n", strings.Join(f, ", "))
		}
	}
	return b.String() + "\n"
}

var unknownWord = regexp.MustCompile(`(\{[a-z_0-9]+\})+`)

// example fills the words of a text as for node n1 of cluster demo. What only the case
// tells is "…"; Docker's {{templates}} and Elixir's {tuples} stay.
func example(text string) string {
	text = strings.NewReplacer("{node}", "n1", "{cluster}", "demo", "{beam}", "app@n1.demo.test", "{host}", "n1.demo.test",
		"{container}", "beamyard-demo-n1", "{peer_container}", "beamyard-demo-n2", "{peers}", "n2", "{first}", "n1", "{second}", "app@n2.demo.test",
		"{image}", "IMAGE", "{app}", "shop", "{what}", "source: .",
		"{dump_path}", "/tmp/erl_crash.dump", "{dist_port}", "9100", "{http_port}", "4000", "{http_check}", "/health", "{grace}", "5s", "{name_it}", "--name app@n1.demo.test",
		"{names}", "long", "{other_names}", "short", "{way}", "take that setting out").Replace(text)
	return unknownWord.ReplaceAllString(text, "…")
}
