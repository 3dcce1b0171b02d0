package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/google/go-cmp/cmp"
)

func TestDotenv(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		want       map[string]string
	}{
		{"nothing", "", map[string]string{}},
		{"comments and blank lines", "# a\n\n  # b\n\t\nA=1\n#B=2", map[string]string{"A": "1"}},
		{"as it is written", "A=0123\nB=1.10\nC=yes\nD=a=b\nE=\nF=http://x/?a=b&c", map[string]string{"A": "0123", "B": "1.10", "C": "yes", "D": "a=b", "E": "", "F": "http://x/?a=b&c"}},
		{"a comment after a value", "A=1 # one\nB=1# no comment\nC=#x\nD= # nothing\nE='a' # x\nF=\"b\"#x\n", map[string]string{"A": "1", "B": "1# no comment", "C": "#x", "D": "", "E": "a", "F": "b"}},
		{"blanks", "  A = 1  \n\tB\t=\t2\t\nC = 'a b' \n", map[string]string{"A": "1", "B": "2", "C": "a b"}},
		{"a colon", "A: 1\nB:2\n", map[string]string{"A": "1", "B": "2"}},
		{"export", "export A=1\nexport\tB='2'\nexport=3\nexported=4", map[string]string{"A": "1", "B": "2", "export": "3", "exported": "4"}},
		{"single quotes", `A='a $B ${C} "d" \n #e'` + "\n" + `B='it\'s'`, map[string]string{"A": `a $B ${C} "d" \n #e`, "B": "it's"}},
		{"double quotes", `A="a\tb\nc\"d\\e\$F 'g' \x #h"`, map[string]string{"A": "a\tb\nc\"d\\e$F 'g' \\x #h"}},
		{"several lines", "A='a\nb'\nB=\"c\n# d\n\"\nC=1", map[string]string{"A": "a\nb", "B": "c\n# d\n", "C": "1"}},
		{"a dollar that names nothing", "A=$\nB=a$1\nC=\"$ 5\"\nD=5$", map[string]string{"A": "$", "B": "a$1", "C": "$ 5", "D": "5$"}},
		{"lines of Windows", "\ufeffA=1\r\nB='2'\r\n", map[string]string{"A": "1", "B": "2"}},
		{"the last one counts", "A=1\nA=2", map[string]string{"A": "2"}},
		{"names", "a.b-C_1=x", map[string]string{"a.b-C_1": "x"}},
		{"JSON", `A='{"a": "b"}'` + "\nB={\"a\":1}", map[string]string{"A": `{"a": "b"}`, "B": `{"a":1}`}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			vars, line, err := dotenv(tc.text)
			if err != nil {
				t.Fatalf("line %d: %v", line, err)
			}
			got := map[string]string{}
			for _, v := range vars {
				if got[v.key] = v.value; !v.given {
					t.Errorf("%s is not given", v.key)
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDotenvRefuses(t *testing.T) {
	for _, tc := range []struct {
		text, want string
		line       int
	}{
		{"A=1\nsekret", "", 0}, // a name alone
		{"A=1\n=sekret", "this does not begin with the name of a variable", 2},
		{"1A=sekret", "this does not begin with the name of a variable", 1},
		{"A sekret", "after the name A comes = and the value", 1},
		{"A='sekret", "no quote ends the value of A", 1},
		{"\nA=\"sekret\nB=1\n", "no quote ends the value of A", 2},
		{"A='sekret' sekret", "something follows the quote that ends the value of A", 1},
		{"A=sekret$B", "a $ in the value of A would stand for another variable", 1},
		{"A=\"sekret${B:-x}\"", "a $ in the value of A would stand for another variable", 1},
		{"A=sekret$$", "a $ in the value of A would stand for another variable", 1},
		{"A=1\nB=sekret\x00", "no value can hold a zero byte", 2},
		{"A=sekret\xff", "it is not UTF-8", 1},
	} {
		_, line, err := dotenv(tc.text)
		if tc.want == "" {
			if err != nil {
				t.Errorf("%q: %v", tc.text, err)
			}
			continue
		}
		if err == nil || !strings.HasPrefix(err.Error(), tc.want) || line != tc.line {
			t.Errorf("%q: line %d: %v; want line %d: %s", tc.text, line, err, tc.line, tc.want)
		} else if strings.Contains(err.Error()+orchestrator.HintOf(err).String(), "sekret") {
			t.Errorf("%q: the error shows a value: %v", tc.text, err)
		}
	}
}

// A file's path is relative to beamyard.yml's folder, and no error shows a value.
func TestEnvFilesOfAFolder(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"beamyard.yml": "env_file: conf/web.env\nenv: {B: 2}\nnodes: [{name: a, env_file: [conf/a.env]}]\n",
		"conf/web.env": "A=1\nB=1\n", "conf/a.env": "export C='3'\n",
		"bad.yml":      "env_file: conf/bad.env\n",
		"conf/bad.env": "A='sekret\n",
		"folder.yml":   "env_file: conf\n",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := Read(filepath.Join(dir, Name))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]map[string]string{{"A": "1", "B": "2"}, {"C": "3"}}, []map[string]string{s.Env, s.Nodes[0].Env}); diff != "" {
		t.Error(diff)
	}
	for file, want := range map[string]string{
		"bad.yml":    "bad.yml: [1:11] env_file conf/bad.env, line 1: no quote ends the value of A",
		"folder.yml": "folder.yml: [1:11] env_file conf cannot be read: is a directory",
	} {
		_, err := Read(filepath.Join(dir, file))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "sekret") {
			t.Errorf("%s: %v, want %s", file, err, want)
		}
	}
}

// Any text is read or refused, and what a quoting of ours holds comes back.
func FuzzDotenv(f *testing.F) {
	for _, text := range []string{"A=1", "export A='b'\nC", "A=\"x\\n\" # y", "A: $B", "\ufeff#\r\n=", "A='\nB"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		vars, line, err := dotenv(text)
		if err != nil && (line < 1 || err.Error() == "") {
			t.Errorf("line %d: %v", line, err)
		}
		var b strings.Builder
		for _, v := range vars {
			b.WriteString(v.key)
			if v.given {
				b.WriteString(`="` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", `\$`, "\r", `\r`).Replace(v.value) + `"`)
			}
			b.WriteByte('\n')
		}
		again, line, err := dotenv(b.String())
		if err != nil {
			t.Fatalf("line %d of %q: %v", line, b.String(), err)
		}
		for i := range again {
			again[i].line = vars[i].line
		}
		if diff := cmp.Diff(vars, again, cmp.AllowUnexported(variable{})); diff != "" {
			t.Error(diff)
		}
	})
}
