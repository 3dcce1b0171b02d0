package erldist

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// readBuffer is large enough for most messages, which are then decoded in place.
const readBuffer = 64 << 10

// Conn is a connection to one node, as a hidden node. Its methods are safe for concurrent
// use; replies to concurrent calls may arrive in any order.
type Conn struct {
	nc      net.Conn
	id      identity
	redact  func(term any) any // holds the cookie in a closure, which is never printed
	limits  Limits
	tick    time.Duration
	out     outbox
	boxes   mailboxes
	replies replies // the mailbox of self
	parsed  parsed
	self    Pid

	pids atomic.Uint32
	refs atomic.Uint64

	once sync.Once
	done chan struct{}
	err  error // set before done is closed
	wg   sync.WaitGroup
}

func newConn(nc net.Conn, r *bufio.Reader, id identity, set Dialer) *Conn {
	c := &Conn{nc: nc, id: id, redact: redactor{set.Cookie}.term, limits: set.Limits, tick: set.TickInterval, done: make(chan struct{})}
	c.out.wake = make(chan struct{}, 1)
	c.replies.pending = make(map[Ref]chan<- any)
	nc.SetDeadline(time.Time{})
	c.self = c.newPid()
	c.boxes.open(c.self, &c.replies)
	c.wg.Go(func() { c.fail(c.read(r)) })
	c.wg.Go(func() { c.fail(c.write()) })
	return c
}

// Node returns the name of the node at the other end.
func (c *Conn) Node() string { return string(c.id.peer) }

// Creation identifies the incarnation of the node: it differs between incarnations.
func (c *Conn) Creation() uint32 { return c.id.peerCreation }

// Flags returns the capabilities that the node announced.
func (c *Conn) Flags() Flags { return c.id.peerFlags }

// Self returns our own name: that of the [Dialer], or the one that the node assigned.
func (c *Conn) Self() string { return string(c.id.self) }

// Done returns a channel that is closed when the connection has ended for any reason.
func (c *Conn) Done() <-chan struct{} { return c.done }

// Err returns nil while the connection is open. Afterwards its error wraps [ErrClosed],
// and also [ErrTimeout] if the node stopped responding.
func (c *Conn) Err() error {
	select {
	case <-c.done:
		return c.err
	default:
		return nil
	}
}

// Close ends the connection and waits for its goroutines. Calls in progress return
// [ErrClosed]. Close may be called twice; the error is always nil.
func (c *Conn) Close() error {
	c.fail(ErrClosed)
	c.wg.Wait()
	return nil
}

// fail ends the connection. Only the first reason is kept.
func (c *Conn) fail(err error) {
	c.once.Do(func() {
		c.err = err
		close(c.done)
		c.nc.Close()
	})
}

// read is the reader goroutine: it passes each message to dispatch, which never blocks.
func (c *Conn) read(r *bufio.Reader) error {
	for {
		head, err := r.Peek(4)
		if err != nil {
			return c.lost(err)
		}
		n := int(binary.BigEndian.Uint32(head))
		_, _ = r.Discard(4) // cannot fail after Peek
		switch {
		case n == 0:
			// The answer satisfies a node whose net_ticktime is shorter than ours;
			// erl_interface does the same.
			c.out.tick()
			continue
		case n > c.limits.Bytes:
			if err := c.pass(r, n); err != nil {
				return err
			}
			continue
		}
		frame, err := peekOrRead(r, n)
		if err != nil {
			return c.lost(err)
		}
		if err := c.dispatch(frame); err != nil {
			return fmt.Errorf("%w: message from %s: %w", ErrClosed, c.id.peer, err)
		}
		if n <= readBuffer {
			_, _ = r.Discard(n) // cannot fail after Peek
		}
	}
}

// pass skips a message that is too big, and fails the call that waits for it.
func (c *Conn) pass(r *bufio.Reader, n int) error {
	head, err := r.Peek(min(n, readBuffer))
	if err != nil {
		return c.lost(err)
	}
	c.dispatchHead(head, fmt.Errorf("message of %d bytes: %w", n, ErrTooBig))
	if _, err := r.Discard(n); err != nil {
		return c.lost(err)
	}
	return nil
}

// peekOrRead returns n bytes. If they fit into r's own buffer, it returns a slice of that,
// which the caller discards.
func peekOrRead(r *bufio.Reader, n int) ([]byte, error) {
	if n <= readBuffer {
		return r.Peek(n)
	}
	b := make([]byte, n)
	_, err := io.ReadFull(r, b)
	return b, err
}

// write is the writer goroutine. It writes everything queued since the last write in one system
// call, or a tick if nothing was queued.
func (c *Conn) write() error {
	idle := time.NewTimer(c.tick)
	defer idle.Stop()
	for {
		select {
		case <-c.out.wake:
		case <-idle.C:
			c.out.tick()
		case <-c.done:
			return ErrClosed
		}
		batch := c.out.swap()
		if len(batch) == 0 {
			continue
		}
		c.nc.SetWriteDeadline(time.Now().Add(4 * c.tick))
		if _, err := c.nc.Write(batch); err != nil {
			return c.lost(err)
		}
		idle.Reset(c.tick)
	}
}

func (c *Conn) lost(err error) error {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("%w: %s is silent for %v: %w", ErrClosed, c.id.peer, 4*c.tick, ErrTimeout)
	case ended(err):
		return fmt.Errorf("%w: %s hung up", ErrClosed, c.id.peer)
	}
	return fmt.Errorf("%w: %w", ErrClosed, err)
}

const passThrough = 112

// frame encodes <<Length:32, 112, 131, Control, 131, Message>>; signals have no message.
func frame(control Tuple, message ...any) ([]byte, error) {
	b := append(make([]byte, 0, 256), 0, 0, 0, 0, passThrough)
	var err error
	for _, term := range append([]any{control}, message...) {
		if b, err = appendTerm(append(b, tagVersion), term); err != nil {
			return nil, err
		}
	}
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	return b, nil
}

// send queues a message. It waits if the node reads too slowly.
func (c *Conn) send(ctx context.Context, control Tuple, message ...any) error {
	b, err := frame(control, message...)
	if err != nil {
		return err
	}
	return c.out.put(ctx, c.done, b)
}

// signal queues a control message from the reader goroutine, which must not block.
func (c *Conn) signal(control Tuple) {
	if b, err := frame(control); err == nil {
		c.out.push(b)
	}
}

func (c *Conn) newPid() Pid {
	return Pid{Node: c.id.self, ID: c.pids.Add(1), Creation: c.id.creation}
}

func (c *Conn) newRef() Ref {
	n := c.refs.Add(1)
	// The first word stays below 18 bits, the limit of formats before V4_NC.
	return Ref{Node: c.id.self, Creation: c.id.creation, Len: 3, Words: [5]uint32{uint32(n & 0x3ffff), uint32(n >> 18), uint32(n >> 50)}}
}
