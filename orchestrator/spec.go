package orchestrator

import (
	"net/netip"
	"time"

	"github.com/beamyard/beamyard/orchestrator/health"
)

// Spec declares a cluster. Name and Nodes are required; every other field works with its
// zero value. [Spec.Defaulted] fills the defaults in one place, and package validation
// lists every problem at once. A Spec is plain data: it is stored as JSON in a label on the
// cluster's network, so that any process can adopt the cluster.
//
// Each field is a key of beamyard.yml, unless its tag is file:"-". Package config makes the
// file's decoder, its JSON schema and its reference of these fields, their tags and their
// comments.
type Spec struct {
	// Name of the cluster: a lower-case DNS label. It appears in host names, container
	// names and the network's name.
	//
	// In beamyard.yml: default: the folder's name.
	Name string `json:"name" file:",maxLength=30,pattern=^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"`

	// Source is what the nodes run: a Mix project's folder, a folder with a Dockerfile and
	// no mix.exs, or an image reference.
	//
	// In beamyard.yml: a folder is relative to this file. Default: this file's folder.
	//
	// In Go: see [images.Detect]. Source is used only if Image is empty.
	Source string `json:"source,omitempty"`
	// Dockerfile is the path of the Dockerfile to build, relative to Source. Without it, a
	// folder with a mix.exs runs as a Mix project.
	Dockerfile string `json:"dockerfile,omitempty" file:",minLength=1"`
	// Target is the stage of the Dockerfile to build. Default: the last one.
	Target string `json:"target,omitempty" file:",minLength=1"`
	// Args are the values of the Dockerfile's arguments (ARG).
	Args map[string]string `json:"args,omitempty"`
	// File is the path of the beamyard.yml that the spec was read from, if Source alone
	// does not lead to it. Suggested commands name it.
	File string `json:"file,omitempty" file:"-"`
	// BaseImage is the base image of a Mix project: auto, a Debian suite (trixie,
	// bookworm), or an image reference. Default auto.
	//
	// In Go: see [images.Options].
	BaseImage string `json:"base_image,omitempty"`
	// Packages are Debian packages to install for a Mix project.
	Packages Packages `json:"packages,omitzero"`
	// Image is the reference or ID of an existing image that every node runs, in place of
	// Source.
	//
	// In Go: if it is empty, cluster.Cluster.Run builds the image from Source, as
	// [build.Prepare] does.
	Image string `json:"image,omitempty"`
	// Precompiled says that the image holds a compiled Mix project, which Mix does not
	// check again at boot. Prepare sets it.
	Precompiled bool `json:"precompiled,omitempty" file:"-"`
	// ImageBoot is "direct", or why the nodes of the image start with `mix run`. Prepare
	// sets it. See [images.Image].
	ImageBoot string `json:"image_boot,omitempty" file:"-"`
	// Suite requires the image to hold the project's ExUnit tests: Prepare returns an
	// error for a project without tests. No label stores it. See [discovery.RunSuite].
	Suite bool `json:"-" file:"-"`
	// App is the OTP application that must be started before a node is Ready; "-" for
	// none. Default: the one of mix.exs.
	App string `json:"app,omitempty"`

	// Nodes of the cluster, at most MaxNodes.
	//
	// In beamyard.yml: a number of nodes (n1, n2, …), or a list of them. Default: 3.
	Nodes []NodeSpec `json:"nodes" file:"nodes"`
	// MaxNodes is the maximum number of nodes, as a guard against typing errors. Default
	// 50.
	MaxNodes int `json:"max_nodes,omitempty" file:",min=1"`

	// Basename is the part of a BEAM name before the @. Default app.
	Basename string `json:"basename,omitempty"`
	// Domain of the host names: n1.NAME.DOMAIN. Long names need a dot. Default test.
	Domain string `json:"domain,omitempty"`
	// Cookie of the distribution. Default: 32 random characters.
	Cookie string `json:"cookie,omitempty" file:",maxLength=255"`

	// Release makes the nodes run a `mix release`. A Mix project is built into one. Any
	// other image must contain one, started by Command or else by the image's entrypoint
	// and command. An image that contains a release is recognised without this setting.
	//
	// In Go: Prepare sets it for such an image.
	Release bool `json:"release,omitempty"`
	// ReleaseName is the release to build, if mix.exs defines several. Default: the only
	// one, or default_release of mix.exs.
	ReleaseName string `json:"release_name,omitempty" file:",pattern=^[a-z][a-zA-Z0-9_]*$"`

	// Boot says how a node of a Mix project starts if Command and Entrypoint are unset.
	// auto starts it directly: Mix, mix.exs and the application are then as under `mix
	// run`, and the VM gets code paths and mix.exs from a record in the image, which takes
	// about half the processor time. A project that Mix must start gets `mix run`: the
	// build of its image decides it, and `beamyard inspect` shows why. mix always uses `mix
	// run`. direct is an error for a project that needs `mix run`. Default auto.
	Boot BootMode `json:"boot,omitempty"`
	// Command of each node. The single word image selects the image's own entrypoint and
	// command. Default: that of `mix run --no-halt`, for a Mix project (see Boot);
	// for a release, `start` of its script; nothing if Entrypoint is set.
	//
	// These placeholders are replaced in Entrypoint, Command and the values of Env:
	// {node} (the node's BEAM name), {host} (its host name), {ip} (its address), {name}
	// (its short name), {cluster} (the cluster's name), {index} (the node's index, from
	// 0), {dist_port} and {http_port} (the two ports), {dist_flags} (the VM's flags for
	// distribution.tls and inet6).
	//
	// In Go: [CommandOfImage] is the word image.
	Command []string `json:"command,omitempty" file:"command"`
	// Entrypoint of each node, in place of the image's. Its arguments are in Command.
	Entrypoint []string `json:"entrypoint,omitempty" file:"words"`
	// User that the nodes run as: a name or number from the image's /etc/passwd,
	// optionally with ":group". Default: the image's user.
	User string `json:"user,omitempty"`
	// Stdin keeps the standard input of each node's main process open, for `beamyard
	// send`. Without it, a program that reads its input gets end-of-file immediately.
	//
	// In Go: see [discovery.Send].
	Stdin bool `json:"stdin,omitempty"`
	// Env are environment variables of each node. They override the defaults.
	//
	// In beamyard.yml: a key without a value is copied from the environment of the
	// command.
	Env map[string]string `json:"env,omitempty" file:"env"`
	// CookieFile is a path in the container that the cookie is written to before a node's
	// first start, for an image that reads it there: /root/.erlang.cookie. The file has
	// mode 0400 and belongs to the user that runs. Its folder must exist. No environment
	// variable then holds the cookie. Default: the VM gets the cookie in ERL_AFLAGS.
	CookieFile string `json:"cookie_file,omitempty" file:"path"`
	// Files to copy into each container before its first start, at most 1 MiB each. A key
	// is an absolute path in the container, a value the path of a local file. The user
	// that runs owns the copies.
	//
	// In beamyard.yml: local paths are relative to this file.
	Files map[string]string `json:"files,omitempty" file:"files"`
	// Volumes are named volumes of each node: a key is a name, a value a path in the
	// container. They survive `beamyard down`, and the next cluster of the same name gets
	// them again; `beamyard down --volumes` removes them. A new volume starts with the
	// image's content at that path, and the user that runs owns it.
	//
	// In Go: see [discovery.RemoveVolumes].
	Volumes map[string]string `json:"volumes,omitempty" file:"volumes"`
	// Tmpfs are file systems in memory: absolute paths in the container, with optional
	// mount options: /run, /tmp/cache:size=64m,mode=1777. A restart empties them. The
	// options are those of tmpfs(5) and mount(8) that the engine accepts.
	//
	// Source: HostConfig.Tmpfs of POST /containers/create.
	Tmpfs []string `json:"tmpfs,omitempty" file:"tmpfs"`
	// Networks are existing networks, by name or ID, to attach each node to, with the
	// aliases that it has there in addition to its host name: {shared: [web]}. The
	// distribution uses the cluster's own network. They are kept when the cluster is
	// removed. The engine chooses which network is a container's default route (20.10: the
	// one whose name sorts first).
	Networks map[string][]string `json:"networks,omitempty" file:"networks"`
	// ExtraHosts are entries to add to each node's /etc/hosts: a key is a name, a value
	// its address, {db.local: 10.0.0.7}. The address host-gateway stands for the engine's
	// machine. That machine also has the name host.docker.internal, unless ExtraHosts
	// defines that name.
	//
	// In beamyard.yml: a list is accepted too, as in Compose.
	//
	// In Go: [HostGateway] is the word host-gateway.
	ExtraHosts map[string]string `json:"extra_hosts,omitempty" file:"extra_hosts"`
	// Labels to add to the containers, the network and the volumes of the cluster, for
	// tools that find objects by label. An existing volume keeps the labels it has.
	Labels map[string]string `json:"labels,omitempty" file:"labels"`
	// Secrets are keys of Env whose values are masked wherever Beamyard prints them. The
	// cookie is always masked.
	Secrets []string `json:"secrets,omitempty"`
	// MixEnv is MIX_ENV of the build and of the nodes; the same as MIX_ENV in Env.
	// Default: dev for a Mix project, prod for a release, and the image's own for an
	// image or a Dockerfile.
	MixEnv string `json:"mix_env,omitempty"`
	// ImageEnv holds those variables of the image's environment that Beamyard merges with
	// its own: MIX_ENV and the variables with VM flags. Prepare sets it.
	ImageEnv map[string]string `json:"image_env,omitempty" file:"-"`
	// Proxies are the proxy variables, such as HTTP_PROXY, that the client's engine
	// configuration sets for containers. Env overrides them. Prepare sets it.
	Proxies map[string]string `json:"proxies,omitempty" file:"-"`

	// HTTPPort is the TCP port inside the container that the application listens on
	// (PORT, PHX_PORT); -1 for none. Default 4000.
	HTTPPort int `json:"http_port,omitempty" file:",min=-1,max=65535"`
	// HTTPCheck is a path that must answer 2xx or 3xx before a node is Ready, for
	// instance /health. Default: no check.
	HTTPCheck string `json:"http_check,omitempty" file:",pattern=^/"`
	// Loopback says what to do if an application listens only on 127.0.0.1 or ::1 in its
	// container: forward makes its port reachable through a process in the node's VM,
	// leave does nothing. Default forward.
	Loopback LoopbackMode `json:"loopback,omitempty"`
	// Checks are additional checks. A node is Ready only while it passes them; `beamyard
	// health` repeats them.
	Checks []Check `json:"checks,omitempty"`
	// Ready are checks that each run of a node must pass once, before it is Ready for the
	// first time. They are not repeated.
	Ready []Check `json:"ready,omitempty"`
	// Thresholds from which `beamyard health` reports a failed check. A node whose
	// resources exceed theirs is Degraded.
	Health health.Thresholds `json:"health,omitzero"`
	// HostPort is the first host port to try for HTTPPort. Default 4200.
	HostPort int `json:"host_port,omitempty" file:"port"`
	// Distribution says how the nodes are named and how they find each other.
	Distribution Distribution `json:"distribution,omitzero"`

	// Hosts are the machines that run the nodes, by name. Their engines must be members of
	// one swarm. Default: the one engine that the docker command would use.
	//
	// In beamyard.yml: a machine is the address of its engine, or a mapping:
	// {a: {context: big1}, b: tcp://10.0.0.7:2376}.
	Hosts map[string]HostSpec `json:"hosts,omitempty" file:"hosts"`
	// Place says how nodes without a host are placed on Hosts. With spread, each is placed
	// where the fewest nodes are; with pack, on the first host that has room, in the order of
	// their names. Default spread.
	Place PlaceMode `json:"place,omitempty"`
	// OnHostLost says what to do with the nodes of a host that does not answer. With wait, they
	// are Unreachable until it answers again. With move, they are started on another host once
	// theirs has not answered for a minute and no other node is connected to them: with empty
	// disks, the same name, and the same address if the swarm has freed it. When the lost host
	// answers again, what was moved is removed there; until then, two containers of one node may
	// run. Default wait.
	OnHostLost HostLostMode `json:"on_host_lost,omitempty"`
	// Encrypted encrypts what nodes on different hosts send to each other.
	Encrypted bool `json:"encrypted,omitempty"`

	// Pool is the address range to take the cluster's subnet from. Default 10.213.0.0/16.
	Pool netip.Prefix `json:"pool,omitzero"`

	// Subnet of this cluster, taken from Pool. Run sets it.
	Subnet netip.Prefix `json:"subnet,omitzero" file:"-"`

	// Mesh says what connects the nodes. With beamyard, Beamyard connects every pair, and
	// reconnects them after a restart. With app, the application connects them. With
	// none, they need not be connected: a node is Ready without seeing another. Default
	// beamyard.
	Mesh MeshMode `json:"mesh,omitempty"`
	// NetTick is net_ticktime of the kernel application, in whole seconds: how long a
	// peer may be silent before it counts as down. Default: the VM's own, 60s.
	NetTick time.Duration `json:"net_tick,omitempty"`

	// Restart policy of each node.
	//
	// In beamyard.yml: a mode, or a map with the keys of restart.
	Restart RestartPolicy `json:"restart,omitzero" file:"restart"`
	// OnFailed says what to do with the other nodes when a node of a formed cluster has
	// failed for good: keep leaves them running, stop-cluster stops them. Default keep.
	OnFailed FailedMode `json:"on_failed,omitempty"`
	// KeepOnFailure keeps containers and network for inspection if the cluster does not
	// form, or is stopped by OnFailed. Only `beamyard down`, or `beamyard prune` by age,
	// removes them then.
	KeepOnFailure bool `json:"keep_on_failure,omitempty"`
	// KeepDumps is a folder to copy the nodes' crash dumps to, with mode 0600, before the
	// next run or the removal deletes them. A crash dump shows the memory of the VM,
	// including the cookie. Default: dumps are not copied.
	//
	// In beamyard.yml: the folder is relative to this file.
	//
	// In Go: it should be absolute, because the next supervisor may have another working
	// directory.
	KeepDumps string `json:"keep_dumps,omitempty"`

	// ReadyTimeout is the maximum time for the whole cluster to be Ready, counted from
	// the creation of the first container. Default 30s, plus 2s for each node above 10:
	// on a small machine that many nodes boot one after the other.
	ReadyTimeout time.Duration `json:"ready_timeout,omitempty"`
	// StopTimeout is how long a node may take to stop before it gets SIGKILL. The engine
	// counts whole seconds. Default 5s.
	StopTimeout time.Duration `json:"stop_timeout,omitempty"`

	// Clock prepares the nodes for faults of their clocks: they are started with libfaketime,
	// which their image must contain (Debian's package libfaketime) and which needs glibc.
	// Until there is a fault, clocks are right. Reading the wall clock takes a little
	// longer.
	Clock bool `json:"clock,omitempty"`

	// UI serves the cluster's page from the start of its supervisor; `up` prints the URL. Without
	// it, `beamyard ui` serves the page.
	UI bool `json:"ui,omitempty"`

	// Warm is how many clusters equal to this one are started in advance for `beamyard run`,
	// `beamyard test` and the tests of package testsupport, without any code of their nodes.
	// These take one if there is one, instead of starting their own, and have the next one
	// made in the background. BEAMYARD_WARM sets it for every cluster. Default 0.
	Warm int `json:"warm,omitempty" file:",min=0,max=8"`

	// OutputLines is how many lines are kept of each stream of each node. Default 1000.
	OutputLines int `json:"output_lines,omitempty" file:",min=1"`

	// Memory limit of each container; none by default.
	//
	// In beamyard.yml: a number of bytes, or 512MiB, 2GB.
	//
	// In Go: bytes.
	Memory int64 `json:"memory,omitempty" file:"size"`
	// CPUs is the CPU limit of each container; none by default.
	CPUs float64 `json:"cpus,omitempty" file:",min=0"`

	// Owner is the process that keeps the cluster; see [Owner].
	Owner Owner `json:"owner,omitzero" file:"-"`
}

