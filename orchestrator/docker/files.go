package docker

import (
	"archive/tar"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/beamyard/beamyard/orchestrator"
)

// OpenFile implements orchestrator.Containers: GET /containers/{id}/archive, which
// returns a tar file that contains the one file.
func (e *Engine) OpenFile(ctx context.Context, id, path string) (io.ReadCloser, time.Time, error) {
	doing := "read " + path + " of " + short(id)
	body, stat, err := e.cli.CopyFromContainer(ctx, id, path)
	if err != nil {
		return nil, time.Time{}, e.failed(doing, err)
	}
	archive := tar.NewReader(body)
	header, err := archive.Next()
	if err == nil && header.Typeflag != tar.TypeReg {
		err = fmt.Errorf("%w: %w", orchestrator.ErrNotFound, orchestrator.ErrNoRegularFile)
	}
	if err != nil {
		body.Close()
		return nil, time.Time{}, fmt.Errorf("%s: %w", doing, err)
	}
	return file{archive, body}, stat.Mtime, nil
}

// Archive returns a folder of a container as a tar stream: see package volume.
func (e *Engine) Archive(ctx context.Context, id, path string) (io.ReadCloser, error) {
	body, _, err := e.cli.CopyFromContainer(ctx, id, path)
	if err != nil {
		return nil, e.failed("read "+path+" of "+short(id), err)
	}
	return body, nil
}

// file reads from the archive and closes the connection.
type file struct {
	io.Reader
	io.Closer
}

// WriteFiles implements orchestrator.Containers: PUT /containers/{id}/archive. It does
// not set copyUIDGID, whose name is misleading: with it the engine gives every file to
// the container's user, which it looks up among the users of the engine's own machine.
func (e *Engine) WriteFiles(ctx context.Context, id string, archive io.Reader) error {
	return e.failed("write into "+short(id), e.cli.CopyToContainer(ctx, id, "/", archive, container.CopyToContainerOptions{}))
}
