package browser

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/hint"
)

// world is a cluster that does what a test says, and tells the stub what a supervisor would.
type world struct {
	mu     sync.Mutex
	tell   func(kind string, payload any) // called with mu held
	status orchestrator.Status
	events []orchestrator.Event
	journ  []orchestrator.JournalEntry
	sample []sample
	lines  []orchestrator.Line
	seen   map[pair]seenAs // how a node sees another one, where that is not decided by states and faults
	cut    map[pair]string // the fault that cuts a pair
	since  map[pair]time.Time
	was    map[pair]cell
	seqs   map[string]uint64
	nextID int
	health *orchestrator.HealthReport
}

type pair struct{ from, to string }

type seenAs struct{ state, why string }

// cell and pairs are the message that the matrix is drawn from.
type cell struct {
	State string    `json:"state"`
	Since time.Time `json:"since,omitzero"`
	Why   string    `json:"why,omitempty"`
}

type pairs struct {
	Nodes []string `json:"nodes"`
	Cells [][]cell `json:"cells"`
}

type sample struct {
	Node        string    `json:"node"`
	Time        time.Time `json:"time"`
	Memory      int64     `json:"memory"`
	MemoryLimit int64     `json:"memory_limit"`
	RunQueue    int       `json:"run_queue"`
	Processes   int64     `json:"processes"`
	Atoms       int64     `json:"atoms"`
	AtomsLimit  int64     `json:"atoms_limit"`
}

// newWorld returns a cluster of n Ready nodes, which all started up ago.
func newWorld(name string, n int, up time.Duration) *world {
	w := &world{tell: func(string, any) {}, seen: map[pair]seenAs{}, since: map[pair]time.Time{}, was: map[pair]cell{}, seqs: map[string]uint64{}}
	began := time.Now().Add(-up)
	w.status = orchestrator.Status{
		Cluster: name, Supervised: true, Ready: true, Network: "beamyard-" + name, Image: "beamyard/demo:4f1d2c", App: "demo", Created: began,
		Subnet: netip.MustParsePrefix("10.213.72.64/26"),
	}
	for i := 1; i <= n; i++ {
		node := fmt.Sprintf("n%d", i)
		w.status.Nodes = append(w.status.Nodes, orchestrator.NodeStatus{
			Name: node, Node: "app@" + node + "." + name + ".test", Host: node + "." + name + ".test", State: orchestrator.Ready,
			URL: fmt.Sprintf("http://127.0.0.1:%d", 4199+i), HTTPPort: 4000, Serving: orchestrator.ServingOpen,
			Ports:     []orchestrator.PortStatus{{Container: 4000, HostIP: "127.0.0.1", Host: 4199 + i}},
			Container: "beamyard-" + name + "-" + node, IP: netip.AddrFrom4([4]byte{10, 213, 72, byte(65 + i)}),
			Incarnation: 1, StartedAt: began.Add(time.Duration(i) * 40 * time.Millisecond),
		})
	}
	for i, node := range w.status.Nodes {
		at := began.Add(time.Second + time.Duration(i)*70*time.Millisecond)
		w.events = append(w.events,
			orchestrator.Event{Time: began, Node: node.Name, Kind: orchestrator.EventState, State: orchestrator.Starting, Text: node.Name + " starting"},
			orchestrator.Event{Time: at, Node: node.Name, Kind: orchestrator.EventState, State: orchestrator.Ready, Text: node.Name + " ready"})
		for _, peer := range w.status.Nodes {
			w.since[pair{node.Name, peer.Name}] = at
		}
	}
	slices.SortStableFunc(w.events, func(a, b orchestrator.Event) int { return a.Time.Compare(b.Time) })
	return w
}

// samples gives each node five minutes of measurements that look like a node's.
func (w *world) samples() {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	for i, n := range w.status.Nodes {
		if !n.State.Running() {
			continue
		}
		for k := 60; k >= 0; k-- {
			at := now.Add(-time.Duration(k) * 5 * time.Second)
			if at.Before(n.StartedAt) {
				continue
			}
			wave := int64((k*7+i*13)%11) - 5
			w.sample = append(w.sample, sample{
				Node: n.Name, Time: at, Memory: (52+int64(i%5)*6+wave)<<20 + int64(60-k)<<16, MemoryLimit: 256 << 20,
				RunQueue: max(0, (k*5+i*3)%17-13), Processes: 92 + wave, Atoms: 18_300 + int64(60-k)*2, AtomsLimit: 1_048_576,
			})
		}
	}
	for _, s := range w.sample {
		w.tell("sample", s)
	}
}

