package faults

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/beamyard/beamyard/network"
	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/internal/manifest"
)

// helperPrefix begins the purpose ([orchestrator.LabelHelper]) of a record. The fault's ID
// follows.
const helperPrefix = "fault-"

// Those of the helpers that stay begin so. The node's name follows.
const (
	resolverPrefix = "resolver-"
	keeperPrefix   = "keeper-"
)

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

// clusterState is what settles faults: the nodes, our containers beside them, and the faults.
type clusterState struct {
	image      string
	host       string                            // "" before it is one host's part
	now        time.Time                         // by the engine's clock
	nodes      []fault.Node                      // with the addresses at which they are, or will be once they run
	containers map[string]orchestrator.Container // of the nodes to settle, by name
	resolvers  map[string]string                 // IDs of the containers that answer DNS queries, and their nodes
	keepers    map[string]string                 // of those that keep clocks and disks
	known      []fault.Fault                     // all that are recorded
	faults     []fault.Fault                     // those of them that are to be in force
}

// runs reports whether a node is to be settled, and runs.
func (c clusterState) runs(name string) bool { return c.containers[name].State.Running }

// of returns the nodes to settle that faults of a kind name, even those that end.
func (c clusterState) of(kind fault.Kind) []string {
	var names []string
	for _, f := range c.known {
		for _, name := range f.Nodes {
			if _, ok := c.containers[name]; ok && f.Kind == kind && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

func clusterOf(containers []orchestrator.Container) clusterState {
	state := clusterState{containers: map[string]orchestrator.Container{}, resolvers: map[string]string{}, keepers: map[string]string{}}
	for _, c := range manifest.Current(containers) {
		purpose := c.Labels[orchestrator.LabelHelper]
		if node, ok := strings.CutPrefix(purpose, resolverPrefix); ok {
			state.resolvers[c.ID] = node
		}
		if node, ok := strings.CutPrefix(purpose, keeperPrefix); ok {
			state.keepers[c.ID] = node
		}
		name := c.Labels[orchestrator.LabelNode]
		if name == "" || purpose != "" {
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
		state.nodes = append(state.nodes, n)
		state.containers[name] = c
	}
	return state
}

// addStale gives the nodes their stale addresses, if a fault tells one.
func (i Injector) addStale(ctx context.Context, c *clusterState) error {
	if !slices.ContainsFunc(c.faults, func(f fault.Fault) bool { return f.DNS.Answers == fault.StaleAnswers }) {
		return nil
	}
	networks, err := i.Engine.Networks(ctx, map[string]string{orchestrator.LabelCluster: i.Spec.Name})
	if err != nil {
		return fmt.Errorf("find the network: %w", err)
	}
	for _, n := range networks {
		if n.Name == i.Spec.Names().Network() && len(n.Subnets) > 0 {
			for at := range c.nodes {
				c.nodes[at].Stale = staleAddress(n.Subnets[0], i.Spec.Index(c.nodes[at].Name))
			}
			return nil
		}
	}
	return fmt.Errorf("network %s: %w", i.Spec.Names().Network(), orchestrator.ErrNotFound)
}

// staleAddress returns an address that no node has: those of the nodes begin at the lower end of
// the subnet, and this one is near the upper end.
func staleAddress(subnet netip.Prefix, index int) netip.Addr {
	dynamic := network.Layout(subnet).Dynamic
	if !dynamic.IsValid() || index < 0 {
		return netip.Addr{}
	}
	first := dynamic.Addr().As4()
	at := binary.BigEndian.Uint32(first[:]) + uint32(1)<<(32-dynamic.Bits()) - 2 - uint32(index)
	stale := netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, at)))
	if !dynamic.Contains(stale) {
		return netip.Addr{}
	}
	return stale
}
