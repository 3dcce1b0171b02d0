package docker

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"

	"github.com/beamyard/beamyard/orchestrator"
)

// actions are the events that are asked for: whatever else happens to a
// container stays off the wire.
var actions = []events.Action{
	events.ActionCreate, events.ActionStart, events.ActionDie, events.ActionKill, events.ActionStop,
	events.ActionOOM, events.ActionPause, events.ActionUnPause, events.ActionDestroy,
}

// Events implements orchestrator.Streams: GET /events. The client returns from
// its call once the engine has answered with its headers, and the engine
// subscribes before it answers.
func (e *Engine) Events(ctx context.Context, since time.Time, labels map[string]string, ready func(), fn func(orchestrator.ContainerEvent)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	query := labelled(labels)
	query.Add("type", string(events.ContainerEventType))
	for _, a := range actions {
		query.Add("event", string(a))
	}
	options := events.ListOptions{Filters: query}
	if !since.IsZero() {
		options.Since = stamp(since)
	}
	messages, errs := e.cli.Events(ctx, options)
	select {
	case err := <-errs:
		return e.broke(ctx, err)
	default:
		ready()
	}
	for {
		select {
		case m := <-messages:
			fn(heard(m))
		case err := <-errs:
			return e.broke(ctx, err)
		}
	}
}

func (e *Engine) broke(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err == nil {
		err = io.EOF
	}
	return e.failed("read events", fmt.Errorf("the stream ended: %w", err))
}

// Logs implements orchestrator.Streams: GET /containers/{id}/logs.
func (e *Engine) Logs(ctx context.Context, id string, since time.Time, follow bool) (io.ReadCloser, error) {
	options := container.LogsOptions{ShowStdout: true, ShowStderr: true, Timestamps: true, Follow: follow}
	if !since.IsZero() {
		options.Since = stamp(since)
	}
	body, err := e.cli.ContainerLogs(ctx, id, options)
	if err != nil {
		return nil, e.failed("read the logs of "+short(id), err)
	}
	return body, nil
}

// stamp is a time as the engine reads it: "seconds.nanoseconds".
func stamp(t time.Time) string { return fmt.Sprintf("%d.%09d", t.Unix(), t.Nanosecond()) }
