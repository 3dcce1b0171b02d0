package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"slices"
	"strings"
	"syscall"

	"github.com/beamyard/beamyard/orchestrator"
)

// The engine, and what prevents access to it.

// lookEngine judges the engine, which all other checks need.
func lookEngine(ctx context.Context, e *examination) verdict {
	if e.engineErr == nil {
		return judgeEngine(e.engine.info)
	}
	return judgeNoEngine(e.engine.info, lookAtEndpoint(ctx, e.engine.info.Endpoint), e.engineErr)
}

// judgeEngine describes an engine that answers.
func judgeEngine(info orchestrator.EngineInfo) verdict {
	text := fmt.Sprintf("Docker %s, API %s, %s/%s, kernel %s", info.Version, info.APIVersion, info.OS, info.Arch, info.Kernel)
	if slices.Contains(info.Security, "rootless") {
		text += ", rootless"
	}
	if slices.Contains(info.Security, "userns") {
		text += ", in a user namespace"
	}
	if n := len(info.Warnings); n > 0 {
		text += fmt.Sprintf("; it says: %s", some(info.Warnings, 3))
	}
	return ok("%s", text)
}

// judgeNoEngine says why no engine can be used, and what to type.
func judgeNoEngine(info orchestrator.EngineInfo, at endpointFacts, err error) verdict {
	where := info.Endpoint
	switch info.From {
	case orchestrator.EndpointEnv:
		where += " (of DOCKER_HOST)"
	case orchestrator.EndpointContext:
		where += fmt.Sprintf(" (of the docker context %s)", info.Context)
	case orchestrator.EndpointFlag, orchestrator.EndpointDefault:
	}
	switch {
	case errors.Is(err, errCrashed):
		return notTold(err)
	case errors.Is(err, orchestrator.ErrEngineTooOld):
		what := "the engine"
		if info.Version != "" {
			what = fmt.Sprintf("Docker %s, API %s,", info.Version, info.APIVersion)
		}
		return failed("upgrade the engine to Docker 20.10 or newer, or point DOCKER_HOST at one; and unset DOCKER_API_VERSION",
			"%s at %s is too old: API 1.41 is needed", what, where)
	case errors.Is(err, orchestrator.ErrEnginePermission):
		return noPermission(at, where)
	case errors.Is(err, orchestrator.ErrEngineUnreachable):
		return unreachable(info, at, where, err)
	}
	v := failed("check DOCKER_HOST and `docker context ls`", "%v", err)
	if h := orchestrator.HintOf(err); len(h) > 0 {
		v.remedy = h.String()
	}
	return v
}

func noPermission(at endpointFacts, where string) verdict {
	text := fmt.Sprintf("the user %s may not use %s", at.user, where)
	group := at.group
	if at.scheme == "unix" && group != "" {
		text += fmt.Sprintf(": it belongs to the group %s, mode %04o", group, at.mode.Perm())
	}
	switch {
	case group == "" || group == "root":
		return failed("run it as root (sudo), or give the socket to a group: sudo groupadd -f docker; sudo systemctl restart docker", "%s", text)
	case at.member:
		return failed("log in again, or for this shell: newgrp "+group, "%s, to which this session does not belong yet", text)
	}
	return failed(fmt.Sprintf("sudo usermod -aG %s %s, then log in again", group, at.user), "%s", text)
}

func unreachable(info orchestrator.EngineInfo, at endpointFacts, where string, err error) verdict {
	start := "start it: sudo systemctl start docker (or, without systemd: sudo dockerd)"
	switch {
	case len(at.others) > 0:
		start = fmt.Sprintf("export DOCKER_HOST=unix://%s (an engine answers there)", at.others[0])
	case at.system != "linux":
		start = "start it: open -a Docker, or colima start"
	case !at.installed:
		start = "install one: sudo apt-get install -y docker.io"
	}
	switch info.From {
	case orchestrator.EndpointEnv:
		start += "\nor use another engine: unset DOCKER_HOST"
	case orchestrator.EndpointContext:
		start += "\nor use another engine: docker context use default"
	case orchestrator.EndpointFlag, orchestrator.EndpointDefault:
	}
	switch at.scheme {
	case "unix":
		switch {
		case errors.Is(at.dial, fs.ErrNotExist):
			return failed(start, "there is no socket at %s", where)
		case errors.Is(at.dial, syscall.ECONNREFUSED):
			return failed(start, "nothing listens at %s", where)
		case at.dial == nil:
			_, other, _ := strings.Cut(start, "\n")
			remedy := strings.TrimSuffix("see whether it hangs: docker version; restart it: sudo systemctl restart docker\n"+other, "\n")
			return failed(remedy, "something listens at %s, but does not answer like an engine: %v", where, err)
		}
	case "tcp":
		remote := "see whether it runs: curl " + at.host + "/_ping"
		if info.TLS {
			remote = "see whether it runs and its certificate is right: docker --tlsverify version"
		}
		_, local, _ := strings.Cut(start, "\n")
		remote = strings.TrimSuffix(remote+"\n"+local, "\n")
		var dns *net.DNSError
		switch {
		case errors.As(at.dial, &dns):
			return failed(remote, "the host of %s has no address: %v", where, dns.Err)
		case errors.Is(at.dial, syscall.ECONNREFUSED):
			return failed(remote, "nothing listens at %s", where)
		case at.dial != nil:
			return failed(remote, "%s cannot be reached: %v", where, at.dial)
		}
		return failed(remote, "something listens at %s, but does not answer like an engine: %v", where, err)
	case "ssh":
		if at.command != nil {
			return failed("sudo apt-get install -y openssh-client", "%s needs the ssh command, which is not here", where)
		}
		why := err.Error() // of a failed command, only the output matters
		if _, said, found := strings.Cut(why, "stderr="); found {
			why = said
		}
		return failed("try it by hand: ssh USER@"+at.host+" docker version", "%s cannot be reached: %s", where, why)
	}
	return failed(start, "no engine answers at %s: %v", where, err)
}
