package cluster

import (
	"sync"

	"github.com/beamyard/beamyard/orchestrator/internal/supervisor"
)

// mailbox receives the messages for a goroutine that owns state. It is unbounded: the
// owner both reads it and starts the work that posts to it, so a bounded one could
// deadlock. Its length is bounded by the work in progress.
type mailbox struct {
	mu     sync.Mutex
	queue  []supervisor.Message
	signal chan struct{} // holds one token while the queue may be non-empty
}

func newMailbox() *mailbox { return &mailbox{signal: make(chan struct{}, 1)} }

func (b *mailbox) post(m supervisor.Message) {
	b.mu.Lock()
	b.queue = append(b.queue, m)
	b.mu.Unlock()
	select {
	case b.signal <- struct{}{}:
	default:
	}
}

// take returns all messages received so far, in order.
func (b *mailbox) take() []supervisor.Message {
	b.mu.Lock()
	defer b.mu.Unlock()
	queue := b.queue
	b.queue = nil
	return queue
}