// MaxWarm is the maximum of [Spec].Warm, and of what is kept parked on a machine.
const MaxWarm = 8

// CommandOfImage as the only word of a [Spec].Command selects the image's own ENTRYPOINT
// and CMD.
const CommandOfImage = "image"

// Distribution says how the nodes of a cluster are named, and where they listen.
type Distribution struct {
	// Names are the form of the node names: long is app@n1.demo.test, short is app@n1, ip
	// is app@10.213.7.2. With short, the containers' host names are also short: n1, ….
	// With ip, DNS_CLUSTER_QUERY is the DNS name of all nodes, demo.test, unless Env sets
	// it: libraries that find nodes by a DNS query expect both (dns_cluster, libcluster's
	// DNSPoll). Default long.
	Names NameMode `json:"names,omitempty"`
	// EPMD makes each node start EPMD and register with it, for applications that query
	// it. The nodes find each other without EPMD. It only changes the default command; a
	// custom command must start the VM accordingly.
	EPMD bool `json:"epmd,omitempty"`
	// Port inside the container that each node's distribution listens on; a custom
	// command must use it. Default 9100. With EPMD and a custom command without
	// {dist_port}, each node's EPMD reports its port.
	//
	// In Go: the default is then 0, and the nodes' addresses must be reachable from this
	// process.
	Port int `json:"port,omitempty" file:"port"`
	// Inet6 makes the nodes connect to each other over IPv6 (-proto_dist inet6_tcp), as
	// some production hosts require. The cluster's network then has IPv6 too, and each
	// host name an AAAA record. A custom command must have {dist_flags} among the VM's flags.
	//
	// In Go: an engine without IPv6 returns [ErrNoIPv6].
	Inet6 bool `json:"inet6,omitempty"`
	// OverlappingPartitions allows two nodes to be disconnected while a third is connected
	// to both: it sets the kernel's prevent_overlapping_partitions to false. Without it,
	// since OTP 25, global disconnects such a third node from one of them. A custom
	// command must set the flag itself.
	//
	// Source: kernel(6).
	OverlappingPartitions bool `json:"overlapping_partitions,omitempty"`
	// TLS encrypts the distribution (-proto_dist inet_tls) and refuses each peer without a
	// certificate of the cluster's authority. true makes an authority for this cluster alone,
	// and a certificate for each node and for Beamyard. A map names files of your own, which
	// all of them then use. A custom command must have {dist_flags} among the VM's flags. A
	// release must contain ssl: extra_applications: [:ssl].
	//
	// Source: ssl, "Using TLS for Erlang Distribution".
	TLS TLS `json:"tls,omitzero" file:"tls"`
}

