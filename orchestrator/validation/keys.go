package validation

import (
	"fmt"
	"maps"
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/beamyard/beamyard/network"
	"github.com/beamyard/beamyard/orchestrator"
)

// inside checks that a path is an absolute path in a container.
func (v *validation) inside(field, name, hint string) {
	if !path.IsAbs(name) || path.Clean(name) != name || name == "/" {
		v.add(field, fmt.Sprintf("%q is not an absolute path in the container", name), hint)
	}
}

func (v *validation) volumes(field string, volumes map[string]string) {
	at := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(volumes)) {
		v.err(field, network.CheckVolume(name))
		v.inside(field, volumes[name], "volumes: {data: /var/lib/app}")
		if other, twice := at[volumes[name]]; twice {
			v.add(field, fmt.Sprintf("%s and %s are both at %s", other, name, volumes[name]), "give each a path of its own")
		}
		at[volumes[name]] = name
	}
}

func (v *validation) labels(labels map[string]string) {
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		switch {
		case key == "" || strings.ContainsAny(key, "= \t\n"):
			v.add("labels", fmt.Sprintf("%q is not a valid label name", key), "labels: {org.example.team: shop}")
		case strings.HasPrefix(key, ownLabels):
			v.add("labels", fmt.Sprintf("%s: labels that begin with %s are the cluster's own", key, ownLabels), "give it another name")
		case slices.Contains(eventWords, key):
			v.add("labels", fmt.Sprintf("%s: the engine's events tell something else under that name", key), "give it a longer one: org.example."+key)
		}
	}
}

func (v *validation) releases(s orchestrator.Spec) {
	for i, n := range s.Nodes {
		if s.Release && orchestrator.IsCommandOfImage(n.Command) && n.Image == "" && !n.HasDockerfile() {
			v.add(fmt.Sprintf("nodes[%d].command", i), "what an image runs by itself is looked up for all nodes of an image, not for one of them", "command: [/app/bin/NAME, start]")
		}
	}
	v.releaseName(s, "release_name", s.ReleaseName)
	for i, n := range s.Nodes {
		v.releaseName(s, fmt.Sprintf("nodes[%d].release_name", i), n.ReleaseName)
	}
}

func (v *validation) releaseName(s orchestrator.Spec, field, name string) {
	switch {
	case name == "":
	case !s.Release:
		v.add(field, "it names a release, and release is not true", "release: true")
	case !releaseName.MatchString(name):
		v.add(field, fmt.Sprintf("%q is not a valid release name", name), "one of releases: in mix.exs, without the colon")
	}
}

func (v *validation) httpCheck(field, path string) {
	if path != "" && !strings.HasPrefix(path, "/") {
		v.add(field, fmt.Sprintf("%q is not a path", path), "http_check: /health")
	}
}

// envKey matches a name as POSIX defines it.
var envKey = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func (v *validation) env(field string, env map[string]string) {
	for key := range env {
		if !envKey.MatchString(key) {
			v.add(field, fmt.Sprintf("%q is not a valid environment variable name", key), "use letters, digits and _")
		}
	}
}

// after checks that every node in an After exists, and that no node waits for itself,
// directly or through others.
func (v *validation) after(s orchestrator.Spec) {
	at := map[string]int{}
	for i, n := range s.Nodes {
		at[n.Name] = i
	}
	for i, n := range s.Nodes {
		field := fmt.Sprintf("nodes[%d].after", i)
		for _, name := range n.After {
			if !exists(s, name) {
				v.add(field, fmt.Sprintf("%q is not one of the nodes", name), s.Choice(name, "name nodes or roles: "))
			}
		}
		for j, name := range s.StartsAfter(i) {
			if slices.Contains(s.StartsAfter(i)[:j], name) {
				v.add(field, fmt.Sprintf("%q is there twice", name), "name each node once; a role names all of its nodes")
			}
		}
		if round := circle(s, at, []string{n.Name}); round != nil && n.Name == slices.Min(round) {
			v.add(field, strings.Join(round, " waits for ")+": none of them would start", "leave one of them out of after:")
		}
	}
}

// exists reports whether a name stands for nodes of the spec.
func exists(s orchestrator.Spec, name string) bool {
	_, err := s.NodesOf(name)
	return err == nil
}

// circle follows the After lists from the last node of a path and returns the first
// circle back to the path's first node.
func circle(s orchestrator.Spec, at map[string]int, path []string) []string {
	i, there := at[path[len(path)-1]]
	if !there {
		return nil
	}
	for _, next := range s.StartsAfter(i) {
		if next == path[0] {
			return append(slices.Clone(path), next)
		}
		if slices.Contains(path, next) {
			continue // a circle that does not include the first node
		}
		if round := circle(s, at, append(slices.Clone(path), next)); round != nil {
			return round
		}
	}
	return nil
}

