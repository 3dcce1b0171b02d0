package hint

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestFormat(t *testing.T) {
	start := Start.On("demo", "n1")
	why := Newf("see %s", Logs.On("demo"))
	for _, tc := range []struct {
		got  Hint
		want Hint
		text string
	}{
		{Newf("100 %% sure"), Hint{{Text: "100 % sure"}}, "100 % sure"},
		{Newf(""), nil, ""},
		{Text(""), nil, ""},
		{Text("100 %s"), Hint{{Text: "100 %s"}}, "100 %s"},
		{Newf("%s", start), Hint{{Step: start}}, "beamyard start demo/n1"},
		{Newf("start %d of them: %s, or not", 2, start), Hint{{Text: "start 2 of them: "}, {Step: start}, {Text: ", or not"}}, "start 2 of them: beamyard start demo/n1, or not"},
		{Newf("%[2]s, then %[1]s and %[2]s", start, Doctor.With()), Hint{{Step: Doctor.With()}, {Text: ", then "}, {Step: start}, {Text: " and "}, {Step: Doctor.With()}}, "beamyard doctor, then beamyard start demo/n1 and beamyard doctor"},
		{Newf("again; %s", why), Hint{{Text: "again; see "}, {Step: Logs.On("demo")}}, "again; see beamyard logs demo"},
		// Text of an argument that looks like the place of a step is that text.
		{Newf("%s%v", "\x000\x00", errors.New("\x009\x00")), Hint{{Text: "\x000\x00\x009\x00"}}, "\x000\x00\x009\x00"},
		{Lines(nil, Text("a"), nil, why, nil), Hint{{Text: "a\nsee "}, {Step: Logs.On("demo")}}, "a\nsee beamyard logs demo"},
		{Lines(nil, nil), nil, ""},
	} {
		if diff := cmp.Diff(tc.want, tc.got); diff != "" || tc.got.String() != tc.text {
			t.Errorf("%q: %s", tc.got, diff)
		}
	}
}

