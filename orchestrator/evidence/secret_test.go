package evidence

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/hint"
)

// talker returns the same text in every field and method.
type talker struct{ text string }

func (s talker) Status(context.Context) (orchestrator.Status, error) {
	n := orchestrator.NodeStatus{
		Name: "n1", Reason: s.text, LastExit: &orchestrator.Exit{Class: orchestrator.ExitBoot, Reason: s.text, Slogan: s.text},
		Findings: []orchestrator.Finding{{Code: "x", Problem: s.text, Evidence: s.text, Solutions: []orchestrator.Solution{{Text: hint.Text(s.text), Do: hint.Of(hint.Eval.On("demo", "n1").With(s.text))}}}},
	}
	return orchestrator.Status{Cluster: "demo", Image: s.text, Nodes: []orchestrator.NodeStatus{n}}, nil
}

func (s talker) Events(_ context.Context, _ uint64, _ bool, fn func(orchestrator.Event) error) error {
	return fn(orchestrator.Event{Time: noon, Node: "n1", Text: s.text, Exit: &orchestrator.Exit{Reason: s.text}})
}

func (s talker) Journal(context.Context) ([]orchestrator.JournalEntry, error) {
	return []orchestrator.JournalEntry{{Time: noon, Source: orchestrator.FromNode, Node: "n1", Peer: "n2", Text: "nodedown n2 " + s.text}}, errors.New(s.text)
}

func (s talker) Logs(_ context.Context, _ orchestrator.LogQuery, fn func(orchestrator.Line) error) error {
	for _, stream := range []orchestrator.Stream{orchestrator.Stdout, orchestrator.Stderr, orchestrator.StreamSystem} {
		if err := fn(orchestrator.Line{Time: noon, Node: "n1", Stream: stream, Text: s.text}); err != nil {
			return err
		}
	}
	return nil
}

// Whatever reports a secret, in whatever form: no file contains it, and JSON remains
// valid.
func TestNoFileHasASecret(t *testing.T) {
	// Without letters of the mask: a secret that is part of the mask would be found there.
	secrets := rapid.StringOfN(rapid.RuneFrom([]rune("abdö09\"\\<&'/ \n")), 4, 12, -1)
	noise := rapid.StringOfN(rapid.RuneFrom([]rune("xyz\" \\\n\x1b[m{}:,")), 0, 12, -1)
	rapid.Check(t, func(t *rapid.T) {
		cookie, token := secrets.Draw(t, "cookie"), secrets.Draw(t, "token")
		tls := orchestrator.TLS{Enabled: true, Authority: "public", AuthorityKey: secrets.Draw(t, "key")}
		text := noise.Draw(t, "before") + cookie + tls.AuthorityKey + noise.Draw(t, "between") + token + noise.Draw(t, "after")
		b := Collect(t.Context(), Source{
			Spec: orchestrator.Spec{
				Name: "demo", Cookie: cookie, Env: map[string]string{"A": token, "B": text}, Secrets: []string{"A"}, Command: []string{text},
				Nodes:        []orchestrator.NodeSpec{{Name: "n1", Env: map[string]string{"A": token}}},
				Distribution: orchestrator.Distribution{TLS: tls},
			},
			Cause: orchestrator.WithHint(errors.New(text), "%s", text), Cluster: talker{text}, By: text,
			Health: func(context.Context) (any, string, error) { return map[string]string{"is": text}, text, nil },
		})
		for name, p := range b.parts {
			texts := []string{string(p.data)}
			switch {
			case strings.HasSuffix(name, ".json"):
				texts = stringsOf(t, p.data)
			case strings.HasSuffix(name, ".jsonl"):
				texts = nil
				for line := range bytes.Lines(p.data) {
					texts = append(texts, stringsOf(t, line)...)
				}
			}
			for _, text := range texts {
				for _, secret := range []string{cookie, token, tls.AuthorityKey, quote(cookie), quote(token), quote(tls.AuthorityKey)} {
					if strings.TrimSpace(secret) != "" && strings.Contains(text, secret) {
						t.Fatalf("%s has %q:\n%s", name, secret, text)
					}
				}
			}
		}
	})
}

// quote returns a text as it is inside a JSON string.
func quote(text string) string {
	data := encode(text, "")
	return string(data[1 : len(data)-2])
}

// stringsOf returns the strings in a JSON text.
func stringsOf(t *rapid.T, data []byte) (all []string) {
	var value any
	if err := json.Unmarshal(data, &value); err != nil {
		t.Fatalf("not JSON: %v\n%s", err, data)
	}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case string:
			all = append(all, v)
		case []any:
			for _, e := range v {
				walk(e)
			}
		case map[string]any:
			for _, e := range v {
				walk(e)
			}
		}
	}
	walk(value)
	return all
}
