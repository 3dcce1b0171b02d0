package orchestrator

import (
	"context"
	"io"
	"net/netip"
	"time"

	"github.com/beamyard/beamyard/images"
)

// RemovalTime bounds the removal of a cluster's objects by the engine.
const RemovalTime = 60 * time.Second

// Engine is a container engine, as the orchestrator uses it. Package orchestrator/docker
// implements it over the Docker Engine API, and package orchestrator/enginetest in
// memory. One contract suite holds both to the behaviour documented here.
//
// All methods are safe for concurrent use. Errors match the sentinels of this package
// ([ErrEngineUnreachable], [ErrNotFound], …) with errors.Is, whatever text the engine
// used.
type Engine interface {
	images.Engine
	Networks
	Containers
	Streams
	Volumes

	// Info describes the engine. It is the first call of every command, so its errors are
	// the ones that report an unreachable engine, a socket without permission or an API
	// that is too old. Even with an error, the fields that need no answer are filled in:
	// where the engine is, and where its address came from.
	Info(ctx context.Context) (EngineInfo, error)

	// Proxies returns the variables (HTTP_PROXY, http_proxy, …) that the client's configuration
	// sets for this engine's containers. It asks nothing. Values may hold passwords.
	Proxies() map[string]string
}

// Networks is the network part of an [Engine].
type Networks interface {
	// CreateNetwork creates a bridge network with exactly the given subnet. A subnet that
	// overlaps with another network matches [ErrSubnetOverlap], and exhausted address
	// pools match [ErrAddressPool]. A taken name matches [ErrNameTaken], except if two
	// networks are created at the same time, which engines allow: the caller keeps the ID.
	CreateNetwork(ctx context.Context, n NetworkSpec) (id string, err error)

	// ConnectNetwork attaches a container to one more network, given by name or ID, with
	// these additional DNS names. A running container is attached at once, another one
	// from its next start. A running container that is already attached matches
	// [ErrConflict]; one that is not running gets the new names instead. A missing
	// network or container matches [ErrNotFound]. Source: POST /networks/{id}/connect.
	ConnectNetwork(ctx context.Context, network, container string, aliases []string) error

	// DisconnectNetwork detaches a container from a network, given by name or ID; a
	// running container at once. A container that is not attached, or does not exist, is
	// not an error. Source: POST /networks/{id}/disconnect.
	DisconnectNetwork(ctx context.Context, network, container string) error

	// RemoveNetwork removes a network. A missing network is not an error. A network that
	// still has containers matches [ErrConflict].
	RemoveNetwork(ctx context.Context, id string) error

	// Networks lists the networks that have all the given labels, or every network if
	// labels is empty.
	Networks(ctx context.Context, labels map[string]string) ([]Network, error)
}

// Containers is the container part of an [Engine].
type Containers interface {
	// CreateContainer creates a container and returns its ID. A taken name matches
	// [ErrNameTaken], a missing image [ErrNotFound]. An engine without an init program
	// fails with [ErrNoInit], here or at the start, unless c.NoInit is set.
	CreateContainer(ctx context.Context, c ContainerSpec) (id string, err error)

	// StartContainer starts a created or exited container. A running container is not an
	// error. A host port in use matches [ErrPortTaken], a refusal by the runtime
	// [ErrCannotStart], limits that the engine may not raise [ErrUlimit], and a missing
	// init program [ErrNoInit]. An address or a network name that another container has
	// at the moment matches [ErrConflict]. A command that the image lacks is not an error
	// here: the container's init discovers it, and exits with 127.
	StartContainer(ctx context.Context, id string) error

	// StopContainer sends the stop signal (SIGTERM), waits up to grace, and then sends
	// SIGKILL. It returns when the container has exited. A container that is not running
	// is not an error; a missing one matches [ErrNotFound].
	StopContainer(ctx context.Context, id string, grace time.Duration) error

	// KillContainer sends a signal ("KILL", "TERM", "USR1", …). A container that is not
	// running matches [ErrNotRunning].
	KillContainer(ctx context.Context, id, signal string) error

	// PauseContainer suspends all processes of a container: they do not run or answer,
	// and keep their connections. A paused container is not an error. A container that is
	// not running matches [ErrNotRunning]. Source: POST /containers/{id}/pause.
	PauseContainer(ctx context.Context, id string) error

	// UnpauseContainer resumes the processes. A container that is not paused is not an
	// error. One that is not running matches [ErrNotRunning]. Source: POST
	// /containers/{id}/unpause.
	UnpauseContainer(ctx context.Context, id string) error

	// LimitContainer changes the limits of a container, running or not, at once and for its
	// next runs. Engines refuse a memory limit that the processes exceed and cannot give
	// back. A missing container matches [ErrNotFound]. Source: POST
	// /containers/{id}/update.
	LimitContainer(ctx context.Context, id string, l Limits) error

	// RemoveContainer kills and removes a container with its anonymous volumes. A missing
	// container is not an error.
	RemoveContainer(ctx context.Context, id string) error

	// Containers lists all containers, running or not, that have all the given labels, or
	// every container if labels is empty. State.ExitCode, OOMKilled, StartedAt,
	// FinishedAt and Error are unset if the engine's list lacks them: use
	// InspectContainer.
	Containers(ctx context.Context, labels map[string]string) ([]Container, error)

	// InspectContainer returns one container by ID or name, or [ErrNotFound].
	InspectContainer(ctx context.Context, id string) (Container, error)

	// OpenFile opens a regular file of a container, running or not, and returns the
	// file's modification time. A missing path matches [ErrNotFound]; a folder or a link
	// matches [ErrNoRegularFile] as well. Source: GET /containers/{id}/archive.
	OpenFile(ctx context.Context, id, path string) (content io.ReadCloser, modified time.Time, err error)

	// WriteFiles unpacks a tar stream at the root of a container, running or not.
	// Existing files are replaced; owners, modes and times are those of the archive. A
	// missing container matches [ErrNotFound]. Source: PUT /containers/{id}/archive.
	WriteFiles(ctx context.Context, id string, archive io.Reader) error
}

