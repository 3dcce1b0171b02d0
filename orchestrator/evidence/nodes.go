package evidence

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/internal/manifest"
)

// This file examines each node's container.

// tellNodes examines every container, beginning with those that have ended: if time is short,
// their dumps matter most.
func (c *collector) tellNodes(ctx context.Context) {
	if c.status == nil {
		return
	}
	var looks errgroup.Group
	looks.SetLimit(4)
	nodes := slices.Clone(c.status.Nodes)
	slices.SortStableFunc(nodes, func(a, b orchestrator.NodeStatus) int { return ended(b) - ended(a) })
	for _, n := range nodes {
		looks.Go(func() error { c.tellNode(ctx, n); return nil })
	}
	_ = looks.Wait() // failures are recorded as missing
}

// ended is 1 for a node that is not running.
func ended(n orchestrator.NodeStatus) int {
	if n.State.Running() {
		return 0
	}
	return 1
}

func (c *collector) tellNode(ctx context.Context, n orchestrator.NodeStatus) {
	dir := "nodes/" + n.Name + "/"
	seen := inspection{Status: n}
	if c.Engine != nil && n.ContainerID != "" {
		c.part(ctx, "the engine's view of "+n.Name, func(ctx context.Context) error {
			container, err := c.Engine.InspectContainer(ctx, n.ContainerID)
			if err == nil {
				seen.Engine = engineView(container)
			}
			return err
		})
		c.tellDump(ctx, n, dir+"erl_crash.dump")
	}
	c.json(dir+"inspect.json", seen)
}

// tellDump copies the crash dump of a node's container, if there is one.
func (c *collector) tellDump(ctx context.Context, n orchestrator.NodeStatus, name string) {
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	content, modified, err := c.Engine.OpenFile(ctx, n.ContainerID, manifest.DumpPath(c.Spec, n.Name))
	if errors.Is(err, orchestrator.ErrNotFound) {
		return
	}
	if err == nil && !c.maskable() {
		content.Close()
		err = errNoSpec
	}
	if err == nil {
		defer content.Close()
		err = c.b.spool(name, modified, func(w io.Writer) error {
			more, err := c.mask.copy(w, content, maxDump)
			if err == nil && more {
				_, err = fmt.Fprintf(w, "\n[cut here: the dump is longer than %d MiB]\n", maxDump>>20)
			}
			return err
		})
	}
	if err != nil {
		c.miss(name, err)
	}
}

// inspection is nodes/NAME/inspect.json.
type inspection struct {
	Status orchestrator.NodeStatus `json:"status"`
	Engine *containerView          `json:"engine"` // null: the engine has none or did not answer
}

// containerView is a container as the engine shows it.
type containerView struct {
	ID       string                    `json:"id"`
	Name     string                    `json:"name"`
	Image    string                    `json:"image"`
	Created  time.Time                 `json:"created"`
	Networks []orchestrator.Attachment `json:"networks"`
	Ports    []orchestrator.PortStatus `json:"ports"`
	Labels   map[string]string         `json:"labels"`

	Status     string    `json:"status"`
	PID        int       `json:"pid"`
	ExitCode   int       `json:"exit_code"`
	OOMKilled  bool      `json:"oom_killed"`
	Error      string    `json:"error"`
	StartedAt  time.Time `json:"started_at,omitzero"`
	FinishedAt time.Time `json:"finished_at,omitzero"`
}

func engineView(c orchestrator.Container) *containerView {
	var ports []orchestrator.PortStatus
	for _, p := range c.Ports {
		ports = append(ports, orchestrator.PortStatus{Container: int(p.Container), HostIP: p.HostIP, Host: int(p.Host)})
	}
	return &containerView{
		ID: c.ID, Name: c.Name, Image: c.Image, Created: c.Created, Networks: c.Networks, Ports: ports, Labels: c.Labels,
		Status: c.State.Status, PID: c.State.PID, ExitCode: c.State.ExitCode, OOMKilled: c.State.OOMKilled, Error: c.State.Error,
		StartedAt: c.State.StartedAt, FinishedAt: c.State.FinishedAt,
	}
}
