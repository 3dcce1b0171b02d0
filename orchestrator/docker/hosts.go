package docker

import (
	"fmt"
	"maps"
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

// NewHost creates a client of the engine of one of several hosts. What the environment says of one
// engine, as BEAMYARD_HOST, is not about it.
func NewHost(h orchestrator.HostSpec) (*Engine, error) {
	return newEngine(Options{Host: h.Host, Context: h.Context, CertPath: h.TLS, Address: h.Address}, true)
}

// Open returns an engine over those of a spec's hosts. It connects to none of them.
func Open(s orchestrator.Spec) (*Hosts, error) {
	opened, machines := &Hosts{}, map[string]hosts.Machine{}
	for _, name := range slices.Sorted(maps.Keys(s.Hosts)) {
		h := s.Hosts[name]
		e, err := NewHost(h)
		if err != nil {
			opened.Close()
			return nil, fmt.Errorf("host %s: %w", name, err)
		}
		opened.engines = append(opened.engines, e)
		machines[name] = e
	}
	opened.Engine = hosts.New(machines, hosts.Options{Encrypted: s.Encrypted})
	return opened, nil
}
