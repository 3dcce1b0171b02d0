package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/beamyard/beamyard/network"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"
)

// maxStarts bounds the launches under way. A start is CPU-bound work of the
// engine, mostly network set-up: more than two for each of its processors
// gains nothing.
func maxStarts(cpus int) int64 { return int64(min(8, max(2, 2*cpus))) }

// subscribe opens the one event subscription of the cluster and waits until
// the engine has accepted it: whatever is created from now on is heard.
func (c *Cluster) subscribe(ctx, work context.Context) error {
	ready := make(chan struct{})
	var once sync.Once
	c.wg.Go(func() { c.listen(work, func() { once.Do(func() { close(ready) }) }) })
	select {
	case <-ready:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(10 * time.Second):
		return fmt.Errorf("subscribe to events: %w", ErrEngineUnreachable)
	}
}

// listen keeps the subscription open. It resumes from the last event's own
// time, which the engine includes again, so what was delivered is dropped here.
func (c *Cluster) listen(ctx context.Context, ready func()) {
	type key struct {
		id, action string
		at         int64
	}
	since := c.site.info.Time
	delivered := map[key]bool{}
	delay := 50 * time.Millisecond
	for {
		err := c.eng.Events(ctx, since, map[string]string{LabelCluster: c.spec.Name}, func() {
			delay = 50 * time.Millisecond
			c.box.post(msgSubscribed{})
			ready()
		}, func(e ContainerEvent) {
			k := key{e.ID, e.Action, e.Time.UnixNano()}
			if delivered[k] {
				return
			}
			if e.Time.After(since) {
				since = e.Time
				for old := range delivered {
					if old.at < since.Add(-time.Second).UnixNano() {
						delete(delivered, old)
					}
				}
			}
			delivered[k] = true
			c.box.post(msgEvent{e})
		})
		if ctx.Err() != nil {
			return
		}
		c.events.add(Event{Kind: EventNote, Text: fmt.Sprintf("the engine's event stream broke (%v); reconnecting", err)}, time.Now())
		select {
		case <-ctx.Done():
			return
		case <-time.After(delay):
		}
		delay = min(2*delay, 5*time.Second)
	}
}

// perform does what the supervisor wants. Whatever takes time runs in a
// goroutine of its own and posts its outcome; done means the cluster is over.
func (c *Cluster) perform(ctx context.Context, actions []action) (err error, done bool) {
	for _, a := range actions {
		switch a := a.(type) {
		case actLaunch:
			c.wg.Go(func() { c.launch(ctx, a.report) })
		case actStart:
			id := c.sup.byName[a.node].id
			c.wg.Go(func() {
				c.box.post(msgStarted{a.report, c.starting(ctx, func() error { return c.startAgain(ctx, a.node, id) })})
			})
		case actStop:
			id := c.sup.byName[a.node].id
			c.wg.Go(func() { c.box.post(msgStopped{a.report, c.eng.StopContainer(ctx, id, a.grace)}) })
		case actKill:
			id := c.sup.byName[a.node].id
			c.wg.Go(func() { c.box.post(msgKilled{a.report, a.waiter, c.eng.KillContainer(ctx, id, a.signal)}) })
		case actFollow:
			id := c.sup.byName[a.node].id
			out := c.outputs[a.node]
			end := out.begin(a.inc)
			c.wg.Go(func() {
				defer end()
				out.follow(ctx, c.eng, id, a.inc, a.began)
			})
		case actProbe:
			probing, cancel := context.WithCancel(ctx)
			c.probes[a.node] = cancel
			c.wg.Go(func() { c.probe(probing, a.report) })
		case actForget:
			if cancel := c.probes[a.node]; cancel != nil {
				cancel()
				delete(c.probes, a.node)
			}
		case actInspect:
			id := c.sup.byName[a.node].id
			c.wg.Go(func() { c.inspect(ctx, a.report, id) })
		case actAutopsy:
			id := c.sup.byName[a.node].id
			c.wg.Go(func() { c.autopsy(ctx, a.report, id) })
		case actConnect:
			c.wg.Go(func() { c.connectPeers(ctx, a) })
		case actSweep:
			c.wg.Go(func() { c.sweepMesh(ctx) })
		case actList:
			runs := map[string]report{}
			for _, m := range c.sup.nodes {
				runs[m.name] = m.report()
			}
			c.wg.Go(func() { c.compare(ctx, runs) })
		case actRemove:
			c.wg.Go(func() { c.box.post(msgRemoved{c.removeAll(ctx)}) })
		case actReply:
			c.reply(a.waiter, a.err)
		case actEmit:
			a.event.Text = c.clean(a.event.Text)
			c.log(c.events.add(a.event, time.Now()))
		case actMark:
			c.outputs[a.node].out.Mark(a.inc, time.Now(), a.text)
		case actDone:
			return c.excerpts(a.err), true
		}
	}
	return nil, false
}

