package build

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/beamyard/beamyard/images"
	"github.com/beamyard/beamyard/orchestrator/internal/releasefile"
)

// binScript matches a script that starts a release, or an image's own VM.
var binScript = regexp.MustCompile(`(?:^|[\s"';])(/?(?:[\w.+-]+/)*)bin/[\w.-]+`)

// ReleaseSettings returns the settings in the files of the release that a command starts, in
// a container with that working directory: env.sh and vm.args of the version that it starts,
// and vm.args at the paths used by scripts of other tools. read returns a file's text, or "".
func ReleaseSettings(command []string, workDir string, read func(file string) string) []releasefile.Setting {
	return readSettings(roots(command, workDir), read)
}

// roots returns the folders that may hold a release started by such a command, with the
// container's working directory last.
func roots(command []string, workDir string) []string {
	var found []string
	add := func(root string) {
		if !path.IsAbs(root) {
			root = path.Join("/", workDir, root)
		}
		root = path.Clean(root)
		if !slices.Contains([]string{"/", "/usr", "/usr/local"}, root) && !slices.Contains(found, root) {
			found = append(found, root)
		}
	}
	for _, word := range command {
		if word == images.ReleaseScript { // a link
			add(path.Join(path.Dir(word), "release"))
		}
		for _, at := range binScript.FindAllStringSubmatch(word, -1) {
			add(at[1])
		}
	}
	add(workDir)
	return found
}

// readSettings reads the first release found in these folders, or the first vm.args.
func readSettings(roots []string, read func(string) string) []releasefile.Setting {
	for _, root := range roots {
		// "15.2.7 0.1.0": the VM's version and the release's. Source: release_handler(3).
		_, version, ok := strings.Cut(strings.TrimSpace(read(path.Join(root, "releases/start_erl.data"))), " ")
		if version = strings.TrimSpace(version); ok && version != "" && !strings.Contains(version, "/") {
			env, args := path.Join(root, "releases", version, "env.sh"), path.Join(root, "releases", version, "vm.args")
			return slices.Concat(releasefile.ReadEnvScript(env, read(env)), releasefile.ReadVMArgs(args, read(args)))
		}
	}
	for _, root := range roots {
		for _, name := range []string{"rel/vm.args", "etc/vm.args", "vm.args"} {
			args := path.Join(root, name)
			if text := read(args); text != "" {
				return releasefile.ReadVMArgs(args, text)
			}
		}
	}
	return nil
}
