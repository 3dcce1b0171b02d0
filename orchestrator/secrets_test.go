package orchestrator

import (
	"context"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/beamyard/beamyard/network/erldist"
	"github.com/beamyard/beamyard/orchestrator/health"
)

// key is a secret of many lines, as private keys are: longer than what any text
// is cut at.
var key = "-----BEGIN KEY-----\n" + strings.Repeat("MIIEvQIBADANBgkq\"#{hkiG\\9w0B\n", 40) + "-----END KEY-----\n"

// keyed is a spec with that key, and with a long token.
func keyed() Spec {
	s := validSpec()
	s.Cookie, s.Secrets = "crumbcrumb", []string{"KEY", "TOKEN"}
	s.Env = map[string]string{"KEY": key, "TOKEN": strings.Repeat("s3cret'", 60)}
	return s.Defaulted()
}

// leaks reports a part of a secret.
func leaks(text string) bool {
	return strings.Contains(text, "MIIEv") || strings.Contains(text, "s3cr") || strings.Contains(text, "crumbc") || strings.Contains(text, "BEGIN")
}

func TestSecretForms(t *testing.T) {
	got := SecretForms("abc", "one\n  two\"#{lines}  \nshort\n", "plain", "plain")
	want := []string{
		`one\n  two\"\#{lines}  \nshort\n`, `one\n  two\"#{lines}  \nshort\n`, "one\n  two\"#{lines}  \nshort\n",
		`two\"\#{lines}`, `two\"#{lines}`, `two"#{lines}`, "plain",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

// However a secret is printed: as it is, a line at a time, or quoted by a program.
func TestASecretOfManyLinesIsNotShown(t *testing.T) {
	clean := redactor(keyed()).Replace
	texts := []string{key, `{"key":"` + quoted(key) + `"}`, `%{key: "` + inspected.Replace(key) + `"}`}
	for line := range strings.Lines(key) {
		texts = append(texts, "12:00:00 [error] "+line)
	}
	for _, text := range texts {
		if got := clean(text); leaks(got) {
			t.Errorf("%s", got)
		}
	}
}

// What a report of a failure shows of the nodes' output is cut: after the mask.
func TestALongSecretIsNotCutIntoAnExcerpt(t *testing.T) {
	s := keyed()
	out := newOutput("n1", 10)
	out.Append(Stderr, 1, time.Unix(1, 0), strings.Repeat("x", maxExcerpt-10)+s.Env["TOKEN"], false)
	if got := out.Excerpt(1, redactor(s).Replace)[0]; leaks(got) || len(got) > maxExcerpt+20 {
		t.Errorf("%s", got)
	}
}

// says is a node on which every expression has one outcome.
type says struct {
	link
	outcome, text string
}

func (s says) Call(context.Context, string, string, ...any) (any, error) {
	return erldist.Tuple{erldist.Tuple{erldist.Atom(s.outcome), []byte(s.text)}, erldist.List{}}, nil
}

// commands is an engine on which every command says one thing and fails.
type commands struct {
	Engine
	said string
}

func (c commands) Exec(_ context.Context, _ string, spec ExecSpec) (int, error) {
	_, err := io.WriteString(spec.Stderr, c.said)
	return 1, err
}

// An own check's words are shortened: a secret longer than that is not there, nor
// one in the check itself.
func TestOwnChecksShowNoSecret(t *testing.T) {
	s := keyed()
	token := s.Env["TOKEN"]
	for name, text := range map[string]string{"token": token, "key": key, "inspected": `"` + inspected.Replace(key) + `"`, "late": strings.Repeat("x ", 95) + token} {
		own := ownChecks{spec: s, eng: commands{said: text}, clean: redactor(s).Replace}
		for kind, o := range map[string]health.Outcome{
			"raised":  own.run(t.Context(), Check{RPC: "f()"}, "n1", says{outcome: "error", text: text}),
			"value":   own.run(t.Context(), Check{RPC: "f()", Expect: token + "?"}, "n1", says{outcome: "ok", text: text}),
			"command": own.run(t.Context(), Check{Exec: []string{"x"}}, "n1", nil),
			"rpc":     own.run(t.Context(), Check{RPC: "g('" + text + "')"}, "n1", says{outcome: "ok", text: "nil"}),
			"exec":    own.run(t.Context(), Check{Exec: []string{"x", text}}, "n1", nil),
		} {
			shown := strings.Join([]string{o.Name, o.Failure, o.Hint}, "\n")
			if o.Failure == "" || leaks(shown) {
				t.Errorf("%s, %s: %s", name, kind, shown)
			}
			if len([]rune(o.Failure)) > 260 {
				t.Errorf("%s, %s: a failure of %d characters", name, kind, len(o.Failure))
			}
		}
	}
}
