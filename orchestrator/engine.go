package orchestrator

import (
	"context"
	"io"
	"net/netip"
	"slices"
	"time"

	"github.com/beamyard/beamyard/images"
)

// Engine is what the orchestrator needs of a container engine. Package
// orchestrator/docker satisfies it over the Docker Engine API, package
// orchestrator/enginetest in memory; one contract suite holds both to the
// behaviour that is written here.
//
// Every method may be called from several goroutines at once. Errors match the
// sentinels of this package ([ErrEngineUnreachable], [ErrNotFound], …) with
// errors.Is, whatever words the engine used.
type Engine interface {
	images.Engine
	Networks
	Containers
	Streams
	Volumes

	// Info describes the engine. It is the first call of every command, so
	// its errors are the ones that name an unreachable engine, a socket
	// without permission or an API that is too old. With an error too, what is
	// known without the engine is filled in: where it is, and who said so.
	Info(ctx context.Context) (EngineInfo, error)
}

// Networks is the network part of an [Engine].
type Networks interface {
	// CreateNetwork creates a bridge network with exactly the given subnet.
	// A subnet that overlaps with another network matches [ErrSubnetOverlap],
	// exhausted address pools match [ErrAddressPool]. A taken name matches
	// [ErrNameTaken], but for two that are created at once, which engines let
	// happen: the caller keeps the ID.
	CreateNetwork(ctx context.Context, n NetworkSpec) (id string, err error)

	// ConnectNetwork attaches a container to one more network, by its name or ID,
	// where it has these DNS names beside its own, from its next start on: at once
	// where it runs. One that runs and is attached already matches [ErrConflict]; one
	// that does not run has the new names instead. A network or a container that is
	// gone matches [ErrNotFound]. Source: POST /networks/{id}/connect.
	ConnectNetwork(ctx context.Context, network, container string, aliases []string) error

	// DisconnectNetwork takes a container off a network, by its name or ID, at once
	// where it runs. One that is not attached, or is gone, is no error. Source: POST
	// /networks/{id}/disconnect.
	DisconnectNetwork(ctx context.Context, network, container string) error

	// RemoveNetwork removes a network; one that is gone is no error. One that
	// still has containers matches [ErrConflict].
	RemoveNetwork(ctx context.Context, id string) error

	// Networks lists the networks that carry all the given labels, or every
	// network when labels is empty.
	Networks(ctx context.Context, labels map[string]string) ([]Network, error)
}

