package orchestrator

import (
	"net/netip"
	"time"

	"github.com/beamyard/beamyard/orchestrator/health"
)

// Spec declares a cluster. Name and Nodes are required; every other field works with its
// zero value. [Spec.Defaulted] fills the defaults in one place, and [Spec.Validate] lists
// every problem at once. A Spec is plain data: it is stored as JSON in a label on the
// cluster's network, so that any process can adopt the cluster.
type Spec struct {
	// Name of the cluster: a lower-case DNS label. It appears in host names, container
	// names and the network's name.
	Name string `json:"name"`

	// Source is what the nodes run: a Mix project's folder, a folder with a Dockerfile,
	// or an image reference; see [images.Detect]. It is used only if Image is empty.
	Source string `json:"source,omitempty"`
	// Dockerfile is the path of a Dockerfile, relative to Source. It is needed to build
	// from a Dockerfile if Source also has a mix.exs. Default: the Mix project is run.
	Dockerfile string `json:"dockerfile,omitempty"`
	// Target is the stage of the Dockerfile to build. Default: the last one.
	Target string `json:"target,omitempty"`
	// Args are the values of the Dockerfile's build arguments (ARG).
	Args map[string]string `json:"args,omitempty"`
	// File is the path of the beamyard.yml that the spec was read from, if Source alone
	// does not lead to it. Suggested commands name it.
	File string `json:"file,omitempty"`
	// BaseImage is the base image of a Mix project: "auto" (default), a Debian suite or a
	// reference; see [images.Options].
	BaseImage string `json:"base_image,omitempty"`
	// Packages are Debian packages for a Mix project's build and for its nodes.
	Packages Packages `json:"packages,omitzero"`
	// Image is the ID or reference of the image that every node runs. If it is empty,
	// cluster.Cluster.Run builds the image from Source, as [build.Prepare] does.
	Image string `json:"image,omitempty"`
	// Precompiled says that the image holds a compiled Mix project, which Mix does not
	// check again at boot. Prepare sets it.
	Precompiled bool `json:"precompiled,omitempty"`
	// Suite requires the image to hold the project's ExUnit tests: Prepare returns an
	// error for a project without tests. No label stores it. See [discovery.RunSuite].
	Suite bool `json:"-"`
	// App is the OTP application that must be started before a node is Ready. "" takes
	// the application from Source's mix.exs; "-" requires none.
	App string `json:"app,omitempty"`

	// Nodes of the cluster, 1 to MaxNodes.
	Nodes []NodeSpec `json:"nodes"`
	// MaxNodes guards against typing errors. Default 50.
	MaxNodes int `json:"max_nodes,omitempty"`

	// Basename is the part of a BEAM name before the @. Default "app".
	Basename string `json:"basename,omitempty"`
	// Domain is appended to host names, because long names need a dot. Default "test".
	Domain string `json:"domain,omitempty"`
	// Cookie of the distribution. Default: 32 random characters.
	Cookie string `json:"cookie,omitempty"`

	// Release says that the nodes run a `mix release`. For a Mix project, the image build
	// assembles one. Any other image must hold one, started by Command or else by the
	// image's entrypoint and command. Prepare sets it for an image that holds a release.
	Release bool `json:"release,omitempty"`
	// ReleaseName is the release to assemble if a Mix project defines several. Default:
	// the only one, or default_release of mix.exs.
	ReleaseName string `json:"release_name,omitempty"`

	// Command of each node. Default: `elixir --name … -S mix run --no-halt` with the VM
	// flags of this package, which runs a Mix project; for a release, `start` of its
	// script; with an Entrypoint, no command. The single word "image" ([CommandOfImage])
	// selects the image's own entrypoint and command.
	//
	// These placeholders are replaced in Entrypoint, Command and the values of Env:
	// {node} (the node's BEAM name), {host} (its host name), {ip} (its address), {name}
	// (its short name), {cluster} (the cluster's name), {index} (the node's index, from
	// 0), {dist_port} and {http_port} (the two ports).
	Command []string `json:"command,omitempty"`
	// Entrypoint replaces the image's own; Command holds its arguments.
	Entrypoint []string `json:"entrypoint,omitempty"`
	// User that the nodes run as: a name or number from the image's /etc/passwd,
	// optionally with ":group". Default: the image's.
	User string `json:"user,omitempty"`
	// Stdin keeps the standard input of each node's first process open, for [discovery.Send].
	// Without it, a program that reads its input gets end-of-file immediately.
	Stdin bool `json:"stdin,omitempty"`
	// Env of each node; it overrides the defaults. See [NodeSpec.Env].
	Env map[string]string `json:"env,omitempty"`
	// CookieFile is an absolute path in the container. The cookie is written to it before
	// each first start, with mode 0400, owned by the user that runs. Its folder must
	// exist. With CookieFile no environment variable holds the cookie, so the VM must
	// read that file: by default a VM reads ~/.erlang.cookie. Default "": no file.
	CookieFile string `json:"cookie_file,omitempty"`
	// Files are copied into each container before its first start. A key is an absolute
	// path in the container, a value the path of a local file of at most 1 MiB. The user
	// that runs owns the copies.
	Files map[string]string `json:"files,omitempty"`
	// Volumes are named volumes of each node: a key is a name, a value a path in the
	// container. They survive the cluster, and the next cluster of the same name gets
	// them again; see [discovery.RemoveVolumes]. A new volume starts with the image's content at
	// that path, and the user that runs owns it.
	Volumes map[string]string `json:"volumes,omitempty"`
	// Tmpfs are file systems in memory, each an absolute path in the container,
	// optionally with mount options: "/run", "/tmp/cache:size=64m,mode=1777". A restart
	// empties them. The options are those of tmpfs(5) and mount(8) that the engine
	// accepts. Source: HostConfig.Tmpfs of POST /containers/create.
	Tmpfs []string `json:"tmpfs,omitempty"`
	// Networks are existing networks, by name or ID, with the names that each node has in
	// them in addition to its host name ("n1.demo.test"). Nodes are attached to them in
	// addition to the cluster's own network, which the distribution uses. They are kept
	// when the cluster is removed. The engine chooses which network is a container's
	// default route (20.10: the one whose name sorts first).
	Networks map[string][]string `json:"networks,omitempty"`
	// ExtraHosts are entries of each node's /etc/hosts: a key is a name, a value its
	// address. The address [HostGateway] stands for the engine's machine. That machine
	// also has the name host.docker.internal, unless ExtraHosts defines that name.
	ExtraHosts map[string]string `json:"extra_hosts,omitempty"`
	// Labels are set on everything that the cluster creates in the engine (containers,
	// its network, its volumes), in addition to Beamyard's own, for tools that find
	// objects by label. An existing volume keeps the labels it has.
	Labels map[string]string `json:"labels,omitempty"`
	// Secrets are keys of Env whose values never appear in output. The cookie is always a
	// secret.
	Secrets []string `json:"secrets,omitempty"`
	// MixEnv is MIX_ENV of the nodes and of the build. Env["MIX_ENV"] is the same.
	// Default for a Mix project: "dev", or "prod" with Release. Default for an image and
	// for a Dockerfile: the image's own.
	MixEnv string `json:"mix_env,omitempty"`
	// ImageEnv holds those variables of the image's environment that Beamyard merges with
	// its own: MIX_ENV and the variables with VM flags. Prepare sets it.
	ImageEnv map[string]string `json:"image_env,omitempty"`
	// Proxies are the proxy variables, such as HTTP_PROXY, that the client's engine
	// configuration sets for containers. Env overrides them. Prepare sets it.
	Proxies map[string]string `json:"proxies,omitempty"`

	// HTTPPort is the TCP port inside the container that the application listens on
	// (PORT, PHX_PORT). Default 4000; -1 if there is none.
	HTTPPort int `json:"http_port,omitempty"`
	// HTTPCheck is a path that must answer 2xx or 3xx before a node is Ready, for
	// instance "/health". "" disables the check.
	HTTPCheck string `json:"http_check,omitempty"`
	// Loopback says how to treat applications that listen only on 127.0.0.1 or ::1 inside
	// their containers: "forward" (default) makes their ports reachable through a process
	// in the node's VM; "leave" leaves them unreachable.
	Loopback LoopbackMode `json:"loopback,omitempty"`
	// Checks are custom checks: a node is Ready only while it passes them.
	Checks []Check `json:"checks,omitempty"`
	// Ready are checks that each run of a node must pass once, before it first becomes
	// Ready. They are not repeated.
	Ready []Check `json:"ready,omitempty"`
	// Health sets the thresholds of the health checks. A node whose resources exceed
	// theirs is Degraded.
	Health health.Thresholds `json:"health,omitzero"`
	// HostPort is where the scan for the host ports of HTTPPort starts. Default 4200.
	HostPort int `json:"host_port,omitempty"`
	// Distribution says how the nodes are named and found.
	Distribution Distribution `json:"distribution,omitzero"`

	// Pool is the address range that the cluster's subnet is taken from. Default
	// 10.213.0.0/16.
	Pool netip.Prefix `json:"pool,omitzero"`

	// Subnet of this cluster, taken from Pool. Run sets it.
	Subnet netip.Prefix `json:"subnet,omitzero"`

	// Mesh says what connects the nodes. With "beamyard" (default), Beamyard connects
	// every pair, and reconnects them after a restart. With "app", the application
	// connects them. With "none", the nodes are not connected, and a node is Ready
	// without seeing another.
	Mesh MeshMode `json:"mesh,omitempty"`
	// NetTick is the kernel's net_ticktime, in whole seconds: how long a peer may be
	// silent before it counts as down. Default 0: the VM's own 60 s.
	NetTick time.Duration `json:"net_tick,omitempty"`

	// Restart policy of each node.
	Restart RestartPolicy `json:"restart,omitzero"`
	// OnFailed says what happens to the other nodes when a node of a formed cluster fails
	// for good: "keep" (default) or "stop-cluster".
	OnFailed FailedMode `json:"on_failed,omitempty"`
	// KeepOnFailure keeps containers and network for inspection if the cluster does not
	// form, or is stopped by OnFailed. Only `beamyard down`, or [discovery.Prune] by age, removes
	// them then.
	KeepOnFailure bool `json:"keep_on_failure,omitempty"`
	// KeepDumps is a folder to copy the nodes' crash dumps to, with mode 0600, before the
	// next run or the removal deletes them. It should be absolute, because the next
	// supervisor may have another working directory. Default "": dumps are not copied. A
	// dump shows the whole VM, including its cookie.
	KeepDumps string `json:"keep_dumps,omitempty"`

	// ReadyTimeout is the deadline of the whole cluster, counted from the creation of the
	// first container. Default 30 s, plus 2 s for each node above 10: on a small machine
	// that many nodes boot one after the other.
	ReadyTimeout time.Duration `json:"ready_timeout,omitempty"`
	// StopTimeout is how long a node may take to stop before SIGKILL. Default 5 s; the
	// engine counts whole seconds.
	StopTimeout time.Duration `json:"stop_timeout,omitempty"`

	// OutputLines is how many lines are kept of each stream of each node. Default 1000.
	OutputLines int `json:"output_lines,omitempty"`

	// Memory limit of each container, in bytes. Default 0: no limit.
	Memory int64 `json:"memory,omitempty"`
	// CPUs is the CPU limit of each container. Default 0: no limit.
	CPUs float64 `json:"cpus,omitempty"`

	// Owner is the process that keeps the cluster; see [Owner].
	Owner Owner `json:"owner,omitzero"`
}

