package evidence

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/beamyard/beamyard/orchestrator"
)

var noon = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

func ms(n int) time.Time { return noon.Add(time.Duration(n) * time.Millisecond) }

func nodeup(at int, observer, peer string) orchestrator.JournalEntry {
	return orchestrator.JournalEntry{Time: ms(at), Source: orchestrator.FromNode, Node: observer, Peer: peer, Text: "nodeup " + peer}
}

func line(at int, node string, stream orchestrator.Stream, text string) orchestrator.Line {
	return orchestrator.Line{Time: ms(at), Node: node, Stream: stream, Text: text}
}

func TestTimeline(t *testing.T) {
	for _, tt := range []struct {
		name    string
		events  []orchestrator.Event
		journal []orchestrator.JournalEntry
		lines   []orchestrator.Line
		want    []string
	}{
		{name: "nothing"},
		{
			name:   "a crash, told by everybody",
			events: []orchestrator.Event{{Time: ms(60), Node: "n2", Text: "n2 ended: killed (exit 137)"}},
			journal: []orchestrator.JournalEntry{
				{Time: ms(50), Source: orchestrator.FromEngine, Node: "n2", Text: "die (exit 137)"},
				{Time: ms(10), Source: orchestrator.FromUser, Node: "n2", Text: "kill with SIGKILL"},
				{Time: ms(40), Source: orchestrator.FromFault, Text: "n2 is cut off"},
				{Time: ms(55), Source: orchestrator.FromNode, Node: "n1", Peer: "n2", Text: "nodedown n2 (connection_closed)"},
			},
			lines: []orchestrator.Line{line(56, "n1", orchestrator.Stdout, "lost n2"), line(20, "n2", orchestrator.Stderr, "last words")},
			want: []string{
				"12:00:00.010  user      n2    kill with SIGKILL",
				"12:00:00.020  stderr    n2    last words",
				"12:00:00.040  fault     -     n2 is cut off",
				"12:00:00.050  engine    n2    die (exit 137)",
				"12:00:00.055  node      n1    nodedown n2 (connection_closed)",
				"12:00:00.056  stdout    n1    lost n2",
				"12:00:00.060  beamyard  n2    n2 ended: killed (exit 137)",
			},
		},
		{
			name:   "lines from 2 s before to 1 s after, each once",
			events: []orchestrator.Event{{Time: ms(10_000), Text: "a"}, {Time: ms(10_500), Text: "b"}},
			lines: []orchestrator.Line{
				line(7_999, "n1", orchestrator.Stdout, "too early"), line(8_000, "n1", orchestrator.Stdout, "first"),
				line(10_200, "n1", orchestrator.Stdout, "between"), line(11_500, "n1", orchestrator.Stdout, "last"),
				line(11_501, "n1", orchestrator.Stdout, "too late"), {Node: "n1", Stream: orchestrator.StreamSystem, Text: "no time"},
			},
			want: []string{
				"12:00:08.000  stdout    n1    first",
				"12:00:10.000  beamyard  -     a",
				"12:00:10.200  stdout    n1    between",
				"12:00:10.500  beamyard  -     b",
				"12:00:11.500  stdout    n1    last",
			},
		},
		{
			name: "a node's nodeups of one moment are one line",
			journal: []orchestrator.JournalEntry{
				nodeup(0, "n1", "n2"), nodeup(10, "n2", "n1"), nodeup(30, "n1", "n3"), nodeup(100, "n1", "node"), nodeup(101, "n1", "n5"),
				{Time: ms(150), Source: orchestrator.FromNode, Node: "n1", Peer: "node", Text: "nodedown node (net_tick_timeout)"},
				{Time: ms(51), Source: orchestrator.FromNode, Node: "n1", Peer: "n3", Text: "nodedown n3 (connection_closed)"},
			},
			want: []string{
				"12:00:00.000  node      n1    nodeup n2, n3, node",
				"12:00:00.010  node      n2    nodeup n1",
				"12:00:00.051  node      n1    nodedown n3 (connection_closed)",
				"12:00:00.101  node      n1    nodeup n5",
				"12:00:00.150  node      n1    nodedown node (net_tick_timeout)",
			},
		},
		{
			name: "a peer that comes, goes and comes again, in that order",
			journal: []orchestrator.JournalEntry{
				nodeup(0, "n1", "n2"), {Time: ms(30), Source: orchestrator.FromNode, Node: "n1", Peer: "n2", Text: "nodedown n2"}, nodeup(60, "n1", "n2"),
			},
			want: []string{
				"12:00:00.000  node      n1    nodeup n2",
				"12:00:00.030  node      n1    nodedown n2",
				"12:00:00.060  node      n1    nodeup n2",
			},
		},
		{
			name: "and among others that only come",
			journal: []orchestrator.JournalEntry{
				nodeup(0, "n1", "n3"), {Time: ms(10), Source: orchestrator.FromNode, Node: "n1", Peer: "n2", Text: "nodedown n2"},
				nodeup(20, "n1", "n2"), nodeup(30, "n1", "n4"), nodeup(40, "n2", "n1"), nodeup(50, "n1", "n4"),
			},
			want: []string{
				"12:00:00.000  node      n1    nodeup n3",
				"12:00:00.010  node      n1    nodedown n2",
				"12:00:00.020  node      n1    nodeup n2, n4",
				"12:00:00.040  node      n2    nodeup n1",
				"12:00:00.050  node      n1    nodeup n4",
			},
		},
		{
			name: "at one time: what was asked, what came of it, what was said, what we made of it",
			events: []orchestrator.Event{
				{Time: ms(0), Node: "n1", Text: "n1 backing-off"}, {Time: ms(0), Node: "n1", Text: "n1 starting"},
			},
			journal: []orchestrator.JournalEntry{
				nodeup(0, "n2", "n1"), {Time: ms(0), Source: orchestrator.FromEngine, Node: "n1", Text: "start"},
				{Time: ms(0), Source: orchestrator.FromUser, Node: "n1", Text: "start"},
			},
			lines: []orchestrator.Line{line(0, "n1", orchestrator.Stdout, "hello")},
			want: []string{
				"12:00:00.000  user      n1    start",
				"12:00:00.000  engine    n1    start",
				"12:00:00.000  stdout    n1    hello",
				"12:00:00.000  node      n2    nodeup n1",
				"12:00:00.000  beamyard  n1    n1 backing-off",
				"12:00:00.000  beamyard  n1    n1 starting",
			},
		},
		{
			name:   "every text is one plain line",
			events: []orchestrator.Event{{Time: ms(0).In(time.FixedZone("", 3600)), Text: "giving up:\n  n1\n"}},
			lines: []orchestrator.Line{
				line(1, "node-with-a-name", orchestrator.Stdout, "\x1b[31mred\x1b[0m\a\r"), line(2, "n1", orchestrator.Stderr, "  "), line(2, "n1", orchestrator.Stderr, "\x1b[0m"),
				line(3, "n1", orchestrator.Stdout, strings.Repeat("x", maxText-1)+"öö"),
			},
			want: []string{
				"12:00:00.000  beamyard  -                 giving up: /   n1",
				"12:00:00.001  stdout    node-with-a-name  red··",
				"12:00:00.002  stderr    n1",
				"12:00:00.003  stdout    n1                " + strings.Repeat("x", maxText-1) + " …",
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := Timeline(tt.events, tt.journal, tt.lines)
			head, rest, _ := strings.Cut(got, "\n")
			if !strings.HasPrefix(head, "TIME (UTC)               SOURCE    NODE") {
				t.Errorf("the header is %q", head)
			}
			want := ""
			for _, w := range tt.want {
				want += "2026-01-31 " + w + "\n"
			}
			if diff := cmp.Diff(want, rest); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Fifty nodes that start report 2450 nodeups: one line for each node is enough.
func TestATimelineOfFiftyNodesIsReadable(t *testing.T) {
	var journal []orchestrator.JournalEntry
	for i := range 50 {
		for j := range 50 {
			if i != j {
				journal = append(journal, nodeup((i*7+j)%90, fmt.Sprintf("n%d", i+1), fmt.Sprintf("n%d", j+1)))
			}
		}
	}
	text := Timeline(nil, journal, nil)
	if lines := strings.Count(text, "\n"); lines != 51 {
		t.Errorf("%d lines", lines)
	}
	if peers := regexp.MustCompile(`\bn\d+\b`).FindAllString(text, -1); len(peers) != 50+2450 {
		t.Errorf("%d names", len(peers))
	}
}

// For any events in any order: each entry appears once, times never go back, and no line
// of output is repeated.
func TestTimelineKeepsEverything(t *testing.T) {
	stamp := regexp.MustCompile(`(?m)^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}`)
	rapid.Check(t, func(t *rapid.T) {
		serial := 0
		mark := func() string { serial++; return fmt.Sprintf("<%d>", serial) }
		at := func() time.Time {
			return noon.Add(time.Duration(rapid.Int64Range(0, int64(20*time.Second)).Draw(t, "at")))
		}
		node := rapid.SampledFrom([]string{"", "n1", "n2"})
		noise := rapid.StringOfN(rapid.RuneFrom([]rune("a \n\r\t\x1b[31mö")), 0, 20, -1)
		var must []string
		var events []orchestrator.Event
		for range rapid.IntRange(0, 10).Draw(t, "events") {
			id := mark()
			must = append(must, id)
			events = append(events, orchestrator.Event{Time: at(), Node: node.Draw(t, "node"), Text: noise.Draw(t, "noise") + id})
		}
		var journal []orchestrator.JournalEntry
		for range rapid.IntRange(0, 20).Draw(t, "journal") {
			id := mark()
			must = append(must, id)
			e := orchestrator.JournalEntry{Time: at(), Node: node.Draw(t, "node"), Text: id,
				Source: rapid.SampledFrom([]orchestrator.JournalSource{orchestrator.FromEngine, orchestrator.FromNode, orchestrator.FromUser, orchestrator.FromFault}).Draw(t, "source")}
			if rapid.Bool().Draw(t, "seen") {
				e.Source, e.Peer, e.Text = orchestrator.FromNode, id, rapid.SampledFrom([]string{"nodeup ", "nodedown "}).Draw(t, "verb")+id
			}
			journal = append(journal, e)
		}
		var lines []orchestrator.Line
		var printed []string
		for range rapid.IntRange(0, 20).Draw(t, "lines") {
			id := mark()
			printed = append(printed, id)
			lines = append(lines, orchestrator.Line{Time: at(), Node: "n1", Stream: orchestrator.Stdout, Text: noise.Draw(t, "noise") + id})
		}
		text := Timeline(events, journal, lines)
		for _, id := range must {
			if n := strings.Count(text, id); n != 1 {
				t.Fatalf("%s appears %d times:\n%s", id, n, text)
			}
		}
		for i, id := range printed {
			want := 0
			for _, r := range entries(events, journal) {
				if d := lines[i].Time.Sub(r.at); d >= -before && d <= after {
					want = 1
				}
			}
			if n := strings.Count(text, id); n != want {
				t.Fatalf("the line %s appears %d times, want %d:\n%s", id, n, want, text)
			}
		}
		times := stamp.FindAllString(text, -1)
		if !slices.IsSorted(times) || len(times) != strings.Count(text, "\n")-1 {
			t.Fatalf("not in order, or not a time a line:\n%s", text)
		}
	})
}

// For any events: what a node reports about one peer is in the order in which it
// happened.
func TestTimelineKeepsTheOrderOfAPair(t *testing.T) {
	row := regexp.MustCompile(`(?m) node +n1 +(nodeup|nodedown) (.*)$`)
	rapid.Check(t, func(t *rapid.T) {
		var journal []orchestrator.JournalEntry
		want := map[string]string{}
		at := 0
		for range rapid.IntRange(0, 30).Draw(t, "entries") {
			at += rapid.IntRange(0, 60).Draw(t, "later")
			peer := rapid.SampledFrom([]string{"n2", "n3", "n4"}).Draw(t, "peer")
			verb := rapid.SampledFrom([]string{"nodeup", "nodedown"}).Draw(t, "verb")
			journal = append(journal, orchestrator.JournalEntry{Time: ms(at), Source: orchestrator.FromNode, Node: "n1", Peer: peer, Text: verb + " " + peer})
			want[peer] += verb + " "
		}
		got := map[string]string{}
		for _, m := range row.FindAllStringSubmatch(Timeline(nil, journal, nil), -1) {
			for peer := range strings.SplitSeq(m[2], ", ") {
				got[peer] += m[1] + " "
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
}
