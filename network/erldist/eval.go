package erldist

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
)

// parsed holds expressions that this node has parsed. Their form depends on the node's OTP
// release, so they belong to the connection.
type parsed struct {
	mu    sync.Mutex
	forms map[string]encoded
}

// encoded is a term in the external format without its version byte. Forms are sent repeatedly,
// and take a tenth of the memory this way.
type encoded []byte

// parsedLimit is how many expressions are kept: programs use a few fixed ones, people type the
// others.
const parsedLimit = 16

// Eval evaluates Erlang expressions on the node, comma-separated with a full stop at the
// end, and returns the value of the last one. The bindings are variables ("Name") with
// values that Encode accepts. The node needs only OTP's own stdlib: the process of an rpc
// call interprets the expressions, and no code is loaded. The first evaluation of a text
// on a connection costs three calls, each later one costs one call.
//
// Errors are those of [Conn.Call]; a syntax error includes the line number. Sources:
// erl_scan(3), erl_parse(3), erl_eval(3).
func (c *Conn) Eval(ctx context.Context, expressions string, bindings map[string]any) (any, error) {
	args, err := c.evalArgs(ctx, expressions, bindings)
	if err != nil {
		return nil, err
	}
	reply, err := c.Call(ctx, "erl_eval", "exprs", args...)
	if err != nil {
		return nil, err
	}
	return c.value(reply)
}

// EvalOutput is like [Conn.Eval] with this connection as group leader: it writes the
// output of the expressions to w, like [Conn.CallOutput].
func (c *Conn) EvalOutput(ctx context.Context, w io.Writer, expressions string, bindings map[string]any) (any, error) {
	args, err := c.evalArgs(ctx, expressions, bindings)
	if err != nil {
		return nil, err
	}
	reply, err := c.CallOutput(ctx, w, "erl_eval", "exprs", args...)
	if err != nil {
		return nil, err
	}
	return c.value(reply)
}

// value extracts Value from {value, Value, Bindings}.
func (c *Conn) value(reply any) (any, error) {
	t, ok := reply.(Tuple)
	if !ok || len(t) != 3 {
		return nil, fmt.Errorf("evaluate on %s: unexpected answer %s", c.id.peer, Format(reply))
	}
	return t[1], nil
}

// evalArgs returns the arguments of erl_eval:exprs/2.
func (c *Conn) evalArgs(ctx context.Context, expressions string, bindings map[string]any) ([]any, error) {
	forms, err := c.parse(ctx, expressions)
	if err != nil {
		return nil, err
	}
	list := List{} // an orddict: sorted by name
	for _, name := range slices.Sorted(maps.Keys(bindings)) {
		list = append(list, Tuple{Atom(name), bindings[name]})
	}
	return []any{forms, list}, nil
}

func (c *Conn) parse(ctx context.Context, expressions string) (encoded, error) {
	c.parsed.mu.Lock()
	forms, known := c.parsed.forms[expressions]
	c.parsed.mu.Unlock()
	if known {
		return forms, nil
	}
	reply, err := c.Call(ctx, "erl_scan", "string", codePoints(expressions))
	if err != nil {
		return nil, err
	}
	t, _ := reply.(Tuple)
	if len(t) != 3 || t[0] != any(Atom("ok")) { // {error, ErrorInfo, EndLocation}
		return nil, c.syntaxError(ctx, reply)
	}
	if reply, err = c.Call(ctx, "erl_parse", "parse_exprs", t[1]); err != nil {
		return nil, err
	}
	t, _ = reply.(Tuple)
	if len(t) != 2 || t[0] != any(Atom("ok")) {
		return nil, c.syntaxError(ctx, reply)
	}
	if forms, err = appendTerm(nil, t[1]); err != nil {
		return nil, err
	}
	c.parsed.mu.Lock()
	defer c.parsed.mu.Unlock()
	if c.parsed.forms == nil || len(c.parsed.forms) >= parsedLimit {
		c.parsed.forms = map[string]encoded{}
	}
	c.parsed.forms[expressions] = forms
	return forms, nil
}

// syntaxError has the node format {error, {Location, Module, Descriptor}, …}.
func (c *Conn) syntaxError(ctx context.Context, reply any) error {
	t, _ := reply.(Tuple)
	if len(t) < 2 {
		return fmt.Errorf("parse on %s: unexpected answer %s", c.id.peer, Format(reply))
	}
	info, _ := t[1].(Tuple)
	if len(info) != 3 {
		return fmt.Errorf("parse on %s: %s", c.id.peer, Format(t[1]))
	}
	words := Format(info[2])
	if module, ok := info[1].(Atom); ok {
		if said, err := c.Call(ctx, string(module), "format_error", info[2]); err == nil {
			if text, ok := Text(said); ok {
				words = text
			}
		}
	}
	return fmt.Errorf("parse on %s: line %s: %s", c.id.peer, Format(info[0]), words)
}

// codePoints converts a text to an Erlang string.
func codePoints(s string) List {
	l := make(List, 0, len(s))
	for _, r := range s {
		l = append(l, int64(r))
	}
	return l
}
