package testsupport

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/exec"
	"github.com/testcontainers/testcontainers-go/wait"

	"github.com/beamyard/beamyard/orchestrator"
)

// This file is a node as testcontainers sees it: its own container does the work.

var (
	_ testcontainers.Container = (*Node)(nil)
	_ wait.StrategyTarget      = (*Node)(nil)
)

// of asks the node's container for one thing.
func of[T any](ctx context.Context, n *Node, ask func(*testcontainers.DockerContainer) (T, error)) (T, error) {
	ctr, err := n.container(ctx)
	if err != nil {
		var none T
		return none, err
	}
	return ask(ctr)
}

// GetContainerID is the container's ID, "" where there is none.
func (n *Node) GetContainerID() string { return n.Status().ContainerID }

// SessionID is that of testcontainers.
func (n *Node) SessionID() string { return testcontainers.SessionID() }

// IsRunning tells whether the container runs.
func (n *Node) IsRunning() bool { return n.Status().State.Running() }

// Endpoint is proto://host:port of the lowest published port.
func (n *Node) Endpoint(ctx context.Context, proto string) (string, error) {
	return of(ctx, n, func(c *testcontainers.DockerContainer) (string, error) { return c.Endpoint(ctx, proto) })
}

// PortEndpoint is proto://host:port of a port of the container.
func (n *Node) PortEndpoint(ctx context.Context, port, proto string) (string, error) {
	return of(ctx, n, func(c *testcontainers.DockerContainer) (string, error) { return c.PortEndpoint(ctx, port, proto) })
}

// Host is where published ports are.
func (n *Node) Host(ctx context.Context) (string, error) {
	return of(ctx, n, func(c *testcontainers.DockerContainer) (string, error) { return c.Host(ctx) })
}

// Inspect is what the engine says of the container.
func (n *Node) Inspect(ctx context.Context) (*container.InspectResponse, error) {
	return of(ctx, n, func(c *testcontainers.DockerContainer) (*container.InspectResponse, error) { return c.Inspect(ctx) })
}

// MappedPort is the host's port of one of the container's: it stays the same over
// restarts.
func (n *Node) MappedPort(ctx context.Context, port string) (network.Port, error) {
	return of(ctx, n, func(c *testcontainers.DockerContainer) (network.Port, error) { return c.MappedPort(ctx, port) })
}

// Ports are all published ports.
//
// Deprecated: as testcontainers says, use Inspect.
func (n *Node) Ports(ctx context.Context) (network.PortMap, error) {
	in, err := n.Inspect(ctx)
	if err != nil {
		return nil, err
	}
	return in.NetworkSettings.Ports, nil
}

// Name is the container's.
//
// Deprecated: as testcontainers says, use Inspect. The node's own name is Short.
func (n *Node) Name(ctx context.Context) (string, error) {
	in, err := n.Inspect(ctx)
	if err != nil {
		return "", err
	}
	return in.Name, nil
}

// Start has the supervisor start the node, and waits until it is Ready.
func (n *Node) Start(ctx context.Context) error { return n.cluster.bringBack(ctx, n.name) }

// Stop has the supervisor stop the node: it stays down. The stop timeout is the cluster's
// (orchestrator.Spec.StopTimeout); a timeout of 0 kills it.
func (n *Node) Stop(ctx context.Context, timeout *time.Duration) error {
	if _, err := n.known(); err != nil {
		return err
	}
	if timeout != nil && *timeout == 0 && n.Status().State.Running() {
		if err := n.cluster.core.Kill(ctx, "KILL", n.name); err != nil {
			return err
		}
	}
	return n.cluster.core.Stop(ctx, n.name)
}

// Terminate stops the node. Its container is removed with the cluster.
func (n *Node) Terminate(ctx context.Context, opts ...testcontainers.TerminateOption) error {
	if n.cluster.core == nil {
		return nil
	}
	err := n.Stop(ctx, testcontainers.NewTerminateOptions(ctx, opts...).StopTimeout())
	if errors.Is(err, orchestrator.ErrClosed) {
		return nil
	}
	return err
}

