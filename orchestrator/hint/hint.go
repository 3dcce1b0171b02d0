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
			h = slices.Concat(h, Text(text[done:at[0]]), inner)
			done = at[1]
		}
	}
	return slices.Concat(h, Text(text[done:]))
}

// places matches what may stand for a part.
var places = regexp.MustCompile("\x00[0-9]+\x00")

// Lines returns one hint with each of these that is not empty on lines of its own.
func Lines(hints ...Hint) Hint {
	var all Hint
	for _, h := range hints {
		if len(all) > 0 && len(h) > 0 {
			all = append(all, Part{Text: "\n"})
		}
		all = append(all, h...)
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

// Map returns the hint with its texts, and the arguments of its steps, as f returns them:
// it removes secrets.
func (h Hint) Map(f func(string) string) Hint {
	h = slices.Clone(h)
	for i := range h {
		h[i].Text = f(h[i].Text)
		h[i].Step.Args = slices.Clone(h[i].Step.Args)
		for j, arg := range h[i].Step.Args {
			h[i].Step.Args[j] = f(arg)
		}
	}
	return h
}

// MarshalJSON writes a hint that is one text as a string.
func (h Hint) MarshalJSON() ([]byte, error) {
	if len(h) == 1 && h[0].Step.Do == "" {
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
