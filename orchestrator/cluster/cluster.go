package cluster

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
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/hint"
	"github.com/beamyard/beamyard/orchestrator/internal/dist"
	"github.com/beamyard/beamyard/orchestrator/internal/history"
	"github.com/beamyard/beamyard/orchestrator/internal/inside"
	"github.com/beamyard/beamyard/orchestrator/internal/manifest"
	"github.com/beamyard/beamyard/orchestrator/internal/probe"
	"github.com/beamyard/beamyard/orchestrator/internal/supervisor"
	"github.com/beamyard/beamyard/orchestrator/internal/wait"
	"github.com/beamyard/beamyard/orchestrator/keeper"
	"github.com/beamyard/beamyard/orchestrator/logs"
	"github.com/beamyard/beamyard/orchestrator/secrets"
	"github.com/beamyard/beamyard/orchestrator/validation"
	"golang.org/x/sync/semaphore"
)

// Options configure a cluster beyond its spec. The zero value works.
type Options struct {
	// Logger receives the nodes' output, one record per line: "[n1:stdout] text". Nil: no
	// output is logged.
	Logger *slog.Logger
	// OutputLevel of those records. Default slog.LevelInfo. The guide that Beamyard
	// replaces logged at debug level; use slog.LevelDebug for that.
	OutputLevel slog.Level
	// BuildOutput receives the lines of an image build. Nil: discarded; the error of a
	// failed build holds the compiler's lines in any case.
	BuildOutput io.Writer
	// Adopt takes over an existing cluster of this name whose supervisor is gone. Without
	// it, an existing cluster is [orchestrator.ErrClusterExists]. An adoption that is
	// interrupted or fails leaves the cluster unchanged. A cluster created as detached
	// stays detached: the end of ctx leaves its nodes running, no matter who adopted it.
	Adopt bool

	// Parked is the cluster of [Park] that Run takes: with its name, its cookie and its owner
	// in the spec, which is otherwise equal to the parked one. If something of it is damaged or
	// gone, Run replaces it. Nil: Run creates the cluster.
	Parked *Parked

	// OnFailure is called once if the cluster fails: it could not be prepared, it did not
	// form, or a node failed for good under OnFailed "stop-cluster". No part of it is
	// stopped, removed or restarted before OnFailure returns, and c answers as usual. ctx
	// ends after 15 s, or when a user takes the cluster down in the meantime; OnFailure
	// must then return. An interrupted cluster has not failed. Nil disables it.
	OnFailure func(ctx context.Context, c *Cluster, cause error)

	// dial opens a distribution connection; nil means [erldist.Dialer].
	dial probe.DialFunc
}

// Cluster runs the declared nodes and keeps them running. See the package documentation
// for its life and its threads.
type Cluster struct {
	spec  orchestrator.Spec
	eng   orchestrator.Engine
	opts  Options
	clean func(string) string // removes secrets from text

	box     *mailbox
	events  *history.Events
	journal *history.Journal
	outputs map[string]*logs.Node // by node; the map never changes
	links   *probe.Links

	faultsMu sync.Mutex  // held from a list of the faults until the supervisor has it
	faulty   atomic.Bool // a fault is in force

	parking  bool   // see Park
	endSweep func() // gives up on what others left, soon
	prober   *probe.Prober
	syncer   *syncer
	synced   atomic.Bool // a sync has begun
	site     *site       // the result of prepare; written before the loop starts
	built    atomic.Pointer[built]
	started  atomic.Bool

	inside      *inside.Inspector
	ignoredTold atomic.Bool // it was reported that a VM ignores a setting of its image

	sightTold atomic.Bool // a node saw another connect or disconnect since the last sweep

	view    atomic.Pointer[view]
	mu      sync.Mutex
	changed chan struct{} // closed and replaced with each new view
	whole   chan struct{} // closed while the cluster is Ready
	waiting map[supervisor.Waiter]chan error
	waiters supervisor.Waiter
	ended   bool
	outcome error

	startsOnce sync.Once
	startSlots *semaphore.Weighted
	placing    sync.Mutex // guards the site's taken ports while launches run

	adopted map[string]int // the runs that another supervisor started, by node; written before the loop starts work

	// Owned by the loop.
	sup    *supervisor.Supervisor
	probes map[string]context.CancelFunc

	forced    chan struct{} // closed by Force: an unreachable engine is then not waited for
	forceOnce sync.Once

	wg         sync.WaitGroup // all work with the engine or a node
	forwarders sync.WaitGroup // the goroutines that log the output; they end when the outputs are closed
}

var _ orchestrator.Controller = (*Cluster)(nil)

// view is the state that the loop publishes to other goroutines.
type view struct {
	orchestrator.Status
	failed *orchestrator.ClusterError // nodes that failed for good after all were Ready
}

