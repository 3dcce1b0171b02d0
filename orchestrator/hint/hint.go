package hint

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Hint is advice: texts and steps in their order. It may have several lines. The zero
// value is no advice.
type Hint []Part

// Part is a text, or the step whose Do is not "".
type Part struct {
	Text string
	Step Step
}

// Text returns a hint without a step.
func Text(text string) Hint {
	if text == "" {
		return nil
	}
	return Hint{{Text: text}}
}

// Of returns a hint that is one step.
func Of(s Step) Hint { return Hint{{Step: s}} }

// Newf formats a hint as [fmt.Sprintf] does. The arguments of type [Step] and [Hint], for
// the verb %s, become parts of it.
func Newf(format string, args ...any) Hint {
	if false {
		_ = fmt.Sprintf(format, args...) // vet checks the formats of callers
	}
	args = slices.Clone(args)
	placed := map[string]Hint{} // by the text that stands for it
	for i, arg := range args {
		place := fmt.Sprintf("\x00%d\x00", i)
		switch arg := arg.(type) {
		case Step:
			placed[place] = Of(arg)
		case Hint:
			placed[place] = arg
		default:
			continue
		}
		args[i] = place
	}
	var h Hint
	text, done := fmt.Sprintf(format, args...), 0
	for _, at := range places.FindAllStringIndex(text, -1) {
		if inner, ok := placed[text[at[0]:at[1]]]; ok { // otherwise it is text of an argument
			h = join(h, Text(text[done:at[0]]), inner)
			done = at[1]
		}
	}
	return join(h, Text(text[done:]))
}

// places matches what may stand for a part.
var places = regexp.MustCompile("\x00[0-9]+\x00")

// Lines returns one hint with each of these that is not empty on lines of its own.
func Lines(hints ...Hint) Hint {
	var all Hint
	for _, h := range hints {
		if len(all) > 0 && len(h) > 0 {
			all = join(all, Text("\n"))
		}
		all = join(all, h)
	}
	return all
}

// join returns the hints as one, in which no text follows a text.
func join(hints ...Hint) Hint {
	var all Hint
	for _, p := range slices.Concat(hints...) {
		if last := len(all) - 1; last >= 0 && p.Step.Do == "" && all[last].Step.Do == "" {
			all[last].Text += p.Text
		} else {
			all = append(all, p)
		}
	}
	return all
}

// String writes the steps as commands of the command line.
func (h Hint) String() string { return h.Render(Step.String) }

// Render writes the steps by a function.
func (h Hint) Render(write func(Step) string) string {
	var b strings.Builder
	for _, p := range h {
		if p.Step.Do != "" {
			b.WriteString(write(p.Step))
		} else {
			b.WriteString(p.Text)
		}
	}
	return b.String()
}

// Printed returns the hint as the command line prints it: a text, without a step.
func (h Hint) Printed() Hint { return Text(h.String()) }

// Map returns the hint with its texts, and the names and arguments of its steps, as f
// returns them.
func (h Hint) Map(f func(string) string) Hint {
	all := func(texts []string) []string {
		texts = slices.Clone(texts)
		for i, text := range texts {
			texts[i] = f(text)
		}
		return texts
	}
	h = slices.Clone(h)
	for i, p := range h {
		h[i] = Part{f(p.Text), Step{p.Step.Do, f(p.Step.Cluster), all(p.Step.Nodes), all(p.Step.Args)}}
	}
	return h
}

// Replace returns the hint with another one in place of a part of its texts.
func (h Hint) Replace(part string, with Hint) Hint {
	return join(h.cut(part, with)...)
}

// Split returns the lines of the hint that are not empty: [Lines] joins them.
func (h Hint) Split() []Hint {
	return slices.DeleteFunc(h.cut("\n"), func(line Hint) bool { return len(line) == 0 })
}

// cut returns what is before, between and after the places of a part of the texts, with
// the hints that are given for each place.
func (h Hint) cut(part string, place ...Hint) []Hint {
	pieces := []Hint{nil}
	for _, p := range h {
		for i, text := range strings.Split(p.Text, part) {
			if i > 0 {
				pieces = append(append(pieces, place...), nil)
			}
			if last := len(pieces) - 1; text != "" || p.Step.Do != "" {
				pieces[last] = append(pieces[last], Part{text, p.Step})
			}
		}
	}
	return pieces
}

// MarshalJSON writes a hint that is one text as a string, and no hint as "".
func (h Hint) MarshalJSON() ([]byte, error) {
	switch {
	case len(h) == 0:
		return []byte(`""`), nil
	case len(h) == 1 && h[0].Step.Do == "":
		return json.Marshal(h[0])
	}
	return json.Marshal([]Part(h))
}

// UnmarshalJSON is the inverse of MarshalJSON.
func (h *Hint) UnmarshalJSON(data []byte) error {
	if text, ok := stringOf(data); ok {
		*h = Text(text)
		return nil
	}
	return json.Unmarshal(data, (*[]Part)(h))
}

// MarshalJSON writes a text as a string, and a step as an object.
func (p Part) MarshalJSON() ([]byte, error) {
	if p.Step.Do != "" {
		return json.Marshal(p.Step)
	}
	return json.Marshal(p.Text)
}

// UnmarshalJSON is the inverse of MarshalJSON.
func (p *Part) UnmarshalJSON(data []byte) error {
	if text, ok := stringOf(data); ok {
		*p = Part{Text: text}
		return nil
	}
	*p = Part{}
	return json.Unmarshal(data, &p.Step)
}

// stringOf returns the text if data is a string.
func stringOf(data []byte) (text string, ok bool) {
	err := json.Unmarshal(data, &text)
	return text, err == nil && string(data) != "null"
}
