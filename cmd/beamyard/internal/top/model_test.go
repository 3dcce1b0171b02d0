package top

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/health"
	"github.com/beamyard/beamyard/orchestrator/hint"
	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"
)

func TestMain(m *testing.M) {
	time.Local = time.UTC // the screens have the time of day
	os.Exit(m.Run())
}

var noon = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

// recorder is hands that write down what they are to do.
type recorder struct {
	done []string
	err  error
}

func (r *recorder) do(a Action, node string) error {
	r.done = append(r.done, string(a)+" "+node)
	return r.err
}
func (r *recorder) follow(node string) { r.done = append(r.done, "follow "+node) }

// start returns a model of this size that was told a cluster.
func start(h hands, width, height int, messages ...tea.Msg) Model {
	m := newModel("demo", false, false, h, noon)
	return given(m, append([]tea.Msg{tea.WindowSizeMsg{Width: width, Height: height}}, messages...)...)
}

// given returns the model after these messages; what it asks for is done.
func given(m Model, messages ...tea.Msg) Model {
	for _, msg := range messages {
		next, cmd := m.Update(msg)
		m = next.(Model)
		if _, isTick := msg.(Tick); cmd == nil || isTick {
			continue
		}
		if answer := cmd(); answer != nil {
			m = given(m, answer)
		}
	}
	return m
}

// press returns the model after these keys.
func press(m Model, keys ...string) Model {
	for _, k := range keys {
		msg := tea.KeyPressMsg{Code: []rune(k)[0], Text: k}
		switch k {
		case "esc":
			msg = tea.KeyPressMsg{Code: tea.KeyEscape}
		case "enter":
			msg = tea.KeyPressMsg{Code: tea.KeyEnter}
		case "down":
			msg = tea.KeyPressMsg{Code: tea.KeyDown}
		case "end":
			msg = tea.KeyPressMsg{Code: tea.KeyEnd}
		case "backspace":
			msg = tea.KeyPressMsg{Code: tea.KeyBackspace}
		}
		m = given(m, msg)
	}
	return m
}

// nodes returns a whole cluster of n nodes.
func nodes(n int) orchestrator.Status {
	st := orchestrator.Status{Cluster: "demo", Supervised: true, Ready: true, Created: noon.Add(-125 * time.Second)}
	for i := 1; i <= n; i++ {
		node := orchestrator.NodeStatus{
			Name: fmt.Sprintf("n%d", i), State: orchestrator.Ready, StartedAt: noon.Add(-120 * time.Second),
			URL: fmt.Sprintf("http://127.0.0.1:%d", 4199+i),
		}
		for j := 1; j <= n; j++ {
			if i != j {
				node.Peers = append(node.Peers, fmt.Sprintf("n%d", j))
			}
		}
		st.Nodes = append(st.Nodes, node)
	}
	return st
}

// measured returns a report in which every node is well.
func measured(st orchestrator.Status) Examined {
	r := health.Report{Cluster: "demo", Time: noon, Passed: true}
	for i, n := range st.Nodes {
		r.Nodes = append(r.Nodes, health.NodeReport{Name: n.Name, Sample: &health.Sample{
			Container: health.Count{Used: int64(61+i) << 20, Limit: 512 << 20, Known: true}, PreventOverlapping: true,
			Processes: health.Count{Used: 80, Limit: 1 << 18, Known: true}, Atoms: health.Count{Used: 21237, Limit: 1 << 20, Known: true},
			Load: health.Load{Part: 0.25, Known: true}, Schedulers: 2,
		}})
	}
	return Examined{orchestrator.HealthReport{Report: r}}
}

// history are events, one a second, the last one now.
func history(texts ...string) Happened {
	h := Happened{Anew: true}
	for i, text := range texts {
		at := noon.Add(time.Duration(i+1-len(texts)) * time.Second)
		h.Events = append(h.Events, orchestrator.Event{Seq: uint64(i + 1), Time: at, Kind: orchestrator.EventState, Text: text})
	}
	return h
}

// crash returns the cluster with one node backing off, and what is known of that.
func crash(st orchestrator.Status, i int) orchestrator.Status {
	name := st.Nodes[i].Name
	st.Nodes[i] = orchestrator.NodeStatus{
		Name: name, State: orchestrator.BackingOff, Restarts: "3/5", RestartCount: 3, NextRestartAt: noon.Add(6 * time.Second),
		Reason: "crashed (exit 1); restart 3/5 in 8s", LastExit: &orchestrator.Exit{Class: orchestrator.ExitCrashed, Code: 1}, StartedAt: noon.Add(-time.Second),
		Findings: []orchestrator.Finding{
			{
				Code: "port-in-use", Node: name, Problem: "the application of " + name + " cannot listen on port 4000",
				Solutions: []orchestrator.Solution{{Text: hint.Text("see which process has it"), Do: hint.Newf("%s", hint.Inspect.On("demo", name))}},
			},
			{Code: "boot-loop", Node: name, Problem: "twice", SymptomOf: &orchestrator.Cause{Code: "port-in-use", Node: name}},
		},
	}
	for j := range st.Nodes {
		st.Nodes[j].Peers = without(st.Nodes[j].Peers, name)
	}
	return st
}