func TestCommands(t *testing.T) {
	for want, step := range map[string]Step{
		"beamyard up":                                               Up.With(),
		"beamyard up shop":                                          Up.With("source: shop"),
		"beamyard up IMAGE --name demo":                             Up.On("demo").With("source: IMAGE"),
		"beamyard up -f other.yml --name demo":                      Up.On("demo").With("file: other.yml"),
		"beamyard up -f '/a b/beamyard.yml'":                        Up.With("file: /a b/beamyard.yml"),
		"beamyard up . --name demo --keep-on-failure --env A=VALUE": Up.On("demo").With("source: .", "keep_on_failure", "env.A: VALUE"),
		"beamyard up --env F='-a b' --keep-dumps dumps":             Up.With("env.F: -a b", "keep_dumps: dumps"),
		"beamyard up --help":                                        UpHelp.With(),
		"beamyard up demo -d":                                       Supervise.On("demo"),
		"beamyard down demo":                                        Down.On("demo"),
		"beamyard down demo --volumes":                              DownVolumes.On("demo"),
		"beamyard start demo/n1":                                    Start.On("demo", "n1"),
		"beamyard stop demo/n1":                                     Stop.On("demo", "n1"),
		"beamyard restart demo/n1 demo/n2":                          Restart.On("demo", "n1", "n2"),
		"beamyard unpause n1":                                       Unpause.On("", "n1"),
		"the program that disconnected them":                        Reconnect.On("demo", "n1"),
		"beamyard upgrade demo":                                     Upgrade.On("demo"),
		"beamyard rollback demo":                                    Rollback.On("demo"),
		"beamyard heal -c demo":                                     Heal.On("demo"),
		"beamyard squeeze demo/n1 --memory 256MiB":                  Squeeze.On("demo", "n1").With("256MiB"),
		"beamyard ps":                                               Status.With(),
		"beamyard ps demo":                                          Status.On("demo"),
		"beamyard inspect demo/n1":                                  Inspect.On("demo", "n1"),
		"beamyard logs demo/n1":                                     Logs.On("demo", "n1"),
		"beamyard logs demo/n1 --tail 50":                           Tail.On("demo", "n1"),
		"beamyard logs demo/n1 --grep challenge":                    Grep.On("demo", "n1").With("challenge"),
		"beamyard logs -c demo --since-restart":                     LastRun.On("demo"),
		"beamyard events -c demo":                                   Events.On("demo"),
		"beamyard health demo":                                      Health.On("demo"),
		"beamyard health demo --json":                               HealthJSON.On("demo"),
		`beamyard rpc demo/n1 'f('\''a'\'')'`:                       Eval.On("demo", "n1").With("f('a')"),
		"beamyard rpc --erlang demo/n1 'nodes().'":                  EvalErlang.On("demo", "n1").With("nodes()."),
		"beamyard sync -c demo":                                     Sync.On("demo"),
		"beamyard sync -c demo n1 n2 --restart":                     SyncRestart.On("demo", "n1", "n2"),
		"beamyard sync -c demo --purge hard":                        SyncPurge.On("demo"),
		"beamyard sync --watch":                                     SyncWatch.With(),
		"beamyard iex":                                              Shell.With(),
		"beamyard send":                                             Send.With(),
		"beamyard ui demo":                                          Page.On("demo"),
		"beamyard export demo.tar.gz":                               Export.With("demo.tar.gz"),
		"beamyard doctor":                                           Doctor.With(),
		"beamyard prune":                                            Prune.With(),
		"beamyard hosts join c":                                     Machines.With("join", "c"),
		"pool: in beamyard.yml":                                     Setting("pool"),
		"stdin: true in beamyard.yml":                               Setting("stdin: true"),
		"distribution: {port: …} in beamyard.yml":                   Setting("distribution.port: …"),
		"--name":            Setting("name"),
		"beamyard up -n 3":  Setting("nodes: 3"),
		"--keep-on-failure": Setting("keep_on_failure"),
		"--base trixie":     Setting("base_image: trixie"),
		"pool:, env: and distribution: {port: …} in beamyard.yml":            Setting("pool", "distribution.port: …", "env"),
		"env: {A: VALUE} in beamyard.yml":                                    Setting("env.A: VALUE"),
		"basename: and distribution: {names: …, epmd: true} in beamyard.yml": Setting("basename", "distribution.names: …", "distribution.epmd: true"),
		"nodes: [{name: n1, http_port: -1}] in beamyard.yml":                 SettingOf("n1", "http_port: -1"),
		"beamyard invent demo/n1 a":                                          {Do: "invent", Cluster: "demo", Nodes: []string{"n1"}, Args: []string{"a"}}, // of a later version
	} {
		if got := step.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// A test of an interface goes through all verbs, so that none is forgotten there.
func TestVerbsAreAllVerbs(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "step.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var declared []Verb
	ast.Inspect(file, func(n ast.Node) bool {
		if c, ok := n.(*ast.ValueSpec); ok {
			if of, ok := c.Type.(*ast.Ident); ok && of.Name == "Verb" {
				text, _ := strconv.Unquote(c.Values[0].(*ast.BasicLit).Value)
				declared = append(declared, Verb(text))
			}
		}
		return true
	})
	if len(declared) == 0 || !slices.Equal(declared, Verbs) {
		t.Errorf("declared are %q, and Verbs are %q", declared, Verbs)
	}
}

func TestRender(t *testing.T) {
	h := Newf("start it: %s", Start.On("demo", "n1"))
	if got := h.Render(func(s Step) string { return string(s.Do) + "!" }); got != "start it: start!" {
		t.Error(got)
	}
}

func TestMap(t *testing.T) {
	h := Newf("the secret is %s: %s", "s3cret", Eval.On("s3cret", "n1").With("login(\"s3cret\")"))
	got := h.Map(func(text string) string { return strings.ReplaceAll(text, "s3cret", "***") })
	if want := "the secret is ***: beamyard rpc ***/n1 'login(\"***\")'"; got.String() != want {
		t.Error(got)
	}
	if !strings.Contains(h.String(), `login("s3cret")`) {
		t.Error("the original was changed")
	}
}

func TestReplace(t *testing.T) {
	start := Start.On("demo", "n1")
	h := Newf("{way}; then %s, and {way}", start).Replace("{way}", Newf("raise %s", Setting("memory")))
	want := Hint{{Text: "raise "}, {Step: Setting("memory")}, {Text: "; then "}, {Step: start}, {Text: ", and raise "}, {Step: Setting("memory")}}
	if diff := cmp.Diff(want, h); diff != "" {
		t.Error(diff)
	}
	if got := h.Replace("{none}", Text("a")); got.String() != h.String() {
		t.Error(got)
	}
}

func TestSplit(t *testing.T) {
	start, look := Newf("start it: %s", Start.On("demo", "n1")), Of(Logs.On("demo"))
	for _, lines := range [][]Hint{nil, {start}, {start, look, Text("a")}} {
		if diff := cmp.Diff(lines, Lines(lines...).Split(), cmpopts.EquateEmpty()); diff != "" {
			t.Error(diff)
		}
	}
	if diff := cmp.Diff([]Hint{Text("a"), Text("b")}, Text("\na\n\nb\n").Split()); diff != "" {
		t.Error(diff)
	}
}

func TestJSON(t *testing.T) {
	h := Newf("start it: %s", Start.On("demo", "n1"))
	data, err := json.Marshal(map[string]any{"hint": h})
	if want := `{"hint":["start it: ",{"do":"start","cluster":"demo","nodes":["n1"]}]}`; err != nil || string(data) != want {
		t.Fatal(string(data), err)
	}
	texts, err := json.Marshal([]Hint{h.Printed(), nil})
	if want := `["start it: beamyard start demo/n1",""]`; err != nil || string(texts) != want {
		t.Fatal(string(texts), err)
	}
	for text, want := range map[string]Hint{
		string(data):          h,
		`{"hint":"start it"}`: Text("start it"),
		`{"hint":""}`:         nil,
		`{"hint":null}`:       nil,
		`{}`:                  nil,
		`{"hint":[{"do":"invent","later":true}]}`:            {{Step: Step{Do: "invent"}}},
		`{"hint":["a",{"do":"up","args":["source: shop"]}]}`: {{Text: "a"}, {Step: Up.With("source: shop")}},
	} {
		var got struct{ Hint Hint }
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if diff := cmp.Diff(want, got.Hint); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
	}
	for _, wrong := range []string{`{"hint":7}`, `{"hint":[7]}`, `{"hint":{}}`} {
		if err := json.Unmarshal([]byte(wrong), &struct{ Hint Hint }{}); err == nil {
			t.Errorf("%s decodes", wrong)
		}
	}
}