// CommandOfImage as the only word of a [Spec].Command selects the image's own ENTRYPOINT
// and CMD.
const CommandOfImage = "image"

// Distribution says how the nodes of a cluster are named, and where they listen.
type Distribution struct {
	// Names are "long" (default), app@n1.demo.test; "short", app@n1; or "ip",
	// app@10.213.7.2. With "short", the containers' host names are also short: n1, ….
	// With "ip", the names are those that libraries expect which find nodes by a DNS
	// query (dns_cluster, libcluster's DNSPoll), and DNS_CLUSTER_QUERY is the name of all
	// nodes, "demo.test", unless Env sets it.
	Names NameMode `json:"names,omitempty"`
	// EPMD makes each node start EPMD and register with it, for applications that query
	// it. Default false: every node is found on Port without EPMD. It only changes the
	// default command; a custom command must start the VM accordingly.
	EPMD bool `json:"epmd,omitempty"`
	// Port inside the container that each node's distribution listens on; a custom
	// command must use it. Default 9100. With EPMD and a custom command without
	// {dist_port}, the default is 0: each node's EPMD reports its port. The nodes'
	// addresses must then be reachable from this process.
	Port int `json:"port,omitempty"`
	// Inet6 makes the nodes connect to each other over IPv6 (-proto_dist inet6_tcp), as
	// some production hosts require. The cluster's network then has IPv6 too, and each
	// host name an AAAA record. A custom command must set the flag itself. An engine
	// without IPv6 returns [ErrNoIPv6].
	Inet6 bool `json:"inet6,omitempty"`
	// OverlappingPartitions sets the kernel's prevent_overlapping_partitions to false:
	// two nodes may be disconnected while a third is connected to both. Default false:
	// since OTP 25, global disconnects such a third node from one of them. A custom
	// command must set the flag itself. Source: kernel(6).
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

// NodeSpec declares one node. Fields that are unset take the cluster's value.
type NodeSpec struct {
	// Name of the node: a lower-case DNS label, unique in the cluster.
	Name string `json:"name"`
	// Image reference; it replaces the cluster's.
	Image string `json:"image,omitempty"`
	// ImageEnv is the node image's counterpart of [Spec].ImageEnv. Prepare sets it.
	ImageEnv map[string]string `json:"image_env,omitempty"`
	// Command, Entrypoint and User replace the cluster's. An Entrypoint without a Command
	// has no arguments.
	Command    []string `json:"command,omitempty"`
	Entrypoint []string `json:"entrypoint,omitempty"`
	User       string   `json:"user,omitempty"`
	// Role that the node shares with others; "" if it has none. Wherever nodes are named,
	// a role's name stands for all of its nodes.
	Role string `json:"role,omitempty"`
	// App, MixEnv, ReleaseName, HTTPPort and HTTPCheck replace the cluster's. A node with
	// another MIX_ENV or release gets its own image, built from the cluster's Source.
	// HTTPCheck "-" disables the check.
	App         string `json:"app,omitempty"`
	MixEnv      string `json:"mix_env,omitempty"`
	ReleaseName string `json:"release_name,omitempty"`
	HTTPPort    int    `json:"http_port,omitempty"`
	HTTPCheck   string `json:"http_check,omitempty"`
	// Checks and Ready are added to the cluster's; a check replaces one of the same name
	// there.
	Checks []Check `json:"checks,omitempty"`
	Ready  []Check `json:"ready,omitempty"`
	// Dockerfile of the cluster's Source, in place of the cluster's build: the node gets
	// its own image. Target and Args then belong to this Dockerfile, and the cluster's
	// are ignored. Without a Dockerfile, Target replaces the cluster's, and Args override
	// the cluster's.
	Dockerfile string            `json:"dockerfile,omitempty"`
	Target     string            `json:"target,omitempty"`
	Args       map[string]string `json:"args,omitempty"`
	// Built says that Image was built from the cluster's Source, and Precompiled that it
	// holds a compiled Mix project. Prepare sets them.
	Built       bool `json:"built,omitempty"`
	Precompiled bool `json:"precompiled,omitempty"`
	// Release says whether the node runs a `mix release`, for a node with its own image.
	// If it is set, the cluster's Command and Entrypoint are ignored: the node's are
	// complete. Prepare sets it.
	Release *bool `json:"release,omitempty"`
	// Env overrides the cluster's.
	Env map[string]string `json:"env,omitempty"`
	// Volumes override the cluster's, by their names.
	Volumes map[string]string `json:"volumes,omitempty"`
	// Tmpfs is added to the cluster's; an entry replaces the cluster's at the same path.
	Tmpfs []string `json:"tmpfs,omitempty"`
	// Networks override the cluster's, by their names.
	Networks map[string][]string `json:"networks,omitempty"`
	// ExtraHosts override the cluster's, by their names.
	ExtraHosts map[string]string `json:"extra_hosts,omitempty"`
	// After lists nodes, by name or role, that must be Ready before this one is started,
	// when the cluster starts. If one of them fails for good, this node is not started.
	// Later starts and restarts do not wait, and neither does a manual start.
	After []string `json:"after,omitempty"`
	// Memory (bytes) and CPUs replace the cluster's limits. 0: the cluster's.
	Memory int64   `json:"memory,omitempty"`
	CPUs   float64 `json:"cpus,omitempty"`
	// Ports to publish in addition to the HTTP port.
	Ports []PortSpec `json:"ports,omitempty"`
	// HostPort fixes the host port of the HTTP port; 0 scans for a free one.
	HostPort int `json:"host_port,omitempty"`
}

// PortSpec publishes an additional TCP port of a node.
type PortSpec struct {
	Container int `json:"container"`
	Host      int `json:"host,omitempty"` // 0: a free port is chosen and pinned
}

// FailedMode says what the final failure of a node means for the cluster.
type FailedMode string

// The modes of [Spec].OnFailed.
const (
	FailedKeep        FailedMode = "keep"
	FailedStopCluster FailedMode = "stop-cluster"
)

// MeshMode says what connects the nodes with each other.
type MeshMode string

// The mesh modes.
const (
	MeshBeamyard MeshMode = "beamyard"
	MeshApp      MeshMode = "app"
	MeshNone     MeshMode = "none"
)

// NodeOf returns the node of that name, with the fields that it takes from the cluster
// filled in.
func (s Spec) NodeOf(name string) (NodeSpec, bool) {
	i := s.Index(name)
	if i < 0 {
		return NodeSpec{}, false
	}
	return s.Defaulted().NodeAt(i), true
}

// LoopbackMode says how to treat applications that listen only on 127.0.0.1.
type LoopbackMode string

// The modes of [Spec].Loopback.
const (
	LoopbackForward LoopbackMode = "forward"
	LoopbackLeave   LoopbackMode = "leave"
)

// HostGateway is, in [Spec].ExtraHosts, the word for the address at which a
// container reaches the engine's machine. Docker 20.10 and newer support it.
const HostGateway = "host-gateway"

// Packages are Debian packages, added to those of a Mix project's base; see
// [images.Packages].
type Packages struct {
	// Build packages are installed while the project is compiled, in addition to make,
	// gcc, g++, erlang-dev and git.
	Build []string `json:"build,omitempty"`
	// Run packages are installed in the image that the nodes run.
	Run []string `json:"run,omitempty"`
}
