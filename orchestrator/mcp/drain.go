package mcp

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// drainTime is how long requests may take to be answered after the assistant has closed its end.
const drainTime = 30 * time.Second

// drained is a transport whose requests are answered although the assistant closed its end after
// the last one: `beamyard mcp < requests`. The library drops what is in progress.
type drained struct{ sdk.Transport }

// Connect implements [sdk.Transport].
func (t drained) Connect(ctx context.Context) (sdk.Connection, error) {
	c, err := t.Transport.Connect(ctx)
	if err != nil {
		return nil, err
	}
	d := &draining{Connection: c, idle: make(chan struct{}), closed: make(chan struct{})}
	close(d.idle)
	return d, nil
}

type draining struct {
	sdk.Connection

	once   sync.Once
	closed chan struct{}

	mu      sync.Mutex
	pending map[jsonrpc.ID]bool
	idle    chan struct{} // closed while nothing is pending
}

// Read implements [sdk.Connection].
func (d *draining) Read(ctx context.Context) (jsonrpc.Message, error) {
	m, err := d.Connection.Read(ctx)
	if r, ok := m.(*jsonrpc.Request); ok && err == nil && r.IsCall() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if len(d.pending) == 0 {
			d.pending, d.idle = map[jsonrpc.ID]bool{}, make(chan struct{})
		}
		d.pending[r.ID] = true
	}
	if errors.Is(err, io.EOF) {
		d.mu.Lock()
		idle := d.idle
		d.mu.Unlock()
		select {
		case <-idle:
		case <-d.closed:
		case <-ctx.Done():
		case <-time.After(drainTime):
		}
	}
	return m, err
}

// Write implements [sdk.Connection].
func (d *draining) Write(ctx context.Context, m jsonrpc.Message) error {
	err := d.Connection.Write(ctx, m)
	if r, ok := m.(*jsonrpc.Response); ok {
		d.mu.Lock()
		defer d.mu.Unlock()
		if delete(d.pending, r.ID); len(d.pending) == 0 {
			select {
			case <-d.idle:
			default:
				close(d.idle)
			}
		}
	}
	return err
}

// Close implements [sdk.Connection].
func (d *draining) Close() error {
	d.once.Do(func() { close(d.closed) })
	return d.Connection.Close()
}
