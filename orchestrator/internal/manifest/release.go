package manifest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/beamyard/beamyard/orchestrator"
)

// This file handles nodes that run a `mix release`. The settings that its scripts honour
// are in the documentation of Mix.Tasks.Release (Elixir), and in the scripts themselves,
// of Elixir 1.14 to 1.18:
//
//	bin/NAME start   ─► erl … $ERL_AFLAGS … -setcookie $RELEASE_COOKIE -name $RELEASE_NODE
//	bin/NAME rpc, remote, pid, stop ─► the same, under its own name, hidden
//
// Two things follow. First, a -setcookie in ERL_AFLAGS would be the second one, and a VM
// that is given two uses neither: a release gets its cookie only through RELEASE_COOKIE.
// Second, a node without EPMD listens on the port given by erl_epmd_port, where a second
// VM in its container, such as that of rpc, would fail to listen: that VM must not listen
// (-dist_listen false). So a container's ERL_AFLAGS are those for a VM next to the node,
// which `docker exec` inherits, and the entrypoint replaces them with the node's own.

// startFlags is the variable that holds the ERL_AFLAGS of the node itself.
const startFlags = "BEAMYARD_ERL_AFLAGS"

// releaseEntrypoint is prepended to the command that starts a release. The shell replaces
// itself with the release, so signals reach the VM. The flags are passed in a variable,
// because arguments are visible to everyone.
var releaseEntrypoint = []string{"sh", "-c", `export ERL_AFLAGS="$` + startFlags + `"; exec "$@"`, "sh"}

// nodeEntrypoint returns the entrypoint of a node's command; nil for the image's own.
func nodeEntrypoint(s orchestrator.Spec, i int) []string {
	entrypoint := replaced(Words(s, i), s.NodeAt(i).Entrypoint)
	if !s.RunsRelease(s.Nodes[i]) {
		return entrypoint
	}
	return slices.Concat(releaseEntrypoint, entrypoint)
}

// releaseEnv sets the VM flags of the node, and those of the VMs next to it.
func releaseEnv(s orchestrator.Spec, env map[string]string, flags string) {
	own := env["ERL_AFLAGS"]
	env[startFlags] = strings.TrimSpace(flags + " " + own)
	if protocol := ProtocolFlags(s.Distribution); protocol != "" {
		own = protocol + " " + own
	}
	if !s.Distribution.EPMD {
		own = fmt.Sprintf("-start_epmd false -erl_epmd_port %d -dist_listen false %s", s.Distribution.Port, own)
	}
	env["ERL_AFLAGS"] = strings.TrimSpace(own)
}
