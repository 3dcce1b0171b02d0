package discovery

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/beamyard/beamyard/network"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/internal/manifest"
	"github.com/beamyard/beamyard/orchestrator/internal/reach"
	"github.com/beamyard/beamyard/orchestrator/keeper"
	"github.com/beamyard/beamyard/orchestrator/logs"
	"golang.org/x/sync/errgroup"
)

// This file works from labels alone, without a supervisor.

// Cluster is a cluster as its labels and the engine describe it.
type Cluster struct {
	orchestrator.Status
	Spec  orchestrator.Spec
	Owner orchestrator.Owner
	// Helpers are the cluster's containers that are not nodes, by their purpose.
	Helpers map[string]orchestrator.Container

	gone bool // the container that its owner ran in is gone
}

// Orphaned reports whether the process that kept the cluster is gone from this machine,
// and the cluster is not meant to outlive it: it is neither detached nor kept after a
// failure.
func (f Cluster) Orphaned() bool { return Orphaned(f.Spec, f.Owner, f.gone) }

// Removed lists what was removed, or would be.
type Removed struct {
	Cluster    string   `json:"cluster"`
	Containers []string `json:"containers"`
	Networks   []string `json:"networks"`
	// Volumes that were removed too, on request.
	Volumes []string `json:"volumes,omitempty"`
	// Kept are its volumes that remain; see [RemoveVolumes].
	Kept []string `json:"kept_volumes,omitempty"`
}

// Removed returns what a removal of the cluster removes: its nodes, its helpers and its
// network.
func (f Cluster) Removed() Removed {
	r := Removed{Cluster: f.Cluster, Containers: []string{}, Networks: []string{}}
	for _, n := range f.Nodes {
		r.Containers = append(r.Containers, n.Container)
	}
	for _, name := range slices.Sorted(maps.Keys(f.Helpers)) {
		r.Containers = append(r.Containers, f.Helpers[name].Name)
	}
	if f.Network != "" {
		r.Networks = []string{f.Network}
	}
	return r
}

// List returns every cluster of the engine, sorted by name. States are as the engine
// knows them: a running container is Starting, because no supervisor has proven more.
func List(ctx context.Context, eng orchestrator.Engine) ([]orchestrator.Status, error) {
	found, err := find(ctx, eng, "")
	statuses := make([]orchestrator.Status, 0, len(found))
	for _, f := range found {
		statuses = append(statuses, f.Status)
	}
	return statuses, err
}

// Find returns one cluster, or [orchestrator.ErrNoCluster].
func Find(ctx context.Context, eng orchestrator.Engine, cluster string) (Cluster, error) {
	found, err := find(ctx, eng, cluster)
	if err != nil {
		return Cluster{}, err
	}
	if len(found) == 0 {
		return Cluster{}, noCluster(ctx, eng, cluster)
	}
	return found[0], nil
}

// noCluster returns [orchestrator.ErrNoCluster] with the names of the existing clusters.
func noCluster(ctx context.Context, eng orchestrator.Engine, cluster string) error {
	missing := fmt.Errorf("%w: %s", orchestrator.ErrNoCluster, cluster)
	networks, err := eng.Networks(ctx, nil)
	if err != nil {
		return orchestrator.WithHint(missing, "see what there is: beamyard ps")
	}
	names := map[string]bool{}
	for _, n := range networks {
		if name := n.Labels[orchestrator.LabelCluster]; name != "" {
			names[name] = true
		}
	}
	if len(names) == 0 {
		return orchestrator.WithHint(missing, "no cluster is up; start one: beamyard up")
	}
	known := slices.Sorted(maps.Keys(names))
	hint := "up: " + strings.Join(known, ", ")
	if best := network.Nearest(cluster, known); best != "" {
		hint = "did you mean " + best + "? " + hint
	}
	return orchestrator.WithHint(missing, "%s", hint)
}

func find(ctx context.Context, eng orchestrator.Engine, cluster string) ([]Cluster, error) {
	networks, err := eng.Networks(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("list networks: %w", err)
	}
	label := map[string]string{}
	if cluster != "" {
		label[orchestrator.LabelCluster] = cluster
	}
	listed, err := eng.Containers(ctx, label)
	if err != nil {
		return nil, fmt.Errorf("list containers: %w", err)
	}
	byCluster := map[string][]orchestrator.Container{}
	for _, l := range listed {
		if name := l.Labels[orchestrator.LabelCluster]; name != "" {
			byCluster[name] = append(byCluster[name], l)
		}
	}
	names := map[string]bool{}
	for _, n := range networks {
		if name := n.Labels[orchestrator.LabelCluster]; name != "" && (cluster == "" || cluster == name) {
			names[name] = true
		}
	}
	for name := range byCluster {
		names[name] = true // containers whose network is gone also form a cluster
	}
	var all []Cluster
	for _, name := range slices.Sorted(maps.Keys(names)) {
		f, err := describe(ctx, eng, name, orchestrator.NetworksOf(networks, name), byCluster[name])
		if err != nil {
			return nil, err
		}
		all = append(all, f)
	}
	return all, nil
}

