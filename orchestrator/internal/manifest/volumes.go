package manifest

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/beamyard/beamyard/orchestrator"
)

// Volumes returns the volumes of node i, sorted by name.
func Volumes(s orchestrator.Spec, i int) []orchestrator.VolumeMount {
	names, n := s.Names(), s.NodeAt(i)
	var mounts []orchestrator.VolumeMount
	for _, name := range slices.Sorted(maps.Keys(n.Volumes)) {
		mounts = append(mounts, orchestrator.VolumeMount{Volume: names.Volume(n.Name, name), Target: n.Volumes[name]})
	}
	return mounts
}

// Tmpfs returns the in-memory file systems of node i: mount options by path.
func Tmpfs(s orchestrator.Spec, i int) map[string]string {
	mounts := map[string]string{}
	for _, mount := range s.NodeAt(i).Tmpfs {
		at, options, _ := strings.Cut(mount, ":")
		mounts[at] = options
	}
	return mounts
}

// TmpfsSize returns the size of the in-memory file system that node i has at a path, as it is
// written; "" if it has none there, or one without a size.
func TmpfsSize(s orchestrator.Spec, i int, at string) string {
	for option := range strings.SplitSeq(Tmpfs(s, i)[at], ",") {
		if size, ok := strings.CutPrefix(option, "size="); ok {
			return size
		}
	}
	return ""
}

// TmpfsFolders returns the folders under in-memory file systems, with the mode that each
// needs. At the first start, runc creates the folder and mounts with the given mode; at
// each later start it gives the mount the folder's mode, which is then 0755 and excludes
// all users except root. So the folder gets its mode from the beginning. A folder of the
// image keeps its own mode, unless a mode is given. Source: mountToRootfs in runc's
// libcontainer/rootfs_linux.go.
func TmpfsFolders(mounts map[string]string, exists func(path string) (bool, error)) ([]Folder, error) {
	var folders []Folder
	for _, at := range slices.Sorted(maps.Keys(mounts)) {
		f := Folder{Path: at, Mode: 0o1777}
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
				f.Mode, written = number, true
			case "uid":
				f.Owner.uid = int(number)
			case "gid":
				f.Owner.gid = int(number)
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

// HasVolumes reports whether the cluster leaves volumes when it is removed.
func HasVolumes(s orchestrator.Spec) bool {
	return len(s.Volumes) > 0 || slices.ContainsFunc(s.Nodes, func(n orchestrator.NodeSpec) bool { return len(n.Volumes) > 0 })
}
