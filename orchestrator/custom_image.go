package orchestrator

import (
	"slices"
	"strconv"
	"strings"
)

// This file is the part of a spec that makes other people's images work as nodes: what
// runs in them, under which name, and which files and volumes they find.

// usesCustomImage reports whether a node runs its own image, of which nothing is built from the
// cluster's sources.
func (s Spec) usesCustomImage(node string) bool {
	return slices.ContainsFunc(s.Nodes, func(n NodeSpec) bool { return n.Name == node && n.Image != "" && n.Image != s.Image && !n.Built })
}

// words returns the replacements of the placeholders for node i.
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

// volumesOf returns the volumes of node i, sorted by name.
func volumesOf(s Spec, i int) []VolumeMount {
	names, n := s.names(), s.filled(i)
	var mounts []VolumeMount
	for _, name := range sortedKeys(n.Volumes) {
		mounts = append(mounts, VolumeMount{Volume: names.Volume(n.Name, name), Target: n.Volumes[name]})
	}
	return mounts
}

// tmpfsOf returns the in-memory file systems of node i: mount options by path.
func tmpfsOf(s Spec, i int) map[string]string {
	mounts := map[string]string{}
	for _, mount := range s.filled(i).Tmpfs {
		at, options, _ := strings.Cut(mount, ":")
		mounts[at] = options
	}
	return mounts
}

// tmpfsFolders returns the folders under in-memory file systems, with the mode that each
// needs. At the first start, runc creates the folder and mounts with the given mode; at
// each later start it gives the mount the folder's mode, which is then 0755 and excludes
// all users except root. So the folder gets its mode from the beginning. A folder of the
// image keeps its own mode, unless a mode is given. Source: mountToRootfs in runc's
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
				continue // the engine rejects it with its own error
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
