package secrets

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/internal/manifest"
)

// Masked replaces a secret.
const Masked = "[secret]"

// Values returns the texts of a cluster that must never be printed: its cookie, the
// key of its authority, the credentials in the addresses of proxies, and the values of
// [orchestrator.Spec].Secrets with the passwords in those that are URLs, in all their [Forms].
func Values(s orchestrator.Spec) []string {
	values := []string{s.Cookie, s.Distribution.TLS.AuthorityKey}
	for _, address := range s.Proxies {
		user := userinfo(address)
		values = append(append(values, user), passwords(user)...)
	}
	add := func(value string) {
		values = append(values, value)
		if strings.Contains(value, "://") {
			values = append(values, passwords(userinfo(value))...)
		}
	}
	for _, key := range s.Secrets {
		add(s.Env[key])
		for i, n := range s.Nodes {
			add(n.Env[key])
			add(manifest.Words(s, i).Replace(s.NodeAt(i).Env[key]))
		}
	}
	return Forms(values...)
}

// Unset returns the names in [orchestrator.Spec].Secrets that no environment of the spec has: nothing
// is masked for them.
func Unset(s orchestrator.Spec) []string {
	return slices.DeleteFunc(slices.Clone(s.Secrets), func(key string) bool {
		_, set := s.Env[key]
		for i := range s.Nodes {
			_, own := s.NodeAt(i).Env[key]
			set = set || own
		}
		return set
	})
}

// userinfo returns the part of a URL before an @ (RFC 3986, section 3.2.1). The scheme may be
// missing, as in the address of a proxy, and the password may have characters that it should not.
func userinfo(address string) string {
	_, rest, found := strings.Cut(address, "://")
	if !found {
		rest = address
	}
	rest, _, _ = strings.Cut(rest, "/")
	return rest[:max(0, strings.LastIndex(rest, "@"))]
}

// passwords returns the password of a userinfo, as it is written and as it is sent: libraries
// take a URL apart, and print what they got. A password that is the name of its user
// (postgres:postgres) is the default of a service rather than a secret, and a common word.
func passwords(userinfo string) []string {
	user, password, _ := strings.Cut(userinfo, ":")
	if password == user {
		return nil
	}
	plain, err := url.PathUnescape(password)
	if err != nil {
		return []string{password}
	}
	return []string{password, plain}
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
// they are; line by line, as a multi-line key appears in a log; quoted, as in JSON
// and `inspect`, once and twice; and escaped, as in a URL. It omits values of fewer than four characters and lines of fewer than
// eight: masking them would garble unrelated text.
func Forms(values ...string) []string {
	const shortest, shortestLine = 4, 8
	var forms []string
	add := func(text string, atLeast int) {
		all := []string{url.QueryEscape(text), url.PathEscape(text)}
		for _, once := range []string{text, quoted(text), inspected.Replace(text)} {
			all = append(all, once, quoted(once), inspected.Replace(once)) // a line of a log in JSON has inspected terms
		}
		for _, form := range all {
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
	slices.SortStableFunc(forms, longer)
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

// Replacer replaces values with [Masked], also where they are part of something in base64, as in
// an Authorization header.
func Replacer(values []string) *strings.Replacer {
	all := slices.Clone(values)
	for _, value := range values {
		for before := range 3 {
			if part := InBase64(value, before); part != "" {
				all = append(all, part, forURLs.Replace(part))
			}
		}
	}
	slices.SortStableFunc(all, longer)
	var pairs []string
	for _, value := range slices.Compact(all) { // of two with the same beginning, the longer one is matched
		pairs = append(pairs, value, Masked)
	}
	return strings.NewReplacer(pairs...)
}

// forURLs turns base64 into the alphabet for URLs. Source: RFC 4648, section 5.
var forURLs = strings.NewReplacer("+", "-", "/", "_")

func longer(a, b string) int { return cmp.Compare(len(b), len(a)) }

// InBase64 returns the part of a longer text's base64 that text alone determines if the given
// number of bytes (modulo 3) precedes it; "" if that is too short to be distinguished from
// other data.
func InBase64(text string, before int) string {
	const telling = 6
	all := base64.StdEncoding.EncodeToString(append(make([]byte, before), text...))
	first := (before*8 + 5) / 6
	last := (before + len(text)) * 8 / 6
	if last-first < telling {
		return ""
	}
	return all[first:last]
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
