package manifest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/beamyard/beamyard/images"
	"github.com/beamyard/beamyard/network"
	"github.com/beamyard/beamyard/orchestrator"
)

const (
	// crashDump is where the VM writes its dump: /tmp is writable for every user, and
	// kept with the container across restarts.
	crashDump = "/tmp/erl_crash.dump"

	// NoFile is the limit of open files, which determines the size of the BEAM's port
	// tables. On engines with an infinite limit, the BEAM allocates gigabytes or closes a
	// billion descriptors at start (electric#1367, docker-library/rabbitmq#545).
	NoFile = 65536

	logMaxSize = "10m"
	logMaxFile = 3
)

// Container returns the container of node i. It is pure: two calls with the same
// input return the same container.
func Container(s orchestrator.Spec, i int, networkID string, at orchestrator.Placement, created time.Time) orchestrator.ContainerSpec {
	names, node := s.Names(), s.NodeAt(i)
	host := names.Hostname(node.Name)
	return orchestrator.ContainerSpec{
		Name:       names.Container(node.Name),
		Host:       node.Host,
		Image:      node.Image,
		Hostname:   host,
		Entrypoint: nodeEntrypoint(s, i),
		Command:    nodeCommand(s, i),
		User:       node.User,
		Env:        Env(s, i),
		Labels:     nodeLabels(s, i, at.Ports, created),
		Volumes:    Volumes(s, i),
		Tmpfs:      Tmpfs(s, i),
		Stdin:      s.Stdin,

		NetworkID: networkID,
		IP:        at.IP,
		Aliases:   slices.Compact([]string{host, node.Name, names.Dotted(node.Name), names.All()}),
		Ports:     at.Ports,

		ExtraHosts: hostsOf(s, i),

		Memory:      node.Memory,
		CPUs:        node.CPUs,
		NoFile:      NoFile,
		StopTimeout: s.StopTimeout,
		LogMaxSize:  logMaxSize,
		LogMaxFile:  logMaxFile,
	}
}

// nodeCommand returns the spec's command with its placeholders replaced; none to use the
// image's own; or the default: a Mix project under its node name, with the distribution
// on a fixed port.
//
// The cookie is not among the arguments, where `docker ps` would show it. It is passed in
// ERL_AFLAGS, so that a shell inside the container has it too, or in
// [orchestrator.Spec].CookieFile. A release's script takes it from RELEASE_COOKIE.
func nodeCommand(s orchestrator.Spec, i int) []string {
	node := s.NodeAt(i)
	switch {
	case orchestrator.IsCommandOfImage(node.Command):
		return nil
	case len(node.Command) > 0 || len(node.Entrypoint) > 0:
		return replaced(Words(s, i), node.Command)
	}
	flags := withoutThose(VMFlags(s), node.Env, s.ImageEnvAt(i))
	command := []string{"elixir", NameFlag(s), s.Names().Node(node.Name), "--erl"}
	if BootsDirectly(s, node) {
		return append(append(command, flags+" "+images.DirectFlags), images.DirectCommand...)
	}
	command = append(command, flags, "-S", "mix", "run", "--no-halt")
	if node.Precompiled {
		command = append(command, "--no-compile", "--no-deps-check")
	}
	return command
}

// BootsDirectly reports whether the default command of a node boots its Mix project from the
// record in the image. node has the unset fields filled from the cluster.
func BootsDirectly(s orchestrator.Spec, node orchestrator.NodeSpec) bool {
	return node.Precompiled && node.ImageBoot == images.BootDirect && s.Boot != orchestrator.BootMix
}

// NameFlag returns the flag that sets the node name of an Elixir VM.
func NameFlag(s orchestrator.Spec) string {
	if s.Distribution.Names == orchestrator.ShortNames {
		return "--sname"
	}
	return "--name"
}

// The files of a VM whose distribution speaks TLS. Package dist has their content.
const (
	TLSAuthority = "/.beamyard/tls/ca.pem"
	TLSCert      = "/.beamyard/tls/cert.pem"
	TLSKey       = "/.beamyard/tls/key.pem"
	TLSOptions   = "/.beamyard/tls/dist.conf"
)

// LoadTLS returns the flag with which a VM loads all modules that its distribution over TLS may
// need; "" without TLS. Mix of Elixir 1.15 and later takes the applications that a project does not
// list out of the code path (prune_code_paths), ssl among them: the VM could then make no new
// connection. The flag belongs into ERL_AFLAGS: Mix starts before what follows on the command line.
// It has no quotes, which erlexec would take away, and loads no application.
//
// Source: `mix help compile`, prune_code_paths.
func LoadTLS(d orchestrator.Distribution) string {
	if !d.TLS.Enabled {
		return ""
	}
	return `-eval [code:ensure_modules_loaded([list_to_atom(filename:rootname(F))||F<-element(2,file:list_dir(filename:join(code:lib_dir(A),ebin))),filename:extension(F)==[46,98,101,97,109]])||A<-[crypto,asn1,public_key,ssl]].`
}

