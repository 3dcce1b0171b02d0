package hosts

import (
	"context"
	"io"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
)

// Logs implements orchestrator.Streams.
func (e *Engine) Logs(ctx context.Context, id string, since time.Time, follow bool) (r orchestrator.LogReader, err error) {
	err = e.on(ctx, id, func(h *host) error {
		ahead, err := h.offset(ctx)
		if err != nil {
			return err
		}
		reader, err := h.Logs(ctx, id, theirs(since, ahead), follow)
		r = &logReader{reader, ahead}
		return err
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

// logReader converts the times of a host's output.
type logReader struct {
	orchestrator.LogReader
	ahead time.Duration
}

// Next implements orchestrator.LogReader.
func (r *logReader) Next() (orchestrator.LogPart, error) {
	part, err := r.LogReader.Next()
	part.Time = ours(part.Time, r.ahead)
	return part, err
}

// Exec implements orchestrator.Streams.
func (e *Engine) Exec(ctx context.Context, id string, spec orchestrator.ExecSpec) (code int, err error) {
	err = e.on(ctx, id, func(h *host) error {
		code, err = h.Exec(ctx, id, spec)
		return err
	})
	return code, err
}

// AttachStdin implements orchestrator.Streams.
func (e *Engine) AttachStdin(ctx context.Context, id string, in io.Reader) error {
	return e.on(ctx, id, func(h *host) error { return h.AttachStdin(ctx, id, in) })
}
