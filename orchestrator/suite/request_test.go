package suite

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/beamyard/beamyard/network/erldist"
	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
)

func spec() orchestrator.Spec {
	return orchestrator.Spec{Name: "shop", Nodes: []orchestrator.NodeSpec{{Name: "n1", Host: "a"}, {Name: "n2", Role: "web", Host: "b"}, {Name: "n3", Role: "web", Host: "b"}}, Hosts: map[string]orchestrator.HostSpec{"a": {}, "b": {}}}.Defaulted()
}

type (
	tuple = erldist.Tuple
	terms = erldist.List
	atom  = erldist.Atom
)

// opts are options.
func opts(fields ...any) erldist.Map { return record(fields...) }

// received is a term as the node sends it.
func received(t testing.TB, term any) any {
	t.Helper()
	b, err := erldist.Encode(term)
	if err != nil {
		t.Fatal(err)
	}
	got, err := erldist.Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestDecode(t *testing.T) {
	full := atom("app@n1.shop.test")
	reset := fault.Partition([]string{"n1"}, []string{"n2", "n3"})
	reset.How, reset.Hard = fault.Reset, true
	drop := fault.Partition([]string{"n1"})
	drop.How = fault.Drop
	for _, tt := range []struct {
		term any
		want request
	}{
		{tuple{atom("partition"), terms{terms{"n1"}}, opts()}, inject{drop, 0, true}},
		{tuple{atom("partition"), terms{terms{full}, terms{"web"}}, opts("how", atom("reset"), "hard", true, "for", 5000, "wait", false)}, inject{reset, 5 * time.Second, false}},
		{tuple{atom("partition"), terms{terms{"@host:a"}, terms{atom("@host:b")}}, opts("how", atom("reset"), "hard", true)}, inject{reset, 0, true}},
		{tuple{atom("slow"), terms{tuple{"n1", atom("n2")}}, opts("loss", 5, "rate", 1_000_000)}, inject{fault.Link(fault.Quality{Loss: 5, Shaping: fault.Shaping{Rate: 1_000_000}}, fault.Pair{From: "n1", To: "n2"}), 0, false}},
		{tuple{atom("squeeze"), terms{"n1"}, opts("memory", 1<<28, "cpus", 0.5, "full", terms{"/data"}, "for", 500)}, inject{fault.Fault{Kind: fault.KindSqueeze, Nodes: []string{"n1"}, Limits: fault.Limits{Memory: 1 << 28, CPUs: 0.5, Full: []string{"/data"}}}, 500 * time.Millisecond, false}},
		{tuple{atom("clock"), terms{"n1", atom("n2")}, opts("bump", -1500, "drift", 1.5)}, inject{fault.Fault{Kind: fault.KindClock, Nodes: []string{"n1", "n2"}, Clock: fault.Clock{Bump: -1500 * time.Millisecond, Drift: 1.5}}, 0, false}},
		{tuple{atom("dns"), terms{"n1"}, opts("answers", atom("stale"), "peers", terms{"n2"})}, inject{fault.Fault{Kind: fault.KindDNS, Nodes: []string{"n1"}, DNS: fault.DNS{Answers: fault.StaleAnswers, Peers: []string{"n2"}}}, 0, false}},
		{tuple{atom("slow"), terms{"n1"}, opts("latency", 50, "loss", 0.5)}, inject{fault.Link(fault.Quality{Loss: 0.5, Shaping: fault.Shaping{Latency: 50 * time.Millisecond}}, fault.Pair{From: "n1", To: "*"}, fault.Pair{From: "*", To: "n1"}), 0, false}},
		{tuple{atom("blip"), terms{}}, blip{fault.Isolate("n1", "n2", "n3")}},
		{tuple{atom("blip"), terms{terms{"n1"}}}, blip{fault.Partition([]string{"n1"})}},
		{tuple{atom("heal"), terms{"f1", atom("f2")}}, heal{[]string{"f1", "f2"}}},
		{atom("faults"), list{}},
		{tuple{atom("nodes")}, nodes{}},
		{tuple{atom("crash"), full, atom("kill")}, crash{"n1", "kill"}},
		{tuple{atom("stop"), "n1"}, stop{"n1"}},
		{tuple{atom("start"), "n1"}, start{"n1"}},
		{tuple{atom("restart"), "n1"}, restart{"n1"}},
		{tuple{atom("pause"), "n1", opts("wait", false)}, pause{"n1", false}},
		{tuple{atom("unpause"), "n1"}, unpause{"n1"}},
		{tuple{atom("await_mesh"), opts()}, awaitMesh{time.Minute}},
		{tuple{atom("await_mesh"), opts("timeout", 100)}, awaitMesh{100 * time.Millisecond}},
		{tuple{atom("need"), 3}, need{3}},
		{tuple{atom("output"), "n1", 10}, output{"n1", 10}},
		{tuple{atom("undo"), tuple{atom("fault"), "f1"}}, undoFault{"f1"}},
		{tuple{atom("undo"), tuple{atom("node"), "n1"}}, undoNode{"n1"}},
		{tuple{atom("report"), "a test"}, report{"a test"}},
	} {
		got, err := decode(spec(), received(t, tt.term))
		if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(inject{}, blip{}, heal{}, crash{}, stop{}, start{}, restart{}, pause{}, unpause{}, awaitMesh{}, need{}, output{}, undoFault{}, undoNode{}, report{})); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", erldist.Format(tt.term), err, diff)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	for _, tt := range []struct {
		term any
		why  string
	}{
		{"text", "unknown request"},
		{tuple{}, "unknown request {}"},
		{atom("dance"), "unknown request :dance"},
		{tuple{atom("stop")}, "an argument is missing"},
		{tuple{atom("stop"), "n1", "n2"}, `stop takes no argument "n2"`},
		{tuple{atom("stop"), "n9"}, "n9"},
		{tuple{atom("stop"), 1}, "node: 1 is not a string or an atom"},
		{tuple{atom("stop"), "web"}, `"web" stands for 2 nodes`},
		{tuple{atom("stop"), "@host:z"}, "no such node: host z is unknown"},
		{tuple{atom("partition"), "n1", opts()}, "is not a list of groups"},
		{tuple{atom("partition"), terms{"n1"}, opts()}, "is not a group of nodes"},
		{tuple{atom("partition"), terms{terms{"n1"}}, terms{}}, "are not options"},
		{tuple{atom("partition"), terms{terms{"n1"}}, opts("x", 1, "how", atom("drop"))}, "unknown option x: the options are how, hard, for, wait"},
		{tuple{atom("partition"), terms{terms{"n1"}}, opts("how", 1)}, "how: 1 is not a string or an atom"},
		{tuple{atom("partition"), terms{terms{"n1"}}, opts("for", "long")}, "is not a number of milliseconds"},
		{tuple{atom("partition"), terms{terms{"n1"}}, opts("for", 1<<60)}, "is not a number of milliseconds"},
		{tuple{atom("partition"), terms{terms{"n1"}}, opts("wait", 1)}, "wait: 1 is not true or false"},
		{tuple{atom("slow"), terms{tuple{"n1"}}, opts()}, "is not a link"},
		{tuple{atom("slow"), terms{"n1"}, opts("loss", -1)}, "loss: -1 is not a number"},
		{tuple{atom("squeeze"), terms{"n1"}, opts("full", "/data")}, `full: "/data" is not a list`},
		{tuple{atom("clock"), terms{"n1"}, opts("bump", 1.5)}, "bump: 1.5 is not a number of milliseconds"},
		{tuple{atom("dns"), terms{"n1"}, opts("peers", terms{"n9"})}, "no such node"},
		{tuple{atom("output"), "n1", 0}, "0 is not a number of lines"},
		{tuple{atom("undo"), "f1"}, "undo takes a fault or a node"},
		{tuple{atom("undo"), tuple{atom("node"), "n9"}}, "n9"},
	} {
		if r, err := decode(spec(), received(t, tt.term)); err == nil || !strings.Contains(err.Error(), tt.why) {
			t.Errorf("%s: %v, %v; want %s", erldist.Format(tt.term), r, err, tt.why)
		}
	}
}

// FuzzDecodeRequest checks that every term is a request or an error.
func FuzzDecodeRequest(f *testing.F) {
	for _, term := range []any{
		atom("nodes"), tuple{atom("partition"), terms{terms{"n1"}}, opts("how", atom("reset"), "for", 1)}, tuple{atom("undo"), tuple{atom("node"), "n1"}},
		tuple{atom("slow"), terms{tuple{"n1", "n2"}, "n3"}, opts("loss", 5.5)}, tuple{atom("output"), "n1", 10},
	} {
		b, err := erldist.Encode(term)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		term, err := erldist.DecodeWith(data, erldist.Limits{Depth: 50, Bytes: 1 << 16})
		if err != nil {
			return
		}
		if r, err := decode(spec(), term); (r == nil) && err == nil {
			t.Errorf("%s is nothing", fmt.Sprint(term))
		}
	})
}
