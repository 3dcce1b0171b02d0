package erldist

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// This file lets processes of the node call this side as they call a gen_server.

// Handler answers one request. The reply is any term that [Encode] accepts. ctx ends when the
// caller gives up or dies, when the connection ends, and when [Conn.Serve] is to return.
type Handler func(ctx context.Context, request any) (reply any)

const (
	maxServing = 16   // requests that one server handles at once
	maxQueued  = 1000 // requests that wait for that
)

// Serve registers a name on this side, and answers the calls to it that processes of the node
// make: GenServer.call({:name, node}, request), where node is [Conn.Self]. Casts are handled
// too, and their replies dropped; other messages are ignored. At most 16 requests are handled
// at once, and 1000 wait. The caller of a request beyond that, of one that exceeds [Limits], or
// of one whose reply cannot be encoded gets an exit instead of a reply: system_limit,
// message_too_large or bad_reply.
//
// Serve blocks until ctx or the connection ends, and until its handlers have returned. It
// returns the error of the one that ended. A name that is registered already is an error.
// Processes that monitor the name get a DOWN message when Serve returns.
func (c *Conn) Serve(ctx context.Context, name string, handle Handler) error {
	s := &server{conn: c, name: Atom(name), queue: make(chan served, maxQueued), calls: map[Ref]context.CancelFunc{}}
	if !c.boxes.register(s.name, s) {
		return fmt.Errorf("serve %s: the name is registered already", name)
	}
	serving, cancel := context.WithCancel(ctx)
	var workers sync.WaitGroup
	for range maxServing {
		workers.Go(func() { s.work(serving, handle) })
	}
	select {
	case <-ctx.Done():
	case <-c.done:
	}
	cancel()
	workers.Wait()
	c.closeMailbox(s.name)
	if err := c.Err(); err != nil {
		return err
	}
	return context.Cause(ctx)
}

// server is the mailbox of a registered name.
type server struct {
	conn  *Conn
	name  Atom
	queue chan served

	mu    sync.Mutex
	calls map[Ref]context.CancelFunc // those that are being handled, by the callers' monitors
}

// served is one request. A cast has no sender.
type served struct {
	from      Pid
	tag       any
	monitor   Ref  // of the caller, on our name; its zero value without one
	monitored bool // it was there when the request came
	request   any
	cast      bool
}

// deliver runs on the reader goroutine.
func (s *server) deliver(message any) {
	r, err := s.conn.requestOf(message)
	if r == nil {
		return
	}
	r.monitored = s.conn.boxes.watched(s.name, r.monitor)
	if err != nil {
		s.refuse(*r, "message_too_large")
		return
	}
	select {
	case s.queue <- *r:
	default:
		s.refuse(*r, "system_limit")
	}
}

// requestOf reads {'$gen_call', {From, Tag}, Request} and {'$gen_cast', Request}. It returns nil
// for any other message, and an error for a call that is too big.
func (c *Conn) requestOf(message any) (*served, error) {
	var err error
	if big, ok := message.(tooBig); ok && len(big.head) > 1 {
		message, err = Tuple{big.head[0], big.head[1], nil}, big.err
	}
	t, _ := message.(Tuple)
	switch {
	case len(t) == 2 && t[0] == any(Atom("$gen_cast")) && err == nil:
		return &served{request: t[1], cast: true}, nil
	case len(t) != 3 || t[0] != any(Atom("$gen_call")):
		return nil, nil
	}
	sender, _ := t[1].(Tuple)
	if len(sender) != 2 || !c.remote(sender[0]) {
		return nil, nil
	}
	r := &served{from: sender[0].(Pid), tag: sender[1], request: t[2]}
	if alias, ok := aliasOf(r.tag); ok {
		r.monitor = alias
	} else {
		r.monitor, _ = r.tag.(Ref)
	}
	return r, err
}

// aliasOf returns the alias of a tag of gen: [alias | Ref], or [[alias | Ref] | More].
func aliasOf(tag any) (Ref, bool) {
	l, _ := tag.(ImproperList)
	if len(l.Elems) != 1 {
		return Ref{}, false
	}
	if l.Elems[0] != any(Atom("alias")) {
		inner, ok := l.Elems[0].(ImproperList)
		if !ok {
			return Ref{}, false
		}
		return aliasOf(inner)
	}
	ref, ok := l.Tail.(Ref)
	return ref, ok
}

// work handles requests, one at a time.
func (s *server) work(ctx context.Context, handle Handler) {
	for {
		select {
		case <-ctx.Done():
			return
		case r := <-s.queue:
			s.serve(ctx, handle, r)
		}
	}
}

func (s *server) serve(ctx context.Context, handle Handler, r served) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if r.monitored {
		s.mu.Lock()
		s.calls[r.monitor] = cancel
		s.mu.Unlock()
		defer func() {
			s.mu.Lock()
			delete(s.calls, r.monitor)
			s.mu.Unlock()
		}()
		if !s.conn.boxes.watched(s.name, r.monitor) {
			return // it has given up
		}
	}
	reply := handle(ctx, r.request)
	if r.cast || ctx.Err() != nil {
		return
	}
	if err := s.conn.reply(ctx, r, reply); err != nil && ctx.Err() == nil && !errors.Is(err, ErrClosed) {
		s.refuse(r, "bad_reply")
	}
}

// abandoned ends the handling of a request whose caller has removed its monitor.
func (s *server) abandoned(monitor Ref) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if cancel := s.calls[monitor]; cancel != nil {
		cancel()
	}
}

// refuse ends a call without a reply: the caller's monitor reports the reason.
func (s *server) refuse(r served, reason Atom) {
	if r.monitored {
		s.conn.boxes.unwatch(s.name, r.monitor)
		s.conn.signal(Tuple{ctlMonitorExit, s.name, r.from, r.monitor, reason})
	}
}

// flagAlias is the capability to receive messages that are sent to an alias.
const flagAlias Flags = 1 << 35

// reply answers a call. Once the caller has given up, its alias is inactive, and the node drops
// the reply.
func (c *Conn) reply(ctx context.Context, r served, reply any) error {
	control := Tuple{ctlSend, Atom(""), r.from}
	if alias, ok := aliasOf(r.tag); ok && alias.Node == c.id.peer && c.id.peerFlags&flagAlias != 0 {
		control = Tuple{ctlAliasSend, c.self, alias}
	}
	return c.send(ctx, control, Tuple{r.tag, reply})
}
