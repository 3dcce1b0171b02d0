package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/internal/supervisor"
	"github.com/beamyard/beamyard/orchestrator/logs"
)

// This file holds the requests and queries of a cluster's users.

// Status implements [orchestrator.Controller]; it always succeeds.
func (c *Cluster) Status(context.Context) (orchestrator.Status, error) { return c.Snapshot(), nil }

// Snapshot returns the same as [Cluster.Status], without a context: it waits for nothing.
func (c *Cluster) Snapshot() orchestrator.Status {
	st := c.view.Load().Status
	st.Nodes = slices.Clone(st.Nodes)
	for i, n := range st.Nodes {
		st.Nodes[i].DroppedLines = c.outputs[n.Name].Out.Dropped()
	}
	return st
}

// WaitReady implements [orchestrator.Controller].
func (c *Cluster) WaitReady(ctx context.Context) error {
	for {
		c.mu.Lock()
		changed, ended, outcome := c.changed, c.ended, c.outcome
		c.mu.Unlock()
		st := c.view.Load()
		switch {
		case ended && outcome != nil:
			return outcome
		case ended:
			return orchestrator.ErrClosed
		case st.Ready:
			return nil
		case st.failed != nil:
			return c.excerpts(st.failed)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Await returns nil as soon as wanted returns true for the status, which is checked
// immediately and after each change, or ctx's error. Once the cluster has ended, it
// returns the error that ended it, or [orchestrator.ErrClosed].
func (c *Cluster) Await(ctx context.Context, wanted func(orchestrator.Status) bool) error {
	for {
		c.mu.Lock()
		changed, ended, outcome := c.changed, c.ended, c.outcome
		c.mu.Unlock()
		switch {
		case wanted(c.Snapshot()):
			return nil
		case ended && outcome != nil:
			return outcome
		case ended:
			return orchestrator.ErrClosed
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Events implements [orchestrator.Controller].
func (c *Cluster) Events(ctx context.Context, after uint64, follow bool, fn func(orchestrator.Event) error) error {
	return c.events.Read(ctx, after, follow, fn)
}

// Logs implements [orchestrator.Controller].
func (c *Cluster) Logs(ctx context.Context, q orchestrator.LogQuery, fn func(orchestrator.Line) error) error {
	names, err := c.spec.NodesOf(q.Nodes...)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		names, _ = c.spec.Declared()
	}
	outputs := make([]*logs.Output, 0, len(names))
	for _, name := range names {
		outputs = append(outputs, c.outputs[name].Out)
	}
	return logs.Read(ctx, outputs, q, fn)
}

// Output returns the kept output of one node, or [orchestrator.ErrNoNode].
func (c *Cluster) Output(node string) (*logs.Output, error) {
	if o := c.outputs[node]; o != nil {
		return o.Out, nil
	}
	return nil, c.spec.NoNode(node)
}

// Start implements [orchestrator.Controller].
func (c *Cluster) Start(ctx context.Context, nodes ...string) error {
	return c.ask(ctx, supervisor.CmdStart, "", nodes)
}

// Stop implements [orchestrator.Controller].
func (c *Cluster) Stop(ctx context.Context, nodes ...string) error {
	return c.ask(ctx, supervisor.CmdStop, "", nodes)
}

// Restart implements [orchestrator.Controller].
func (c *Cluster) Restart(ctx context.Context, nodes ...string) error {
	return c.ask(ctx, supervisor.CmdRestart, "", nodes)
}

// Kill implements [orchestrator.Controller].
func (c *Cluster) Kill(ctx context.Context, signal string, nodes ...string) error {
	return c.ask(ctx, supervisor.CmdKill, signal, nodes)
}

// Pause suspends the containers of nodes. A paused node does not run or answer, and its
// connections stay open until its peers give it up (net_ticktime). Pause returns when the
// nodes are paused; they are then Degraded. Pausing a paused node is not an error; a node
// that is not running matches [orchestrator.ErrNotRunning]. A stop or a restart ends the pause.
// Source: POST /containers/{id}/pause.
func (c *Cluster) Pause(ctx context.Context, nodes ...string) error {
	return c.ask(ctx, supervisor.CmdPause, "", nodes)
}

// Unpause resumes paused nodes: use WaitReady to wait until the other nodes are connected
// to them again. A node that is not paused is not an error; one that is not running
// matches [orchestrator.ErrNotRunning]. Source: POST /containers/{id}/unpause.
func (c *Cluster) Unpause(ctx context.Context, nodes ...string) error {
	return c.ask(ctx, supervisor.CmdUnpause, "", nodes)
}

// Down implements [orchestrator.Controller].
func (c *Cluster) Down(ctx context.Context) error {
	return c.ask(ctx, supervisor.CmdDown, "", []string{""})
}

// ask posts a command for each node (for a role, for each of its nodes) and waits for all
// answers. With an unknown node it returns an error before it does anything.
func (c *Cluster) ask(ctx context.Context, kind supervisor.CommandKind, signal string, nodes []string) error {
	return c.askWith(ctx, supervisor.Command{Kind: kind, Signal: signal}, nodes)
}

// askWith posts the command for each node.
func (c *Cluster) askWith(ctx context.Context, cmd supervisor.Command, nodes []string) error {
	kind := cmd.Kind
	if kind != supervisor.CmdDown {
		var err error
		if nodes, err = c.spec.NodesOf(nodes...); err != nil {
			return err
		}
	}
	replies := make([]chan error, len(nodes))
	for i, n := range nodes {
		replies[i] = make(chan error, 1)
		c.mu.Lock()
		if c.ended {
			replies[i] <- orchestrator.ErrClosed
		} else {
			c.waiters++
			c.waiting[c.waiters] = replies[i]
			c.requested(n, "%s", kind.Request(cmd.Signal))
			cmd.Nodes, cmd.Waiter = []string{n}, c.waiters
			c.box.post(cmd)
		}
		c.mu.Unlock()
	}
	var errs []error
	for i, reply := range replies {
		select {
		case err := <-reply:
			if err != nil && kind != supervisor.CmdDown && !errors.Is(err, orchestrator.ErrClosed) && !errors.Is(err, orchestrator.ErrNotRunning) {
				err = fmt.Errorf("%s: %w", nodes[i], err)
			}
			errs = append(errs, err)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return errors.Join(errs...)
}

func (c *Cluster) reply(w supervisor.Waiter, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if reply, ok := c.waiting[w]; ok {
		delete(c.waiting, w)
		reply <- err
	}
}
