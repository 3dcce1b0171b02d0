package redial

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A node is a Pace with a clock.
type node struct {
	Pace
	now time.Time
}

func newNode() *node { return &node{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)} }

// saw is what a sweep of the mesh tells.
func (n *node) saw(all bool) { n.Saw(all, n.now) }

// dial waits until an attempt is allowed, makes it, and returns how long it waited.
func (n *node) dial() time.Duration {
	waited := max(0, n.Next().Sub(n.now))
	n.now = n.now.Add(waited)
	if !n.May(n.now) || waited > 0 && n.May(n.now.Add(-1)) {
		panic("May contradicts Next")
	}
	n.Dialled(n.now)
	return waited
}

func TestAPeerThatIsNotReachedIsDialledUpToOnceASecond(t *testing.T) {
	n := newNode()
	var waits []time.Duration
	for range 8 {
		n.saw(false)
		waits = append(waits, n.dial())
	}
	const ms = time.Millisecond
	if diff := cmp.Diff([]time.Duration{0, 50 * ms, 100 * ms, 200 * ms, 400 * ms, 800 * ms, Late, Late}, waits); diff != "" {
		t.Error(diff)
	}
	n.Reset()
	if again := []time.Duration{n.dial(), n.dial()}; again[0] != 0 || again[1] != Soon {
		t.Errorf("after a reset it waits %s", again)
	}
}

func TestAConnectionThatBreaksOnceIsMadeAtOnce(t *testing.T) {
	n := newNode()
	for range 3 {
		n.saw(false)
		n.dial()
	}
	n.saw(true)
	n.saw(false)
	if waited := n.dial(); waited != 0 {
		t.Errorf("it waits %s", waited)
	}
}

func TestConnectionsThatBreakAtOnceAreMadeEverLessOften(t *testing.T) {
	n := newNode()
	var waits []time.Duration
	for range 12 {
		n.saw(true)
		n.saw(false)
		waits = append(waits, n.dial())
	}
	if !slices.IsSorted(waits) || waits[1] != Soon || waits[11] != Rare {
		t.Errorf("it waits %s", waits)
	}
	n.saw(true)
	n.now = n.now.Add(Lasts - 1)
	n.saw(false)
	if waited := n.Next().Sub(n.now); waited != Rare-Lasts+1 {
		t.Errorf("after a connection that nearly lasted it waits %s", waited)
	}
	n.dial()

	for name, seen := range map[string]bool{"it was seen to last": true, "it broke just then": false} {
		n := *n
		n.saw(true)
		n.now = n.now.Add(Lasts)
		n.saw(seen)
		n.saw(false)
		if waits := []time.Duration{n.dial(), n.dial()}; waits[0] != 0 || waits[1] != Soon {
			t.Errorf("%s: it waits %s", name, waits)
		}
	}
}
