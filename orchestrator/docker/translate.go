package docker

import (
	"maps"
	"math"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/system"
	"github.com/docker/go-connections/nat"

	"github.com/beamyard/beamyard/orchestrator"
)

// This file is pure: it translates orchestrator's types to the engine's and back.

// pinsMAC is the version of the API from which on an attachment can have a MAC address.
const pinsMAC = "1.44"

// createRequest is the body of POST /containers/create. With pinned, a fixed IP address comes with
// the MAC address that engines before version 28 derive from it. Later ones choose another at each
// start, and a peer that cannot hear of it sends to the old one for a while.
func createRequest(c orchestrator.ContainerSpec, pinned bool) (*container.Config, *container.HostConfig, *network.NetworkingConfig) {
	init, grace := !c.NoInit, int(math.Ceil(c.StopTimeout.Seconds()))
	config := &container.Config{
		Image: c.Image, Hostname: c.Hostname, Entrypoint: c.Entrypoint, Cmd: c.Command, Env: c.Env,
		User: c.User, WorkingDir: c.WorkingDir, Labels: c.Labels, OpenStdin: c.Stdin,
		ExposedPorts: nat.PortSet{},
		// An image's own health check causes three events per probe, which push others out of
		// the engine's ring of 256.
		Healthcheck: &container.HealthConfig{Test: []string{"NONE"}},
	}
	if grace > 0 {
		config.StopTimeout = &grace // so that a `docker stop` by a user waits as long
	}
	host := &container.HostConfig{
		Init:          &init, // reaps zombies and forwards TERM (erlang/otp#6534)
		RestartPolicy: container.RestartPolicy{Name: container.RestartPolicyDisabled},
		AutoRemove:    false, // logs cannot be read from a removed container
		PortBindings:  nat.PortMap{},
		LogConfig:     container.LogConfig{Type: "json-file", Config: map[string]string{}},
		CapAdd:        c.Capabilities,
		Tmpfs:         c.Tmpfs,
		ExtraHosts:    c.ExtraHosts,
		Resources:     container.Resources{Memory: c.Memory, NanoCPUs: int64(c.CPUs * 1e9)},
	}
	if c.LogMaxSize != "" {
		host.LogConfig.Config["max-size"] = c.LogMaxSize
	}
	if c.LogMaxFile > 0 {
		host.LogConfig.Config["max-file"] = strconv.Itoa(c.LogMaxFile)
	}
	if c.NoFile > 0 {
		host.Ulimits = []*container.Ulimit{{Name: "nofile", Soft: c.NoFile, Hard: c.NoFile}}
	}
	for _, p := range c.Ports {
		port := nat.Port(strconv.Itoa(int(p.Container)) + "/tcp")
		config.ExposedPorts[port] = struct{}{}
		host.PortBindings[port] = append(host.PortBindings[port], nat.PortBinding{HostIP: p.HostIP, HostPort: strconv.Itoa(int(p.Host))})
	}
	for _, m := range c.Mounts {
		// As a mount and not as a "bind": the engine would create the missing source of a bind
		// as a folder.
		host.Mounts = append(host.Mounts, mount.Mount{Type: mount.TypeBind, Source: m.Source, Target: m.Target, ReadOnly: true})
	}
	for _, v := range c.Volumes {
		host.Mounts = append(host.Mounts, mount.Mount{Type: mount.TypeVolume, Source: v.Volume, Target: v.Target})
	}
	networking := &network.NetworkingConfig{}
	if c.NetworkOf != "" {
		host.NetworkMode = container.NetworkMode("container:" + c.NetworkOf)
	}
	if c.PIDOf != "" {
		host.PidMode = container.PidMode("container:" + c.PIDOf)
	}
	if c.HostPID {
		host.PidMode = "host"
	}
	if host.PidMode != "" && c.NetworkOf == "" {
		host.NetworkMode = network.NetworkNone
	}
	if c.NetworkID != "" {
		host.NetworkMode = container.NetworkMode(c.NetworkID)
		endpoint := &network.EndpointSettings{Aliases: c.Aliases}
		if c.IP.IsValid() {
			endpoint.IPAMConfig = &network.EndpointIPAMConfig{IPv4Address: c.IP.String()}
			if ip := c.IP.As4(); pinned {
				endpoint.MacAddress = net.HardwareAddr{0x02, 0x42, ip[0], ip[1], ip[2], ip[3]}.String()
			}
		}
		networking.EndpointsConfig = map[string]*network.EndpointSettings{c.NetworkID: endpoint}
	}
	return config, host, networking
}

// inspected translates the answer of GET /containers/{id}/json.
func inspected(in container.InspectResponse) orchestrator.Container {
	c := orchestrator.Container{
		ID: in.ID, Name: strings.TrimPrefix(in.Name, "/"), Image: in.Image,
		Created: parseTime(in.Created), State: state(in.State),
	}
	if in.Config != nil {
		c.Labels = in.Config.Labels
	}
	if in.HostConfig != nil {
		c.Ports = bindings(in.HostConfig.PortBindings)
		c.Limits = limits(in.HostConfig.Resources)
	}
	if in.NetworkSettings != nil {
		for _, name := range slices.Sorted(maps.Keys(in.NetworkSettings.Networks)) {
			c.Networks = append(c.Networks, attached(name, in.NetworkSettings.Networks[name]))
		}
	}
	return c
}

// limits translates a container's limits.
func limits(r container.Resources) orchestrator.Limits {
	return orchestrator.Limits{Memory: max(r.Memory, 0), CPUs: max(float64(r.NanoCPUs)/1e9, 0)} // -1 is no limit
}

