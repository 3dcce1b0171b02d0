package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/google/go-cmp/cmp"
)

func TestLinePrinter(t *testing.T) {
	nodes := []orchestrator.NodeStatus{{Name: "n1"}, {Name: "node10"}}
	lines := []orchestrator.Line{
		{Node: "n1", Stream: orchestrator.Stdout, Text: "héllo", Time: noon},
		{Node: "node10", Stream: orchestrator.Stderr, Text: "\x1b[31mred", Time: noon},
		{Node: "n1", Stream: orchestrator.StreamSystem, Text: "── n1 restarted ──", Time: noon},
		{Node: "n1", Stream: orchestrator.Stdout, Text: "long", Cut: true, Time: noon},
	}
	for _, tc := range []struct {
		name             string
		json, times, hue bool
		want             string
	}{
		{name: "plain", want: "n1     | héllo\nnode10 | \x1b[31mred\nn1     | ── n1 restarted ──\nn1     | long … (cut: longer than 256 KiB)\n"},
		{name: "colours", hue: true, want: "\x1b[36mn1     |\x1b[0m héllo\n" +
			"\x1b[94mnode10 |\x1b[0m \x1b[31mred\x1b[0m\n" +
			"\x1b[36mn1     |\x1b[0m \x1b[2m── n1 restarted ──\x1b[0m\n" +
			"\x1b[36mn1     |\x1b[0m long … (cut: longer than 256 KiB)\n"},
		{name: "json", json: true, want: `{"node":"n1","stream":"stdout","seq":0,"run":0,"time":"2026-01-31T12:00:00Z","text":"héllo"}
{"node":"node10","stream":"stderr","seq":0,"run":0,"time":"2026-01-31T12:00:00Z","text":"\u001b[31mred"}
{"node":"n1","stream":"system","seq":0,"run":0,"time":"2026-01-31T12:00:00Z","text":"── n1 restarted ──"}
{"node":"n1","stream":"stdout","seq":0,"run":0,"time":"2026-01-31T12:00:00Z","text":"long","cut":true}
`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var out bytes.Buffer
			a := testApp(newOutput(&out), nil, noon)
			a.json, a.out.colors = tc.json, tc.hue
			p := newLinePrinter(a, nodes, tc.times)
			for _, l := range lines {
				if err := p.print(l); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(tc.want, out.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// An assistant gets both forms. It does not show the colours of a program to a terminal.
func TestLinesForAnAssistant(t *testing.T) {
	var out, words bytes.Buffer
	a := testApp(newOutput(&out), nil, noon)
	a.json, a.words = true, newOutput(&words)
	if err := newLinePrinter(a, nil, false).print(orchestrator.Line{Node: "n1", Text: "\x1b[31mred\x1b[2J", Time: noon}); err != nil {
		t.Fatal(err)
	}
	if words.String() != "n1 | red\n" || !strings.Contains(out.String(), `"text":"\u001b[31mred\u001b[2J"`) {
		t.Errorf("%q, %q", words.String(), out.String())
	}
}

func TestTimestamps(t *testing.T) {
	t.Setenv("TZ", "UTC")
	var out bytes.Buffer
	p := newLinePrinter(testApp(newOutput(&out), nil, noon), nil, true)
	if err := p.print(orchestrator.Line{Node: "n1", Text: "x", Time: noon.Add(1234567 * time.Nanosecond)}); err != nil {
		t.Fatal(err)
	}
	want := "n1 | " + noon.Add(time.Millisecond).Local().Format("2006-01-02T15:04:05.000Z07:00") + " x\n"
	if out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
}

func TestNodeColors(t *testing.T) {
	seen := map[string]bool{}
	for _, n := range orchestrator.NodeNames(len(palette)) {
		if seen[nodeColor(n.Name)] {
			t.Errorf("%s has another node's colour", n.Name)
		}
		seen[nodeColor(n.Name)] = true
	}
	for _, name := range []string{"", "web", "db-1x", "n0"} {
		if got := nodeColor(name); got != nodeColor(name) || got == "" {
			t.Errorf("%q: its colour changes", name)
		}
	}
}

func TestLogFlags(t *testing.T) {
	for _, tc := range []struct {
		args  []string
		tail  int
		since time.Time
		bad   bool
	}{
		{args: nil, tail: 50},
		{args: []string{"--tail", "all"}, tail: 0},
		{args: []string{"--tail", "0"}, tail: -1},
		{args: []string{"--tail=7"}, tail: 7},
		{args: []string{"--tail=-7"}, bad: true},
		{args: []string{"--tail", "many"}, bad: true},
		{args: []string{"--since", "5m"}, tail: 50, since: noon.Add(-5 * time.Minute)},
		{args: []string{"--since", "2026-01-31T12:00:00Z"}, tail: 50, since: noon},
		{args: []string{"--since", "2026-01-31 12:00:00"}, tail: 50, since: time.Date(2026, 1, 31, 12, 0, 0, 0, time.Local)},
		{args: []string{"--since", "yesterday"}, bad: true},
		{args: []string{"--since=-5m"}, bad: true},
		{args: []string{"--stream", "both"}, bad: true},
	} {
		var c logsCmd
		parser, err := kong.New(&c)
		if err != nil {
			t.Fatal(err)
		}
		_, err = parser.Parse(tc.args)
		if (err != nil) != tc.bad {
			t.Errorf("%v: %v", tc.args, err)
		}
		if !tc.bad && (int(c.Tail) != tc.tail || !c.Since.before(noon).Equal(tc.since)) {
			t.Errorf("%v: tail %d, since %v", tc.args, c.Tail, c.Since.before(noon))
		}
	}
}
