package manifest

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/beamyard/beamyard/orchestrator"
)

// This file handles networks that are not the cluster's. They exist already, nodes are
// attached to them in addition to their own network, and they are kept.

// Attachment is an additional network of a node.
type Attachment struct {
	Network string   // as in the spec
	Aliases []string // includes the node's host name
}

// Attachments returns the additional networks of node i, sorted by name. The host name
// there includes the domain in every name mode: two clusters with short names on one
// network each have an n1.
func Attachments(s orchestrator.Spec, i int) []Attachment {
	n := s.NodeAt(i)
	var list []Attachment
	for _, name := range slices.Sorted(maps.Keys(n.Networks)) {
		aliases := slices.Concat([]string{s.Names().Dotted(n.Name)}, n.Networks[name])
		slices.Sort(aliases)
		list = append(list, Attachment{name, slices.Compact(aliases)})
	}
	return list
}

// ResolveNetworks returns the IDs of the networks that a spec names. If some are missing, it
// returns an error together with those that it found.
func ResolveNetworks(s orchestrator.Spec, all []orchestrator.Network) (map[string]string, error) {
	ids, missing := map[string]string{}, []string{}
	for i := range s.Nodes {
		for _, a := range Attachments(s, i) {
			if _, seen := ids[a.Network]; seen || slices.Contains(missing, a.Network) {
				continue
			}
			found := named(all, a.Network)
			switch len(found) {
			case 0:
				missing = append(missing, a.Network)
			case 1:
				ids[a.Network] = found[0].ID
			default:
				return ids, orchestrator.WithHint(fmt.Errorf("networks: %d networks are called %s", len(found), a.Network), "name one by its ID, see: docker network ls --no-trunc")
			}
		}
	}
	if len(missing) == 0 {
		return ids, onceEach(s, ids)
	}
	hints := make([]string, len(missing), len(missing)+1)
	for i, name := range missing {
		hints[i] = "make it: docker network create " + name
	}
	hints = append(hints, "or see which there are: docker network ls")
	return ids, orchestrator.WithHint(fmt.Errorf("networks: the engine has no network %s: %w", strings.Join(missing, ", "), orchestrator.ErrNotFound), "%s", strings.Join(hints, "\n"))
}

// onceEach returns an error for a node that names a network both by name and by ID: the
// engine would keep the aliases of only one of them.
func onceEach(s orchestrator.Spec, ids map[string]string) error {
	for i := range s.Nodes {
		by := map[string]string{}
		for _, a := range Attachments(s, i) {
			id := ids[a.Network]
			if other, twice := by[id]; twice {
				return orchestrator.WithHint(fmt.Errorf("networks: %s and %s are one network: %w", other, a.Network, orchestrator.ErrConflict), "leave one of them out, with the names of both")
			}
			by[id] = a.Network
		}
	}
	return nil
}

// shortID is the length of an ID as the docker command shows it.
const shortID = 12

// named returns the networks with that name or ID, or with an ID that begins with it.
func named(all []orchestrator.Network, name string) []orchestrator.Network {
	var byName, byStart []orchestrator.Network
	for _, n := range all {
		switch {
		case n.ID == name:
			return []orchestrator.Network{n}
		case n.Name == name:
			byName = append(byName, n)
		case len(name) >= shortID && strings.HasPrefix(n.ID, name):
			byStart = append(byStart, n)
		}
	}
	if len(byName) > 0 {
		return byName
	}
	return byStart
}
