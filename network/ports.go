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
)

// Defaults of [PortRange].
const (
	DefaultHostIP   = "127.0.0.1"
	DefaultPortBase = 4200
	DefaultPortSpan = 1000
)

// PortRange is where host ports are looked for. Its zero value works.
type PortRange struct {
	HostIP string // to listen on; default 127.0.0.1
	Base   int    // the first port; default 4200
	Span   int    // how many; default 1000, cut at 65535

	// Elsewhere says that the ports are another machine's: nothing listens here,
	// and a port of this machine that is busy says nothing.
	Elsewhere bool
}

// Held is a host port kept from others by a listener of ours.
type Held struct {
	port    uint16
	release func() error
}

// Port is the held port.
func (h *Held) Port() uint16 { return h.port }

// Elsewhere is a port of another machine's: nothing can keep it from others from
// here, and whether it is free the engine there says when it takes it.
func Elsewhere(port uint16) *Held {
	return &Held{port: port, release: func() error { return nil }}
}

// Release gives the port up, just before the engine takes it. Between the two
// somebody else can be faster: the engine then says so, and the caller holds
// another. A second Release does nothing.
func (h *Held) Release() error { return h.release() }

// Hold keeps one port on hostIP ("" means 127.0.0.1); port 0 lets the kernel
// choose. A port in use is a [*PortTakenError].
//
// A privileged port that this process may not open is returned without a
// listener behind it: the engine may open it, and reports a conflict itself.
func Hold(hostIP string, port uint16) (*Held, error) {
	h, err := listen(hostIP, port)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, &PortTakenError{Port: port, Holder: holderOrGuess(port)}
	}
	return h, err
}

// listen is Hold without the search for the holder, which reads the whole
// process table: a scan that passes over many busy ports must not pay it.
func listen(hostIP string, port uint16) (*Held, error) {
	address := net.JoinHostPort(or(hostIP, DefaultHostIP), strconv.Itoa(int(port)))
	l, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EACCES) {
		return &Held{port: port, release: func() error { return nil }}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("hold port %s: %w", address, err)
	}
	var once sync.Once
	return &Held{
		port: uint16(l.Addr().(*net.TCPAddr).Port),
		release: func() (err error) {
			once.Do(func() { err = l.Close() })
			return err
		},
	}, nil
}

// HoldFree holds the first n free ports of r, in rising order: all of them or
// none. [WellKnown] ports are passed over, and so are those in taken, which
// says of each who has it; pass what stopped containers have pinned, for no
// listener shows those. Too few is a [*NoPortsError].
func HoldFree(r PortRange, n int, taken map[uint16]string) ([]*Held, error) {
	if r.Base == 0 {
		r.Base = DefaultPortBase
	}
	if r.Span == 0 {
		r.Span = DefaultPortSpan
	}
	var held []*Held
	fail := func(err error) ([]*Held, error) {
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

// PortTakenError is a host port that somebody else has.
type PortTakenError struct {
	Port uint16
	// Holder is who, where it can be known: "beam.smp (pid 123)"; else who
	// it usually is: "postgres (PostgreSQL's usual port)"; else "".
	Holder string
}

func (e *PortTakenError) Error() string {
	if e.Holder == "" {
		return fmt.Sprintf("host port %d is taken", e.Port)
	}
	return fmt.Sprintf("host port %d is taken by %s", e.Port, e.Holder)
}

// Hint is the command that shows who listens there.
func (e *PortTakenError) Hint() string {
	switch {
	case strings.HasPrefix(e.Holder, "docker-proxy"):
		return fmt.Sprintf("docker ps --filter publish=%d", e.Port)
	case runtime.GOOS == "linux":
		return fmt.Sprintf("ss -ltnp 'sport = :%d'", e.Port)
	}
	return fmt.Sprintf("lsof -nP -iTCP:%d -sTCP:LISTEN", e.Port)
}

// NoPortsError is a range without enough free ports.
type NoPortsError struct {
	Base, Span int // what was searched
	Want, Have int // ports
}

func (e *NoPortsError) Error() string {
	return fmt.Sprintf("only %d of %d host ports are free from %d to %d",
		e.Have, e.Want, e.Base, min(e.Base+e.Span-1, 65535))
}

// Hint proposes the next range.
func (e *NoPortsError) Hint() string {
	next := e.Base + e.Span
	if next+e.Want > 65535 {
		next = DefaultPortBase
	}
	return fmt.Sprintf("remove clusters that are no longer needed (beamyard prune), or search elsewhere: host_port: %d", next)
}
