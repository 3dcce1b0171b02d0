package relocation

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/internal/placement"
)

// Hosts knows which hosts do not answer, and what moved nodes left on them. Its zero value knows of
// none.
type Hosts struct {
	lost map[string]lost
	left map[string]Leftover // by container ID

	moving map[int]string // nodes, and where to
}

type lost struct {
	since time.Time
	why   string
}

// Leftover is a container of a node that runs in another one.
type Leftover struct {
	ContainerID, Node, Host string

	removing bool
}

// Lose notes that a host does not answer, and why.
func (h *Hosts) Lose(host, why string, now time.Time) {
	if h.lost == nil {
		h.lost = map[string]lost{}
	}
	h.lost[host] = lost{now, fmt.Sprintf("host %s has not answered since %s: %s", host, now.UTC().Format(time.RFC3339), why)}
}

// Return notes that a host answers again.
func (h *Hosts) Return(host string) { delete(h.lost, host) }

// Why returns since when and why a host does not answer; "" if it does.
func (h *Hosts) Why(host string) string { return h.lost[host].why }

// At returns when a node of a host may be moved, [orchestrator.MoveAfter] after the loss and not
// before the given time. It is zero if the spec does not want it, or if the host answers.
func (h *Hosts) At(s orchestrator.Spec, host string, notBefore time.Time) time.Time {
	l, isLost := h.lost[host]
	if s.OnHostLost != orchestrator.HostLostMove || !isLost {
		return time.Time{}
	}
	if at := l.since.Add(orchestrator.MoveAfter); at.After(notBefore) {
		return at
	}
	return notBefore
}

// Depart chooses the host that node i moves to: one that answers and has room, chosen as the spec
// places nodes. It is "" if none has room. Until [Hosts.Arrive], the node counts as one of that host.
func (h *Hosts) Depart(s orchestrator.Spec, i int) (to string) {
	on, room := make([]string, len(s.Nodes)), map[string]int{}
	for at, n := range s.Nodes {
		on[at] = cmp.Or(h.moving[at], n.Host)
	}
	on[i] = ""
	for name, host := range s.Hosts {
		if h.Why(name) == "" {
			room[name] = host.Nodes
		}
	}
	if to = placement.Place(on, room, s.Place == orchestrator.PlacePack)[i]; to == "" {
		return ""
	}
	if h.moving == nil {
		h.moving = map[int]string{}
	}
	h.moving[i] = to
	return to
}

// Arrive notes that a move has ended. The spec says from now on where the node is.
func (h *Hosts) Arrive(i int) { delete(h.moving, i) }

// Leave notes that a container is no node's any more.
func (h *Hosts) Leave(container, node, host string) {
	if h.left == nil {
		h.left = map[string]Leftover{}
	}
	h.left[container] = Leftover{ContainerID: container, Node: node, Host: host}
}

// Due returns the containers to remove now, each once: those on hosts that answer.
func (h *Hosts) Due() (due []Leftover) {
	for _, id := range slices.Sorted(maps.Keys(h.left)) {
		if l := h.left[id]; h.Why(l.Host) == "" && !l.removing {
			l.removing = true
			h.left[id] = l
			due = append(due, l)
		}
	}
	return due
}

// Removed notes how a removal went, and returns what is gone. One that failed is due again.
func (h *Hosts) Removed(container string, err error) (gone Leftover, removed bool) {
	l, known := h.left[container]
	switch {
	case !known:
	case err != nil:
		l.removing = false
		h.left[container] = l
	default:
		delete(h.left, container)
		return l, true
	}
	return Leftover{}, false
}
