package docker

import (
	"context"
	"fmt"
	"io"

	"github.com/docker/docker/api/types/container"

	"github.com/beamyard/beamyard/orchestrator"
)

// AttachStdin implements orchestrator.Streams. It attaches only the input: an attached
// output that is not read would block the container.
func (e *Engine) AttachStdin(ctx context.Context, id string, in io.Reader) error {
	doing := "write to " + short(id)
	told, err := e.cli.ContainerInspect(ctx, id)
	switch {
	case err != nil:
		return e.failed(doing, err)
	case !told.State.Running:
		return fmt.Errorf("%s: %w", doing, orchestrator.ErrNotRunning)
	case !told.Config.OpenStdin: // otherwise the engine would accept and drop the input
		return fmt.Errorf("%s: %w", doing, orchestrator.ErrNoStdin)
	}
	stream, err := e.cli.ContainerAttach(ctx, id, container.AttachOptions{Stream: true, Stdin: true})
	if err != nil {
		return e.failed(doing, err)
	}
	defer stream.Close()
	taken := make(chan error, 1)
	go func() { // not waited for: a Read may block forever
		_, err := io.Copy(stream.Conn, in)
		if err == nil {
			err = stream.CloseWrite()
		}
		if err == nil { // the engine closes the connection when it has passed everything on
			_, err = io.Copy(io.Discard, stream.Reader)
		}
		taken <- err
	}()
	select {
	case err := <-taken:
		if err != nil {
			return fmt.Errorf("%s: %w", doing, err)
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
