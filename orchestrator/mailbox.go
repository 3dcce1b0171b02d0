package orchestrator

import "sync"

// mailbox is what a goroutine that owns state is spoken to through. It is
// unbounded: the owner both reads it and starts the work that posts to it, so
// a bounded one could deadlock; its length is bounded by the work under way.
type mailbox struct {
	mu     sync.Mutex
	queue  []message
	signal chan struct{} // holds one token while the queue may be non-empty
}

func newMailbox() *mailbox { return &mailbox{signal: make(chan struct{}, 1)} }

func (b *mailbox) post(m message) {
	b.mu.Lock()
	b.queue = append(b.queue, m)
	b.mu.Unlock()
	select {
	case b.signal <- struct{}{}:
	default:
	}
}

// take returns all that has come, in order.
func (b *mailbox) take() []message {
	b.mu.Lock()
	defer b.mu.Unlock()
	queue := b.queue
	b.queue = nil
	return queue
}
