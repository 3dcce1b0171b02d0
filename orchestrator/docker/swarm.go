package docker

import (
	"context"
	"net"
	"net/netip"
	"net/url"
	"os/exec"
	"slices"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
	dockerswarm "github.com/docker/docker/api/types/swarm"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/hint"
	"github.com/beamyard/beamyard/orchestrator/swarm"
)

var _ swarm.Machine = (*Engine)(nil)

// Swarm implements swarm.Machine.
func (e *Engine) Swarm(ctx context.Context) (swarm.State, error) {
	info, err := e.cli.Info(ctx)
	if err != nil {
		return swarm.State{}, e.failed("ask the engine", err)
	}
	s := member(info.Swarm)
	if !s.In() {
		return s, nil
	}
	if s.Manager {
		nodes, err := e.cli.NodeList(ctx, dockerswarm.NodeListOptions{})
		if err != nil {
			return s, e.failed("list the members of the swarm", err)
		}
		for _, n := range nodes {
			s.Members = append(s.Members, listedMember(n))
		}
		services, err := e.cli.ServiceList(ctx, dockerswarm.ServiceListOptions{})
		if err != nil {
			return s, e.failed("list the services of the swarm", err)
		}
		s.Services = len(services)
	}
	overlays, err := e.cli.NetworkList(ctx, network.ListOptions{Filters: filters.NewArgs(filters.Arg("driver", "overlay"))})
	if err != nil {
		return s, e.failed("list networks", err)
	}
	for _, n := range overlays {
		if cluster := n.Labels[orchestrator.LabelCluster]; cluster != "" {
			s.Clusters = append(s.Clusters, cluster)
		}
	}
	slices.Sort(s.Clusters)
	containers, err := e.cli.ContainerList(ctx, container.ListOptions{All: true})
	if err != nil {
		return s, e.failed("list containers", err)
	}
	s.Users = users(containers, overlays)
	return s, nil
}

// member translates the membership in the answer of GET /info.
func member(info dockerswarm.Info) swarm.State {
	s := swarm.State{Phase: swarm.Phase(info.LocalNodeState), Problem: info.Error, Node: info.NodeID, Manager: info.ControlAvailable, Address: info.NodeAddr}
	for _, peer := range info.RemoteManagers {
		s.Known = append(s.Known, peer.Addr)
	}
	return s
}

// listedMember translates an entry of GET /nodes.
func listedMember(n dockerswarm.Node) swarm.Member {
	return swarm.Member{
		ID: n.ID, Hostname: n.Description.Hostname, Address: n.Status.Addr, Manager: n.Spec.Role == dockerswarm.NodeRoleManager,
		State: string(n.Status.State), Availability: string(n.Spec.Availability),
	}
}

// users returns the containers on overlay networks, and tasks.
func users(containers []container.Summary, overlays []network.Summary) []swarm.User {
	var found []swarm.User
	for _, c := range containers {
		u := swarm.User{Cluster: c.Labels[orchestrator.LabelCluster], Service: c.Labels["com.docker.swarm.service.name"]}
		if len(c.Names) > 0 {
			u.Container = strings.TrimPrefix(c.Names[0], "/")
		}
		attached := false
		if c.NetworkSettings != nil {
			for name, at := range c.NetworkSettings.Networks {
				attached = attached || slices.ContainsFunc(overlays, func(n network.Summary) bool { return n.ID == at.NetworkID || n.Name == name })
			}
		}
		if attached || u.Service != "" {
			found = append(found, u)
		}
	}
	slices.SortFunc(found, func(a, b swarm.User) int { return strings.Compare(a.Container, b.Container) })
	return found
}

// InitSwarm implements swarm.Machine. It listens as `docker swarm init` does.
func (e *Engine) InitSwarm(ctx context.Context, advertise string) error {
	_, err := e.cli.SwarmInit(ctx, dockerswarm.InitRequest{ListenAddr: anywhere, AdvertiseAddr: advertise})
	return e.failed("start a swarm", err, chooseAddress)
}

