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
// [erldist.Conn] is one.
type link interface {
	// Call runs module:function(args…) on the node; see [erldist.Conn.Call].
	Call(ctx context.Context, module, function string, args ...any) (any, error)
	// Eval evaluates Erlang expressions on the node; see [erldist.Conn.Eval].
	Eval(ctx context.Context, expressions string, bindings map[string]any) (any, error)
	// CallOutput and EvalOutput write what is printed meanwhile to w; see
	// [erldist.Conn.CallOutput] and [erldist.Conn.EvalOutput].
	CallOutput(ctx context.Context, w io.Writer, module, function string, args ...any) (any, error)
	EvalOutput(ctx context.Context, w io.Writer, expressions string, bindings map[string]any) (any, error)
	// MonitorNodes tells of nodeup and nodedown there until ctx or the link ends;
	// see [erldist.Conn.MonitorNodes].
	MonitorNodes(ctx context.Context, fn func(erldist.NodeEvent)) error
	Done() <-chan struct{}
	Err() error
	Close() error
}

// dialFunc opens a link to the node of that BEAM name at host:port.
type dialFunc func(ctx context.Context, node, addr string) (link, error)

// SupervisorNode is the name under which a cluster's supervisor is connected to each of
// its nodes, as a hidden node: nodes(hidden) there has it, and a process that watches
// hidden nodes (net_kernel:monitor_nodes/2) sees it come once a run. Its host never
// resolves. A node with net_kernel:allow/1 must allow it. What is done without a
// supervisor is done under a name that the node makes up.
const SupervisorNode = "beamyard@beamyard.invalid"

// dialDistribution dials as a hidden node of that name, or of one that the node makes up.
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

// links holds the open link of each node's present run. Probes put and take
// them, sweeps and connects use them.
type links struct {
	mu    sync.Mutex
	open  map[string]runLink
	tried map[string]attempt
	ready map[string]int // the run that was proven once, over all its links
	knew  map[string]int // the run that took our cookie once
	other map[string]int // the run that took it and has another one now
}

// attempt is how the last dial of a node's run ended.
type attempt struct {
	inc      int
	contact  diagnosis.Contact
	answered string // the name of another node that answered
}

type runLink struct {
	link
	inc  int
	last *health.Sample // the last that the probe took, nil at first
	base *health.Sample // an earlier one; nil until there are two
}

// since is the sample since which a load is measured now: the last, but where that
// is of just now the one before it.
func (r runLink) since(now time.Time) *health.Sample {
	if r.base != nil && now.Sub(r.last.Time) < health.Steady {
		return r.base
	}
	return r.last
}

func newLinks() *links {
	return &links{open: map[string]runLink{}, tried: map[string]attempt{}, ready: map[string]int{}, knew: map[string]int{}, other: map[string]int{}}
}

// put keeps the link of a run, which a later run's replaces. It is false where a
// later run's is there already: a probe can end after the next has begun.
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

// failed notes how a dial ended.
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

// changed notes whether a run that took our cookie has another one now.
func (l *links) changed(r report, other bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if other {
		l.other[r.node] = r.inc
	} else if l.other[r.node] == r.inc {
		delete(l.other, r.node)
	}
}

// cookie tells whether a run took our cookie once, and whether it has another one now.
func (l *links) cookie(r report) (knew, other bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return r.inc > 0 && l.knew[r.node] == r.inc, r.inc > 0 && l.other[r.node] == r.inc
}

// lastContact is how the last dial of a run ended, where it did not succeed.
func (l *links) lastContact(r report) (diagnosis.Contact, string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if a := l.tried[r.node]; a.inc == r.inc {
		return a.contact, a.answered
	}
	return "", ""
}

// begin notes that a run was proven; began tells it.
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
			open.base = open.last // of many samples of one second the first stays
		}
		open.last = &s
		l.open[r.node] = open
	}
}

// take removes the link if it is still that run's.
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
