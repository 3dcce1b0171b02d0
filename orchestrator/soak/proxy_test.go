//go:build soak

package soak

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"sync"
	"testing"
	"time"
)

// proxy stands between the supervisor and the engine, and can go away: what a
// restarted engine looks like to its clients, without restarting it.
type proxy struct {
	path            string
	network, engine string // what it forwards to

	mu       sync.Mutex
	listener net.Listener // nil while it is cut
	conns    map[net.Conn]bool
	open     int       // connections from clients
	cutAt    time.Time // the begin of the last cut
	healed   time.Time // its end; before cutAt while it lasts
	wg       sync.WaitGroup
}

// newProxy listens on path and forwards to the engine at host, a DOCKER_HOST.
func newProxy(t testing.TB, path, host string) *proxy {
	t.Helper()
	u, err := url.Parse(host)
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{path: path, network: u.Scheme, engine: u.Host, conns: map[net.Conn]bool{}}
	if u.Scheme == "unix" {
		p.engine = u.Path
	}
	if err := p.heal(); err != nil {
		t.Fatal(err)
	}
	return p
}

// heal lets clients in (again).
func (p *proxy) heal() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := os.Remove(p.path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	l, err := net.Listen("unix", p.path)
	if err != nil {
		return fmt.Errorf("proxy: %w", err)
	}
	// The file of an engine that is down stays: who dials it is refused.
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	p.listener, p.healed = l, time.Now()
	p.wg.Go(func() { p.accept(l) })
	return nil
}

// cut breaks every connection and refuses new ones.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cutAt = time.Now()
	p.listener.Close()
	p.listener = nil
	for c := range p.conns {
		c.Close()
	}
}

// close ends it, and returns once nothing of it runs.
func (p *proxy) close() {
	if !p.down() {
		p.cut()
	}
	p.wg.Wait()
}

// cutSince says whether something that began then may have met a cut: one that
// is over is felt for a while, until a client dials again.
func (p *proxy) cutSince(begin time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cutAt.IsZero() {
		return false
	}
	return p.healed.Before(p.cutAt) || p.healed.Add(time.Second).After(begin)
}

// down says whether it is cut now.
func (p *proxy) down() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.listener == nil
}

// clients is how many connections are open.
func (p *proxy) clients() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.open
}

func (p *proxy) accept(l net.Listener) {
	for {
		client, err := l.Accept()
		if err != nil {
			return // it is cut
		}
		p.wg.Go(func() { p.forward(l, client) })
	}
}

func (p *proxy) forward(l net.Listener, client net.Conn) {
	engine, err := net.Dial(p.network, p.engine)
	if err != nil {
		client.Close()
		return
	}
	p.mu.Lock()
	late := p.listener != l // it was cut meanwhile
	p.conns[client], p.conns[engine] = true, true
	p.open++
	p.mu.Unlock()
	if late {
		client.Close()
	}
	var wg sync.WaitGroup
	wg.Go(func() { copyHalf(engine, client) })
	copyHalf(client, engine)
	// The engine has said all: HTTP's end of an answer without a length.
	client.Close()
	engine.Close()
	wg.Wait()
	p.mu.Lock()
	delete(p.conns, client)
	delete(p.conns, engine)
	p.open--
	p.mu.Unlock()
}

// copyHalf copies one direction to its end, and passes that on.
func copyHalf(to, from net.Conn) {
	_, _ = io.Copy(to, from) // an error is an end, too: who reads sees it
	if half, ok := to.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite() // closed already: as wanted
	}
}
