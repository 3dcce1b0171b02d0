package evidence

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/discovery"
	"github.com/beamyard/beamyard/orchestrator/internal/history"
)

// This file queries the cluster's supervisor or, without one, the engine.

// maskCluster masks the secrets of the cluster that there is as well: an `up` with other secrets fails
// because of it, and its supervisor has the lines of its nodes.
func (c *collector) maskCluster(ctx context.Context) {
	if c.Engine == nil || c.Cluster == nil {
		return // askLabels does, or the spec is that of the cluster
	}
	ctx, cancel := context.WithTimeout(ctx, statusTime)
	defer cancel()
	if found, err := discovery.Find(ctx, c.Engine, c.Spec.Name); err == nil {
		c.mask = newMask(c.Spec, found.Spec)
	}
}

// askSupervisor queries the cluster's supervisor. If that does not even report its status, it
// is skipped, and the engine is queried instead.
func (c *collector) askSupervisor(ctx context.Context) bool {
	if c.Cluster == nil {
		return false
	}
	var st orchestrator.Status
	if !c.part(ctx, "what the supervisor knows", func(ctx context.Context) (err error) {
		ctx, cancel := context.WithTimeout(ctx, statusTime)
		defer cancel()
		st, err = c.Cluster.Status(ctx)
		return err
	}) {
		return false
	}
	c.answers, c.status = true, &st
	c.part(ctx, "events.jsonl", func(ctx context.Context) error {
		return c.Cluster.Events(ctx, 0, false, func(e orchestrator.Event) error {
			e = e.Printed()
			e.Text = c.mask.Text(e.Text)
			c.events = append(c.events, e)
			return nil
		})
	})
	c.part(ctx, "the journal (engine events, requests and nodedowns of timeline.txt)", func(ctx context.Context) (err error) {
		c.journal, err = c.Cluster.Journal(ctx)
		for i, j := range c.journal {
			c.journal[i].Text = c.mask.Text(j.Text)
		}
		return err
	})
	c.part(ctx, "the nodes' output", func(ctx context.Context) error {
		return c.Cluster.Logs(ctx, orchestrator.LogQuery{}, c.takeLine)
	})
	return true
}

func (c *collector) takeLine(l orchestrator.Line) error {
	l.Text = c.mask.Text(l.Text)
	c.lines = append(c.lines, l)
	return nil
}

// askLabels collects what is known without a supervisor.
func (c *collector) askLabels(ctx context.Context) {
	if c.Engine == nil {
		return
	}
	var found discovery.Cluster
	var none error
	if !c.part(ctx, "what the engine has of the cluster", func(ctx context.Context) (err error) {
		found, err = discovery.Find(ctx, c.Engine, c.Spec.Name)
		if errors.Is(err, orchestrator.ErrNoCluster) {
			none, err = err, nil
		}
		return err
	}) || none != nil {
		return
	}
	c.mask = newMask(c.Spec, found.Spec)
	c.status = &found.Status
	if len(c.Spec.Nodes) == 0 {
		c.Spec = found.Spec
	}
	if c.maskable() {
		c.readOutput(ctx, found.Nodes)
	} else {
		c.miss("the nodes' output", errNoSpec)
	}
	c.keptEvents(ctx, found.Created)
	c.journal = append(c.journal, forgotten(c.journal, found.Nodes)...)
}

// forgotten returns the last start and end of each node that the engine's events no longer
// include. The containers still have them.
func forgotten(told []orchestrator.JournalEntry, nodes []orchestrator.NodeStatus) []orchestrator.JournalEntry {
	const near = time.Second // an event's time and the container's differ by the work between them
	var more []orchestrator.JournalEntry
	add := func(node, action, text string, at time.Time) {
		known := slices.ContainsFunc(told, func(e orchestrator.JournalEntry) bool {
			return e.Node == node && strings.HasPrefix(e.Text, action) && e.Time.Sub(at).Abs() < near
		})
		if !at.IsZero() && !known {
			more = append(more, orchestrator.JournalEntry{Time: at, Source: orchestrator.FromEngine, Node: node, Text: text})
		}
	}
	for _, n := range nodes {
		add(n.Name, "start", "start", n.StartedAt)
		if n.LastExit != nil {
			add(n.Name, "die", fmt.Sprintf("die (exit %d)", n.LastExit.Code), n.LastExit.At)
		}
	}
	return more
}

// errNoSpec is the reason to leave out data that may contain secrets.
var errNoSpec = errors.New("its cluster's spec is gone with the network, and with it what must be masked")

// maskable reports whether there is a spec: only a spec lists the secrets.
func (c *collector) maskable() bool { return len(c.Spec.Nodes) > 0 }

// readOutput reads the output of all nodes or, if that of one cannot be read, the output of
// each node separately.
func (c *collector) readOutput(ctx context.Context, nodes []orchestrator.NodeStatus) {
	read := func(ctx context.Context, names ...string) error {
		ctx, cancel := context.WithTimeout(ctx, readTime)
		defer cancel()
		return discovery.Logs(ctx, c.Engine, c.Spec.Name, orchestrator.LogQuery{Nodes: names}, c.takeLine)
	}
	if read(ctx) == nil { // it passes no line on before it has read them all
		return
	}
	for _, n := range nodes {
		if err := read(ctx, n.Name); err != nil {
			c.miss("the output of "+n.Name, err)
		}
	}
}

// keptEvents reads the events that the engine still has: the last 256 of everything that runs
// on it. The engine sends them at once, and then waits for more.
func (c *collector) keptEvents(ctx context.Context, since time.Time) {
	const quiet, longest = 700 * time.Millisecond, 3 * time.Second
	reading, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	idle := time.AfterFunc(longest, cancel)
	defer idle.Stop()
	err := c.Engine.Events(reading, since, map[string]string{orchestrator.LabelCluster: c.Spec.Name},
		func() { idle.Reset(quiet) },
		func(e orchestrator.ContainerEvent) {
			idle.Reset(quiet)
			c.journal = append(c.journal, history.EngineEntry(e))
		})
	if reading.Err() == nil {
		c.miss("the engine's events of timeline.txt", err)
	}
}
