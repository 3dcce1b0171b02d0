package orchestrator

import (
	"net/netip"
	"time"

	"github.com/beamyard/beamyard/orchestrator/health"
)

// Spec declares a cluster. The zero value of every field works except Name and
// Nodes; [Spec.withDefaults] fills the rest in one place and [Spec.Validate]
// lists every problem at once. It is plain data: it travels as JSON in a label
// on the cluster's network, so that any process can adopt the cluster.
type Spec struct {
	// Name of the cluster: a lower-case DNS label. It appears in host names,
	// container names and the network's name.
	Name string `json:"name"`

	// Source is what the nodes run: a Mix project's folder, a folder with a
	// Dockerfile, or an image reference; see [images.Detect]. It is used while
	// Image is empty.
	Source string `json:"source,omitempty"`
	// Dockerfile asks for the build of a Dockerfile where Source is a folder that has
	// a mix.exs too: its path, relative to Source. Default: the Mix project is run.
	Dockerfile string `json:"dockerfile,omitempty"`
	// Target is the stage to build of a Dockerfile. Default: the last one.
	Target string `json:"target,omitempty"`
	// Args are the values of a Dockerfile's arguments (ARG).
	Args map[string]string `json:"args,omitempty"`
	// File is the beamyard.yml that says all this, where Source alone would not lead
	// to it: what is proposed to be typed names it.
	File string `json:"file,omitempty"`
	// BaseImage is what a Mix project is built on: "auto" (default), a Debian
	// suite or a reference; see [images.Options].
	BaseImage string `json:"base_image,omitempty"`
	// Packages of Debian for a Mix project's build, and for its nodes.
	Packages Packages `json:"packages,omitzero"`
	// Image is the ID or reference that every node runs. Empty: [Run] makes it
	// from Source, as [Prepare] does.
	Image string `json:"image,omitempty"`
	// Precompiled says that the image holds a compiled Mix project, which Mix
	// need not look at again when it boots. Prepare sets it.
	Precompiled bool `json:"precompiled,omitempty"`
	// Suite says that the image is to hold the project's ExUnit tests: Prepare refuses a
	// project that has none. It is kept in no label. See [RunSuite].
	Suite bool `json:"-"`
	// App is the OTP application that must be started before a node is Ready.
	// "" takes what Source's mix.exs says; "-" asks for none.
	App string `json:"app,omitempty"`

	// Nodes of the cluster, 1 to MaxNodes.
	Nodes []NodeSpec `json:"nodes"`
	// MaxNodes guards against typing errors. Default 50.
	MaxNodes int `json:"max_nodes,omitempty"`

	// Basename is the part of a BEAM name before the @. Default "app".
	Basename string `json:"basename,omitempty"`
	// Domain makes host names dotted, as long names need. Default "test".
	Domain string `json:"domain,omitempty"`
	// Cookie of the distribution. Default: 32 random characters.
	Cookie string `json:"cookie,omitempty"`

	// Release says that the nodes run a `mix release`. A Mix project is made into
	// one in its image; any other image holds one, which its Command, or else its
	// own entrypoint and command, starts. Prepare sets it for an image that holds one.
	Release bool `json:"release,omitempty"`
	// ReleaseName is the release to make of a Mix project that defines several.
	// Default: the only one, or what mix.exs has as default_release.
	ReleaseName string `json:"release_name,omitempty"`

	// Command of each node. Default: `elixir --name … -S mix run --no-halt` with
	// the VM flags of this package, which a Mix project runs by; with an Entrypoint,
	// none; of a release, `start` of its script. The single word "image"
	// ([CommandOfImage]) asks for what the image runs by itself.
	//
	// In Entrypoint, Command and the values of Env the words {node}, {host}, {ip},
	// {name}, {cluster}, {index}, {dist_port} and {http_port} are replaced: the node's
	// BEAM name, its host name, its address, its short name, the cluster's name, the
	// node's place from 0, and the two ports.
	Command []string `json:"command,omitempty"`
	// Entrypoint in place of the image's own; Command is its arguments.
	Entrypoint []string `json:"entrypoint,omitempty"`
	// User that the nodes run as: a name or number of the image's own /etc/passwd,
	// with ":group" or not. Default: the image's.
	User string `json:"user,omitempty"`
	// Stdin keeps the standard input of each node's first process open, for [Send].
	// Without it a program that reads its input sees the end of it at once.
	Stdin bool `json:"stdin,omitempty"`
	// Env of each node, over the defaults. See [NodeSpec.Env].
	Env map[string]string `json:"env,omitempty"`
	// CookieFile is an absolute path in the container that the cookie is written to
	// before each first start, with mode 0400, for the user that runs. Its folder
	// must be there. With it the cookie is in no environment variable, so the VM
	// must read that file: by itself it reads ~/.erlang.cookie. Default "": none.
	CookieFile string `json:"cookie_file,omitempty"`
	// Files are copied into each container before its first start: an absolute path
	// there for each path of a file here, of at most 1 MiB, for the user that runs.
	Files map[string]string `json:"files,omitempty"`
	// Volumes are named volumes of each node: a path in the container for each
	// name. They survive the cluster, and the next one of its name has them again;
	// see [RemoveVolumes]. A new one begins with what the image has there, and
	// belongs to the user that runs.
	Volumes map[string]string `json:"volumes,omitempty"`
	// Tmpfs are file systems in memory, each an absolute path in the container, with mount
	// options or not: "/run", "/tmp/cache:size=64m,mode=1777". A restart empties them.
	// Options: those of tmpfs(5) and mount(8) that the engine takes. Source: HostConfig.Tmpfs
	// of POST /containers/create.
	Tmpfs []string `json:"tmpfs,omitempty"`
	// Networks that are there already, by name or ID, and the names that each node
	// has in them beside its host name ("n1.demo.test"). Nodes are attached to them
	// beside the cluster's own, by which they know each other; they stay when the
	// cluster goes. Which one is a container's way out the engine says (20.10: the
	// one whose name comes first).
	Networks map[string][]string `json:"networks,omitempty"`
	// ExtraHosts are names that each node finds in its /etc/hosts, with their
	// addresses; [HostGateway] for the address is the engine's machine, which is also
	// called host.docker.internal unless it is named here otherwise.
	ExtraHosts map[string]string `json:"extra_hosts,omitempty"`
	// Labels go on all that the cluster makes in the engine (containers, its
	// network, its volumes), beside its own, for who finds things by theirs. A
	// volume that was there keeps those that it has.
	Labels map[string]string `json:"labels,omitempty"`
	// Secrets are the keys of Env whose values never appear in output. The
	// cookie is always one.
	Secrets []string `json:"secrets,omitempty"`
	// MixEnv is MIX_ENV of the nodes, and of the build. Env["MIX_ENV"] is the same.
	// Default of a Mix project: "dev"; "prod" with Release. Default of an image, and
	// of a Dockerfile: its own.
	MixEnv string `json:"mix_env,omitempty"`
	// ImageEnv is the part of the image's own environment that ours is joined with:
	// MIX_ENV and the variables with flags of the VM. Prepare sets it.
	ImageEnv map[string]string `json:"image_env,omitempty"`
	// Proxies are the proxy variables that the client's configuration of the engine
	// has for containers, such as HTTP_PROXY. Those in Env win. Prepare sets it.
	Proxies map[string]string `json:"proxies,omitempty"`

	// HTTPPort is the TCP port inside the container that the application
	// listens on (PORT, PHX_PORT). Default 4000; -1 when there is none.
	HTTPPort int `json:"http_port,omitempty"`
	// HTTPCheck is a path that must answer 2xx or 3xx before a node is Ready,
	// for instance "/health". "" checks nothing.
	HTTPCheck string `json:"http_check,omitempty"`
	// Loopback says what becomes of applications that listen on 127.0.0.1 or ::1 alone,
	// inside their containers: "forward" (default) makes their ports answer all the
	// same, by a process of the node's VM; "leave" leaves them unreached.
	Loopback LoopbackMode `json:"loopback,omitempty"`
	// Checks of the cluster's own: a node is Ready only when it passes them.
	Checks []Check `json:"checks,omitempty"`
	// Ready are checks that a node passes once, before a run of it is Ready the
	// first time, and that nobody repeats.
	Ready []Check `json:"ready,omitempty"`
	// Health says from when on a figure is a failed check. A node whose resources
	// are over theirs is Degraded.
	Health health.Thresholds `json:"health,omitzero"`
	// HostPort is where the scan for host ports of HTTPPort starts. Default 4200.
	HostPort int `json:"host_port,omitempty"`
	// Distribution says how the nodes are named and found.
	Distribution Distribution `json:"distribution,omitzero"`

	// Pool is the range that the cluster's subnet is cut from. Default 10.213.0.0/16.
	Pool netip.Prefix `json:"pool,omitzero"`

	// Subnet that was cut from it for this cluster. Run sets it.
	Subnet netip.Prefix `json:"subnet,omitzero"`

	// Mesh says who connects the nodes: "beamyard" (default) connects every
	// pair, again after a restart; "app" leaves it to the application; with "none"
	// nobody does, and a node is Ready without seeing another.
	Mesh MeshMode `json:"mesh,omitempty"`
	// NetTick is the kernel's net_ticktime, in whole seconds: how long a silent
	// peer is believed. Default 0: the VM's own 60 s.
	NetTick time.Duration `json:"net_tick,omitempty"`

	// Restart policy of each node.
	Restart RestartPolicy `json:"restart,omitzero"`
	// OnFailed says what becomes of the others when a node of a formed cluster
	// fails for good: "keep" (default) or "stop-cluster".
	OnFailed FailedMode `json:"on_failed,omitempty"`
	// KeepOnFailure leaves containers and network in place when the cluster
	// does not form, or is stopped by OnFailed, so that somebody can look.
	// Nothing but `beamyard down`, or [Prune] by age, removes them then.
	KeepOnFailure bool `json:"keep_on_failure,omitempty"`
	// KeepDumps is a folder that crash dumps of nodes are copied to, mode 0600,
	// before the next run or the removal takes them. It should be absolute, as
	// the next supervisor may have another working folder. Default "": none. A
	// dump shows the whole VM, its cookie included.
	KeepDumps string `json:"keep_dumps,omitempty"`

	// ReadyTimeout is the deadline of the whole cluster, counted from the first
	// container's creation. Default 30 s, and 2 s more for each node above 10:
	// that many boot one after the other on a small machine.
	ReadyTimeout time.Duration `json:"ready_timeout,omitempty"`
	// StopTimeout is how long a node may take to stop before SIGKILL. Default
	// 5 s; the engine counts whole seconds.
	StopTimeout time.Duration `json:"stop_timeout,omitempty"`

	// OutputLines is how many lines each stream of each node keeps. Default 1000.
	OutputLines int `json:"output_lines,omitempty"`

	// Memory limits each container, in bytes. Default 0: no limit.
	Memory int64 `json:"memory,omitempty"`
	// CPUs limits each container. Default 0: no limit.
	CPUs float64 `json:"cpus,omitempty"`

	// Owner says who keeps the cluster; see [Owner].
	Owner Owner `json:"owner,omitzero"`
}

