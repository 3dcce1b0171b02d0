package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/swarm"
)

type hostsLsCmd struct{ hostsOf }

func (hostsLsCmd) Help() string {
	return `One line for each host: whether its engine answers, its version and platform, its
place in a swarm, and the nodes of clusters on it. The exit code is 5 if a host does
not answer.

Examples:
  beamyard hosts ls
  beamyard hosts ls --hosts a=ssh://build@big1,b=context:big2`
}

// Run lists the hosts.
func (c *hostsLsCmd) Run(ctx context.Context, a *app) error {
	specs, err := c.specs(ctx, a)
	if err != nil {
		return err
	}
	all := open(specs)
	defer all.Close()
	return a.listHosts(ctx, all)
}

// hostStatus is what is known of a host.
type hostStatus struct {
	Name      string              `json:"name"`
	Engine    string              `json:"engine"` // its address, without credentials
	Reachable bool                `json:"reachable"`
	Error     string              `json:"error,omitempty"`
	Version   string              `json:"version,omitempty"`
	Platform  string              `json:"platform,omitempty"` // "linux/x86_64"
	Swarm     hostMembership      `json:"swarm"`
	Nodes     map[string][]string `json:"nodes"` // by cluster
	err       error
}

// hostMembership is the host's place in a swarm.
type hostMembership struct {
	State   string `json:"state"`             // inactive, pending, active, error, locked
	Role    string `json:"role,omitempty"`    // manager, worker
	Node    string `json:"node,omitempty"`    // its ID there
	Address string `json:"address,omitempty"` // at which other members reach it
	Listed  string `json:"listed,omitempty"`  // its state on the manager's list: ready, down, …
	Other   bool   `json:"other,omitempty"`   // it is another swarm than that of the manager among the hosts
}

// listHosts asks all hosts, and prints what they answer.
func (a *app) listHosts(ctx context.Context, all machines) error {
	list := make([]hostStatus, len(all))
	states := swarm.Look(ctx, all.swarmMachines(), a.engineTime)
	var group sync.WaitGroup
	for i, name := range all.names() {
		group.Go(func() { list[i] = a.askHost(ctx, name, all[name], states[i]) })
	}
	group.Wait()
	placeInSwarm(list, states)
	if err := a.answer(list, func(o *output) error { return writeTable(o, o.color, hostRows(list)) }); err != nil {
		return err
	}
	var lost []error
	for _, h := range list {
		if h.err != nil {
			lost = append(lost, orchestrator.WithHint(fmt.Errorf("host %s does not answer: %w", h.Name, h.err), "beamyard doctor"))
		}
	}
	return errors.Join(lost...)
}

// askHost asks one engine.
func (a *app) askHost(ctx context.Context, name string, m machine, s swarm.Host) hostStatus {
	h := hostStatus{Name: name, Engine: cmp.Or(m.spec.Host, "context "+m.spec.Context), Nodes: map[string][]string{}, err: m.problem}
	if m.Engine != nil {
		var info orchestrator.EngineInfo
		if info, h.err = a.answers(ctx, m); info.Endpoint != "" {
			h.Engine = info.Endpoint
		}
		h.Version, h.Platform = info.Version, strings.Trim(info.OS+"/"+info.Arch, "/")
	}
	if h.err == nil {
		h.err = a.late(ctx, s.Err, "")
	}
	if h.err != nil {
		h.Error = h.err.Error()
		return h
	}
	h.Reachable = true
	h.Swarm = hostMembership{State: string(s.State.Phase), Node: s.State.Node, Address: s.State.Address}
	asking, cancel := context.WithTimeout(ctx, a.engineTime)
	defer cancel()
	containers, err := m.Containers(asking, nil) // without them, there are no nodes to show
	if err != nil {
		h.err = a.late(ctx, err, "")
		h.Error = h.err.Error()
	}
	for _, c := range containers {
		if cluster, node := c.Labels[orchestrator.LabelCluster], c.Labels[orchestrator.LabelNode]; cluster != "" && node != "" {
			h.Nodes[cluster] = append(h.Nodes[cluster], node)
		}
	}
	for _, nodes := range h.Nodes {
		slices.Sort(nodes)
	}
	return h
}

// placeInSwarm sets what a manager among the hosts knows of them, and their roles.
func placeInSwarm(list []hostStatus, states []swarm.Host) {
	var members []swarm.Member
	for _, s := range states {
		if s.State.Manager && len(members) == 0 {
			members = s.State.Members
		}
	}
	for i := range list {
		at := &list[i].Swarm
		if at.Node == "" {
			continue
		}
		at.Role = "worker"
		if states[i].State.Manager {
			at.Role = "manager"
		}
		j := slices.IndexFunc(members, func(m swarm.Member) bool { return m.ID == at.Node })
		if at.Other = j < 0 && len(members) > 0; j >= 0 {
			at.Listed = members[j].State
		}
	}
}

// hostRows is the table for people.
func hostRows(list []hostStatus) [][]cell {
	var rows [][]cell
	var head []cell
	for _, title := range []string{"HOST", "ENGINE", "STATE", "VERSION", "PLATFORM", "SWARM", "ADDRESS", "NODES"} {
		head = append(head, cell{title, "1"})
	}
	rows = append(rows, head)
	for _, h := range list {
		state := cell{"answers", "32"}
		if !h.Reachable {
			state = cell{"no answer", "31"}
		}
		rows = append(rows, []cell{
			{h.Name, ""}, {h.Engine, ""}, state, {orDash(h.Version), ""}, {orDash(h.Platform), ""},
			{orDash(h.Swarm.text()), ""}, {orDash(h.Swarm.Address), ""}, {orDash(nodesText(h.Nodes)), ""},
		})
	}
	return rows
}

// text describes a membership in a few words.
func (m hostMembership) text() string {
	switch {
	case m.State == string(swarm.Inactive):
		return "none"
	case m.Other:
		return "another one"
	case m.State != string(swarm.Active):
		return strings.TrimSpace(m.Role + " " + m.State)
	case m.Listed != "" && m.Listed != "ready":
		return m.Role + ", " + m.Listed
	}
	return m.Role
}

// nodesText formats "demo: n1 n4, shop: n2".
func nodesText(nodes map[string][]string) string {
	var parts []string
	for _, cluster := range slices.Sorted(maps.Keys(nodes)) {
		parts = append(parts, cluster+": "+strings.Join(nodes[cluster], " "))
	}
	return strings.Join(parts, ", ")
}
