package erldist

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
)

// Control messages that we send or handle; all others are ignored.
const (
	ctlSend         = 2  // {2, Unused, ToPid}, message
	ctlRegSend      = 6  // {6, FromPid, Unused, ToName}, message
	ctlSendTT       = 12 // {12, Unused, ToPid, TraceToken}, message
	ctlRegSendTT    = 16 // {16, FromPid, Unused, ToName, TraceToken}, message
	ctlMonitor      = 19 // {19, FromPid, ToProc, Ref}
	ctlDemonitor    = 20 // {20, FromPid, ToProc, Ref}
	ctlMonitorExit  = 21 // {21, FromProc, ToPid, Ref, Reason}
	ctlSendSender   = 22 // {22, FromPid, ToPid}, message
	ctlSendSenderTT = 23 // {23, FromPid, ToPid, TraceToken}, message
	ctlAliasSend    = 33 // {33, FromPid, Alias}, message
)

// mailbox is a process of this side as the node sees it. deliver runs on the reader goroutine
// and must not block.
type mailbox interface{ deliver(message any) }

// mailboxes holds our processes by address, a Pid or a registered name (Atom), and the node's
// processes that monitor them. The zero value is ready to use.
type mailboxes struct {
	mu       sync.Mutex
	boxes    map[any]mailbox
	watchers map[any]map[Ref]Pid
}

func (m *mailboxes) open(address any, box mailbox) { m.register(address, box) }

// register opens a mailbox. It returns false if the address has one already.
func (m *mailboxes) register(address any, box mailbox) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.boxes == nil {
		m.boxes, m.watchers = make(map[any]mailbox), make(map[any]map[Ref]Pid)
	}
	if m.boxes[address] != nil {
		return false
	}
	m.boxes[address] = box
	return true
}

// close removes a mailbox and returns the processes that monitored it.
func (m *mailboxes) close(address any) map[Ref]Pid {
	m.mu.Lock()
	defer m.mu.Unlock()
	watchers := maps.Clone(m.watchers[address])
	delete(m.boxes, address)
	delete(m.watchers, address)
	return watchers
}

// deliver drops messages to unknown addresses, as a node does.
func (m *mailboxes) deliver(address, message any) {
	m.mu.Lock()
	var box mailbox
	if isAddress(address) {
		box = m.boxes[address]
	}
	m.mu.Unlock()
	if box != nil {
		box.deliver(message)
	}
}

// watch returns false if the address is unknown.
func (m *mailboxes) watch(address any, ref Ref, by Pid) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.boxes[address] == nil {
		return false
	}
	if m.watchers[address] == nil {
		m.watchers[address] = make(map[Ref]Pid)
	}
	m.watchers[address][ref] = by
	return true
}

// unwatch forgets a monitor. It returns the mailbox that was monitored, if there is one.
func (m *mailboxes) unwatch(address any, ref Ref) mailbox {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !isAddress(address) {
		return nil
	}
	delete(m.watchers[address], ref)
	return m.boxes[address]
}

// watched reports whether a process monitors an address with this reference.
func (m *mailboxes) watched(address any, ref Ref) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, ok := m.watchers[address][ref]
	return ok
}

// isAddress protects the maps: other terms may not be comparable.
func isAddress(term any) bool {
	switch term.(type) {
	case Pid, Atom:
		return true
	}
	return false
}

// tooBig replaces a message that exceeds the limits. head holds those of the first elements of
// its tuple that could be decoded.
type tooBig struct {
	head Tuple
	err  error
}

// dispatch handles one frame. An error means that the connection is out of step with the
// protocol.
func (c *Conn) dispatch(frame []byte) error {
	control, rest, err := controlOf(frame, c.limits)
	if err != nil {
		return err
	}
	to, carries := c.control(control)
	if !carries {
		return nil
	}
	message, err := DecodeWith(rest, c.limits)
	if errors.Is(err, ErrTooBig) {
		message, err = tooBig{headOf(rest), err}, nil
	}
	if err != nil {
		return err
	}
	c.boxes.deliver(to, message)
	return nil
}

// dispatchHead handles the beginning of a frame that is too big. A frame whose control message
// alone is too big, for example because of an exit reason, is dropped.
func (c *Conn) dispatchHead(head []byte, why error) {
	control, rest, err := controlOf(head, c.limits)
	if err != nil {
		return
	}
	if to, carries := c.control(control); carries {
		c.boxes.deliver(to, tooBig{headOf(rest), why})
	}
}