// CommandOfImage is the whole of a [Spec].Command that asks for the image's own
// ENTRYPOINT and CMD.
const CommandOfImage = "image"

// Distribution is how the nodes of a cluster are named, and where they listen.
type Distribution struct {
	// Names are "long" (default), app@n1.demo.test, or "short", app@n1: with those
	// the containers' host names are n1, … too; or "ip", app@10.213.7.2, as libraries
	// make them that find nodes by a DNS query (dns_cluster, libcluster's DNSPoll). With
	// those DNS_CLUSTER_QUERY is the name of all nodes, "demo.test", unless Env has it.
	Names NameMode `json:"names,omitempty"`
	// EPMD has each node start and register with EPMD, for applications that ask
	// it. Default false: every node is found on Port without it. It says how the
	// default command starts the VM; one of the spec's own sees to it itself.
	EPMD bool `json:"epmd,omitempty"`
	// Port inside that each node's distribution listens on; a command of the spec's own
	// must keep to it. Default 9100. With EPMD and a command of the spec's own that has no
	// {dist_port}, the default is 0: each node's port is what its EPMD says. That needs
	// nodes whose addresses can be reached from here.
	Port int `json:"port,omitempty"`
	// Inet6 has the nodes speak to each other over IPv6 (-proto_dist inet6_tcp), as some
	// hosts of production want it: the cluster's network has IPv6 too, and each host name
	// an AAAA record. A command of the spec's own sees to the flag itself. An engine
	// without IPv6 is [ErrNoIPv6].
	Inet6 bool `json:"inet6,omitempty"`
	// OverlappingPartitions sets the kernel's prevent_overlapping_partitions to false:
	// two nodes may be apart while a third is connected to both. Default false: since
	// OTP 25 global takes such a third off one of them. A command of the spec's own sees
	// to it itself. Source: kernel(6).
	OverlappingPartitions bool `json:"overlapping_partitions,omitempty"`
}

