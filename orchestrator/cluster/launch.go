package cluster

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/beamyard/beamyard/network"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/compiler"
	"github.com/beamyard/beamyard/orchestrator/hint"
	"github.com/beamyard/beamyard/orchestrator/internal/manifest"
	"github.com/beamyard/beamyard/orchestrator/internal/provision"
	"github.com/beamyard/beamyard/orchestrator/internal/supervisor"
	"github.com/beamyard/beamyard/orchestrator/internal/wait"
	"golang.org/x/sync/semaphore"
)

// This file starts containers, and handles what an engine may refuse.

// maxStarts returns the limit of concurrent launches. A start is CPU-bound work of the
// engine, mostly network set-up: more than two for each of its processors gain nothing.
func maxStarts(cpus int) int64 { return int64(min(8, max(2, 2*cpus))) }

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

// launch creates a node's container and starts it. A host port that another process has
// taken in the meantime is replaced by another, unless the user named it; a limit that
// the engine may not raise is left unchanged. If launch fails before the start, the node
// has no container: one that lacks its cookie, its files or its code must never be
// started.
//
// replace removes the container that the node has, and keeps its host ports.
func (c *Cluster) launch(ctx context.Context, r supervisor.RunID, replace bool) {
	at := c.site.slots[r.Node]
	var id string
	err := c.starting(ctx, func() (err error) {
		if replace {
			if err = c.clear(ctx, r, at); err != nil {
				return err
			}
		}
		id, err = c.launchPrepared(ctx, r, at)
		return err
	})
	c.box.post(supervisor.Launched{RunID: r, ID: id, At: at.Placement, Err: err})
}

// clear removes the container of a node that is to be replaced, once all it printed is read. The
// node's host ports are reserved before: no other `up` finds them free in between.
func (c *Cluster) clear(ctx context.Context, r supervisor.RunID, at *slot) error {
	c.outputs[r.Node].Drained(ctx, r.Inc-1)
	if err := patiently(ctx, func() error { return c.site.holdAgain(at) }); err != nil {
		at.releasePorts()
		return err
	}
	if err := c.retryUnavailable(ctx, func() error { return c.eng.RemoveContainer(ctx, c.names().Container(r.Node)) }); err != nil {
		at.releasePorts()
		return fmt.Errorf("remove the container before: %w", err)
	}
	return nil
}

// launchPrepared does the work of launch, in a start slot. It returns the ID of a
// container that has everything its node needs, or "".
func (c *Cluster) launchPrepared(ctx context.Context, r supervisor.RunID, at *slot) (string, error) {
	if id, err := c.open(ctx, r.Node); id != "" || err != nil {
		return id, err
	}
	fresh, err := c.provider(at).CreateVolumes(ctx, at.index)
	at.addFresh(fresh)
	if err != nil {
		return "", errors.Join(err, c.rollback(ctx, "", at))
	}
	for attempt := 0; ; attempt++ {
		spec := manifest.Container(at.on(c.current()), at.index, c.site.networkID, at.Placement, c.site.created)
		spec.NoFile = c.site.noFile.Load()
		if b, upgraded := c.buildOf(r.Node); upgraded {
			spec.Labels[orchestrator.LabelBuild] = manifest.MustJSON(b)
		}
		c.site.lacks.Leave(&spec)
		if c.parking {
			image, err := c.eng.Image(ctx, spec.Image)
			if err != nil {
				return "", err
			}
			spec = manifest.Parked(spec, image)
		}
		id, err := c.create(ctx, spec)
		if c.without(err, spec) {
			continue
		}
		if err != nil {
			return "", errors.Join(fmt.Errorf("create container %s: %w", spec.Name, err), c.rollback(ctx, "", at))
		}
		if err := c.fill(ctx, r, id, spec.Name, at); err != nil {
			return "", errors.Join(err, c.rollback(ctx, id, at))
		}
		at.fresh = nil // the node's user owns them now
		at.releasePorts()
		start := func() error { return c.startOnNetwork(ctx, id) }
		if !at.fixed {
			err = start()
		} else {
			err = patiently(ctx, start)
		}
		if err == nil {
			return id, nil
		}
		portMoved := errors.Is(err, orchestrator.ErrPortTaken) && !at.fixed && attempt < 10
		without := c.without(err, spec) || c.otherAddress(at, err)
		if !portMoved && !without && (!errors.Is(err, orchestrator.ErrUlimit) || spec.NoFile == 0) {
			return id, fmt.Errorf("start container %s: %w", spec.Name, err)
		}
		if err := c.eng.RemoveContainer(ctx, id); err != nil {
			return "", err
		}
		if without {
			continue
		}
		if err := c.adjustAfterRefusal(ctx, at, portMoved, attempt); err != nil {
			return "", err
		}
	}
}

