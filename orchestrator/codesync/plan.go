package codesync

import (
	"maps"
	"path"
	"slices"
	"strings"
)

// Sum is the MD5 of a file's content: the checksum that the VM computes fastest.
type Sum [16]byte

// Changes are the differences between the local tree and the compiler's. Paths are
// relative to the project's folder, with slashes, and sorted.
type Changes struct {
	Put    []string // new or changed
	Remove []string // sources that no longer exist
	Cold   []string // those of both that a running node cannot load
}

// Empty reports whether there are no changes.
func (c Changes) Empty() bool { return len(c.Put) == 0 && len(c.Remove) == 0 }

// compare finds the changes. ignored reports whether the folder's rules exclude a path: a path
// that only the image has is then not removed. chosen means that a Dockerfile selected the
// files of the image, which does not get cold files in folders that it lacks. project is the
// project's folder, relative to the folder of the paths.
func compare(local, remote map[string]Sum, ignored func(string) bool, chosen bool, project string) Changes {
	var c Changes
	cold := func(p string) bool { return cold(strings.TrimPrefix(p, project+"/")) }
	for _, p := range slices.Sorted(maps.Keys(local)) {
		sum, there := remote[p]
		switch {
		case there && sum == local[p]:
			continue
		case !there && (unneeded(p) || chosen && cold(p) && !hasBeside(remote, p)):
			continue
		}
		c.Put = append(c.Put, p)
		if cold(p) {
			c.Cold = append(c.Cold, p)
		}
	}
	for _, p := range slices.Sorted(maps.Keys(remote)) {
		if _, here := local[p]; here || !isSource(p) || ignored(p) {
			continue
		}
		c.Remove = append(c.Remove, p)
		if cold(p) {
			c.Cold = append(c.Cold, p)
		}
	}
	slices.Sort(c.Cold)
	return c
}

// sources are the extensions of files that are written by people, never by a tool: only these
// are removed if the local folder does not have them. (yecc and leex generate .erl from .yrl
// and .xrl, so an .erl beside one of these is generated; see withoutGenerated.)
var sources = []string{".ex", ".exs", ".erl", ".hrl", ".xrl", ".yrl", ".eex", ".leex", ".heex", ".sface"}

func isSource(p string) bool { return slices.Contains(sources, path.Ext(p)) }

// unneeded reports whether an image may lack a file: such a file is synced only if the image
// has it.
func unneeded(p string) bool {
	switch path.Base(p) {
	case "Dockerfile", ".dockerignore", "compose.yml", "docker-compose.yml", "beamyard.yml":
		return true
	}
	return strings.HasPrefix(p, "deps/") || strings.HasPrefix(p, "rel/")
}

// hasBeside reports whether there are files in the same top-level folder of the project. For
// files outside of a folder it returns false.
func hasBeside(files map[string]Sum, p string) bool {
	folder, _, below := strings.Cut(p, "/")
	if !below {
		return false
	}
	for other := range files {
		if strings.HasPrefix(other, folder+"/") {
			return true
		}
	}
	return false
}

// cold reports whether a file is read only when a node, or Mix itself, starts.
func cold(p string) bool {
	base, ext := path.Base(p), path.Ext(p)
	switch base {
	case "mix.exs", "mix.lock", "Dockerfile", "Makefile":
		return true
	}
	for _, folder := range []string{"config", "deps", "c_src", "rel", "native"} {
		if under(p, folder) {
			return true
		}
	}
	return (ext == ".so" || ext == ".dll") && under(p, "priv")
}

// under reports whether a path is below a folder of that name in the project, or in an
// application of an umbrella, where it is the third part: apps/NAME/folder.
func under(p, folder string) bool {
	parts := strings.Split(p, "/")
	for _, at := range []int{0, 2} {
		if len(parts) > at+1 && parts[at] == folder && (at == 0 || parts[0] != "lib" && parts[0] != "src" && parts[0] != "test") {
			return true
		}
	}
	return false
}

// withoutGenerated drops removals of files that yecc and leex generated from a source that
// still exists.
func withoutGenerated(remove []string, local map[string]Sum) []string {
	return slices.DeleteFunc(remove, func(p string) bool {
		stem, isErl := strings.CutSuffix(p, ".erl")
		_, yrl := local[stem+".yrl"]
		_, xrl := local[stem+".xrl"]
		return isErl && (yrl || xrl)
	})
}

// Module is one of the project's own modules in the compiler's tree.
type Module struct {
	Name     string // "Elixir.Demo.Counter"
	MD5      Sum    // of the code, as in module_info(md5)
	Path     string // path in Mix's build; of a protocol, that of the consolidated module
	File     Sum    // checksum of that file
	Released string // path in a release; "" without one
	// ReleasedFile is the checksum of that file, which may be stripped.
	ReleasedFile Sum
	OnLoad       bool // runs a function when it is loaded, as a module with a NIF does
}

// File is a file that differs from the one in the image.
type File struct {
	Path     string // absolute
	Mode     int64
	UID, GID int
	Sum      Sum
}

// deadModules returns the modules whose files were removed and that exist nowhere else.
func deadModules(gone []string, alive map[string]Module) []string {
	dead := map[string]bool{}
	for _, p := range gone {
		name, isBeam := strings.CutSuffix(path.Base(p), ".beam")
		if _, there := alive[name]; isBeam && !there {
			dead[name] = true
		}
	}
	return slices.Sorted(maps.Keys(dead))
}
