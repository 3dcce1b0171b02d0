package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/beamyard/beamyard/images"
)

// This file is about nodes that run a `mix release`. What its scripts honour is
// in the documentation of Mix.Tasks.Release (Elixir), and in the scripts
// themselves, of Elixir 1.14 to 1.18:
//
//	bin/NAME start   ─► erl … $ERL_AFLAGS … -setcookie $RELEASE_COOKIE -name $RELEASE_NODE
//	bin/NAME rpc, remote, pid, stop ─► the same, under a name of its own, hidden
//
// Two things follow. A -setcookie in ERL_AFLAGS would be the second one, and a VM
// that is given two takes none of them: a release gets its cookie by
// RELEASE_COOKIE alone. And a node without EPMD listens on the port that
// erl_epmd_port names, where a second VM in its container, as rpc is, would fail to
// listen: that one is to listen nowhere (-dist_listen false). So a container's
// ERL_AFLAGS are those for a VM beside the node, which `docker exec` inherits, and
// the entrypoint puts the node's own in their place.

// startFlags is the variable that carries the ERL_AFLAGS of the node itself.
const startFlags = "BEAMYARD_ERL_AFLAGS"

// releaseEntrypoint goes before what starts a release. The shell is gone when the
// release starts: it replaces itself, so signals reach the VM. By a variable, as
// arguments are shown to everybody.
var releaseEntrypoint = []string{"sh", "-c", `export ERL_AFLAGS="$` + startFlags + `"; exec "$@"`, "sh"}

// nodeEntrypoint is what goes before a node's command, nil for the image's own.
func nodeEntrypoint(s Spec, i int) []string {
	entrypoint := replaced(words(s, i), s.filled(i).Entrypoint)
	if !s.runsRelease(s.Nodes[i]) {
		return entrypoint
	}
	return slices.Concat(releaseEntrypoint, entrypoint)
}

// releaseEnv gives the VM flags to the node, and others to those beside it.
func releaseEnv(s Spec, env map[string]string, flags string) {
	own := env["ERL_AFLAGS"]
	env[startFlags] = strings.TrimSpace(flags + " " + own)
	if s.Distribution.Inet6 {
		own = inet6Flag + " " + own
	}
	if !s.Distribution.EPMD {
		own = fmt.Sprintf("-start_epmd false -erl_epmd_port %d -dist_listen false %s", s.Distribution.Port, own)
	}
	env["ERL_AFLAGS"] = strings.TrimSpace(own)
}

// releaseOfProject is the spec whose release was made in the image of its project.
func (s Spec) releaseOfProject() Spec {
	if s.Release && (len(s.Command) == 0 || ofImage(s.Command)) {
		s.Command = []string{images.ReleaseScript, "start"}
	}
	return s
}

// releaseOfImage is the spec with what its image runs, which is known by then or
// never: the entrypoint is ours, see [nodeEntrypoint].
func (s Spec) releaseOfImage(ctx context.Context, eng Engine) (Spec, error) {
	if !s.Release {
		return s, nil
	}
	info, err := eng.Image(ctx, s.Image)
	if errors.Is(err, images.ErrNotFound) {
		return s, nil // the first container says so, with what to do
	}
	if err != nil {
		return s, fmt.Errorf("look at image %s: %w", s.Image, err)
	}
	if len(s.Entrypoint) == 0 {
		s.Entrypoint = info.Entrypoint
	}
	if len(s.Command) == 0 || ofImage(s.Command) {
		s.Command = info.Cmd
	}
	if len(s.Entrypoint)+len(s.Command) == 0 {
		return s, WithHint(fmt.Errorf("image %s does not say how its release is started: it has neither an ENTRYPOINT nor a CMD", s.Image),
			"say it in beamyard.yml: command: [/app/bin/NAME, start]")
	}
	return s, nil
}