// Containers is the container part of an [Engine].
type Containers interface {
	// CreateContainer creates a container and returns its ID. A taken name
	// matches [ErrNameTaken], a missing image [ErrNotFound]. An engine that has no
	// init fails with [ErrNoInit], here or at the start, unless c.NoInit.
	CreateContainer(ctx context.Context, c ContainerSpec) (id string, err error)

	// StartContainer starts a created or exited container; one that runs
	// already is no error. A host port in use matches [ErrPortTaken], what the
	// runtime refuses [ErrCannotStart], limits that the engine may not raise
	// [ErrUlimit], an init that it lacks [ErrNoInit], an address or a network name that is not one container's
	// alone at the moment [ErrConflict]. A command that the image lacks is no
	// error here: the container's init finds out, and exits with 127.
	StartContainer(ctx context.Context, id string) error

	// StopContainer sends the stop signal (SIGTERM), waits up to grace, and
	// then sends SIGKILL; it returns when the container has exited. One that
	// is not running is no error; one that is gone matches [ErrNotFound].
	StopContainer(ctx context.Context, id string, grace time.Duration) error

	// KillContainer sends a signal ("KILL", "TERM", "USR1", …). A container
	// that does not run matches [ErrNotRunning].
	KillContainer(ctx context.Context, id, signal string) error

	// PauseContainer freezes all processes of a container, which then neither run
	// nor answer, and keep their connections; one that is paused already is no
	// error. A container that does not run matches [ErrNotRunning]. Source: POST
	// /containers/{id}/pause.
	PauseContainer(ctx context.Context, id string) error

	// UnpauseContainer has them go on where they were; one that is not paused is
	// no error. A container that does not run matches [ErrNotRunning]. Source:
	// POST /containers/{id}/unpause.
	UnpauseContainer(ctx context.Context, id string) error

	// RemoveContainer kills and removes a container with its anonymous
	// volumes; one that is gone is no error.
	RemoveContainer(ctx context.Context, id string) error

	// Containers lists all containers, running or not, that carry all the
	// given labels (every container when labels is empty). Listed values lack
	// State.ExitCode, OOMKilled, StartedAt, FinishedAt and Error where the
	// engine's list has them not: use InspectContainer.
	Containers(ctx context.Context, labels map[string]string) ([]Container, error)

	// InspectContainer returns one container by ID or name, or [ErrNotFound].
	InspectContainer(ctx context.Context, id string) (Container, error)

	// OpenFile reads a regular file out of a container, which need not run, and
	// tells when it was last modified. A path that is not there matches
	// [ErrNotFound], a folder or a link [ErrNoRegularFile] too. Source: GET
	// /containers/{id}/archive.
	OpenFile(ctx context.Context, id, path string) (content io.ReadCloser, modified time.Time, err error)

	// WriteFiles unpacks a tar stream at the root of a container, which need not
	// run: what is there is replaced, owners, modes and times are the archive's. A
	// container that is gone matches [ErrNotFound]. Source: PUT
	// /containers/{id}/archive.
	WriteFiles(ctx context.Context, id string, archive io.Reader) error
}

// Volumes is the part of an [Engine] that keeps data without a container.
type Volumes interface {
	// CreateVolume creates a named volume; one of that name that is there already
	// stays as it is, its labels too, and is no error. Source: POST
	// /volumes/create.
	CreateVolume(ctx context.Context, v Volume) error

	// RemoveVolume removes a volume with what is in it; one that is gone is no
	// error. One that a container has, running or not, matches [ErrConflict].
	// Source: DELETE /volumes/{name}.
	RemoveVolume(ctx context.Context, name string) error

	// Volumes lists the volumes that carry all the given labels, or every volume
	// when labels is empty, by name. Source: GET /volumes.
	Volumes(ctx context.Context, labels map[string]string) ([]Volume, error)
}

// Streams is the part of an [Engine] that keeps talking.
type Streams interface {
	// Events sends the container events of everything that carries the given
	// labels, from since on (inclusive, nanoseconds; the zero time means from
	// now), to fn, in the engine's order, until ctx ends or the stream breaks.
	// It returns ctx.Err() or the cause of the break, never nil. ready is
	// called once the engine has accepted the subscription: what happens after
	// it is heard. fn must return quickly: the engine skips readers that
	// stall for more than 100 ms.
	//
	// A container's events come in the order of their times. Those of several are in
	// the order in which the engine noted them, which can differ from their times' by
	// moments; and what is replayed begins after the last of these that is older than
	// since. So an event at or soon after since can be left out: who must miss none
	// asks from a second earlier, and drops what it has seen.
	//
	// Only these actions are sent: create, start, die, kill, stop, oom, pause,
	// unpause, destroy.
	Events(ctx context.Context, since time.Time, labels map[string]string, ready func(), fn func(ContainerEvent)) error

	// Logs opens the container's output in the engine's multiplexed framing
	// (8-byte header: stream, 0, 0, 0, length big-endian; then the payload),
	// every frame prefixed by an RFC 3339 nanosecond time and a space, from
	// since on (inclusive; zero means everything kept). With follow the stream
	// stays open until the container exits or ctx ends; on a container that
	// does not run it ends at once. Source: GET /containers/{id}/logs.
	Logs(ctx context.Context, id string, since time.Time, follow bool) (io.ReadCloser, error)

	// Exec runs a command in a running container, without a shell, with its streams
	// connected, and returns its exit code when it has ended and all its output is
	// written. One that the container lacks, or may not run, matches
	// [ErrCannotStart], and the exit code is 126 or 127. A container that does not
	// run, is paused, or ends meanwhile, matches [ErrNotRunning]; one that is gone
	// [ErrNotFound]. Where a writer fails, the command is killed and the writer's
	// error returned. When ctx ends first, the error is ctx's. Whatever a killed
	// command started is killed before Exec returns, for which it takes some seconds
	// at most (a container without sh and grep cannot be helped). A Read of
	// spec.Stdin that is under way then is not waited for. Sources: POST
	// /containers/{id}/exec, POST /exec/{id}/start, POST /exec/{id}/resize, GET
	// /exec/{id}/json.
	Exec(ctx context.Context, id string, spec ExecSpec) (exitCode int, err error)

	// AttachStdin writes to the standard input of a container's first process,
	// until in ends, and returns when the engine has taken all of it, or with ctx: a
	// Read that is under way then is not waited for. The input stays open for the
	// next one. A container that was created without
	// [ContainerSpec].Stdin matches [ErrNoStdin], one that does not run
	// [ErrNotRunning], one that is gone [ErrNotFound]. A process that does not
	// read holds it up once a pipe is full (64 KiB). Source: POST
	// /containers/{id}/attach.
	AttachStdin(ctx context.Context, id string, in io.Reader) error
}

