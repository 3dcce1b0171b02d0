package probe

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/beamyard/beamyard/network/erldist"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/diagnosis"
	"github.com/beamyard/beamyard/orchestrator/health"
	"github.com/beamyard/beamyard/orchestrator/internal/dist"
	"github.com/beamyard/beamyard/orchestrator/internal/supervisor"
)

// Link is a distribution connection to one node, as the orchestrator uses it.
// [erldist.Conn] implements it.
type Link interface {
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

// DialFunc opens a link to the node of that BEAM name at host:port.
type DialFunc func(ctx context.Context, node, addr string) (Link, error)

// Dial dials as a hidden node of that name, or with "" of a name that the
// node generates. An error of [dist.Dialer] is that of each dial.
func Dial(s orchestrator.Spec, name string) DialFunc {
	d, bad := dist.Dialer(s, name)
	return func(ctx context.Context, node, addr string) (Link, error) {
		if bad != nil {
			return nil, bad
		}
		conn, err := d.Dial(ctx, node, addr)
		if err != nil {
			return nil, err
		}
		return conn, nil
	}
}

// Links holds the open link of each node's current run. Probes add and remove them,
// sweeps and connects use them.
type Links struct {
	mu    sync.Mutex
	open  map[string]RunLink
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

// RunLink is the open link of one run of a node.
type RunLink struct {
	Link
	Inc  int
	Last *health.Sample // the last one that the probe took; nil at first
	base *health.Sample // an earlier one; nil until there are two
}

// Since returns the sample from which to measure the load: the last one, or if that is
// too recent, the one before it.
func (r RunLink) Since(now time.Time) *health.Sample {
	if r.base != nil && now.Sub(r.Last.Time) < health.Steady {
		return r.base
	}
	return r.Last
}

// NewLinks returns an empty table.
func NewLinks() *Links {
	return &Links{open: map[string]RunLink{}, tried: map[string]attempt{}, ready: map[string]int{}, knew: map[string]int{}, other: map[string]int{}}
}

// put keeps the link of a run. A later run's link replaces it. put returns false if a
// later run's link exists already: a probe can end after the next has begun.
func (l *Links) put(r supervisor.RunID, conn Link) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[r.Node].Inc > r.Inc || l.tried[r.Node].inc > r.Inc {
		return false
	}
	l.open[r.Node] = RunLink{Link: conn, Inc: r.Inc}
	l.knew[r.Node] = r.Inc
	delete(l.tried, r.Node)
	return true
}

// failed records the result of a failed dial.
func (l *Links) failed(r supervisor.RunID, err error) {
	a := attempt{inc: r.Inc, contact: diagnosis.ContactOther}
	var other *erldist.WrongNameError
	switch {
	case errors.Is(err, erldist.ErrWrongCookie):
		a.contact = diagnosis.ContactWrongCookie
	case errors.As(err, &other):
		a.contact, a.answered = diagnosis.ContactWrongName, other.Node
	case errors.Is(err, erldist.ErrTLS):
		a.contact = diagnosis.ContactTLS
	case errors.Is(err, erldist.ErrRefused):
		a.contact = diagnosis.ContactRefused
	case errors.Is(err, erldist.ErrTimeout), errors.Is(err, erldist.ErrUnreachable), errors.Is(err, context.DeadlineExceeded):
		a.contact = diagnosis.ContactSilent
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.tried[r.Node].inc <= r.Inc {
		l.tried[r.Node] = a
	}
}

// changed records whether a run that accepted our cookie has another one now.
func (l *Links) changed(r supervisor.RunID, other bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if other {
		l.other[r.Node] = r.Inc
	} else if l.other[r.Node] == r.Inc {
		delete(l.other, r.Node)
	}
}

// Cookie reports whether a run accepted our cookie once, and whether it has another one
// now.
func (l *Links) Cookie(r supervisor.RunID) (knew, other bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return r.Inc > 0 && l.knew[r.Node] == r.Inc, r.Inc > 0 && l.other[r.Node] == r.Inc
}

// LastContact returns the result of the last dial of a run, if it failed.
func (l *Links) LastContact(r supervisor.RunID) (diagnosis.Contact, string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if a := l.tried[r.Node]; a.inc == r.Inc {
		return a.contact, a.answered
	}
	return "", ""
}

// begin records that a run was proven; began reports it.
func (l *Links) begin(r supervisor.RunID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ready[r.Node] = r.Inc
}

func (l *Links) began(r supervisor.RunID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ready[r.Node] == r.Inc
}

// Note keeps a sample of that run.
func (l *Links) Note(r supervisor.RunID, s health.Sample) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if open, ok := l.open[r.Node]; ok && open.Inc == r.Inc {
		if open.base == nil || open.Last.Time.Sub(open.base.Time) >= health.Steady {
			open.base = open.Last // of several samples within a second, the first is kept
		}
		open.Last = &s
		l.open[r.Node] = open
	}
}

// take removes the link if it still belongs to that run.
func (l *Links) take(r supervisor.RunID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[r.Node].Inc == r.Inc {
		delete(l.open, r.Node)
	}
}

// Get returns the link of a node's current run, if it is open.
func (l *Links) Get(node string) (RunLink, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	conn, ok := l.open[node]
	return conn, ok
}

// All returns the open links, by node.
func (l *Links) All() map[string]RunLink {
	l.mu.Lock()
	defer l.mu.Unlock()
	open := make(map[string]RunLink, len(l.open))
	for name, conn := range l.open {
		open[name] = conn
	}
	return open
}

// CloseAll closes the open links.
func (l *Links) CloseAll() {
	for _, conn := range l.All() {
		_ = conn.Close()
	}
}