// NameMode is the kind of BEAM names.
type NameMode string

// The name modes.
const (
	LongNames  NameMode = "long"
	ShortNames NameMode = "short"
	IPNames    NameMode = "ip"
)

// NodeSpec declares one node. What it leaves out is the cluster's.
type NodeSpec struct {
	// Name of the node: a lower-case DNS label, unique in the cluster.
	Name string `json:"name"`
	// Image reference in place of what the cluster runs.
	Image string `json:"image,omitempty"`
	// ImageEnv is as [Spec].ImageEnv, of that image. Prepare sets it.
	ImageEnv map[string]string `json:"image_env,omitempty"`
	// Command, Entrypoint and User in place of the cluster's. An entrypoint without a
	// command has none.
	Command    []string `json:"command,omitempty"`
	Entrypoint []string `json:"entrypoint,omitempty"`
	User       string   `json:"user,omitempty"`
	// Role that the node has together with others, "" for one of its own: where
	// nodes are named, the role's name means all of them.
	Role string `json:"role,omitempty"`
	// App, MixEnv, ReleaseName, HTTPPort and HTTPCheck in place of the cluster's. A
	// node of another MIX_ENV or release has an image of its own, made of the
	// cluster's Source. HTTPCheck "-" asks for none.
	App         string `json:"app,omitempty"`
	MixEnv      string `json:"mix_env,omitempty"`
	ReleaseName string `json:"release_name,omitempty"`
	HTTPPort    int    `json:"http_port,omitempty"`
	HTTPCheck   string `json:"http_check,omitempty"`
	// Checks and Ready beside the cluster's; one replaces that of its name there.
	Checks []Check `json:"checks,omitempty"`
	Ready  []Check `json:"ready,omitempty"`
	// Dockerfile of the cluster's Source, in place of what the cluster is built from:
	// the node has an image of its own. Then Target and Args are this Dockerfile's, and
	// the cluster's do not count. Without a Dockerfile, Target is in place of the
	// cluster's, and Args are over the cluster's.
	Dockerfile string            `json:"dockerfile,omitempty"`
	Target     string            `json:"target,omitempty"`
	Args       map[string]string `json:"args,omitempty"`
	// Built says that Image was made of the cluster's Source, and Precompiled that it
	// holds a compiled Mix project. Prepare sets them.
	Built       bool `json:"built,omitempty"`
	Precompiled bool `json:"precompiled,omitempty"`
	// Release says of a node with an image of its own whether that holds a `mix release`
	// which the node runs. Then nothing of the cluster's Command and Entrypoint counts:
	// the node's are complete. Prepare sets it.
	Release *bool `json:"release,omitempty"`
	// Env over the cluster's.
	Env map[string]string `json:"env,omitempty"`
	// Volumes over the cluster's, by their names.
	Volumes map[string]string `json:"volumes,omitempty"`
	// Tmpfs beside the cluster's; one at the same path is in place of it.
	Tmpfs []string `json:"tmpfs,omitempty"`
	// Networks over the cluster's, by their names.
	Networks map[string][]string `json:"networks,omitempty"`
	// ExtraHosts over the cluster's, by their names.
	ExtraHosts map[string]string `json:"extra_hosts,omitempty"`
	// After are nodes, by their names or roles, that are Ready before this one is started, when the cluster
	// starts: where one of them fails for good, it is not started. Later starts and
	// restarts do not wait, nor does one by hand.
	After []string `json:"after,omitempty"`
	// Memory (bytes) and CPUs in place of the cluster's limits. 0: the cluster's.
	Memory int64   `json:"memory,omitempty"`
	CPUs   float64 `json:"cpus,omitempty"`
	// Ports to publish beside the HTTP port.
	Ports []PortSpec `json:"ports,omitempty"`
	// HostPort fixes the host port of the HTTP port; 0 scans for a free one.
	HostPort int `json:"host_port,omitempty"`
}