// Volumes is the volume part of an [Engine]: data that outlives containers.
type Volumes interface {
	// CreateVolume creates a named volume. An existing volume of that name is not an
	// error, and keeps its content and labels. Source: POST /volumes/create.
	CreateVolume(ctx context.Context, v Volume) error

	// RemoveVolume removes a volume with its content. A missing volume is not an error. A
	// volume that a container uses, running or not, matches [ErrConflict]. Source: DELETE
	// /volumes/{name}.
	RemoveVolume(ctx context.Context, name string) error

	// Volumes lists the volumes that have all the given labels, or every volume if labels
	// is empty, sorted by name. Source: GET /volumes.
	Volumes(ctx context.Context, labels map[string]string) ([]Volume, error)
}

// Streams is the streaming part of an [Engine].
type Streams interface {
	// Events calls fn with the events of all containers that have the given labels, in
	// the engine's order, until ctx ends or the stream breaks. It begins at since
	// (inclusive, in nanoseconds; the zero time means now). It returns ctx.Err() or the
	// cause of the break, never nil. It calls ready once the engine has accepted the
	// subscription: later events are delivered. fn must return quickly: the engine skips
	// readers that stall for more than 100 ms.
	//
	// The events of one container are ordered by time. Those of several containers are in
	// the order in which the engine recorded them, which can differ slightly from the
	// order of their times. A replay begins after the last recorded event that is older
	// than since, so an event at or shortly after since can be missing. A caller that
	// must not miss an event passes a time one second earlier, and drops the events it
	// has already seen.
	//
	// Only these actions are sent: create, start, die, kill, stop, oom, pause, unpause,
	// destroy.
	Events(ctx context.Context, since time.Time, labels map[string]string, ready func(), fn func(ContainerEvent)) error

	// Logs opens the container's output from since on (inclusive; the zero time means
	// everything kept). With follow, it stays open until the container exits or ctx ends;
	// for a container that is not running it ends at once. The caller closes it. Source:
	// GET /containers/{id}/logs.
	Logs(ctx context.Context, id string, since time.Time, follow bool) (LogReader, error)

	// Exec runs a command in a running container, without a shell, with its streams
	// connected. It returns the exit code when the command has ended and all its output
	// is written. A command that the container lacks, or may not run, matches
	// [ErrCannotStart], with the exit code 126 or 127. A container that is not running,
	// is paused, or ends during the call matches [ErrNotRunning]; a missing one matches
	// [ErrNotFound]. If a writer fails, the command is killed and the writer's error
	// returned. If ctx ends first, the error is ctx's. Before Exec returns, it kills
	// everything that a killed command started, which takes a few seconds at most (and is
	// not possible in a container without sh and grep). It does not wait for a Read of
	// spec.Stdin that is in progress then. Sources: POST /containers/{id}/exec, POST
	// /exec/{id}/start, POST /exec/{id}/resize, GET /exec/{id}/json.
	Exec(ctx context.Context, id string, spec ExecSpec) (exitCode int, err error)

	// AttachStdin copies in to the standard input of a container's first process. It
	// returns when in has ended and the engine has taken all of it, or when ctx ends,
	// without waiting for a Read in progress then. The input stays open for the next
	// call. A container created without [ContainerSpec].Stdin matches [ErrNoStdin], one
	// that is not running [ErrNotRunning], a missing one [ErrNotFound]. A process that
	// does not read blocks the call once a pipe is full (64 KiB). Source: POST
	// /containers/{id}/attach.
	AttachStdin(ctx context.Context, id string, in io.Reader) error
}

