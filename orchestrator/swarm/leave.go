package swarm

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/hint"
)

// ErrInUse says that something needs the membership that a host should give up.
var ErrInUse = errors.New("the swarm is in use")

// Leave plans that the named hosts leave their swarm, or all of them without names: workers
// first. A manager leaves only with the last other member of its swarm.
//
// Without force, it fails with [ErrInUse] while containers of a host are on an overlay network,
// and while the swarm has services or overlay networks of clusters. A member that is none of the
// leaving hosts prevents that their manager leaves, even with force.
func Leave(hosts []Host, names []string, force bool) (Plan, error) {
	if err := known(hosts, names); err != nil {
		return Plan{}, err
	}
	manager, err := managerOf(hosts)
	if err != nil {
		return Plan{}, err
	}
	var workers, managers []Host
	for _, h := range hosts {
		switch {
		case len(names) > 0 && !slices.Contains(names, h.Name):
		case h.Err != nil:
			return Plan{}, unreachable(h)
		case !h.State.In():
		case h.State.Manager:
			managers = append(managers, h)
		default:
			workers = append(workers, h)
		}
	}
	leaving := slices.Concat(workers, managers)
	if !force {
		for _, h := range leaving {
			if err := free(h, manager, len(managers) > 0); err != nil {
				return Plan{}, err
			}
		}
	}
	if err := last(managers, leaving); err != nil {
		return Plan{}, err
	}
	var plan Plan
	for _, h := range workers {
		plan.Steps = append(plan.Steps, Step{Host: h.Name, Do: ActLeave})
		if manager != nil && memberOf(*manager, h) && len(managers) == 0 {
			plan.Steps = append(plan.Steps, Step{Host: manager.Name, Do: ActForget, Member: h.State.Node, Of: h.Name})
		}
	}
	for _, h := range managers {
		plan.Steps = append(plan.Steps, Step{Host: h.Name, Do: ActLeave, Force: true})
	}
	return plan, nil
}

// free returns an error if something needs a host's membership, as far as the host and its
// manager know. ends says that the swarm ends.
func free(h Host, manager *Host, ends bool) error {
	if len(h.State.Users) > 0 {
		switch u := h.State.Users[0]; {
		case u.Cluster != "":
			return refused(h, "cluster "+u.Cluster+" has container "+u.Container+" there", hint.Down.On(u.Cluster))
		case u.Service != "":
			return refused(h, "service "+u.Service+" has the task "+u.Container+" there", "docker service ls")
		default:
			return refused(h, "container "+u.Container+" is on an overlay network", "docker rm "+u.Container)
		}
	}
	if manager == nil || !memberOf(*manager, h) {
		return nil // no host knows more
	}
	if n := manager.State.Services; n > 0 {
		return refused(h, fmt.Sprintf("the swarm has %d of its own services", n), "on "+manager.Name+": docker service ls")
	}
	if all := manager.State.Clusters; ends && len(all) > 0 {
		return refused(h, "clusters have networks in the swarm: "+strings.Join(all, ", "), hint.Down.On(all[0]))
	}
	return nil
}

func refused(h Host, why string, next any) error {
	return orchestrator.WithHint(fmt.Errorf("host %s does not leave: %w: %s", h.Name, ErrInUse, why), "%s\nor break it: --force", next)
}

// last returns an error if a manager would leave members behind that do not leave.
func last(managers, leaving []Host) error {
	for _, h := range managers {
		for _, m := range h.State.Members {
			stays := !slices.ContainsFunc(leaving, func(l Host) bool { return l.State.Node == m.ID })
			if stays && m.State != "down" {
				return orchestrator.WithHint(fmt.Errorf("host %s manages the swarm, and member %s (%s) does not leave it", h.Name, m.Hostname, m.Address),
					"let every member leave: %s\nor have another one manage it first: docker node promote %s; docker node demote %s", hint.Machines.With("leave"), m.Hostname, h.State.Node)
			}
		}
	}
	return nil
}
