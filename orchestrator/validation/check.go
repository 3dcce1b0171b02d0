package validation

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/beamyard/beamyard/network"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/hint"
)

// Check returns an [orchestrator.SpecError] with every problem of the spec, or nil. A missing
// image, or a port in use, is not among them: a cluster discovers it when it runs.
func Check(s orchestrator.Spec) error {
	s = s.Defaulted()
	v := &validation{}
	v.err("name", network.CheckCluster(s.Name))
	v.err("basename", network.CheckBase(s.Basename))
	v.err("domain", network.CheckDomain(s.Domain))
	if s.Source == "" && s.Image == "" && slices.ContainsFunc(s.Nodes, func(n orchestrator.NodeSpec) bool { return n.Image == "" }) {
		v.advise("source", "nothing to run is given", hint.Newf("give a Mix project's folder or an image: %s, %s", hint.Up.With("source: PATH"), hint.Up.With("source: IMAGE")))
	}
	if strings.ContainsAny(s.Cookie, " \t\n\"'\\") || len(s.Cookie) > 255 {
		v.add("cookie", "a cookie has at most 255 characters, without spaces, quotes and backslashes", "leave it out: a random one is made")
	}
	v.nodes(s)
	v.numbers(s)
	v.checks(s)
	v.distribution(s)
	v.files(s)
	v.volumes("volumes", s.Volumes)
	v.tmpfs("tmpfs", s.Tmpfs, s.Volumes)
	v.networks(s, "networks", s.Networks)
	v.hosts("extra_hosts", s.ExtraHosts)
	v.machines(s)
	v.after(s)
	v.releases(s)
	v.roles(s)
	v.builds(s)
	v.mixEnv(s)
	v.env("env", s.Env)
	v.labels(s.Labels)
	switch s.Mesh {
	case orchestrator.MeshBeamyard, orchestrator.MeshApp, orchestrator.MeshNone:
	default:
		v.add("mesh", fmt.Sprintf("%q is not one of beamyard, app, none", s.Mesh), "mesh: beamyard")
	}
	switch s.Boot {
	case orchestrator.BootAuto, orchestrator.BootMix, orchestrator.BootDirect:
	default:
		v.add("boot", fmt.Sprintf("%q is none of auto, mix and direct", s.Boot), "boot: auto")
	}
	switch s.Loopback {
	case orchestrator.LoopbackForward, orchestrator.LoopbackLeave:
	default:
		v.add("loopback", fmt.Sprintf("%q is neither forward nor leave", s.Loopback), "loopback: forward")
	}
	switch s.OnFailed {
	case orchestrator.FailedKeep, orchestrator.FailedStopCluster:
	default:
		v.add("on_failed", fmt.Sprintf("%q is not one of keep, stop-cluster", s.OnFailed), "on_failed: keep")
	}
	switch s.Restart.Mode {
	case orchestrator.RestartNo, orchestrator.RestartOnFailure, orchestrator.RestartAlways:
	default:
		v.add("restart.mode", fmt.Sprintf("%q is not one of no, on-failure, always", s.Restart.Mode), "restart: {mode: on-failure}")
	}
	if len(v.problems) > 0 {
		slices.SortFunc(v.problems, func(a, b orchestrator.Problem) int { return strings.Compare(a.Field, b.Field) })
		return &orchestrator.SpecError{Problems: v.problems}
	}
	return nil
}

func (v *validation) nodes(s orchestrator.Spec) {
	switch n := len(s.Nodes); {
	case n == 0:
		v.advise("nodes", "a cluster has at least one node", hint.Of(hint.Setting("nodes: 3")))
	case n > s.MaxNodes:
		v.advise("nodes", fmt.Sprintf("%d nodes are more than max_nodes, %d", n, s.MaxNodes),
			hint.Newf("ask for at most %d, or set %s", s.MaxNodes, hint.Setting("max_nodes")))
	}
	seen := map[string]int{}
	hostPorts := map[int]string{}
	for i, n := range s.Nodes {
		field := fmt.Sprintf("nodes[%d]", i)
		v.err(field+".name", network.CheckNode(n.Name))
		if first, twice := seen[n.Name]; twice {
			v.add(field+".name", fmt.Sprintf("%q is also the name of nodes[%d]", n.Name, first), "give every node a name of its own")
		}
		seen[n.Name] = i
		v.env(field+".env", n.Env)
		v.limits(field+".", n.Memory, n.CPUs)
		v.volumes(field+".volumes", n.Volumes)
		v.tmpfs(field+".tmpfs", n.Tmpfs, s.NodeAt(i).Volumes)
		v.networks(s, field+".networks", n.Networks)
		v.hosts(field+".extra_hosts", n.ExtraHosts)
		v.hostPort(field+".host_port", n.HostPort, n.Name, hostPorts)
		for j, p := range n.Ports {
			f := fmt.Sprintf("%s.ports[%d]", field, j)
			v.port(f+".container", p.Container, false)
			v.hostPort(f+".host", p.Host, n.Name, hostPorts)
			if p.Container == s.NodeAt(i).HTTPPort || slices.ContainsFunc(n.Ports[:j], func(o orchestrator.PortSpec) bool { return o.Container == p.Container }) {
				v.add(f+".container", fmt.Sprintf("port %d is published twice", p.Container), publishOnce(p))
			}
		}
	}
}

