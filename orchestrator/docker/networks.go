package docker

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/internal/wait"
)

// CreateNetwork implements orchestrator.Networks: POST /networks/create.
func (e *Engine) CreateNetwork(ctx context.Context, n orchestrator.NetworkSpec) (string, error) {
	return e.createNetwork(ctx, n, network.CreateOptions{Driver: "bridge", Options: map[string]string{}})
}

// CreateOverlay creates an attachable overlay network of the engine's swarm. With encrypted, the
// engines encrypt what nodes on different machines send to each other. An engine that does not
// manage a swarm fails with [orchestrator.ErrNoSwarm].
func (e *Engine) CreateOverlay(ctx context.Context, n orchestrator.NetworkSpec, encrypted bool) (string, error) {
	how := network.CreateOptions{Driver: "overlay", Attachable: true, Options: map[string]string{}}
	if encrypted {
		how.Options["encrypted"] = ""
	}
	id, err := e.createNetwork(ctx, n, how)
	if err != nil {
		return "", err
	}
	const attempts, pause = 250, 20 * time.Millisecond
	for range attempts { // the swarm assigns the subnet a moment later (26.1): a list lacks it until then
		made, err := e.cli.NetworkInspect(ctx, id, network.InspectOptions{})
		if err == nil && len(made.IPAM.Config) > 0 || !wait.Sleep(ctx, pause) {
			break
		}
	}
	return id, nil
}

func (e *Engine) createNetwork(ctx context.Context, n orchestrator.NetworkSpec, how network.CreateOptions) (string, error) {
	config := network.IPAMConfig{Subnet: n.Subnet.String(), Gateway: n.Gateway.String()}
	if n.IPRange.IsValid() {
		config.IPRange = n.IPRange.String()
	}
	if n.MTU != "" {
		how.Options["com.docker.network.driver.mtu"] = n.MTU
	}
	configs, ipv6 := []network.IPAMConfig{config}, n.IPv6.IsValid()
	if ipv6 {
		configs = append(configs, network.IPAMConfig{Subnet: n.IPv6.String()})
	}
	how.IPAM, how.EnableIPv6, how.Labels = &network.IPAM{Driver: "default", Config: configs}, &ipv6, n.Labels
	created, err := e.cli.NetworkCreate(ctx, n.Name, how)
	if err != nil {
		return "", e.failed("create network "+n.Name, err)
	}
	return created.ID, nil
}

// ConnectNetwork implements orchestrator.Networks: POST /networks/{id}/connect. Docker
// 20.10 also connects a stopped container to a network that does not exist, and then
// fails to start it. So ConnectNetwork inspects the network first. A worker of a swarm knows an
// overlay network only once a container uses it, and asks its manager.
func (e *Engine) ConnectNetwork(ctx context.Context, id, container string, aliases []string) error {
	_, err := e.cli.NetworkInspect(ctx, id, network.InspectOptions{})
	if err != nil && (!errdefs.IsNotFound(err) || !e.works(ctx)) {
		return e.failed("look at network "+short(id), err)
	}
	err = e.cli.NetworkConnect(ctx, id, container, &network.EndpointSettings{Aliases: aliases})
	return e.failed("connect container "+short(container)+" to network "+short(id), err)
}

// works reports whether the engine is a worker of a swarm.
func (e *Engine) works(ctx context.Context) bool {
	info, err := e.cli.Info(ctx)
	return err == nil && info.Swarm.LocalNodeState == swarm.LocalNodeStateActive && !info.Swarm.ControlAvailable
}

// DisconnectNetwork implements orchestrator.Networks: POST /networks/{id}/disconnect.
func (e *Engine) DisconnectNetwork(ctx context.Context, id, container string) error {
	err := e.cli.NetworkDisconnect(ctx, id, container, true)
	if err == nil || errdefs.IsNotFound(err) {
		return nil
	}
	if in, inspectErr := e.cli.ContainerInspect(ctx, container); errdefs.IsNotFound(inspectErr) || inspectErr == nil && !inspected(in).Attached(id) {
		return nil // 20.10 has its own text for a container that is not attached
	}
	return e.failed("disconnect container "+short(container)+" from network "+short(id), err)
}

// RemoveNetwork implements orchestrator.Networks: DELETE /networks/{id}.
func (e *Engine) RemoveNetwork(ctx context.Context, id string) error {
	err := e.cli.NetworkRemove(ctx, id)
	if err == nil || errdefs.IsNotFound(err) {
		return nil
	}
	// A member of a swarm whose overlay network was just removed has its own texts for that, and may
	// list it for a moment.
	if _, gone := e.cli.NetworkInspect(ctx, id, network.InspectOptions{}); errdefs.IsNotFound(gone) || strings.Contains(err.Error(), "network "+id+" not found") {
		return nil
	}
	return e.failed("remove network "+short(id), err)
}

// Networks implements orchestrator.Networks: GET /networks.
func (e *Engine) Networks(ctx context.Context, labels map[string]string) ([]orchestrator.Network, error) {
	list, err := e.cli.NetworkList(ctx, network.ListOptions{Filters: labelled(labels)})
	if err != nil {
		return nil, e.failed("list networks", err)
	}
	networks := make([]orchestrator.Network, len(list))
	for i, n := range list {
		networks[i] = orchestrator.Network{ID: n.ID, Name: n.Name, Created: n.Created, Labels: n.Labels, Containers: len(n.Containers)}
		for _, c := range n.IPAM.Config {
			if p, err := netip.ParsePrefix(c.Subnet); err == nil {
				networks[i].Subnets = append(networks[i].Subnets, p)
			}
		}
		slices.SortStableFunc(networks[i].Subnets, func(a, b netip.Prefix) int { return a.Addr().BitLen() - b.Addr().BitLen() })
	}
	return networks, nil
}
