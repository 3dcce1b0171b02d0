package tunnel

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/beamyard/beamyard/orchestrator/internal/session"
	"github.com/beamyard/beamyard/orchestrator/internal/wait"
)

// Tunnel forwards ports to one machine.
type Tunnel struct {
	target []string // ssh's arguments that name the machine
	ctx    context.Context
	cancel context.CancelFunc
	group  sync.WaitGroup
	master master

	mu       sync.Mutex
	closed   bool
	forwards map[uint16]*forward

	checking sync.Mutex
	checked  bool // forwarding is permitted
}

// forward is one port.
type forward struct {
	owners []string
	cancel context.CancelFunc
}

// loopback is where ports are, on both machines.
var loopback = netip.AddrFrom4([4]byte{127, 0, 0, 1})

// New returns a tunnel to the machine that ssh reaches with these arguments: "-l", "build", "--",
// "big2". It starts nothing.
func New(target ...string) *Tunnel {
	ctx, cancel := context.WithCancel(context.Background())
	t := &Tunnel{target: target, ctx: ctx, cancel: cancel, forwards: map[uint16]*forward{}}
	t.master.t = t
	return t
}

// Close ends all forwards with their connections, and returns when all of it has ended.
func (t *Tunnel) Close() {
	t.mu.Lock()
	t.closed, t.forwards = true, nil
	t.mu.Unlock()
	t.cancel()
	t.group.Wait()
	t.master.remove()
}

// Forward forwards a port for an owner, until each of its owners has released it.
func (t *Tunnel) Forward(owner string, port uint16) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return
	}
	f := t.forwards[port]
	if f == nil {
		ctx, cancel := context.WithCancel(t.ctx)
		f = &forward{cancel: cancel}
		t.forwards[port] = f
		t.group.Go(func() { t.listen(ctx, netip.AddrPortFrom(loopback, port)) })
	}
	if !slices.Contains(f.owners, owner) {
		f.owners = append(f.owners, owner)
	}
}

// Release ends the forwards of an owner.
func (t *Tunnel) Release(owner string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for port, f := range t.forwards {
		f.owners = slices.DeleteFunc(f.owners, func(o string) bool { return o == owner })
		if len(f.owners) == 0 {
			f.cancel()
			delete(t.forwards, port)
		}
	}
}

// retryTime is how often a port is tried that another process listens on.
const retryTime = 500 * time.Millisecond

// listen accepts connections to a port until ctx ends.
func (t *Tunnel) listen(ctx context.Context, at netip.AddrPort) {
	for {
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", at.String())
		if err == nil {
			t.accept(ctx, l.(*net.TCPListener), at)
		}
		if !wait.Sleep(ctx, retryTime) {
			return
		}
	}
}

func (t *Tunnel) accept(ctx context.Context, l *net.TCPListener, at netip.AddrPort) {
	closed := func() { _ = l.Close() } // the loop ends with it
	defer context.AfterFunc(ctx, closed)()
	defer closed()
	var group sync.WaitGroup
	defer group.Wait()
	for {
		conn, err := l.AcceptTCP()
		if err != nil {
			return
		}
		group.Go(func() { t.join(ctx, conn, at) })
	}
}

// join has an ssh process carry a connection. It ends with the connection, or with ctx.
func (t *Tunnel) join(ctx context.Context, conn *net.TCPConn, at netip.AddrPort) {
	flags := t.master.flags(ctx)
	socket, err := conn.File() // a copy, which ssh inherits
	_ = conn.Close()           // the copy is the connection now
	if err != nil {
		return
	}
	defer socket.Close()
	cmd := t.command(ctx, slices.Concat(flags, []string{"-W", at.String()})...)
	cmd.Stdin, cmd.Stdout = socket, socket
	_ = cmd.Run() // the client sees a connection that ends: Check tells why, if nothing passes at all
}

// command is ssh with flags, in a session of its own, so that Ctrl-C does not reach it.
func (t *Tunnel) command(ctx context.Context, flags ...string) *exec.Cmd {
	args := slices.Concat([]string{"-T", "-o", "ConnectTimeout=30"}, flags, t.target)
	cmd := exec.CommandContext(ctx, "ssh", args...) // the machine is the user's choice
	cmd.SysProcAttr = session.Own()
	return cmd
}

// ErrRefused says that the machine does not forward ports.
var ErrRefused = errors.New("the ssh server does not forward ports")

// Check finds out whether the machine forwards ports, with a connection of its own: it has a port
// forwarded that nothing uses (tcpmux, 1), which fails in different ways. Once it succeeded, it
// does nothing. The error matches [ErrRefused] if the server forbids it.
func (t *Tunnel) Check(ctx context.Context) error {
	t.checking.Lock() // one connection is enough for callers at once
	defer t.checking.Unlock()
	if t.checked {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	var said bytes.Buffer
	cmd := t.command(ctx, "-S", "none", "-o", "LogLevel=INFO", "-W", netip.AddrPortFrom(loopback, 1).String())
	cmd.Stderr = &said
	err := cmd.Run()
	switch text := said.String(); {
	case ctx.Err() != nil:
		return fmt.Errorf("forward a port through ssh: %w", ctx.Err())
	case err == nil, strings.Contains(text, "connect failed"): // it tried
	case strings.Contains(text, "administratively prohibited"):
		return fmt.Errorf("forward a port through ssh: %w", ErrRefused)
	default:
		return fmt.Errorf("forward a port through ssh: %w: %s", err, strings.TrimSpace(text))
	}
	t.checked = true
	return nil
}

// Ports returns the forwarded ports, sorted as texts, with spaces between them.
func (t *Tunnel) Ports() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []string
	for port := range t.forwards {
		all = append(all, strconv.Itoa(int(port)))
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}
