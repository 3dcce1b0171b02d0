package erldist

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

const defaultHandshakeTimeout = 7 * time.Second // net_setuptime of kernel(6)

// Dialer connects to nodes; only Cookie has no default. It may be used by several
// goroutines, and prints without its cookie.
type Dialer struct {
	// Cookie that both sides must have.
	Cookie string
	// Name is the full name under which we connect, with a dot in its host, such as
	// "beamyard@beamyard.invalid". Default: none, and the node makes one up. A second
	// connection of the same name replaces the first, so it is for one that is alone.
	Name string
	// Host part of the name that the node makes up for us, dotted, because
	// nodes with long names refuse one that is not. Default "beamyard.invalid",
	// which never resolves: nobody shall connect back.
	Host string
	// DialContext makes the transport. Default: net.Dialer.
	DialContext func(ctx context.Context, network, addr string) (net.Conn, error)
	// TLS says that DialContext returns TLS connections: the handshake then has
	// 4-byte frame lengths from its start.
	TLS bool
	// HandshakeTimeout bounds dial and handshake together, besides the context.
	// Default 7 s, as net_setuptime.
	HandshakeTimeout time.Duration
	// TickInterval: after so long without a write a tick is sent, and after four
	// times so long without a read the connection is given up, since a
	// partition gives no end of file. Default 15 s, so 60 s, as net_ticktime.
	TickInterval time.Duration
	// Limits of each message that the node sends. What waits for one that exceeds
	// them gets [ErrTooBig]; the connection goes on.
	Limits Limits
}

// Format implements [fmt.Formatter] for every verb, so that no way of printing
// shows the cookie.
func (d Dialer) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "erldist.Dialer{Host: %q, TLS: %t}", d.Host, d.TLS)
}

func (d *Dialer) filled() Dialer {
	f := *d
	f.Host = cmp.Or(f.Host, "beamyard.invalid")
	f.HandshakeTimeout = cmp.Or(f.HandshakeTimeout, defaultHandshakeTimeout)
	f.TickInterval = cmp.Or(f.TickInterval, 15*time.Second)
	f.Limits = f.Limits.filled()
	if f.DialContext == nil {
		f.DialContext = new(net.Dialer).DialContext
	}
	return f
}

// EPMDAddr is the address, for [Dialer.Dial], of a node whose distribution port the EPMD
// at addr (host:port, usually 4369) knows: it is asked at each dial.
func EPMDAddr(addr string) string { return epmdScheme + addr }

const epmdScheme = "epmd://"

// ListenAddr is where a node listens (host:port): addr itself, or what the EPMD that
// [EPMDAddr] names says of it. Errors are [*DialError].
func ListenAddr(ctx context.Context, node, addr string) (string, error) {
	at, ask := strings.CutPrefix(addr, epmdScheme)
	if !ask {
		return addr, nil
	}
	alive, _, _ := strings.Cut(node, "@")
	port, err := LookupEPMD(ctx, at, alive)
	if err != nil {
		return "", err
	}
	host, _, err := net.SplitHostPort(at)
	if err != nil {
		return "", &DialError{Node: node, Addr: at, Phase: PhaseEPMD, Err: err}
	}
	return net.JoinHostPort(host, strconv.Itoa(port)), nil
}

// Dial connects to the node that listens at addr (host:port, or [EPMDAddr])
// and proves that it is node (its full name; empty = whoever answers) and that
// it knows the cookie. The context bounds the dial only. Errors are [*DialError].
func (d *Dialer) Dial(ctx context.Context, node, addr string) (*Conn, error) {
	set := d.filled()
	ctx, cancel := context.WithTimeout(ctx, set.HandshakeTimeout)
	defer cancel()

	addr, err := ListenAddr(ctx, node, addr)
	if err != nil {
		return nil, err
	}
	nc, err := set.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, &DialError{Node: node, Addr: addr, Phase: PhaseConnect, Err: classify(ctx, PhaseConnect, err)}
	}
	stop := context.AfterFunc(ctx, func() { nc.SetDeadline(time.Unix(1, 0)) })

	src := &source{nc: nc}
	r := bufio.NewReaderSize(src, readBuffer)
	h := handshaker{rw: readWriter{r, nc}, lenSize: 2, cookie: set.Cookie, name: set.Name, host: set.Host, node: Atom(node)}
	if set.TLS {
		h.lenSize = 4
	}
	id, phase, err := h.run()
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		nc.Close()
		if !isSentinel(err) {
			err = classify(ctx, phase, err)
		}
		return nil, &DialError{Node: node, Addr: addr, Phase: phase, Err: err}
	}
	src.silence = 4 * set.TickInterval
	return newConn(nc, r, id, set), nil
}

func isSentinel(err error) bool {
	for _, s := range []error{ErrWrongCookie, ErrWrongName, ErrNotAllowed, ErrTLS, ErrProtocol} {
		if errors.Is(err, s) {
			return true
		}
	}
	return false
}

type readWriter struct {
	io.Reader
	io.Writer
}

// source reads a connection and fails when nothing comes for silence.
type source struct {
	nc      net.Conn
	silence time.Duration // zero during the handshake, which has its own deadline
}

func (s *source) Read(p []byte) (int, error) {
	if s.silence > 0 {
		if err := s.nc.SetReadDeadline(time.Now().Add(s.silence)); err != nil {
			return 0, err
		}
	}
	return s.nc.Read(p)
}
