package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/beamyard/beamyard/network/erldist"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/hint"
	"github.com/beamyard/beamyard/orchestrator/internal/reach"
	"github.com/beamyard/beamyard/orchestrator/internal/supervisor"
	"github.com/beamyard/beamyard/orchestrator/internal/wait"
)

const (
	// A node that boots is polled every few milliseconds, and rarely at rest. A refused dial
	// costs about 0.1 ms. Ten nodes that boot at once are polled a hundred times a second, which is
	// about one per cent of a processor. Each of more nodes is polled ten times a second: users
	// wait for the last of them.
	probeEach  = 10 * time.Millisecond // for each node that boots
	probeFirst = probeEach
	probeSlow  = 100 * time.Millisecond
	probeRest  = 5 * time.Second
	// A node that has not booted after probeSoon waits for something.
	probeSoon  = 2 * time.Second
	probeWaits = 50 * time.Millisecond

	// DialTimeout bounds one attempt to dial a node.
	DialTimeout = 3 * time.Second
	// CallTimeout bounds a call to a node.
	CallTimeout = 5 * time.Second
)

// Probe proves one run of one node and then watches it, until ctx ends. It dials the
// distribution until the handshake succeeds, checks the application and the custom checks
// (prover.go), makes the node report its peers, and starts over when the link breaks.
//
// A TCP connection alone proves nothing: on a published port, docker-proxy accepts
// connections even if no process listens behind it.
func (p *Prober) Probe(ctx context.Context, r supervisor.RunID) {
	say := p.reasonReporter(r)
	for ctx.Err() == nil {
		p.booting.Add(1)
		booted := sync.OnceFunc(func() { p.booting.Add(-1) })
		conn := p.dialUntil(ctx, r, say)
		if conn == nil {
			booted()
			return
		}
		if !p.Links.put(r, conn) { // a later run has its own, and this probe is about to be ended
			booted()
			_ = conn.Close()
			return
		}
		p.Post(supervisor.Live{RunID: r})
		p.watch(ctx, r, conn, say, booted)
		booted()
		p.Links.take(r)
		_ = conn.Close()
		if ctx.Err() == nil {
			p.Post(supervisor.Lost{RunID: r, Reason: fmt.Sprintf("the distribution connection broke: %v", conn.Err())})
		}
	}
}

// reasonReporter returns a function that reports why a node is not proven yet, each reason once.
func (p *Prober) reasonReporter(r supervisor.RunID) func(reason string, next hint.Hint) {
	last := ""
	return func(reason string, next hint.Hint) {
		if reason != last {
			last = reason
			p.Post(supervisor.Unproven{RunID: r, Reason: reason, Hint: next})
		}
	}
}

// dialUntil dials until the handshake succeeds or ctx ends (nil).
func (p *Prober) dialUntil(ctx context.Context, r supervisor.RunID, say func(reason string, next hint.Hint)) Link {
	node, addr := p.Spec.Names().Node(r.Node), p.Addr(r.Node)
	last := ""
	for pause := range p.polls(ctx, probeSlow) { // the first pause is as long as the others: no VM boots within that
		attempt, cancel := context.WithTimeout(ctx, DialTimeout)
		conn, err := p.Dial(attempt, node, addr)
		cancel()
		if err == nil {
			return conn
		}
		if text := err.Error(); ctx.Err() == nil && text != last {
			last = text
			p.Links.failed(r, err)
			say(DialReason(p.Spec, err))
		}
		pause()
	}
	return nil
}

