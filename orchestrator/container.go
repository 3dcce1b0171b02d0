package orchestrator

import (
	"net/netip"
	"slices"
	"time"
)

// ContainerSpec describes a container to create.
type ContainerSpec struct {
	Name       string
	Host       string // the host to create it on, by name; for an engine that stands for several
	Image      string // reference or ID
	Hostname   string // "n1.demo.test"
	Entrypoint []string
	Command    []string // empty: the image's own
	Env        []string // KEY=value
	User       string
	WorkingDir string
	Labels     map[string]string
	Stdin      bool // keep the first process's standard input open, for AttachStdin

	NetworkID string
	// NetworkOf is the ID of a container whose network namespace the new one shares: it has
	// that one's interfaces and addresses. StartContainer fails with [ErrConflict] if that
	// one does not run. It excludes Hostname, NetworkID, ExtraHosts and Ports. The namespace
	// is that of the run at the time of the start.
	NetworkOf string
	// PIDOf is the ID of a container whose process namespace the new one shares: the engine's
	// kernel ends it with the first process of that one. StartContainer fails with
	// [ErrNotRunning] if that one does not run. Unless NetworkID or NetworkOf says otherwise,
	// it has no network.
	PIDOf string
	// HostPID shares the process namespace of the engine's machine: the new container sees the
	// processes of all others, by their [ContainerState].PID. Engines may refuse it. As with
	// PIDOf, it has no network by itself.
	HostPID bool
	IP      netip.Addr // fixed; zero: the engine chooses
	Aliases []string   // DNS names in addition to the container's
	// ExtraHosts are lines of /etc/hosts, "name:address". The engine replaces the address
	// [HostGateway] with the address of its machine.
	ExtraHosts []string

	Ports  []PortBinding
	Mounts []Mount
	// Volumes are mounts of existing volumes. An empty volume is filled with the image's
	// content at its target, including the owners; if the image has none, root owns it.
	Volumes []VolumeMount
	Tmpfs   map[string]string // file systems in memory: mount options ("size=64m,mode=1777", "") by path

	Capabilities []string // in addition to the engine's defaults: "NET_ADMIN"
	NoInit       bool     // the command itself is the first process, without the engine's init

	Memory      int64         // bytes; 0 means no limit
	CPUs        float64       // 0 means no limit
	NoFile      int64         // soft and hard limit of open files; 0 leaves the engine's
	StopTimeout time.Duration // also applies to a `docker stop` from outside; whole seconds
	LogMaxSize  string        // "10m"
	LogMaxFile  int           // 3
}

// PortBinding publishes a container's TCP port on the engine's host.
type PortBinding struct {
	Container uint16
	HostIP    string // "127.0.0.1", or an address of the engine's machine: see EngineInfo.Publish
	// Host is the port there. 0 lets the engine choose one at each start: while the
	// container is running, the list of containers reports it.
	Host uint16
}

// Everywhere reports whether the port is published at every address of the engine's host.
func (p PortBinding) Everywhere() bool {
	at, err := netip.ParseAddr(p.HostIP)
	return p.HostIP == "" || err == nil && at.IsUnspecified()
}

// Mount is a read-only bind mount of a file or folder of the engine's machine.
// CreateContainer returns an error for a missing source.
type Mount struct{ Source, Target string }

// VolumeMount mounts a named volume in a container, readable and writable.
type VolumeMount struct{ Volume, Target string }

// Volume is a named volume.
type Volume struct {
	Name   string
	Host   string // see [ContainerSpec].Host
	Labels map[string]string
}

// Container is an existing container.
type Container struct {
	ID, Name string
	Host     string // see [ContainerSpec].Host; "" from the engine of one machine
	Image    string // ID or reference, as the engine reports it
	Labels   map[string]string
	Created  time.Time
	Networks []Attachment  // sorted by network name
	Ports    []PortBinding // as configured, also while it is not running
	Limits   Limits        // a list of containers does not report them
	State    ContainerState
}

// Limits of a container. An engine may report its whole machine for no limit.
type Limits struct {
	Memory int64   // bytes; 0: no limit
	CPUs   float64 // 0: no limit
}

// ContainerState is the state of a container as the engine reports it.
type ContainerState struct {
	Status     string // created, running, paused, restarting, removing, exited, dead
	Running    bool   // also true while paused
	Paused     bool
	PID        int
	ExitCode   int
	OOMKilled  bool
	Error      string // why the last start failed
	StartedAt  time.Time
	FinishedAt time.Time
}

// ContainerEvent is one event of a container.
type ContainerEvent struct {
	ID     string
	Name   string
	Action string // create, start, die, kill, stop, oom, pause, unpause, destroy
	Time   time.Time
	Labels map[string]string

	ExitCode int    // for die
	Signal   string // for kill, a number as text: "9"

	// Of an engine that stands for several hosts: the host that reported it, whether that one's
	// engine was restarted before, and for HostLost why it is lost.
	Host      string
	Restarted bool
	Text      string
}

// Actions of a [ContainerEvent] about a whole host, without a container.
const (
	HostLost = "host-lost" // it does not answer
	HostBack = "host-back" // it does again: containers may have changed
)

// Attachment is a container's attachment to one network.
type Attachment struct {
	// Network is the network's ID. An engine of version 20.10 does not report it before
	// the first start of a container: "".
	Network string     `json:"id,omitempty"`
	Name    string     `json:"name"`
	Visitor bool       `json:"-"`             // it has the name [VisitorAlias] there; a list of containers does not report it
	IP      netip.Addr `json:"ip,omitzero"`   // while the container is not running: its fixed address, if any
	IPv6    netip.Addr `json:"ipv6,omitzero"` // while it runs in a network that has IPv6
}

// Attached reports whether the container is attached to the network with this ID.
func (c Container) Attached(network string) bool {
	return slices.ContainsFunc(c.Networks, func(a Attachment) bool { return a.Network == network })
}

// Address returns the container's address in the network with this ID, or the zero value
// if it has none there.
func (c Container) Address(network string) netip.Addr {
	for _, a := range c.Networks {
		if a.Network == network {
			return a.IP
		}
	}
	return netip.Addr{}
}