// PortSpec publishes one more TCP port of a node.
type PortSpec struct {
	Container int `json:"container"`
	Host      int `json:"host,omitempty"` // 0: a free one is chosen and pinned
}

// FailedMode says what a node's final failure means for the cluster.
type FailedMode string

// The modes of [Spec].OnFailed.
const (
	FailedKeep        FailedMode = "keep"
	FailedStopCluster FailedMode = "stop-cluster"
)

// MeshMode says who connects the nodes with each other.
type MeshMode string

// The mesh modes.
const (
	MeshBeamyard MeshMode = "beamyard"
	MeshApp      MeshMode = "app"
	MeshNone     MeshMode = "none"
)

// NodeOf is a node with what it takes of its cluster, by its name.
func (s Spec) NodeOf(name string) (NodeSpec, bool) {
	i := s.indexOf(name)
	if i < 0 {
		return NodeSpec{}, false
	}
	return s.Defaulted().filled(i), true
}

// LoopbackMode says what becomes of applications that listen on 127.0.0.1 alone.
type LoopbackMode string

// The modes of [Spec].Loopback.
const (
	LoopbackForward LoopbackMode = "forward"
	LoopbackLeave   LoopbackMode = "leave"
)

// HostGateway stands in [Spec].ExtraHosts for the address at which a container
// reaches the engine's machine. Docker 20.10 and newer know the word.
const HostGateway = "host-gateway"

// Packages of Debian beside those of a Mix project's base; see [images.Packages].
type Packages struct {
	// Build are at hand while the project is compiled, beside make, gcc, g++,
	// erlang-dev and git.
	Build []string `json:"build,omitempty"`
	// Run are in the image that the nodes run.
	Run []string `json:"run,omitempty"`
}
