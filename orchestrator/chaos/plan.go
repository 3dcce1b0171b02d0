package chaos

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
)

// Options say what a schedule is made of. The zero value works.
type Options struct {
	// Seed of the random choices.
	Seed uint64
	// For is how long faults come. Default 1m.
	For time.Duration
	// Every is the time from one fault to the next; each begins up to a fifth of it later.
	// Default 10s.
	Every time.Duration
	// Kinds of faults, which come equally often. Default [DefaultKinds].
	Kinds []Kind
	// AfterHeal, if not 0, adds a second fault that long after the end of each, while the
	// nodes recover. A fault of the network has ended when [Actor].Heal returns, about 100 ms
	// after its rules are gone.
	AfterHeal time.Duration
	// Kills is how often each node may be killed within Window. Default 5; negative: never.
	Kills int
	// Window of Kills. Default 10m.
	Window time.Duration
}

// DefaultFor and DefaultEvery are defaults of [Options].
const (
	DefaultFor   = time.Minute
	DefaultEvery = 10 * time.Second
)

func (o Options) withDefaults() Options {
	o.For, o.Every = cmp.Or(max(0, o.For), DefaultFor), cmp.Or(max(0, o.Every), DefaultEvery)
	o.Kills, o.Window = cmp.Or(o.Kills, 5), cmp.Or(o.Window, 10*time.Minute)
	if len(o.Kinds) == 0 {
		o.Kinds = DefaultKinds
	}
	return o
}

// PolicyOf returns Kills and Window of [Options] for a cluster. A node that is not restarted is
// started by the step that killed it, and may be killed without limit, unless its failure stops
// the cluster.
func PolicyOf(s orchestrator.Spec) (kills int, window time.Duration) {
	p := s.Defaulted().Restart
	switch stops := s.OnFailed == orchestrator.FailedStopCluster; {
	case p.Mode == orchestrator.RestartNo && stops, p.Max <= 0 && stops:
		return -1, p.Window
	case p.Mode == orchestrator.RestartNo, p.Max <= 0:
		return unlimited, p.Window
	}
	return p.Max, p.Window
}

const unlimited = 1 << 30

// Plan returns the schedule for a cluster of these nodes. It is pure: the same options and nodes
// give the same schedule. Kinds come in a random order, each once before any comes again. What a
// cluster is too small for is left out, and so is a kill for which no node has budget left: see
// [Options].Kills.
func Plan(o Options, nodes []string) Schedule {
	o = o.withDefaults()
	p := &planner{Options: o, nodes: nodes, random: rand.New(rand.NewPCG(o.Seed, 0)), kills: map[string][]time.Duration{}}
	s := Schedule{Seed: o.Seed, For: o.For, Every: o.Every, Nodes: nodes, Steps: []Step{}}
	for slot := time.Duration(0); ; slot += o.Every {
		longest := 3 * o.Every / 5
		if o.AfterHeal > 0 {
			longest = 3 * o.Every / 10
		}
		at := slot + p.between(0, o.Every/5)
		step, ok := p.step(at, longest)
		if ok && at+step.Lasts > o.For || !ok && at > o.For {
			return s
		}
		if !ok {
			continue
		}
		s.Steps = append(s.Steps, step)
		if o.AfterHeal == 0 {
			continue
		}
		at += step.Lasts + o.AfterHeal
		if second, ok := p.step(at, longest); ok && at+second.Lasts <= o.For {
			second.After = o.AfterHeal
			s.Steps = append(s.Steps, second)
		}
	}
}

// planner makes one schedule.
type planner struct {
	Options
	nodes  []string
	random *rand.Rand
	bag    []Kind // that come before any comes again
	kills  map[string][]time.Duration
}

// between returns a random time, in tenths of a second if it is long enough.
func (p *planner) between(low, high time.Duration) time.Duration {
	if high <= low {
		return low
	}
	d := low + time.Duration(p.random.Int64N(int64(high-low)))
	if high < time.Second {
		return d.Round(time.Millisecond)
	}
	return d.Round(100 * time.Millisecond)
}

