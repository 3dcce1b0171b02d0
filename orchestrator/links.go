package orchestrator

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/beamyard/beamyard/network/erldist"
	"github.com/beamyard/beamyard/orchestrator/diagnosis"
	"github.com/beamyard/beamyard/orchestrator/health"
)

// link is a distribution connection to one node, as the orchestrator uses it.
// [erldist.Conn] implements it.
type link interface {
	// Call runs module:function(args…) on the node; see [erldist.Conn.Call].
	Call(ctx context.Context, module, function string, args ...any) (any, error)
	// Eval evaluates Erlang expressions on the node; see [erldist.Conn.Eval].
	Eval(ctx context.Context, expressions string, bindings map[string]any) (any, error)
	// CallOutput and EvalOutput write the output printed in the meantime to w; see
	// [erldist.Conn.CallOutput] and [erldist.Conn.EvalOutput].
	CallOutput(ctx context.Context, w io.Writer, module, function string, args ...any) (any, error)
	EvalOutput(ctx context.Context, w io.Writer, expressions string, bindings map[string]any) (any, error)
	// MonitorNodes reports nodeup and nodedown on the node until ctx or the link ends;
	// see [erldist.Conn.MonitorNodes].
	MonitorNodes(ctx context.Context, fn func(erldist.NodeEvent)) error
	Done() <-chan struct{}
	Err() error
	Close() error
}

// dialFunc opens a link to the node of that BEAM name at host:port.
type dialFunc func(ctx context.Context, node, addr string) (link, error)

// SupervisorNode is the name under which a cluster's supervisor connects to each of its
// nodes, as a hidden node. It appears in nodes(hidden), and a process that monitors
// hidden nodes (net_kernel:monitor_nodes/2) sees it connect once in each run. Its host
// never resolves. A node with net_kernel:allow/1 must allow it. Operations without a
// supervisor use a name that the node generates.
const SupervisorNode = "beamyard@beamyard.invalid"

// dialDistribution dials as a hidden node of that name, or with "" of a name that the
// node generates.
func dialDistribution(s Spec, name string) dialFunc {
	d := &erldist.Dialer{Cookie: s.Cookie, Name: name}
	return func(ctx context.Context, node, addr string) (link, error) {
		conn, err := d.Dial(ctx, node, addr)
		if err != nil {
			return nil, err
		}
		return conn, nil
	}
}

// links holds the open link of each node's current run. Probes add and remove them,
// sweeps and connects use them.
type links struct {
	mu    sync.Mutex
	open  map[string]runLink
	tried map[string]attempt
	ready map[string]int // the run that was proven once, over all its links
	knew  map[string]int // the run that accepted our cookie once
	other map[string]int // the run that accepted it and has another one now
}

// attempt is the result of the last dial of a node's run.
type attempt struct {
	inc      int
	contact  diagnosis.Contact
	answered string // the name of another node that answered
}

type runLink struct {
	link
	inc  int
	last *health.Sample // the last one that the probe took; nil at first
	base *health.Sample // an earlier one; nil until there are two
}

// since returns the sample from which to measure the load: the last one, or if that is
// too recent, the one before it.
func (r runLink) since(now time.Time) *health.Sample {
	if r.base != nil && now.Sub(r.last.Time) < health.Steady {
		return r.base
	}
	return r.last
}

func newLinks() *links {
	return &links{open: map[string]runLink{}, tried: map[string]attempt{}, ready: map[string]int{}, knew: map[string]int{}, other: map[string]int{}}
}

// put keeps the link of a run. A later run's link replaces it. put returns false if a
// later run's link exists already: a probe can end after the next has begun.
func (l *links) put(r report, conn link) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[r.node].inc > r.inc || l.tried[r.node].inc > r.inc {
		return false
	}
	l.open[r.node] = runLink{link: conn, inc: r.inc}
	l.knew[r.node] = r.inc
	delete(l.tried, r.node)
	return true
}

// failed records the result of a failed dial.
func (l *links) failed(r report, err error) {
	a := attempt{inc: r.inc, contact: diagnosis.ContactOther}
	switch {
	case errors.Is(err, erldist.ErrWrongCookie):
		a.contact = diagnosis.ContactWrongCookie
	case errors.Is(err, erldist.ErrWrongName):
		a.contact = diagnosis.ContactWrongName
		_, a.answered, _ = strings.Cut(err.Error(), erldist.ErrWrongName.Error()+": ")
	case errors.Is(err, erldist.ErrTLS):
		a.contact = diagnosis.ContactTLS
	case errors.Is(err, erldist.ErrRefused):
		a.contact = diagnosis.ContactRefused
	case errors.Is(err, erldist.ErrTimeout), errors.Is(err, erldist.ErrUnreachable), errors.Is(err, context.DeadlineExceeded):
		a.contact = diagnosis.ContactSilent
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.tried[r.node].inc <= r.inc {
		l.tried[r.node] = a
	}
}

// changed records whether a run that accepted our cookie has another one now.
func (l *links) changed(r report, other bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if other {
		l.other[r.node] = r.inc
	} else if l.other[r.node] == r.inc {
		delete(l.other, r.node)
	}
}

// cookie reports whether a run accepted our cookie once, and whether it has another one
// now.
func (l *links) cookie(r report) (knew, other bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return r.inc > 0 && l.knew[r.node] == r.inc, r.inc > 0 && l.other[r.node] == r.inc
}

// lastContact returns the result of the last dial of a run, if it failed.
func (l *links) lastContact(r report) (diagnosis.Contact, string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if a := l.tried[r.node]; a.inc == r.inc {
		return a.contact, a.answered
	}
	return "", ""
}

// begin records that a run was proven; began reports it.
func (l *links) begin(r report) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ready[r.node] = r.inc
}

func (l *links) began(r report) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ready[r.node] == r.inc
}

// note keeps a sample of that run.
func (l *links) note(r report, s health.Sample) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if open, ok := l.open[r.node]; ok && open.inc == r.inc {
		if open.base == nil || open.last.Time.Sub(open.base.Time) >= health.Steady {
			open.base = open.last // of several samples within a second, the first is kept
		}
		open.last = &s
		l.open[r.node] = open
	}
}

// take removes the link if it still belongs to that run.
func (l *links) take(r report) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[r.node].inc == r.inc {
		delete(l.open, r.node)
	}
}

func (l *links) get(node string) (runLink, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	conn, ok := l.open[node]
	return conn, ok
}

func (l *links) all() map[string]runLink {
	l.mu.Lock()
	defer l.mu.Unlock()
	open := make(map[string]runLink, len(l.open))
	for name, conn := range l.open {
		open[name] = conn
	}
	return open
}

func (l *links) closeAll() {
	for _, conn := range l.all() {
		_ = conn.Close()
	}
}
