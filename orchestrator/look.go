package orchestrator

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/beamyard/beamyard/orchestrator/health"
)

const (
	// listenLate is how long a node whose application is started, and in which nothing
	// listens on the HTTP port yet, is not Ready: some begin to listen in a process of
	// their own. It is short, as most nodes that listen later listen never.
	listenLate = 100 * time.Millisecond
	// listenSoon is for how long after that it is looked at often.
	listenSoon = 5 * time.Second
	// lookRest is how often it is looked at what is reached: the tables of a busy node
	// are long.
	lookRest = 30 * time.Second
	// waitLong is how long a node waits for an answer by HTTP before that is told.
	waitLong = time.Second
)

// sockets are what a node's container listens on.
type sockets struct {
	node      NodeSpec
	listeners []netip.AddrPort
	known     bool
	is        Serving // of the HTTP port
}

// lookAt is what a node's container listens on. Nothing is changed.
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

// explained is the outcome of a check, which where it asks by HTTP and nothing can
// answer says why.
func (at sockets) explained(k Check, o health.Outcome) health.Outcome {
	if k.HTTP == "" || o.Failure == "" || !at.known {
		return o
	}
	if failure, hint := whyNoAnswer(at.listeners, at.node.Name, k.httpPort(at.node)); failure != "" {
		o.Failure, o.Hint = failure, hint
	}
	return o
}

// unreached is a failed check of an HTTP port that nothing reaches.
func (at sockets) unreached() []health.Outcome {
	if at.is != ServingLoopback {
		return nil
	}
	failure, hint := whyNoAnswer(at.listeners, at.node.Name, at.node.HTTPPort)
	return []health.Outcome{{Name: fmt.Sprintf("HTTP port %d", at.node.HTTPPort), Failure: failure, Hint: hint}}
}

// loopbackNews is that an application listens on loopback alone, and what was done.
type loopbackNews struct {
	at        netip.AddrPort
	forwarded bool
	err       error // why it is not forwarded, although it was to be
}

// looker watches what one run of a node listens on, and forwards what is not reached.
// Its prover owns it.
type looker struct {
	sockets
	c     *Cluster
	r     report
	conn  link
	ports []int

	due       time.Time // of the next look
	began     time.Time // the first look
	refused   map[int]bool
	left      bool // it was told that checks are left out
	waitsFor  string
	waitsFrom time.Time
	waited    bool // waitsFor was told
}

func newLooker(c *Cluster, r report, conn link) looker {
	spec := c.site.spec
	return looker{
		sockets: sockets{node: spec.of(r.node)}, c: c, r: r, conn: conn, ports: spec.servedPorts(r.node), refused: map[int]bool{},
	}
}

// again looks where that is due. The reason is why the node is not to be Ready yet.
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

// forward has a port that is on loopback alone forwarded, or ends that, and says what
// it is then.
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

// asked are the checks that the node is asked, of these. That others are left out is
// told once.
func (l *looker) asked(checks []Check) []Check {
	asked, left := unserved(l.node, checks, l.is)
	if len(left) > 0 && !l.left {
		l.left = true
		l.c.note(l.r.node, "%s is not asked %s: nothing listens on port %d with MIX_ENV=test", l.r.node, left[0], l.node.HTTPPort)
	}
	return asked
}

// waits tells once what a node waits for that does not come within a moment.
func (l *looker) waits(reason string) {
	switch {
	case reason != l.waitsFor:
		l.waitsFor, l.waitsFrom, l.waited = reason, time.Now(), false
	case !l.waited && time.Since(l.waitsFrom) >= waitLong:
		l.waited = true
		l.c.note(l.r.node, "%s waits: %s", l.r.node, reason)
	}
}

// rest is how long until the node is asked again.
func (l *looker) rest() time.Duration {
	if l.is == ServingNothing && time.Since(l.began) < listenSoon {
		return mendEvery
	}
	return probeRest
}

// serves notes what is at a node's HTTP port, and tells of each address on loopback
// once: every node of a project has the same.
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
