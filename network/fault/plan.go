package fault

import (
	"cmp"
	"math"
	"net/netip"
	"slices"
	"time"
)

// Plan returns the rules that each node needs for all faults that are in force. Nodes that
// are in no fault have empty rules. Names that are not nodes are left out: a node can have
// been removed since.
//
// A fault that begins later needs another Plan then, and so does a node that has restarted:
// the kernel forgets rules with the network namespace. One that ends needs none.
//
// Both ends of a cut carry it, so that it holds while one of them restarts. A loss is at
// the end that receives, where it looks to both as on a real line, and a shape at the end
// that sends. How faults combine that overlap:
//
//   - A cut lasts until the last of the faults ends. [Drop] wins over [Reset] while it lasts.
//   - Losses are independent: two of 10 % are one of 19 %. So are the other percentages.
//   - The lowest rate wins. Latencies add, and so do jitters, up to [MaxLatency].
//
// The order of nodes and faults does not matter.
func Plan(nodes []Node, faults []Fault, now time.Time) map[string]Rules {
	var names []string
	var cluster []netip.Addr
	addrs, drafts := map[string][]netip.Addr{}, map[string]*Rules{}
	for _, n := range nodes {
		names = append(names, n.Name)
		cluster = append(cluster, n.Addrs...)
		addrs[n.Name] = n.Addrs
		drafts[n.Name] = &Rules{}
	}
	for _, f := range faults {
		if !f.InForce(now) {
			continue
		}
		for _, p := range f.Cuts(names) {
			if f.How == Disconnect {
				break // the VMs do it
			}
			drafts[p.From].cut(addrs[p.To], Out, f)
			drafts[p.To].cut(addrs[p.From], In, f)
		}
		for _, name := range f.names() {
			if d := drafts[name]; d != nil && f.Hard {
				d.cut(anyone, In, f)
				d.cut(anyone, Out, f)
			}
		}
		if f.Kind == KindLink {
			planLinks(f, names, addrs, drafts)
		}
		for _, name := range f.Nodes {
			if d := drafts[name]; d != nil && f.Kind == KindDNS && (!d.Resolver.Ours || compareEnds(d.Resolver.Until, f.end()) < 0) {
				d.Resolver = Resolver{true, f.end()}
			}
		}
	}
	plan := map[string]Rules{}
	for name, d := range drafts {
		plan[name] = d.combine(cluster)
	}
	return plan
}

// anyone is the peer of rules that are not about a certain peer.
var anyone = []netip.Addr{{}}

func (r *Rules) cut(peers []netip.Addr, direction Direction, f Fault) {
	for _, peer := range peers {
		r.Cuts = append(r.Cuts, Cut{peer, direction, cmp.Or(f.How, Drop), f.end()})
	}
}

func planLinks(f Fault, names []string, addrs map[string][]netip.Addr, drafts map[string]*Rules) {
	// The nodes that act at one end of a pair, and the peers at its other end.
	actors := func(name string) []string {
		if name == Everyone {
			return names
		}
		return slices.DeleteFunc([]string{name}, func(n string) bool { return drafts[n] == nil })
	}
	peers := func(name string) []netip.Addr {
		if name == Everyone {
			return anyone
		}
		return addrs[name]
	}
	for _, p := range f.Pairs {
		for _, sender := range actors(p.From) {
			for _, peer := range peers(p.To) {
				if sender != p.To && f.Quality.Shaping != (Shaping{}) {
					drafts[sender].Shapes = append(drafts[sender].Shapes, Shape{peer, f.Quality.Shaping, f.end()})
				}
			}
		}
		for _, receiver := range actors(p.To) {
			for _, peer := range peers(p.From) {
				if receiver != p.From && f.Quality.Loss > 0 {
					drafts[receiver].Losses = append(drafts[receiver].Losses, Loss{peer, f.Quality.Loss, f.end()})
				}
			}
		}
	}
}

// combine makes the canonical form of rules from those of single faults.
func (r Rules) combine(cluster []netip.Addr) Rules {
	cuts, losses, shapes := map[Cut]time.Time{}, map[Loss][]float64{}, map[netip.Addr][]Shape{}
	for _, c := range r.Cuts {
		key := Cut{Peer: c.Peer, Direction: c.Direction, How: c.How}
		if until, ok := cuts[key]; !ok || compareEnds(until, c.Until) < 0 {
			cuts[key] = c.Until
		}
	}
	for _, l := range r.Losses {
		key := Loss{Peer: l.Peer, Until: l.Until}
		losses[key] = append(losses[key], l.Percent)
	}
	for _, s := range r.Shapes {
		shapes[s.Peer] = append(shapes[s.Peer], s)
	}

	combined := Rules{Resolver: r.Resolver}
	for c, until := range cuts {
		drop, ok := cuts[Cut{Peer: c.Peer, Direction: c.Direction, How: Drop}]
		if c.How == Drop || !ok || compareEnds(drop, until) < 0 {
			combined.Cuts = append(combined.Cuts, Cut{c.Peer, c.Direction, c.How, until})
		}
	}
	for l, percents := range losses {
		combined.Losses = append(combined.Losses, Loss{l.Peer, together(percents), l.Until})
	}
	for peer, own := range shapes {
		all := own
		if peer.IsValid() { // what applies to everyone applies to it too
			all = slices.Concat(own, shapes[netip.Addr{}])
		}
		last := slices.MaxFunc(own, func(a, b Shape) int { return compareEnds(a.Until, b.Until) }).Until
		combined.Shapes = append(combined.Shapes, steps(peer, all, last)...)
	}
	combined.sort(cluster)
	return combined
}

// steps combines the shapes for a peer. A step lasts until one of the shapes ends, and has
// all that have not ended before. There are no steps after the last end of its own shapes.
func steps(peer netip.Addr, shapes []Shape, last time.Time) (result []Shape) {
	for _, s := range slices.SortedFunc(slices.Values(shapes), func(a, b Shape) int { return compareEnds(a.Until, b.Until) }) {
		end := s.Until
		if n := len(result); compareEnds(end, last) > 0 || n > 0 && result[n-1].Until.Equal(end) {
			continue
		}
		var step Shaping
		var duplicate, corrupt, reorder []float64
		for _, s := range shapes {
			if compareEnds(s.Until, end) < 0 {
				continue
			}
			if rate := s.Rate - s.Rate%8; rate > 0 && (step.Rate == 0 || rate < step.Rate) {
				step.Rate = rate // the kernel counts bytes
			}
			step.Latency = min(MaxLatency, step.Latency+s.Latency.Truncate(time.Microsecond))
			step.Jitter = min(MaxLatency, step.Jitter+s.Jitter.Truncate(time.Microsecond))
			duplicate, corrupt, reorder = append(duplicate, s.Duplicate), append(corrupt, s.Corrupt), append(reorder, s.Reorder)
		}
		step.Duplicate, step.Corrupt, step.Reorder = together(duplicate), together(corrupt), together(reorder)
		if n := len(result); n > 0 && result[n-1].Shaping == step {
			result = result[:n-1] // goes on until this end
		}
		result = append(result, Shape{peer, step, end})
	}
	return result
}

// together returns how many percent of the packets at least one of independent causes
// affects. It does not depend on their order.
func together(percents []float64) float64 {
	spared := 1.0
	for _, p := range slices.Sorted(slices.Values(percents)) {
		spared *= 1 - p/100
	}
	return math.Round((1-spared)*1e6) / 1e4
}