// TLS says how the distribution is secured. The zero value is a distribution without TLS.
type TLS struct {
	Enabled bool `json:"enabled,omitempty" file:"-"`
	// CA is a file with the certificates of the authorities that peers have theirs from, in
	// PEM, as Cert and Key are. Host names are not verified with it.
	//
	// In beamyard.yml: relative to this file.
	CA string `json:"ca,omitempty" file:",required,minLength=1"`
	// Cert is a file with the certificate of every node.
	Cert string `json:"cert,omitempty" file:",required,minLength=1"`
	// Key is a file with its private key, without a password.
	Key string `json:"key,omitempty" file:",required,minLength=1"`

	// Authority is the certificate of the cluster's own authority, and AuthorityKey its
	// private key, DER in base64. Package cluster fills them in.
	Authority    string `json:"authority,omitempty" file:"-"`
	AuthorityKey string `json:"authority_key,omitempty" file:"-"`
}

// NameMode is the kind of BEAM names.
type NameMode string

// The name modes.
const (
	LongNames  NameMode = "long"
	ShortNames NameMode = "short"
	IPNames    NameMode = "ip"
)

// BootMode says how the nodes of a Mix project start.
type BootMode string

// The modes of [Spec].Boot.
const (
	BootAuto   BootMode = "auto"
	BootMix    BootMode = "mix"
	BootDirect BootMode = "direct"
)

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
	// Build packages, installed while the project is compiled, in addition to make, gcc,
	// g++, erlang-dev and git.
	Build []string `json:"build,omitempty"`
	// Run packages, installed in the image that the nodes run.
	Run []string `json:"run,omitempty"`
}