// EngineInfo describes an engine.
type EngineInfo struct {
	ID         string    // the engine's own identity, stable over restarts
	Version    string    // "20.10.24"
	APIVersion string    // the negotiated one, "1.41"
	Time       time.Time // the engine's clock
	CPUs       int
	Local      bool   // the socket is a unix socket on this machine
	Host       string // where published ports can be dialled: "127.0.0.1", or the remote engine's host
	Endpoint   string // "unix:///var/run/docker.sock", without credentials
	MTU        string // com.docker.network.driver.mtu of the default bridge, "" when unset

	// Proxies are the variables (HTTP_PROXY, http_proxy, …) that the client's
	// configuration has for the containers of this engine. Values may hold passwords.
	Proxies map[string]string `json:"-"`

	// Where Endpoint came from; filled without an answer, too.
	From    EndpointSource
	Context string // the docker context that named it, "" where none did
	TLS     bool   // it is spoken to over TLS

	// What it runs on and with. Source: GET /info.
	System        string   // "Debian GNU/Linux 12 (bookworm)"
	OS, Arch      string   // "linux", "x86_64"
	Kernel        string   // "6.1.0-18-amd64"
	Memory        int64    // bytes of the machine
	RootDir       string   // where it keeps images and containers, on its own machine
	StorageDriver string   // "overlay2"
	CgroupVersion string   // "1" or "2"
	CgroupDriver  string   // "systemd", "cgroupfs", "none"
	MemoryLimit   bool     // it can limit a container's memory
	SwapLimit     bool     // and the swap that goes with it
	PidsLimit     bool     // it can limit a container's processes
	Security      []string // of seccomp, apparmor, selinux, rootless, userns, cgroupns: what is on
	Warnings      []string // its own, as it words them
}

// EndpointSource says who named an engine's address.
type EndpointSource string

// The sources of an endpoint, the strongest first.
const (
	EndpointFlag    EndpointSource = "flag"        // the caller: docker.Options
	EndpointEnv     EndpointSource = "DOCKER_HOST" // the variable
	EndpointContext EndpointSource = "context"     // a docker context
	EndpointDefault EndpointSource = "default"     // nobody: the usual socket
)