// EngineInfo describes an engine.
type EngineInfo struct {
	ID         string    // the engine's own identity, stable across restarts
	Version    string    // "20.10.24"
	APIVersion string    // the negotiated one, "1.41"
	Time       time.Time // the engine's clock
	CPUs       int
	Local      bool   // the socket is a Unix socket on this machine
	Host       string // where published ports can be dialled: "127.0.0.1", or the remote engine's host
	Publish    string // the IP address at which ports are published: "127.0.0.1"
	Tunnelled  bool   // its machine's loopback is reached at the same ports of this one's
	Endpoint   string // "unix:///var/run/docker.sock", without credentials
	MTU        string // com.docker.network.driver.mtu of the default bridge, "" if unset

	// Where Endpoint came from. These are also filled in if the engine does not answer.
	From    EndpointSource
	Context string // the docker context that Endpoint came from, "" if none
	TLS     bool   // the connection uses TLS

	Swarm SwarmInfo // its membership of a swarm
	// Hosts are the engines of several machines that one [Engine] stands for, by name: see
	// package hosts. One that does not answer has Lost set.
	Hosts map[string]EngineInfo
	Lost  string // why this host does not answer

	// The engine's machine and its capabilities. Source: GET /info.
	System        string   // "Debian GNU/Linux 12 (bookworm)"
	OS, Arch      string   // "linux", "x86_64"
	Kernel        string   // "6.1.0-18-amd64"
	Memory        int64    // bytes of the machine
	RootDir       string   // where it keeps images and containers, on its own machine
	StorageDriver string   // "overlay2"
	Runtime       string   // the OCI runtime of its containers: "runc"
	CgroupVersion string   // "1" or "2"
	CgroupDriver  string   // "systemd", "cgroupfs", "none"
	MemoryLimit   bool     // it can limit a container's memory
	SwapLimit     bool     // it can also limit the swap
	PidsLimit     bool     // it can limit a container's processes
	Security      []string // the enabled ones of seccomp, apparmor, selinux, rootless, userns, cgroupns
	Warnings      []string // the engine's own warnings, verbatim
}

// SwarmInfo is an engine's membership of a swarm. Its zero value means none.
type SwarmInfo struct {
	Node    string // the engine's ID there
	Manager bool
	Members []string // the IDs of all members; known to managers
}

// EndpointSource says where an engine's address came from.
type EndpointSource string

// The sources of an endpoint, highest precedence first.
const (
	EndpointFlag    EndpointSource = "flag"        // the caller: docker.Options
	EndpointEnv     EndpointSource = "DOCKER_HOST" // the environment variable
	EndpointContext EndpointSource = "context"     // a docker context
	EndpointDefault EndpointSource = "default"     // none given: the usual socket
)

// NetworkSpec describes a network to create.
type NetworkSpec struct {
	Name    string
	Subnet  netip.Prefix
	Gateway netip.Addr
	IPv6    netip.Prefix // a second subnet; zero: the network has no IPv6
	IPRange netip.Prefix // the range of dynamic addresses; zero: the whole subnet
	MTU     string       // copied from the default bridge; "" for the engine's default
	Labels  map[string]string
}

// Network is an existing network.
type Network struct {
	ID, Name   string
	Subnets    []netip.Prefix // IPv4 first
	Created    time.Time
	Labels     map[string]string
	Containers int // attached and running; 0 unless the engine reports it cheaply
}

// LogReader reads a container's output, in the order in which the engine kept it.
type LogReader interface {
	// Next returns the next part. The error is io.EOF at the end of the output,
	// io.ErrUnexpectedEOF if the stream broke within a part, or a [LogError] for output
	// that is not in the engine's format, as that of a container with a terminal.
	Next() (LogPart, error)
	io.Closer
}

// LogPart is a part of a line, a line, or several lines.
type LogPart struct {
	Stream Stream
	// Time at which the engine received it, to the nanosecond. All parts of a line have
	// the time of the first. Zero for the engine's own text, which is of StreamSystem.
	Time time.Time
	// Text, with its newlines. It is valid until the next call of Next.
	Text []byte
}

// LogError says that a container's output cannot be read.
type LogError struct{ Reason string }

func (e *LogError) Error() string { return "malformed log stream: " + e.Reason }

// ExecSpec describes a command to run in a container and its streams.
type ExecSpec struct {
	Command []string // without a shell
	Env     []string // KEY=value; overrides the container's own
	User    string   // a name, "uid" or "uid:gid"; "" is the container's
	Dir     string   // absolute; "" is the container's

	Stdin  io.Reader // nil: no input
	Stdout io.Writer // nil: discarded
	Stderr io.Writer // nil: discarded; unused with a TTY

	TTY *TTY // nil: none

	// Signals are sent to the command and to everything that it started: "INT", "TERM".
	// In a container without sh and grep this is not possible. Nil: no signals are sent.
	Signals <-chan string
}

// TTY is the terminal of a command.
type TTY struct {
	Size    TTYSize
	Resizes <-chan TTYSize // nil: the size is constant
}

// TTYSize is the size of a terminal, in characters.
type TTYSize struct{ Columns, Rows uint }