// cutOff returns the cluster with a node that a partition cuts off, which all have noticed.
func cutOff(st orchestrator.Status, i int) orchestrator.Status {
	name := st.Nodes[i].Name
	st.Faults = append(st.Faults, fault.Fault{ID: "fgfcj", Kind: fault.KindPartition, Groups: [][]string{{name}}, How: fault.Reset, Begin: noon.Add(-8 * time.Second), End: noon.Add(12 * time.Second)})
	for j := range st.Nodes {
		st.Nodes[j].State, st.Nodes[j].Reason = orchestrator.Degraded, "cut off from "+name+" by fgfcj"
		st.Nodes[j].Peers = without(st.Nodes[j].Peers, name)
	}
	st.Nodes[i].Peers = nil
	return st
}

func without(names []string, name string) []string {
	var rest []string
	for _, n := range names {
		if n != name {
			rest = append(rest, n)
		}
	}
	return rest
}

func log(node string, texts ...string) Printed {
	p := Printed{Node: node, Anew: true}
	for i, text := range texts {
		l := orchestrator.Line{Node: node, Stream: orchestrator.Stdout, Seq: uint64(i), Time: noon.Add(time.Duration(i) * time.Second), Text: text}
		if strings.Contains(text, "error") {
			l.Stream = orchestrator.Stderr
		}
		p.Lines = append(p.Lines, l)
	}
	return p
}

// screens are the states that are looked at, by the name of their file.
func screens() map[string]Model {
	healthy := []tea.Msg{Told{nodes(3)}, measured(nodes(3)), history("starting 3 nodes", "n1 ready", "n2 ready", "n3 ready", "ready: 3 nodes, every pair connected")}
	crashed := slices.Concat(healthy, []tea.Msg{Told{crash(nodes(3), 1)}, history("n3 ready", "n2 ended: crashed (exit 1)", "n2 backing-off: crashed (exit 1); restart 3/5 in 8s")})
	parted := slices.Concat(healthy, []tea.Msg{Told{cutOff(nodes(3), 1)}, history("fgfcj: partition n2 | the rest, reset", "n1 lost n2", "n3 lost n2")})
	unsupervised := nodes(3)
	unsupervised.Supervised = false
	for i := range unsupervised.Nodes {
		unsupervised.Nodes[i].State, unsupervised.Nodes[i].Peers = orchestrator.Running, nil
	}
	lines := log("n1", "listening on 4000", "an error: \x1b[31mred\x1b[0m", "GET /\tok", "another error")
	manyParted := []tea.Msg{Told{nodes(50)}, measured(nodes(50)), history("ready: 50 nodes, every pair connected"), Told{crash(cutOff(nodes(50), 41), 6)}}
	small, large := func(m ...tea.Msg) Model { return start(&recorder{}, 80, 24, m...) }, func(m ...tea.Msg) Model { return start(&recorder{}, 140, 40, m...) }
	readOnly := small(healthy...)
	readOnly.readOnly = true
	lost := Lost{noon.Add(-5 * time.Second), errors.New("cluster demo: no supervisor any more")}
	return map[string]Model{
		"asking-80x24":          small(),
		"healthy-80x24":         small(healthy...),
		"healthy-140x40":        large(healthy...),
		"crashed-80x24":         press(small(crashed...), "j"),
		"crashed-140x40":        large(crashed...),
		"partition-80x24":       small(parted...),
		"partition-140x40":      large(parted...),
		"one-node-80x24":        small(Told{nodes(1)}, measured(nodes(1))),
		"fifty-80x24":           press(small(manyParted...), "end"),
		"fifty-140x40":          large(manyParted...),
		"fifty-matrix-80x24":    press(small(manyParted...), "m", "end"),
		"fifty-matrix-200x70":   press(start(&recorder{}, 200, 70, manyParted...), "m"),
		"unsupervised-80x24":    small(Told{unsupervised}),
		"lost-80x24":            small(slices.Concat(healthy, []tea.Msg{lost})...),
		"adopted-by-none-80x24": small(slices.Concat(healthy, []tea.Msg{lost, Told{unsupervised}})...),
		"log-80x24":             given(press(small(healthy...), "l"), lines),
		"log-filtered-80x24":    press(given(press(small(healthy...), "/"), lines), "e", "r", "r", "o", "r", "("),
		"keys-80x24":            press(small(healthy...), "?"),
		"question-80x24":        press(small(healthy...), "down", "K"),
		"refused-80x24":         press(start(&recorder{err: orchestrator.WithHint(orchestrator.ErrNoSupervisor, "%s", hint.Supervise.On("demo"))}, 80, 24, healthy...), "p"),
		"read-only-80x24":       press(readOnly, "K"),
		"events-80x24":          press(small(healthy...), "e"),
		"tiny-39x11":            start(&recorder{}, 39, 11, healthy...),
		"smallest-40x12":        start(&recorder{}, 40, 12, crashed...),
	}
}

// UPDATE=1 rewrites the screens in testdata.
func TestScreens(t *testing.T) {
	for name, m := range screens() {
		got := m.Screen() + "\n"
		file := filepath.Join("testdata", name+".txt")
		if os.Getenv("UPDATE") == "1" {
			if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
}

// A screen fills the terminal and no more, and colours say nothing that the text does not.
func TestScreensFitAndNeedNoColours(t *testing.T) {
	for name, m := range screens() {
		for _, size := range [][2]int{{m.width, m.height}, {80, 24}, {53, 15}, {97, 31}, {119, 20}, {250, 90}} {
			m.width, m.height, m.colors = size[0], size[1], false
			plain := m.Screen()
			m.colors = true
			coloured := m.Screen()
			if ansi.Strip(coloured) != plain {
				t.Errorf("%s %v: without its colours it is another screen:\n%s", name, size, cmp.Diff(plain, ansi.Strip(coloured)))
			}
			if coloured == plain && size[1] >= fewestLines && size[0] >= fewestColumns {
				t.Errorf("%s %v: no colours", name, size)
			}
			lines := strings.Split(plain, "\n")
			if len(lines) != size[1] && size[1] >= fewestLines && size[0] >= fewestColumns {
				t.Errorf("%s %v: %d lines", name, size, len(lines))
			}
			for _, l := range lines {
				if ansi.StringWidth(l) > size[0] {
					t.Errorf("%s %v: %d columns: %q", name, size, ansi.StringWidth(l), l)
				}
			}
		}
	}
}

// Text of others moves no cursor and takes no second line, wherever it stands.
func TestForeignTextIsOnlyText(t *testing.T) {
	const evil = "a\x1b[2J\x1b]0;t\x07\nb\u202e\tc\x9b"
	st := crash(nodes(3), 1)
	st.Nodes[0].Name, st.Nodes[0].URL, st.Nodes[0].State, st.Nodes[0].Reason = evil, "http://"+evil, orchestrator.Degraded, evil
	st.Nodes[1].Findings[0].Problem, st.Nodes[1].Findings[0].Solutions[0].Do = evil, hint.Text(evil)
	st.Faults = []fault.Fault{{ID: evil, Kind: fault.KindPartition, Groups: [][]string{{evil}}}}
	happened := history(evil)
	for _, m := range []Model{
		start(&recorder{}, 140, 40, Told{st}, happened),
		press(start(&recorder{err: errors.New(evil)}, 140, 40, Told{st}, happened), "p"),
		press(start(&recorder{}, 140, 40, Told{st}, happened), "K"),
		press(start(&recorder{}, 140, 40, Told{st}, happened), "m"),
		given(press(start(&recorder{}, 140, 40, Told{st}), "l"), log(evil, evil)),
		given(press(start(&recorder{}, 140, 40, Told{st}), "/"), tea.PasteMsg{Content: evil}),
		start(&recorder{}, 140, 40, Lost{noon, errors.New(evil)}),
	} {
		screen := m.Screen()
		if strings.ContainsAny(screen, "\x1b\x07\t\r\u202e\u009b") || strings.Count(screen, "\n") != 39 {
			t.Errorf("%q", screen)
		}
	}
}

// What ends a node's run asks once, and names the node; nothing else asks.
func TestActionsAsk(t *testing.T) {
	stopped := nodes(3)
	stopped.Nodes[0].State = orchestrator.Stopped
	paused := nodes(3)
	paused.Nodes[0].Paused = true
	for _, tc := range []struct {
		st   orchestrator.Status
		keys string
		want string
	}{
		{nodes(3), "K", ""},
		{nodes(3), "K K", "kill n1"},
		{nodes(3), "K enter", "kill n1"},
		{nodes(3), "K esc K", ""},
		{nodes(3), "K r", ""}, // another question
		{nodes(3), "K r r", "restart n1"},
		{nodes(3), "K j K", ""}, // of another node
		{nodes(3), "K j enter", ""},
		{nodes(3), "j K K", "kill n2"},
		{nodes(3), "s s", "stop n1"},
		{stopped, "s", "start n1"},
		{nodes(3), "p", "pause n1"},
		{paused, "p", "unpause n1"},
		{nodes(3), "h", "heal "},
		{nodes(3), "enter", ""},
		{orchestrator.Status{}, "K K", ""},
	} {
		r := &recorder{}
		press(start(r, 80, 24, Told{tc.st}), strings.Fields(tc.keys)...)
		if got := strings.Join(r.done, ", "); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.keys, got, tc.want)
		}
		r = &recorder{}
		m := start(r, 80, 24, Told{tc.st})
		m.readOnly = true
		if press(m, strings.Fields(tc.keys)...); len(r.done) > 0 {
			t.Errorf("%s, read-only: %v", tc.keys, r.done)
		}
	}
}

