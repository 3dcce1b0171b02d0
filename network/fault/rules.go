package fault

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Direction is that of packets, as the node sees it that has the rule.
type Direction string

// The directions.
const (
	In  Direction = "in"
	Out Direction = "out"
)

// Rules are everything that the kernel of one node has to do. They are in canonical form,
// sorted and without duplicates, as [Plan] and [Read] return them. Zero rules do nothing.
//
// Each rule ends by itself at its time Until. The zero time never comes.
type Rules struct {
	Cuts   []Cut   `json:"cuts,omitempty"`
	Losses []Loss  `json:"losses,omitempty"`
	Shapes []Shape `json:"shapes,omitempty"`

	// Resolver says who answers DNS queries.
	Resolver Resolver `json:"resolver,omitzero"`

	// Cluster has the addresses of all nodes if there is a cut without a peer.
	Cluster []netip.Addr `json:"cluster,omitempty"`
}

// Resolver says who answers the queries that a node sends to the engine's DNS server.
type Resolver struct {
	Ours  bool      `json:"ours"` // [Resolve], in the same network namespace
	Until time.Time `json:"until,omitzero"`
}

// Cut keeps away all packets of one direction.
type Cut struct {
	Peer      netip.Addr `json:"peer,omitzero"` // none: every address that is not in Cluster
	Direction Direction  `json:"direction"`
	How       How        `json:"how"`
	Until     time.Time  `json:"until,omitzero"`
}

// Loss drops incoming packets by chance. Each loss of a peer does so on its own.
type Loss struct {
	Peer    netip.Addr `json:"peer,omitzero"` // none: every address
	Percent float64    `json:"percent"`       // four decimals
	Until   time.Time  `json:"until,omitzero"`
}

// Shape shapes outgoing packets. Of the shapes that apply to a packet, one with the peer
// wins over one without, and then the one that ends first.
type Shape struct {
	Peer netip.Addr `json:"peer,omitzero"` // none: every address
	Shaping
	Until time.Time `json:"until,omitzero"`
}

// Empty reports whether there is nothing to do.
func (r Rules) Empty() bool {
	return len(r.Cuts)+len(r.Losses)+len(r.Shapes) == 0 && !r.Resolver.Ours
}

// Live leaves out rules that have ended.
func (r Rules) Live(now time.Time) Rules {
	ended := func(until time.Time) bool { return !until.IsZero() && !until.After(now) }
	live := Rules{
		Cuts:   slices.DeleteFunc(slices.Clone(r.Cuts), func(c Cut) bool { return ended(c.Until) }),
		Losses: slices.DeleteFunc(slices.Clone(r.Losses), func(l Loss) bool { return ended(l.Until) }),
		Shapes: slices.DeleteFunc(slices.Clone(r.Shapes), func(s Shape) bool { return ended(s.Until) }),
	}
	if !ended(r.Resolver.Until) {
		live.Resolver = r.Resolver
	}
	live.sort(r.Cluster)
	return live
}

// sort makes the canonical form, and adds the cluster if there is a cut that needs it.
func (r *Rules) sort(cluster []netip.Addr) {
	slices.SortFunc(r.Cuts, func(a, b Cut) int {
		return cmp.Or(a.Peer.Compare(b.Peer), cmp.Compare(a.Direction, b.Direction), cmp.Compare(a.How, b.How))
	})
	slices.SortFunc(r.Losses, func(a, b Loss) int {
		return cmp.Or(a.Peer.Compare(b.Peer), compareEnds(a.Until, b.Until), cmp.Compare(a.Percent, b.Percent))
	})
	slices.SortFunc(r.Shapes, func(a, b Shape) int {
		return cmp.Or(a.Peer.Compare(b.Peer), compareEnds(a.Until, b.Until))
	})
	if slices.ContainsFunc(r.Cuts, func(c Cut) bool { return !c.Peer.IsValid() }) {
		r.Cluster = slices.Compact(slices.SortedFunc(slices.Values(cluster), netip.Addr.Compare))
	}
}

// compareEnds compares times of which the zero one never comes.
func compareEnds(a, b time.Time) int {
	if a.IsZero() || b.IsZero() {
		return b.Compare(a)
	}
	return a.Compare(b)
}

// String returns the canonical form as text, one rule a line. Rules that do the same have
// the same text.
func (r Rules) String() string {
	var lines []string
	add := func(until time.Time, words ...string) {
		if !until.IsZero() {
			words = append(words, "until", until.UTC().Format(time.RFC3339Nano))
		}
		lines = append(lines, strings.Join(words, " ")+"\n")
	}
	for _, c := range r.Cuts {
		add(c.Until, "cut", string(c.Direction), named(c.Peer, "outside"), string(c.How))
	}
	for _, l := range r.Losses {
		add(l.Until, "loss", string(In), named(l.Peer, "everyone"), percent(l.Percent))
	}
	for _, s := range r.Shapes {
		add(s.Until, "shape", string(Out), named(s.Peer, "everyone"), s.String())
	}
	if r.Resolver.Ours {
		add(r.Resolver.Until, "resolver", "ours")
	}
	if len(r.Cluster) > 0 {
		words := []string{"cluster"}
		for _, a := range r.Cluster {
			words = append(words, a.String())
		}
		add(time.Time{}, words...)
	}
	return strings.Join(lines, "")
}

func named(peer netip.Addr, none string) string {
	if !peer.IsValid() {
		return none
	}
	return peer.String()
}

func percent(p float64) string { return strconv.FormatFloat(p, 'f', -1, 64) + "%" }

// String names what is not zero.
func (s Shaping) String() string {
	var words []string
	if s.Rate > 0 {
		words = append(words, "rate", strconv.FormatUint(s.Rate, 10)+"bit/s")
	}
	for _, f := range []struct {
		name  string
		value time.Duration
	}{{"latency", s.Latency}, {"jitter", s.Jitter}} {
		if f.value > 0 {
			words = append(words, f.name, f.value.String())
		}
	}
	for _, f := range []struct {
		name  string
		value float64
	}{{"duplicate", s.Duplicate}, {"corrupt", s.Corrupt}, {"reorder", s.Reorder}} {
		if f.value > 0 {
			words = append(words, f.name, percent(f.value))
		}
	}
	return strings.Join(words, " ")
}

// String names what is not zero.
func (q Quality) String() string {
	if q.Loss == 0 {
		return q.Shaping.String()
	}
	return strings.TrimSpace("loss " + percent(q.Loss) + " " + q.Shaping.String())
}
