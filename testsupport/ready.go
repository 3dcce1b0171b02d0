package testsupport

import (
	"context"
	"fmt"

	"github.com/testcontainers/testcontainers-go"

	"github.com/beamyard/beamyard/orchestrator"
)

// begun performs testcontainers' steps after a start for a node that is Ready for the first
// time: it connects the log consumers, waits for the user's strategy, and calls the hooks.
func (n *Node) begun(ctx context.Context, a after) error {
	for _, consumer := range a.consumers {
		n.consume(consumer)
	}
	for _, h := range a.hooks {
		if err := h.Started(ctx)(n); err != nil {
			return fmt.Errorf("%s: started hook: %w", n, err)
		}
	}
	if a.strategy != nil {
		if err := a.strategy.WaitUntilReady(ctx, n); err != nil {
			return fmt.Errorf("%s: wait for %s: %w", n, described(a.strategy), err)
		}
	}
	for _, h := range a.hooks {
		if err := h.Readied(ctx)(n); err != nil {
			return fmt.Errorf("%s: readied hook: %w", n, err)
		}
	}
	return nil
}

func described(s waitStrategy) string {
	if text, ok := s.(fmt.Stringer); ok {
		return text.String()
	}
	return fmt.Sprintf("%T", s)
}

// consume passes the node's output to a consumer, from the first kept line until the cluster
// ends.
func (n *Node) consume(consumer testcontainers.LogConsumer) {
	if n.cluster.core == nil {
		return
	}
	output, err := n.cluster.core.Output(n.name)
	if err != nil {
		return // an unknown node has no output
	}
	go func() {
		_ = output.Read(context.Background(), orchestrator.LogQuery{Follow: true}, func(l orchestrator.Line) error { // ends with the cluster
			switch l.Stream {
			case orchestrator.Stdout:
				consumer.Accept(testcontainers.Log{LogType: testcontainers.StdoutLog, Content: []byte(l.Text + "\n")})
			case orchestrator.Stderr:
				consumer.Accept(testcontainers.Log{LogType: testcontainers.StderrLog, Content: []byte(l.Text + "\n")})
			case orchestrator.StreamSystem: // Beamyard's own messages
			}
			return nil
		})
	}()
}