// anywhere is the default of --listen-addr.
const anywhere = "0.0.0.0:2377"

// chooseAddress is the refusal of an engine on a machine with several addresses. Source:
// daemon/cluster/listen_addr.go.
var chooseAddress = signature{"could not choose an ip address to advertise", nil, hint.Text("say which address the other machines reach: --advertise HOST=ADDRESS")}

// WorkerToken implements swarm.Machine.
func (e *Engine) WorkerToken(ctx context.Context) (swarm.Token, error) {
	s, err := e.cli.SwarmInspect(ctx)
	return swarm.NewToken(s.JoinTokens.Worker), e.failed("ask for the token of workers", err)
}

// JoinSwarm implements swarm.Machine. It listens as `docker swarm join` does.
func (e *Engine) JoinSwarm(ctx context.Context, advertise, manager string, t swarm.Token) error {
	err := e.cli.SwarmJoin(ctx, dockerswarm.JoinRequest{ListenAddr: anywhere, AdvertiseAddr: advertise, RemoteAddrs: []string{manager}, JoinToken: t.Secret()})
	return e.failed("join the swarm at "+manager, err, chooseAddress)
}

// LeaveSwarm implements swarm.Machine.
func (e *Engine) LeaveSwarm(ctx context.Context, force bool) error {
	return e.failed("leave the swarm", e.cli.SwarmLeave(ctx, force))
}

// RemoveMember implements swarm.Machine. The member has left: its manager may not know that yet,
// and needs force until then.
func (e *Engine) RemoveMember(ctx context.Context, id string) error {
	err := e.cli.NodeRemove(ctx, id, dockerswarm.NodeRemoveOptions{Force: true})
	if errdefs.IsNotFound(err) {
		return nil
	}
	return e.failed("remove member "+short(id), err)
}

// Advertised returns the IP address at which other machines probably reach the engine's: that of
// the spec, or that which the endpoint names. It is "" for an engine of this machine, and if no
// address is found: then the engine can choose one itself. The name of an ssh:// endpoint is that
// of ssh's configuration.
func (e *Engine) Advertised(ctx context.Context, h orchestrator.HostSpec) string {
	if at, err := netip.ParseAddr(h.Address); err == nil && !at.IsLoopback() {
		return at.String()
	}
	u, err := url.Parse(e.endpoint)
	if err != nil {
		return ""
	}
	name := u.Hostname()
	if u.Scheme == "ssh" {
		name = sshHostname(ctx, name)
	}
	if name == "" {
		return ""
	}
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip4", name)
	if err != nil || found[0].IsLoopback() {
		return ""
	}
	return found[0].Unmap().String()
}

// OnThisMachine reports whether the engine's endpoint is a socket of this machine.
func (e *Engine) OnThisMachine() bool { return e.local() }

// Towards returns the address of this machine from which it reaches another one, given by its IP
// address; "" if there is no way. Nothing is sent.
func Towards(address string) string {
	conn, err := net.Dial("udp", net.JoinHostPort(address, "2377")) //nolint:noctx // it looks at a table of the kernel
	if err != nil {
		return ""
	}
	defer conn.Close()
	at, err := netip.ParseAddrPort(conn.LocalAddr().String())
	if err != nil || at.Addr().IsLoopback() {
		return ""
	}
	return at.Addr().String()
}

// sshHostname returns the name that ssh dials for one of its configuration. Source: ssh(1), -G.
func sshHostname(ctx context.Context, name string) string {
	out, err := exec.CommandContext(ctx, "ssh", "-G", "--", name).Output()
	if err != nil {
		return name
	}
	for line := range strings.Lines(string(out)) {
		if value, ok := strings.CutPrefix(line, "hostname "); ok {
			return strings.TrimSpace(value)
		}
	}
	return name
}
