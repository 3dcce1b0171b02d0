package orchestrator

import (
	"fmt"
	"net/netip"
	"slices"
)

// This file is about host names that nodes find in their /etc/hosts, beside each
// other's.

const (
	// HostGateway stands in [Spec].ExtraHosts for the address at which a container
	// reaches the engine's machine. Docker 20.10 and newer know the word.
	HostGateway = "host-gateway"
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

func (v *validation) hosts(field string, hosts map[string]string) {
	const like = "extra_hosts: {db.local: 10.0.0.7, machine: host-gateway}"
	for _, name := range sortedKeys(hosts) {
		if !aliasName.MatchString(name) {
			v.add(field, fmt.Sprintf("%q is no host name", name), like)
		}
		if _, err := netip.ParseAddr(hosts[name]); err != nil && hosts[name] != HostGateway {
			v.add(field, fmt.Sprintf("%s: %q is neither an address nor %s", name, hosts[name], HostGateway), like)
		}
	}
}

// withoutOwn takes the host that no spec asks for out of a container's, and reports
// whether it was there.
func withoutOwn(c *ContainerSpec) bool {
	before := len(c.ExtraHosts)
	c.ExtraHosts = slices.DeleteFunc(slices.Clone(c.ExtraHosts), func(h string) bool { return h == dockerHost+":"+HostGateway })
	return len(c.ExtraHosts) < before
}
