package probe

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/health"
	"github.com/beamyard/beamyard/orchestrator/internal/manifest"
	"github.com/beamyard/beamyard/orchestrator/internal/supervisor"
)

const (
	// listenLate is how long a node is not Ready whose application is started, but in
	// which nothing listens on the HTTP port yet: some applications begin to listen in a
	// process of their own. It is short, because most nodes that do not listen by then
	// never will.
	listenLate = 100 * time.Millisecond
	// listenSoon is how long after that the port is checked often.
	listenSoon = 5 * time.Second
	// lookRest is how often the listening sockets are checked at rest: the tables of a
	// busy node are long.
	lookRest = 30 * time.Second
	// waitLong is how long a node waits for an HTTP answer before that is reported.
	waitLong = time.Second
)

// sockets is what a node's container listens on.
type sockets struct {
	node      orchestrator.NodeSpec
	listeners []netip.AddrPort
	known     bool
	is        orchestrator.Serving // for the HTTP port
}

// lookAt returns what a node's container listens on. It changes nothing.
func (o Checks) lookAt(ctx context.Context, node string, conn Link) sockets {
	at := sockets{node: o.Spec.Node(node)}
	if len(servedPorts(o.Spec, node)) == 0 {
		return at
	}
	at.listeners, at.known = listenersOf(ctx, conn)
	if port := at.node.HTTPPort; at.known && port > 0 {
		u := useOf(at.listeners, port)
		at.is, _, _ = u.forwarding(u.own && forwards(ctx, conn, port))
	}
	return at
}

// explained returns the result of a check. For an HTTP check that was not answered, it adds
// the reason. What has answered is reached, whatever the listeners were a moment ago: an
// application on loopback is forwarded meanwhile.
func (at sockets) explained(k orchestrator.Check, o health.Outcome) health.Outcome {
	if k.HTTP == "" || o.Failure == "" || o.Answered || !at.known {
		return o
	}
	if failure, next := whyNoAnswer(at.listeners, at.node.Name, httpPortOf(k, at.node)); failure != "" {
		o.Failure, o.Hint = failure, next
	}
	return o
}

// unreached returns a failed check for an HTTP port that is not reachable.
func (at sockets) unreached() []health.Outcome {
	if at.is != orchestrator.ServingLoopback {
		return nil
	}
	failure, next := whyNoAnswer(at.listeners, at.node.Name, at.node.HTTPPort)
	return []health.Outcome{{Name: fmt.Sprintf("HTTP port %d", at.node.HTTPPort), Failure: failure, Hint: next}}
}

// looker watches what one run of a node listens on, and forwards unreachable ports. Its
// prover owns it.
type looker struct {
	sockets
	p     *Prober
	r     supervisor.RunID
	conn  Link
	ports []int

	due       time.Time // when the next look is due
	began     time.Time // the first look
	refused   map[int]bool
	left      bool // it was reported that checks are skipped
	waitsFor  string
	waitsFrom time.Time
	waited    bool // waitsFor was reported
}

func newLooker(p *Prober, r supervisor.RunID, conn Link) looker {
	spec := p.Spec
	return looker{
		sockets: sockets{node: spec.Node(r.Node)}, p: p, r: r, conn: conn, ports: servedPorts(spec, r.Node), refused: map[int]bool{},
	}
}

// again looks if a look is due. The reason says why the node must not be Ready yet.
func (l *looker) again(ctx context.Context, settled bool) (reason string) {
	now := time.Now()
	if len(l.ports) == 0 || now.Before(l.due) {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, CallTimeout)
	defer cancel()
	listeners, known := listenersOf(ctx, l.conn)
	if !known {
		l.due = now.Add(lookRest)
		return ""
	}
	if l.began.IsZero() {
		l.began = now
	}
	was := l.is
	l.listeners, l.known = listeners, true
	var news []manifest.LoopbackNews
	all := true
	for _, port := range l.ports {
		is, told := l.forward(ctx, port)
		if told.At.IsValid() {
			news = append(news, told)
		}
		if port == l.node.HTTPPort {
			l.is = is
		}
		all = all && is.Reachable()
	}
	if all {
		l.due = now.Add(lookRest)
	}
	if l.is != was || len(news) > 0 {
		l.p.Post(supervisor.Serving{RunID: l.r, Is: l.is, News: news})
	}
	if !settled && l.is == orchestrator.ServingNothing && now.Sub(l.began) < listenLate {
		return fmt.Sprintf("nothing listens on port %d inside %s yet%s", l.node.HTTPPort, l.r.Node, elsewhere(listeners, l.p.Spec.Distribution.Port))
	}
	return ""
}

// forward starts or stops the forwarding of a port that is on loopback only, and returns
// the port's state afterwards.
func (l *looker) forward(ctx context.Context, port int) (is orchestrator.Serving, news manifest.LoopbackNews) {
	u := useOf(l.listeners, port)
	is, start, stop := u.forwarding(u.own && forwards(ctx, l.conn, port))
	switch {
	case stop:
		stopForwarder(ctx, l.conn, port)
	case start:
		news.At = netip.AddrPortFrom(u.loopback, uint16(port))
		if l.p.Spec.Loopback != orchestrator.LoopbackForward || l.refused[port] {
			return is, news
		}
		if news.Err = startForwarder(ctx, l.conn, news.At); news.Err != nil {
			l.refused[port] = true
			return is, news
		}
		news.Forwarded, is = true, orchestrator.ServingForwarded
	}
	return is, news
}

// asked returns those of the checks that apply to the node. It reports once that others
// are skipped.
func (l *looker) asked(checks []orchestrator.Check) []orchestrator.Check {
	asked, left := unserved(l.node, checks, l.is)
	if len(left) > 0 && !l.left {
		l.left = true
		l.p.Note(l.r.Node, "%s is not asked %s: nothing listens on port %d with MIX_ENV=test", l.r.Node, left[0], l.node.HTTPPort)
	}
	return asked
}

// waits reports once what a node waits for, if that takes longer than a moment.
func (l *looker) waits(reason string) {
	switch {
	case reason != l.waitsFor:
		l.waitsFor, l.waitsFrom, l.waited = reason, time.Now(), false
	case !l.waited && time.Since(l.waitsFrom) >= waitLong:
		l.waited = true
		l.p.Note(l.r.Node, "%s waits: %s", l.r.Node, reason)
	}
}

// rest returns how long until the node is checked again.
func (l *looker) rest() time.Duration {
	if l.is == orchestrator.ServingNothing && time.Since(l.began) < listenSoon {
		return mendEvery
	}
	return probeRest
}