func (c *Cluster) log(e Event) {
	if c.opts.Logger != nil {
		c.opts.Logger.Debug(e.Text, slog.String("cluster", c.spec.Name), slog.String("kind", string(e.Kind)))
	}
}

// starting runs fn with one of the engine's start slots.
func (c *Cluster) starting(ctx context.Context, fn func() error) error {
	if err := c.starts().Acquire(ctx, 1); err != nil {
		return err
	}
	defer c.starts().Release(1)
	return fn()
}

func (c *Cluster) starts() *semaphore.Weighted {
	c.startsOnce.Do(func() { c.startSlots = semaphore.NewWeighted(maxStarts(c.site.info.CPUs)) })
	return c.startSlots
}

// launch creates a node's container and starts it. A host port that somebody
// took since it was chosen is replaced by another, unless the user named it; a
// limit that the engine may not raise is left as it is.
func (c *Cluster) launch(ctx context.Context, r report) {
	at := c.site.slots[r.node]
	var id string
	err := c.starting(ctx, func() (err error) {
		for attempt := 0; ; attempt++ {
			spec := containerSpec(c.site.spec, at.index, c.site.networkID, at.placement, c.site.created)
			spec.NoFile = c.site.noFile.Load()
			if id, err = c.eng.CreateContainer(ctx, spec); err != nil {
				return fmt.Errorf("create container %s: %w", spec.Name, err)
			}
			at.releasePorts()
			if err = c.startOnNetwork(ctx, id); err == nil {
				return nil
			}
			portMoved := errors.Is(err, ErrPortTaken) && !at.fixed && attempt < 10
			if !portMoved && (!errors.Is(err, ErrUlimit) || spec.NoFile == 0) {
				return fmt.Errorf("start container %s: %w", spec.Name, err)
			}
			if err := c.eng.RemoveContainer(ctx, id); err != nil {
				return err
			}
			if err := c.relax(at, portMoved); err != nil {
				return err
			}
		}
	})
	c.box.post(msgLaunched{r, id, at.placement, err})
}

// startAgain starts a container that ran before, on its pinned ports. Nobody
// holds those while it is down: somebody who only looked for a free port, as
// another `up` does, gives it back within moments.
func (c *Cluster) startAgain(ctx context.Context, node, id string) (err error) {
	for range 20 {
		if err = c.eng.StartContainer(ctx, id); !errors.Is(err, ErrPortTaken) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(250 * time.Millisecond):
		}
	}
	for _, p := range c.site.slots[node].ports {
		if holder := network.Holder(p.Host); holder != "" && c.site.info.Local {
			return WithHint(fmt.Errorf("host port %d of %s was taken by %s while it was down: %w", p.Host, node, holder, err),
				"end %s, then: beamyard start %s", holder, node)
		}
	}
	return err
}

