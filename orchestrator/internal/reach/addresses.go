package reach

import (
	"net/netip"

	"github.com/beamyard/beamyard/network"
	"github.com/beamyard/beamyard/network/erldist"
	"github.com/beamyard/beamyard/orchestrator"
)

// EPMDPort is the port of EPMD. Source: epmd(1).
const EPMDPort = 4369

// Addresses computes where the nodes of one cluster can be dialled from this process.
type Addresses struct {
	Direct   bool   // container addresses can be dialled
	Host     string // where the engine's published ports can be dialled
	DistPort int    // the nodes' distribution port; 0 if only their EPMD knows it
}

// Dist returns where the distribution of a node can be dialled; see
// [erldist.Dialer.Dial].
func (a Addresses) Dist(at orchestrator.Placement) string {
	if a.DistPort == 0 {
		return erldist.EPMDAddr(a.Port(at, EPMDPort))
	}
	return a.Port(at, a.DistPort)
}

// Port returns where a port inside a node's container can be dialled.
func (a Addresses) Port(at orchestrator.Placement, port int) string {
	if !a.Direct {
		for _, p := range at.Ports {
			if int(p.Container) == port {
				return network.HostPort(a.host(p), int(p.Host))
			}
		}
	}
	return network.HostPort(at.IP.String(), port)
}

// host returns where a published port is dialled: at the address of one machine that it is
// published at, if it is, and else at the engine's.
func (a Addresses) host(p orchestrator.PortBinding) string {
	if at, err := netip.ParseAddr(p.HostIP); err == nil && !at.IsUnspecified() && !at.IsLoopback() {
		return p.HostIP
	}
	return a.Host
}
