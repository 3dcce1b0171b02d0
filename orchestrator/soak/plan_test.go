//go:build soak

package soak

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// kind is what a step does.
type kind string

const (
	killOutside kind = "docker kill"
	killOurs    kind = "beamyard kill"
	restart     kind = "beamyard restart"
	outOfMemory kind = "out of memory"
	pause       kind = "docker pause" // an unpause follows
	unpause     kind = "docker unpause"
	stopOutside kind = "docker stop" // a start follows
	start       kind = "beamyard start"
	cut         kind = "engine cut"         // for step.length
	killKeeper  kind = "kill -9 supervisor" // an up follows
	up          kind = "beamyard up"
	settle      kind = "settle" // all nodes must be Ready
)

// step is an action at an offset from the beginning.
type step struct {
	at     time.Duration
	kind   kind
	node   string        // "" if it concerns no node
	length time.Duration // how long a break lasts
}

func (s step) String() string {
	text := fmt.Sprintf("%8.3f %s", s.at.Seconds(), s.kind)
	if s.node != "" {
		text += " " + s.node
	}
	if s.length > 0 {
		text += " " + s.length.String()
	}
	return text
}

// target returns the target whose worker performs the step.
func (s step) target() string {
	switch s.kind {
	case killKeeper, up:
		return "supervisor"
	case cut:
		return "proxy"
	case killOutside, killOurs, restart, outOfMemory, pause, unpause, stopOutside, start, settle:
	}
	return s.node
}

var nodes = []string{"n1", "n2", "n3", "n4", "n5"}

// weighted are the faults with their weights: what a supervisor meets often is frequent.
var weighted = slices.Concat(
	slices.Repeat([]kind{killOutside}, 4), slices.Repeat([]kind{cut}, 3),
	slices.Repeat([]kind{killOurs, restart, outOfMemory, pause, stopOutside, killKeeper}, 2),
)

const (
	settleEvery = time.Minute
	settleTime  = 12 * time.Second // as planned; a settle may take longer
	upTime      = 12 * time.Second // for how long `up` may start stopped nodes
)

// plan is pure: a seed and a duration yield one list of steps in the order of time.
//
// A fault comes every 2 to 6 s. A node that is paused or stopped gets no other fault
// until that is over. Without a supervisor, only the engine is used. A node is not
// stopped from outside then, or while an `up` may be in progress, which would start it
// again.
func plan(seed uint64, duration time.Duration) []step {
	r := rand.New(rand.NewPCG(seed, 0))
	between := func(low, high time.Duration) time.Duration {
		return (low + time.Duration(r.Int64N(int64(high-low)))).Round(time.Millisecond)
	}
	var steps []step
	var at, supervised, stopsOver time.Duration
	busy := map[string]time.Duration{}
	nextSettle := settleEvery / 2
	for {
		at += between(2*time.Second, 6*time.Second)
		if at >= duration {
			break
		}
		if at >= nextSettle {
			for _, until := range busy {
				at = max(at, until)
			}
			at = max(at, supervised)
			steps = append(steps, step{at: at, kind: settle})
			at += settleTime
			nextSettle += settleEvery
			continue
		}
		free := slices.DeleteFunc(slices.Clone(nodes), func(n string) bool { return at < busy[n] })
		k, target := weighted[r.IntN(len(weighted))], r.IntN(len(nodes))
		if len(free) == 0 {
			k = cut
		} else {
			target %= len(free)
		}
		dead := at < supervised+600*time.Millisecond
		switch {
		case k == cut:
		case dead && k != pause, k == stopOutside && at < supervised+upTime, k == killKeeper && at < stopsOver:
			k = killOutside
		}
		switch k {
		case cut:
			length := between(100*time.Millisecond, 3*time.Second)
			steps = append(steps, step{at: at, kind: cut, length: length})
			if r.IntN(2) == 0 && len(free) > 0 { // a restart coincides with the break
				steps = append(steps, step{at: at + between(-600*time.Millisecond, length), kind: meets(r.IntN(2) == 0 && !dead), node: free[target]})
			}
		case killKeeper:
			supervised = at + between(300*time.Millisecond, 4*time.Second)
			steps = append(steps, step{at: at, kind: killKeeper})
			if r.IntN(2) == 0 {
				node := free[target]
				steps = append(steps, step{at: at + (supervised-at)/2, kind: killOutside, node: node})
				busy[node] = supervised
			}
			steps = append(steps, step{at: supervised, kind: up})
		case pause, stopOutside:
			node, until := free[target], at+between(time.Second, 8*time.Second)
			then := unpause
			if k == stopOutside {
				until += 2 * time.Second // a node needs a second to stop
				then, stopsOver = start, max(stopsOver, until)
			}
			steps = append(steps, step{at: at, kind: k, node: node}, step{at: until, kind: then, node: node})
			busy[node] = until + time.Second
		case killOutside, killOurs, restart, outOfMemory:
			steps = append(steps, step{at: at, kind: k, node: free[target]})
		case unpause, start, up, settle: // it is not drawn
		}
	}
	slices.SortStableFunc(steps, func(a, b step) int { return int(a.at - b.at) })
	return steps
}

