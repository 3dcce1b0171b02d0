package erldist

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
)

// Sentinel errors for errors.Is. All except ErrClosed are wrapped in a [*DialError].
var (
	ErrWrongCookie   = errors.New("wrong cookie")
	ErrWrongName     = errors.New("another node answered")
	ErrTLS           = errors.New("it speaks TLS")
	ErrNoTLS         = errors.New("it does not speak TLS")
	ErrCertificate   = errors.New("certificate refused")
	ErrRefused       = errors.New("connection refused")
	ErrUnreachable   = errors.New("host unreachable")
	ErrTimeout       = errors.New("no answer in time")
	ErrNotAllowed    = errors.New("the node does not allow the connection")
	ErrNotRegistered = errors.New("no such name in EPMD")
	ErrProtocol      = errors.New("not the Erlang distribution protocol")

	// ErrClosed means that the connection has ended. [Conn.Err] returns the reason.
	ErrClosed = errors.New("connection to the node is closed")
)

// WrongNameError reports that another node answered. It matches [ErrWrongName].
type WrongNameError struct {
	Node string // its full name
}

func (e *WrongNameError) Error() string { return fmt.Sprintf("%v: %s", ErrWrongName, e.Node) }
func (e *WrongNameError) Unwrap() error { return ErrWrongName }

// Phase is the phase in which a dial failed.
type Phase string

// The phases, in order.
const (
	PhaseEPMD      Phase = "ask EPMD for"
	PhaseConnect   Phase = "connect to"
	PhaseTLS       Phase = "agree on TLS with"
	PhaseName      Phase = "introduce ourselves to" // our name sent, waiting for the status
	PhaseChallenge Phase = "identify"               // waiting for the node's name and challenge
	PhaseDigest    Phase = "authenticate with"      // comparing cookies
)

// DialError reports which node could not be reached, at which address, in which phase,
// and why: Err wraps one of the sentinels, or the error of a cancelled context.
type DialError struct {
	Node  string // expected name; for EPMD, the part before the @, or empty for all
	Addr  string // host:port
	Phase Phase
	Err   error
}

func (e *DialError) Error() string {
	node := e.Node
	if node == "" {
		node = "the node"
	}
	return fmt.Sprintf("%s %s at %s: %v", e.Phase, node, e.Addr, e.Err)
}

func (e *DialError) Unwrap() error { return e.Err }

// Hint returns the likely cause, and what to check next.
func (e *DialError) Hint() string {
	switch {
	case errors.Is(e.Err, ErrWrongCookie):
		return "the node runs with another cookie: check --cookie, RELEASE_COOKIE, ERLANG_COOKIE and ~/.erlang.cookie in its container"
	case errors.Is(e.Err, ErrWrongName):
		return "the address leads to another node: check the port mapping and the node's --name"
	case errors.Is(e.Err, ErrNotRegistered):
		return "the node is not distributed (yet), or under another name: `epmd -names` in its container lists who is"
	case errors.Is(e.Err, ErrRefused) && e.Phase == PhaseEPMD:
		return "no EPMD runs there (yet): a VM starts one unless it has -start_epmd false"
	case errors.Is(e.Err, ErrRefused):
		return "nothing listens behind this port (yet): look at the node's output, and at its inet_dist_listen_min"
	case errors.Is(e.Err, ErrUnreachable), errors.Is(e.Err, ErrTimeout):
		return "the address does not answer: check that the container runs, its network, and rules that drop packets"
	case errors.Is(e.Err, ErrNotAllowed):
		return "the node needs OTP 25 or newer, and net_kernel:allow/1 must not exclude us"
	case errors.Is(e.Err, ErrTLS):
		return "the node runs with TLS distribution (-proto_dist inet_tls): dial it over TLS"
	case errors.Is(e.Err, ErrNoTLS):
		return "the node needs -proto_dist inet_tls and -ssl_dist_optfile: see the command that starts its VM"
	case errors.Is(e.Err, ErrCertificate):
		return "both sides need a certificate of the same authority, for the host in the node's name, and clocks within its dates"
	case errors.Is(e.Err, ErrProtocol):
		return "something else than a BEAM listens there, or one with TLS distribution"
	}
	return ""
}