func (w *world) node(name string) *orchestrator.NodeStatus {
	i := slices.IndexFunc(w.status.Nodes, func(n orchestrator.NodeStatus) bool { return n.Name == name })
	return &w.status.Nodes[i]
}

func (w *world) names() []string {
	var names []string
	for _, n := range w.status.Nodes {
		names = append(names, n.Name)
	}
	return names
}

// change does something to the cluster, and tells its new status and matrix.
func (w *world) change(do func(now time.Time)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	do(time.Now())
	w.cut = map[pair]string{}
	for _, f := range w.status.Faults {
		for _, p := range f.Cuts(w.names()) {
			w.cut[pair{p.From, p.To}], w.cut[pair{p.To, p.From}] = f.ID, f.ID
		}
	}
	w.judge()
	w.tell("status", w.status.Printed())
	w.tell("pairs", w.pairs())
}

// judge decides what follows: who is Degraded, and whether the cluster is Ready.
func (w *world) judge() {
	w.status.Ready = true
	for i := range w.status.Nodes {
		n := &w.status.Nodes[i]
		if n.State != orchestrator.Ready && n.State != orchestrator.Degraded {
			w.status.Ready = w.status.Ready && n.State == orchestrator.Completed
			continue
		}
		var cut, missing []string
		var id string
		for _, p := range w.status.Nodes {
			switch c := w.sees(n.Name, p.Name); c.State {
			case "cut":
				cut, id = append(cut, p.Name), strings.TrimPrefix(c.Why, "cut by ")
			case "missing", "collateral", "one-sided":
				missing = append(missing, p.Name)
			}
		}
		n.Cut = cut
		was, reason := n.State, ""
		switch {
		case n.Paused:
			n.State, reason = orchestrator.Degraded, "paused"
		case len(cut) > 0:
			n.State, reason = orchestrator.Degraded, "cut off from "+strings.Join(cut, " and ")+" by "+id
		case len(missing) > 0 && !slices.ContainsFunc(missing, func(p string) bool { return !w.node(p).State.Running() }):
			n.State, reason = orchestrator.Degraded, "not connected to "+strings.Join(missing, " and ")
		default:
			n.State = orchestrator.Ready
		}
		n.Reason = reason
		if n.State != was {
			w.state(n.Name, n.State, strings.TrimSpace(n.Name+" "+string(n.State)+": "+reason))
		}
		w.status.Ready = w.status.Ready && n.State == orchestrator.Ready
	}
}

// state tells an event about a node's state.
func (w *world) state(node string, s orchestrator.State, text string) {
	w.happened(orchestrator.Event{Node: node, Kind: orchestrator.EventState, State: s, Text: strings.TrimSuffix(text, ": ")})
}

func (w *world) happened(e orchestrator.Event) {
	e.Seq = uint64(len(w.events) + 1)
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	w.events = append(w.events, e)
	w.tell("happened", e.Printed())
}

func (w *world) journal(e orchestrator.JournalEntry) {
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	w.journ = append(w.journ, e)
	w.tell("journal", e)
}

func (w *world) asked(node, text string) {
	w.journal(orchestrator.JournalEntry{Source: orchestrator.FromUser, Node: node, Text: text})
}

// sees says how a node sees another one.
func (w *world) sees(from, to string) cell {
	a, b := w.node(from), w.node(to)
	c := cell{State: "connected"}
	if own, ok := w.seen[pair{from, to}]; ok {
		c = cell{State: own.state, Why: own.why}
	}
	if id := w.cut[pair{from, to}]; id != "" {
		c = cell{State: "cut", Why: "cut by " + id}
	}
	switch {
	case from == to:
		return cell{State: "self"}
	case !a.State.Running() || a.Paused || a.State == orchestrator.Starting:
		c = cell{State: "unknown", Why: from + " is " + string(a.State)}
	case !b.State.Running() || b.State == orchestrator.Starting:
		c = cell{State: "missing", Why: to + " is " + string(b.State)}
	}
	return c
}

