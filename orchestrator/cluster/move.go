package cluster

import (
	"context"
	"errors"
	"net/netip"
	"slices"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/internal/manifest"
	"github.com/beamyard/beamyard/orchestrator/internal/supervisor"
)

// This file starts nodes on other hosts: [orchestrator.Spec].OnHostLost.

// on returns a spec with the host of a slot, which is another than the declared one if the node was
// moved.
func (at *slot) on(spec orchestrator.Spec) orchestrator.Spec {
	if at.host != "" {
		spec.Nodes = slices.Clone(spec.Nodes)
		spec.Nodes[at.index].Host = at.host
	}
	return spec
}

// placement returns where a node is.
func (s *site) placement(node string) orchestrator.Placement {
	s.moving.RLock()
	defer s.moving.RUnlock()
	return s.slots[node].Placement
}

// move starts a node in a new container on another host, in a slot of its own, which becomes the
// node's if that succeeds. If it fails, nothing is left of it.
func (c *Cluster) move(ctx context.Context, a supervisor.Move) {
	own := c.site.slots[a.Node]
	to := &slot{index: own.index, host: a.To, fixed: own.fixed, tried: map[netip.Addr]bool{}, Placement: c.site.placement(a.Node)}
	to.Ports = slices.Clone(to.Ports)
	address := manifest.PublishAddress(c.site.engineOf(to))
	for i := range to.Ports {
		to.Ports[i].HostIP = address
	}
	var found orchestrator.Container
	err := c.starting(ctx, func() error {
		id, err := c.launchPrepared(ctx, supervisor.RunID{Node: a.Node, Inc: a.Inc + 1}, to)
		if err == nil {
			found, err = c.eng.InspectContainer(ctx, id)
		}
		if err != nil {
			err = errors.Join(err, c.rollback(ctx, id, to))
		}
		return err
	})
	if err == nil {
		c.site.moving.Lock()
		own.host, own.Placement, own.fixed, c.site.given[to.IP] = to.host, to.Placement, to.fixed, true
		c.site.moving.Unlock()
	}
	c.box.post(supervisor.Moved{RunID: a.RunID, To: a.To, Container: found, At: to.Placement, Err: err})
}

// maxSpare is how many other addresses a move tries: a swarm takes 20 s to refuse one.
const maxSpare = 3

// otherAddress gives a node that is being moved another address if its own is taken: the swarm may
// keep that for the container on the lost host. It reports whether to try again.
func (c *Cluster) otherAddress(at *slot, refused error) bool {
	if at.tried == nil || len(at.tried) == maxSpare || !errors.Is(refused, orchestrator.ErrConflict) {
		return false
	}
	c.site.moving.RLock()
	taken := manifest.Merged(c.site.given, at.tried)
	c.site.moving.RUnlock()
	ip := c.site.subnet.Spare(len(c.site.slots), taken)
	if ip.IsValid() {
		at.tried[ip], at.IP = true, ip
	}
	return ip.IsValid()
}
