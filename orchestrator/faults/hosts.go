package faults

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/hint"
)

// This file has what faults need on several hosts. Each host has its own clock, its own processes
// and its own helpers. A host that does not answer has neither.

// ahead returns how far a host's clock is ahead of the time in info. It is 0 for an engine of one
// machine.
func ahead(info orchestrator.EngineInfo, host string) time.Duration {
	if h, known := info.Hosts[host]; known && !h.Time.IsZero() {
		return h.Time.Sub(info.Time).Truncate(time.Millisecond) // as precise as the end of a rule
	}
	return 0
}

// list returns the cluster's containers. If a host does not answer, those of the others come with
// an error that matches [orchestrator.ErrHostLost].
func (i Injector) list(ctx context.Context) ([]orchestrator.Container, error) {
	containers, err := i.Engine.Containers(ctx, map[string]string{orchestrator.LabelCluster: i.Spec.Name})
	if err != nil {
		err = fmt.Errorf("list containers: %w", err)
	}
	return containers, err
}

// answered returns err, unless it only says that a host does not answer.
func answered(err error) error {
	if errors.Is(err, orchestrator.ErrHostLost) {
		return nil
	}
	return err
}

// bringAll makes the nodes of all hosts what the faults want, on all hosts at once.
func (i Injector) bringAll(ctx context.Context, c clusterState, info orchestrator.EngineInfo) error {
	parts := c.byHost(info)
	errs := make([]error, len(parts))
	var group errgroup.Group
	for at, part := range parts {
		group.Go(func() error {
			errs[at] = i.bring(ctx, part)
			return nil
		})
	}
	_ = group.Wait()
	return errors.Join(errs...)
}

// byHost returns what each host has to do, with all times by its clock. The helpers of a node that
// is gone are those of the first host.
func (c clusterState) byHost(info orchestrator.EngineInfo) []clusterState {
	byName := map[string]*clusterState{}
	part := func(host string) *clusterState {
		if byName[host] == nil {
			later := ahead(info, host)
			byName[host] = &clusterState{
				image: c.image, host: host, now: c.now.Add(later), nodes: c.nodes, containers: map[string]orchestrator.Container{},
				resolvers: map[string]string{}, keepers: map[string]string{}, known: shifted(c.known, later), faults: shifted(c.faults, later),
			}
		}
		return byName[host]
	}
	first := ""
	for _, node := range slices.Sorted(maps.Keys(c.containers)) {
		host := c.containers[node].Host
		if len(byName) == 0 || host < first {
			first = host
		}
		part(host).containers[node] = c.containers[node]
	}
	hostOf := func(node string) string {
		if n, known := c.containers[node]; known {
			return n.Host
		}
		return first
	}
	for id, node := range c.resolvers {
		part(hostOf(node)).resolvers[id] = node
	}
	for id, node := range c.keepers {
		part(hostOf(node)).keepers[id] = node
	}
	var parts []clusterState
	for _, host := range slices.Sorted(maps.Keys(byName)) {
		parts = append(parts, *byName[host])
	}
	return parts
}

// shifted returns faults with their times by a clock that is ahead.
func shifted(all []fault.Fault, ahead time.Duration) []fault.Fault {
	moved := slices.Clone(all)
	for i, f := range moved {
		moved[i].Begin = f.Begin.Add(ahead)
		if !f.End.IsZero() {
			moved[i].End = f.End.Add(ahead)
		}
	}
	return moved
}

// concerned returns the nodes, of these, whose kernels or containers a fault changes, sorted.
func concerned(f fault.Fault, names []string) []string {
	all := slices.Concat(f.Nodes, f.DNS.Peers)
	for _, p := range slices.Concat(f.Cuts(names), f.Pairs) {
		for _, end := range []string{p.From, p.To} {
			if end == fault.Everyone {
				all = append(all, names...)
			}
			all = append(all, end)
		}
	}
	if f.Hard {
		all = slices.Concat(append(f.Groups, all)...)
	}
	all = slices.DeleteFunc(all, func(name string) bool { return !slices.Contains(names, name) })
	return slices.Compact(slices.Sorted(slices.Values(all)))
}

// outOfReach returns which nodes of a fault are on hosts that do not answer. lost is the error
// that came with the list of the containers.
func (i Injector) outOfReach(f fault.Fault, containers []orchestrator.Container, lost error) []string {
	if !errors.Is(lost, orchestrator.ErrHostLost) {
		return nil
	}
	listed := clusterOf(containers).containers
	var names []string
	for _, n := range i.Spec.Nodes {
		names = append(names, n.Name)
	}
	return slices.DeleteFunc(concerned(f, names), func(name string) bool {
		_, there := listed[name]
		return there
	})
}

// refuseLost reports that a fault cannot be injected, because nodes of it are out of reach.
func (i Injector) refuseLost(f fault.Fault, containers []orchestrator.Container, lost error) error {
	if nodes := i.outOfReach(f, containers, lost); len(nodes) > 0 {
		return orchestrator.WithHint(fmt.Errorf("%s cannot have the fault: %w", strings.Join(nodes, ", "), lost), "name nodes of other hosts, or wait until the host answers: %s", hint.Status.On(i.Spec.Name))
	}
	return nil
}

// halfHealed reports that a fault is healed where that was possible.
func (i Injector) halfHealed(f fault.Fault, nodes []string, lost error) error {
	return orchestrator.WithHint(fmt.Errorf("fault %s is healed on the nodes that can be reached, and stays recorded for %s: %w", f.ID, strings.Join(nodes, ", "), lost),
		"when the host answers: %s", hint.Heal.On(i.Spec.Name).With(f.ID))
}
