package check

import (
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/beamyard/beamyard/orchestrator/ask"
	"github.com/beamyard/beamyard/orchestrator/internal/english"
)

// opinions returns which node says what if the answers differ. The first line of an answer identifies
// the value, and the rest shows it. show makes a text a part of a message.
func opinions(answers []ask.Answer, show func(string) string) []string {
	shown, by := map[string]string{}, map[string][]string{}
	var order []string
	for _, a := range answers {
		value, text, _ := strings.Cut(a.Text, "\n")
		if _, known := shown[value]; !known {
			order = append(order, value)
		}
		shown[value], by[value] = text, append(by[value], a.Node)
	}
	if len(order) < 2 {
		return nil
	}
	var why []string
	for _, value := range order {
		why = append(why, fmt.Sprintf("%s %s %s", strings.Join(by[value], ", "), english.PluralWord(len(by[value]), "says", "say"), show(shown[value])))
	}
	return why
}

// process is one process of a name, and the nodes that know it.
type process struct {
	text string
	by   []string
}

// doubles returns the names that have several processes. Each line of an answer is a name, a
// process, and what identifies the process.
func doubles(answers []ask.Answer, show func(string) string) []string {
	names := map[string]map[string]*process{}
	for _, a := range answers {
		for line := range strings.Lines(a.Text) {
			fields, ok := lineFields(line)
			if !ok {
				return []string{fmt.Sprintf("%s says %q, which is not a name with its process", a.Node, show(line))}
			}
			name, text, id := fields[0], fields[1], fields[2]
			if names[name] == nil {
				names[name] = map[string]*process{}
			}
			p := names[name][id]
			if p == nil {
				p = &process{text: text}
				names[name][id] = p
			}
			if !slices.Contains(p.by, a.Node) {
				p.by = append(p.by, a.Node)
			}
		}
	}
	var why []string
	for _, name := range slices.Sorted(maps.Keys(names)) {
		processes := slices.SortedFunc(maps.Values(names[name]), func(a, b *process) int { return strings.Compare(a.text, b.text) })
		if len(processes) < 2 {
			continue
		}
		var each []string
		for _, p := range processes {
			each = append(each, fmt.Sprintf("%s (%s %s)", show(p.text), strings.Join(p.by, ", "), english.PluralWord(len(p.by), "says", "say")))
		}
		why = append(why, fmt.Sprintf("%s has %d processes: %s", show(name), len(processes), strings.Join(each, ", ")))
	}
	return why
}

// lineFields decodes a line of three fields.
func lineFields(line string) (fields [3]string, ok bool) {
	words := strings.Fields(line)
	if len(words) != len(fields) {
		return fields, false
	}
	for i, word := range words {
		text, err := base64.StdEncoding.DecodeString(word)
		if err != nil {
			return fields, false
		}
		fields[i] = string(text)
	}
	return fields, true
}
