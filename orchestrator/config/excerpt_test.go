package config

import (
	"strings"
	"testing"
)

// An error shows the lines around its place, and never a secret's value in them.
func TestErrorsMaskSecrets(t *testing.T) {
	for _, text := range []string{
		"cookie: sekret\nnods: 3",
		"nods: 3\ncookie: sekret # of the team",
		"cookie: [sekret]",
		"cookie: &c sekret\nnods: 3",
		"cookie: !!str sekret\nnods: 3",
		"cookie: >-\n  sekret\n  sekret\nnods: 3",
		"cookie: \"sek\n  ret sekret\"\nnods: 3",
		"'cookie': sekret\nnods: 3",
		"{cookie: sekret, nods: 3}",
		"secrets: [TOKEN]\nenv: {A: 1, TOKEN: sekret}\nnods: 3",
		"env:\n  TOKEN: sekret\n  B: [\nsecrets:\n- TOKEN\n",
		"env:\n  TOKEN: |\n    sekret\n    sekret\nsecrets:\n- TOKEN\nnods: 3\n",
		"env: [TOKEN=sekret]\nsecrets: [\"TOKEN\"]\nnods: 3",
		"env:\n- A=1\n- TOKEN=sekret\nsecrets: ['TOKEN']\nnods: 3",
		"nodes:\n- name: a\n  env: {TOKEN: sekret}\n  nods: 3\nsecrets: [A, TOKEN]",
	} {
		_, err := decode(strings.NewReader(text))
		if err == nil {
			t.Errorf("%q: no error", text)
			continue
		}
		got, hint := explain(err)
		if strings.Contains(got+hint.String(), "sekret") || !strings.Contains(got, " | ") {
			t.Errorf("%q:\n%s\n%s", text, got, hint)
		}
	}
	_, err := decode(strings.NewReader("secrets: [TOKEN]\nenv: {A: 1, TOKEN: x, B: 2}\nnods: 3\nbasename: shop\n"))
	want := `[3:1] unknown field "nods"
   1 | secrets: [TOKEN]
   2 | env: {A: 1, TOKEN…
>  3 | nods: 3
       ^
   4 | basename: shop`
	if got, _ := explain(err); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}
