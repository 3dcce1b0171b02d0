package fault

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// Node is one node of a cluster, with its addresses in all networks that it is part of.
type Node struct {
	Name  string
	Addrs []netip.Addr
	Stale netip.Addr // an address at which nothing is, for stale answers
}

// Kind says what a fault does.
type Kind string

// The kinds of faults.
const (
	KindPartition Kind = "partition" // groups of nodes do not reach each other
	KindCut       Kind = "cut"       // nodes do not reach certain others
	KindLink      Kind = "link"      // packets are lost, delayed or limited on their way
	KindDNS       Kind = "dns"       // nodes resolve the names of their peers wrongly
	KindClock     Kind = "clock"     // nodes' wall clocks are wrong
	KindSqueeze   Kind = "squeeze"   // nodes have little memory, processor time or disk space
)

// How says what happens to packets that are cut.
type How string

// The ways to cut.
const (
	Drop  How = "drop"  // silence: senders wait
	Reset How = "reset" // refusal: senders get an error at once, and connections are reset
	// Disconnect leaves the network as it is: the VMs drop their distribution connections, and
	// refuse new ones. It needs no privilege. [Plan] has no rules for it: the
	// supervisor does it.
	Disconnect How = "disconnect"
)

// Everyone in a [Pair] of a link fault stands for all nodes, and for everything outside
// the cluster as far as the one named node can act on it.
const Everyone = "*"

// Pair is one direction between two nodes.
type Pair struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// Fault is one fault, as it is stored and shown.
type Fault struct {
	ID   string `json:"id"`
	Kind Kind   `json:"kind"`

	// Groups of a partition. Nodes that are in none of them form one more group.
	Groups [][]string `json:"groups,omitempty"`

	// Pairs that a cut or a link fault affects.
	Pairs []Pair `json:"pairs,omitempty"`

	// How a partition or a cut treats packets; [Drop] by default.
	How How `json:"how,omitempty"`

	// Hard cuts the named nodes off from everything outside the cluster too: from the
	// host, and so from Beamyard, and from other containers.
	Hard bool `json:"hard,omitempty"`

	// Quality of the links of a link fault.
	Quality Quality `json:"quality,omitzero"`

	// Nodes that a DNS, clock or squeeze fault affects.
	Nodes []string `json:"nodes,omitempty"`

	// DNS is how the nodes of a DNS fault resolve names.
	DNS DNS `json:"dns,omitzero"`

	// Clock is what the clocks of a clock fault show.
	Clock Clock `json:"clock,omitzero"`

	// Limits of the nodes of a squeeze.
	Limits Limits `json:"limits,omitzero"`

	// Begin is when the fault comes into force.
	Begin time.Time `json:"begin,omitzero"`

	// End is when the fault ends by itself. Zero: never.
	End time.Time `json:"end,omitzero"`
}

// Quality is what a link does to packets.
type Quality struct {
	Loss float64 `json:"loss,omitempty"` // percent
	Shaping
}

// Shaping is what happens to packets as they leave. The percentages apply to each packet.
//
// Kernels since 6.16 refuse Duplicate on an interface that does anything else than a rate
// to other packets. Heal what was there before.
type Shaping struct {
	Rate      uint64        `json:"rate,omitempty"` // bits per second
	Latency   time.Duration `json:"latency,omitempty"`
	Jitter    time.Duration `json:"jitter,omitempty"` // latency varies by as much, both ways
	Duplicate float64       `json:"duplicate,omitempty"`
	Corrupt   float64       `json:"corrupt,omitempty"` // one bit is flipped
	Reorder   float64       `json:"reorder,omitempty"` // sent at once, before those that wait
}

// Limits of a [Shaping]: what the kernel's queues can count.
const (
	MinRate    = 1_000          // bits per second
	MaxRate    = 32_000_000_000 // bits per second
	MaxLatency = 2 * time.Minute
)

