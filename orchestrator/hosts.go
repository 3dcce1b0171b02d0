package orchestrator

import (
	"slices"
)

// This file is about host names that nodes find in their /etc/hosts, beside each
// other's.

const (
	// dockerHost is the name of the engine's machine, as Docker Desktop has it.
	dockerHost = "host.docker.internal"
)

// hostsOf are the extra hosts of node i, as the engine takes them: "name:address".
// Each node knows the engine's machine under the name that it has with Docker Desktop:
// it is a line of /etc/hosts, which the engine writes anyway.
func hostsOf(s Spec, i int) []string {
	hosts := over(map[string]string{dockerHost: HostGateway}, s.filled(i).ExtraHosts)
	var list []string
	for _, name := range sortedKeys(hosts) {
		list = append(list, name+":"+hosts[name])
	}
	return list
}

// withoutOwn takes the host that no spec asks for out of a container's, and reports
// whether it was there.
func withoutOwn(c *ContainerSpec) bool {
	before := len(c.ExtraHosts)
	c.ExtraHosts = slices.DeleteFunc(slices.Clone(c.ExtraHosts), func(h string) bool { return h == dockerHost+":"+HostGateway })
	return len(c.ExtraHosts) < before
}
