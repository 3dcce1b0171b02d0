package complete

import (
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// shop is a command line with each kind of word.
type shop struct {
	JSON bool `help:"Answer in JSON."`

	Kill struct {
		Cluster string   `short:"c" env:"SHOP" complete:"cluster" help:"The cluster."`
		Signal  string   `complete:"KILL|TERM" help:"The signal. Any."`
		Hard    bool     `short:"h" negatable:"" help:"Harder."`
		Secret  bool     `hidden:"" help:"Not shown."`
		Nodes   []string `arg:"" sep:"none" complete:"node"`
	} `cmd:"" help:"Kill nodes. Now."`
	Knit struct {
		Cluster string   `short:"c" complete:"cluster"`
		Faults  []string `complete:"kill|stop|pause"`
		OneWay  []string `sep:"none" complete:"links"`
		Groups  []string `arg:"" optional:"" sep:"none" complete:"nodes"`
	} `cmd:"" help:"Knit."`
	Heal struct {
		Cluster string   `short:"c" complete:"cluster"`
		IDs     []string `arg:"" optional:"" complete:"fault"`
	} `cmd:"" help:"Heal."`
	Send struct {
		File string `short:"f" complete:"files"`
		Kind string `enum:"one,two," default:""`
		Node string `arg:"" complete:"node"`
		Text string `arg:"" optional:""`
	} `cmd:"" help:"Send."`
	Exec struct {
		Dir     string   `short:"w"`
		Node    string   `arg:"" complete:"node"`
		Command []string `arg:"" passthrough:""`
	} `cmd:"" help:"Exec."`
	Run struct {
		Path string `arg:"" optional:"" complete:"files"`
	} `cmd:"" help:"Run."`
	Secret struct{} `cmd:"" hidden:""`
}

func model(t *testing.T) *kong.Application {
	t.Helper()
	parser, err := kong.New(&shop{}, kong.Name("shop"))
	if err != nil {
		t.Fatal(err)
	}
	return parser.Model
}

var demo = Cluster{
	Name: "demo", About: "3 nodes",
	Nodes:  []Candidate{{Value: "n1", About: "running"}, {Value: "n2"}, {Value: "web-1"}},
	Roles:  []Candidate{{Value: "web", About: "web-1"}},
	Hosts:  []Candidate{{Value: "@host:a", About: "n1, n2"}},
	Faults: []Candidate{{Value: "fabcd"}, {Value: "fefgh"}},
}

var pubsub = Cluster{Name: "pubsub-app", Nodes: []Candidate{{Value: "n1"}, {Value: "n2"}}, Faults: []Candidate{{Value: "fzzzz"}}}

// A word that goes on has a "…" behind it.
func TestComplete(t *testing.T) {
	one, two := []Cluster{demo}, []Cluster{demo, pubsub}
	for _, tc := range []struct {
		line  string
		up    []Cluster
		want  string
		asked bool
	}{
		{line: "", want: "kill knit heal send exec run"},
		{line: "k", want: "kill knit"},
		{line: "--json k", want: "kill knit"},
		{line: "x", want: ""},
		{line: "-", want: "--help --json"},
		{line: "nonsense ", want: ""},
		{line: "kill nonsense --nonsense ", want: ""},
		{line: "kill -x ", want: ""},
		{line: "secret --", want: "--help --json"},

		{line: "kill --", want: "--cluster --signal --hard --help --json"},
		{line: "kill -h --signal TERM --", want: "--cluster --help --json"},
		{line: "kill -c", want: "-c"},
		{line: "kill --no-hard --", want: "--cluster --signal --help --json"},
		{line: "knit --faults kill --f", want: "--faults"}, // may be repeated
		{line: "kill --signal ", want: "KILL TERM"},
		{line: "kill --signal=T", want: "--signal=TERM"},
		{line: "kill --nonsense=T", want: ""},
		{line: "kill --hard=", want: ""},
		{line: "send --kind ", want: "one two"},
		{line: "knit --faults kill,", want: "kill,stop… kill,pause…"},
		{line: "knit --faults=kill,p", want: "--faults=kill,pause…"},

		{line: "kill -c ", up: two, want: "demo pubsub-app", asked: true},
		{line: "kill --cluster=d", up: two, want: "--cluster=demo", asked: true},
		{line: "kill ", up: nil, want: "", asked: true},
		{line: "kill ", up: one, want: "n1 n2 web-1 web", asked: true},
		{line: "kill -h n", up: one, want: "n1 n2", asked: true},
		{line: "kill n1 ", up: one, want: "n2 web-1 web", asked: true},
		{line: "kill --signal TERM n1 n", up: one, want: "n2", asked: true},
		{line: "kill demo/n", up: one, want: "demo/n1 demo/n2", asked: true},
		{line: "kill @", up: one, want: "@all @leader:… @majority @minority @one @host:a", asked: true},
		{line: "kill @mi", up: one, want: "@minority", asked: true},
		{line: "kill @host:", up: one, want: "@host:a", asked: true},
		{line: "knit --one-way n1:@host:", up: one, want: "n1:@host:a…", asked: true},
		{line: "kill demo/@o", up: one, want: "demo/@one", asked: true},

		{line: "kill ", up: two, want: "demo/n1 demo/n2 demo/web-1 demo/web pubsub-app/n1 pubsub-app/n2", asked: true},
		{line: "kill p", up: two, want: "pubsub-app/n1 pubsub-app/n2", asked: true},
		{line: "kill pubsub_app/", up: two, want: "pubsub_app/n1 pubsub_app/n2", asked: true},
		{line: "kill other/", up: two, want: "", asked: true},
		{line: "kill -c pubsub_app ", up: two, want: "n1 n2", asked: true},
		{line: "kill -cdemo w", up: two, want: "web-1 web", asked: true},
		{line: "kill -hcdemo w", up: two, want: "web-1 web", asked: true},
		{line: "kill -hc demo w", up: two, want: "web-1 web", asked: true},
		{line: "kill --cluster=demo w", up: two, want: "web-1 web", asked: true},
		{line: "kill pubsub-app/n1 ", up: two, want: "n2", asked: true},
		{line: "kill -c demo pubsub-app/n1 ", up: two, want: "n2", asked: true},
		{line: "SHOP=demo kill w", up: two, want: "web-1 web", asked: true},
		{line: "SHOP=demo kill -c pubsub-app n", up: two, want: "n1 n2", asked: true},

		{line: "knit n1,", up: one, want: "n1,n2… n1,web-1… n1,web…", asked: true},
		{line: "knit n1,n2 ", up: one, want: "n1… n2… web-1… web…", asked: true},
		{line: "knit demo/n1,", up: two, want: "demo/n1,n2… demo/n1,web-1… demo/n1,web…", asked: true},
		{line: "knit --one-way n1:", up: one, want: "n1:n2… n1:web-1… n1:web…", asked: true},
		{line: "knit --one-way n1:n2,n2:", up: one, want: "n1:n2,n2:n1… n1:n2,n2:web-1… n1:n2,n2:web…", asked: true},
		{line: "knit --one-way=n1:n2,n", up: one, want: "--one-way=n1:n2,n1… --one-way=n1:n2,n2…", asked: true},
		{line: "heal ", up: two, want: "fabcd fefgh fzzzz", asked: true},
		{line: "heal -c demo fabcd ", up: two, want: "fefgh", asked: true},

		{line: "send -f ", want: ":files"},
		{line: "send --file=x", want: ":files"},
		{line: "send n1 ", want: ""},
		{line: "send n1 text ", want: ""},
		{line: "run ", want: ":files"},
		{line: "run -- ", want: ":files"},
		{line: "exec ", up: one, want: "n1 n2 web-1 web", asked: true},
		{line: "exec -w / n", up: one, want: "n1 n2", asked: true},
		{line: "exec -- n", up: one, want: "n1 n2", asked: true},
		{line: "exec n1 ", want: ":files"},
		{line: "exec n1 ls --", want: ":files"},
		{line: "exec n1 -- ", want: ":files"},
		{line: "send -- ", up: one, want: "n1 n2 web-1 web", asked: true},
	} {
		words, _ := Split(tc.line)
		asked := 0
		env := map[string]string{}
		if key, value, set := strings.Cut(words[0], "="); set {
			env[key], words = value, words[1:]
		}
		answer := Complete(Request{
			Model: model(t), Words: words, Env: func(key string) string { return env[key] },
			Clusters: func() []Cluster { asked++; return tc.up },
			Ref:      func(name string) string { return strings.ReplaceAll(name, "_", "-") },
		})
		var got []string
		if answer.Files {
			got = append(got, files)
		}
		for _, c := range answer.Candidates {
			if c.More {
				c.Value += "…"
			}
			got = append(got, c.Value)
		}
		if strings.Join(got, " ") != tc.want {
			t.Errorf("%q: %q\nwant %q", tc.line, strings.Join(got, " "), tc.want)
		}
		if wanted := map[bool]int{true: 1}[tc.asked]; asked != wanted {
			t.Errorf("%q: the engine was asked %d times, want %d", tc.line, asked, wanted)
		}
	}
}

func TestSplit(t *testing.T) {
	for line, want := range map[string]string{
		``: `[""] false`, `kill`: `["kill"] false`, `kill `: `["kill" ""] false`, "a  b\t": `["a" "b" ""] false`,
		`rpc n1 'a b' "c`: `["rpc" "n1" "a b" "c"] true`, `'n*`: `["n*"] true`, `a\ b`: `["a b"] false`,
		`"a\"b" '' x`: `["a\"b" "" "x"] false`, `'a\'`: `["a\\"] false`, `a\`: `["a"] false`,
	} {
		words, quoted := Split(line)
		if got := quotedWords(words) + map[bool]string{true: " true", false: " false"}[quoted]; got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
}

func quotedWords(words []string) string {
	var all []string
	for _, w := range words {
		all = append(all, `"`+strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(w)+`"`)
	}
	return "[" + strings.Join(all, " ") + "]"
}

// What each shell gets of the same answer.
func TestShells(t *testing.T) {
	answer := Answer{Candidates: []Candidate{{Value: "n1:n2", About: "a: b"}, {Value: "n1:n3", More: true}}}
	const breaks = " \t\n\"'@><=;|&(:"
	for _, tc := range []struct {
		name      string
		got, want []string
	}{
		{"bash", Bash(answer, "shop slow n1:", breaks), []string{"n2 ", "n3"}},
		{"bash, without breaks in words", Bash(answer, "shop slow n1:", " "), []string{"n1:n2 ", "n1:n3"}},
		{"bash, in quotes", Bash(answer, "shop slow 'n1:", breaks), []string{"n1:n2", "n1:n3"}},
		{"bash, a flag's value", Bash(Answer{Candidates: []Candidate{{Value: "--kind=drop"}}}, "shop cut --kind=", breaks), []string{"drop "}},
		{"bash, a target", Bash(Answer{Candidates: []Candidate{{Value: "@one"}}}, "shop kill @", breaks), []string{"@one "}},
		{"bash, a cluster's target", Bash(Answer{Candidates: []Candidate{{Value: "demo/@one"}}}, "shop kill demo/@", breaks), []string{"@one "}},
		{"zsh", Zsh(answer), []string{`=n1\:n2:a: b`, `+n1\:n3`}},
		{"fish", Fish(answer), []string{"n1:n2\ta: b", "n1:n3\t"}},
		{"files", Fish(Answer{Files: true}), []string{":files"}},
		{"nothing", Zsh(Answer{}), nil},
	} {
		if !slices.Equal(tc.got, tc.want) {
			t.Errorf("%s: %q, want %q", tc.name, tc.got, tc.want)
		}
	}
}

// Strange lines neither panic nor get candidates that do not begin with the word.
func FuzzComplete(f *testing.F) {
	for _, line := range []string{"", "kill n1,:", "knit --one-way ::,:", "-", "--", "kill -", "exec -- --", "kill @/", "heal /", "kill --=", "-=", "kill \xff"} {
		f.Add(line)
	}
	parser, err := kong.New(&shop{}, kong.Name("shop"))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, line string) {
		words, _ := Split(line)
		answer := Complete(Request{Model: parser.Model, Words: words, Env: func(string) string { return "" }, Clusters: func() []Cluster { return []Cluster{demo, pubsub} }})
		for _, c := range answer.Candidates {
			if !strings.HasPrefix(c.Value, words[len(words)-1]) {
				t.Errorf("%q: %q", line, c.Value)
			}
		}
		Bash(answer, line, " @=:")
		Zsh(answer)
	})
}