// New checks the spec and returns a cluster to Run. It reads files of [orchestrator.TLS], and does
// no other I/O. The error is a [orchestrator.SpecError].
func New(spec orchestrator.Spec, eng orchestrator.Engine, opts Options) (*Cluster, error) {
	if err := validation.Check(spec); err != nil {
		return nil, err
	}
	spec = spec.Defaulted()
	if spec.Owner == (orchestrator.Owner{}) {
		spec.Owner = keeper.Self(false)
	}
	spec, err := dist.WithAuthority(spec, time.Now())
	if err != nil {
		return nil, err
	}
	if opts.dial == nil {
		opts.dial = probe.Dial(spec, orchestrator.SupervisorNode)
	}
	c := &Cluster{
		spec: spec, eng: eng, opts: opts, clean: secrets.Redactor(spec).Replace,
		box: newMailbox(), events: history.NewEvents(), journal: &history.Journal{}, links: probe.NewLinks(), syncer: newSyncer(),
		changed: make(chan struct{}), whole: make(chan struct{}), forced: make(chan struct{}), waiting: map[supervisor.Waiter]chan error{},
		sup: supervisor.New(spec, rand.Float64), probes: map[string]context.CancelFunc{}, adopted: map[string]int{},
		outputs: map[string]*logs.Node{}, endSweep: func() {},
	}
	c.inside = &inside.Inspector{Engine: eng, ReadFile: c.files().ReadFile}
	for i, n := range spec.Nodes {
		c.outputs[n.Name] = logs.NewNode(n.Name, spec.OutputLines)
		for _, k := range spec.NodeAt(i).Ready {
			if k.Log != "" {
				c.outputs[n.Name].Out.Await(regexp.MustCompile(k.Log)) // it was validated
			}
		}
	}
	c.publish(time.Now())
	return c, nil
}

