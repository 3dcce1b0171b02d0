package erldist

import (
	"context"
	"fmt"
	"io"
	"sync"
)

// Call runs module:function(args…) on the node and returns its result. Elixir's module
// Foo is "Elixir.Foo". Output of the function goes to the node's own output: the group
// leader is `user`, as rpc specifies for hidden nodes, so that processes started by the
// call keep a group leader after the connection ends.
//
// Errors: [*RPCError] if the function failed; the context's error if the context ended
// first (the function continues, and its result is dropped); [ErrClosed].
func (c *Conn) Call(ctx context.Context, module, function string, args ...any) (any, error) {
	mfa := FormatMFA(Atom(module), Atom(function), len(args))
	result, err := c.call(ctx, module, function, args)
	if err != nil {
		return nil, fmt.Errorf("call %s on %s: %w", mfa, c.id.peer, err)
	}
	return c.result(mfa, result)
}

func (c *Conn) call(ctx context.Context, module, function string, args []any) (any, error) {
	ref := c.newRef()
	answer := c.replies.expect(ref)
	defer c.replies.forget(ref)
	if err := c.request(ctx, c.self, ref, Atom("user"), module, function, args); err != nil {
		return nil, err
	}
	return c.await(ctx, answer)
}

func (c *Conn) await(ctx context.Context, answer <-chan any) (any, error) {
	select {
	case result := <-answer:
		return answered(result)
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-c.done:
	}
	select { // a function that stops the node answers before the connection ends
	case result := <-answer:
		return answered(result)
	default:
		return nil, c.err
	}
}

func answered(result any) (any, error) {
	if big, ok := result.(tooBig); ok {
		return nil, big.err
	}
	return result, nil
}

// CallOutput is like [Conn.Call] with this connection as group leader. While the function
// runs, its output and that of the processes that it starts is written to w as UTF-8, on
// the caller's goroutine. Reads from the group leader return eof.
//
// It returns when the function does. Later output fails with the error `terminated`, as
// after the end of any group leader. If w fails, CallOutput returns its error, and the
// function continues.
func (c *Conn) CallOutput(ctx context.Context, w io.Writer, module, function string, args ...any) (any, error) {
	mfa := FormatMFA(Atom(module), Atom(function), len(args))
	result, err := c.callOutput(ctx, w, module, function, args)
	if err != nil {
		return nil, fmt.Errorf("call %s on %s: %w", mfa, c.id.peer, err)
	}
	return c.result(mfa, result)
}

func (c *Conn) callOutput(ctx context.Context, w io.Writer, module, function string, args []any) (any, error) {
	self, ref, box := c.newPid(), c.newRef(), newInbox()
	c.boxes.open(self, box)
	defer c.closeMailbox(self)
	if err := c.request(ctx, self, ref, self, module, function, args); err != nil {
		return nil, err
	}
	leader := groupLeader{w: w, render: func(m, f string, args []any) (any, error) { return c.call(ctx, m, f, args) }}
	for {
		message, err := c.next(ctx, box)
		if err != nil {
			return nil, err
		}
		if big, ok := message.(tooBig); ok {
			if len(big.head) > 0 && (big.head[0] == any(ref) || big.head[0] == any(Atom("io_request"))) {
				return nil, big.err
			}
			continue
		}
		t, _ := message.(Tuple)
		switch {
		case len(t) == 2 && t[0] == any(ref):
			return t[1], nil
		case len(t) == 4 && t[0] == any(Atom("io_request")):
			reply, err := leader.request(t[3])
			if err != nil {
				return nil, fmt.Errorf("write output: %w", err)
			}
			if !c.remote(t[1]) {
				continue
			}
			if err := c.send(ctx, Tuple{ctlSend, Atom(""), t[1]}, Tuple{Atom("io_reply"), t[2], reply}); err != nil {
				return nil, err
			}
		}
	}
}

// request sends a request to the node's rpc server, `rex`, as rpc:call/4 does: a gen_server
// call with {call, M, F, A, GroupLeader}. The server starts a process for each request.
func (c *Conn) request(ctx context.Context, from Pid, ref Ref, leader any, module, function string, args []any) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if err := c.Err(); err != nil {
		return err
	}
	return c.send(ctx, Tuple{ctlRegSend, from, Atom(""), Atom("rex")},
		Tuple{Atom("$gen_call"), Tuple{from, ref}, Tuple{Atom("call"), Atom(module), Atom(function), List(args), leader}})
}

func (c *Conn) result(mfa string, result any) (any, error) {
	if t, ok := result.(Tuple); ok && len(t) == 2 && t[0] == any(Atom("badrpc")) {
		return nil, &RPCError{Node: c.Node(), MFA: mfa, Reason: c.redact(t[1])}
	}
	return result, nil
}

// replies is the mailbox for {Ref, Result}. It drops replies to calls that no longer wait.
type replies struct {
	mu      sync.Mutex
	pending map[Ref]chan<- any
}

func (r *replies) expect(ref Ref) <-chan any {
	answer := make(chan any, 1)
	r.mu.Lock()
	r.pending[ref] = answer
	r.mu.Unlock()
	return answer
}

func (r *replies) forget(ref Ref) {
	r.mu.Lock()
	delete(r.pending, ref)
	r.mu.Unlock()
}

func (r *replies) deliver(message any) {
	t, _ := message.(Tuple)
	big, exceeds := message.(tooBig)
	if exceeds && len(big.head) > 0 {
		t = Tuple{big.head[0], big}
	}
	if len(t) != 2 {
		return
	}
	ref, ok := t[0].(Ref)
	if !ok {
		return
	}
	r.mu.Lock()
	answer := r.pending[ref]
	delete(r.pending, ref) // a second answer must not block the reader
	r.mu.Unlock()
	if answer != nil {
		answer <- t[1]
	}
}
