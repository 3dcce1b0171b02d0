package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/docker"
)

// engine is the container engine of a command, or one engine over those of several hosts.
type engine interface {
	orchestrator.Engine
	Close()
}

// engine opens the container engine and asks it for its info, which distinguishes an
// unreachable engine from a forbidden one: see [orchestrator.Engine].Info. An engine that
// accepts a connection and does not answer counts as unreachable. If the environment names hosts,
// their engines are opened; if the engine has a network of a cluster with several hosts, the
// engines of all of them.
func (a *app) engine(ctx context.Context) (engine, error) {
	named, err := hostsOfEnvironment()
	if err != nil {
		return nil, err
	}
	if len(named.Hosts) > 0 {
		return a.engineFor(ctx, named)
	}
	eng, err := docker.New(docker.Options{})
	if err != nil {
		return nil, err
	}
	info, err := a.answers(ctx, eng)
	if err == nil && info.Swarm.Node != "" {
		var many engine
		if many, err = a.hostsOfClusters(ctx, eng); many != nil {
			eng.Close()
			return many, nil
		}
	}
	if err != nil {
		eng.Close()
		return nil, err
	}
	return eng, nil
}

// engineFor opens the engines of a spec's hosts, or the one that the docker command would use if it
// has none: its nodes belong there, whatever hosts other clusters have.
func (a *app) engineFor(ctx context.Context, s orchestrator.Spec) (engine, error) {
	var eng engine
	var err error
	if len(s.Hosts) == 0 {
		eng, err = docker.New(docker.Options{})
	} else {
		eng, err = docker.Open(s)
	}
	if err != nil {
		return nil, err
	}
	if _, err := a.answers(ctx, eng); err != nil {
		eng.Close()
		return nil, err
	}
	return eng, nil
}

// engineToLook opens the engines in which a cluster may be that a spec names: it may have hosts that
// the spec lacks, as with `up NAME`.
func (a *app) engineToLook(ctx context.Context, s orchestrator.Spec) (engine, error) {
	if len(s.Hosts) == 0 {
		return a.engine(ctx)
	}
	return a.engineFor(ctx, s)
}

// engineOf returns the engine of a spec, given the one in which its cluster was looked for. The
// latter may be that of several hosts, for the sake of other clusters.
func (a *app) engineOf(ctx context.Context, looked engine, s orchestrator.Spec) (engine, error) {
	if _, one := looked.(*docker.Engine); one || len(s.Hosts) > 0 {
		return looked, nil
	}
	return a.engineFor(ctx, s)
}

// hostsOfClusters opens the engines of the hosts of all clusters that the engine knows; nil if
// there are none.
func (a *app) hostsOfClusters(ctx context.Context, eng orchestrator.Engine) (engine, error) {
	all, err := a.clusterHosts(ctx, eng)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return a.engineFor(ctx, orchestrator.Spec{Hosts: all})
}

// clusterHosts returns the hosts of all clusters that the engine knows. If two clusters give one
// name to two hosts, both are there.
func (a *app) clusterHosts(ctx context.Context, eng orchestrator.Engine) (map[string]orchestrator.HostSpec, error) {
	asking, cancel := context.WithTimeout(ctx, a.engineTime)
	defer cancel()
	networks, err := eng.Networks(asking, nil)
	if err != nil {
		return nil, a.late(ctx, err, "")
	}
	all := map[string]orchestrator.HostSpec{}
	for _, n := range networks {
		if n.Labels[orchestrator.LabelSpec] == "" {
			continue
		}
		s, err := orchestrator.SpecOf(n.Labels)
		if err != nil {
			continue // the command that needs it reports it
		}
		for name, h := range s.Hosts {
			if known, taken := all[name]; taken && known != h {
				name += "." + s.Name
			}
			all[name] = h
		}
	}
	return all, nil
}

// hostsText encodes the hosts of a spec for the watchdog; "" for none.
func hostsText(s orchestrator.Spec) string {
	if len(s.Hosts) == 0 {
		return ""
	}
	text, _ := json.Marshal(s.Hosts) // plain data
	return string(text)
}

// specOfHosts is the reverse of hostsText.
func specOfHosts(text string) (s orchestrator.Spec, err error) {
	if text == "" {
		return s, nil
	}
	if err := json.Unmarshal([]byte(text), &s.Hosts); err != nil {
		return s, fmt.Errorf("read the hosts to watch: %w", err)
	}
	return s, nil
}