// Run starts the cluster, supervises it, and returns when it has ended. It returns nil
// after [Cluster.Down] or after ctx was cancelled, with everything removed; a
// [orchestrator.ClusterError] if the cluster never became Ready, also with everything
// removed; or the error that prevented its preparation. It may be called once.
//
// For a detached cluster ([orchestrator.Owner].Detached), cancelling ctx ends only the
// supervision: the nodes keep running, and the next supervisor adopts them. A cluster that
// existed before ([Options].Adopt) is not removed by an adoption that is interrupted or
// fails.
func (c *Cluster) Run(ctx context.Context) (err error) {
	if c.started.Swap(true) {
		return errors.New("a cluster runs once")
	}
	// The work continues after ctx is cancelled: a stop is work too.
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer func() {
		cancel()
		c.endSweep()
		c.wg.Wait()
		c.site.release()
		c.links.CloseAll()
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
	c.prober = c.newProber()
	if err = c.subscribe(ctx, work); err == nil && c.site.adopted {
		err = ctx.Err() // from here on we supervise the nodes
	}
	switch {
	case err == nil:
		if c.site.adopted { // a squeeze that ended meanwhile has its limits still
			c.wg.Go(func() { c.applyFaults(work) })
		}
		return c.loop(ctx, work, adopted)
	case c.site.adopted:
		c.collectEarly(ctx, err)
		return c.leftAsItWas(ctx, err)
	}
	c.collectEarly(ctx, err)
	return errors.Join(err, c.removeAll(work))
}

// leftAsItWas returns Run's error for a cluster that Run did not create and does not
// supervise yet: it belongs to another owner and must outlive this Run (promise 9 of the
// design). Interrupting the adoption of a detached cluster is not an error: the cluster
// is unchanged.
func (c *Cluster) leftAsItWas(ctx context.Context, err error) error {
	if c.site != nil && c.site.adopted && c.detached() && ctx.Err() != nil {
		err = nil
	}
	return err
}

// detached reports whether the nodes keep running when ctx ends. A cluster created as
// detached stays detached: its adopter does not remove it.
func (c *Cluster) detached() bool {
	return c.spec.Owner.Detached || c.site != nil && c.site.detached
}

// loop is the goroutine that owns the supervisor.
func (c *Cluster) loop(ctx, work context.Context, adopted []orchestrator.Container) error {
	cancelled := ctx.Done()
	var giveUp <-chan time.Time
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()

	c.sup.Configure(c.current(), c.site.info.Host, c.site.direct && !network.Reachable(c.site.subnet.Gateway))
	var actions []supervisor.Action
	for _, a := range adopted {
		node := a.Labels[orchestrator.LabelNode]
		actions = append(actions, c.sup.Step(supervisor.Adopted{Node: node, Container: a, At: c.site.placement(node)}, time.Now())...)
	}
	nodes, _ := c.sup.Snapshot(time.Now())
	for _, a := range adopted {
		if node := a.Labels[orchestrator.LabelNode]; a.State.Running {
			i := slices.IndexFunc(nodes, func(n orchestrator.NodeStatus) bool { return n.Name == node })
			c.adopted[node] = nodes[i].Incarnation
		}
	}
	// An adopted cluster has no deadline to form and is not removed if it does not form,
	// even if only its network is left.
	actions = append(actions, c.sup.Begin(time.Now(), !c.site.adopted)...)
	if err, done := c.perform(work, actions); done {
		return err
	}
	for {
		now := time.Now()
		c.publish(now)
		timer.Stop()
		if at := c.sup.Wake(); !at.IsZero() {
			timer.Reset(at.Sub(now))
		}
		select {
		case <-c.box.signal:
			for _, msg := range c.box.take() {
				if err, done := c.perform(work, c.sup.Step(msg, time.Now())); done {
					return err
				}
			}
		case <-timer.C:
			if err, done := c.perform(work, c.sup.Step(supervisor.Tick{}, time.Now())); done {
				return err
			}
		case <-cancelled:
			cancelled = nil
			if c.detached() {
				return nil
			}
			giveUp = time.After(c.spec.StopTimeout + orchestrator.RemovalTime)
			c.requested("", "interrupted: down")
			c.box.post(supervisor.Command{Kind: supervisor.CmdDown})
		case <-giveUp:
			return orchestrator.WithHint(fmt.Errorf("stop cluster %s: the engine did not finish within %s", c.spec.Name, c.spec.StopTimeout+orchestrator.RemovalTime),
				"%s", hint.Down.On(c.spec.Name))
		}
	}
}

// Force skips the stop timeout of a stop in progress, and of every later one. It
// implements the second Ctrl-C.
func (c *Cluster) Force() {
	c.requested("", "interrupted again: do not wait")
	c.forceOnce.Do(func() { close(c.forced) })
	c.box.post(supervisor.Force{})
}

// Spec returns the cluster's spec with its defaults filled, what an upgrade has changed in it, and
// each node with the host that it runs on. It includes the cookie.
func (c *Cluster) Spec() orchestrator.Spec {
	spec := c.spec
	if b := c.built.Load(); b != nil {
		spec = manifest.WithBuilds(spec, b.builds)
	}
	return spec.On(c.view.Load().Nodes)
}

// publish makes the supervisor's state visible to other goroutines.
func (c *Cluster) publish(now time.Time) {
	st := &view{Status: orchestrator.Status{
		Cluster: c.spec.Name, Supervised: true, Network: c.spec.Names().Network(),
		Image: c.spec.Image, Source: c.spec.Source,
	}}
	if c.site != nil {
		st.NetworkID, st.Subnet, st.Created = c.site.networkID, c.site.subnet.Prefix, c.site.created
		spec := c.current()
		st.Image, st.App, st.Source = spec.Image, spec.App, spec.Source
	}
	st.Nodes, st.Ready = c.sup.Snapshot(now)
	st.Faults = c.sup.Faults()
	st.failed = c.sup.Understood()
	for i := range st.Nodes {
		st.Nodes[i].Reason, st.Nodes[i].LastExit = c.clean(st.Nodes[i].Reason), c.cleanExit(st.Nodes[i].LastExit)
	}
	c.view.Store(st)
	c.mu.Lock()
	close(c.changed)
	c.changed = make(chan struct{})
	switch was := wait.Closed(c.whole); {
	case st.Ready && !was:
		close(c.whole)
	case !st.Ready && was:
		c.whole = make(chan struct{})
	}
	c.mu.Unlock()
}

// finish answers all pending requests.
func (c *Cluster) finish(err error) {
	c.mu.Lock()
	c.ended, c.outcome = true, err
	for w, reply := range c.waiting {
		reply <- orchestrator.ErrClosed
		delete(c.waiting, w)
	}
	close(c.changed)
	c.changed = make(chan struct{})
	c.mu.Unlock()
	c.events.Close()
	for _, o := range c.outputs {
		o.Out.Close()
	}
	c.forwarded()
}

// excerpts adds the last output lines of each node to the problems of an error that ends
// the cluster, so that the error shows what the nodes printed.
func (c *Cluster) excerpts(err error) error {
	var ce *orchestrator.ClusterError
	if errors.As(err, &ce) {
		ce.Problems = slices.Clone(ce.Problems)
		for i, p := range ce.Problems {
			ce.Problems[i].Reason = c.clean(p.Reason)
			if o := c.outputs[p.Node]; o != nil {
				ce.Problems[i].Output = append(ce.Problems[i].Output, o.Out.Excerpt(20, c.clean)...)
			}
		}
	}
	return err
}

// cleanExit removes secrets from a reported exit: an engine's error may quote the
// command.
func (c *Cluster) cleanExit(e *orchestrator.Exit) *orchestrator.Exit {
	if e == nil {
		return nil
	}
	clean := *e
	clean.Reason, clean.Slogan, clean.WaitsFor = c.clean(e.Reason), c.clean(e.Slogan), c.clean(e.WaitsFor)
	return &clean
}

// redact removes secrets from an error of another package.
func (c *Cluster) redact(err error) error { return secrets.RedactError(err, c.clean) }

// names returns the names of the cluster's objects, with addresses once they are known.
func (c *Cluster) names() network.Names {
	if c.site != nil {
		return c.site.spec.Names()
	}
	return c.spec.Names()
}
