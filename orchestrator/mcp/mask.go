package mcp

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/secrets"
)

// mask removes the secrets of clusters.
type mask struct{ secrets *strings.Replacer }

func newMask(specs []orchestrator.Spec) mask {
	return mask{secrets.Replacer(secrets.Suspected(specs...))}
}

func (m mask) text(text string) string { return m.secrets.Replace(text) }

// value masks the strings of decoded JSON, also the keys of its objects.
func (m mask) value(v any) any {
	switch v := v.(type) {
	case string:
		return m.text(v)
	case []any:
		for i := range v {
			v[i] = m.value(v[i])
		}
	case map[string]any:
		clean := make(map[string]any, len(v))
		for key, part := range v {
			clean[m.text(key)] = m.value(part)
		}
		return clean
	}
	return v
}

// decode decodes what a command printed: an object, or a list, as one value or as one a line, which
// becomes an object with this key.
func decode(text []byte, list string) (any, error) {
	values := json.NewDecoder(bytes.NewReader(text))
	values.UseNumber() // a Seq, or nanoseconds, are more than a float64 holds
	all := []any{}
	for {
		var v any
		if err := values.Decode(&v); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("read the answer: %w", err)
		}
		all = append(all, v)
	}
	if len(all) == 1 {
		switch v := all[0].(type) {
		case []any:
			all = v
		case map[string]any:
			if _, failed := v["exit_code"]; list == "" || failed {
				return v, nil
			}
		}
	}
	if list == "" {
		return nil, nil
	}
	return map[string]any{list: all}, nil
}
