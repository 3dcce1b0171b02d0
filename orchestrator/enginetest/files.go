package enginetest

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
)

// kept is a file in a container or a volume. It is kept over the container's runs.
type kept struct {
	content  []byte
	modified time.Time
}

// WriteFile writes a file in the container.
func (p *Process) WriteFile(path string, content []byte) {
	c := p.out[0].c
	p.out[0].e.mu.Lock()
	defer p.out[0].e.mu.Unlock()
	files, name := p.out[0].e.place(c, path)
	files[name] = kept{bytes.Clone(content), p.out[0].e.now()}
}

// OpenFile implements orchestrator.Containers.
func (e *Engine) OpenFile(_ context.Context, id, name string) (io.ReadCloser, time.Time, error) {
	if err := e.fails("OpenFile"); err != nil {
		return nil, time.Time{}, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	c, err := e.find(id)
	if err != nil {
		return nil, time.Time{}, err
	}
	files, below := e.place(c, name)
	f, ok := files[below]
	if !ok {
		for other := range files {
			if strings.HasPrefix(other, below+"/") {
				return nil, time.Time{}, fmt.Errorf("open %s of %s: %w: %w", name, c.spec.Name, orchestrator.ErrNotFound, orchestrator.ErrNoRegularFile)
			}
		}
		return nil, time.Time{}, fmt.Errorf("open %s of %s: %w", name, c.spec.Name, orchestrator.ErrNotFound)
	}
	return io.NopCloser(bytes.NewReader(f.content)), f.modified, nil
}

// WriteFiles implements orchestrator.Containers. Folders and links are not stored.
func (e *Engine) WriteFiles(_ context.Context, id string, archive io.Reader) error {
	if err := e.fails("WriteFiles"); err != nil {
		return err
	}
	written := map[string]kept{}
	for entries := tar.NewReader(archive); ; {
		header, err := entries.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("write files: %w", err)
		}
		content, err := io.ReadAll(entries)
		if err != nil {
			return fmt.Errorf("write files: %w", err)
		}
		if header.Typeflag == tar.TypeReg {
			written[path.Join("/", header.Name)] = kept{content, header.ModTime}
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	c, err := e.find(id)
	if err != nil {
		return err
	}
	for path, f := range written {
		files, name := e.place(c, path)
		files[name] = f
	}
	return nil
}
