package secrets

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"github.com/beamyard/beamyard/orchestrator"
)

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

func TestSecretForms(t *testing.T) {
	got := Forms("abc", "one\n  two\"#{lines}  \nshort\n", "plain", "plain")
	if !slices.IsSortedFunc(got, longer) {
		t.Errorf("not the longest first: %q", got)
	}
	for _, form := range []string{
		"one\n  two\"#{lines}  \nshort\n", `one\n  two\"#{lines}  \nshort\n`, `one\n  two\"\#{lines}  \nshort\n`,
		"one%0A++two%22%23%7Blines%7D++%0Ashort%0A", "one%0A%20%20two%22%23%7Blines%7D%20%20%0Ashort%0A",
		`two"#{lines}`, `two\"#{lines}`, `two\"\#{lines}`, "two%22%23%7Blines%7D", // one of its lines
		`two\\\"\\#{lines}`, `two\\\"\\\#{lines}`, // inspected, and then in JSON, and inspected again
	} {
		if !slices.Contains(got, form) {
			t.Errorf("no %s in %q", form, got)
		}
	}
	if slices.Contains(got, "abc") || slices.Contains(got, "short") || len(slices.Compact(slices.Sorted(slices.Values(got)))) != len(got) {
		t.Errorf("too short, or twice: %q", got)
	}
	if got := Forms("plain", "plain"); !slices.Equal(got, []string{"plain"}) {
		t.Errorf("%q", got)
	}
}

// A secret is removed as it is, line by line, and as other programs quote it.
func TestASecretOfManyLinesIsNotShown(t *testing.T) {
	clean := Redactor(keyed()).Replace
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

// The password of a proxy is a secret, both as written in the address and as it is sent.
func TestPasswordsOfProxiesAreNotShown(t *testing.T) {
	s := orchestrator.Spec{Proxies: map[string]string{"HTTP_PROXY": "http://me:s3cret%40@proxy:3128"}}
	for _, text := range []string{"GET " + s.Proxies["HTTP_PROXY"], "user me:s3cret%40", "the password s3cret@"} {
		if clean := Redactor(s).Replace(text); strings.Contains(clean, "s3cret") {
			t.Errorf("the text shows the password: %s", clean)
		}
	}
}

// A library prints the parts of a URL, and not the URL.
func TestPasswordsInURLsAreNotShown(t *testing.T) {
	spec := func(value string) orchestrator.Spec {
		return orchestrator.Spec{Nodes: orchestrator.NodeNames(1), Env: map[string]string{"DATABASE_URL": value}, Secrets: []string{"DATABASE_URL"}}
	}
	for _, tt := range []struct{ value, text, want string }{
		{"ecto://shop:s3cret%40@db/shop", `[username: "shop", password: "s3cret@"]`, `[username: "shop", password: "[secret]"]`},
		{"ecto://shop:s3cret%40@db/shop", "PGPASSWORD=s3cret%40", "PGPASSWORD=[secret]"},
		{"redis://:s3cret@cache", "AUTH s3cret", "AUTH [secret]"},
		{"ecto://shop:50%off@db", "the password 50%off", "the password [secret]"}, // no escape
		{"ecto://postgres:postgres@db", "postgres is down: ecto://postgres:postgres@db", "postgres is down: [secret]"},
		{"ecto://shop@db/a:b@c", "shop, a:b@c", "shop, a:b@c"},
		{"mail shop:s3cret@db", "s3cret", "s3cret"}, // no URL
	} {
		if got := Redactor(spec(tt.value)).Replace(tt.text); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.value, got, tt.want)
		}
	}
}

// A secret is found in base64 whatever is before and after it.
func TestSecretsInBase64AreNotShown(t *testing.T) {
	secret := "a secret?>~of bytes"
	clean := Replacer(Forms(secret)).Replace
	for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.RawURLEncoding} {
		for _, before := range []string{"", "a", "ab", "abc:"} {
			text := clean("Authorization: Basic " + encoding.EncodeToString([]byte(before+secret+"z")))
			_, coded, _ := strings.Cut(text, "Basic ")
			if len(coded) > len(Masked)+8 || !strings.Contains(coded, Masked) {
				t.Errorf("after %q: %s", before, text)
			}
		}
	}
	if text := clean("a%20secret%3F%3E~of%20bytes a+secret%3F%3E~of+bytes"); text != "[secret] [secret]" {
		t.Error(text)
	}
}

func TestRedactor(t *testing.T) {
	s := orchestrator.Spec{Name: "shop", Image: "shop:1", Nodes: orchestrator.NodeNames(3)}
	s.Cookie, s.Secrets = "crumbcrumb", []string{"TOKEN"}
	s.Env = map[string]string{"TOKEN": "hunter22", "OPEN": "visible"}
	s.Nodes[0].Env = map[string]string{"TOKEN": "another1"}
	s.Secrets, s.Env["DSN"] = append(s.Secrets, "DSN"), "key-of-{name}" // n2 gets another value than the spec's text
	s.Distribution.TLS.AuthorityKey = "MHcCAQEE"
	got := Redactor(s).Replace("crumbcrumb hunter22 another1 key-of-n2 MHcCAQEE visible")
	if got != "[secret] [secret] [secret] [secret] [secret] visible" {
		t.Error(got)
	}
}

func TestSecretsThatNoEnvironmentHas(t *testing.T) {
	s := orchestrator.Spec{
		Secrets: []string{"TOKEN", "TOKEM", "OWN"}, Env: map[string]string{"TOKEN": ""},
		Nodes: []orchestrator.NodeSpec{{Name: "n1"}, {Name: "n2", Env: map[string]string{"OWN": "x"}}},
	}
	if got := Unset(s); !slices.Equal(got, []string{"TOKEM"}) {
		t.Errorf("%q", got)
	}
}