// controlOf decodes the control message of a frame, and returns the bytes that follow it.
func controlOf(frame []byte, limits Limits) (control Tuple, rest []byte, err error) {
	if frame[0] != passThrough {
		return nil, nil, fmt.Errorf("%w: message type %d", ErrProtocol, frame[0])
	}
	limits.Bytes = max(limits.Bytes, len(frame))
	term, rest, err := decodePrefix(frame[1:], limits)
	if err != nil {
		return nil, nil, err
	}
	if control, _ = term.(Tuple); len(control) == 0 {
		return nil, nil, fmt.Errorf("%w: no control message", ErrProtocol)
	}
	return control, rest, nil
}

// headOf returns the first elements of a small tuple that can be decoded: they distinguish a
// reply from a request.
func headOf(message []byte) Tuple {
	const header = 3 // version, tag, arity
	if len(message) < header || message[0] != tagVersion || message[1] != tagSmallTuple {
		return nil
	}
	d := &decoder{buf: message[header:], depth: 10}
	var head Tuple
	for range min(int(message[2]), 3) {
		term := d.term()
		if d.err != nil {
			break
		}
		head = append(head, term)
	}
	return head
}

// control handles a control message. If a message follows it, carries is true and to is the
// address of its receiver.
func (c *Conn) control(control Tuple) (to any, carries bool) {
	arg := func(i int) any {
		if i < len(control) {
			return control[i]
		}
		return nil
	}
	switch op, _ := control[0].(int64); op {
	case ctlSend, ctlSendTT, ctlSendSender, ctlSendSenderTT:
		return arg(2), true
	case ctlRegSend, ctlRegSendTT:
		return arg(3), true
	case ctlMonitor:
		c.monitored(arg(1), arg(2), arg(3))
	case ctlDemonitor:
		if ref, ok := arg(3).(Ref); ok {
			if s, serves := c.boxes.unwatch(arg(2), ref).(*server); serves {
				s.abandoned(ref)
			}
		}
	case ctlMonitorExit: // the same message that a monitoring process gets
		c.boxes.deliver(arg(2), Tuple{Atom("DOWN"), arg(3), Atom("process"), arg(1), arg(4)})
	}
	return nil, false
}

// monitored records the process that monitors a mailbox. io:format/2 and similar functions
// monitor the group leader: without an answer for a closed mailbox, a process that still prints
// to it would wait forever.
func (c *Conn) monitored(from, to, ref any) {
	r, ok := ref.(Ref)
	if !ok || !isAddress(to) || !c.remote(from) {
		return
	}
	if !c.boxes.watch(to, r, from.(Pid)) {
		c.signal(Tuple{ctlMonitorExit, to, from, r, Atom("noproc")})
	}
}

// remote reports whether a term is a process of the node. A signal to anything else would make
// the node drop the connection.
func (c *Conn) remote(term any) bool {
	pid, ok := term.(Pid)
	return ok && pid.Node == c.id.peer
}

// closeMailbox ends one of our processes, or frees a registered name, and notifies the processes
// that monitor it.
func (c *Conn) closeMailbox(address any) {
	for ref, watcher := range c.boxes.close(address) {
		c.signal(Tuple{ctlMonitorExit, address, watcher, ref, Atom("normal")})
	}
}

// inbox is a mailbox that keeps its messages until they are requested. It needs no limit: a
// process that prints waits for our answer before it prints again.
type inbox struct {
	mu    sync.Mutex
	queue []any
	wake  chan struct{} // capacity 1
}

func newInbox() *inbox { return &inbox{wake: make(chan struct{}, 1)} }

func (b *inbox) deliver(message any) {
	b.mu.Lock()
	b.queue = append(b.queue, message)
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

func (b *inbox) pop() (any, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.queue) == 0 {
		return nil, false
	}
	m := b.queue[0]
	b.queue = b.queue[1:]
	return m, true
}

// next waits for a message. Messages that arrived before the end of the connection are still
// delivered, hence the last check after it.
func (c *Conn) next(ctx context.Context, b *inbox) (any, error) {
	for ended := false; ; {
		if m, ok := b.pop(); ok {
			return m, nil
		}
		if ended {
			return nil, c.err
		}
		select {
		case <-b.wake:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-c.done:
			ended = true
		}
	}
}