// limited is the body of POST /containers/{id}/update. The engine leaves what is 0 as it is, and
// refuses -1 bytes: no limit is the whole machine. The swap is what it chooses at a creation.
func limited(l orchestrator.Limits, machine system.Info) container.UpdateConfig {
	r := container.Resources{Memory: machine.MemTotal, NanoCPUs: int64(machine.NCPU) * 1e9}
	if l.Memory > 0 {
		r.Memory = l.Memory
	}
	r.MemorySwap = 2 * r.Memory
	if l.CPUs > 0 {
		r.NanoCPUs = int64(l.CPUs * 1e9)
	}
	return container.UpdateConfig{Resources: r}
}

// attached translates a container's attachment to a network.
func attached(name string, n *network.EndpointSettings) orchestrator.Attachment {
	a := orchestrator.Attachment{Network: n.NetworkID, Name: name, Visitor: slices.Contains(n.Aliases, orchestrator.VisitorAlias)}
	a.IP, _ = netip.ParseAddr(n.IPAddress)
	if !a.IP.IsValid() && n.IPAMConfig != nil {
		a.IP, _ = netip.ParseAddr(n.IPAMConfig.IPv4Address) // not running: the configured address
	}
	a.IPv6, _ = netip.ParseAddr(n.GlobalIPv6Address) // "" where there is none
	return a
}

func state(s *container.State) orchestrator.ContainerState {
	if s == nil {
		return orchestrator.ContainerState{}
	}
	return orchestrator.ContainerState{
		Status: s.Status, Running: s.Running, Paused: s.Paused, PID: s.Pid,
		ExitCode: s.ExitCode, OOMKilled: s.OOMKilled, Error: s.Error,
		StartedAt: parseTime(s.StartedAt), FinishedAt: parseTime(s.FinishedAt),
	}
}

// bindings returns the configured ports, in order.
func bindings(ports nat.PortMap) []orchestrator.PortBinding {
	var list []orchestrator.PortBinding
	for port, on := range ports {
		for _, b := range on {
			host, err := strconv.ParseUint(b.HostPort, 10, 16)
			if err != nil {
				continue // no fixed port
			}
			list = append(list, orchestrator.PortBinding{Container: uint16(port.Int()), HostIP: b.HostIP, Host: uint16(host)})
		}
	}
	slices.SortFunc(list, func(a, b orchestrator.PortBinding) int { return int(a.Container) - int(b.Container) })
	return list
}

// listed translates an entry of GET /containers/json.
func listed(s container.Summary) orchestrator.Container {
	c := orchestrator.Container{
		ID: s.ID, Image: s.ImageID, Labels: s.Labels, Created: time.Unix(s.Created, 0),
		State: orchestrator.ContainerState{
			Status: s.State, Running: s.State == "running" || s.State == "paused", Paused: s.State == "paused",
		},
	}
	if len(s.Names) > 0 {
		c.Name = strings.TrimPrefix(s.Names[0], "/")
	}
	for _, p := range s.Ports {
		if p.PublicPort != 0 && p.Type == "tcp" {
			c.Ports = append(c.Ports, orchestrator.PortBinding{Container: p.PrivatePort, HostIP: p.IP, Host: p.PublicPort})
		}
	}
	if s.NetworkSettings != nil {
		for _, name := range slices.Sorted(maps.Keys(s.NetworkSettings.Networks)) {
			c.Networks = append(c.Networks, attached(name, s.NetworkSettings.Networks[name]))
		}
	}
	return c
}

// attributes are the engine's own attributes of an event; all others are labels.
var attributes = map[string]bool{"name": true, "image": true, "exitCode": true, "containerExitCode": true, "signal": true, "execDuration": true}

// heard translates an event message.
func heard(m events.Message) orchestrator.ContainerEvent {
	e := orchestrator.ContainerEvent{
		ID: m.Actor.ID, Name: m.Actor.Attributes["name"], Action: string(m.Action),
		Time: time.Unix(0, m.TimeNano), Signal: m.Actor.Attributes["signal"], Labels: map[string]string{},
	}
	for k, v := range m.Actor.Attributes {
		if !attributes[k] {
			e.Labels[k] = v
		}
	}
	if m.Action == actionDied {
		e.Action = string(events.ActionDie)
	}
	code, told := m.Actor.Attributes["exitCode"] // only on die
	if !told {
		code = m.Actor.Attributes["containerExitCode"] // Podman's name for it
	}
	e.ExitCode, _ = strconv.Atoi(code)
	return e
}

// told translates the answer of GET /info.
func told(info system.Info) orchestrator.EngineInfo {
	result := orchestrator.EngineInfo{
		ID: info.ID, Version: info.ServerVersion, Time: systemTime(info), CPUs: info.NCPU,
		System: info.OperatingSystem, OS: info.OSType, Arch: info.Architecture, Kernel: info.KernelVersion,
		Memory: info.MemTotal, RootDir: info.DockerRootDir, StorageDriver: info.Driver, Runtime: info.DefaultRuntime,
		CgroupVersion: info.CgroupVersion, CgroupDriver: info.CgroupDriver,
		MemoryLimit: info.MemoryLimit, SwapLimit: info.SwapLimit, PidsLimit: info.PidsLimit, Warnings: info.Warnings,
	}
	if info.Swarm.LocalNodeState == swarm.LocalNodeStateActive {
		result.Swarm = orchestrator.SwarmInfo{Node: info.Swarm.NodeID, Manager: info.Swarm.ControlAvailable}
	}
	for _, option := range info.SecurityOptions { // "name=seccomp,profile=default"; once "seccomp"
		name, _, _ := strings.Cut(option, ",")
		result.Security = append(result.Security, strings.TrimPrefix(name, "name="))
	}
	return result
}

func parseTime(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil || t.Year() <= 1 {
		return time.Time{} // "0001-01-01T00:00:00Z" means never
	}
	return t
}