func (w *world) pairs() pairs {
	p := pairs{Nodes: w.names()}
	now := time.Now()
	for _, a := range p.Nodes {
		var row []cell
		for _, b := range p.Nodes {
			k := pair{a, b}
			c := w.sees(a, b)
			if was, ok := w.was[k]; ok && was.State != c.State || !ok && c.State != "connected" {
				w.since[k] = now
			}
			w.was[k] = c
			if a != b {
				c.Since = w.since[k]
			}
			row = append(row, c)
		}
		p.Cells = append(p.Cells, row)
	}
	return p
}

// crash ends a node with SIGKILL: it backs off.
func (w *world) crash(name string) {
	w.change(func(now time.Time) {
		n := w.node(name)
		exit := orchestrator.Exit{Class: orchestrator.ExitKilled, Code: 137, At: now}
		n.State, n.StoppedAt, n.NextRestartAt, n.LastExit = orchestrator.BackingOff, now, now.Add(6*time.Second), &exit
		n.RestartCount++
		n.Restarts = "1/5"
		n.Reason = "killed (exit 137); restart 1/5 in 6s"
		w.happened(orchestrator.Event{Node: name, Kind: orchestrator.EventExit, Text: name + " ended: killed (exit 137)", Exit: &exit})
		w.state(name, orchestrator.BackingOff, name+" backing-off: "+n.Reason)
		w.peersSee(name, "nodedown", "connection_closed")
	})
}

func (w *world) peersSee(name, what, reason string) {
	for _, n := range w.status.Nodes {
		if n.Name != name && n.State.Running() {
			text := what + " " + name
			if reason != "" {
				text += " (" + reason + ")"
			}
			w.journal(orchestrator.JournalEntry{Source: orchestrator.FromNode, Node: n.Name, Peer: name, Text: text})
		}
	}
}

// ready brings a node up.
func (w *world) ready(name string) {
	w.change(func(now time.Time) {
		n := w.node(name)
		n.State, n.Reason, n.StartedAt, n.NextRestartAt, n.Findings, n.Restarts = orchestrator.Ready, "", now, time.Time{}, nil, ""
		n.Incarnation++
		w.state(name, orchestrator.Starting, name+" starting")
		w.state(name, orchestrator.Ready, name+" ready")
		w.peersSee(name, "nodeup", "")
	})
}

// fails ends a node for good, with the finding that explains it.
func (w *world) fails(name string) {
	w.change(func(now time.Time) {
		n := w.node(name)
		line := "** (Mix) Could not start application shop: Shop.Application.start(:normal, []) returned an error: … :eaddrinuse"
		exit := orchestrator.Exit{Class: orchestrator.ExitBoot, Code: 1, Reason: line, At: now}
		n.State, n.StoppedAt, n.LastExit = orchestrator.Failed, now, &exit
		n.Reason = "boot (exit 1): " + line + "; not restarted: it failed to boot twice with the same message"
		n.Findings = []orchestrator.Finding{{
			Code: "port-in-use", Node: name, Problem: "the application of " + name + " cannot listen on port 9100: another process in its container uses it already",
			Evidence:  "[error] Failed to start Ranch listener Shop.HTTP in ranch_tcp:listen([{port,9100}]) for reason :eaddrinuse (address already in use)",
			Solutions: []orchestrator.Solution{{Text: hint.Text("give it another port, and start it"), Do: hint.Text("beamyard up ./shop --env PORT=9101")}, {Text: hint.Text("read what it printed"), Do: hint.Text("beamyard logs -c " + w.status.Cluster + " " + name)}},
		}}
		w.happened(orchestrator.Event{Node: name, Kind: orchestrator.EventExit, Text: name + " ended: boot (exit 1)", Exit: &exit})
		w.state(name, orchestrator.Failed, name+" failed: "+n.Reason)
		w.happened(orchestrator.Event{Node: name, Kind: orchestrator.EventFinding, Text: n.Findings[0].Problem, Finding: &n.Findings[0]})
		w.peersSee(name, "nodedown", "connection_closed")
	})
}

