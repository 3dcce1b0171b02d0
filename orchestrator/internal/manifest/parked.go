package manifest

import (
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/beamyard/beamyard/images"
	"github.com/beamyard/beamyard/orchestrator"
)

// This file is how a node of a parked cluster waits. Its container runs, and its first process
// is a shell that executes the node's command in its own place once it gets a signal:
//
//	ParkedFile exists ──► sh waits ── OpenSignal ──► removes it, exec COMMAND
//	it does not       ──► exec COMMAND                (every later start of the container)
//
// The shell is the image's own: Beamyard has no program for every processor that an engine may
// have, and Elixir's scripts need a shell as well. A file would have to be looked for again and
// again, and an exec costs the engine as much as a tenth of a boot. `wait` is the one builtin that
// POSIX has interrupted by a trapped signal. SIGPIPE ends the child without a message of the shell.
// Traps end with exec; PWD and OLDPWD are the shell's own variables. Source: POSIX.1-2024, Shell
// Command Language, 2.12 and 2.15.

// ParkedFiles are the files of a container whose node waits, by their paths.
func ParkedFiles() map[string][]byte { return map[string][]byte{ParkedFile: []byte("starting\n")} }

const (
	// ParkedFile exists in a container that waits. It is empty once the shell waits; before, it
	// is not.
	ParkedFile = "/tmp/.beamyard-parked"
	// OpenSignal makes the node run its command.
	OpenSignal = "USR1"
	// OpenSignalNumber is that signal in the engine's events, on Linux except MIPS.
	OpenSignalNumber = "10"

	execCommand = `unset PWD OLDPWD SHLVL; exec "$@"`
	parkedWait  = `if [ -e ` + ParkedFile + ` ]; then` +
		` trap 'kill -PIPE $!; wait; rm ` + ParkedFile + `; ` + execCommand + `' ` + OpenSignal + `;` +
		` trap 'kill -PIPE $!; exit 143' TERM;` +
		` while :; do sleep 3600 & : >` + ParkedFile + `; wait $!; done; fi; ` + execCommand
)

var parkedEntrypoint = []string{"sh", "-c", parkedWait, "sh"}

// Parked returns the container of a node that waits before its command. The image's entrypoint
// and command apply as usual.
func Parked(c orchestrator.ContainerSpec, image images.Info) orchestrator.ContainerSpec {
	entrypoint, command := c.Entrypoint, c.Command
	if len(entrypoint) == 0 {
		if entrypoint = image.Entrypoint; len(command) == 0 {
			command = image.Cmd
		}
	}
	c.Entrypoint = slices.Concat(parkedEntrypoint, entrypoint)
	c.Command = command
	return c
}

// Waits reports whether a container waits at its first start, and returns it as it is once it
// does not.
func Waits(c orchestrator.ContainerSpec) (open orchestrator.ContainerSpec, waits bool) {
	n := len(parkedEntrypoint)
	if len(c.Entrypoint) < n || !slices.Equal(c.Entrypoint[:n], parkedEntrypoint) {
		return c, false
	}
	c.Entrypoint = c.Entrypoint[n:]
	return c, true
}

// shellName is a name that a shell takes over from its environment, and passes on.
var shellName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

// CannotPark returns why the nodes of a prepared spec cannot wait, or "". inImage returns an
// image that a node runs.
func CannotPark(s orchestrator.Spec, inImage func(ref string) (images.Info, error)) (string, error) {
	switch {
	case s.Owner.Detached:
		return "it outlives its supervisor", nil
	case s.KeepOnFailure:
		return "it is kept if it fails", nil
	case s.Clock:
		return "its clocks can be changed, and a shell's with them", nil
	case s.Distribution.TLS.Enabled:
		return "its certificates are its own", nil
	case s.Distribution.Inet6:
		return "its network has IPv6", nil
	case len(s.Hosts) > 0:
		return "it is on several hosts", nil
	}
	for i, n := range s.Nodes {
		node := s.NodeAt(i)
		switch {
		case len(node.Volumes) > 0:
			return n.Name + " has volumes, whose content may change", nil
		case len(node.Networks) > 0:
			return n.Name + " is in other networks", nil
		case node.HostPort != 0 || slices.ContainsFunc(node.Ports, func(p orchestrator.PortSpec) bool { return p.Host != 0 }):
			return n.Name + " has a host port that others may want", nil
		case slices.ContainsFunc(slices.Collect(maps.Keys(Tmpfs(s, i))), func(at string) bool { return path.Clean(at) == "/tmp" }):
			return n.Name + " has /tmp in memory", nil
		}
		image, err := inImage(node.Image)
		if err != nil {
			return "", err
		}
		for _, kv := range slices.Concat(image.Env, Env(s, i)) {
			name, _, _ := strings.Cut(kv, "=")
			if !shellName.MatchString(name) || slices.Contains([]string{"PWD", "OLDPWD", "SHLVL", "IFS", "_", "PS4", "ENV", "BASH_ENV"}, name) {
				return n.Name + " has the environment variable " + name + ", which a shell would change", nil
			}
		}
		if c := Parked(Container(s, i, "", orchestrator.Placement{}, time.Time{}), image); len(c.Entrypoint)+len(c.Command) == len(parkedEntrypoint) {
			return n.Name + " has no command", nil
		}
	}
	return "", nil
}
