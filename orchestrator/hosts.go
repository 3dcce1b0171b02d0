package orchestrator

import (
	"slices"
)

// This file handles the host names in the nodes' /etc/hosts, other than the nodes' own.

const (
	// dockerHost is the name of the engine's machine, as in Docker Desktop.
	dockerHost = "host.docker.internal"
)

// hostsOf returns the extra hosts of node i in the engine's format: "name:address". Each
// node knows the engine's machine by its Docker Desktop name: this is one line of
// /etc/hosts, which the engine writes anyway.
func hostsOf(s Spec, i int) []string {
	hosts := over(map[string]string{dockerHost: HostGateway}, s.filled(i).ExtraHosts)
	var list []string
	for _, name := range sortedKeys(hosts) {
		list = append(list, name+":"+hosts[name])
	}
	return list
}

// withoutOwn removes our own host entry from a container's extra hosts, and reports
// whether it was there.
func withoutOwn(c *ContainerSpec) bool {
	before := len(c.ExtraHosts)
	c.ExtraHosts = slices.DeleteFunc(slices.Clone(c.ExtraHosts), func(h string) bool { return h == dockerHost+":"+HostGateway })
	return len(c.ExtraHosts) < before
}
