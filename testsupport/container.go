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

// This file presents a node as a testcontainers container: the node's own container does the
// work.

var (
	_ testcontainers.Container = (*Node)(nil)
	_ wait.StrategyTarget      = (*Node)(nil)
)

// of queries the node's container.
func of[T any](ctx context.Context, n *Node, ask func(*testcontainers.DockerContainer) (T, error)) (T, error) {
	ctr, err := n.container(ctx)
	if err != nil {
		var none T
		return none, err
	}
	return ask(ctr)
}

// GetContainerID returns the container's ID, or "" if there is no container.
func (n *Node) GetContainerID() string { return n.Status().ContainerID }

// SessionID returns testcontainers' session ID.
func (n *Node) SessionID() string { return testcontainers.SessionID() }

// IsRunning reports whether the container is running.
func (n *Node) IsRunning() bool { return n.Status().State.Running() }

// Endpoint returns proto://host:port of the lowest published port.
func (n *Node) Endpoint(ctx context.Context, proto string) (string, error) {
	return of(ctx, n, func(c *testcontainers.DockerContainer) (string, error) { return c.Endpoint(ctx, proto) })
}

// PortEndpoint returns proto://host:port of a port of the container.
func (n *Node) PortEndpoint(ctx context.Context, port, proto string) (string, error) {
	return of(ctx, n, func(c *testcontainers.DockerContainer) (string, error) { return c.PortEndpoint(ctx, port, proto) })
}

// Host returns the host of the published ports.
func (n *Node) Host(ctx context.Context) (string, error) {
	return of(ctx, n, func(c *testcontainers.DockerContainer) (string, error) { return c.Host(ctx) })
}

// Inspect returns the engine's description of the container.
func (n *Node) Inspect(ctx context.Context) (*container.InspectResponse, error) {
	return of(ctx, n, func(c *testcontainers.DockerContainer) (*container.InspectResponse, error) { return c.Inspect(ctx) })
}

// MappedPort returns the host port of a container port. It stays the same across
// restarts.
func (n *Node) MappedPort(ctx context.Context, port string) (network.Port, error) {
	return of(ctx, n, func(c *testcontainers.DockerContainer) (network.Port, error) { return c.MappedPort(ctx, port) })
}

// Ports returns all published ports.
//
// Deprecated: as in testcontainers, use Inspect.
func (n *Node) Ports(ctx context.Context) (network.PortMap, error) {
	in, err := n.Inspect(ctx)
	if err != nil {
		return nil, err
	}
	return in.NetworkSettings.Ports, nil
}

// Name returns the name of the container.
//
// Deprecated: as in testcontainers, use Inspect. The node's own name is Short.
func (n *Node) Name(ctx context.Context) (string, error) {
	in, err := n.Inspect(ctx)
	if err != nil {
		return "", err
	}
	return in.Name, nil
}

// Start makes the supervisor start the node, and waits until the node is Ready.
func (n *Node) Start(ctx context.Context) error { return n.cluster.startAgain(ctx, n.name) }

// Stop makes the supervisor stop the node, which then stays down. The stop timeout is the
// cluster's (orchestrator.Spec.StopTimeout); a timeout of 0 kills the node.
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

// Logs returns the container's output of both streams. [Cluster.Output] returns it by
// line, over all runs, with the time and the stream of each line.
func (n *Node) Logs(ctx context.Context) (io.ReadCloser, error) {
	return of(ctx, n, func(c *testcontainers.DockerContainer) (io.ReadCloser, error) { return c.Logs(ctx) })
}

// FollowOutput passes the node's output from now on to a consumer.
//
// Deprecated: as in testcontainers, use its WithLogConsumers.
func (n *Node) FollowOutput(consumer testcontainers.LogConsumer) { n.consume(consumer) }

// StartLogProducer does nothing: output is always read.
//
// Deprecated: as in testcontainers, use its WithLogConsumers.
func (n *Node) StartLogProducer(context.Context, ...testcontainers.LogProductionOption) error {
	return nil
}

// StopLogProducer does nothing: output is read until the cluster ends.
//
// Deprecated: as in testcontainers, use its WithLogConsumers.
func (n *Node) StopLogProducer() error { return nil }

// GetLogProductionErrorChannel returns nil, a channel that never delivers an error:
// failed reads are retried.
func (n *Node) GetLogProductionErrorChannel() <-chan error { return nil }

// State returns the state of the container.
func (n *Node) State(ctx context.Context) (*container.State, error) {
	return of(ctx, n, func(c *testcontainers.DockerContainer) (*container.State, error) { return c.State(ctx) })
}

// Networks returns the names of the container's networks.
func (n *Node) Networks(ctx context.Context) ([]string, error) {
	return of(ctx, n, func(c *testcontainers.DockerContainer) ([]string, error) { return c.Networks(ctx) })
}

// NetworkAliases returns the container's aliases in each network.
func (n *Node) NetworkAliases(ctx context.Context) (map[string][]string, error) {
	return of(ctx, n, func(c *testcontainers.DockerContainer) (map[string][]string, error) { return c.NetworkAliases(ctx) })
}

// Exec runs a command in the container; see testcontainers' package exec for its options.
func (n *Node) Exec(ctx context.Context, cmd []string, options ...exec.ProcessOption) (int, io.Reader, error) {
	ctr, err := n.container(ctx)
	if err != nil {
		return 0, nil, err
	}
	return ctr.Exec(ctx, cmd, options...)
}

// ContainerIP returns the container's address if it has only one. For a container in
// further networks it returns ""; use ContainerIPs. Status has the address in the
// cluster's network.
func (n *Node) ContainerIP(ctx context.Context) (string, error) {
	return of(ctx, n, func(c *testcontainers.DockerContainer) (string, error) { return c.ContainerIP(ctx) })
}

// ContainerIPs returns the container's addresses in all networks.
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

// CopyFileFromContainer reads a file from the container.
func (n *Node) CopyFileFromContainer(ctx context.Context, path string) (io.ReadCloser, error) {
	return of(ctx, n, func(c *testcontainers.DockerContainer) (io.ReadCloser, error) {
		return c.CopyFileFromContainer(ctx, path)
	})
}
