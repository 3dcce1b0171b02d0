package enginetest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/beamyard/beamyard/images"
)

// saved is an image in the stream between two engines.
type saved struct {
	Info images.Info
	Refs []string
}

// SaveImage streams an image and all its references, for LoadImage.
func (e *Engine) SaveImage(_ context.Context, ref string) (io.ReadCloser, error) {
	if err := e.fails("SaveImage"); err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	info, ok := e.images[ref]
	if !ok {
		return nil, fmt.Errorf("save image %s: %w", ref, images.ErrNotFound)
	}
	out := saved{Info: info}
	for other, i := range e.images {
		if i.ID == info.ID {
			out.Refs = append(out.Refs, other)
		}
	}
	data, err := json.Marshal(out)
	return io.NopCloser(bytes.NewReader(data)), err
}

// LoadImage adds the image of a stream from SaveImage.
func (e *Engine) LoadImage(_ context.Context, archive io.Reader) error {
	if err := e.fails("LoadImage"); err != nil {
		return err
	}
	var in saved
	if err := json.NewDecoder(archive).Decode(&in); err != nil {
		return fmt.Errorf("load image: %w", err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, ref := range in.Refs {
		e.images[ref] = in.Info
	}
	return nil
}
