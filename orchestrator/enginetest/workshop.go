package enginetest

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"

	"github.com/beamyard/beamyard/images"
)

// Start implements images.Engine. A workshop runs nothing: each command succeeds and
// prints an empty object, which as Mix's description of a project contains no
// information.
func (e *Engine) Start(_ context.Context, spec images.WorkshopSpec) (images.Workshop, error) {
	if err := e.fails("Start"); err != nil {
		return nil, err
	}
	return &workshop{e: e, from: spec.Image}, nil
}

type workshop struct {
	e    *Engine
	from images.Info
}

var _ images.Workshop = (*workshop)(nil)

// Write implements images.Workshop.
func (w *workshop) Write(_ context.Context, _ string, archive io.Reader) error {
	for tr := tar.NewReader(archive); ; {
		if _, err := tr.Next(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// Read implements images.Workshop: every folder is empty.
func (w *workshop) Read(context.Context, string) (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader("")), nil
}

// Run implements images.Workshop.
func (w *workshop) Run(_ context.Context, _ images.Command, stdout, _ io.Writer) (int, error) {
	_, err := fmt.Fprintln(stdout, "{}")
	return 0, err
}

// Commit implements images.Workshop.
func (w *workshop) Commit(_ context.Context, c images.Commit) (string, error) {
	labels := maps.Clone(w.from.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	maps.Copy(labels, c.Labels)
	return w.e.addImage(labels, c.Ref), nil
}

// Close implements images.Workshop.
func (w *workshop) Close() error { return nil }