// startOnNetwork starts a container. While somebody else's `up` of the same
// name finds out that it came second, two networks have the cluster's name, and
// the engine calls that ambiguous (20.10 asks by name even for an ID): this
// passes within moments.
func (c *Cluster) startOnNetwork(ctx context.Context, id string) (err error) {
	for range 20 {
		if err = c.eng.StartContainer(ctx, id); !errors.Is(err, ErrConflict) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
	return err
}

// relax changes what the engine refused.
func (c *Cluster) relax(at *slot, port bool) error {
	if !port {
		c.site.noFile.Store(0)
		return nil
	}
	c.placing.Lock()
	defer c.placing.Unlock()
	return c.site.holdPorts(at)
}

// compare asks the engine for all containers and reports each node's: what the
// event stream lost is found here.
func (c *Cluster) compare(ctx context.Context, runs map[string]report) {
	listed, err := c.eng.Containers(ctx, map[string]string{LabelCluster: c.spec.Name})
	if err != nil {
		return // the event stream tells when the engine is back
	}
	found := map[string]Container{}
	for _, l := range listed {
		found[l.Labels[LabelNode]] = l
	}
	for node, r := range runs {
		switch l, ok := found[node]; {
		case !ok:
			c.box.post(msgSeen{r, nil})
		default:
			c.inspect(ctx, r, l.ID)
		}
	}
}

func (c *Cluster) inspect(ctx context.Context, r report, id string) {
	switch found, err := c.eng.InspectContainer(ctx, id); {
	case err == nil:
		c.box.post(msgSeen{r, &found})
	case errors.Is(err, ErrNotFound):
		c.box.post(msgSeen{r, nil})
	}
}

// autopsy reads what is known of an end: the output up to its last line, and
// whether the kernel killed it for its memory.
func (c *Cluster) autopsy(ctx context.Context, r report, id string) {
	found, err := c.eng.InspectContainer(ctx, id)
	out := c.outputs[r.node]
	out.drained(ctx, r.inc)
	c.box.post(msgAutopsy{r, c.clean(slogan(out.out.Tail(50), r.inc)), err == nil && found.State.OOMKilled})
}

// slogans begin the line in which a VM says why it ended, most telling first.
var slogans = []string{
	"** (Mix)", "** (CompileError)", "** (UndefinedFunctionError)", "Protocol 'inet_tcp'",
	"Runtime terminating during boot", "Kernel pid terminated", "init terminating in do_boot", "** (", "Slogan:",
}

// slogan picks the line that says why a run ended, or "".
func slogan(lines []Line, run int) string {
	for _, s := range slogans {
		for _, l := range lines {
			if l.Run == run && l.Stream != StreamSystem && strings.Contains(l.Text, s) {
				return strings.TrimSpace(l.Text)
			}
		}
	}
	for i := len(lines) - 1; i >= 0; i-- {
		if l := lines[i]; l.Run == run && l.Stream == Stderr && strings.TrimSpace(l.Text) != "" {
			return strings.TrimSpace(l.Text)
		}
	}
	return ""
}

// removeAll removes the containers and then the network, whatever happened in
// between; it reports what it could not remove.
func (c *Cluster) removeAll(ctx context.Context) error {
	c.site.release()
	_, err := removeCluster(ctx, c.eng, c.spec.Name)
	return err
}

// removeCluster removes everything that carries the cluster's label.
func removeCluster(ctx context.Context, eng Engine, cluster string) (Removed, error) {
	removed := Removed{Cluster: cluster}
	label := map[string]string{LabelCluster: cluster}
	containers, err := eng.Containers(ctx, label)
	if err != nil {
		return removed, fmt.Errorf("list containers: %w", err)
	}
	var group errgroup.Group
	group.SetLimit(16)
	for _, found := range containers {
		removed.Containers = append(removed.Containers, found.Name)
		group.Go(func() error {
			if err := eng.RemoveContainer(ctx, found.ID); err != nil {
				return fmt.Errorf("remove container %s: %w", found.Name, err)
			}
			return nil
		})
	}
	err = group.Wait()
	networks, listErr := eng.Networks(ctx, label)
	err = errors.Join(err, listErr)
	for _, n := range networks {
		removed.Networks = append(removed.Networks, n.Name)
		err = errors.Join(err, removeNetwork(ctx, eng, n))
	}
	if err != nil {
		err = WithHint(err, "try again: beamyard down %s", cluster)
	}
	return removed, err
}

// removeNetwork tries again for a moment: the engine reports endpoints that it
// is still taking away.
func removeNetwork(ctx context.Context, eng Engine, n Network) error {
	for attempt := 0; ; attempt++ {
		err := eng.RemoveNetwork(ctx, n.ID)
		if err == nil {
			return nil
		}
		if !errors.Is(err, ErrConflict) || attempt == 10 {
			return fmt.Errorf("remove network %s: %w", n.Name, err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}
