package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"
)

// Options are what a cluster takes beside its spec. The zero value works.
type Options struct {
	// Logger gets the nodes' output, a record a line: "[n1:stdout] text". Nil:
	// nothing is logged.
	Logger *slog.Logger
	// OutputLevel of those records. Default slog.LevelInfo; the guide that this
	// replaces logged at debug, which is slog.LevelDebug.
	OutputLevel slog.Level
	// BuildOutput gets the lines of an image build. Nil: dropped; a failed
	// build's error holds the compiler's lines anyway.
	BuildOutput io.Writer
	// Adopt takes over a cluster of this name whose supervisor is gone. Without
	// it, a cluster that exists is [ErrClusterExists].
	Adopt bool

	// dial opens a distribution connection; nil is [erldist.Dialer].
	dial dialFunc
}

// Cluster keeps the declared nodes running. See the package documentation for
// its life and its threads.
type Cluster struct {
	spec  Spec
	eng   Engine
	opts  Options
	clean func(string) string // takes secrets out of text

	box     *mailbox
	events  *eventLog
	outputs map[string]*nodeOutput // by node; the map never changes
	links   *links
	site    *site // what prepare made; written before the loop starts
	started atomic.Bool

	view    atomic.Pointer[view]
	mu      sync.Mutex
	changed chan struct{} // closed and replaced with each new view
	waiting map[waiter]chan error
	waiters waiter
	ended   bool
	outcome error

	startsOnce sync.Once
	startSlots *semaphore.Weighted
	placing    sync.Mutex // guards the site's taken ports while launches run

	// The loop's own.
	sup    *supervisor
	probes map[string]context.CancelFunc

	wg         sync.WaitGroup // everything that works with the engine or a node
	forwarders sync.WaitGroup // what logs the output; ends when the outputs are closed
}

var _ Controller = (*Cluster)(nil)

// view is what the loop shows to other goroutines.
type view struct {
	Status
	failed *ClusterError // nodes that failed for good since all were Ready
}

// New checks the spec and does no I/O. The error is a [SpecError].
func New(spec Spec, eng Engine, opts Options) (*Cluster, error) {
	if err := spec.Validate(); err != nil {
		return nil, err
	}
	spec = spec.Defaulted()
	if spec.Owner == (Owner{}) {
		spec.Owner = Self(false)
	}
	if opts.dial == nil {
		opts.dial = dialDistribution(spec)
	}
	c := &Cluster{
		spec: spec, eng: eng, opts: opts, clean: redactor(spec).Replace,
		box: newMailbox(), events: newEventLog(), links: newLinks(),
		changed: make(chan struct{}), waiting: map[waiter]chan error{},
		sup: newSupervisor(spec, rand.Float64), probes: map[string]context.CancelFunc{},
		outputs: map[string]*nodeOutput{},
	}
	for _, n := range spec.Nodes {
		c.outputs[n.Name] = newNodeOutput(n.Name, spec.OutputLines)
	}
	c.publish(time.Now())
	return c, nil
}

// teardown bounds what is left to do once a cluster is told to go: the grace
// of its nodes and this.
const teardown = 60 * time.Second

// Run brings the cluster up, keeps it, and returns when it is over: nil after
// [Cluster.Down] or after ctx was cancelled, with everything removed; a
// [ClusterError] when it never became Ready, with everything removed too; or
// what kept it from being prepared. It may be called once.
//
// For a detached cluster ([Owner].Detached), cancelling ctx only ends the
// supervision: the nodes go on, and the next supervisor adopts them.
func (c *Cluster) Run(ctx context.Context) (err error) {
	if c.started.Swap(true) {
		return errors.New("a cluster runs once")
	}
	// The work outlives ctx's cancellation: a stop is work too.
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer func() {
		cancel()
		c.wg.Wait()
		if c.site != nil {
			c.site.release()
		}
		c.links.closeAll()
		c.finish(err)
	}()

	if l := c.opts.Logger; l != nil && l.Enabled(work, c.opts.OutputLevel) {
		for _, o := range c.outputs {
			c.forwarders.Go(func() { c.forward(context.WithoutCancel(work), o) })
		}
	}
	adopted, err := c.prepare(ctx)
	if err != nil {
		return c.redact(err)
	}
	c.sup.spec = c.site.spec // with its image
	if err := c.subscribe(ctx, work); err != nil {
		return errors.Join(err, c.removeAll(work))
	}
	return c.loop(ctx, work, adopted)
}