// publishOnce returns the hint for a port that is published twice.
func publishOnce(p orchestrator.PortSpec) string {
	if p.Host == 0 {
		return "list each port once; http_port is published anyway"
	}
	return fmt.Sprintf("list each port once; http_port is published anyway, and the node's host_port says where: host_port: %d", p.Host)
}

func (v *validation) numbers(s orchestrator.Spec) {
	if s.HTTPPort != -1 {
		v.port("http_port", s.HTTPPort, false)
	}
	v.port("host_port", s.HostPort, false)
	v.port("distribution.port", s.Distribution.Port, true) // 0: each node's EPMD tells its port
	if s.HTTPPort == s.Distribution.Port {
		v.add("distribution.port", fmt.Sprintf("%d is http_port too", s.Distribution.Port), "choose another distribution.port")
	}
	v.httpCheck("http_check", s.HTTPCheck)
	if !s.Pool.Addr().Is4() || s.Pool.Bits() > 26 {
		v.add("pool", fmt.Sprintf("%s is not an IPv4 range of /26 or larger", s.Pool), "pool: "+network.DefaultPool.String())
	}
	for field, d := range map[string]time.Duration{
		"net_tick": s.NetTick, "ready_timeout": s.ReadyTimeout, "stop_timeout": s.StopTimeout,
		"restart.backoff": s.Restart.Backoff, "restart.max_backoff": s.Restart.MaxBackoff,
		"restart.window": s.Restart.Window, "restart.reset_after": s.Restart.ResetAfter,
	} {
		if d < 0 {
			v.add(field, fmt.Sprintf("%s is negative", d), field+": 5s")
		}
	}
	if s.NetTick%time.Second != 0 || (s.NetTick > 0 && s.NetTick < 4*time.Second) {
		v.add("net_tick", fmt.Sprintf("%s: the kernel's net_ticktime takes whole seconds, at least 4", s.NetTick), "net_tick: 8s")
	}
	if s.Warm < 0 || s.Warm > orchestrator.MaxWarm {
		v.add("warm", fmt.Sprintf("%d: from 0 to %d clusters are parked", s.Warm, orchestrator.MaxWarm), "warm: 1")
	}
	if s.OutputLines < 1 {
		v.add("output_lines", fmt.Sprintf("%d lines is too few", s.OutputLines), "output_lines: 1000")
	}
	if s.Restart.Max < 0 {
		v.add("restart.max", fmt.Sprintf("%d is negative", s.Restart.Max), "restart: {mode: no}")
	}
	v.limits("", s.Memory, s.CPUs)
}

// validation collects the problems of a spec.
type validation struct{ problems []orchestrator.Problem }

func (v *validation) add(field, text, next string) { v.advise(field, text, hint.Text(next)) }

func (v *validation) advise(field, text string, next hint.Hint) {
	v.problems = append(v.problems, orchestrator.Problem{Field: field, Text: text, Hint: next})
}

func (v *validation) err(field string, err error) {
	if err != nil {
		v.advise(field, err.Error(), orchestrator.HintOf(err))
	}
}

func (v *validation) port(field string, port int, zero bool) {
	if (port == 0 && zero) || (port >= 1 && port <= 65535) {
		return
	}
	v.add(field, fmt.Sprintf("%d is not a TCP port", port), "give a number from 1 to 65535")
}

func (v *validation) limits(of string, memory int64, cpus float64) {
	if memory < 0 || (memory > 0 && memory < 64<<20) {
		v.add(of+"memory", fmt.Sprintf("%d bytes: an idle node needs about 50 MB", memory), "memory: 256MiB")
	}
	if cpus < 0 {
		v.add(of+"cpus", fmt.Sprintf("%g is negative", cpus), "cpus: 1.0")
	}
}

func (v *validation) hostPort(field string, port int, node string, seen map[int]string) {
	v.port(field, port, true)
	if other, twice := seen[port]; twice && port != 0 {
		v.add(field, fmt.Sprintf("host port %d is also asked for by %s", port, other), "give each a port of its own, or leave it out")
	}
	seen[port] = node
}
