package discovery

import (
	"context"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/internal/dist"
	"github.com/beamyard/beamyard/orchestrator/internal/probe"
)

// Eval evaluates an Elixir expression on a node, over native RPC as a hidden node. It
// starts no process in the container, and the node's peers do not see the connection. The
// result is the value as `inspect` prints it. An exception is an [orchestrator.EvalError].
// If ctx ends first, the evaluating process on the node is killed, with the processes
// linked to it.
//
// Eval is for a cluster without a supervisor. It reads the cookie from the cluster's labels
// and opens its own connection, which processes that monitor hidden nodes see. With a
// supervisor, use [orchestrator.Controller.Eval], which reuses the supervisor's connection.
func Eval(ctx context.Context, eng orchestrator.Engine, cluster, node, expression string, o orchestrator.EvalOptions) (string, error) {
	f, n, err := runningNode(ctx, eng, cluster, node)
	if err != nil {
		return "", err
	}
	info, err := eng.Info(ctx)
	if err != nil {
		return "", err
	}
	at := f.addressesFrom(ctx, eng, info)
	dialer, err := dist.Dialer(f.Spec, "")
	if err != nil {
		return "", err
	}
	conn, err := dialer.Dial(ctx, n.Node, at.Dist(f.placement(node)))
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	return probe.Eval(ctx, conn, cluster, node, expression, o)
}
