package cluster

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/compiler"
	"github.com/beamyard/beamyard/orchestrator/hint"
	"github.com/beamyard/beamyard/orchestrator/internal/manifest"
	"github.com/beamyard/beamyard/orchestrator/internal/supervisor"
	"github.com/beamyard/beamyard/orchestrator/internal/wait"
	"github.com/beamyard/beamyard/orchestrator/upgrade"
)

// This file replaces the image of nodes. Package upgrade decides.

// built is what the nodes run since an upgrade. It is never changed: an upgrade stores another one.
type built struct {
	spec   orchestrator.Spec         // of the site, with the builds
	builds map[string]manifest.Build // by node; only of those that were replaced
}

// current returns the prepared spec with what its nodes run now.
func (c *Cluster) current() orchestrator.Spec {
	if b := c.built.Load(); b != nil {
		return b.spec
	}
	return c.site.spec
}

// buildOf returns what a node runs that was replaced.
func (c *Cluster) buildOf(node string) (b manifest.Build, replaced bool) {
	if now := c.built.Load(); now != nil {
		b, replaced = now.builds[node]
	}
	return b, replaced
}

// setBuilds changes what nodes run. One goroutine at a time calls it.
func (c *Cluster) setBuilds(changed map[string]manifest.Build) orchestrator.Spec {
	builds := map[string]manifest.Build{}
	if b := c.built.Load(); b != nil {
		maps.Copy(builds, b.builds)
	}
	maps.Copy(builds, changed)
	next := &built{manifest.WithBuilds(c.site.spec, builds), builds}
	c.built.Store(next)
	return next.spec
}

// Upgrade replaces the image of the nodes, one after the other: each is stopped, gets a new
// container of the new image with its name, address, ports and volumes, and must be Ready and
// healthy before the next. It stops at the first one that is not, with an [upgrade.Stopped]; all
// other nodes keep running. With Back it goes back. See [upgrade.Run]. Syncs and upgrades run one
// at a time.
func (c *Cluster) Upgrade(ctx context.Context, o upgrade.Options) (upgrade.Report, error) {
	ctx, done, err := c.turn(ctx)
	if err != nil {
		return upgrade.Report{Cluster: c.spec.Name, Back: o.Back}, err
	}
	defer done()
	if !o.Back && o.To == nil {
		prepared, err := upgrade.Prepare(ctx, c.eng, c.current(), o.Source, c.opts.BuildOutput)
		if err != nil {
			return upgrade.Report{Cluster: c.spec.Name}, Diagnose(c.redact(err), c.spec)
		}
		o.To = &prepared
	}
	report, err := upgrade.Run(ctx, c.eng, upgrading{c}, o)
	if err != nil && wait.Closed(c.syncer.over) { // whatever error the end caused
		return report, orchestrator.ErrClosed
	}
	var failed *orchestrator.ClusterError
	if errors.As(err, &failed) {
		_ = c.excerpts(failed)
	}
	return report, c.redact(err)
}

// upgrading is what package upgrade needs of a cluster.
type upgrading struct{ *Cluster }

func (u upgrading) Spec() orchestrator.Spec { return u.current() }

// Tell implements [upgrade.Cluster].
func (u upgrading) Tell(node, text string) {
	u.events.Add(orchestrator.Event{Node: node, Kind: orchestrator.EventUpgrade, Text: u.clean(text)}, time.Now())
}

// Replace implements [upgrade.Cluster].
func (u upgrading) Replace(ctx context.Context, builds map[string]manifest.Build, nodes []string) error {
	changed := map[string]manifest.Build{}
	for _, n := range nodes {
		changed[n] = builds[n]
	}
	before := u.current().Image
	spec := u.setBuilds(changed)
	if spec.Image != before { // the compiler, and what it compiled, are of the image before
		u.syncer.close()
		if forgot, err := compiler.Forget(ctx, u.eng, u.spec.Name); err != nil {
			return err
		} else if forgot {
			u.advise("", hint.Newf("load it again: %s", hint.Sync.On(u.spec.Name)), "code that was synced before is not in the image")
		}
	}
	return u.askWith(ctx, supervisor.Command{Kind: supervisor.CmdReplace, Spec: &spec}, nodes)
}

// turn waits until no sync and no upgrade runs. The context that it returns ends with the cluster.
// The caller calls done.
func (c *Cluster) turn(ctx context.Context) (_ context.Context, done func(), err error) {
	if c.view.Load().NetworkID == "" {
		return ctx, nil, orchestrator.WithHint(orchestrator.ErrClosed, "see what it does: %s", hint.Status.On(c.spec.Name))
	}
	select {
	case <-c.syncer.turn:
	case <-c.syncer.over:
		return ctx, nil, orchestrator.ErrClosed
	case <-ctx.Done():
		return ctx, nil, ctx.Err()
	}
	work, cancel := context.WithCancelCause(ctx)
	go func() {
		select {
		case <-c.syncer.over:
			cancel(orchestrator.ErrClosed)
		case <-work.Done():
		}
	}()
	done = func() {
		cancel(nil)
		c.syncer.turn <- struct{}{}
	}
	if wait.Closed(c.syncer.over) {
		done()
		return ctx, nil, orchestrator.ErrClosed
	}
	return work, done, nil
}

// adoptBuilds takes over what the nodes of an adopted cluster run. A node that has no container,
// because its upgrade was killed, gets its host ports again, and what it ran before.
func (c *Cluster) adoptBuilds(s *site, containers []orchestrator.Container, have map[string]bool) error {
	builds := manifest.BuildsOf(containers)
	record, _ := upgrade.RecordOf(containers)
	for node, before := range record.From {
		at, known := s.slots[node]
		if !known || have[node] {
			continue
		}
		builds[node], have[node] = before, true
		at.Ports = record.Ports[node]
		if err := s.holdAgain(at); err != nil {
			s.release()
			return fmt.Errorf("%s: %w", node, err)
		}
		c.note(node, "%s has no container, because an upgrade ended before it had one: it gets the image before, %s", node, before.Image())
	}
	if len(builds) > 0 {
		c.setBuilds(builds)
	}
	return nil
}
