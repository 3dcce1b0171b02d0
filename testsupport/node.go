package testsupport

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"

	"github.com/beamyard/beamyard/network/erldist"
	"github.com/beamyard/beamyard/orchestrator"
)

// Node is a node of a cluster and its container. It implements testcontainers.Container
// and wait.StrategyTarget for the container that the cluster's supervisor created. Its
// methods are safe for concurrent use.
//
// Start and Stop go through the supervisor, so that it does not take a stop for a crash.
// Terminate stops the node; its container is removed with the cluster.
//
// Every method returns an error if the cluster has no node of that name, if the node has
// no container, and after the cluster has ended.
type Node struct {
	name    string
	cluster *Cluster

	mu      sync.Mutex
	adopted *testcontainers.DockerContainer // of the last known container
	conn    *erldist.Conn
}

// Node returns the node with a short name: "n1".
func (c *Cluster) Node(name string) *Node {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.nodes[name]
	if n == nil {
		n = &Node{name: name, cluster: c}
		c.nodes[name] = n
	}
	return n
}

// Nodes returns all nodes in the order of their declaration.
func (c *Cluster) Nodes() []*Node {
	var nodes []*Node
	for _, n := range c.Spec().Nodes {
		nodes = append(nodes, c.Node(n.Name))
	}
	return nodes
}

// Short returns the node's short name: "n1".
func (n *Node) Short() string { return n.name }

// BEAM returns the node's full name, as erlang:node/0 does: "app@n1.demo.test". It is ""
// if the cluster has no such node.
func (n *Node) BEAM() string { return n.Status().Node }

// URL returns the URL at which this machine reaches the application's HTTP port:
// "http://127.0.0.1:4200". It is "" if there is none.
func (n *Node) URL() string { return n.Status().URL }

// Status returns the current status of the node.
func (n *Node) Status() orchestrator.NodeStatus {
	st, _ := n.cluster.Status().Node(n.name)
	return st
}

// String returns "n1 of demo".
func (n *Node) String() string { return n.name + " of " + n.cluster.name }

// known returns the node's status, or the reason why there is none.
func (n *Node) known() (orchestrator.NodeStatus, error) {
	if n.cluster.core == nil {
		return orchestrator.NodeStatus{}, fmt.Errorf("%s: %w", n, ErrNotStarted)
	}
	if _, err := n.cluster.core.Output(n.name); err != nil { // the error lists the existing nodes
		return orchestrator.NodeStatus{}, err
	}
	return n.Status(), nil
}

// container returns the node's container as testcontainers represents it. A recreated container
// is adopted again.
func (n *Node) container(ctx context.Context) (*testcontainers.DockerContainer, error) {
	st, err := n.known()
	if err != nil {
		return nil, err
	}
	if st.ContainerID == "" {
		return nil, fmt.Errorf("%s has no container: it is %s", n, st.State)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.adopted != nil && n.adopted.GetContainerID() == st.ContainerID {
		return n.adopted, nil
	}
	if n.adopted, err = n.cluster.session.adopt(ctx, st.ContainerID); err != nil {
		return nil, fmt.Errorf("adopt the container of %s: %w", n, err)
	}
	return n.adopted, nil
}

// adopt makes an existing container one of testcontainers'. The two clients share its ID, but
// no struct.
func (s *session) adopt(ctx context.Context, id string) (*testcontainers.DockerContainer, error) {
	listed, err := s.provider.Client().ContainerList(ctx, client.ContainerListOptions{All: true, Filters: make(client.Filters).Add("id", id)})
	if err != nil {
		return nil, fmt.Errorf("testcontainers asks the engine: %w", err)
	}
	if len(listed.Items) == 0 {
		return nil, orchestrator.WithHint(fmt.Errorf("testcontainers does not find it: does it speak to another engine than %s?", s.info.Endpoint),
			"see its order of engines: https://golang.testcontainers.org/features/configuration/")
	}
	ctr, err := s.provider.ContainerFromType(ctx, listed.Items[0])
	if err != nil && !testcontainers.ReadConfig().Config.RyukDisabled {
		return nil, reaperFailed(err)
	}
	return ctr, err
}

// dial returns a distribution connection to the node's current run and keeps it for later
// calls.
func (n *Node) dial(ctx context.Context) (*erldist.Conn, error) {
	if _, err := n.known(); err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.conn != nil {
		select {
		case <-n.conn.Done():
		default:
			return n.conn, nil
		}
	}
	conn, err := n.cluster.core.Dial(ctx, n.name)
	if err != nil {
		return nil, err
	}
	n.conn = conn
	return conn, nil
}

// hangUp closes the node's connection.
func (n *Node) hangUp() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.conn != nil {
		_ = n.conn.Close() // always returns nil
		n.conn = nil
	}
}

// Call runs module:function(args…) on the node, as a hidden node that its peers do not
// see. A module name that begins with a capital letter is Elixir's: "Demo.Counter" is
// 'Elixir.Demo.Counter'. Package erldist defines how terms map to Go; [RPC] decodes the
// result. An exception on the node is an *erldist.RPCError.
func (n *Node) Call(ctx context.Context, module, function string, args ...any) (any, error) {
	conn, err := n.dial(ctx)
	if err != nil {
		return nil, err
	}
	result, err := conn.Call(ctx, moduleName(module), function, args...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", n, err)
	}
	return result, nil
}

// Eval evaluates Erlang expressions on the node, with bindings as variables; see
// [erldist.Conn.Eval].
func (n *Node) Eval(ctx context.Context, expressions string, bindings map[string]any) (any, error) {
	conn, err := n.dial(ctx)
	if err != nil {
		return nil, err
	}
	result, err := conn.Eval(ctx, expressions, bindings)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", n, err)
	}
	return result, nil
}

// RPC runs module:function(args…) on a node, as [Node.Call] does, and decodes the result
// into a T; see [erldist.Scan] for the conversions.
//
//	sum, err := testsupport.RPC[int](ctx, c.Node("n1"), "Demo.Counter", "value")
func RPC[T any](ctx context.Context, node *Node, module, function string, args ...any) (T, error) {
	var into T
	if node == nil {
		return into, errors.New("RPC: there is no node")
	}
	result, err := node.Call(ctx, module, function, args...)
	if err != nil {
		return into, err
	}
	if err := erldist.Scan(result, &into); err != nil {
		return into, fmt.Errorf("%s: %s.%s/%d gave %s: %w", node, module, function, len(args), erldist.Format(result), err)
	}
	return into, nil
}

// Each returns [RPC] with the same call for every node, by the nodes' names, as the checks of
// package history take it:
//
//	history.Converges(t, 10*time.Second, testsupport.Each[int](c, "Demo.Counter", "value"))
func Each[T any](c *Cluster, module, function string, args ...any) map[string]func(context.Context) (T, error) {
	calls := map[string]func(context.Context) (T, error){}
	for _, n := range c.Nodes() {
		calls[n.name] = func(ctx context.Context) (T, error) { return RPC[T](ctx, n, module, function, args...) }
	}
	return calls
}

// moduleName returns the atom of a module: an Elixir module gets its prefix.
func moduleName(module string) string {
	if module != "" && module[0] >= 'A' && module[0] <= 'Z' && !strings.HasPrefix(module, "Elixir.") {
		return "Elixir." + module
	}
	return module
}