// loop is the goroutine that owns the supervisor.
func (c *Cluster) loop(ctx, work context.Context, adopted []Container) error {
	cancelled := ctx.Done()
	var giveUp <-chan time.Time
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()

	var actions []action
	for _, a := range adopted {
		actions = append(actions, c.sup.step(msgAdopted{a.Labels[LabelNode], a}, time.Now())...)
	}
	actions = append(actions, c.sup.begin(time.Now(), len(adopted) == 0)...)
	if err, done := c.perform(work, actions); done {
		return err
	}
	for {
		now := time.Now()
		c.publish(now)
		timer.Stop()
		if at := c.sup.wake(); !at.IsZero() {
			timer.Reset(at.Sub(now))
		}
		select {
		case <-c.box.signal:
			for _, msg := range c.box.take() {
				if err, done := c.perform(work, c.sup.step(msg, time.Now())); done {
					return err
				}
			}
		case <-timer.C:
			if err, done := c.perform(work, c.sup.step(msgTick{}, time.Now())); done {
				return err
			}
		case <-cancelled:
			cancelled = nil
			if c.spec.Owner.Detached {
				return nil
			}
			giveUp = time.After(c.spec.StopGrace + teardown)
			c.box.post(msgCommand{kind: cmdDown})
		case <-giveUp:
			return WithHint(fmt.Errorf("stop cluster %s: the engine did not finish within %s", c.spec.Name, c.spec.StopGrace+teardown),
				"beamyard down %s", c.spec.Name)
		}
	}
}

// Force ends the grace of a stop that is under way, and of every later one:
// the second Ctrl-C.
func (c *Cluster) Force() { c.box.post(msgForce{}) }

// Spec returns the cluster's spec with its defaults filled. It holds the cookie.
func (c *Cluster) Spec() Spec { return c.spec }

// publish makes the supervisor's state visible to other goroutines.
func (c *Cluster) publish(now time.Time) {
	st := &view{Status: Status{
		Cluster: c.spec.Name, Supervised: true, Network: c.spec.names().Network(),
		Image: c.spec.Image, Source: c.spec.Source,
	}}
	if c.site != nil {
		st.NetworkID, st.Subnet, st.Created = c.site.networkID, c.site.subnet.Prefix, c.site.created
		st.Image = c.site.spec.Image
	}
	st.Nodes, st.Ready = c.sup.snapshot(now)
	st.failed = c.sup.failed()
	for i := range st.Nodes {
		st.Nodes[i].Reason = c.clean(st.Nodes[i].Reason)
	}
	c.view.Store(st)
	c.mu.Lock()
	close(c.changed)
	c.changed = make(chan struct{})
	c.mu.Unlock()
}

// finish answers everybody who still waits.
func (c *Cluster) finish(err error) {
	c.mu.Lock()
	c.ended, c.outcome = true, err
	for w, reply := range c.waiting {
		reply <- ErrClosed
		delete(c.waiting, w)
	}
	close(c.changed)
	c.changed = make(chan struct{})
	c.mu.Unlock()
	c.events.close()
	for _, o := range c.outputs {
		o.out.Close()
	}
	c.forwarders.Wait()
}

// Status implements [Controller]; it never fails.
func (c *Cluster) Status(context.Context) (Status, error) {
	st := c.view.Load().Status
	st.Nodes = slices.Clone(st.Nodes)
	for i, n := range st.Nodes {
		st.Nodes[i].DroppedLines = c.outputs[n.Name].out.Dropped()
	}
	return st, nil
}

