package manifest

import (
	"maps"
	"slices"

	"github.com/beamyard/beamyard/orchestrator"
)

// This file handles the host names in the nodes' /etc/hosts, other than the nodes' own.

const (
	// DockerHost is the name of the engine's machine, as in Docker Desktop.
	DockerHost = "host.docker.internal"
)

// hostsOf returns the extra hosts of node i in the engine's format: "name:address". Each
// node knows the engine's machine by its Docker Desktop name: this is one line of
// /etc/hosts, which the engine writes anyway.
func hostsOf(s orchestrator.Spec, i int) []string {
	hosts := Merged(map[string]string{DockerHost: orchestrator.HostGateway}, s.NodeAt(i).ExtraHosts)
	var list []string
	for _, name := range slices.Sorted(maps.Keys(hosts)) {
		list = append(list, name+":"+hosts[name])
	}
	return list
}
