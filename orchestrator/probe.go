package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/beamyard/beamyard/network/erldist"
)

const (
	// The probe polls every few milliseconds while a node boots, and rarely at rest. A
	// refused dial costs about 0.1 ms: thirty nodes that boot at once cost a few per cent
	// of a processor.
	probeFirst = 10 * time.Millisecond
	probeSlow  = 50 * time.Millisecond
	probeRest  = 5 * time.Second

	dialTimeout = 3 * time.Second
	callTimeout = 5 * time.Second
)

// probe proves one run of one node and then watches it, until ctx ends. It dials the
// distribution until the handshake succeeds, checks the application and the custom checks
// (prover.go), makes the node report its peers, and starts over when the link breaks.
//
// A TCP connection alone proves nothing: on a published port, docker-proxy accepts
// connections even if no process listens behind it.
func (c *Cluster) probe(ctx context.Context, r report) {
	say := c.reasonReporter(r)
	for ctx.Err() == nil {
		conn := c.dialUntil(ctx, r, say)
		if conn == nil {
			return
		}
		if !c.links.put(r, conn) { // a later run has its own, and this probe is about to be ended
			_ = conn.Close()
			return
		}
		c.box.post(msgLive{r})
		c.watch(ctx, r, conn, say)
		c.links.take(r)
		_ = conn.Close()
		if ctx.Err() == nil {
			c.box.post(msgLost{r, fmt.Sprintf("the distribution connection broke: %v", conn.Err())})
		}
	}
}

// reasonReporter returns a function that reports why a node is not proven yet, each reason once.
func (c *Cluster) reasonReporter(r report) func(reason, hint string) {
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
	node, addr := c.names().Node(r.node), c.site.distAddr(r.node)
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

// dialReason returns in plain words why a node cannot be reached.
func dialReason(s Spec, err error) (reason, hint string) {
	switch {
	case errors.Is(err, erldist.ErrWrongCookie):
		if s.CookieFile != "" {
			return "it has another cookie than that in " + s.CookieFile, "its VM must read that file: by itself it reads .erlang.cookie in the home of the user that runs it"
		}
		return "it has another cookie than the cluster",
			"let the node take its cookie from $ERLANG_COOKIE, or set cookie_file: in beamyard.yml where the image has it in a file"
	case errors.Is(err, erldist.ErrWrongName):
		return fmt.Sprintf("another node answers on its distribution port: %v", err),
			"start the VM with {node} as its name in command:, or say how the image names it: basename: and distribution: {names: …} in beamyard.yml"
	case s.Distribution.Port == 0 && errors.Is(err, erldist.ErrRefused):
		return fmt.Sprintf("no EPMD answers on its port %d", epmdPort), "the VM starts one unless it has -start_epmd false; where the image runs without: distribution: {epmd: false, port: …} in beamyard.yml"
	case errors.Is(err, erldist.ErrNotRegistered):
		return fmt.Sprintf("its EPMD knows no node %s@", s.Basename), "say how the image names its node: basename: in beamyard.yml"
	case errors.Is(err, erldist.ErrRefused):
		return fmt.Sprintf("the VM does not listen on its distribution port %d", s.Distribution.Port),
			`a command of your own needs: elixir --name {node} --erl "-start_epmd false -erl_epmd_port {dist_port}" …; where the image has a port of its own, say which: distribution: {port: …} in beamyard.yml`
	}
	return err.Error(), hintOf(err)
}

// watch proves the node and then checks it at rest. It returns when the link breaks or
// ctx ends.
func (c *Cluster) watch(ctx context.Context, r report, conn link, say func(reason, hint string)) {
	ctx, cancel := context.WithCancel(ctx)
	var monitoring sync.WaitGroup
	monitoring.Go(func() { c.monitor(ctx, r, conn) })
	defer monitoring.Wait()
	defer cancel()
	p, proven := c.newProver(r, conn), false
	for wait := range growing(ctx, probeFirst, probeSlow) {
		reason, hint := p.check(ctx)
		switch {
		case ctx.Err() != nil || closed(conn.Done()):
			return
		case reason != "":
			proven = false
			say(reason, hint)
			if p.settled && !rest(ctx, conn, mendEvery) {
				return
			} else if !p.settled {
				wait()
			}
			continue
		case !proven:
			proven = true
			say("", "")
			c.box.post(msgProven{r})
		}
		if !rest(ctx, conn, p.look.rest()) {
			return
		}
	}
}

// rest waits for d. It returns false if the link broke or ctx ended.
func rest(ctx context.Context, conn link, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-conn.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// monitorLate, for each ten nodes, is how long a forming cluster may delay the monitors:
// while nodes come up, they report each other's connections, n² times.
const monitorLate = 5 * time.Second

// monitor makes the node report the peers that connect and disconnect. It begins when the
// cluster is Ready: a booting node should not have to load the interpreter, and while the
// cluster forms the sweeps follow each other closely anyway. The sweeps also cover a node
// that cannot be monitored.
func (c *Cluster) monitor(ctx context.Context, r report, conn link) {
	late := time.After(monitorLate * time.Duration(1+len(c.spec.Nodes)/10))
	for ready := false; !ready; {
		c.mu.Lock()
		changed := c.changed
		c.mu.Unlock()
		if ready = c.view.Load().Ready; ready {
			break
		}
		select {
		case <-changed:
		case <-late:
			ready = true
		case <-ctx.Done():
			return
		case <-conn.Done():
			return
		}
	}
	_ = conn.MonitorNodes(ctx, func(e erldist.NodeEvent) { c.sighted(r, e) })
}

// sighted handles a node's observation.
func (c *Cluster) sighted(r report, e erldist.NodeEvent) {
	if e.Initial {
		return
	}
	c.saw(r.node, e.Node, e.Up, e.Reason, e.Time)
	// One message is enough until the next sweep begins: every node reports each change,
	// and the supervisor publishes its state after each message.
	if !c.sightTold.Swap(true) {
		c.box.post(msgPeers{r, e})
	}
}

// checkClient does not follow redirects (3xx is an answer) and keeps no connections.
var checkClient = &http.Client{
	Transport:     &http.Transport{DisableKeepAlives: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

func httpCheck(ctx context.Context, addr, path string) error {
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

// growing yields a function that waits before the next turn, with delays growing from
// first to last, until ctx ends.
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
