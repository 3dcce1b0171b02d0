package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/beamyard/beamyard/orchestrator"
)

// nodesArgs are the arguments of the commands that change nodes.
type nodesArgs struct {
	target
	seeded
	electing
	Nodes []string `arg:"" sep:"none" name:"node" complete:"node" help:"The nodes: n1, demo/n1, a role, n*, @one, @minority, @majority, @all, @host:NAME, @leader:EXPR."`
}

type (
	stopCmd    struct{ nodesArgs }
	startCmd   struct{ nodesArgs }
	restartCmd struct{ nodesArgs }
	killCmd    struct {
		nodesArgs
		Signal string `default:"KILL" placeholder:"NAME" complete:"KILL|TERM|INT|HUP|QUIT|ABRT|USR1|USR2|SEGV|STOP|CONT" help:"KILL, TERM, USR1, … (${default})."`
	}
)

// signals are the signals that can be sent to a node, of POSIX signal.h(0p).
var signals = []string{
	"KILL", "TERM", "INT", "HUP", "QUIT", "ABRT", "USR1", "USR2", "SEGV",
	"STOP", "CONT", "ALRM", "BUS", "FPE", "ILL", "PIPE", "TRAP", "WINCH",
}

// Run stops nodes.
func (c *stopCmd) Run(ctx context.Context, a *app) error {
	return c.change(ctx, a, "stop", "stopped", orchestrator.Controller.Stop)
}

// Run starts nodes.
func (c *startCmd) Run(ctx context.Context, a *app) error {
	return c.change(ctx, a, "start", "started", orchestrator.Controller.Start)
}

// Run restarts nodes.
func (c *restartCmd) Run(ctx context.Context, a *app) error {
	return c.change(ctx, a, "restart", "restarted", orchestrator.Controller.Restart)
}

func (killCmd) Help() string {
	return `USR1 makes the Erlang VM write a crash dump and end; TERM lets it stop by
itself. To stop a node and keep it down, use stop.

Examples:
  beamyard kill n2
  beamyard kill @one --seed 7
  beamyard kill '@leader:MyApp.leader()'`
}

// Run sends a signal to nodes.
func (c *killCmd) Run(ctx context.Context, a *app) error {
	name := strings.TrimPrefix(strings.ToUpper(c.Signal), "SIG")
	if !slices.Contains(signals, name) {
		return usagef("beamyard kill "+strings.Join(c.Nodes, " ")+" --signal TERM",
			"%q is not one of %s", c.Signal, strings.Join(signals, ", "))
	}
	return c.change(ctx, a, "kill", "got SIG"+name, func(cluster orchestrator.Controller, ctx context.Context, nodes ...string) error {
		return cluster.Kill(ctx, name, nodes...)
	})
}

// change has the supervisor change nodes and prints the nodes' states.
func (c *nodesArgs) change(ctx context.Context, a *app, command, done string, do func(orchestrator.Controller, context.Context, ...string) error) error {
	eng, err := a.engine(ctx)
	if err != nil {
		return err
	}
	defer eng.Close()
	cluster, nodes, err := c.resolve(ctx, a, eng, command, c.Nodes, &c.seeded)
	if err != nil {
		return err
	}
	controller, hangUp, err := controllerOf(ctx, eng, cluster)
	if err != nil {
		return err
	}
	defer hangUp()
	voters := watchLeader(ctx, controller, c.leaderIn(c.Nodes))
	if err := do(controller, ctx, nodes...); err != nil {
		if errors.Is(err, orchestrator.ErrNotRunning) {
			err = orchestrator.WithHint(err, "beamyard start %s", strings.Join(c.Nodes, " "))
		}
		return err
	}
	if a.json {
		st, err := controller.Status(ctx)
		if err != nil {
			return err
		}
		changed := []orchestrator.NodeStatus{}
		for _, name := range nodes {
			if n, ok := st.Node(name); ok {
				changed = append(changed, n)
			}
		}
		if err := a.printJSON(changed); err != nil {
			return err
		}
	}
	for _, n := range nodes {
		if _, err := fmt.Fprintf(a.people(), "%s %s\n", n, done); err != nil {
			return err
		}
	}
	_, err = voters.elected(ctx, a)
	return err
}
