package orchestrator

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/beamyard/beamyard/network"
	"golang.org/x/sync/errgroup"
)

// This file works from labels alone: no supervisor is needed, none is asked.

// Found is a cluster as its labels and the engine show it.
type Found struct {
	Status
	Spec  Spec
	Owner Owner
}

// Removed is what was taken away, or would be.
type Removed struct {
	Cluster    string   `json:"cluster"`
	Containers []string `json:"containers"`
	Networks   []string `json:"networks"`
}

// List returns every cluster of the engine, by name. States are what the
// engine knows: a container that runs is Starting, because nobody proved more.
func List(ctx context.Context, eng Engine) ([]Status, error) {
	found, err := find(ctx, eng, "")
	statuses := make([]Status, 0, len(found))
	for _, f := range found {
		statuses = append(statuses, f.Status)
	}
	return statuses, err
}

// Find returns one cluster, or [ErrNoCluster].
func Find(ctx context.Context, eng Engine, cluster string) (Found, error) {
	found, err := find(ctx, eng, cluster)
	if err != nil {
		return Found{}, err
	}
	if len(found) == 0 {
		return Found{}, WithHint(fmt.Errorf("%w: %s", ErrNoCluster, cluster), "see what there is: beamyard ps")
	}
	return found[0], nil
}

func find(ctx context.Context, eng Engine, cluster string) ([]Found, error) {
	networks, err := eng.Networks(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("list networks: %w", err)
	}
	label := map[string]string{}
	if cluster != "" {
		label[LabelCluster] = cluster
	}
	listed, err := eng.Containers(ctx, label)
	if err != nil {
		return nil, fmt.Errorf("list containers: %w", err)
	}
	byCluster := map[string][]Container{}
	for _, l := range listed {
		if name := l.Labels[LabelCluster]; name != "" {
			byCluster[name] = append(byCluster[name], l)
		}
	}
	names := map[string]bool{}
	for _, n := range networks {
		if name := n.Labels[LabelCluster]; name != "" && (cluster == "" || cluster == name) {
			names[name] = true
		}
	}
	for name := range byCluster {
		names[name] = true // containers whose network is gone are a cluster too
	}
	var all []Found
	for _, name := range sortedKeys(names) {
		f, err := describe(ctx, eng, name, networksOf(networks, name), byCluster[name])
		if err != nil {
			return nil, err
		}
		all = append(all, f)
	}
	return all, nil
}

// describe makes a cluster of its network and containers.
func describe(ctx context.Context, eng Engine, name string, networks []Network, containers []Container) (Found, error) {
	f := Found{Status: Status{Cluster: name, Nodes: []NodeStatus{}}}
	var subnet network.Subnet
	if len(networks) > 0 {
		n := networks[0]
		spec, err := specOf(n.Labels)
		if err != nil {
			return f, err
		}
		f.Spec, f.Owner = spec, ownerOf(n.Labels)
		f.Network, f.NetworkID, f.Created = n.Name, n.ID, createdOf(n.Labels)
		f.Image, f.Source = spec.Image, spec.Source
		if len(n.Subnets) > 0 {
			f.Subnet = n.Subnets[0]
			subnet = network.Layout(f.Subnet)
		}
	} else if len(containers) > 0 {
		f.Owner, f.Created = ownerOf(containers[0].Labels), createdOf(containers[0].Labels)
		f.Spec = Spec{Name: name}.Defaulted()
	}
	index := func(c Container) int { i, _ := strconv.Atoi(c.Labels[LabelIndex]); return i }
	slices.SortFunc(containers, func(a, b Container) int { return cmp.Compare(index(a), index(b)) })

	f.Nodes = make([]NodeStatus, len(containers))
	var group errgroup.Group
	group.SetLimit(8)
	for i, listed := range containers {
		group.Go(func() error {
			full, err := eng.InspectContainer(ctx, listed.ID)
			if errors.Is(err, ErrNotFound) {
				full = listed
			} else if err != nil {
				return fmt.Errorf("inspect %s: %w", listed.Name, err)
			}
			if !full.IP.IsValid() && subnet.Prefix.IsValid() {
				full.IP = subnet.Node(index(full))
			}
			f.Nodes[i] = unsupervised(f.Spec, full)
			return nil
		})
	}
	return f, group.Wait()
}