// without reports whether to try again without a feature that the engine refused for a node.
func (c *Cluster) without(refused error, spec orchestrator.ContainerSpec) bool {
	again, text, next := c.site.lacks.Without(refused, spec)
	if text != "" {
		c.advise("", next, text)
	}
	return again
}

// fill gives a container that was just created what its node needs before the start: the
// additional networks, its files, and the synced code.
func (c *Cluster) fill(ctx context.Context, r supervisor.RunID, id, name string, at *slot) error {
	if err := c.provider(at).Attach(ctx, id, at.index); err != nil {
		return fmt.Errorf("container %s: %w", name, err)
	}
	if err := c.files().Node(ctx, c.current(), at.index, id, at.fresh); err != nil {
		return fmt.Errorf("prepare container %s: %w", name, err)
	}
	if (c.opts.Adopt || r.Inc > 1 || c.synced.Load()) && !manifest.UsesCustomImage(c.current(), r.Node) && !manifest.OtherBuild(c.current(), r.Node) { // otherwise there is only the image's code
		if err := compiler.Overlay(ctx, c.eng, c.spec.Name, id); err != nil && (c.synced.Load() || !errors.Is(err, orchestrator.ErrHostLost)) {
			return fmt.Errorf("give container %s the code that was synced: %w", name, err)
		}
	}
	return nil
}

// files returns what writes files into containers, and reads them.
func (c *Cluster) files() provision.Writer {
	return provision.Writer{Engine: c.eng, Retry: c.retryUnavailable, Parked: c.parking}
}

// provider makes what containers need beside themselves.
func (c *Cluster) provider(at *slot) provision.Provider {
	return provision.Provider{Engine: c.eng, Spec: at.on(c.current()), Elsewhere: c.site.elsewhere, Retry: c.retryUnavailable}
}

// addFresh records the mount points of new volumes. They stay recorded until the node's
// user owns them.
func (at *slot) addFresh(targets []string) {
	for _, target := range targets {
		if !slices.Contains(at.fresh, target) {
			at.fresh = append(at.fresh, target)
		}
	}
}

// rollback removes a container that could not be given everything its node needs ("" for
// none), and its new volumes: the next container of that name would reuse them, and could
// not write to them. The next launch replaces what cannot be removed, see
// [Cluster.create]. It also works after ctx has ended.
func (c *Cluster) rollback(ctx context.Context, id string, at *slot) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), orchestrator.RemovalTime)
	defer cancel()
	if id != "" {
		if err := c.eng.RemoveContainer(ctx, id); err != nil {
			return fmt.Errorf("remove what was made of it: %w", err)
		}
	}
	err := c.provider(at).RemoveVolumes(ctx, at.index, at.fresh)
	if err == nil {
		at.fresh = nil
	}
	return err
}

