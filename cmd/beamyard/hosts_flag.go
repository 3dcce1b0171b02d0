package main

import (
	"os"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/config"
)

// hostsFlag names the machines of a command that takes a spec, in place of those of its file.
type hostsFlag struct {
	Hosts string `env:"BEAMYARD_HOSTS" placeholder:"NAME=ADDRESS,…" help:"Machines of the nodes, in place of hosts: of beamyard.yml: a=ssh://build@big1,b=tcp://10.0.0.8:2376,c=context:big3, or names of hosts in the file or of docker contexts."`
}

// over returns the hosts that the flag names, or those of the file.
func (f hostsFlag) over(file map[string]orchestrator.HostSpec) (map[string]orchestrator.HostSpec, error) {
	if f.Hosts == "" {
		return file, nil
	}
	return hostsIn("--hosts", f.Hosts, file)
}

// hostsIn reads hosts that the command line or the environment gives.
func hostsIn(from, text string, known map[string]orchestrator.HostSpec) (map[string]orchestrator.HostSpec, error) {
	hosts, err := config.ParseHosts(text, known)
	if err != nil {
		return nil, usagef(orchestrator.HintOf(err).String(), "%s: %v", from, err)
	}
	return hosts, nil
}

// hostsOfEnvironment returns the hosts of commands that take no spec: of the environment, or none.
func hostsOfEnvironment() (orchestrator.Spec, error) {
	text := os.Getenv(config.HostsVariable)
	if text == "" {
		return orchestrator.Spec{}, nil
	}
	hosts, err := hostsIn(config.HostsVariable, text, nil)
	return orchestrator.Spec{Hosts: hosts}, err
}
