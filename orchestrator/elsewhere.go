package orchestrator

import (
	"context"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// This file is about networks that are not the cluster's: somebody made them
// before, nodes are attached to them beside their own, and they stay.

// attachment is one more network of a node.
type attachment struct {
	network string   // as the spec has it
	aliases []string // the node's host name is one of them
}

// attachments of node i, by the networks' names. The host name has its domain
// there whatever the BEAM names are: of two clusters with short names on one
// network each has an n1.
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

// attach gives a container that was just made the other networks of its node. An
// engine of 20.10 takes one network with a creation.
func (c *Cluster) attach(ctx context.Context, s *site, id string, i int) error {
	for _, a := range attachments(s.spec, i) {
		to := a.network
		if known := s.elsewhere[to]; known != "" {
			to = known
		}
		if err := c.patiently(ctx, func() error { return c.eng.ConnectNetwork(ctx, to, id, a.aliases) }); err != nil {
			return fmt.Errorf("attach to network %s: %w", a.network, err)
		}
	}
	return nil
}

// elsewhere finds the IDs of the networks that a spec names. What it does not find
// is an error, beside those that it found.
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

// onceEach refuses a node that names a network twice, by its name and by its ID: the
// engine would keep the names of one of them alone.
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

// shortID is how much of an ID the docker command shows.
const shortID = 12

// named are the networks that have a name or an ID, or an ID that begins so.
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

// Attachment is a container's place in one network.
type Attachment struct {
	// Network is its ID. An engine of 20.10 does not tell it before the first start
	// of a container: "".
	Network string     `json:"id,omitempty"`
	Name    string     `json:"name"`
	Visitor bool       `json:"-"`           // it has the name [VisitorAlias] there; a list of containers does not tell
	IP      netip.Addr `json:"ip,omitzero"` // of one that does not run: the one that is fixed, if any
}

// Attached reports whether a container is in a network, by its ID.
func (c Container) Attached(network string) bool {
	return slices.ContainsFunc(c.Networks, func(a Attachment) bool { return a.Network == network })
}

// Address is a container's address in a network, by its ID; the zero value where it
// has none there.
func (c Container) Address(network string) netip.Addr {
	for _, a := range c.Networks {
		if a.Network == network {
			return a.IP
		}
	}
	return netip.Addr{}
}

var (
	// networkName is what the engine calls one (moby, daemon/names).
	networkName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]*$`)
	aliasName   = regexp.MustCompile(`^[a-zA-Z0-9]([a-zA-Z0-9_.-]*[a-zA-Z0-9])?$`)
	// engineNetworks have no names to be found by, and take nobody beside others.
	engineNetworks = []string{"bridge", "host", "none"}
)

func (v *validation) networks(s Spec, field string, networks map[string][]string) {
	for _, name := range sortedKeys(networks) {
		switch {
		case !networkName.MatchString(name):
			v.add(field, fmt.Sprintf("%q is no name of a network", name), "networks: {shared: [web]}, once it is made: docker network create shared")
		case slices.Contains(engineNetworks, name):
			v.add(field, fmt.Sprintf("%s is the engine's own network: nobody is found by name there", name), "make one: docker network create shared")
		case name == s.names().Network():
			v.add(field, name+" is the cluster's own network: its nodes are there already", "leave it out: networks: is for those of others")
		}
		for _, alias := range networks[name] {
			if !aliasName.MatchString(alias) {
				v.add(field, fmt.Sprintf("%s: %q is no host name", name, alias), "networks: {shared: [web]}")
			}
		}
	}
}
