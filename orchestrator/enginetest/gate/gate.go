// Package gate tests what happens while an engine is away or slow: a Gate is between one
// client and the engine, and no other client notices it.
//
//	client ── gate ── engine
//	           │ Shut: every connection breaks, new ones are refused
//	           │ Hold: what the engine says waits
//
// # Threads
//
// A goroutine accepts, and two copy for each connection; Close returns when all have
// ended. A Gate may be used by several goroutines.
package gate

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"sync"
)

// Gate is a proxy for an engine that can be shut.
type Gate struct {
	network, address string // the address of its listener
	engine, host     string // what it forwards to, and the host of a TCP address

	held sync.RWMutex // locked by Hold; writers to clients lock it for reading

	mu       sync.Mutex
	listener net.Listener // nil while it is shut
	conns    map[net.Conn]bool
	clients  int
	wg       sync.WaitGroup
}

// New opens a gate to the engine at an endpoint, a DOCKER_HOST of unix or tcp. The gate's
// own endpoint is of the same kind: a socket in dir, or a port on the loopback address.
func New(endpoint, dir string) (*Gate, error) {
	u, err := url.Parse(endpoint)
	if err != nil {
		return nil, fmt.Errorf("engine gate: %w", err)
	}
	g := &Gate{network: u.Scheme, conns: map[net.Conn]bool{}}
	switch u.Scheme {
	case "unix":
		g.engine, g.address = u.Path, filepath.Join(dir, "engine.sock")
	case "tcp":
		g.engine, g.address, g.host = u.Host, "127.0.0.1:0", u.Hostname()
	default:
		return nil, fmt.Errorf("engine gate: %s is neither unix nor tcp", endpoint)
	}
	return g, g.Open()
}

// Endpoint returns the gate's own DOCKER_HOST.
func (g *Gate) Endpoint() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.network + "://" + g.address
}

// Env returns the environment that makes a process use the gate: DOCKER_HOST, and
// BEAMYARD_HOST if the engine publishes ports on another host than the gate's.
func (g *Gate) Env() map[string]string {
	env := map[string]string{"DOCKER_HOST": g.Endpoint()}
	if g.host != "" {
		env["BEAMYARD_HOST"] = g.host
	}
	return env
}

// Open accepts clients, also after Shut.
func (g *Gate) Open() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.network == "unix" {
		if err := os.Remove(g.address); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("engine gate: %w", err)
		}
	}
	l, err := net.Listen(g.network, g.address)
	if err != nil {
		return fmt.Errorf("engine gate: %w", err)
	}
	if socket, ok := l.(*net.UnixListener); ok {
		socket.SetUnlinkOnClose(false) // the file of an engine that is down stays, too
	}
	g.listener, g.address = l, l.Addr().String()
	g.wg.Go(func() { g.accept(l) })
	return nil
}

// Shut closes every connection and refuses new ones.
func (g *Gate) Shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.listener != nil {
		g.listener.Close()
	}
	g.listener = nil
	for c := range g.conns {
		c.Close()
	}
}

// IsShut reports whether the gate is shut.
func (g *Gate) IsShut() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.listener == nil
}

// Hold delays everything that the engine sends until Release.
func (g *Gate) Hold() { g.held.Lock() }

// Release ends Hold.
func (g *Gate) Release() { g.held.Unlock() }

// Clients returns the number of open connections.
func (g *Gate) Clients() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.clients
}

// Close shuts the gate, and returns once all its goroutines have ended.
func (g *Gate) Close() {
	g.Shut()
	g.wg.Wait()
}

func (g *Gate) accept(l net.Listener) {
	for {
		client, err := l.Accept()
		if err != nil {
			return // it is shut
		}
		g.wg.Go(func() { g.forward(l, client) })
	}
}

func (g *Gate) forward(l net.Listener, client net.Conn) {
	defer client.Close()
	engine, err := net.Dial(g.network, g.engine) //nolint:noctx // it is near, or has no caller that waits
	if err != nil {
		return
	}
	defer engine.Close()
	g.mu.Lock()
	if g.listener != l { // it was shut meanwhile
		g.mu.Unlock()
		return
	}
	g.conns[client], g.conns[engine] = true, true
	g.clients++
	g.mu.Unlock()
	g.wg.Go(func() {
		_, _ = io.Copy(engine, client) // an error is an end, too: the reader sees it
		_ = engine.(interface{ CloseWrite() error }).CloseWrite()
	})
	_, _ = io.Copy(heldBack{client, &g.held}, engine)
	// The engine has sent everything: this is HTTP's end of a response without a length.
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.conns, client)
	delete(g.conns, engine)
	g.clients--
}

// heldBack writes only while Hold is not in effect.
type heldBack struct {
	to   io.Writer
	held *sync.RWMutex
}

func (h heldBack) Write(p []byte) (int, error) {
	h.held.RLock()
	defer h.held.RUnlock()
	return h.to.Write(p)
}
