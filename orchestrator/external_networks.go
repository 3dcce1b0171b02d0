package orchestrator

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// This file handles networks that are not the cluster's. They exist already, nodes are
// attached to them in addition to their own network, and they are kept.

// attachment is an additional network of a node.
type attachment struct {
	network string   // as in the spec
	aliases []string // includes the node's host name
}

// attachments returns the additional networks of node i, sorted by name. The host name
// there includes the domain in every name mode: two clusters with short names on one
// network each have an n1.
func attachments(s Spec, i int) []attachment {
	n := s.filled(i)
	var list []attachment
	for _, name := range sortedKeys(n.Networks) {
		aliases := slices.Concat([]string{s.names().Dotted(n.Name)}, n.Networks[name])
		slices.Sort(aliases)
		list = append(list, attachment{name, slices.Compact(aliases)})
	}
	return list
}

// attach connects a container that was just created to the additional networks of its
// node. An engine of version 20.10 accepts only one network at creation.
func (c *Cluster) attach(ctx context.Context, s *site, id string, i int) error {
	for _, a := range attachments(s.spec, i) {
		to := a.network
		if known := s.elsewhere[to]; known != "" {
			to = known
		}
		if err := c.retryUnavailable(ctx, func() error { return c.eng.ConnectNetwork(ctx, to, id, a.aliases) }); err != nil {
			return fmt.Errorf("attach to network %s: %w", a.network, err)
		}
	}
	return nil
}

// elsewhere returns the IDs of the networks that a spec names. If some are missing, it
// returns an error together with those that it found.
func (s Spec) elsewhere(all []Network) (map[string]string, error) {
	ids, missing := map[string]string{}, []string{}
	for i := range s.Nodes {
		for _, a := range attachments(s, i) {
			if _, seen := ids[a.network]; seen || slices.Contains(missing, a.network) {
				continue
			}
			found := named(all, a.network)
			switch len(found) {
			case 0:
				missing = append(missing, a.network)
			case 1:
				ids[a.network] = found[0].ID
			default:
				return ids, WithHint(fmt.Errorf("networks: %d networks are called %s", len(found), a.network), "name one by its ID, see: docker network ls --no-trunc")
			}
		}
	}
	if len(missing) == 0 {
		return ids, s.onceEach(ids)
	}
	hints := make([]string, len(missing), len(missing)+1)
	for i, name := range missing {
		hints[i] = "make it: docker network create " + name
	}
	hints = append(hints, "or see which there are: docker network ls")
	return ids, WithHint(fmt.Errorf("networks: the engine has no network %s: %w", strings.Join(missing, ", "), ErrNotFound), "%s", strings.Join(hints, "\n"))
}

// onceEach returns an error for a node that names a network both by name and by ID: the
// engine would keep the aliases of only one of them.
func (s Spec) onceEach(ids map[string]string) error {
	for i := range s.Nodes {
		by := map[string]string{}
		for _, a := range attachments(s, i) {
			id := ids[a.network]
			if other, twice := by[id]; twice {
				return WithHint(fmt.Errorf("networks: %s and %s are one network: %w", other, a.network, ErrConflict), "leave one of them out, with the names of both")
			}
			by[id] = a.network
		}
	}
	return nil
}

// shortID is the length of an ID as the docker command shows it.
const shortID = 12

// named returns the networks with that name or ID, or with an ID that begins with it.
func named(all []Network, name string) []Network {
	var byName, byStart []Network
	for _, n := range all {
		switch {
		case n.ID == name:
			return []Network{n}
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
