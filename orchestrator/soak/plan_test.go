//go:build soak

package soak

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
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

	// What follows is named as its command.
	crash     kind = "beamyard crash"
	blip      kind = "beamyard blip"
	partition kind = "beamyard partition" // a heal follows, or it ends by itself, as all below
	slow      kind = "beamyard slow"
	dns       kind = "beamyard dns"
	squeeze   kind = "beamyard squeeze"
	clock     kind = "beamyard clock"
	heal      kind = "beamyard heal"
)

// injected are the kinds of faults of package faults. One is in force at a time.
var injected = []kind{blip, partition, slow, dns, squeeze, clock}

// step is an action at an offset from the beginning.
type step struct {
	at     time.Duration
	kind   kind
	node   string        // "" if it concerns no node
	length time.Duration // how long a break lasts
	args   []string      // of the command that injects a fault
}

func (s step) String() string {
	text := fmt.Sprintf("%8.3f %s", s.at.Seconds(), s.kind)
	if s.node != "" {
		text += " " + s.node
	}
	if len(s.args) > 0 {
		text += " " + strings.Join(s.args, " ")
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
	case blip, partition, slow, dns, squeeze, clock, heal:
		return "network"
	case killOutside, killOurs, restart, outOfMemory, crash, pause, unpause, stopOutside, start, settle:
	}
	return s.node
}

var nodes = []string{"n1", "n2", "n3", "n4", "n5"}

// weighted are the faults with their weights: what a supervisor meets often is frequent.
var weighted = slices.Concat(
	slices.Repeat([]kind{killOutside}, 4), slices.Repeat([]kind{cut}, 3),
	slices.Repeat([]kind{killOurs, restart, outOfMemory, pause, stopOutside, killKeeper, partition}, 2),
	[]kind{crash, blip, slow, dns, squeeze, clock},
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
	var at, supervised, stopsOver, faultOver time.Duration
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
			at = max(at, supervised, faultOver)
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
		case slices.Contains(injected, k) && at < faultOver, dead && k != pause, k == stopOutside && at < supervised+upTime, k == killKeeper && at < stopsOver:
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
		case blip, partition, slow, dns, squeeze, clock:
			fault := step{at: at, kind: k, args: fault(r, k)}
			steps = append(steps, fault)
			if k == blip {
				break
			}
			length := between(time.Second, 8*time.Second)
			faultOver = at + length + time.Second
			if r.IntN(2) == 0 {
				steps[len(steps)-1].args = slices.Concat(fault.args, []string{"--for", length.String()})
			} else {
				steps = append(steps, step{at: at + length, kind: heal})
			}
		case crash:
			steps = append(steps, step{at: at, kind: k, node: free[target], args: []string{"--how", pick(r, "halt", "abort", "slogan")}})
		case killOutside, killOurs, restart, outOfMemory:
			steps = append(steps, step{at: at, kind: k, node: free[target]})
		case unpause, start, up, heal, settle: // it is not drawn
		}
	}
	slices.SortStableFunc(steps, func(a, b step) int { return int(a.at - b.at) })
	return steps
}

// fault returns the arguments of a command that injects a fault.
func fault(r *rand.Rand, k kind) []string {
	order := r.Perm(len(nodes))
	one, two := nodes[order[0]], nodes[order[1]]
	switch k {
	case blip:
		return pick(r, []string{}, []string{one}, []string{one, "--for", "6ms"})
	case partition:
		groups := pick(r, []string{"--halves"}, []string{"--isolate", one}, []string{"--bridge", one}, []string{"--ring"}, []string{"--one-way", one + ":" + two}, []string{one + "," + two})
		// Nodes notice packets that disappear only after net_tick, which the fault may not reach.
		return append(groups, pick(r, []string{"--kind", "drop", "--no-wait"}, []string{"--kind", "reset"}, []string{"--kind", "disconnect"})...)
	case slow:
		return pick(r, []string{one, "--loss", "20%"}, []string{one + ":" + two, "--rate", "200kbit"})
	case dns:
		return append([]string{one}, pick(r, []string{"--none"}, []string{"--hide", two}, []string{"--stale", two})...)
	case squeeze:
		return []string{one, "--cpus", "0.3"}
	case clock:
		return append([]string{one}, pick(r, []string{"--bump", "30s"}, []string{"--bump=-20s"}, []string{"--drift", "1.02"}, []string{"--strobe", "200ms"})...)
	}
	panic("no fault: " + k)
}

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

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
		if !reflect.DeepEqual(steps, plan(tc.seed, tc.duration)) {
			t.Fatalf("seed %d: two plans", tc.seed)
		}
		if tc.duration > time.Minute && reflect.DeepEqual(steps, plan(tc.seed+1, tc.duration)) {
			t.Errorf("seeds %d and %d: one plan", tc.seed, tc.seed+1)
		}
		seen, held := map[kind]int{}, map[string]kind{}
		last, dead, healed := time.Duration(0), false, time.Duration(0) // healed is when a fault that was injected is over
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
			case blip, partition, slow, dns, squeeze, clock:
				if dead || s.at < healed {
					t.Errorf("seed %d: %s without a supervisor, or while another one is in force", tc.seed, s)
				}
				if at := slices.Index(s.args, "--for"); s.kind != blip && at >= 0 {
					length, err := time.ParseDuration(s.args[at+1])
					if err != nil {
						t.Error(err)
					}
					healed = s.at + length
				} else if s.kind != blip {
					healed = 1 << 62
				}
			case heal:
				healed = s.at
			case killKeeper:
				dead = true
				for node, by := range held {
					if by == stopOutside {
						t.Errorf("seed %d: %s while %s is stopped: up would start it", tc.seed, s, node)
					}
				}
			case up:
				dead = false
			case killOurs, restart, outOfMemory, crash, stopOutside, start, settle:
				if dead {
					t.Errorf("seed %d: %s without a supervisor", tc.seed, s)
				}
				if s.kind == settle && (len(held) > 0 || s.at < healed) {
					t.Errorf("seed %d: %s while %v", tc.seed, s, held)
				}
			case killOutside, pause, unpause, cut:
			}
		}
		if dead || len(held) > 0 || healed == 1<<62 {
			t.Errorf("seed %d: it ends with dead=%v, held=%v, a fault until %s", tc.seed, dead, held, healed)
		}
		for _, k := range append(slices.Clone(weighted), unpause, start, up, heal, settle) {
			if tc.every && seen[k] < 5 {
				t.Errorf("seed %d: %s comes %d times in %s", tc.seed, k, seen[k], tc.duration)
			}
		}
	}
}
