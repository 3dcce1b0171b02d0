package doctor

import "context"

// The checks that must not fail for a cluster to run.
const (
	codeEngine    = "engine"
	codeContainer = "container"
)

// checks returns the checks in the order in which they are shown. Without an engine that
// answers there are few, and one that lists what was not checked.
func checks(answers bool) []check {
	local := []check{
		{"control", "control socket", lookControl},
		{"testcontainers-reaper", "Go tests: reaper", lookReaper},
		{"testcontainers-host", "Go tests: settings", lookTestcontainersHost},
	}
	first := check{codeEngine, "engine", lookEngine}
	rest := []check{
		{"endpoint", "endpoint", lookEndpoint},
		{codeContainer, "container", lookContainer},
		{"speed", "speed", lookSpeed},
		{"addresses", "addresses", lookAddresses},
		{"cgroup", "cgroups", lookCgroup},
		{"memory", "memory", lookMemory},
		{"storage", "storage", lookStorage},
		{"subnets", "subnets", lookSubnets},
		{"ports", "host ports", lookPorts},
		{"neighbours", "neighbour table", lookNeighbours},
		{"init", "init program", lookInit},
		{"nofile", "open files", lookNoFile},
		{"inotify", "file watches", lookInotify},
		{"base", "base image", lookBase},
		{"registry", "registry", lookRegistry},
		{"mounts", "bind mounts", lookMounts},
		{"net-admin", "NET_ADMIN", lookNetAdmin},
		{"faults", "faults", lookFaults},
		{"clock", "clock", lookClock},
		{"leftovers", "left-overs", lookLeftovers},
	}
	if answers {
		return append(append([]check{first}, rest...), local...)
	}
	unseen := check{"rest", "the rest", func(context.Context, *examination) verdict {
		return unknown("no engine: %d checks of it were not made", len(rest))
	}}
	return append([]check{first, unseen}, local...)
}
