package probe

import (
	"testing"
	"time"
)

// Up to ten nodes that boot at once share a hundred polls a second. A node that takes long is polled
// less.
func TestNodesThatBootAtOnceSharePolls(t *testing.T) {
	for _, c := range []struct {
		booting      int
		polled, want time.Duration
	}{
		{1, 0, 20 * time.Millisecond},
		{3, 0, 30 * time.Millisecond},
		{10, 0, 100 * time.Millisecond},
		{100, 0, 100 * time.Millisecond},
		{1, 3 * time.Second, 50 * time.Millisecond},
		{10, 3 * time.Second, 100 * time.Millisecond},
		{100, time.Hour, 100 * time.Millisecond},
	} {
		if got := slowest(c.booting, c.polled); got != c.want {
			t.Errorf("%d nodes that boot, polled for %v: every %v, want %v", c.booting, c.polled, got, c.want)
		}
	}
}
