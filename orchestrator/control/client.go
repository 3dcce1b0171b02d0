package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/codesync"
	"github.com/beamyard/beamyard/orchestrator/hint"
	"github.com/beamyard/beamyard/orchestrator/internal/wait"
)

// Client controls a cluster whose supervisor runs in another process. It is safe for
// concurrent use.
//
// If the supervisor dies during a call, the error matches [orchestrator.ErrNoSupervisor].
type Client struct {
	cluster, path string // path is that of the socket
	http          *http.Client
}

var _ orchestrator.Controller = (*Client)(nil)

// Dial connects to the supervisor of a cluster, or fails with
// [orchestrator.ErrNoSupervisor]. Close the client when done.
func Dial(ctx context.Context, cluster string) (*Client, error) {
	path, err := dial(ctx, cluster)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		},
	}
	return &Client{cluster: cluster, path: path, http: &http.Client{Transport: transport}}, nil
}

// Close closes idle connections. Calls in progress continue.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Supervisor returns the process that serves the cluster.
func (c *Client) Supervisor(ctx context.Context) (s Supervisor, err error) {
	return s, c.call(ctx, http.MethodGet, "/supervisor", nil, &s)
}

// Status implements [orchestrator.Controller].
func (c *Client) Status(ctx context.Context) (s orchestrator.Status, err error) {
	return s, c.call(ctx, http.MethodGet, "/status", nil, &s)
}

// Health implements [orchestrator.Controller].
func (c *Client) Health(ctx context.Context) (r orchestrator.HealthReport, err error) {
	return r, c.call(ctx, http.MethodGet, "/health", nil, &r)
}

// WaitReady implements [orchestrator.Controller].
func (c *Client) WaitReady(ctx context.Context) error {
	return c.call(ctx, http.MethodPost, "/ready", nil, nil)
}

// Start implements [orchestrator.Controller].
func (c *Client) Start(ctx context.Context, nodes ...string) error {
	return c.call(ctx, http.MethodPost, "/nodes/start", nodesRequest{Nodes: nodes}, nil)
}

// Stop implements [orchestrator.Controller].
func (c *Client) Stop(ctx context.Context, nodes ...string) error {
	return c.call(ctx, http.MethodPost, "/nodes/stop", nodesRequest{Nodes: nodes}, nil)
}

// Restart implements [orchestrator.Controller].
func (c *Client) Restart(ctx context.Context, nodes ...string) error {
	return c.call(ctx, http.MethodPost, "/nodes/restart", nodesRequest{Nodes: nodes}, nil)
}

// Kill implements [orchestrator.Controller].
func (c *Client) Kill(ctx context.Context, signal string, nodes ...string) error {
	return c.call(ctx, http.MethodPost, "/nodes/kill", nodesRequest{Nodes: nodes, Signal: signal}, nil)
}

// Pause implements [orchestrator.Controller].
func (c *Client) Pause(ctx context.Context, nodes ...string) error {
	return c.call(ctx, http.MethodPost, "/nodes/pause", nodesRequest{Nodes: nodes}, nil)
}

// Unpause implements [orchestrator.Controller].
func (c *Client) Unpause(ctx context.Context, nodes ...string) error {
	return c.call(ctx, http.MethodPost, "/nodes/unpause", nodesRequest{Nodes: nodes}, nil)
}

// Down implements [orchestrator.Controller].
func (c *Client) Down(ctx context.Context) error {
	return c.call(ctx, http.MethodPost, "/down", nil, nil)
}

// Gone returns when the supervisor has closed its socket, so that the next one can have the name, or
// with ctx's error.
func (c *Client) Gone(ctx context.Context) error {
	c.Close()
	for listens(ctx, c.path) {
		if !wait.Sleep(ctx, 5*time.Millisecond) {
			break
		}
	}
	return ctx.Err()
}

// Sync implements [orchestrator.Controller].
func (c *Client) Sync(ctx context.Context, opts orchestrator.SyncOptions) (r codesync.Report, err error) {
	return r, c.call(ctx, http.MethodPost, "/sync", opts, &r)
}