// NetworkSpec describes a network to create.
type NetworkSpec struct {
	Name    string
	Subnet  netip.Prefix
	Gateway netip.Addr
	IPv6    netip.Prefix // a second subnet; zero: the network has no IPv6
	IPRange netip.Prefix // where addresses come from that nobody fixed; zero: the whole subnet
	MTU     string       // copied from the default bridge; "" for the engine's default
	Labels  map[string]string
}

// Network is a network that exists.
type Network struct {
	ID, Name   string
	Subnets    []netip.Prefix // those of IPv4 first
	Created    time.Time
	Labels     map[string]string
	Containers int // attached and running; filled by the engine where it is cheap, else 0
}

// ContainerSpec describes a container to create.
type ContainerSpec struct {
	Name       string
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
	IP        netip.Addr // fixed; zero: the engine chooses
	Aliases   []string   // DNS names beside the container's
	// ExtraHosts are lines of its /etc/hosts, "name:address"; for [HostGateway] the
	// engine puts in the address of its machine.
	ExtraHosts []string

	Ports  []PortBinding
	Mounts []Mount
	// Volumes that were created before. One that is empty gets what the image has
	// at its target, with its owners; where the image has nothing it is root's.
	Volumes []VolumeMount
	Tmpfs   map[string]string // mount options ("size=64m,mode=1777", "") of file systems in memory, by path

	Capabilities []string // beside the engine's default ones: "NET_ADMIN"
	NoInit       bool     // its first process is the command itself, and no init of the engine's

	Memory      int64         // bytes; 0 means no limit
	CPUs        float64       // 0 means no limit
	NoFile      int64         // soft = hard limit of open files; 0 leaves the engine's
	StopTimeout time.Duration // used also by a foreign `docker stop`; whole seconds
	LogMaxSize  string        // "10m"
	LogMaxFile  int           // 3
}

// PortBinding publishes a container's TCP port on the engine's host.
type PortBinding struct {
	Container uint16
	HostIP    string // "127.0.0.1", or "0.0.0.0" where the engine is remote
	// Host is the port there. 0 lets the engine choose one at each start: the
	// list of containers tells which, while it runs.
	Host uint16
}

// everywhere says that it is published at every address of the engine's host.
func (p PortBinding) everywhere() bool {
	at, err := netip.ParseAddr(p.HostIP)
	return p.HostIP == "" || err == nil && at.IsUnspecified()
}

// Mount shows a container a file or folder of the engine's machine, read-only
// (a bind mount). A source that is not there is an error of CreateContainer.
type Mount struct{ Source, Target string }

// VolumeMount shows a container a named volume, to read and to write.
type VolumeMount struct{ Volume, Target string }

// Volume is a named volume.
type Volume struct {
	Name   string
	Labels map[string]string
}

// Container is a container that exists.
type Container struct {
	ID, Name string
	Image    string // ID or reference, as the engine tells it
	Labels   map[string]string
	Created  time.Time
	Networks []Attachment  // by the networks' names
	Ports    []PortBinding // as configured, also while it does not run
	State    ContainerState
}

// ContainerState is what the engine says of a container.
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

	ExitCode int    // of die
	Signal   string // of kill, a number as text: "9"
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

// ExecSpec is a command in a container, and what its streams are connected to.
type ExecSpec struct {
	Command []string // without a shell
	Env     []string // KEY=value, over the container's own
	User    string   // a name, "uid" or "uid:gid"; "" is the container's
	Dir     string   // absolute; "" is the container's

	Stdin  io.Reader // nil: there is no input
	Stdout io.Writer // nil: dropped
	Stderr io.Writer // nil: dropped; nothing comes here with a TTY

	TTY *TTY // nil: none

	// Signals are sent to the command and to all that it started: "INT", "TERM".
	// A container without sh and grep cannot be helped. Nil: none are.
	Signals <-chan string
}

// TTY is the terminal of a command.
type TTY struct {
	Size    TTYSize
	Resizes <-chan TTYSize // nil: it keeps its size
}

// TTYSize is in characters.
type TTYSize struct{ Columns, Rows uint }
