package docker

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"slices"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/hosts"
)

// Hosts is one engine over those of several machines: see [Open].
type Hosts struct {
	*hosts.Engine
	engines []*Engine
}

var _ hosts.Machine = (*Engine)(nil)

// Close closes idle connections.
func (h *Hosts) Close() {
	for _, e := range h.engines {
		e.Close()
	}
}

// Open returns an engine over those of a spec's hosts. It connects to none of them, but asks for
// the address of a host that is given by name.
func Open(ctx context.Context, s orchestrator.Spec) (*Hosts, error) {
	opened, machines := &Hosts{}, map[string]hosts.Machine{}
	for _, name := range slices.Sorted(maps.Keys(s.Hosts)) {
		h := s.Hosts[name]
		e, err := New(Options{Host: h.Host, Context: h.Context, CertPath: h.TLS})
		if err == nil {
			opened.engines = append(opened.engines, e)
			e.address, err = addressOf(ctx, e.endpoint, h)
		}
		if err != nil {
			opened.Close()
			return nil, fmt.Errorf("host %s: %w", name, err)
		}
		machines[name] = e
	}
	opened.Engine = hosts.New(machines, hosts.Options{Encrypted: s.Encrypted})
	return opened, nil
}

// addressOf returns the address at which the ports of a host's nodes are published and dialled.
func addressOf(ctx context.Context, endpoint string, h orchestrator.HostSpec) (string, error) {
	if h.Address != "" {
		return h.Address, nil
	}
	u, err := url.Parse(endpoint)
	if err != nil {
		return "", badAddress(endpoint, err)
	}
	switch u.Scheme {
	case "unix", "npipe":
		return "127.0.0.1", nil
	case "ssh":
		return "", orchestrator.WithHint(fmt.Errorf("the ports of its nodes are not tunnelled through %s: they need an address of the machine", endpoint), "give the host an address: hosts: {NAME: {…, address: 10.0.0.7}}")
	}
	if at, err := netip.ParseAddr(u.Hostname()); err == nil {
		return at.String(), nil
	}
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip4", u.Hostname())
	if err != nil {
		return "", fmt.Errorf("find the address of %s: %w", u.Hostname(), err)
	}
	return found[0].Unmap().String(), nil
}