// classify wraps the cause of a failed connection in its sentinel.
func classify(ctx context.Context, phase Phase, err error) error {
	var netErr net.Error
	var header tls.RecordHeaderError
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return context.Cause(ctx)
	case ctx.Err() != nil, errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &netErr) && netErr.Timeout():
		return fmt.Errorf("%w (%w)", ErrTimeout, context.DeadlineExceeded)
	case refusesCertificate(err):
		return fmt.Errorf("%w (%w)", ErrCertificate, err)
	case errors.As(err, &header):
		return fmt.Errorf("%w (%w)", ErrNoTLS, err)
	case phase == PhaseConnect || phase == PhaseEPMD && !ended(err):
		if errors.Is(err, syscall.ECONNREFUSED) {
			return fmt.Errorf("%w (%w)", ErrRefused, err)
		}
		return fmt.Errorf("%w (%w)", ErrUnreachable, err)
	case phase == PhaseDigest && ended(err):
		// A node answers a wrong digest by closing the connection without a message.
		return ErrWrongCookie
	case ended(err):
		// A port proxy of the engine accepts connections for a container in which no process
		// listens, and closes them.
		return fmt.Errorf("%w (accepted and closed without an answer)", ErrRefused)
	}
	return fmt.Errorf("%w (%w)", ErrProtocol, err)
}

// refusesCertificate reports whether either side refused the other's certificate: in TLS 1.3 the
// node tells only after our handshake is complete.
func refusesCertificate(err error) bool {
	var alert *net.OpError
	return errors.As(err, new(*tls.CertificateVerificationError)) || errors.As(err, &alert) && alert.Op == "remote error"
}

func ended(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.ErrClosedPipe) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// RPCError reports a call that the node answered with {badrpc, Reason}: the function
// raised, exited, or does not exist. Neither its text nor its Reason contains the
// arguments of the call, or the cookie.
type RPCError struct {
	Node   string
	MFA    string // Mod.fun/arity
	Reason any    // {'EXIT', {Reason, Stack}}, an atom, …; Stack has the number of arguments instead of the arguments
}

func (e *RPCError) Error() string {
	return fmt.Sprintf("call %s on %s: %s", e.MFA, e.Node, describeReason(e.Reason))
}

// Hint explains the two reasons that concern the call rather than the function.
func (e *RPCError) Hint() string {
	reason, _ := exitReason(e.Reason)
	if t, ok := reason.(Tuple); ok && len(t) > 0 { // {noproc, {gen_server, call, …}}
		reason = t[0]
	}
	switch reason, _ := reason.(Atom); reason {
	case "undef":
		return "the node has no such function: check spelling and arity, and that its code is loaded"
	case "noproc":
		return "a process that the function needs is not running: check that its application is started"
	}
	return ""
}

// Undefined reports whether the called function itself is undefined, as opposed to a
// function that it calls, or that a process linked to it calls.
func (e *RPCError) Undefined() bool {
	reason, stack := exitReason(e.Reason)
	if reason != any(Atom("undef")) || len(stack) == 0 {
		return false
	}
	frame, ok := stack[0].(Tuple) // {Module, Function, Arity, Location}
	if !ok || len(frame) < 3 {
		return false
	}
	module, ok1 := frame[0].(Atom)
	function, ok2 := frame[1].(Atom)
	arity, ok3 := frame[2].(int64)
	return ok1 && ok2 && ok3 && FormatMFA(module, function, int(arity)) == e.MFA
}

// exitReason splits {'EXIT', {Reason, Stack}}; Stack may be absent.
func exitReason(term any) (reason any, stack List) {
	if t, ok := term.(Tuple); ok && len(t) == 2 && t[0] == any(Atom("EXIT")) {
		term = t[1]
	}
	if t, ok := term.(Tuple); ok && len(t) == 2 {
		if s, isList := t[1].(List); isList && isStack(s) {
			return t[0], s
		}
	}
	return term, nil
}

// describeReason formats exceptions as Elixir does, "** (ArgumentError) text", Erlang reasons
// as terms, and where the error occurred.
func describeReason(term any) string {
	reason, stack := exitReason(term)
	text := Format(reason)
	if m, ok := reason.(Map); ok {
		name, _ := m.Get(Atom("__struct__"))
		for _, key := range []Atom{"message", "description"} { // description belongs to syntax errors
			message, _ := m.Get(key)
			if s, isText := message.([]byte); isText {
				text = "** (" + Format(name) + ") " + string(s)
			}
		}
	}
	if len(stack) > 0 {
		text += " in " + strings.Join(frames(stack, 3), ", called from ")
	}
	return text
}

func frames(stack List, n int) []string {
	var out []string
	for _, e := range stack[:min(n, len(stack))] {
		t := e.(Tuple)
		module, _ := t[0].(Atom)
		function, _ := t[1].(Atom)
		arity, _ := t[2].(int64)
		out = append(out, FormatMFA(module, function, int(arity)))
	}
	return out
}