// Validate reports what is wrong with a fault in a cluster of these nodes.
func (f Fault) Validate(names []string) error {
	for i, name := range f.names() {
		if name == Everyone && f.Kind == KindLink {
			continue
		}
		if !slices.Contains(names, name) {
			return fmt.Errorf("unknown node %q", name)
		}
		if f.Kind == KindPartition && slices.Contains(f.names()[:i], name) {
			return fmt.Errorf("node %q is named twice", name)
		}
	}
	for i, p := range f.Pairs {
		if p.From == p.To && p.From != Everyone {
			return fmt.Errorf("%s:%s: a link needs two nodes", p.From, p.To)
		}
		if slices.Contains(f.Pairs[:i], p) {
			return fmt.Errorf("%s:%s is named twice", p.From, p.To)
		}
	}
	if !f.End.IsZero() && !f.End.After(f.Begin) {
		return errors.New("the fault ends before it begins")
	}
	switch f.Kind {
	case KindPartition, KindCut:
		return f.validateCut(names)
	case KindLink:
		return f.validateLink()
	case KindDNS, KindClock, KindSqueeze:
		return f.validateNodes()
	}
	return fmt.Errorf("unknown kind of fault %q", f.Kind)
}

func (f Fault) validateCut(names []string) error {
	switch {
	case f.How != "" && f.How != Drop && f.How != Reset && f.How != Disconnect:
		return fmt.Errorf("unknown way to cut %q: use %s, %s or %s", f.How, Drop, Reset, Disconnect)
	case f.How == Disconnect && f.Hard:
		return errors.New("a disconnect does not cut off the host: the network stays as it is")
	case f.Quality != Quality{}:
		return fmt.Errorf("a %s has no quality of links", f.Kind)
	case f.Kind == KindCut && len(f.Groups) > 0, f.Kind == KindPartition && len(f.Pairs) > 0:
		return fmt.Errorf("a %s has groups or pairs of the other kind", f.Kind)
	case len(f.Cuts(names)) == 0 && !f.Hard:
		return errors.New("nothing is cut: the nodes still reach each other")
	}
	return nil
}

func (f Fault) validateLink() error {
	q := f.Quality
	for _, p := range []float64{q.Loss, q.Duplicate, q.Corrupt, q.Reorder} {
		if !(p >= 0 && p <= 100) { // NaN too
			return fmt.Errorf("%v %%: must be from 0 to 100", p)
		}
	}
	switch {
	case f.How != "" || f.Hard || len(f.Groups) > 0:
		return errors.New("a link fault cuts nothing")
	case len(f.Pairs) == 0:
		return errors.New("a link fault needs a pair of nodes")
	case q == Quality{}:
		return errors.New("the links stay as they are")
	case q.Rate != 0 && (q.Rate < MinRate || q.Rate > MaxRate):
		return fmt.Errorf("rate %d bit/s: must be from %d to %d", q.Rate, uint64(MinRate), uint64(MaxRate))
	case q.Latency < 0 || q.Jitter < 0 || q.Latency+q.Jitter > MaxLatency:
		return fmt.Errorf("latency %v, jitter %v: must be from 0 to %v together", q.Latency, q.Jitter, MaxLatency)
	case q.Latency == 0 && (q.Jitter > 0 || q.Reorder > 0):
		return errors.New("jitter and reorder need a latency")
	}
	return nil
}

// Cuts returns the directions between these nodes that a fault cuts, sorted.
func (f Fault) Cuts(names []string) []Pair {
	cut := func(p Pair) bool { return slices.Contains(f.Pairs, p) }
	switch f.Kind {
	case KindPartition:
		cut = func(p Pair) bool { return f.group(p.From) != f.group(p.To) }
	case KindCut:
	case KindLink, KindDNS, KindClock, KindSqueeze:
		return nil
	}
	var cuts []Pair
	for _, from := range slices.Sorted(slices.Values(names)) {
		for _, to := range slices.Sorted(slices.Values(names)) {
			if p := (Pair{from, to}); from != to && cut(p) {
				cuts = append(cuts, p)
			}
		}
	}
	return cuts
}

// group returns the number of a node's group, which is -1 for nodes that are in none.
func (f Fault) group(name string) int {
	return slices.IndexFunc(f.Groups, func(g []string) bool { return slices.Contains(g, name) })
}

// names returns the nodes that a fault names, in its order. Nodes of pairs can be in it
// more than once.
func (f Fault) names() []string {
	names := slices.Concat(f.Groups...)
	for _, p := range f.Pairs {
		names = append(names, p.From, p.To)
	}
	return slices.Concat(names, f.Nodes, f.DNS.Peers)
}

// end is when a fault ends, in the precision of the kernel's timers.
func (f Fault) end() time.Time { return f.End.UTC().Truncate(time.Millisecond) }

// InForce reports whether a fault has begun and has not ended.
func (f Fault) InForce(now time.Time) bool {
	return !f.Begin.After(now) && (f.End.IsZero() || f.end().After(now))
}