// Logs are what the container printed, of both streams. [Cluster.Output] has it by
// lines, over all runs, with the time and the stream of each.
func (n *Node) Logs(ctx context.Context) (io.ReadCloser, error) {
	return of(ctx, n, func(c *testcontainers.DockerContainer) (io.ReadCloser, error) { return c.Logs(ctx) })
}

// FollowOutput gives a consumer what the node prints from now on.
//
// Deprecated: as testcontainers says, use its WithLogConsumers.
func (n *Node) FollowOutput(consumer testcontainers.LogConsumer) { n.consume(consumer) }

// StartLogProducer does nothing: output is always read.
//
// Deprecated: as testcontainers says, use its WithLogConsumers.
func (n *Node) StartLogProducer(context.Context, ...testcontainers.LogProductionOption) error {
	return nil
}

// StopLogProducer does nothing: output is read until the cluster's end.
//
// Deprecated: as testcontainers says, use its WithLogConsumers.
func (n *Node) StopLogProducer() error { return nil }

// GetLogProductionErrorChannel never tells of an error: what cannot be read is read
// again.
func (n *Node) GetLogProductionErrorChannel() <-chan error { return nil }

// State is the container's.
func (n *Node) State(ctx context.Context) (*container.State, error) {
	return of(ctx, n, func(c *testcontainers.DockerContainer) (*container.State, error) { return c.State(ctx) })
}

// Networks are the names of the networks that it is on.
func (n *Node) Networks(ctx context.Context) ([]string, error) {
	return of(ctx, n, func(c *testcontainers.DockerContainer) ([]string, error) { return c.Networks(ctx) })
}

// NetworkAliases are its names on each network.
func (n *Node) NetworkAliases(ctx context.Context) (map[string][]string, error) {
	return of(ctx, n, func(c *testcontainers.DockerContainer) (map[string][]string, error) { return c.NetworkAliases(ctx) })
}

// Exec runs a command in the container; see testcontainers' package exec for its
// options.
func (n *Node) Exec(ctx context.Context, cmd []string, options ...exec.ProcessOption) (int, io.Reader, error) {
	ctr, err := n.container(ctx)
	if err != nil {
		return 0, nil, err
	}
	return ctr.Exec(ctx, cmd, options...)
}

// ContainerIP is the container's address, where it has only one: on a further
// network than the cluster's it is "", and ContainerIPs has all. Status has the one
// in the cluster's network.
func (n *Node) ContainerIP(ctx context.Context) (string, error) {
	return of(ctx, n, func(c *testcontainers.DockerContainer) (string, error) { return c.ContainerIP(ctx) })
}

// ContainerIPs are its addresses in all networks.
func (n *Node) ContainerIPs(ctx context.Context) ([]string, error) {
	return of(ctx, n, func(c *testcontainers.DockerContainer) ([]string, error) { return c.ContainerIPs(ctx) })
}

// CopyToContainer writes a file into the container.
func (n *Node) CopyToContainer(ctx context.Context, content []byte, path string, mode int64) error {
	_, err := of(ctx, n, func(c *testcontainers.DockerContainer) (any, error) {
		return nil, c.CopyToContainer(ctx, content, path, mode)
	})
	return err
}

// CopyDirToContainer copies a folder into a folder of the container.
func (n *Node) CopyDirToContainer(ctx context.Context, dir, parent string, mode int64) error {
	_, err := of(ctx, n, func(c *testcontainers.DockerContainer) (any, error) {
		return nil, c.CopyDirToContainer(ctx, dir, parent, mode)
	})
	return err
}

// CopyFileToContainer copies a file into the container.
func (n *Node) CopyFileToContainer(ctx context.Context, file, path string, mode int64) error {
	_, err := of(ctx, n, func(c *testcontainers.DockerContainer) (any, error) {
		return nil, c.CopyFileToContainer(ctx, file, path, mode)
	})
	return err
}

// CopyFileFromContainer reads a file of the container.
func (n *Node) CopyFileFromContainer(ctx context.Context, path string) (io.ReadCloser, error) {
	return of(ctx, n, func(c *testcontainers.DockerContainer) (io.ReadCloser, error) {
		return c.CopyFileFromContainer(ctx, path)
	})
}
