//go:build soak

package soak

import (
	"sync"
	"testing"
	"time"

	"github.com/beamyard/beamyard/orchestrator/enginetest/gate"
)

// proxy is between the supervisor and the engine, and can break the connections: to its
// clients, this looks like a restart of the engine.
type proxy struct {
	*gate.Gate

	mu     sync.Mutex
	cutAt  time.Time // when the last break began
	healed time.Time // when it ended; before cutAt while it lasts
}

// newProxy forwards to the engine at host, a DOCKER_HOST.
func newProxy(t testing.TB, dir, host string) *proxy {
	t.Helper()
	g, err := gate.New(host, dir)
	if err != nil {
		t.Fatal(err)
	}
	return &proxy{Gate: g}
}

// heal accepts clients again.
func (p *proxy) heal() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.healed = time.Now()
	return p.Open()
}

// cut breaks every connection and refuses new ones.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cutAt = time.Now()
	p.Shut()
}

// cutSince reports whether something that began then may have met a break. After its end,
// a break still has effects until a client dials again.
func (p *proxy) cutSince(begin time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cutAt.IsZero() {
		return false
	}
	return p.healed.Before(p.cutAt) || p.healed.Add(time.Second).After(begin)
}