// Eval implements [orchestrator.Controller].
func (c *Client) Eval(ctx context.Context, node, expression string, o orchestrator.EvalOptions) (value string, err error) {
	answered := false
	err = read(ctx, c, http.MethodPost, "/eval", evalRequest{node, expression, o.File, o.Erlang}, func(p evalPart) error {
		if p.Done {
			value, answered = string(p.Value), true
			return nil
		}
		if o.Output == nil {
			return nil
		}
		_, err := o.Output.Write(p.Output)
		return err
	})
	if err == nil && !answered {
		err = ctx.Err()
	}
	return value, err
}

// Events implements [orchestrator.Controller].
func (c *Client) Events(ctx context.Context, after uint64, follow bool, fn func(orchestrator.Event) error) error {
	q := url.Values{"after": {strconv.FormatUint(after, 10)}, "follow": {strconv.FormatBool(follow)}}
	return read(ctx, c, http.MethodGet, "/events?"+q.Encode(), nil, fn)
}

// Logs implements [orchestrator.Controller].
func (c *Client) Logs(ctx context.Context, query orchestrator.LogQuery, fn func(orchestrator.Line) error) error {
	q := url.Values{
		"node": query.Nodes, "stream": {string(query.Stream)},
		"tail": {strconv.Itoa(query.Tail)}, "follow": {strconv.FormatBool(query.Follow)},
		"run": {strconv.Itoa(query.Run)}, "since-restart": {strconv.FormatBool(query.SinceRestart)}, "grep": {query.Grep},
	}
	if !query.Since.IsZero() {
		q.Set("since", query.Since.Format(time.RFC3339Nano))
	}
	return read(ctx, c, http.MethodGet, "/logs?"+q.Encode(), nil, func(l line) error { return fn(l.line()) })
}

// Journal implements [orchestrator.Controller].
func (c *Client) Journal(ctx context.Context) (entries []orchestrator.JournalEntry, err error) {
	return entries, c.call(ctx, http.MethodGet, "/journal", nil, &entries)
}

// request sends a request and returns an answer of status 200, or the error in it.
func (c *Client) request(ctx context.Context, method, path string, body any) (*http.Response, error) {
	var data io.Reader
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("encode request: %w", err)
		}
		data = bytes.NewReader(encoded)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+c.cluster+path, data)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.lost(ctx, err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer resp.Body.Close()
	var w wireError
	if err := json.NewDecoder(resp.Body).Decode(&w); err != nil {
		if resp.StatusCode == http.StatusNotFound { // of an earlier version
			return nil, fmt.Errorf("supervisor of %s: unexpected answer %s: %w", c.cluster, resp.Status, errors.ErrUnsupported)
		}
		return nil, fmt.Errorf("supervisor of %s: unexpected answer %s", c.cluster, resp.Status)
	}
	return nil, w.err()
}

// call makes a request with one answer.
func (c *Client) call(ctx context.Context, method, path string, body, result any) error {
	resp, err := c.request(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if result == nil {
		_, err = io.Copy(io.Discard, resp.Body)
	} else {
		err = json.NewDecoder(resp.Body).Decode(result)
	}
	if err != nil {
		return c.lost(ctx, err)
	}
	return nil
}

// read makes a request with a stream as its answer. The end of ctx is not an error here: see
// the streams of [orchestrator.Controller].
func read[T any](ctx context.Context, c *Client, method, path string, body any, fn func(T) error) error {
	resp, err := c.request(ctx, method, path, body)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	defer resp.Body.Close()
	frames := json.NewDecoder(resp.Body)
	for {
		var f frame[T]
		if err := frames.Decode(&f); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return c.lost(ctx, err)
		}
		switch {
		case f.Error != nil:
			return f.Error.err()
		case f.End:
			return nil
		case f.Item != nil:
			if err := fn(*f.Item); err != nil {
				return err
			}
		}
	}
}

// lost is the error of a broken connection: ctx's, or that the supervisor is gone.
func (c *Client) lost(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return orchestrator.WithHint(fmt.Errorf("cluster %s: %w any more: %w", c.cluster, orchestrator.ErrNoSupervisor, err),
		"see what runs: %s", hint.Status.On(c.cluster))
}
