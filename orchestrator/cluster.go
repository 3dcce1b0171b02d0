package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"regexp"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/beamyard/beamyard/network"
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
	// it, a cluster that exists is [ErrClusterExists]. An adoption that is interrupted
	// or fails leaves the cluster as it was. One that was made detached stays so: the
	// end of ctx leaves its nodes, whoever adopted it.
	Adopt bool

	// OnFailure is called once when the cluster fails: it could not be prepared,
	// it did not form, or a node failed for good under OnFailed "stop-cluster".
	// Nothing of it is stopped, removed or restarted before it returns; c answers
	// as ever. ctx ends after 15 s, or with a cluster that somebody takes down
	// meanwhile, and OnFailure must return then. An interrupted cluster did not
	// fail. Nil: nobody looks.
	OnFailure func(ctx context.Context, c *Cluster, cause error)

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
	journal *journal
	outputs map[string]*nodeOutput // by node; the map never changes
	links   *links
	syncer  *syncer
	synced  atomic.Bool // somebody began a sync
	site    *site       // what prepare made; written before the loop starts
	started atomic.Bool

	settings    sync.Map    // what files of images set, by image and command; see settingsIn
	ignoredTold atomic.Bool // that a VM does not take something that its image sets

	sightTold atomic.Bool // that a node saw another come or go, since the last sweep

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

	adopted map[string]int // the runs that another supervisor began, by node; written before the loop starts work

	// The loop's own.
	sup    *supervisor
	probes map[string]context.CancelFunc

	forced    chan struct{} // closed by Force: an engine that is away is not waited for
	forceOnce sync.Once

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
		opts.dial = dialDistribution(spec, SupervisorNode)
	}
	c := &Cluster{
		spec: spec, eng: eng, opts: opts, clean: redactor(spec).Replace,
		box: newMailbox(), events: newEventLog(), journal: &journal{}, links: newLinks(), syncer: newSyncer(),
		changed: make(chan struct{}), forced: make(chan struct{}), waiting: map[waiter]chan error{},
		sup: newSupervisor(spec, rand.Float64), probes: map[string]context.CancelFunc{}, adopted: map[string]int{},
		outputs: map[string]*nodeOutput{},
	}
	for i, n := range spec.Nodes {
		c.outputs[n.Name] = newNodeOutput(n.Name, spec.OutputLines)
		for _, k := range spec.filled(i).Ready {
			if k.Log != "" {
				c.outputs[n.Name].out.Await(regexp.MustCompile(k.Log)) // it was validated
			}
		}
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
// supervision: the nodes go on, and the next supervisor adopts them. A cluster that
// was there before ([Options].Adopt) is not removed by an adoption that is
// interrupted or fails.
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
		c.syncer.end()
		c.finish(err)
	}()

	if l := c.opts.Logger; l != nil && l.Enabled(work, slog.LevelDebug) {
		c.forwarders.Go(func() { c.forwardEvents(context.WithoutCancel(work)) })
	}
	if l := c.opts.Logger; l != nil && l.Enabled(work, c.opts.OutputLevel) {
		for _, o := range c.outputs {
			c.forwarders.Go(func() { c.forward(context.WithoutCancel(work), o) })
		}
	}
	adopted, err := c.prepare(ctx)
	if err != nil {
		err = Diagnose(c.redact(err), c.spec)
		c.collectEarly(ctx, err)
		return c.leftAsItWas(ctx, err)
	}
	c.sup.spec = c.site.spec // with its image
	if err = c.subscribe(ctx, work); err == nil && c.site.adopted {
		err = ctx.Err() // from here on the nodes are ours to keep
	}
	switch {
	case err == nil:
		return c.loop(ctx, work, adopted)
	case c.site.adopted:
		c.collectEarly(ctx, err)
		return c.leftAsItWas(ctx, err)
	}
	c.collectEarly(ctx, err)
	return errors.Join(err, c.removeAll(work))
}

// leftAsItWas is what Run returns of a cluster that it did not make and has not
// begun to keep: somebody else's, which must outlive this (promise 9 of the
// design). One that was to be adopted and outlives its keepers is as well off as
// before where that was interrupted.
func (c *Cluster) leftAsItWas(ctx context.Context, err error) error {
	if c.site != nil && c.site.adopted && c.detached() && ctx.Err() != nil {
		err = nil
	}
	return err
}

// detached reports whether the end of ctx leaves the nodes running. A cluster that
// was made so stays so: it is not its adopter's to take along.
func (c *Cluster) detached() bool {
	return c.spec.Owner.Detached || c.site != nil && c.site.detached
}

// loop is the goroutine that owns the supervisor.
func (c *Cluster) loop(ctx, work context.Context, adopted []Container) error {
	cancelled := ctx.Done()
	var giveUp <-chan time.Time
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()

	c.sup.host = c.site.info.Host
	c.sup.inside = c.site.direct && !network.Reachable(c.site.subnet.Gateway)
	var actions []action
	for _, a := range adopted {
		node := a.Labels[LabelNode]
		actions = append(actions, c.sup.step(msgAdopted{node, a, c.site.slots[node].placement}, time.Now())...)
		if a.State.Running {
			c.adopted[node] = c.sup.byName[node].inc
		}
	}
	// What was adopted is not to form in time or be removed, also where nothing of it
	// is left but the network.
	actions = append(actions, c.sup.begin(time.Now(), !c.site.adopted)...)
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
			if c.detached() {
				return nil
			}
			giveUp = time.After(c.spec.StopTimeout + teardown)
			c.requested("", "interrupted: down")
			c.box.post(msgCommand{kind: cmdDown})
		case <-giveUp:
			return WithHint(fmt.Errorf("stop cluster %s: the engine did not finish within %s", c.spec.Name, c.spec.StopTimeout+teardown),
				"beamyard down %s", c.spec.Name)
		}
	}
}

// Force ends the grace of a stop that is under way, and of every later one:
// the second Ctrl-C.
func (c *Cluster) Force() {
	c.requested("", "interrupted again: do not wait")
	c.forceOnce.Do(func() { close(c.forced) })
	c.box.post(msgForce{})
}

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
		st.Image, st.App = c.site.spec.Image, c.site.spec.App
	}
	st.Nodes, st.Ready = c.sup.snapshot(now)
	st.failed = c.sup.understood()
	for i := range st.Nodes {
		st.Nodes[i].Reason, st.Nodes[i].LastExit = c.clean(st.Nodes[i].Reason), c.cleanExit(st.Nodes[i].LastExit)
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
	c.forwarded()
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
				ce.Problems[i].Output = append(ce.Problems[i].Output, o.out.Excerpt(20, c.clean)...)
			}
		}
	}
	return err
}

// cleanExit keeps secrets out of what is told of an end: an engine's error may
// quote the command.
func (c *Cluster) cleanExit(e *Exit) *Exit {
	if e == nil {
		return nil
	}
	clean := *e
	clean.Reason, clean.Slogan, clean.WaitsFor = c.clean(e.Reason), c.clean(e.Slogan), c.clean(e.WaitsFor)
	return &clean
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

// names of the cluster's things, once it has a place.
func (c *Cluster) names() network.Names {
	if c.site != nil {
		return c.site.spec.names()
	}
	return c.spec.names()
}