var (
	// networkName is the engine's rule for network names (moby, daemon/names).
	networkName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]*$`)
	aliasName   = regexp.MustCompile(`^[a-zA-Z0-9]([a-zA-Z0-9_.-]*[a-zA-Z0-9])?$`)
	// engineNetworks do not resolve names, and cannot be combined with other networks.
	engineNetworks = []string{"bridge", "host", "none"}
)

func (v *validation) networks(s orchestrator.Spec, field string, networks map[string][]string) {
	for _, name := range slices.Sorted(maps.Keys(networks)) {
		switch {
		case !networkName.MatchString(name):
			v.add(field, fmt.Sprintf("%q is not a valid network name", name), "networks: {shared: [web]}, once it is made: docker network create shared")
		case slices.Contains(engineNetworks, name):
			v.add(field, fmt.Sprintf("%s is the engine's own network, which resolves no names", name), "make one: docker network create shared")
		case name == s.Names().Network():
			v.add(field, name+" is the cluster's own network: its nodes are there already", "leave it out: networks: lists existing networks")
		}
		for _, alias := range networks[name] {
			if !aliasName.MatchString(alias) {
				v.add(field, fmt.Sprintf("%s: %q is not a host name", name, alias), "networks: {shared: [web]}")
			}
		}
	}
}

// tmpfsFlags and tmpfsValues are the options that the engine accepts, without and with a
// value. Source: moby's volume/mounts/parser and pkg/mount.MergeTmpfsOptions.
var (
	tmpfsFlags  = strings.Fields("ro rw exec noexec suid nosuid dev nodev sync async dirsync remount mand nomand atime noatime diratime nodiratime relatime norelatime strictatime nostrictatime")
	tmpfsValues = strings.Fields("size mode uid gid nr_inodes nr_blocks mpol")
)

func (v *validation) tmpfs(field string, mounts []string, volumes map[string]string) {
	for i, mount := range mounts {
		at, options, given := strings.Cut(mount, ":")
		v.inside(field, at, field+": [/run, \"/tmp/cache:size=64m\"]")
		for _, option := range strings.Split(options, ",") {
			key, _, valued := strings.Cut(option, "=")
			known := tmpfsFlags
			if valued {
				known = tmpfsValues
			}
			if given && !slices.Contains(known, key) {
				v.add(field, fmt.Sprintf("%s: %q is not an option of a tmpfs", at, option), "give options such as size=64m, mode=1777, uid=1000, noexec")
			}
		}
		for name, target := range volumes {
			if target == at {
				v.add(field, fmt.Sprintf("volume %s is at %s too", name, at), "give each a path of its own")
			}
		}
		for _, other := range mounts[:i] {
			if where, _, _ := strings.Cut(other, ":"); where == at {
				v.add(field, at+" is listed twice", "list each path once")
			}
		}
	}
}

func (v *validation) distribution(s orchestrator.Spec) {
	switch s.Distribution.Names {
	case orchestrator.LongNames, orchestrator.ShortNames, orchestrator.IPNames:
	default:
		v.add("distribution.names", fmt.Sprintf("%q is not one of long, short, ip", s.Distribution.Names), "distribution: {names: long}")
	}
	if s.Distribution.Inet6 && s.Distribution.Names == orchestrator.IPNames {
		v.add("distribution.inet6", "names: ip makes the names of IPv4 addresses", "distribution: {names: long, inet6: true}")
	}
	t := s.Distribution.TLS
	given := 0
	for _, file := range []string{t.CA, t.Cert, t.Key} {
		if file != "" {
			given++
		}
	}
	switch {
	case given != 0 && given != 3:
		v.add("distribution.tls", "files of your own are three: ca, cert and key", "distribution: {tls: {ca: ca.pem, cert: node.pem, key: node.key}}, or tls: true")
	case given == 3 && !t.Enabled:
		v.add("distribution.tls", "it has files, and is not enabled", "distribution: {tls: {ca: ca.pem, cert: node.pem, key: node.key}}")
	}
}

func (v *validation) files(s orchestrator.Spec) {
	if s.CookieFile != "" {
		v.inside("cookie_file", s.CookieFile, "cookie_file: /root/.erlang.cookie")
	}
	for inside, local := range s.Files {
		v.inside("files", inside, "files: {/etc/app/app.conf: ./app.conf}")
		if local == "" {
			v.add("files", fmt.Sprintf("no file is named for %s", inside), "files: {/etc/app/app.conf: ./app.conf}")
		}
		if inside == s.CookieFile {
			v.add("files", inside+" is cookie_file too", "leave it out of files")
		}
	}
}

func (v *validation) hosts(field string, hosts map[string]string) {
	const like = "extra_hosts: {db.local: 10.0.0.7, machine: host-gateway}"
	for _, name := range slices.Sorted(maps.Keys(hosts)) {
		if !aliasName.MatchString(name) {
			v.add(field, fmt.Sprintf("%q is not a host name", name), like)
		}
		if _, err := netip.ParseAddr(hosts[name]); err != nil && hosts[name] != orchestrator.HostGateway {
			v.add(field, fmt.Sprintf("%s: %q is neither an address nor %s", name, hosts[name], orchestrator.HostGateway), like)
		}
	}
}

func (v *validation) mixEnv(s orchestrator.Spec) {
	if env := s.Env["MIX_ENV"]; env != "" && env != s.MixEnv {
		v.add("env", fmt.Sprintf("MIX_ENV is %q here, and mix_env is %q: they mean the same", env, s.MixEnv), "leave one of them out")
	}
}

// releaseName matches an atom that needs no quotes, neither in Elixir nor in a shell.
var releaseName = regexp.MustCompile(`^[a-z][a-zA-Z0-9_]*$`)

// ownLabels is the prefix of the labels of package orchestrator.
const ownLabels = "beamyard."

// eventWords are the attributes that an engine adds to a container's event, in the same
// map as its labels. A label with such a name would hide the event's own attribute (moby,
// daemon/events.go, copyAttributes).
var eventWords = []string{"name", "image", "exitCode", "signal", "execDuration"}
