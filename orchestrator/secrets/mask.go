package secrets

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/beamyard/beamyard/orchestrator"
)

// Mask removes the secrets of clusters from what leaves the program: a file, a page. It
// masks what [Suspected] returns. All methods are safe for concurrent use.
type Mask struct {
	values []string
	text   *strings.Replacer
}

// NewMask returns a mask with the secrets of these specs.
func NewMask(specs ...orchestrator.Spec) *Mask {
	values := Suspected(specs...)
	return &Mask{values, Replacer(values)}
}

// Values returns what is masked, in all its [Forms], the longest first.
func (m *Mask) Values() []string { return m.values }

// Text masks a text.
func (m *Mask) Text(text string) string { return m.text.Replace(text) }

// JSON masks the strings of a JSON text, except the keys of its objects. Everything else, above
// all numbers, stays unchanged, and the text remains valid JSON.
func (m *Mask) JSON(data []byte) []byte {
	var out bytes.Buffer
	for len(data) > 0 {
		begin := bytes.IndexByte(data, '"')
		if begin < 0 {
			break
		}
		end := begin + 1
		for data[end] != '"' {
			if data[end] == '\\' {
				end++
			}
			end++
		}
		end++
		literal, rest := data[begin:end], data[end:]
		out.Write(data[:begin])
		data = rest
		key := bytes.HasPrefix(bytes.TrimLeft(rest, " \n"), []byte(":"))
		if text, ok := textOf(literal); ok && !key {
			if clean := m.Text(text); clean != text {
				literal = []byte(`"` + quoted(clean) + `"`)
			}
		}
		out.Write(literal)
	}
	out.Write(data)
	return out.Bytes()
}

// textOf returns the text of a JSON string. Most have nothing escaped.
func textOf(literal []byte) (text string, ok bool) {
	if bytes.IndexByte(literal, '\\') < 0 {
		return string(literal[1 : len(literal)-1]), true
	}
	err := json.Unmarshal(literal, &text)
	return text, err == nil
}
