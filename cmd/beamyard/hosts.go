package main

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/config"
	"github.com/beamyard/beamyard/orchestrator/docker"
	"github.com/beamyard/beamyard/orchestrator/swarm"
)

// hostsCmd are the commands on machines, and not on clusters.
type hostsCmd struct {
	Ls    hostsLsCmd    `cmd:"" name:"ls" help:"List the hosts, their engines and their places in the swarm."`
	Init  hostsInitCmd  `cmd:"" name:"init" help:"Make all hosts the members of one swarm."`
	Join  hostsJoinCmd  `cmd:"" name:"join" help:"Have hosts join the swarm of the others."`
	Leave hostsLeaveCmd `cmd:"" name:"leave" help:"Have hosts leave their swarm."`
}

// hostsOf says which machines a command acts on.
type hostsOf struct {
	hostsFlag
	File string `short:"f" placeholder:"beamyard.yml" complete:"files" help:"Settings, of which hosts count; a beamyard.yml in this folder is found by itself."`
}

// specs returns the hosts of the flag, the environment or the file; or else those of the clusters
// that the engine knows.
func (c *hostsOf) specs(ctx context.Context, a *app) (map[string]orchestrator.HostSpec, error) {
	file := c.File
	if file == "" && exists(config.Name) {
		file = config.Name
	}
	spec := orchestrator.Spec{}
	if file != "" {
		var err error
		if spec, err = config.Read(file); err != nil {
			return nil, err
		}
	}
	hosts, err := c.over(spec.Hosts)
	if err != nil || len(hosts) > 0 {
		return hosts, err
	}
	return a.hostsHere(ctx)
}

// hostsHere returns the hosts of the clusters that the engine knows.
func (a *app) hostsHere(ctx context.Context) (map[string]orchestrator.HostSpec, error) {
	none := usagef("beamyard hosts ls --hosts a=ssh://build@big1,b=ssh://build@big2\nor write them into "+config.Name+": hosts: {a: ssh://build@big1, b: ssh://build@big2}", "no hosts are named, and no cluster has any")
	eng, err := docker.New(docker.Options{})
	if err != nil {
		return nil, none
	}
	defer eng.Close()
	if _, err := a.answers(ctx, eng); err != nil {
		return nil, none
	}
	all, err := a.clusterHosts(ctx, eng)
	if err == nil && len(all) == 0 {
		err = none
	}
	return all, err
}

// machine is a host of a command.
type machine struct {
	*docker.Engine // nil: see problem
	problem        error
	spec           orchestrator.HostSpec
}

// machines are hosts by their names.
type machines map[string]machine

// open opens the engine of each host. It connects to none.
func open(specs map[string]orchestrator.HostSpec) machines {
	all := machines{}
	for name, h := range specs {
		m := machine{spec: h}
		m.Engine, m.problem = docker.NewHost(h)
		all[name] = m
	}
	return all
}

// Close closes idle connections.
func (all machines) Close() {
	for _, m := range all {
		if m.Engine != nil {
			m.Close()
		}
	}
}

// look asks the engines for their states. It chooses the address of each.
func (all machines) look(ctx context.Context, a *app) []swarm.Host {
	asked := map[string]swarm.Machine{}
	for name, m := range all {
		asked[name] = m
	}
	hosts := swarm.Look(ctx, asked, a.engineTime)
	var group sync.WaitGroup
	for i, h := range hosts {
		hosts[i].Err = a.late(ctx, h.Err, "")
		if h.Err == nil {
			group.Go(func() { hosts[i].Advertise = all[h.Name].Advertised(ctx, all[h.Name].spec) })
		}
	}
	group.Wait()
	for i := range hosts {
		if hosts[i].Advertise == "" && hosts[i].Err == nil {
			hosts[i].Advertise = all.towardsOthers(hosts, i)
		}
	}
	return hosts
}

// towardsOthers returns the address from which a host of this machine reaches the others, "" if
// that cannot be known.
func (all machines) towardsOthers(hosts []swarm.Host, i int) string {
	if !all[hosts[i].Name].OnThisMachine() {
		return ""
	}
	for j, other := range hosts {
		if j != i && other.Advertise != "" {
			return docker.Towards(other.Advertise)
		}
	}
	return ""
}

// Swarm implements swarm.Machine, also for a host whose engine could not be opened.
func (m machine) Swarm(ctx context.Context) (swarm.State, error) {
	if m.Engine == nil {
		return swarm.State{}, m.problem
	}
	return m.Engine.Swarm(ctx)
}

// swarmMachines are the machines as package swarm takes them.
func (all machines) swarmMachines() map[string]swarm.Machine {
	asked := map[string]swarm.Machine{}
	for name, m := range all {
		asked[name] = m
	}
	return asked
}

// names returns the names in order.
func (all machines) names() []string { return slices.Sorted(maps.Keys(all)) }

// errDeclined reports that the user did not confirm.
var errDeclined = errors.New("not confirmed: nothing was changed")