// unsupervised is a node's status as the engine alone knows it.
func unsupervised(s Spec, c Container) NodeStatus {
	names, name := s.names(), c.Labels[LabelNode]
	st := NodeStatus{
		Name: name, Node: names.Node(name), Host: names.Host(name),
		Container: c.Name, ContainerID: c.ID, IP: c.IP, PID: c.State.PID,
		StartedAt: c.State.StartedAt,
	}
	switch {
	case c.State.Paused:
		st.State, st.Reason = Degraded, "paused"
	case c.State.Running:
		st.State, st.Reason = Starting, "runs; nobody supervises it"
	case c.State.Status == "created":
		st.State, st.Reason = Pending, c.State.Error
	default:
		e := Exit{Class: ExitCrashed, Code: c.State.ExitCode, At: c.State.FinishedAt}
		switch {
		case c.State.OOMKilled:
			e.Class = ExitOOM
		case e.Code == 0:
			e.Class = ExitCompleted
		case e.Code == 137:
			e.Class = ExitKilled
		}
		st.State, st.Reason, st.LastExit, st.StoppedAt = Stopped, e.String(), &e, e.At
	}
	st.setPorts(s, c.Ports)
	return st
}

// Remove stops the nodes of a cluster, waiting up to grace for each, and
// removes everything that carries its label. One that does not exist matches
// [ErrNoCluster].
func Remove(ctx context.Context, eng Engine, cluster string, grace time.Duration) (Removed, error) {
	f, err := Find(ctx, eng, cluster)
	if err != nil {
		return Removed{}, err
	}
	var group errgroup.Group
	for _, n := range f.Nodes {
		if n.State.Running() {
			group.Go(func() error { return eng.StopContainer(ctx, n.ContainerID, grace) })
		}
	}
	_ = group.Wait() // removal kills what would not stop
	return removeCluster(ctx, eng, cluster)
}

// Prune removes the clusters whose owner on this machine is dead, but those
// that were detached: they outlive their supervisor on purpose. With dryRun it
// only says what it would remove.
func Prune(ctx context.Context, eng Engine, dryRun bool) ([]Removed, error) {
	found, err := find(ctx, eng, "")
	if err != nil {
		return nil, err
	}
	var all []Removed
	var errs []error
	for _, f := range found {
		alive, known := f.Owner.Alive()
		if alive || !known || f.Owner.Detached {
			continue
		}
		if dryRun {
			r := Removed{Cluster: f.Cluster}
			for _, n := range f.Nodes {
				r.Containers = append(r.Containers, n.Container)
			}
			if f.Network != "" {
				r.Networks = []string{f.Network}
			}
			all = append(all, r)
			continue
		}
		r, err := removeCluster(ctx, eng, f.Cluster)
		all, errs = append(all, r), append(errs, err)
	}
	return all, errors.Join(errs...)
}

// ReadLogs reads the output of a cluster straight from the engine, for one
// that nobody supervises: see [Controller].Logs. Runs are not told apart.
func ReadLogs(ctx context.Context, eng Engine, cluster string, q LogQuery, fn func(Line) error) error {
	f, err := Find(ctx, eng, cluster)
	if err != nil {
		return err
	}
	var outputs []*Output
	var followers errgroup.Group
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	names := q.Nodes
	if len(names) == 0 {
		for _, n := range f.Nodes {
			names = append(names, n.Name)
		}
	}
	for _, name := range names {
		n, ok := f.Node(name)
		if !ok {
			return newSupervisor(f.Spec, nil).noNode(name)
		}
		out := newNodeOutput(name, max(f.Spec.OutputLines, q.Tail))
		if !q.Follow || !n.State.Running() {
			if err := out.f.readKept(ctx, runLog{engine: eng, container: n.ContainerID, run: 1, running: func(context.Context) bool { return n.State.Running() }}); err != nil {
				return fmt.Errorf("read the output of %s: %w", name, err)
			}
			out.out.Close()
		} else {
			followers.Go(func() error {
				defer out.out.Close()
				out.follow(ctx, eng, n.ContainerID, 1, time.Time{})
				return nil
			})
		}
		outputs = append(outputs, out.out)
	}
	err = readLogs(ctx, outputs, q, fn)
	cancel()
	_ = followers.Wait() // ended by the cancellation
	return err
}
