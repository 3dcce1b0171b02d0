package erldist

import (
	"context"
	"sync"
)

// outboxLimit is the size of the queue beyond which senders wait; the reader's short signals
// are always queued.
const outboxLimit = 4 << 20

// outbox collects frames for the writer goroutine. It swaps two buffers: one is filled while
// the other is written, so no lock is held during I/O and a burst of calls costs one system
// call.
type outbox struct {
	mu          sync.Mutex
	buf, writes []byte
	wake        chan struct{} // capacity 1
	room        chan struct{} // not nil while a sender waits; closed by swap
}

func (o *outbox) put(ctx context.Context, done <-chan struct{}, frame []byte) error {
	for {
		o.mu.Lock()
		if len(o.buf) < outboxLimit {
			o.append(frame)
			o.mu.Unlock()
			return nil
		}
		if o.room == nil {
			o.room = make(chan struct{})
		}
		room := o.room
		o.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-done:
			return ErrClosed
		}
	}
}

func (o *outbox) push(frame []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.append(frame)
}

// tick queues an empty frame, unless other data is queued.
func (o *outbox) tick() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.buf) == 0 {
		o.append([]byte{0, 0, 0, 0})
	}
}

func (o *outbox) append(frame []byte) {
	o.buf = append(o.buf, frame...)
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// swap returns the queued data, which stays valid until the next swap.
func (o *outbox) swap() []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.buf, o.writes = o.writes[:0], o.buf
	if cap(o.buf) > 2*outboxLimit { // one large message must not keep its memory
		o.buf = nil
	}
	if o.room != nil {
		close(o.room)
		o.room = nil
	}
	return o.writes
}