// meets returns the fault just before a break, or during it.
func meets(ours bool) kind {
	if ours {
		return restart
	}
	return killOutside
}

// A plan depends only on its seed, keeps its own rules, and has every fault within an
// hour.
func TestPlan(t *testing.T) {
	for _, tc := range []struct {
		seed     uint64
		duration time.Duration
		every    bool // every fault there is
	}{
		{1, time.Minute, false}, {2, 10 * time.Minute, false}, {3, time.Hour, true}, {1 << 63, time.Hour, true}, {4, time.Second, false},
	} {
		steps := plan(tc.seed, tc.duration)
		if !slices.Equal(steps, plan(tc.seed, tc.duration)) {
			t.Fatalf("seed %d: two plans", tc.seed)
		}
		if tc.duration > time.Minute && slices.Equal(steps, plan(tc.seed+1, tc.duration)) {
			t.Errorf("seeds %d and %d: one plan", tc.seed, tc.seed+1)
		}
		seen, held := map[kind]int{}, map[string]kind{}
		last, dead := time.Duration(0), false
		for _, s := range steps {
			seen[s.kind]++
			if s.at < last {
				t.Errorf("seed %d: %s comes after %s", tc.seed, s, last)
			}
			last = s.at
			switch by := held[s.node]; {
			case s.kind == unpause && by == pause, s.kind == start && by == stopOutside:
				delete(held, s.node)
			case s.node != "" && by != "":
				t.Errorf("seed %d: %s while it is held by %s", tc.seed, s, by)
			case s.kind == pause, s.kind == stopOutside:
				held[s.node] = s.kind
			}
			switch s.kind {
			case killKeeper:
				dead = true
				for node, by := range held {
					if by == stopOutside {
						t.Errorf("seed %d: %s while %s is stopped: up would start it", tc.seed, s, node)
					}
				}
			case up:
				dead = false
			case killOurs, restart, outOfMemory, stopOutside, start, settle:
				if dead {
					t.Errorf("seed %d: %s without a supervisor", tc.seed, s)
				}
				if s.kind == settle && len(held) > 0 {
					t.Errorf("seed %d: %s while %v", tc.seed, s, held)
				}
			case killOutside, pause, unpause, cut:
			}
		}
		if dead || len(held) > 0 {
			t.Errorf("seed %d: it ends with dead=%v, held=%v", tc.seed, dead, held)
		}
		for _, k := range append(slices.Clone(weighted), unpause, start, up, settle) {
			if tc.every && seen[k] < 5 {
				t.Errorf("seed %d: %s comes %d times in %s", tc.seed, k, seen[k], tc.duration)
			}
		}
	}
}
