package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/beamyard/beamyard/network"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/internal/manifest"
	"github.com/beamyard/beamyard/orchestrator/internal/reach"
)

// This file adopts clusters that another supervisor created.

// adoptSite finds the network, the containers and their placements.
func (c *Cluster) adoptSite(ctx context.Context, s *site, n orchestrator.Network) ([]orchestrator.Container, error) {
	c.phase("adopting %s", c.spec.Name)
	s.adopted, s.detached = true, orchestrator.OwnerOf(n.Labels).Detached
	c.site = s // even if this fails: the existing objects are not ours to remove
	s.networkID, s.created = n.ID, orchestrator.CreatedOf(n.Labels)
	if len(n.Subnets) > 0 {
		s.spec.Subnet, s.subnet = n.Subnets[0], network.Layout(n.Subnets[0])
		direct, err := reach.Direct(ctx, c.eng, s.info, n.ID, s.subnet)
		if err != nil {
			return nil, err
		}
		s.direct = direct
		c.tell(reach.Doubt(s.direct, s.info))
	}
	listed, err := c.eng.Containers(ctx, map[string]string{orchestrator.LabelCluster: c.spec.Name})
	if err != nil {
		return nil, fmt.Errorf("list containers: %w", err)
	}
	for i, node := range c.spec.Nodes {
		s.slots[node.Name] = &slot{index: i, Placement: orchestrator.Placement{IP: s.subnet.Node(i)}}
	}
	var containers []orchestrator.Container
	slices.SortFunc(listed, manifest.NewestFirst) // the others were left by a move: the supervisor removes them
	have := map[string]bool{}                     // nodes that have their ports
	for _, l := range listed {
		full, err := c.eng.InspectContainer(ctx, l.ID)
		if errors.Is(err, orchestrator.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("inspect %s: %w", l.Name, err)
		}
		at, ok := s.slots[full.Labels[orchestrator.LabelNode]]
		if !ok || full.Labels[orchestrator.LabelIndex] != strconv.Itoa(at.index) {
			continue
		}
		if have[full.Labels[orchestrator.LabelNode]] {
			containers = append(containers, full)
			continue
		}
		if ip := full.Address(n.ID); ip.IsValid() {
			at.IP = ip // a stopped container's address is not always reported
		}
		at.host = full.Host
		at.Ports, have[full.Labels[orchestrator.LabelNode]] = full.Ports, true
		if manifest.Unfinished(full, full.Labels) { // its launch replaces it, see [Cluster.create]
			at.fixed = manifest.FixesPort(c.spec, at.index)
			continue
		}
		containers = append(containers, full)
		if !full.State.Running && full.State.FinishedAt.After(full.Created) {
			s.listenFrom(full.State.FinishedAt.Add(-c.spec.StopTimeout - adoptSlack))
		}
	}
	if err := c.adoptBuilds(s, listed, have); err != nil {
		return nil, err
	}
	return containers, c.placeMissing(ctx, s, have)
}

// adoptSlack is how much longer than its timeout a stop may take.
const adoptSlack = 2 * time.Second

// listenFrom makes the event stream begin at that time, or earlier: the events before the
// end of an unsupervised node show whether a user stopped it. The engine keeps its last
// 256 events; without them, an exit code other than 0 counts as a crash.
func (s *site) listenFrom(at time.Time) {
	if at.Before(s.listenSince) {
		s.listenSince = at
	}
}

// placeMissing assigns host ports to the nodes without a container: their supervisor died
// before it created one.
func (c *Cluster) placeMissing(ctx context.Context, s *site, have map[string]bool) error {
	if len(have) == len(s.slots) {
		return nil
	}
	if err := c.takenPorts(ctx, s); err != nil {
		return err
	}
	for _, node := range s.spec.Nodes {
		if have[node.Name] {
			continue
		}
		if err := s.holdPorts(s.slots[node.Name], s.spec.HostPort); err != nil {
			s.release()
			return fmt.Errorf("%s: %w", node.Name, err)
		}
	}
	return nil
}