// WaitReady implements [Controller].
func (c *Cluster) WaitReady(ctx context.Context) error {
	for {
		c.mu.Lock()
		changed, ended, outcome := c.changed, c.ended, c.outcome
		c.mu.Unlock()
		st := c.view.Load()
		switch {
		case ended && outcome != nil:
			return outcome
		case ended:
			return ErrClosed
		case st.Ready:
			return nil
		case st.failed != nil:
			return c.excerpts(st.failed)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Events implements [Controller].
func (c *Cluster) Events(ctx context.Context, after uint64, follow bool, fn func(Event) error) error {
	return c.events.read(ctx, after, follow, fn)
}

// Logs implements [Controller].
func (c *Cluster) Logs(ctx context.Context, q LogQuery, fn func(Line) error) error {
	names := q.Nodes
	if len(names) == 0 {
		for _, n := range c.spec.Nodes {
			names = append(names, n.Name)
		}
	}
	outputs := make([]*Output, 0, len(names))
	for _, name := range names {
		o := c.outputs[name]
		if o == nil {
			return c.sup.noNode(name) // reads only the spec
		}
		outputs = append(outputs, o.out)
	}
	return readLogs(ctx, outputs, q, fn)
}

// Output returns the kept output of one node, or [ErrNoNode].
func (c *Cluster) Output(node string) (*Output, error) {
	if o := c.outputs[node]; o != nil {
		return o.out, nil
	}
	return nil, c.sup.noNode(node)
}

// Start implements [Controller].
func (c *Cluster) Start(ctx context.Context, nodes ...string) error {
	return c.ask(ctx, cmdStart, "", nodes)
}

// Stop implements [Controller].
func (c *Cluster) Stop(ctx context.Context, nodes ...string) error {
	return c.ask(ctx, cmdStop, "", nodes)
}

// Restart implements [Controller].
func (c *Cluster) Restart(ctx context.Context, nodes ...string) error {
	return c.ask(ctx, cmdRestart, "", nodes)
}

// Kill implements [Controller].
func (c *Cluster) Kill(ctx context.Context, signal string, nodes ...string) error {
	return c.ask(ctx, cmdKill, signal, nodes)
}

// Down implements [Controller].
func (c *Cluster) Down(ctx context.Context) error {
	return c.ask(ctx, cmdDown, "", []string{""})
}

// ask posts a command for each node and waits for all answers. An unknown node
// fails the whole before anything is done.
func (c *Cluster) ask(ctx context.Context, kind commandKind, signal string, nodes []string) error {
	for _, n := range nodes {
		if _, known := c.outputs[n]; !known && kind != cmdDown {
			return c.sup.noNode(n)
		}
	}
	replies := make([]chan error, len(nodes))
	for i, n := range nodes {
		replies[i] = make(chan error, 1)
		c.mu.Lock()
		if c.ended {
			replies[i] <- ErrClosed
		} else {
			c.waiters++
			c.waiting[c.waiters] = replies[i]
			c.box.post(msgCommand{kind: kind, nodes: []string{n}, signal: signal, waiter: c.waiters})
		}
		c.mu.Unlock()
	}
	var errs []error
	for i, reply := range replies {
		select {
		case err := <-reply:
			if err != nil && kind != cmdDown && !errors.Is(err, ErrClosed) && !errors.Is(err, ErrNotRunning) {
				err = fmt.Errorf("%s: %w", nodes[i], err)
			}
			errs = append(errs, err)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return errors.Join(errs...)
}

func (c *Cluster) reply(w waiter, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if reply, ok := c.waiting[w]; ok {
		delete(c.waiting, w)
		reply <- err
	}
}

// excerpts adds the last output to the problems of an error that ends the
// cluster, so that who reads it sees what the node said.
func (c *Cluster) excerpts(err error) error {
	var ce *ClusterError
	if errors.As(err, &ce) {
		ce.Problems = slices.Clone(ce.Problems)
		for i, p := range ce.Problems {
			ce.Problems[i].Reason = c.clean(p.Reason)
			if o := c.outputs[p.Node]; o != nil {
				for _, line := range o.out.Excerpt(20) {
					ce.Problems[i].Output = append(ce.Problems[i].Output, c.clean(line))
				}
			}
		}
	}
	return err
}

// redact keeps secrets out of an error that comes from somewhere else.
func (c *Cluster) redact(err error) error {
	if err == nil || c.clean(err.Error()) == err.Error() {
		return err
	}
	return &redactedError{err: err, text: c.clean(err.Error())}
}

type redactedError struct {
	err  error
	text string
}

func (e *redactedError) Error() string { return e.text }
func (e *redactedError) Unwrap() error { return e.err }

// sortedKeys of a map, for output that does not jump.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
