package faults

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/hint"
	"github.com/beamyard/beamyard/orchestrator/internal/manifest"
)

// This file has what is not done when a helper has answered: helpers that stay, and limits.
//
// A resolver answers the DNS queries of a node while rules send them to it. A keeper, in the
// process namespace of a node, sets its clock and fills its disks, until the last fault ends. The
// kernel ends a keeper with the node.

// refuse reports why a fault cannot be injected into this cluster: what its nodes lack, they can
// only get at their creation.
func (i Injector) refuse(f fault.Fault) error {
	if f.Kind == fault.KindClock && !i.Spec.Clock {
		return orchestrator.WithHint(fmt.Errorf("the clocks of %s cannot be changed: its nodes run without libfaketime", i.Spec.Name),
			"set %s, and create the cluster again", hint.Setting("clock: true"))
	}
	for _, name := range f.Nodes {
		for _, folder := range f.Limits.Full {
			if index := i.Spec.Index(name); index >= 0 && manifest.TmpfsSize(i.Spec, index, folder) == "" {
				return orchestrator.WithHint(fmt.Errorf("%s of %s cannot be filled: it is not a file system of its own with a size", folder, name),
					"set %s, and create the cluster again", hint.Setting("tmpfs: ["+folder+":size=64m]"))
			}
		}
	}
	return nil
}

// startResolvers starts resolvers for the nodes that need one, and returns them.
func (i Injector) startResolvers(ctx context.Context, c clusterState) (map[string]string, error) {
	started := map[string]string{}
	for node, answers := range fault.AnswersOf(c.nodes, c.faults, c.now) {
		if !c.runs(node) {
			continue
		}
		spec := i.container(c.image, resolverPrefix+node, resolverPrefix+node+"-"+strings.ToLower(rand.Text()[:8]))
		spec.Env = []string{helperVariable + "=" + manifest.MustJSON(request{Resolve: answers})}
		spec.NetworkOf, spec.Capabilities = c.containers[node].ID, []string{"NET_ADMIN"}
		id, _, err := i.runHelper(ctx, spec)
		if err != nil {
			if i.ended(ctx, c.containers[node].ID) {
				continue
			}
			return nil, errors.Join(fmt.Errorf("%s: %w", node, err), i.removeAll(ctx, started))
		}
		started[id] = node
	}
	return started, nil
}

// ended reports whether a node's container does not run any more.
func (i Injector) ended(ctx context.Context, id string) bool {
	now, err := i.Engine.InspectContainer(ctx, id)
	return err == nil && !now.State.Running || errors.Is(err, orchestrator.ErrNotFound)
}

// removeAll removes helpers.
func (i Injector) removeAll(ctx context.Context, helpers map[string]string) error {
	var failed error
	for _, id := range slices.Sorted(maps.Keys(helpers)) {
		if err := i.Engine.RemoveContainer(ctx, id); err != nil {
			failed = errors.Join(failed, fmt.Errorf("remove the helper of %s: %w", helpers[id], err))
		}
	}
	return failed
}

// limit gives the squeezed nodes their limits, and those that no longer are their own again.
func (i Injector) limit(ctx context.Context, c clusterState) error {
	for _, name := range c.of(fault.KindSqueeze) {
		limited := slices.ContainsFunc(c.known, func(f fault.Fault) bool {
			return slices.Contains(f.Nodes, name) && (f.Limits.Memory != 0 || f.Limits.CPUs != 0)
		})
		node, known := i.Spec.NodeOf(name)
		if !known || !limited { // a full disk is no limit of the engine's
			continue
		}
		own := fault.Limits{Memory: node.Memory, CPUs: node.CPUs}
		low := fault.LimitsOf(name, own, c.faults, c.now)
		err := i.Engine.LimitContainer(ctx, c.containers[name].ID, orchestrator.Limits{Memory: low.Memory, CPUs: low.CPUs})
		switch {
		case err == nil:
		case i.ended(ctx, c.containers[name].ID) && low.Memory == own.Memory && low.CPUs == own.CPUs: // removed
		default:
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// startKeepers starts a keeper for each node whose clock or disks faults affect, or did.
func (i Injector) startKeepers(ctx context.Context, c clusterState) error {
	clocks := c.of(fault.KindClock)
	nodes := slices.Compact(slices.Sorted(slices.Values(slices.Concat(clocks, c.of(fault.KindSqueeze)))))
	for _, name := range nodes {
		k := keep{}
		for _, f := range c.known {
			if f.Kind == fault.KindSqueeze && slices.Contains(f.Nodes, name) {
				k.Free = append(k.Free, f.Limits.Full...)
			}
		}
		for _, f := range c.faults {
			if !slices.Contains(f.Nodes, name) || !f.InForce(c.now) {
				continue
			}
			if f.Kind == fault.KindClock {
				k.Clocks = append(k.Clocks, faultyClock{f.Clock, f.Begin, f.End})
			}
			for _, path := range f.Limits.Full {
				k.Full = append(k.Full, fullDisk{path, f.End})
			}
		}
		k.SetClock = slices.Contains(clocks, name)
		if !k.SetClock && len(k.Free)+len(k.Full) == 0 {
			continue
		}
		if err := i.startKeeper(ctx, c, name, k); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// startKeeper replaces the keeper of a node. In a node that does not run it sets the clock of the
// next run: its disks, which are in memory, are empty then.
func (i Injector) startKeeper(ctx context.Context, c clusterState, name string, k keep) error {
	old := map[string]string{}
	for id, of := range c.keepers {
		if of == name {
			old[id] = of
		}
	}
	if err := i.removeAll(ctx, old); err != nil {
		return err
	}
	node := c.containers[name]
	if !node.State.Running {
		if !k.SetClock {
			return nil
		}
		err := i.Engine.WriteFiles(ctx, node.ID, clockFile(k.offset(c.now)))
		if errors.Is(err, orchestrator.ErrNotFound) {
			return nil
		}
		return err
	}
	spec := i.container(c.image, keeperPrefix+name, keeperPrefix+name+"-"+strings.ToLower(rand.Text()[:8]))
	spec.Env = []string{helperVariable + "=" + manifest.MustJSON(request{Keep: &k})}
	spec.PIDOf, spec.Capabilities = node.ID, []string{"SYS_PTRACE"}
	id, answer, err := i.runHelper(ctx, spec)
	switch {
	case err != nil && i.ended(ctx, node.ID):
		return nil
	case err != nil:
		return err
	case !answer.Stays:
		i.removeHelper(ctx, id)
	}
	return nil
}

// clockFile is an archive with the file that tells a clock's offset.
func clockFile(offset time.Duration) *bytes.Buffer {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	text := offsetText(offset)
	_ = w.WriteHeader(&tar.Header{Name: strings.TrimPrefix(manifest.ClockFile, "/"), Mode: 0o644, Size: int64(len(text))}) // a buffer takes all
	_, _ = w.Write([]byte(text))
	_ = w.Close()
	return &b
}
