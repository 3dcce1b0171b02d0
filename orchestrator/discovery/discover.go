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
	"github.com/beamyard/beamyard/orchestrator/hint"
	"github.com/beamyard/beamyard/orchestrator/hosts"
	"github.com/beamyard/beamyard/orchestrator/internal/manifest"
	"github.com/beamyard/beamyard/orchestrator/internal/reach"
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

	// Parked says that its nodes wait before their commands, and were not started yet: see
	// package parking.
	Parked bool

	// Missing says which hosts did not answer. Their nodes are Unreachable, as far as the spec tells
	// which they are. It matches [orchestrator.ErrHostLost], and is nil if all answered.
	Missing error

	gone bool // the container that its owner ran in is gone
}

// Orphaned reports whether the process that kept the cluster is gone from this machine,
// and the cluster is not meant to outlive it: it is neither detached nor kept after a
// failure.
func (f Cluster) Orphaned() bool { return Orphaned(f.Spec, f.Owner, f.gone) }

// List returns every cluster of the engine that is not parked, sorted by name. States are as
// the engine knows them: a node whose container runs is Running, and one whose container ended is
// Stopped.
func List(ctx context.Context, eng orchestrator.Engine) ([]orchestrator.Status, error) {
	found, err := find(ctx, eng, "")
	statuses := make([]orchestrator.Status, 0, len(found))
	for _, f := range found {
		if !f.Parked {
			statuses = append(statuses, f.Status)
		}
	}
	return statuses, err
}

// All returns every cluster of the engine, also those that are parked, sorted by name.
func All(ctx context.Context, eng orchestrator.Engine) ([]Cluster, error) { return find(ctx, eng, "") }

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
		return orchestrator.WithHint(missing, "see what there is: %s", hint.Status.With())
	}
	names := map[string]bool{}
	for _, n := range networks {
		if name := n.Labels[orchestrator.LabelCluster]; name != "" {
			names[name] = true
		}
	}
	if len(names) == 0 {
		return orchestrator.WithHint(missing, "no cluster is up; start one: %s", hint.Up.With())
	}
	known := slices.Sorted(maps.Keys(names))
	up := "up: " + strings.Join(known, ", ")
	if best := network.Nearest(cluster, known); best != "" {
		up = "did you mean " + best + "? " + up
	}
	return orchestrator.WithHint(missing, "%s", up)
}

func find(ctx context.Context, eng orchestrator.Engine, cluster string) ([]Cluster, error) {
	networks, err := eng.Networks(ctx, nil)
	missing, err := hosts.Missing(err)
	if err != nil {
		return nil, fmt.Errorf("list networks: %w", err)
	}
	label := map[string]string{}
	if cluster != "" {
		label[orchestrator.LabelCluster] = cluster
	}
	listed, err := eng.Containers(ctx, label)
	more, err := hosts.Missing(err)
	if err != nil {
		return nil, fmt.Errorf("list containers: %w", err)
	}
	missing = cmp.Or(more, missing)
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
		if missing != nil {
			f.lacks(missing)
		}
		all = append(all, f)
	}
	if cluster != "" && len(all) == 0 && missing != nil { // it may be there
		return nil, missing
	}
	return all, nil
}

// lacks adds the nodes of hosts that did not answer.
func (f *Cluster) lacks(missing *hosts.MissingError) {
	f.Missing = missing
	names, listed := f.Spec.Names(), f.Nodes
	f.Nodes = nil
	for i, n := range f.Spec.Nodes {
		at := slices.IndexFunc(listed, func(l orchestrator.NodeStatus) bool { return l.Name == n.Name })
		if at >= 0 {
			f.Nodes = append(f.Nodes, listed[at])
			continue
		}
		if why := missing.Hosts[n.Host]; why != nil {
			f.Nodes = append(f.Nodes, orchestrator.NodeStatus{
				Name: n.Name, Node: names.Node(n.Name), Host: names.Hostname(n.Name), On: n.Host, Container: names.Container(n.Name),
				IP: network.Layout(f.Subnet).Node(i), State: orchestrator.Unreachable, Reason: fmt.Sprintf("host %s does not answer: %v", n.Host, why),
			})
		}
	}
	if len(f.Spec.Nodes) == 0 { // its network, and so its spec, is not known
		f.Nodes = listed
	}
}

// describe builds the description of a cluster from its network and containers.
func describe(ctx context.Context, eng orchestrator.Engine, name string, networks []orchestrator.Network, containers []orchestrator.Container) (Cluster, error) {
	f := Cluster{Status: orchestrator.Status{Cluster: name, Nodes: []orchestrator.NodeStatus{}}, Helpers: helpersOf(containers)}
	all := containers
	containers = slices.DeleteFunc(manifest.Current(all), func(c orchestrator.Container) bool { return c.Labels[orchestrator.LabelHelper] != "" })
	var subnet network.Subnet
	if len(networks) > 0 {
		n := networks[0]
		spec, err := orchestrator.SpecOf(n.Labels)
		if err != nil {
			return f, err
		}
		spec = manifest.WithBuilds(spec, manifest.BuildsOf(containers))
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
	for _, c := range all {
		if fault, ok := orchestrator.FaultOf(c.Labels); ok && !fault.Ended(time.Now()) {
			f.Faults = append(f.Faults, fault)
		}
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
			if errors.Is(err, orchestrator.ErrNotFound) || errors.Is(err, orchestrator.ErrHostLost) {
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
	if len(networks) > 0 && networks[0].Labels[orchestrator.LabelParked] != "" {
		f.Parked = waits(ctx, eng, containers)
	}
	for i, c := range containers {
		f.Nodes[i] = unsupervised(f.Spec, c, host, addresses[i])
		if f.Parked {
			f.Nodes[i].State, f.Nodes[i].Reason = orchestrator.Pending, "parked for a next start"
		}
	}
	f.Spec = f.Spec.On(f.Nodes)
	return f, err
}

// waits reports whether the nodes of a cluster wait, as far as they are created. What cannot be
// read does not.
func waits(ctx context.Context, eng orchestrator.Engine, containers []orchestrator.Container) bool {
	return !slices.ContainsFunc(containers, func(c orchestrator.Container) bool {
		file, _, err := eng.OpenFile(ctx, c.ID, manifest.ParkedFile)
		if err == nil {
			_ = file.Close()
		}
		return err != nil
	})
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
		Name: name, Node: names.Node(name), Host: names.Hostname(name), On: cmp.Or(c.Host, s.Node(name).Host),
		Container: c.Name, ContainerID: c.ID, IP: ip, PID: c.State.PID, Paused: c.State.Paused,
		StartedAt: c.State.StartedAt,
	}
	switch {
	case c.State.Paused:
		st.State, st.Reason = orchestrator.Running, "paused"
	case c.State.Running:
		st.State, st.Reason = orchestrator.Running, "no supervisor proves that it is ready"
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
	if image := s.Node(name).Image; image != s.Image {
		st.Image = image
	}
	manifest.SetPorts(&st, s, c.Ports, host)
	return st
}