// DialReason returns in plain words why a node cannot be reached.
func DialReason(s orchestrator.Spec, err error) (reason string, next hint.Hint) {
	switch {
	case errors.Is(err, erldist.ErrWrongCookie):
		if s.CookieFile != "" {
			return "it has another cookie than that in " + s.CookieFile, hint.Text("its VM must read that file: by itself it reads .erlang.cookie in the home of the user that runs it")
		}
		return "it has another cookie than the cluster",
			hint.Newf("let the node take its cookie from $ERLANG_COOKIE, or set %s where the image has it in a file", hint.Setting("cookie_file"))
	case errors.Is(err, erldist.ErrWrongName):
		return fmt.Sprintf("another node answers on its distribution port: %v", err),
			hint.Newf("start the VM with {node} as its name: %s; or say how the image names it: %s", hint.Setting("command"), hint.Setting("basename", "distribution.names: …"))
	case s.Distribution.Port == 0 && errors.Is(err, erldist.ErrRefused):
		return fmt.Sprintf("no EPMD answers on its port %d yet", reach.EPMDPort),
			hint.Newf("the VM starts one unless it has -start_epmd false; where the image runs without: %s", hint.Setting("distribution.epmd: false", "distribution.port: …"))
	case errors.Is(err, erldist.ErrNotRegistered):
		return fmt.Sprintf("its EPMD knows no node %s@ yet", s.Basename), hint.Newf("say how the image names its node: %s", hint.Setting("basename"))
	case errors.Is(err, erldist.ErrRefused):
		return fmt.Sprintf("the VM does not listen on its distribution port %d yet", s.Distribution.Port),
			hint.Newf(`a command of your own needs: elixir --name {node} --erl "-start_epmd false -erl_epmd_port {dist_port}" …; where the image has a port of its own, say which: %s`,
				hint.Setting("distribution.port: …"))
	}
	return err.Error(), orchestrator.HintOf(err)
}

// watch proves the node, calls booted, and then checks the node at rest. It returns when the
// link breaks or ctx ends.
func (p *Prober) watch(ctx context.Context, r supervisor.RunID, conn Link, say func(reason string, next hint.Hint), booted func()) {
	ctx, cancel := context.WithCancel(ctx)
	var monitoring sync.WaitGroup
	monitoring.Go(func() { p.monitor(ctx, r, conn) })
	defer monitoring.Wait()
	defer cancel()
	proof, proven := p.newProver(r, conn), false
	for pause := range p.polls(ctx, probeFirst) {
		reason, next := proof.check(ctx)
		switch {
		case ctx.Err() != nil || wait.Closed(conn.Done()):
			return
		case reason != "":
			proven = false
			say(reason, next)
			if proof.settled && !rest(ctx, conn, mendEvery) {
				return
			} else if !proof.settled {
				pause()
			}
			continue
		case !proven:
			proven = true
			booted()
			say("", nil)
			p.Post(supervisor.Proven{RunID: r})
		}
		if !rest(ctx, conn, proof.look.rest()) {
			return
		}
	}
}

// rest waits for d. It returns false if the link broke or ctx ended.
func rest(ctx context.Context, conn Link, d time.Duration) bool {
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
func (p *Prober) monitor(ctx context.Context, r supervisor.RunID, conn Link) {
	limited, cancel := context.WithTimeout(ctx, monitorLate*time.Duration(1+len(p.Spec.Nodes)/10))
	p.AwaitReady(limited, conn.Done())
	cancel()
	if ctx.Err() != nil || wait.Closed(conn.Done()) {
		return
	}
	_ = conn.MonitorNodes(ctx, func(e erldist.NodeEvent) { p.sighted(r, e) })
}

// sighted handles a node's observation.
func (p *Prober) sighted(r supervisor.RunID, e erldist.NodeEvent) {
	if e.Initial {
		return
	}
	// One message is enough until the next sweep begins: every node reports each change,
	// and the supervisor publishes its state after each message.
	if p.Saw(r, e) {
		p.Post(supervisor.PeerEvent{RunID: r, Event: e})
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
		return statusError(resp.Status)
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

// polls yields a function that waits before the next turn, until ctx ends. The pauses grow from
// first.
func (p *Prober) polls(ctx context.Context, first time.Duration) func(yield func(pause func()) bool) {
	return func(yield func(func()) bool) {
		began, delay := time.Now(), first
		pause := func() {
			delay = min(delay, slowest(int(p.booting.Load()), time.Since(began)))
			wait.Sleep(ctx, delay)
			delay = delay * 5 / 4
		}
		for ctx.Err() == nil && yield(pause) {
		}
	}
}

// slowest returns the longest pause between polls of a node that has been polled for a while,
// with that many nodes booting.
func slowest(booting int, polled time.Duration) time.Duration {
	pause := min(time.Duration(max(2, booting))*probeEach, probeSlow)
	if polled > probeSoon {
		pause = max(pause, probeWaits)
	}
	return pause
}