// step returns the step of a time, which lasts no longer than longest. It returns false if there
// is none that is possible.
func (p *planner) step(at, longest time.Duration) (Step, bool) {
	lasts := p.between(longest/3, longest)
	for range 2 * len(p.Kinds) {
		if len(p.bag) == 0 {
			p.bag = slices.Clone(p.Kinds)
			p.random.Shuffle(len(p.bag), func(i, j int) { p.bag[i], p.bag[j] = p.bag[j], p.bag[i] })
		}
		kind := p.bag[0]
		p.bag = p.bag[1:]
		step := Step{At: at, Kind: kind, Lasts: lasts}
		if p.aim(&step) {
			if !kind.lasts() {
				step.Lasts = 0
			}
			return step, true
		}
	}
	return Step{}, false
}

// aim chooses what a step acts on. It returns false if there is nothing.
func (p *planner) aim(s *Step) bool {
	if !s.Kind.onNodes() && len(p.nodes) < 2 {
		return false
	}
	switch s.Kind {
	case Kill:
		s.Nodes = p.some(slices.DeleteFunc(slices.Clone(p.nodes), func(n string) bool { return p.spent(n, s.At) }))
		for _, n := range s.Nodes {
			p.kills[n] = append(p.kills[n], s.At)
		}
		return len(s.Nodes) > 0
	case Stop, Pause:
		s.Nodes = p.some(p.nodes)
	case Partition:
		s.Fault = p.partition()
		s.Fault.How = []fault.How{fault.Drop, fault.Reset}[p.random.IntN(2)]
	case OneWay:
		two := p.random.Perm(len(p.nodes))
		s.Fault = fault.OneWay(fault.Pair{From: p.nodes[two[0]], To: p.nodes[two[1]]})
		s.Fault.How = fault.Drop
	case Blip:
		s.Fault = fault.Isolate(p.nodes...)
		if p.random.IntN(2) == 0 {
			s.Fault = fault.Random(p.nodes, p.random.Uint64())
		}
	case Loss:
		s.Fault = p.link(fault.Quality{Loss: float64(5 * (1 + p.random.IntN(6)))})
	case Rate:
		s.Fault = p.link(fault.Quality{Shaping: fault.Shaping{Rate: 100_000 * uint64(1+p.random.IntN(10))}})
	}
	return true
}

// spent reports whether one more kill at this time is more than a node's budget.
func (p *planner) spent(node string, at time.Duration) bool {
	recent := 0
	for _, t := range p.kills[node] {
		if at-t < p.Window {
			recent++
		}
	}
	return recent >= p.Kills
}

// some returns at least one of these nodes, and no more than a minority of the cluster.
func (p *planner) some(from []string) []string {
	most := min(max(1, (len(p.nodes)-1)/2), len(from))
	if most == 0 {
		return nil
	}
	chosen := p.random.Perm(len(from))[:1+p.random.IntN(most)]
	slices.Sort(chosen)
	var nodes []string
	for _, i := range chosen {
		nodes = append(nodes, from[i])
	}
	return nodes
}

// partition returns one of the shapes that the cluster is large enough for.
func (p *planner) partition() fault.Fault {
	shapes := []func() fault.Fault{
		func() fault.Fault { return fault.Random(p.nodes, p.random.Uint64()) },
		func() fault.Fault { return fault.Isolate(p.nodes...) },
	}
	if len(p.nodes) >= 3 {
		shapes = append(shapes,
			func() fault.Fault { return fault.Minority(p.nodes, p.random.Uint64()) },
			func() fault.Fault { return fault.Bridge(p.nodes, p.nodes[p.random.IntN(len(p.nodes))]) })
	}
	if len(p.nodes) >= 4 {
		shapes = append(shapes, func() fault.Fault { return fault.Ring(p.nodes) })
	}
	return shapes[p.random.IntN(len(shapes))]()
}

// link returns a fault of all links of a random node.
func (p *planner) link(q fault.Quality) fault.Fault {
	node := p.nodes[p.random.IntN(len(p.nodes))]
	return fault.Link(q, fault.Pair{From: node, To: fault.Everyone}, fault.Pair{From: fault.Everyone, To: node})
}