// A question that is forgotten kills nothing later.
func TestAQuestionExpires(t *testing.T) {
	r := &recorder{}
	m := press(start(r, 80, 24, Told{nodes(3)}), "K")
	m = given(m, Tick(noon.Add(askFor+time.Second)))
	if press(m, "enter"); len(r.done) > 0 {
		t.Error(r.done)
	}
}

// Keys belong to the expression while it is typed.
func TestTypingAFilterActsOnNothing(t *testing.T) {
	r := &recorder{}
	m := given(press(start(r, 80, 24, Told{nodes(3)}), "/"), log("n1", "one", "two", "three"))
	m = press(m, "K", "K", "backspace", "backspace", "T", ".", "*", "E", "enter")
	var shown []string
	for _, l := range m.shownLines() {
		shown = append(shown, l.Text)
	}
	if diff := cmp.Diff([]string{"three"}, shown); diff != "" || m.filter.typing {
		t.Error(diff)
	}
	if m = press(m, "esc"); len(m.shownLines()) != 3 || m.pane != logPane {
		t.Error("Esc does not clear the filter")
	}
	if m = press(m, "esc"); m.pane != overview {
		t.Error("Esc does not go back")
	}
	if diff := cmp.Diff([]string{"follow n1", "follow "}, r.done); diff != "" {
		t.Error(diff)
	}
}

// The log is that of the selected node, also after the selection moves and lines come late.
func TestTheLogFollowsTheSelection(t *testing.T) {
	r := &recorder{}
	m := press(start(r, 80, 24, Told{nodes(3)}), "l", "j")
	m = given(m, log("n1", "late"), log("n2", "in time"), Printed{Node: "n2", Lines: log("n2", "more").Lines})
	if len(m.lines) != 2 || m.lines[0].Text != "in time" {
		t.Errorf("%v", m.lines)
	}
	m = given(m, log("n2", "replayed"))
	if len(m.lines) != 1 {
		t.Errorf("a new connection repeats lines: %v", m.lines)
	}
	gone := nodes(3)
	gone.Nodes = gone.Nodes[2:]
	if m = given(m, Told{gone}); m.selected != "n3" || m.logOf != "n3" || len(m.lines) > 0 {
		t.Errorf("selected %s, log of %s: %v", m.selected, m.logOf, m.lines)
	}
}

// A supervisor that returns keeps what the earlier one reported, and nothing is there twice.
func TestEventsOfTwoSupervisors(t *testing.T) {
	m := start(&recorder{}, 80, 24, history("a", "b"), history("a", "b")) // the same one
	again := history("adopted")
	again.Events[0].Time = noon.Add(time.Minute)
	m = given(m, again, Happened{Events: history("c").Events})
	var texts []string
	for _, e := range m.events {
		texts = append(texts, e.Text)
	}
	if got := strings.Join(texts, " "); got != "a b adopted c" {
		t.Error(got)
	}
}

// Updates leave earlier states alone.
func TestModelsAreValues(t *testing.T) {
	m := start(&recorder{}, 80, 24, Told{nodes(3)}, history("a", "b", "c"))
	before := m.Screen()
	given(m, Happened{Events: history("x").Events})
	given(m, Happened{Events: history("y").Events})
	press(m, "j", "K")
	if m.Screen() != before {
		t.Error("the earlier state changed")
	}
}

// The whole cluster as one text, however many nodes it has.
func TestPageHasEverything(t *testing.T) {
	m := start(&recorder{}, 120, 10, Told{cutOff(nodes(30), 3)}, measured(nodes(30)), history("n4 is away"))
	page := m.page()
	for _, want := range []string{"\n  n1 ", "\n  n30 ", "http://127.0.0.1:4229", "fgfcj", "WHO SEES WHOM", "n4 is away", "29 cut by a fault"} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q in\n%s", want, page)
		}
	}
	if strings.Contains(page, "q quit") {
		t.Error("a page has no keys")
	}
}
