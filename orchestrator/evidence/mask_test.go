package evidence

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/beamyard/beamyard/orchestrator"
)

func secretSpec() orchestrator.Spec {
	return orchestrator.Spec{
		Name: "demo", Cookie: "the_cookie", Secrets: []string{"TOKEN", "KEY"},
		Env:     map[string]string{"TOKEN": `to"ken\1`, "KEY": "-----BEGIN-----\nfirst-line\n  second-line  \nab\n", "MY_COOKIE": "another_cookie", "PLAIN": "plain"},
		Command: []string{"erl", "-setcookie", "x", "-setcookie by_command"},
		Nodes:   []orchestrator.NodeSpec{{Name: "n1", Env: map[string]string{"TOKEN": "of_n1", "ERL_FLAGS": "-setcookie by_flags +P 5"}}},
	}
}

func TestSecretsAreMaskedInText(t *testing.T) {
	m := newMask(secretSpec(), orchestrator.Spec{Cookie: "the_cookie_of_another"})
	for text, want := range map[string]string{
		"auth: the_cookie_of_another, the_cookie.": "auth: [secret], [secret].",
		`TOKEN=to"ken\1 of_n1`:                     "TOKEN=[secret] [secret]",
		`{"TOKEN":"to\"ken\\1"}`:                   `{"TOKEN":"[secret]"}`,
		"12:00 first-line\n12:01 second-line":      "12:00 [secret]\n12:01 [secret]",
		"another_cookie by_command by_flags":       "[secret] [secret] [secret]",
		"plain -setcookie x ab +P 5":               "plain -setcookie x ab +P 5",
	} {
		if got := m.Text(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}

func TestMaskedJSONIsJSON(t *testing.T) {
	m := newMask(orchestrator.Spec{Cookie: "4000", Secrets: []string{"A", "B"}, Env: map[string]string{"A": `say "hi"`, "B": "port"}})
	in := `{
  "port": 4000,
  "text": "at 4000: say \"hi\" <&> ünd \\",
  "list": ["port", "4000", "", "\\"],
  "a\"b": "\""
}`
	want := `{
  "port": 4000,
  "text": "at [secret]: [secret] <&> ünd \\",
  "list": ["[secret]", "[secret]", "", "\\"],
  "a\"b": "\""
}`
	got := string(m.JSON([]byte(in)))
	if diff := cmp.Diff(want, got); diff != "" || !json.Valid([]byte(got)) {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// In a crash dump, a secret is the text of an atom, or part of a binary. Everything else,
// and every length, is kept.
func TestSecretsAreWrittenOverInADump(t *testing.T) {
	m := newMask(orchestrator.Spec{Cookie: "the_cookie"})
	for before := range 4 {
		binary := strings.Repeat("=", before) + "the_cookie&more"
		in := "=erl_crash_dump:0.5\n7F:tA:the_cookie,N\nYh5:" + base64.StdEncoding.EncodeToString([]byte(binary)) +
			"\nYh5:" + strings.ToUpper(hex.EncodeToString([]byte(binary))) + "\n=end\n"
		var out bytes.Buffer
		more, err := m.copy(&out, iotest.OneByteReader(strings.NewReader(in)), 1<<20)
		if err != nil || more || out.Len() != len(in) {
			t.Fatalf("%d of %d bytes, more %t, %v", out.Len(), len(in), more, err)
		}
		lines := strings.Split(out.String(), "\n")
		if lines[0] != "=erl_crash_dump:0.5" || lines[1] != "7F:tA:**********,N" || lines[4] != "=end" {
			t.Errorf("%q", lines)
		}
		decoded, err := base64.StdEncoding.DecodeString(lines[2][len("Yh5:"):])
		if err != nil || bytes.Contains(decoded, []byte("the_cookie")) || !bytes.HasSuffix(decoded, []byte("more")) {
			t.Errorf("with %d bytes before it, the binary contains %q, %v", before, decoded, err)
		}
		decoded, err = hex.DecodeString(lines[3][len("Yh5:"):])
		if err != nil || !bytes.Contains(decoded, []byte("**********&more")) {
			t.Errorf("with %d bytes before it, the old binary contains %q, %v", before, decoded, err)
		}
	}
}

func TestADumpIsCut(t *testing.T) {
	m := newMask(orchestrator.Spec{Cookie: "the_cookie"})
	for _, tt := range []struct {
		text, want string
		more       bool
	}{
		{"0123456789", "0123456789", false},
		{"0123456789x", "0123456789", true},
		{"the_cookie-", "**********", true},
		{"", "", false},
	} {
		var out bytes.Buffer
		more, err := m.copy(&out, strings.NewReader(tt.text), 10)
		if err != nil || more != tt.more || out.String() != tt.want {
			t.Errorf("%q: %q, more %t, %v", tt.text, out.String(), more, err)
		}
	}
	broken := errors.New("the engine went away")
	var out bytes.Buffer
	if _, err := m.copy(&out, io.MultiReader(strings.NewReader("half"), iotest.ErrReader(broken)), 100); !errors.Is(err, broken) || out.String() != "half" {
		t.Errorf("%q, %v", out.String(), err)
	}
	if _, err := m.copy(brokenWriter{}, strings.NewReader("text"), 100); err == nil {
		t.Error("a failed write returns no error")
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("the disk is full") }

// However the reader splits its data, no secret gets through, and nothing else changes.
func TestNoSecretGetsThrough(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spec := orchestrator.Spec{Cookie: "abcab", Secrets: []string{"A"}, Env: map[string]string{"A": "bcabcabc"}}
		text := rapid.StringOfN(rapid.RuneFrom([]rune("abc")), 0, 200, -1).Draw(t, "text")
		var out bytes.Buffer
		if _, err := newMask(spec).copy(&out, &pieces{t, []byte(text)}, 1<<20); err != nil {
			t.Fatal(err)
		}
		got := out.String()
		if strings.Contains(got, "abcab") || strings.Contains(got, "bcabcabc") || len(got) != len(text) {
			t.Fatalf("%q became %q", text, got)
		}
		for i := range got {
			if got[i] != text[i] && got[i] != '*' {
				t.Fatalf("%q became %q", text, got)
			}
		}
	})
}

// pieces is a reader that returns pieces of a given size.
type pieces struct {
	t    *rapid.T
	rest []byte
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.rest[:rapid.IntRange(1, len(p.rest)).Draw(p.t, "piece")])
	p.rest = p.rest[n:]
	return n, nil
}
