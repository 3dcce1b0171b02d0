package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/beamyard/beamyard/network/erldist"
)

const (
	// The probe asks in milliseconds while a node boots, and rarely at rest. A
	// dial that is refused costs some 0.1 ms: thirty nodes that boot at once cost
	// a few per cent of a processor.
	probeFirst = 10 * time.Millisecond
	probeSlow  = 50 * time.Millisecond
	probeRest  = 5 * time.Second

	dialTimeout = 3 * time.Second
	callTimeout = 5 * time.Second
)

// probe proves one run of one node and then watches it, until ctx ends: it
// dials the distribution until the handshake succeeds, asks for the
// application, asks the HTTP check, and starts over when the link breaks.
//
// A TCP connection alone proves nothing: on a published port docker-proxy
// accepts with nobody behind it.
func (c *Cluster) probe(ctx context.Context, r report) {
	say := c.sayer(r)
	for ctx.Err() == nil {
		conn := c.dialUntil(ctx, r, say)
		if conn == nil {
			return
		}
		c.links.put(r, conn)
		c.box.post(msgLive{r})
		c.watch(ctx, r, conn, say)
		c.links.take(r)
		_ = conn.Close()
		if ctx.Err() == nil {
			c.box.post(msgLost{r, fmt.Sprintf("the distribution connection broke: %v", conn.Err())})
		}
	}
}

// sayer tells why a node is not proven yet, each reason once.
func (c *Cluster) sayer(r report) func(reason, hint string) {
	last := ""
	return func(reason, hint string) {
		if reason != last {
			last = reason
			c.box.post(msgUnproven{r, reason, hint})
		}
	}
}

// dialUntil dials until the handshake succeeds or ctx ends (nil).
func (c *Cluster) dialUntil(ctx context.Context, r report, say func(reason, hint string)) link {
	node, addr := c.spec.names().Node(r.node), c.site.distAddr(r.node)
	for wait := range growing(ctx, probeFirst, probeSlow) {
		attempt, cancel := context.WithTimeout(ctx, dialTimeout)
		conn, err := c.opts.dial(attempt, node, addr)
		cancel()
		if err == nil {
			return conn
		}
		if ctx.Err() == nil {
			c.links.failed(r, err)
			say(dialReason(c.spec, err))
		}
		wait()
	}
	return nil
}

// dialReason says in our words why a node cannot be reached.
func dialReason(s Spec, err error) (reason, hint string) {
	switch {
	case errors.Is(err, erldist.ErrWrongCookie):
		return "it has another cookie than the cluster", "let the node take its cookie from $ERLANG_COOKIE, or set cookie: in beamyard.yml"
	case errors.Is(err, erldist.ErrWrongName):
		return fmt.Sprintf("another node answers on its distribution port: %v", err),
			"start the VM with --name {node} in command:"
	case errors.Is(err, erldist.ErrRefused):
		return fmt.Sprintf("the VM does not listen on its distribution port %d", s.DistPort),
			`a command of your own needs: elixir --name {node} --erl "-start_epmd false -erl_epmd_port {dist_port}" …`
	}
	return err.Error(), hintOf(err)
}

// watch proves the application and its checks, then asks again at rest. It
// returns when the link breaks or ctx ends.
func (c *Cluster) watch(ctx context.Context, r report, conn link, say func(reason, hint string)) {
	proven := false
	for wait := range growing(ctx, probeFirst, probeSlow) {
		reason, hint := c.check(ctx, r, conn, proven)
		switch {
		case ctx.Err() != nil || closed(conn.Done()):
			return
		case reason != "":
			proven = false
			say(reason, hint)
			wait()
			continue
		case !proven:
			proven = true
			say("", "")
			c.box.post(msgProven{r})
		}
		select {
		case <-ctx.Done():
		case <-conn.Done():
			return
		case <-time.After(probeRest):
		}
	}
}

// check asks the node; "" is a pass. The HTTP check is not repeated at rest,
// where it would only fill the application's log.
func (c *Cluster) check(ctx context.Context, r report, conn link, atRest bool) (reason, hint string) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if app := c.site.spec.App; app != "" && app != "-" {
		started, err := applicationStarted(ctx, conn, app)
		if err != nil {
			return fmt.Sprintf("asking for its applications failed: %v", err), ""
		}
		if !started {
			return fmt.Sprintf("application %s is not started", app), ""
		}
	}
	if c.spec.HTTPCheck == "" || atRest || c.spec.HTTPPort < 0 {
		return "", ""
	}
	if err := httpCheck(ctx, c.site.httpAddr(r.node), c.spec.HTTPCheck); err != nil {
		return fmt.Sprintf("HTTP check %s: %v", c.spec.HTTPCheck, err),
			fmt.Sprintf("the application must listen on port $PORT (%d) of every address, and answer %s with 2xx or 3xx", c.spec.HTTPPort, c.spec.HTTPCheck)
	}
	return "", ""
}

// applicationStarted asks application:which_applications/0, a list of
// {Name, Description, Version}.
func applicationStarted(ctx context.Context, conn link, app string) (bool, error) {
	reply, err := conn.Call(ctx, "application", "which_applications")
	if err != nil {
		return false, err
	}
	list, _ := reply.(erldist.List)
	for _, entry := range list {
		if t, ok := entry.(erldist.Tuple); ok && len(t) == 3 && t[0] == erldist.Atom(app) {
			return true, nil
		}
	}
	return false, nil
}

// checkClient follows no redirects (3xx is an answer) and keeps no connections.
var checkClient = &http.Client{
	Transport:     &http.Transport{DisableKeepAlives: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

func httpCheck(ctx context.Context, addr, path string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+path, nil)
	if err != nil {
		return err
	}
	resp, err := checkClient.Do(req)
	if err != nil {
		var op *net.OpError
		if errors.As(err, &op) {
			return fmt.Errorf("port %s inside does not answer: %w", portOf(addr), op.Err)
		}
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode < 200 || resp.StatusCode > 399 {
		return fmt.Errorf("answered %s", resp.Status)
	}
	return nil
}

func portOf(addr string) string {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	return port
}

// growing yields a function that waits before the next turn, longer each time
// from first to last, until ctx ends.
func growing(ctx context.Context, first, last time.Duration) func(yield func(wait func()) bool) {
	return func(yield func(func()) bool) {
		delay := first
		wait := func() {
			select {
			case <-ctx.Done():
			case <-time.After(delay):
			}
			delay = min(delay*5/4, last)
		}
		for ctx.Err() == nil && yield(wait) {
		}
	}
}

func closed(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}

func hostPort(host string, port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }
