package probe

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/beamyard/beamyard/network/erldist"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/health"
	"github.com/beamyard/beamyard/orchestrator/secrets"
)

// says is a node on which every expression has one result.
type says struct {
	Link
	outcome, text string
}

func (s says) Call(context.Context, string, string, ...any) (any, error) {
	return erldist.Tuple{erldist.Tuple{erldist.Atom(s.outcome), []byte(s.text)}, erldist.List{}}, nil
}

// commands is an engine on which every command prints one text and fails.
type commands struct {
	orchestrator.Engine
	said string
}

func (c commands) Exec(_ context.Context, _ string, spec orchestrator.ExecSpec) (int, error) {
	_, err := io.WriteString(spec.Stderr, c.said)
	return 1, err
}

// Texts of custom checks are shortened. No secret is shown, neither a longer one nor one
// in the check itself.
func TestCustomChecksShowNoSecret(t *testing.T) {
	s := keyed()
	token := s.Env["TOKEN"]
	for name, text := range map[string]string{"token": token, "key": key, "inspected": `"` + strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`, "#{", `\#{`).Replace(key) + `"`, "late": strings.Repeat("x ", 95) + token} {
		own := Checks{Spec: s, Eng: commands{said: text}, Clean: secrets.Redactor(s).Replace}
		for kind, o := range map[string]health.Outcome{
			"raised":  own.run(t.Context(), orchestrator.Check{RPC: "f()"}, "n1", says{outcome: "error", text: text}),
			"value":   own.run(t.Context(), orchestrator.Check{RPC: "f()", Expect: token + "?"}, "n1", says{outcome: "ok", text: text}),
			"command": own.run(t.Context(), orchestrator.Check{Exec: []string{"x"}}, "n1", nil),
			"rpc":     own.run(t.Context(), orchestrator.Check{RPC: "g('" + text + "')"}, "n1", says{outcome: "ok", text: "nil"}),
			"exec":    own.run(t.Context(), orchestrator.Check{Exec: []string{"x", text}}, "n1", nil),
		} {
			shown := strings.Join([]string{o.Name, o.Failure, o.Hint.String()}, "\n")
			if o.Failure == "" || leaks(shown) {
				t.Errorf("%s, %s: %s", name, kind, shown)
			}
			if len([]rune(o.Failure)) > 260 {
				t.Errorf("%s, %s: a failure of %d characters", name, kind, len(o.Failure))
			}
		}
	}
}

// key is a secret of many lines, as private keys are: longer than any text is allowed to
// be.
var key = "-----BEGIN KEY-----\n" + strings.Repeat("MIIEvQIBADANBgkq\"#{hkiG\\9w0B\n", 40) + "-----END KEY-----\n"

// keyed returns a spec with that key and a long token.
func keyed() orchestrator.Spec {
	s := orchestrator.Spec{Name: "shop", Image: "shop:1", Nodes: orchestrator.NodeNames(3)}
	s.Cookie, s.Secrets = "crumbcrumb", []string{"KEY", "TOKEN"}
	s.Env = map[string]string{"KEY": key, "TOKEN": strings.Repeat("s3cret'", 60)}
	return s.Defaulted()
}

// leaks reports whether a text has a part of a secret.
func leaks(text string) bool {
	return strings.Contains(text, "MIIEv") || strings.Contains(text, "s3cr") || strings.Contains(text, "crumbc") || strings.Contains(text, "BEGIN")
}