// stop stops a node on request.
func (w *world) stop(name string) {
	w.change(func(now time.Time) {
		n := w.node(name)
		n.State, n.StoppedAt, n.Reason = orchestrator.Stopped, now, "stopped (exit 0)"
		w.state(name, orchestrator.Stopped, name+" stopped")
		w.peersSee(name, "nodedown", "connection_closed")
	})
}

// pause freezes a node, or lets it go on.
func (w *world) pause(name string, on bool) {
	w.change(func(time.Time) { w.node(name).Paused = on })
}

// inject brings a fault into force.
func (w *world) inject(f fault.Fault) fault.Fault {
	w.change(func(now time.Time) {
		w.nextID++
		f.ID, f.Begin = fmt.Sprintf("f%dpl2d", w.nextID), now
		w.status.Faults = append(w.status.Faults, f)
		w.journal(orchestrator.JournalEntry{Source: orchestrator.FromFault, Text: f.ID + ": " + f.String()})
		w.happened(orchestrator.Event{Kind: orchestrator.EventFault, Text: f.ID + ": " + f.String()})
		for _, p := range f.Cuts(w.names()) {
			w.journal(orchestrator.JournalEntry{Source: orchestrator.FromNode, Node: p.From, Peer: p.To, Text: "nodedown " + p.To + " (net_tick_timeout)"})
		}
	})
	return f
}

// heal ends faults; without an ID all.
func (w *world) heal(ids ...string) {
	w.change(func(time.Time) {
		w.status.Faults = slices.DeleteFunc(slices.Clone(w.status.Faults), func(f fault.Fault) bool {
			if len(ids) > 0 && !slices.Contains(ids, f.ID) {
				return false
			}
			w.journal(orchestrator.JournalEntry{Source: orchestrator.FromFault, Text: f.ID + " is healed"})
			w.happened(orchestrator.Event{Kind: orchestrator.EventFault, Text: f.ID + " is healed"})
			for _, p := range f.Cuts(w.names()) {
				w.journal(orchestrator.JournalEntry{Source: orchestrator.FromNode, Node: p.From, Peer: p.To, Text: "nodeup " + p.To})
			}
			return true
		})
	})
}

// says makes a node print lines.
func (w *world) says(node string, stream orchestrator.Stream, texts ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var batch []orchestrator.Line
	for _, text := range texts {
		w.seqs[node]++
		batch = append(batch, orchestrator.Line{Node: node, Stream: stream, Seq: w.seqs[node], Run: 1, Time: time.Now(), Text: text})
	}
	w.print(batch)
}

// print tells lines, with mu held.
func (w *world) print(batch []orchestrator.Line) {
	w.lines = append(w.lines, batch...)
	w.tell("lines", batch)
}

// drops marks a gap.
func (w *world) drops(node string, n uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.print([]orchestrator.Line{{Node: node, Stream: orchestrator.StreamSystem, Time: time.Now(), Dropped: n, Text: fmt.Sprintf("%d lines dropped", n)}})
}

// past moves what happened so far back in time, so that a screenshot shows a history.
func (w *world) past(by time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.events {
		w.events[i].Time = w.events[i].Time.Add(-by)
	}
	for i := range w.journ {
		w.journ[i].Time = w.journ[i].Time.Add(-by)
	}
	for i := range w.lines {
		w.lines[i].Time = w.lines[i].Time.Add(-by)
	}
	for k, at := range w.since {
		w.since[k] = at.Add(-by)
	}
	for i := range w.status.Faults {
		w.status.Faults[i].Begin = w.status.Faults[i].Begin.Add(-by)
	}
	w.status.Created = w.status.Created.Add(-by)
	for i := range w.status.Nodes {
		n := &w.status.Nodes[i]
		for _, at := range []*time.Time{&n.StartedAt, &n.StoppedAt, &n.NextRestartAt} {
			if !at.IsZero() {
				*at = at.Add(-by)
			}
		}
	}
}
