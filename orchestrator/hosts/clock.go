package hosts

import (
	"context"
	"sync"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
)

// clock is how far a host's clock is ahead of this process's. It is measured once: two
// measurements differ by a little, and an event that is replayed must have the same time again.
// The error is half the round trip of the shortest answer, a few milliseconds.
type clock struct {
	mu    sync.Mutex
	known bool
	ahead time.Duration
}

// readings is how many answers are timed.
const readings = 3

// offset returns how far the host's clock is ahead.
func (h *host) offset(ctx context.Context) (time.Duration, error) {
	h.clock.mu.Lock()
	defer h.clock.mu.Unlock()
	if h.clock.known {
		return h.clock.ahead, nil
	}
	shortest := time.Duration(-1)
	for range readings {
		asked := time.Now()
		info, err := h.Info(ctx)
		if err != nil {
			return 0, err
		}
		if trip := time.Since(asked); shortest < 0 || trip < shortest {
			shortest, h.clock.ahead = trip, info.Time.Sub(asked.Add(trip/2))
		}
	}
	h.clock.known = true
	return h.clock.ahead, nil
}

// ours converts a time of a clock that is ahead; the zero time stays zero.
func ours(t time.Time, ahead time.Duration) time.Time {
	if t.IsZero() {
		return t
	}
	return t.Add(-ahead)
}

// theirs is the reverse of ours.
func theirs(t time.Time, ahead time.Duration) time.Time { return ours(t, -ahead) }

// described returns a container of a host, with its times by our clock.
func (h *host) described(c orchestrator.Container, ahead time.Duration) orchestrator.Container {
	c.Host = h.name
	c.Created, c.State.StartedAt, c.State.FinishedAt = ours(c.Created, ahead), ours(c.State.StartedAt, ahead), ours(c.State.FinishedAt, ahead)
	return c
}
