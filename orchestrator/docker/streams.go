package docker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/client"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/docker/frames"
)

// actions are the requested events: other events of a container are not sent.
var actions = []events.Action{
	events.ActionCreate, events.ActionStart, events.ActionDie, events.ActionKill, events.ActionStop,
	events.ActionOOM, events.ActionPause, events.ActionUnPause, events.ActionDestroy,
	actionDied,
}

// actionDied is Podman's word for a die: before 4.4 its filter accepts no other one, whichever
// it then sends (podman#16857, podman#12628).
const actionDied events.Action = "died"

// Events implements orchestrator.Streams: GET /events.
//
// The engine sends its response headers before it subscribes (getEvents in moby's
// api/server/router/system), so a stream without a start time can miss events in between.
// A stream with a start time cannot: the stored events are copied and the subscription is
// made under one lock (SubscribeTopic in moby's daemon/events). So Events replaces "now"
// with the current time of the engine's own clock.
func (e *Engine) Events(ctx context.Context, since time.Time, labels map[string]string, ready func(), fn func(orchestrator.ContainerEvent)) error {
	if since.IsZero() {
		now, err := e.now(ctx)
		if err != nil {
			return e.failed("read events", err)
		}
		since = now
	}
	body, err := e.subscribe(ctx, since, labels)
	if err != nil {
		return e.broke(ctx, err)
	}
	defer body.Close()
	ready()
	for dec := json.NewDecoder(body); ; {
		var m events.Message
		if err := dec.Decode(&m); err != nil {
			return e.broke(ctx, fmt.Errorf("the stream ended: %w", err))
		}
		fn(heard(m))
	}
}

// now returns a time of the engine's clock after now was called. It asks twice: newer engines
// give one answer to all simultaneous requests (getInfo in moby's daemon/server/router/system),
// so the first may be to an earlier request.
func (e *Engine) now(ctx context.Context) (time.Time, error) {
	if _, err := e.cli.Info(ctx); err != nil {
		return time.Time{}, err
	}
	info, err := e.cli.Info(ctx)
	return systemTime(info), err
}

func (e *Engine) broke(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return e.failed("read events", err)
}

// subscribe opens the event stream. The client's own Events returns before it reports a
// refusal, too early for a reliable ready, and reads ahead with its own goroutine.
func (e *Engine) subscribe(ctx context.Context, since time.Time, labels map[string]string) (io.ReadCloser, error) {
	wanted := labelled(labels)
	wanted.Add("type", string(events.ContainerEventType))
	for _, a := range actions {
		wanted.Add("event", string(a))
	}
	filter, err := filters.ToJSON(wanted)
	if err != nil {
		return nil, err
	}
	query := url.Values{"since": {stamp(since)}, "filters": {filter}}
	e.cli.NegotiateAPIVersion(ctx)
	address := "http://" + client.DummyHost + "/v" + e.cli.ClientVersion() + "/events?" + query.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	resp, err := e.raw.Do(req)
	if u := (*url.Error)(nil); errors.As(err, &u) {
		err = u.Err // without the address, which is long and adds nothing
	}
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 4<<10)) // the status alone is an error
		return nil, fmt.Errorf("the engine answers %s: %s", resp.Status, strings.TrimSpace(string(text)))
	}
	return resp.Body, nil
}

// Logs implements orchestrator.Streams: GET /containers/{id}/logs.
func (e *Engine) Logs(ctx context.Context, id string, since time.Time, follow bool) (orchestrator.LogReader, error) {
	options := container.LogsOptions{ShowStdout: true, ShowStderr: true, Timestamps: true, Follow: follow}
	if !since.IsZero() {
		options.Since = stamp(since)
	}
	body, err := e.cli.ContainerLogs(ctx, id, options)
	if err != nil {
		return nil, e.failed("read the logs of "+short(id), err)
	}
	return frames.NewReader(body), nil
}

// stamp formats a time for the engine: "seconds.nanoseconds".
func stamp(t time.Time) string { return fmt.Sprintf("%d.%09d", t.Unix(), t.Nanosecond()) }
