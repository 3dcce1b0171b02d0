package erldist

import (
	"io"
	"strings"
)

// groupLeader answers requests of the Erlang I/O protocol (stdlib user's guide, "The Erlang I/O
// Protocol"): it writes output to w, and answers input requests with eof.
type groupLeader struct {
	w io.Writer
	// render runs a function on the node. io:format/2 sends a module, function and arguments,
	// and only the node can convert them to text.
	render func(module, function string, args []any) (any, error)
}

var (
	ioOK      = Atom("ok")
	ioUnknown = Tuple{Atom("error"), Atom("request")}
	ioNotSup  = Tuple{Atom("error"), Atom("enotsup")}
)

// request returns the term for the reply; the error is only that of w.
func (g *groupLeader) request(request any) (any, error) {
	t, _ := request.(Tuple)
	if len(t) == 0 {
		t = Tuple{request} // getopts is not in a tuple
	}
	switch kind, _ := t[0].(Atom); kind {
	case "put_chars":
		return g.putChars(t[1:])
	case "requests":
		list, ok := t[len(t)-1].(List)
		if !ok {
			return ioUnknown, nil
		}
		var reply any = ioOK
		for _, r := range list {
			var err error
			if reply, err = g.request(r); err != nil || isError(reply) {
				return reply, err
			}
		}
		return reply, nil
	case "get_line", "get_chars", "get_until", "get_password":
		return Atom("eof"), nil
	case "setopts", "getopts", "get_geometry":
		return ioNotSup, nil
	}
	return ioUnknown, nil
}

// putChars handles [Encoding,] Chars or [Encoding,] M, F, A. Without an encoding, the form
// before OTP R13, it is Latin-1.
func (g *groupLeader) putChars(args []any) (any, error) {
	latin1 := true
	if len(args)%2 == 0 && len(args) > 0 {
		latin1 = args[0] != any(Atom("unicode"))
		args = args[1:]
	}
	var chars any
	switch len(args) {
	case 1:
		chars = args[0]
	case 3:
		m, okM := args[0].(Atom)
		f, okF := args[1].(Atom)
		a, okA := args[2].(List)
		if !okM || !okF || !okA {
			return ioUnknown, nil
		}
		rendered, err := g.render(string(m), string(f), a)
		if err != nil {
			return Tuple{Atom("error"), f}, nil //nolint:nilerr // the I/O protocol has the printer told, not us
		}
		chars = rendered
	default:
		return ioUnknown, nil
	}
	var b strings.Builder
	if !chardata(&b, chars, latin1) {
		return Tuple{Atom("error"), Atom("put_chars")}, nil
	}
	if _, err := io.WriteString(g.w, b.String()); err != nil {
		return nil, err
	}
	return ioOK, nil
}

func isError(reply any) bool {
	t, ok := reply.(Tuple)
	return ok && len(t) > 0 && t[0] == any(Atom("error"))
}