// ProtocolFlags returns the flags that set the protocol of a VM's distribution; "" for TCP over
// IPv4. With IPv6 it listens for both families, so it is still reachable from here over IPv4.
// Sources: erl(1), inet6_tcp_dist of kernel, inet_tls_dist of ssl.
func ProtocolFlags(d orchestrator.Distribution) string {
	family := "inet"
	if d.Inet6 {
		family = "inet6"
	}
	switch {
	case d.TLS.Enabled:
		return "-proto_dist " + family + "_tls -ssl_dist_optfile " + TLSOptions
	case d.Inet6:
		return "-proto_dist inet6_tcp"
	}
	return ""
}

// VMFlags returns the flags of the default command. The distribution listens on one known
// port. EPMD is not started unless the spec requires it (OTP 23.1 and later support
// this): a VM that starts EPMD registers with it at once, and on a busy machine sometimes
// before EPMD listens ("register/listen error: econnrefused", exit 1). Schedulers do not
// busy-wait, because many nodes share this machine (livebook#370). +Q bounds the port
// table if the engine does not allow a lower limit of open files.
func VMFlags(s orchestrator.Spec) string {
	flags := fmt.Sprintf("-start_epmd false -erl_epmd_port %d", s.Distribution.Port)
	if s.Distribution.EPMD {
		flags = fmt.Sprintf("-kernel inet_dist_listen_min %d -kernel inet_dist_listen_max %d", s.Distribution.Port, s.Distribution.Port)
	}
	if protocol := ProtocolFlags(s.Distribution); protocol != "" {
		flags += " " + protocol
	}
	if s.NetTick > 0 {
		flags += fmt.Sprintf(" -kernel net_ticktime %d", int(s.NetTick.Seconds()))
	}
	if s.Distribution.OverlappingPartitions {
		flags += " -kernel prevent_overlapping_partitions false"
	}
	return flags + " +sbwt none +sbwtdcpu none +sbwtdio none +Q " + strconv.Itoa(NoFile)
}

// Env returns the environment of node i, sorted: the defaults, overridden by the
// cluster's, then by the node's.
func Env(s orchestrator.Spec, i int) []string {
	node := s.NodeAt(i)
	full := s.Names().Node(node.Name)
	env := map[string]string{
		"MIX_ENV":                node.MixEnv,
		"NODE_NAME":              full,
		"PHX_SERVER":             "true",
		"ERL_CRASH_DUMP":         crashDump,
		"ERL_CRASH_DUMP_SECONDS": "10",
		"SHELL":                  "/bin/sh",
		"LANG":                   "C.UTF-8",
		"RELEASE_DISTRIBUTION":   "name",
		"RELEASE_NODE":           full,
	}
	if s.Distribution.Names == orchestrator.ShortNames {
		env["RELEASE_DISTRIBUTION"] = "sname"
	}
	if s.Distribution.Names == orchestrator.IPNames {
		env["DNS_CLUSTER_QUERY"] = s.Names().All() // as Phoenix passes it to dns_cluster
	}
	if node.HTTPPort > 0 {
		for _, key := range []string{"PORT", "PHX_PORT", "TEST_HTTP_PORT"} {
			env[key] = strconv.Itoa(node.HTTPPort)
		}
	}
	release := s.RunsRelease(node)
	if s.CookieFile == "" || release {
		env["ERLANG_COOKIE"], env["RELEASE_COOKIE"] = s.Cookie, s.Cookie
	}
	if release {
		env["RELEASE_TMP"] = "/tmp" // its own folder may belong to root
	}
	words := Words(s, i)
	for key, value := range node.Env {
		env[key] = words.Replace(value)
	}
	env["MIX_ENV"] = node.MixEnv // a node's env may set it too
	if s.Boot == orchestrator.BootDirect && BootsDirectly(s, node) {
		env["BEAMYARD_BOOT"] = string(s.Boot) // boot.ex reports why it is not possible, and does not start Mix's way
	}
	mergeFlags(s, i, env)
	addProxies(s, env)
	if s.Clock {
		clockEnv(env)
	}
	switch {
	case release:
		releaseEnv(s, env, withoutThose(VMFlags(s), env, s.ImageEnvAt(i)))
	case s.CookieFile == "":
		env["ERL_AFLAGS"] = strings.TrimSpace("-setcookie " + s.Cookie + " " + env["ERL_AFLAGS"])
	}
	if s.Distribution.TLS.Enabled && !release { // a release loads all its modules at boot
		env["ERL_AFLAGS"] = strings.TrimSpace(env["ERL_AFLAGS"] + " " + LoadTLS(s.Distribution))
	}

	list := make([]string, 0, len(env))
	for _, key := range slices.Sorted(maps.Keys(env)) {
		list = append(list, key+"="+env[key])
	}
	return list
}

// PublishAddress returns the address at which the ports of an engine's containers are published:
// loopback, unless the engine says another one.
func PublishAddress(info orchestrator.EngineInfo) string {
	return cmp.Or(info.Publish, network.DefaultHostIP)
}

// DumpPath returns where a node writes its crash dump inside its container:
// ERL_CRASH_DUMP of its environment, or /tmp/erl_crash.dump.
func DumpPath(s orchestrator.Spec, node string) string {
	const key = "ERL_CRASH_DUMP"
	i := slices.IndexFunc(s.Nodes, func(n orchestrator.NodeSpec) bool { return n.Name == node })
	if i >= 0 && s.Nodes[i].Env[key] != "" {
		return s.Nodes[i].Env[key]
	}
	if s.Env[key] != "" {
		return s.Env[key]
	}
	return crashDump
}
