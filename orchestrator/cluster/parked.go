package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/beamyard/beamyard/network"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/discovery"
	"github.com/beamyard/beamyard/orchestrator/internal/manifest"
	"github.com/beamyard/beamyard/orchestrator/internal/reach"
	"github.com/beamyard/beamyard/orchestrator/internal/supervisor"
	"github.com/beamyard/beamyard/orchestrator/internal/wait"
)

// This file parks clusters, and takes parked ones. How a node waits is in package manifest.

// Parked is a cluster whose containers run, and whose nodes wait before their commands. It is
// plain data. Its spec includes the cookie.
type Parked struct {
	Spec      orchestrator.Spec     `json:"spec"` // prepared, with its name, cookie and owner
	NetworkID string                `json:"network"`
	Created   time.Time             `json:"created"` // by the engine's clock
	Nodes     map[string]ParkedNode `json:"nodes"`   // by short name
}

// ParkedNode is a node that waits.
type ParkedNode struct {
	ID                     string `json:"id"` // of its container
	orchestrator.Placement `json:"placement"`
}

// Park creates a cluster and starts its containers, one after the other, without any code of the
// nodes. [Options].Parked starts the nodes. Nothing supervises the cluster until then: its owner
// removes it. Each spec can be parked for which [manifest.CannotPark] returns "".
//
// The errors are those of [Cluster.Run]. Nothing is left after an error.
func Park(ctx context.Context, spec orchestrator.Spec, eng orchestrator.Engine) (Parked, error) {
	c, err := New(spec, eng, Options{})
	if err != nil {
		return Parked{}, err
	}
	c.parking = true
	defer func() {
		c.endSweep()
		c.wg.Wait() // for the removal of other clusters
		c.site.release()
	}()
	if _, err := c.prepare(ctx); err != nil {
		return Parked{}, err
	}
	p := Parked{Spec: c.site.spec, NetworkID: c.site.networkID, Created: c.site.created, Nodes: map[string]ParkedNode{}}
	for _, n := range c.spec.Nodes {
		at := c.site.slots[n.Name]
		id, err := c.launchPrepared(ctx, supervisor.RunID{Node: n.Name, Inc: 1}, at)
		if err == nil {
			err = c.awaitWaiting(ctx, id)
		}
		if err != nil {
			work, cancel := context.WithTimeout(context.WithoutCancel(ctx), orchestrator.RemovalTime)
			defer cancel()
			return Parked{}, errors.Join(fmt.Errorf("park %s: %w", n.Name, err), c.removeAll(work))
		}
		p.Nodes[n.Name] = ParkedNode{id, at.Placement}
	}
	return p, nil
}

// awaitWaiting returns once the node in a container waits.
func (c *Cluster) awaitWaiting(ctx context.Context, id string) error {
	const patience = 10 * time.Second
	for begin := time.Now(); time.Since(begin) < patience; {
		text, err := c.files().ReadFile(ctx, id, manifest.ParkedFile)
		if err != nil {
			return err
		}
		if text == "" { // the file is there: the node's user created it, or it could not be started
			found, err := c.eng.InspectContainer(ctx, id)
			if err == nil && !found.State.Running {
				err = fmt.Errorf("it ended with code %d instead of waiting", found.State.ExitCode)
			}
			return err
		}
		if !wait.Sleep(ctx, 20*time.Millisecond) {
			return ctx.Err()
		}
	}
	return fmt.Errorf("it did not begin to wait within %s", patience)
}

// takeParked makes the site of the parked cluster, if everything of it is as it was parked.
// Otherwise it removes what is left, and returns the networks that remain.
func (c *Cluster) takeParked(ctx context.Context, s *site, networks []orchestrator.Network) (rest []orchestrator.Network, taken bool, err error) {
	p := c.opts.Parked
	if p == nil {
		return networks, false, nil
	}
	at := slices.IndexFunc(networks, func(n orchestrator.Network) bool { return n.ID == p.NetworkID })
	whole, err := c.intact(ctx, p)
	if err != nil {
		return networks, false, err
	}
	s.parked, s.opened = map[string]string{}, map[string]time.Time{}
	for _, n := range p.Nodes {
		s.opened[n.ID] = time.Time{} // also if they are removed: see opening
	}
	if at < 0 || !whole {
		err := c.removeParked(ctx, p, networks)
		return slices.DeleteFunc(networks, func(n orchestrator.Network) bool { return n.ID == p.NetworkID }), false, err
	}
	c.phase("taking the parked %s", c.spec.Name)
	s.spec = p.Spec
	s.spec.Suite, s.spec.Files = c.spec.Suite, c.spec.Files
	s.networkID, s.created, s.subnet = p.NetworkID, p.Created, network.Layout(p.Spec.Subnet)
	for i, n := range c.spec.Nodes {
		node := p.Nodes[n.Name]
		s.slots[n.Name] = &slot{index: i, Placement: node.Placement}
		s.parked[n.Name] = node.ID
	}
	c.site = s
	s.direct, err = reach.Direct(ctx, c.eng, s.info, s.networkID, s.subnet)
	return networks, err == nil, err
}

// removeParked removes what is left of a parked cluster, and nothing of another one of its name.
func (c *Cluster) removeParked(ctx context.Context, p *Parked, networks []orchestrator.Network) error {
	var errs []error
	for _, n := range p.Nodes {
		errs = append(errs, c.eng.RemoveContainer(ctx, n.ID))
	}
	for _, n := range networks {
		if n.ID == p.NetworkID {
			errs = append(errs, discovery.RemoveNetwork(ctx, c.eng, n))
		}
	}
	return errors.Join(errs...)
}

// intact reports whether the container of each node runs.
func (c *Cluster) intact(ctx context.Context, p *Parked) (bool, error) {
	listed, err := c.eng.Containers(ctx, map[string]string{orchestrator.LabelCluster: c.spec.Name})
	if err != nil {
		return false, fmt.Errorf("list containers: %w", err)
	}
	for _, n := range c.spec.Nodes {
		id := p.Nodes[n.Name].ID
		if !slices.ContainsFunc(listed, func(l orchestrator.Container) bool { return l.ID == id && l.State.Running && !l.State.Paused }) {
			return false, nil
		}
	}
	return len(listed) == len(c.spec.Nodes), nil
}

// open makes a node that waits run its command, and returns its container. "" means that none
// waits: it is missing, damaged, or lacks code that was synced meanwhile. The signal is sent only
// once: a second one would end the VM.
func (c *Cluster) open(ctx context.Context, node string) (id string, err error) {
	c.placing.Lock()
	id = c.site.parked[node]
	delete(c.site.parked, node)
	c.placing.Unlock()
	if id == "" {
		return "", nil
	}
	if !c.synced.Load() && c.eng.KillContainer(ctx, id, manifest.OpenSignal) == nil {
		return id, nil
	}
	return "", c.eng.RemoveContainer(ctx, id)
}

// opening returns an event as it is for a taken node: the signal that opened it is its start, and
// what began before that is not (drop). It is called in the order of the events, by one goroutine.
func (s *site) opening(e orchestrator.ContainerEvent) (_ orchestrator.ContainerEvent, drop bool) {
	at, parked := s.opened[e.ID]
	switch {
	case !parked:
	case e.Action == "create" || e.Action == "start":
		drop = at.IsZero() || e.Time.Before(at)
	case e.Action == "kill" && e.Signal == manifest.OpenSignalNumber && (at.IsZero() || at.Equal(e.Time)):
		s.opened[e.ID] = e.Time
		e.Action, e.Signal = "start", ""
	}
	return e, drop
}
