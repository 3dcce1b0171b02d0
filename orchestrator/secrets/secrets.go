package secrets

import (
	"cmp"
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/internal/manifest"
)

// Masked replaces a secret.
const Masked = "[secret]"

// Values returns the texts of a cluster that must never be printed: its cookie, the
// key of its authority, and the values of [orchestrator.Spec].Secrets, in all their [Forms].
func Values(s orchestrator.Spec) []string {
	values := append([]string{s.Cookie, s.Distribution.TLS.AuthorityKey}, manifest.ProxySecrets(s)...)
	for _, key := range s.Secrets {
		values = append(values, s.Env[key])
		for i, n := range s.Nodes {
			values = append(values, n.Env[key], manifest.Words(s, i).Replace(s.NodeAt(i).Env[key]))
		}
	}
	return Forms(values...)
}

// setCookie finds cookies in a command or in VM flags of a spec.
var setCookie = regexp.MustCompile(`-setcookie[ =]+([^\s"'\\]{4,})`)

// Suspected returns [Values] of several specs, with what is secret by its place although the spec
// does not say so: the variables that [Secret] suspects, and cookies in commands and VM flags.
func Suspected(specs ...orchestrator.Spec) []string {
	var values []string
	for _, s := range specs {
		values = append(values, Values(s)...)
		envs := []map[string]string{s.Env}
		texts := slices.Concat(s.Entrypoint, s.Command)
		for _, n := range s.Nodes {
			envs = append(envs, n.Env)
			texts = slices.Concat(texts, n.Entrypoint, n.Command)
		}
		for _, env := range envs {
			for key, value := range env {
				texts = append(texts, value)
				if Secret(s, key) {
					values = append(values, value)
				}
			}
		}
		for _, text := range texts {
			for _, found := range setCookie.FindAllStringSubmatch(text, -1) {
				values = append(values, found[1])
			}
		}
	}
	return Forms(values...)
}

// Secret reports whether the value of an environment variable must be masked: it is one of
// [orchestrator.Spec].Secrets, or its name says that it is a cookie.
func Secret(s orchestrator.Spec, key string) bool {
	return slices.Contains(s.Secrets, key) || strings.Contains(strings.ToUpper(key), "COOKIE")
}

// Forms returns the forms in which secret values are printed, the longest first: as
// they are; line by line, as a multi-line key appears in a log; and quoted, as in JSON
// and `inspect`. It omits values of fewer than four characters and lines of fewer than
// eight: masking them would garble unrelated text.
func Forms(values ...string) []string {
	const shortest, shortestLine = 4, 8
	var forms []string
	add := func(text string, atLeast int) {
		for _, form := range []string{text, quoted(text), inspected.Replace(text)} {
			if len(text) >= atLeast && !slices.Contains(forms, form) {
				forms = append(forms, form)
			}
		}
	}
	for _, value := range values {
		add(value, shortest)
		for line := range strings.Lines(value) {
			add(strings.TrimSpace(line), shortestLine)
		}
	}
	slices.SortStableFunc(forms, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	return forms
}

// quoted returns a text as it appears in a JSON string (RFC 8259, section 7).
func quoted(text string) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(text) // a string, into memory
	return b.String()[1 : b.Len()-2]
}

// inspected escapes a text as it appears in a string printed by `inspect`. Source:
// Elixir's "Syntax reference", strings.
var inspected = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "#{", `\#{`, "\a", `\a`, "\b", `\b`, "\t", `\t`,
	"\n", `\n`, "\v", `\v`, "\f", `\f`, "\r", `\r`, "\x1b", `\e`, "\x7f", `\d`, "\x00", `\0`)

// Redactor replaces the values that must not be printed. See [orchestrator.Spec.Secrets].
func Redactor(s orchestrator.Spec) *strings.Replacer { return Replacer(Values(s)) }

// Replacer replaces values with [Masked].
func Replacer(values []string) *strings.Replacer {
	var pairs []string
	for _, value := range values { // of two with the same beginning, the longer one is matched
		pairs = append(pairs, value, Masked)
	}
	return strings.NewReplacer(pairs...)
}

// RedactError returns an error with the secrets removed from its text. It wraps err.
func RedactError(err error, clean func(string) string) error {
	if err == nil || clean(err.Error()) == err.Error() {
		return err
	}
	return &redacted{err: err, text: clean(err.Error())}
}

type redacted struct {
	err  error
	text string
}

func (e *redacted) Error() string { return e.text }
func (e *redacted) Unwrap() error { return e.err }
