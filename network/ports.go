package network

import (
	"errors"
	"fmt"
	"net"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/beamyard/beamyard/orchestrator/hint"
)

// Defaults of [PortRange].
const (
	DefaultHostIP   = "127.0.0.1"
	DefaultPortBase = 4200
	DefaultPortSpan = 1000
)

// PortRange is a range of host ports to search. The zero value works.
type PortRange struct {
	HostIP string // address to listen on; default 127.0.0.1
	Base   int    // the first port; default 4200
	Span   int    // number of ports; default 1000, up to port 65535

	// Elsewhere means that the ports belong to another machine: no listener is opened
	// here, and ports in use on this machine are not skipped.
	Elsewhere bool
}

// Reservation is a host port that a listener of this process reserves.
type Reservation struct {
	port    uint16
	release func() error
}

// Port returns the reserved port.
func (h *Reservation) Port() uint16 { return h.port }

// Elsewhere returns a port of another machine. Nothing on this machine can reserve it;
// the engine there reports whether it is free when it binds it.
func Elsewhere(port uint16) *Reservation {
	return &Reservation{port: port, release: func() error { return nil }}
}

// Release frees the port for the engine to bind. Another process may bind it first: the
// engine then reports an error, and the caller holds another port. A second Release does
// nothing.
func (h *Reservation) Release() error { return h.release() }

// Hold reserves one port on hostIP ("" means 127.0.0.1); port 0 lets the kernel choose.
// If the port is in use, the error is a [*PortTakenError].
//
// A privileged port that this process may not open is returned without a listener: the
// engine may be allowed to open it, and reports a conflict itself.
func Hold(hostIP string, port uint16) (*Reservation, error) {
	h, err := listen(hostIP, port)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, &PortTakenError{Port: port, Holder: holderOrGuess(port)}
	}
	return h, err
}

// listen is Hold without the search for the holder, which reads the whole
// process table: a scan that passes over many busy ports must not pay it.
func listen(hostIP string, port uint16) (*Reservation, error) {
	address := net.JoinHostPort(or(hostIP, DefaultHostIP), strconv.Itoa(int(port)))
	l, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EACCES) {
		return &Reservation{port: port, release: func() error { return nil }}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("hold port %s: %w", address, err)
	}
	var once sync.Once
	return &Reservation{
		port: uint16(l.Addr().(*net.TCPAddr).Port),
		release: func() (err error) {
			once.Do(func() { err = l.Close() })
			return err
		},
	}, nil
}

// Reserve reserves the first n free ports of r, in ascending order: all of them or none.
// It skips [WellKnown] ports and the keys of taken, whose values name their holders. Pass
// the ports that stopped containers have pinned, because those have no listener. Too few
// free ports are a [*NoPortsError].
func Reserve(r PortRange, n int, taken map[uint16]string) ([]*Reservation, error) {
	if r.Base == 0 {
		r.Base = DefaultPortBase
	}
	if r.Span == 0 {
		r.Span = DefaultPortSpan
	}
	var held []*Reservation
	fail := func(err error) ([]*Reservation, error) {
		for _, h := range held {
			err = errors.Join(err, h.Release())
		}
		return nil, err
	}
	for p := max(r.Base, 1); p < r.Base+r.Span && p <= 65535 && len(held) < n; p++ {
		port := uint16(p)
		if WellKnown[port] != "" {
			continue
		}
		if _, ok := taken[port]; ok {
			continue
		}
		if r.Elsewhere {
			held = append(held, Elsewhere(port))
			continue
		}
		h, err := listen(r.HostIP, port)
		if errors.Is(err, syscall.EADDRINUSE) {
			continue
		}
		if err != nil {
			return fail(err)
		}
		held = append(held, h)
	}
	if len(held) < n {
		return fail(&NoPortsError{Base: r.Base, Span: r.Span, Want: n, Have: len(held)})
	}
	return held, nil
}

// PortTakenError reports a host port that is in use.
type PortTakenError struct {
	Port uint16
	// Holder is the process that listens, if known: "beam.smp (pid 123)"; else the usual
	// one: "postgres (PostgreSQL's usual port)"; else "".
	Holder string
}

func (e *PortTakenError) Error() string {
	if e.Holder == "" {
		return fmt.Sprintf("host port %d is taken", e.Port)
	}
	return fmt.Sprintf("host port %d is taken by %s", e.Port, e.Holder)
}

// Hint returns the command that shows what listens on the port.
func (e *PortTakenError) Hint() hint.Hint {
	switch {
	case strings.HasPrefix(e.Holder, "docker-proxy"):
		return hint.Newf("docker ps --filter publish=%d", e.Port)
	case runtime.GOOS == "linux":
		return hint.Newf("ss -ltnp 'sport = :%d'", e.Port)
	}
	return hint.Newf("lsof -nP -iTCP:%d -sTCP:LISTEN", e.Port)
}

// NoPortsError reports a range without enough free ports.
type NoPortsError struct {
	Base, Span int // searched range
	Want, Have int // number of ports
}

func (e *NoPortsError) Error() string {
	return fmt.Sprintf("only %d of %d host ports are free from %d to %d",
		e.Have, e.Want, e.Base, min(e.Base+e.Span-1, 65535))
}

// Hint suggests the next range.
func (e *NoPortsError) Hint() hint.Hint {
	next := e.Base + e.Span
	if next+e.Want > 65535 {
		next = DefaultPortBase
	}
	return hint.Newf("remove clusters that are no longer needed (%s), or search elsewhere: %s", hint.Prune.With(), hint.Setting(fmt.Sprint("host_port: ", next)))
}

// HostPort joins a host and a port to an address to dial. An IPv6 host gets its brackets.
func HostPort(host string, port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }
