package orchestrator

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/beamyard/beamyard/orchestrator/health"
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
	node      NodeSpec
	listeners []netip.AddrPort
	known     bool
	is        Serving // for the HTTP port
}

// lookAt returns what a node's container listens on. It changes nothing.
func (o ownChecks) lookAt(ctx context.Context, node string, conn link) sockets {
	at := sockets{node: o.spec.of(node)}
	if len(o.spec.servedPorts(node)) == 0 {
		return at
	}
	at.listeners, at.known = listenersOf(ctx, conn)
	if port := at.node.HTTPPort; at.known && port > 0 {
		u := useOf(at.listeners, port)
		at.is, _, _ = u.forwarding(u.own && forwards(ctx, conn, port))
	}
	return at
}

// explained returns the result of a check. For an HTTP check that cannot be answered, it
// adds the reason.
func (at sockets) explained(k Check, o health.Outcome) health.Outcome {
	if k.HTTP == "" || o.Failure == "" || !at.known {
		return o
	}
	if failure, hint := whyNoAnswer(at.listeners, at.node.Name, k.httpPort(at.node)); failure != "" {
		o.Failure, o.Hint = failure, hint
	}
	return o
}

// unreached returns a failed check for an HTTP port that is not reachable.
func (at sockets) unreached() []health.Outcome {
	if at.is != ServingLoopback {
		return nil
	}
	failure, hint := whyNoAnswer(at.listeners, at.node.Name, at.node.HTTPPort)
	return []health.Outcome{{Name: fmt.Sprintf("HTTP port %d", at.node.HTTPPort), Failure: failure, Hint: hint}}
}

// loopbackNews says that an application listens only on loopback, and what was done about
// it.
type loopbackNews struct {
	at        netip.AddrPort
	forwarded bool
	err       error // why it could not be forwarded
}

// looker watches what one run of a node listens on, and forwards unreachable ports. Its
// prover owns it.
type looker struct {
	sockets
	c     *Cluster
	r     report
	conn  link
	ports []int

	due       time.Time // when the next look is due
	began     time.Time // the first look
	refused   map[int]bool
	left      bool // it was reported that checks are skipped
	waitsFor  string
	waitsFrom time.Time
	waited    bool // waitsFor was reported
}

func newLooker(c *Cluster, r report, conn link) looker {
	spec := c.site.spec
	return looker{
		sockets: sockets{node: spec.of(r.node)}, c: c, r: r, conn: conn, ports: spec.servedPorts(r.node), refused: map[int]bool{},
	}
}

// again looks if a look is due. The reason says why the node must not be Ready yet.
func (l *looker) again(ctx context.Context, settled bool) (reason string) {
	now := time.Now()
	if len(l.ports) == 0 || now.Before(l.due) {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
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
	var news []loopbackNews
	all := true
	for _, port := range l.ports {
		is, told := l.forward(ctx, port)
		if told.at.IsValid() {
			news = append(news, told)
		}
		if port == l.node.HTTPPort {
			l.is = is
		}
		all = all && is.reached()
	}
	if all {
		l.due = now.Add(lookRest)
	}
	if l.is != was || len(news) > 0 {
		l.c.box.post(msgServing{l.r, l.is, news})
	}
	if !settled && l.is == ServingNothing && now.Sub(l.began) < listenLate {
		return fmt.Sprintf("nothing listens on port %d inside %s yet", l.node.HTTPPort, l.r.node)
	}
	return ""
}

// forward starts or stops the forwarding of a port that is on loopback only, and returns
// the port's state afterwards.
func (l *looker) forward(ctx context.Context, port int) (is Serving, news loopbackNews) {
	u := useOf(l.listeners, port)
	is, start, stop := u.forwarding(u.own && forwards(ctx, l.conn, port))
	switch {
	case stop:
		stopForwarder(ctx, l.conn, port)
	case start:
		news.at = netip.AddrPortFrom(u.loopback, uint16(port))
		if l.c.spec.Loopback != LoopbackForward || l.refused[port] {
			return is, news
		}
		if news.err = startForwarder(ctx, l.conn, news.at); news.err != nil {
			l.refused[port] = true
			return is, news
		}
		news.forwarded, is = true, ServingForwarded
	}
	return is, news
}

// asked returns those of the checks that apply to the node. It reports once that others
// are skipped.
func (l *looker) asked(checks []Check) []Check {
	asked, left := unserved(l.node, checks, l.is)
	if len(left) > 0 && !l.left {
		l.left = true
		l.c.note(l.r.node, "%s is not asked %s: nothing listens on port %d with MIX_ENV=test", l.r.node, left[0], l.node.HTTPPort)
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
		l.c.note(l.r.node, "%s waits: %s", l.r.node, reason)
	}
}

// rest returns how long until the node is checked again.
func (l *looker) rest() time.Duration {
	if l.is == ServingNothing && time.Since(l.began) < listenSoon {
		return mendEvery
	}
	return probeRest
}

// serves records what listens on a node's HTTP port, and reports each loopback address
// once: all nodes of a project have the same.
func (s *supervisor) serves(msg msgServing) {
	m, stale := s.stale(msg.report)
	if stale {
		return
	}
	m.serving = msg.is
	for _, n := range msg.news {
		if s.saidOf[n.at.String()] {
			continue
		}
		s.saidOf[n.at.String()] = true
		what := fmt.Sprintf("%s listens on %s only, inside its container: ", m.name, n.at)
		switch {
		case n.forwarded:
			what += fmt.Sprintf("port %d is forwarded there (have it listen on 0.0.0.0 to do without)", n.at.Port())
		case n.err != nil:
			what += fmt.Sprintf("it cannot be reached, and not be forwarded: %v", n.err)
		default:
			what += "it cannot be reached (have it listen on 0.0.0.0, or leave `loopback: leave` out of beamyard.yml)"
		}
		s.emit(EventNote, m.name, "%s", what)
	}
}
