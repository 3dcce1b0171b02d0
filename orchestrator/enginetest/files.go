package enginetest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
)

// kept is a file in a container. It stays over the container's runs.
type kept struct {
	content  []byte
	modified time.Time
}

// WriteFile puts a file into the container.
func (p *Process) WriteFile(path string, content []byte) {
	c := p.out[0].c
	p.out[0].e.mu.Lock()
	defer p.out[0].e.mu.Unlock()
	if c.files == nil {
		c.files = map[string]kept{}
	}
	c.files[path] = kept{bytes.Clone(content), p.out[0].e.now()}
}

// OpenFile implements orchestrator.Containers.
func (e *Engine) OpenFile(_ context.Context, id, path string) (io.ReadCloser, time.Time, error) {
	if err := e.fails("OpenFile"); err != nil {
		return nil, time.Time{}, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	c, err := e.find(id)
	if err != nil {
		return nil, time.Time{}, err
	}
	f, ok := c.files[path]
	if !ok {
		return nil, time.Time{}, fmt.Errorf("open %s of %s: %w", path, c.spec.Name, orchestrator.ErrNotFound)
	}
	return io.NopCloser(bytes.NewReader(f.content)), f.modified, nil
}
