package erldist

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

const defaultHandshakeTimeout = 7 * time.Second // net_setuptime of kernel(6)

// Dialer connects to nodes; only Cookie has no default. It is safe for concurrent use.
// Printing a Dialer does not show its cookie.
type Dialer struct {
	// Cookie is the cookie, which must be the same on both sides.
	Cookie string
	// Name is the full name of this end, with a dot in its host, such as
	// "beamyard@beamyard.invalid". Default: none; the node assigns one. A second
	// connection with the same name replaces the first, so only one connection may use a
	// name.
	Name string
	// Host is the host part of the name that the node assigns. It must have a dot,
	// because nodes with long names refuse one without. Default "beamyard.invalid", which
	// never resolves, so that no node connects back.
	Host string
	// DialContext opens the transport. Default: net.Dialer.
	DialContext func(ctx context.Context, network, addr string) (net.Conn, error)
	// TLS makes the distribution speak TLS over the transport, as a node with -proto_dist
	// inet_tls does. Default: it does not. A node usually wants a certificate, and gets the
	// first of TLS.Certificates that fits. TLS.ServerName is what the node's certificate must
	// be valid for; default: the host part of its name. Source: User's Guide of ssl, "Using
	// TLS for Erlang Distribution".
	TLS *tls.Config
	// HandshakeTimeout limits dial and handshakes together, in addition to the context.
	// Default 7 s, as net_setuptime.
	HandshakeTimeout time.Duration
	// TickInterval is the time without a write after which a tick is sent. After four times as
	// long without a read the connection is closed, because a network partition does not cause
	// an end of file. Default 15 s, so 60 s, as net_ticktime.
	TickInterval time.Duration
	// Limits apply to each message from the node. A receiver of a larger message gets
	// [ErrTooBig]; the connection stays open.
	Limits Limits
}

// Format implements [fmt.Formatter] for every verb, so that no format prints the cookie.
func (d Dialer) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "erldist.Dialer{Host: %q, TLS: %t}", d.Host, d.TLS != nil)
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

// EPMDAddr returns an address for [Dialer.Dial] that looks up the node's distribution
// port in the EPMD at addr (host:port, usually 4369) on each dial.
func EPMDAddr(addr string) string { return epmdScheme + addr }

const epmdScheme = "epmd://"

// ListenAddr returns the address that a node listens on (host:port): addr itself, or the
// answer of the EPMD that [EPMDAddr] names. Errors are [*DialError].
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

// Dial connects to the node that listens at addr (host:port, or [EPMDAddr]). It verifies
// the node's full name (empty = any node) and that the node knows the cookie. The context
// bounds only the dial. Errors are [*DialError].
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
	if set.TLS != nil {
		if nc, err = set.overTLS(ctx, nc, node); err != nil {
			return nil, &DialError{Node: node, Addr: addr, Phase: PhaseTLS, Err: err}
		}
	}
	stop := context.AfterFunc(ctx, func() { nc.SetDeadline(time.Unix(1, 0)) })

	src := &source{nc: nc}
	r := bufio.NewReaderSize(src, readBuffer)
	h := handshaker{rw: readWriter{r, nc}, lenSize: 2, cookie: set.Cookie, name: set.Name, host: set.Host, node: Atom(node)}
	if set.TLS != nil {
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

// overTLS completes the handshake of TLS on a transport, and closes it if that fails.
func (d *Dialer) overTLS(ctx context.Context, nc net.Conn, node string) (net.Conn, error) {
	set := d.TLS.Clone()
	if set.ServerName == "" {
		_, set.ServerName, _ = strings.Cut(node, "@")
	}
	secured := tls.Client(nc, set)
	if err := secured.HandshakeContext(ctx); err != nil {
		nc.Close()
		return nil, classify(ctx, PhaseTLS, err)
	}
	return secured, nil
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

// source reads a connection and fails if no data arrives for the time silence.
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
