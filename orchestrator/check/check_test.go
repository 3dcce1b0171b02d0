package check

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/ask"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]Check{
		"MyApp.ok?()":               {True, "MyApp.ok?()"},
		"unique: MyApp.names()":     {Unique, "MyApp.names()"},
		" agree:Enum.sort([1, 2]) ": {Agree, "Enum.sort([1, 2])"},
		"uniquely()":                {True, "uniquely()"},
		"x = 1; unique = x; unique": {True, "x = 1; unique = x; unique"},
	} {
		got, err := Parse(text)
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
		if again, err := Parse(got.String()); err != nil || again != got {
			t.Errorf("%s is written as %s", text, got)
		}
	}
	for _, text := range []string{"", "unique:", "agree:  "} {
		if _, err := Parse(text); err == nil {
			t.Errorf("%q is a check", text)
		}
	}
}

// says are answers of n1, n2, …; an answer with ! is an exception.
func says(texts ...string) (answers []ask.Answer) {
	for i, text := range texts {
		a := ask.Answer{Node: fmt.Sprintf("n%d", i+1), Text: text}
		if rest, failed := strings.CutPrefix(text, "!"); failed {
			a.Err = &orchestrator.EvalError{Node: a.Node, Text: rest, Trace: "a trace"}
		}
		answers = append(answers, a)
	}
	return answers
}

// holds are the lines of an answer to a check of uniqueness: "name process id".
func holds(lines ...string) string {
	for i, line := range lines {
		words := strings.Split(line, "|")
		for j, w := range words {
			words[j] = base64.StdEncoding.EncodeToString([]byte(w))
		}
		lines[i] = strings.Join(words, " ")
	}
	return strings.Join(lines, "\n")
}

var clean = strings.NewReplacer("s3cret", "[secret]").Replace

func TestJudge(t *testing.T) {
	a1, a3, b2 := ":a|#PID<0.1.0> of app@n1|x", ":a|#PID<0.9.0> of app@n3|y", ":b|#PID<0.2.0> of app@n2|z"
	for _, tc := range []struct {
		check   string
		answers []ask.Answer
		want    string
	}{
		{"f()", says("true", "true"), ""},
		{"f()", says("true", "false", "nil"), "check f(): n2 says false; n3 says nil"},
		{"f()", says("true", "!** (UndefinedFunctionError)"), "check f(): n2: ** (UndefinedFunctionError)"},
		{"f()", nil, "check f(): no node that could answer is running"},
		{"agree: f()", says("1\n[a]", "1\n[a]"), ""},
		{"agree: f()", says("1\n[a]", "2\n[b]", "1\n[a]"), "check agree: f(): n1, n3 say [a]; n2 says [b]"},
		{"agree: f()", says("1\n[a]", "2\n[a]"), "check agree: f(): n1 says [a]; n2 says [a]"}, // the text is cut off
		{"unique: f()", says(holds(a1, b2), holds(a1), holds(b2)), ""},
		{"unique: f()", says("", ""), ""},
		{"unique: f()", says(holds(a1, b2), holds(a1), holds(a3)), "check unique: f(): :a has 2 processes: #PID<0.1.0> of app@n1 (n1, n2 say), #PID<0.9.0> of app@n3 (n3 says)"},
		{"unique: f()", says(holds(a1, a3)), "check unique: f(): :a has 2 processes: #PID<0.1.0> of app@n1 (n1 says), #PID<0.9.0> of app@n3 (n1 says)"},
		{"f()", says("s3cret", "!** (ErlangError) s3cret"), "check f(): n2: ** (ErlangError) [secret]"},
		{"f()", says(strings.Repeat("x", 298) + "s3cret"), "check f(): n1 says " + strings.Repeat("x", 298) + "[s…"},
		{"agree: f()", says("1\ns3cret", "2\ns3cret"), "check agree: f(): n1 says [secret]; n2 says [secret]"}, // compared as they are
		{"unique: f()", says(holds(":s3cret|#PID<0.1.0>|x", ":s3cret|s3cret|y")), "check unique: f(): :[secret] has 2 processes: #PID<0.1.0> (n1 says), [secret] (n1 says)"},
		{"unique: f()", says("odd"), `check unique: f(): n1 says "odd", which is not a name with its process`},
	} {
		c, err := Parse(tc.check)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if err := c.Judge(tc.answers, clean); err != nil {
			got = err.Error()
			if !errors.Is(err, ErrFailed) {
				t.Errorf("%v is no failed check", err)
			}
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s: %s", tc.check, diff)
		}
	}
}

// nodes answer with prepared texts.
type nodes map[string]string

func (n nodes) Eval(_ context.Context, node, expression string, _ orchestrator.EvalOptions) (string, error) {
	text, ok := n[node]
	if !ok {
		return "", orchestrator.ErrNotRunning
	}
	if !strings.HasPrefix(expression, "value = (\nf()\n)\n") {
		return "", errors.New("asked " + expression)
	}
	return `"` + base64.StdEncoding.EncodeToString([]byte(text)) + `"`, nil
}

func TestHolds(t *testing.T) {
	c := Check{True, "f()"}
	if err := Holds(t.Context(), nodes{"n1": "true", "n2": "true"}, clean, []string{"n1", "n2"}, c, c); err != nil {
		t.Error(err)
	}
	err := Holds(t.Context(), nodes{"n1": "true"}, clean, []string{"n1", "n2"}, c, c)
	if want := "check f(): n2: not running\ncheck f(): n2: not running"; err == nil || err.Error() != want || !errors.Is(err, ErrFailed) {
		t.Errorf("%v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Holds(ended, nodes{}, clean, []string{"n1"}, c); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// Up to OTP 25, a term has its atoms in Latin-1 unless its minor version is 2: nodes of several
// releases would give one process, or one value, several identities.
func TestAnIdentityIsOneOnAllReleases(t *testing.T) {
	for _, kind := range []Kind{Unique, Agree} {
		render := renders[kind]
		if n := strings.Count(render, "term_to_binary("); n != 1 || !strings.Contains(render, ", [:deterministic, minor_version: 2])") {
			t.Errorf("%s: %s", kind, render)
		}
	}
}
