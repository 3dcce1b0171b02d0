package effects

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/health"
)

// Kernel is what a node's kernel is set to, as far as it matters to a fault.
type Kernel struct {
	Known       bool          // the node told; else it is what the spec says, and OTP's default
	Tick        time.Duration // net_ticktime
	Intensity   int64         // net_tickintensity
	AutoConnect string        // dist_auto_connect, if set: never, once
	Prevents    bool          // global prevents overlapping partitions
	Mnesia      []string      // the nodes that its Mnesia works with, itself included; nil if Mnesia does not run
}

// Kernels returns those of all nodes, from a health report: its zero value if there is none.
func Kernels(s orchestrator.Spec, report health.Report) map[string]Kernel {
	kernels := map[string]Kernel{}
	for _, n := range s.Nodes {
		k := Kernel{Tick: s.NetTick, Intensity: 4, Prevents: !s.Distribution.OverlappingPartitions}
		if k.Tick == 0 {
			k.Tick = time.Minute
		}
		i := slices.IndexFunc(report.Nodes, func(r health.NodeReport) bool { return r.Name == n.Name })
		if i >= 0 && report.Nodes[i].Sample != nil && report.Nodes[i].Sample.NetTick > 0 {
			sample := report.Nodes[i].Sample
			k = Kernel{
				Known: true, Tick: time.Duration(sample.NetTick) * time.Second, Intensity: max(sample.TickIntensity, 4),
				AutoConnect: sample.AutoConnect, Prevents: sample.PreventOverlapping,
			}
			if sample.Mnesia != nil {
				k.Mnesia = sample.Mnesia.Running
			}
		}
		kernels[n.Name] = k
	}
	return kernels
}

// oneTick is the time between two ticks.
func (k Kernel) oneTick() time.Duration { return k.Tick / time.Duration(k.Intensity) }

// Expectation is what the nodes are likely to make of a fault. It is empty for a fault that cuts
// nothing.
type Expectation struct {
	// Cut are the pairs that lose each other.
	Cut []Pair `json:"cut,omitempty"`
	// Down is when nodes take those that they are cut off from for down. Nodes of one kernel
	// share an entry.
	Down []Down `json:"down,omitempty"`
	// Innocent are pairs that the fault does not cut, and that global can disconnect: some of
	// them, or all.
	Innocent []Pair `json:"innocent,omitempty"`
	// Passing are more pairs that the fault does not cut, and that global can disconnect for a
	// moment while connections are closed one after the other.
	Passing []Pair `json:"passing,omitempty"`
	// Explicit are nodes that do not connect again by themselves, with their
	// dist_auto_connect: never, once.
	Explicit map[string]string `json:"explicit,omitempty"`
	// Mnesia are nodes whose Mnesia does not work together any more from nodedown on, also
	// after the heal.
	Mnesia []string `json:"mnesia,omitempty"`

	atOnce  bool          // connections are closed: no node waits for a tick
	lasts   time.Duration // 0: until it is healed
	meshApp bool
}

// Down is the time from the fault to nodedown.
type Down struct {
	Nodes     []string      `json:"nodes"`
	Earliest  time.Duration `json:"earliest"` // nanoseconds
	Latest    time.Duration `json:"latest"`   // nanoseconds
	Tick      time.Duration `json:"net_ticktime"`
	Intensity int64         `json:"net_tickintensity"`
	// Known means that the nodes told their settings; otherwise they are the spec's.
	Known bool `json:"known"`
}

// atOnce is how long nodes take to notice that connections were closed.
const atOnce = 2 * time.Second

// Expect predicts the effects of a fault on nodes with these kernels.
func Expect(f fault.Fault, s orchestrator.Spec, kernels map[string]Kernel) Expectation {
	e := Expectation{atOnce: f.How != fault.Drop && f.How != "", meshApp: s.Mesh != orchestrator.MeshBeamyard}
	if !f.End.IsZero() {
		e.lasts = f.End.Sub(f.Begin)
	}
	names := namesOf(s)
	cut := Cut(names, f)
	for i, a := range names {
		affected := false
		for j, b := range names {
			if _, isCut := cut[PairOf(a, b)]; isCut {
				affected = true
				if i < j {
					e.Cut = append(e.Cut, PairOf(a, b))
				}
				if slices.Contains(kernels[a].Mnesia, s.Names().Node(b)) && !slices.Contains(e.Mnesia, a) {
					e.Mnesia = append(e.Mnesia, a)
				}
			}
		}
		if affected {
			e.down(a, kernels[a])
		}
		if auto := kernels[a].AutoConnect; affected && (auto == "never" || auto == "once") {
			if e.Explicit == nil {
				e.Explicit = map[string]string{}
			}
			e.Explicit[a] = auto
		}
	}
	prevents := func(n string) bool { return kernels[n].Prevents }
	innocent, passing := Innocent(names, prevents, f), Passing(names, prevents, f)
	for i, a := range names {
		for _, b := range names[i+1:] {
			if _, ok := innocent[PairOf(a, b)]; ok {
				e.Innocent = append(e.Innocent, PairOf(a, b))
			}
			if _, ok := passing[PairOf(a, b)]; ok {
				e.Passing = append(e.Passing, PairOf(a, b))
			}
		}
	}
	return e
}

// down adds when a node notices.
func (e *Expectation) down(node string, k Kernel) {
	d := Down{Nodes: []string{node}, Earliest: k.Tick - k.oneTick(), Latest: k.Tick + k.oneTick(), Tick: k.Tick, Intensity: k.Intensity, Known: k.Known}
	if e.atOnce {
		d.Earliest, d.Latest = 0, atOnce
	}
	for i, known := range e.Down {
		if known.Tick == d.Tick && known.Intensity == d.Intensity && known.Known == d.Known {
			e.Down[i].Nodes = append(e.Down[i].Nodes, node)
			return
		}
	}
	e.Down = append(e.Down, d)
}

// Latest is the longest time that a node needs to notice.
func (e Expectation) Latest() time.Duration {
	latest := time.Duration(0)
	for _, d := range e.Down {
		latest = max(latest, d.Latest)
	}
	return latest
}

// Lines describes the expectation for people.
func (e Expectation) Lines() []string {
	var lines []string
	noticed := e.lasts == 0 || e.atOnce
	for _, d := range e.Down {
		noticed = noticed || d.Earliest < e.lasts
		nodes := joined(d.Nodes)
		switch {
		case e.atOnce:
			lines = append(lines, fmt.Sprintf("%s: nodedown at once, because connections are closed", nodes))
			continue
		case e.lasts > 0 && e.lasts <= d.Earliest:
			lines = append(lines, fmt.Sprintf("%s: no nodedown, because the silence ends before %s%s", nodes, short(d.Earliest), d.why()))
		default:
			lines = append(lines, fmt.Sprintf("%s: nodedown after %s to %s of silence%s", nodes, short(d.Earliest), short(d.Latest), d.why()))
		}
	}
	if !noticed {
		return lines
	}
	if len(e.Innocent) > 0 {
		lines = append(lines, fmt.Sprintf("%s: the fault does not cut them, but global disconnects some of them, or all, so that partitions do not overlap", pairsText(e.Innocent)))
	}
	if len(e.Passing) > 0 {
		lines = append(lines, fmt.Sprintf("%s: the fault does not cut them, but global can disconnect them for a moment, because connections are closed one after the other", pairsText(e.Passing)))
	}
	for _, setting := range []string{"never", "once"} {
		var nodes []string
		for _, n := range namesIn(e.Cut) {
			if e.Explicit[n] == setting {
				nodes = append(nodes, n)
			}
		}
		if len(nodes) == 0 {
			continue
		}
		then := "Beamyard connects them explicitly after the heal"
		if e.meshApp {
			then = "they stay apart until something calls net_kernel:connect_node/1"
		}
		lines = append(lines, fmt.Sprintf("%s: no connection is made again by itself, because dist_auto_connect is %s; %s", joined(nodes), setting, then))
	}
	if len(e.Mnesia) > 0 {
		lines = append(lines, fmt.Sprintf("%s: their Mnesia does not work together from nodedown on, also after the heal: it does not merge by itself", joined(e.Mnesia)))
	}
	return lines
}

// why says which settings the times come from.
func (d Down) why() string {
	if !d.Known {
		return fmt.Sprintf(" (net_ticktime %s, as declared)", short(d.Tick))
	}
	return fmt.Sprintf(" (net_ticktime %s, net_tickintensity %d)", short(d.Tick), d.Intensity)
}

func namesOf(s orchestrator.Spec) []string {
	names := make([]string, len(s.Nodes))
	for i, n := range s.Nodes {
		names[i] = n.Name
	}
	return names
}

// namesIn returns the nodes of pairs, each once.
func namesIn(pairs []Pair) []string {
	var names []string
	for _, p := range pairs {
		for _, n := range []string{p.A, p.B} {
			if !slices.Contains(names, n) {
				names = append(names, n)
			}
		}
	}
	return names
}

// manyShown is how many names or pairs a line has.
const manyShown = 8

func joined(names []string) string {
	if len(names) > manyShown {
		return strings.Join(names[:manyShown], ", ") + fmt.Sprintf(" and %d others", len(names)-manyShown)
	}
	return strings.Join(names, ", ")
}

func pairsText(pairs []Pair) string {
	texts := make([]string, len(pairs))
	for i, p := range pairs {
		texts[i] = p.String()
	}
	return joined(texts)
}

// short writes a duration without zeros: "1m", "7.5s".
func short(d time.Duration) string {
	text := d.Round(10 * time.Millisecond).String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	return text
}
