package faults

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
)

// helperPrefix begins the purpose ([orchestrator.LabelHelper]) of a record. The fault's ID
// follows.
const helperPrefix = "fault-"

// record is a container that records a fault.
type record struct {
	container string // its ID
	fault     fault.Fault
}

func recordsOf(containers []orchestrator.Container) []record {
	var all []record
	for _, c := range containers {
		if f, ok := orchestrator.FaultOf(c.Labels); ok {
			all = append(all, record{c.ID, f})
		}
	}
	slices.SortFunc(all, func(a, b record) int {
		return cmp.Or(a.fault.Begin.Compare(b.fault.Begin), cmp.Compare(a.fault.ID, b.fault.ID))
	})
	return all
}

// same reports whether two lists record the same faults.
func same(a, b []record) bool {
	return slices.EqualFunc(a, b, func(a, b record) bool { return a.container == b.container })
}

// newID returns an ID by chance: a number would come again, after a heal, for another fault.
func newID() string { return "f" + strings.ToLower(rand.Text()[:4]) }

// selected returns the records of these faults, or all of them if no ID is given.
func selected(records []record, ids []string) ([]record, error) {
	if len(ids) == 0 {
		return records, nil
	}
	var chosen []record
	for _, id := range ids {
		i := slices.IndexFunc(records, func(r record) bool { return r.fault.ID == id })
		if i < 0 {
			return nil, orchestrator.WithHint(fmt.Errorf("fault %s: %w", id, orchestrator.ErrNotFound), "%s", inForce(records))
		}
		chosen = append(chosen, records[i])
	}
	return chosen, nil
}

func inForce(records []record) string {
	if len(records) == 0 {
		return "no fault is in force"
	}
	var ids []string
	for _, r := range records {
		ids = append(ids, r.fault.ID)
	}
	return "in force: " + strings.Join(ids, ", ")
}

// nodesOf returns the nodes among a cluster's containers, and the addresses at which they are,
// or will be once they run.
func nodesOf(containers []orchestrator.Container) (nodes []fault.Node, running map[string]orchestrator.Container) {
	running = map[string]orchestrator.Container{}
	for _, c := range containers {
		name := c.Labels[orchestrator.LabelNode]
		if name == "" || c.Labels[orchestrator.LabelHelper] != "" {
			continue
		}
		n := fault.Node{Name: name}
		for _, a := range c.Networks {
			if a.IP.IsValid() {
				n.Addrs = append(n.Addrs, a.IP)
			}
			if a.IPv6.IsValid() {
				n.Addrs = append(n.Addrs, a.IPv6)
			}
		}
		nodes = append(nodes, n)
		if c.State.Running {
			running[name] = c
		}
	}
	return nodes, running
}
