package orchestrator

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/beamyard/beamyard/network"
)

// This file is the part of a spec that lets other people's images be nodes: what
// runs in them, under which name, and what they need to find in their place.

// filled is node i with what it takes of its cluster.
func (s Spec) filled(i int) NodeSpec {
	n := s.Nodes[i]
	n.MixEnv = cmp.Or(s.writtenAt(n), s.mixEnv(s.imageEnv(i)))
	if len(n.Entrypoint) == 0 && n.Release == nil {
		n.Entrypoint = s.Entrypoint
		if len(n.Command) == 0 {
			n.Command = s.Command
		}
	}
	setDefault(&n.Image, s.Image)
	setDefault(&n.User, s.User)
	setDefault(&n.Memory, s.Memory)
	setDefault(&n.CPUs, s.CPUs)
	n.Env = over(s.Env, n.Env)
	n.Volumes = over(s.Volumes, n.Volumes)
	n.Tmpfs = slices.Concat(s.Tmpfs, n.Tmpfs)
	n.Networks = over(s.Networks, n.Networks)
	n.ExtraHosts = over(s.ExtraHosts, n.ExtraHosts)
	return s.filledRole(n)
}

// portByEPMD reports whether the nodes choose their distribution ports, and EPMD knows
// them: each has a command of its own, which is not given a port.
func (s Spec) portByEPMD() bool {
	if !s.Distribution.EPMD {
		return false
	}
	given := func(text string) bool { return strings.Contains(text, "{dist_port}") }
	for i := range s.Nodes {
		n := s.filled(i)
		if s.runsRelease(n) || len(n.Command)+len(n.Entrypoint) == 0 || slices.ContainsFunc(slices.Concat(n.Command, n.Entrypoint, slices.Collect(maps.Values(n.Env))), given) {
			return false
		}
	}
	return true
}

// ownImage tells whether a node runs an image of its own: nothing of it is made of
// the cluster's sources.
func (s Spec) ownImage(node string) bool {
	return slices.ContainsFunc(s.Nodes, func(n NodeSpec) bool { return n.Name == node && n.Image != "" && n.Image != s.Image && !n.Built })
}

// over is what is in either map, the upper one's where it is in both.
func over[V any](lower, upper map[string]V) map[string]V {
	both := map[string]V{}
	maps.Copy(both, lower)
	maps.Copy(both, upper)
	return both
}

// ofImage reports whether a command is [CommandOfImage].
func ofImage(command []string) bool { return len(command) == 1 && command[0] == CommandOfImage }

// words are replaced in what a spec says of all nodes.
func words(s Spec, i int) *strings.Replacer {
	names, node := s.names(), s.Nodes[i].Name
	return strings.NewReplacer(
		"{node}", names.Node(node),
		"{host}", names.Hostname(node),
		"{ip}", s.address(i),
		"{name}", node,
		"{cluster}", s.Name,
		"{index}", strconv.Itoa(i),
		"{dist_port}", strconv.Itoa(s.Distribution.Port),
		"{http_port}", strconv.Itoa(s.filled(i).HTTPPort),
	)
}

func replaced(words *strings.Replacer, list []string) []string {
	var text []string
	for _, word := range list {
		text = append(text, words.Replace(word))
	}
	return text
}

// volumesOf are the volumes of node i, by name.
func volumesOf(s Spec, i int) []VolumeMount {
	names, n := s.names(), s.filled(i)
	var mounts []VolumeMount
	for _, name := range sortedKeys(n.Volumes) {
		mounts = append(mounts, VolumeMount{Volume: names.Volume(n.Name, name), Target: n.Volumes[name]})
	}
	return mounts
}

// tmpfsOf are the file systems in memory of node i: mount options by path.
func tmpfsOf(s Spec, i int) map[string]string {
	mounts := map[string]string{}
	for _, mount := range s.filled(i).Tmpfs {
		at, options, _ := strings.Cut(mount, ":")
		mounts[at] = options
	}
	return mounts
}

// tmpfsFolders are the folders under file systems in memory, with the mode that each is
// to have. At the first start runc makes the folder and mounts with the mode that is
// written; at each later one it gives the mount the folder's mode, which is 0755 then and
// keeps everybody but root out. So the folder has its mode from the beginning. One that
// the image has keeps its own, unless a mode is written. Source: mountToRootfs in runc's
// libcontainer/rootfs_linux.go.
func tmpfsFolders(mounts map[string]string, exists func(path string) (bool, error)) ([]folder, error) {
	var folders []folder
	for _, at := range sortedKeys(mounts) {
		f := folder{path: at, mode: 0o1777}
		written := false
		for option := range strings.SplitSeq(mounts[at], ",") {
			key, value, _ := strings.Cut(option, "=")
			base := map[string]int{"mode": 8, "uid": 10, "gid": 10}[key]
			if base == 0 {
				continue
			}
			number, err := strconv.ParseInt(value, base, 32)
			if err != nil {
				continue // the engine refuses it, with its own words
			}
			switch key {
			case "mode":
				f.mode, written = number, true
			case "uid":
				f.owner.uid = int(number)
			case "gid":
				f.owner.gid = int(number)
			}
		}
		if !written {
			there, err := exists(at)
			if err != nil {
				return nil, err
			}
			if there {
				continue
			}
		}
		folders = append(folders, f)
	}
	return folders, nil
}

// tmpfsOptions are those that the engine takes, the ones with a value apart. Source:
// moby's volume/mounts/parser and pkg/mount.MergeTmpfsOptions.
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

func (s Spec) validateForeign(v *validation) {
	switch s.Distribution.Names {
	case LongNames, ShortNames, IPNames:
	default:
		v.add("distribution.names", fmt.Sprintf("%q is none of long, short, ip", s.Distribution.Names), "distribution: {names: long}")
	}
	if s.Distribution.Inet6 && s.Distribution.Names == IPNames {
		v.add("distribution.inet6", "names: ip makes the names of IPv4 addresses", "distribution: {names: long, inet6: true}")
	}
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
	v.volumes("volumes", s.Volumes)
	v.tmpfs("tmpfs", s.Tmpfs, s.Volumes)
	v.networks(s, "networks", s.Networks)
	v.hosts("extra_hosts", s.ExtraHosts)
	v.after(s)
}

// inside checks a path in a container.
func (v *validation) inside(field, name, hint string) {
	if !path.IsAbs(name) || path.Clean(name) != name || name == "/" {
		v.add(field, fmt.Sprintf("%q is no absolute path in the container", name), hint)
	}
}

func (v *validation) volumes(field string, volumes map[string]string) {
	at := map[string]string{}
	for _, name := range sortedKeys(volumes) {
		v.err(field, network.CheckVolume(name))
		v.inside(field, volumes[name], "volumes: {data: /var/lib/app}")
		if other, twice := at[volumes[name]]; twice {
			v.add(field, fmt.Sprintf("%s and %s are both at %s", other, name, volumes[name]), "give each a path of its own")
		}
		at[volumes[name]] = name
	}
}