// create creates a container. If a call's answer was lost, an existing container is that
// call's. A container of that name that was never started was left by an earlier launch
// that could neither finish nor remove it, or by a supervisor that was killed meanwhile.
// It is replaced, because what it lacks is unknown.
func (c *Cluster) create(ctx context.Context, spec orchestrator.ContainerSpec) (id string, err error) {
	lost, replaced := false, false
	err = c.retryUnavailable(ctx, func() (err error) {
		id, err = c.eng.CreateContainer(ctx, spec)
		if errors.Is(err, orchestrator.ErrNameTaken) {
			found, lookErr := c.eng.InspectContainer(ctx, spec.Name)
			switch {
			case lookErr != nil:
			case lost && maps.Equal(found.Labels, spec.Labels):
				id, err = found.ID, nil
			case !replaced && manifest.Unfinished(found, spec.Labels):
				replaced = true
				if err = c.eng.RemoveContainer(ctx, found.ID); err != nil {
					return fmt.Errorf("remove the unfinished one: %w", err)
				}
				id, err = c.eng.CreateContainer(ctx, spec)
			}
		}
		lost = lost || errors.Is(err, orchestrator.ErrEngineUnreachable)
		return err
	})
	return id, err
}

// retryUnavailable repeats a call while the engine is unavailable: an engine that restarts is
// back within moments, and a node should not fail because of it. Force ends the retries.
func (c *Cluster) retryUnavailable(ctx context.Context, call func() error) error {
	const patience = 30 * time.Second
	for begin := time.Now(); ; {
		err := call()
		if !errors.Is(err, orchestrator.ErrEngineUnreachable) || wait.Closed(c.forced) || time.Since(begin) > patience || !wait.Sleep(ctx, 200*time.Millisecond) {
			return err
		}
	}
}

// patiently repeats a call that needs the host ports of a node, which is down. A process that only
// looks for a free port, like another `up`, releases it within moments.
func patiently(ctx context.Context, call func() error) (err error) {
	for range 20 {
		if err = call(); !errors.Is(err, orchestrator.ErrPortTaken) {
			return err
		}
		if !wait.Sleep(ctx, 250*time.Millisecond) {
			return ctx.Err()
		}
	}
	return err
}

// startAgain starts a container that ran before, on its pinned ports. They are not
// reserved while it is down.
func (c *Cluster) startAgain(ctx context.Context, node, id string) error {
	err := patiently(ctx, func() error {
		return c.retryUnavailable(ctx, func() error { return c.eng.StartContainer(ctx, id) })
	})
	if !errors.Is(err, orchestrator.ErrPortTaken) {
		return err
	}
	for _, p := range c.site.placement(node).Ports {
		if holder := network.Owner(p.Host); holder != "" && c.site.info.Local {
			return orchestrator.WithHint(fmt.Errorf("host port %d of %s was taken by %s while it was down: %w", p.Host, node, holder, err),
				"end %s, then: %s", holder, hint.Start.On("", node))
		}
	}
	return err
}

// startOnNetwork starts a container. While a second `up` of the same name detects that it
// came second, two networks have the cluster's name, and the engine reports that as
// ambiguous (20.10 looks up the name even for an ID). This ends within moments. A swarm takes 20 s
// to refuse an address.
func (c *Cluster) startOnNetwork(ctx context.Context, id string) (err error) {
	for i, begin := 0, time.Now(); i < 20 && time.Since(begin) < 20*time.Second; i++ {
		if err = c.retryUnavailable(ctx, func() error { return c.eng.StartContainer(ctx, id) }); !errors.Is(err, orchestrator.ErrConflict) {
			return err
		}
		if !wait.Sleep(ctx, 100*time.Millisecond) {
			return ctx.Err()
		}
	}
	return err
}

// adjustAfterRefusal changes the setting that the engine refused. If many clusters start at
// once, all of them look for the next free port in the same place: after a few attempts
// each looks in a different one.
func (c *Cluster) adjustAfterRefusal(ctx context.Context, at *slot, port bool, attempt int) error {
	const near, far = 3, 1000
	if !port {
		c.site.noFile.Store(0)
		return nil
	}
	c.placing.Lock()
	defer c.placing.Unlock()
	if err := c.takenPorts(ctx, c.site); err != nil {
		return err
	}
	base := c.current().HostPort
	if attempt >= near {
		base += rand.N(far)
	}
	return c.site.holdPorts(at, base)
}