// describe builds the description of a cluster from its network and containers.
func describe(ctx context.Context, eng orchestrator.Engine, name string, networks []orchestrator.Network, containers []orchestrator.Container) (Cluster, error) {
	f := Cluster{Status: orchestrator.Status{Cluster: name, Nodes: []orchestrator.NodeStatus{}}, Helpers: helpersOf(containers)}
	all := containers
	containers = slices.DeleteFunc(slices.Clone(all), func(c orchestrator.Container) bool { return c.Labels[orchestrator.LabelHelper] != "" })
	var subnet network.Subnet
	if len(networks) > 0 {
		n := networks[0]
		spec, err := orchestrator.SpecOf(n.Labels)
		if err != nil {
			return f, err
		}
		f.Spec, f.Owner = spec, orchestrator.OwnerOf(n.Labels)
		f.gone = reach.KeeperGone(ctx, eng, n.Labels)
		f.Network, f.NetworkID, f.Created = n.Name, n.ID, orchestrator.CreatedOf(n.Labels)
		f.Image, f.Source = spec.Image, spec.Source
		if len(n.Subnets) > 0 {
			f.Subnet = n.Subnets[0]
			subnet = network.Layout(f.Subnet)
		}
	} else if len(all) > 0 { // even if it is only a helper
		f.Owner, f.Created = orchestrator.OwnerOf(all[0].Labels), orchestrator.CreatedOf(all[0].Labels)
		f.Spec = orchestrator.Spec{Name: name}.Defaulted()
	}
	index := func(c orchestrator.Container) int { i, _ := strconv.Atoi(c.Labels[orchestrator.LabelIndex]); return i }
	slices.SortFunc(containers, func(a, b orchestrator.Container) int { return cmp.Compare(index(a), index(b)) })

	f.Nodes = make([]orchestrator.NodeStatus, len(containers))
	addresses := make([]netip.Addr, len(containers)) // in the cluster's network
	var group errgroup.Group
	group.SetLimit(8)
	for i, listed := range containers {
		group.Go(func() error {
			full, err := eng.InspectContainer(ctx, listed.ID)
			if errors.Is(err, orchestrator.ErrNotFound) {
				full = listed
			} else if err != nil {
				return fmt.Errorf("inspect %s: %w", listed.Name, err)
			}
			ip := full.Address(f.NetworkID)
			if !ip.IsValid() && subnet.Prefix.IsValid() {
				ip = subnet.Node(index(full))
			}
			containers[i], addresses[i] = full, ip
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return f, err
	}
	host, err := hostOf(ctx, eng, containers)
	for i, c := range containers {
		f.Nodes[i] = unsupervised(f.Spec, c, host, addresses[i])
	}
	return f, err
}

// hostOf returns the host at which the engine's published ports can be dialled. It
// queries the engine only if the published addresses do not determine it.
func hostOf(ctx context.Context, eng orchestrator.Engine, containers []orchestrator.Container) (string, error) {
	for _, c := range containers {
		if slices.ContainsFunc(c.Ports, orchestrator.PortBinding.Everywhere) {
			info, err := eng.Info(ctx)
			return info.Host, err
		}
	}
	return "", nil
}

// unsupervised returns a node's status as the engine alone knows it.
func unsupervised(s orchestrator.Spec, c orchestrator.Container, host string, ip netip.Addr) orchestrator.NodeStatus {
	names, name := s.Names(), c.Labels[orchestrator.LabelNode]
	st := orchestrator.NodeStatus{
		Name: name, Node: names.Node(name), Host: names.Hostname(name),
		Container: c.Name, ContainerID: c.ID, IP: ip, PID: c.State.PID, Paused: c.State.Paused,
		StartedAt: c.State.StartedAt,
	}
	switch {
	case c.State.Paused:
		st.State, st.Reason = orchestrator.Degraded, "paused"
	case c.State.Running:
		st.State, st.Reason = orchestrator.Starting, "running, without a supervisor"
	case c.State.Status == "created":
		st.State, st.Reason = orchestrator.Pending, c.State.Error
	default:
		e := orchestrator.Exit{Class: orchestrator.ExitCrashed, Code: c.State.ExitCode, At: c.State.FinishedAt}
		switch {
		case c.State.OOMKilled:
			e.Class = orchestrator.ExitOOM
		case e.Code == 0:
			e.Class = orchestrator.ExitCompleted
		case e.Code == orchestrator.CodeKilled:
			e.Class = orchestrator.ExitKilled
		}
		st.State, st.Reason, st.LastExit, st.StoppedAt = orchestrator.Stopped, e.String(), &e, e.At
	}
	manifest.SetPorts(&st, s, c.Ports, host)
	return st
}

// Remove stops the nodes of a cluster, waiting up to grace for each, and removes
// everything that has its label. A cluster that does not exist matches [orchestrator.ErrNoCluster].
func Remove(ctx context.Context, eng orchestrator.Engine, cluster string, grace time.Duration) (Removed, error) {
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
	_ = group.Wait() // the removal kills nodes that did not stop
	dumps := keepDumps(ctx, eng, f)
	removed, err := RemoveAll(ctx, eng, cluster)
	return removed, errors.Join(err, dumps)
}

// keepDumps copies the crash dumps of nodes that ended while they had no supervisor.
func keepDumps(ctx context.Context, eng orchestrator.Engine, f Cluster) error {
	if f.Spec.KeepDumps == "" {
		return nil
	}
	var errs []error
	for _, n := range f.Nodes {
		if c, err := eng.InspectContainer(ctx, n.ContainerID); err == nil && !c.State.Running {
			if _, _, err := CrashDump(ctx, eng, f.Spec, c); err != nil {
				errs = append(errs, fmt.Errorf("keep the crash dump of %s: %w", n.Name, err))
			}
		}
	}
	return errors.Join(errs...)
}

// PruneOptions select what [Prune] removes. The zero value works.
type PruneOptions struct {
	// DryRun only reports what would be removed.
	DryRun bool
	// OlderThan also selects clusters that were left deliberately (detached, or kept
	// after a failure), if they were created longer ago than this and no supervisor
	// answers for them. 0 keeps them.
	OlderThan time.Duration
	// Supervised reports whether a supervisor answers for a cluster, whoever created it.
	// Such a cluster is kept. Nil: no cluster has a supervisor.
	Supervised func(cluster string) bool
}

// Prune removes the clusters whose owner on this machine is dead. Clusters that were left
// deliberately are kept, unless they are old; see [PruneOptions].
func Prune(ctx context.Context, eng orchestrator.Engine, opts PruneOptions) ([]Removed, error) {
	info, err := eng.Info(ctx)
	if err != nil {
		return nil, err
	}
	found, err := find(ctx, eng, "")
	if err != nil {
		return nil, err
	}
	var all []Removed
	var errs []error
	for _, f := range found {
		if !opts.takes(f, info.Time) {
			continue
		}
		if opts.DryRun {
			all = append(all, f.Removed())
			continue
		}
		r, err := RemoveAll(ctx, eng, f.Cluster)
		all, errs = append(all, r), append(errs, err)
	}
	return all, errors.Join(errs...)
}

// takes reports whether Prune removes a cluster; now is the engine's time, which also
// stamped the cluster.
func (o PruneOptions) takes(f Cluster, now time.Time) bool {
	if alive, known := keeper.Alive(f.Owner); alive || !known && !f.gone {
		return false
	}
	old := o.OlderThan > 0 && now.Sub(f.Created) > o.OlderThan
	if !f.Orphaned() && !old {
		return false
	}
	return o.Supervised == nil || !o.Supervised(f.Cluster)
}

// Logs reads the output of a cluster without a supervisor directly from the engine:
// see [orchestrator.Controller].Logs. Only the last run can be told apart from the earlier ones, so a
// query for one run by its number is an error.
func Logs(ctx context.Context, eng orchestrator.Engine, cluster string, q orchestrator.LogQuery, fn func(orchestrator.Line) error) error {
	if q.Run != 0 {
		return orchestrator.WithHint(fmt.Errorf("%s has no supervisor, so its runs are not counted", cluster),
			"ask for the last one: beamyard logs -c %[1]s --since-restart", cluster)
	}
	f, err := Find(ctx, eng, cluster)
	if err != nil {
		return err
	}
	var outputs []*logs.Output
	var followers errgroup.Group
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	names, err := f.Spec.NodesOf(q.Nodes...)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		for _, n := range f.Nodes {
			names = append(names, n.Name)
		}
	}
	for _, name := range names {
		n, ok := f.Node(name)
		if !ok {
			return f.Spec.NoNode(name)
		}
		out := logs.NewNode(name, max(f.Spec.OutputLines, q.Tail))
		run, began := 2, n.StartedAt.Add(-orchestrator.StartSlack) // of the current run, or else the last one; all earlier ones are run 1
		if !q.Follow || !n.State.Running() {
			if err := out.ReadKept(ctx, eng, n.ContainerID, run, began, n.State.Running()); err != nil {
				return fmt.Errorf("read the output of %s: %w", name, err)
			}
			out.Out.Close()
		} else {
			followers.Go(func() error {
				defer out.Out.Close()
				out.Follow(ctx, eng, n.ContainerID, run, began)
				return nil
			})
		}
		outputs = append(outputs, out.Out)
	}
	err = logs.Read(ctx, outputs, q, fn)
	cancel()
	_ = followers.Wait() // ended by the cancellation
	return err
}
