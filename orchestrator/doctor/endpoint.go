package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
)

// endpointFacts are what this machine can tell of the engine's address without
// the engine.
type endpointFacts struct {
	scheme string // "unix", "tcp", "ssh", …
	path   string // of a unix socket
	host   string // host:port of tcp, host of ssh

	dial      error       // why nobody answers there; nil where somebody does, or it was not tried
	mode      fs.FileMode // of a unix socket that is there
	group     string      // it belongs to
	user      string      // we are
	member    bool        // of that group by the user database, whatever this session says
	others    []string    // sockets of engines elsewhere on this machine
	system    string      // this machine's: "linux"
	installed bool        // a Docker daemon is
	command   error       // why the command that dials (ssh) cannot be run

	dockerHost, dockerContext string // the variables
}

// lookAtEndpoint gathers them.
func lookAtEndpoint(ctx context.Context, endpoint string) endpointFacts {
	f := endpointFacts{system: runtime.GOOS, installed: daemonInstalled(), dockerHost: os.Getenv("DOCKER_HOST"), dockerContext: os.Getenv("DOCKER_CONTEXT")}
	f.scheme, f.path, _ = strings.Cut(endpoint, "://")
	if u, err := url.Parse(endpoint); err == nil {
		f.host = u.Host
	}
	if u, err := user.Current(); err == nil {
		f.user = u.Username
	} else {
		f.user = fmt.Sprint(os.Getuid())
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	switch f.scheme {
	case "unix":
		if info, err := os.Stat(f.path); err == nil {
			f.mode, f.group = info.Mode(), groupOf(info)
			f.member = memberOf(f.group)
		}
		f.dial = dialable(ctx, "unix", f.path)
		for _, path := range usualSockets() {
			if path != f.path && dialable(ctx, "unix", path) == nil {
				f.others = append(f.others, path)
			}
		}
	case "tcp":
		f.dial = dialable(ctx, "tcp", f.host)
	case "ssh":
		_, f.command = exec.LookPath("ssh")
	}
	return f
}

// daemonInstalled looks where daemons are, which is not in everybody's PATH.
func daemonInstalled() bool {
	for _, name := range []string{"dockerd", "/usr/sbin/dockerd", "/usr/bin/dockerd", "/usr/local/bin/dockerd"} {
		if _, err := exec.LookPath(name); err == nil {
			return true
		}
	}
	return false
}

func dialable(ctx context.Context, network, address string) error {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err == nil {
		conn.Close()
	}
	return err
}

// usualSockets are where engines listen by default: Docker, rootless Docker,
// Docker Desktop, Colima, Podman.
func usualSockets() []string {
	all := []string{"/var/run/docker.sock"}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		all = append(all, filepath.Join(dir, "docker.sock"), filepath.Join(dir, "podman", "podman.sock"))
	}
	if home, err := os.UserHomeDir(); err == nil {
		all = append(all, filepath.Join(home, ".docker/run/docker.sock"), filepath.Join(home, ".docker/desktop/docker.sock"), filepath.Join(home, ".colima/default/docker.sock"))
	}
	return all
}

// memberOf asks the user database.
func memberOf(group string) bool {
	u, err := user.Current()
	if err != nil {
		return false
	}
	g, err := user.LookupGroup(group)
	if err != nil {
		return false
	}
	ids, err := u.GroupIds()
	return err == nil && slices.Contains(ids, g.Gid)
}

// lookEngine judges the engine, which everything else needs.
func lookEngine(ctx context.Context, e *examination) verdict {
	if e.engineErr == nil {
		return judgeEngine(e.engine.info)
	}
	return judgeNoEngine(e.engine.info, lookAtEndpoint(ctx, e.engine.info.Endpoint), e.engineErr)
}

// judgeEngine describes one that answers.
func judgeEngine(info orchestrator.EngineInfo) verdict {
	text := fmt.Sprintf("Docker %s, API %s, %s/%s, kernel %s", info.Version, info.APIVersion, info.OS, info.Arch, info.Kernel)
	if slices.Contains(info.Security, "rootless") {
		text += ", rootless"
	}
	if slices.Contains(info.Security, "userns") {
		text += ", in a user namespace"
	}
	if n := len(info.Warnings); n > 0 {
		text += fmt.Sprintf("; it says: %s", strings.Join(info.Warnings, "; "))
	}
	return ok("%s", text)
}

// judgeNoEngine says why none can be used, and what to type.
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
	if hint := hintOf(err); hint != "" {
		v.remedy = hint
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
			return failed(start, "nobody listens at %s", where)
		case at.dial == nil:
			return failed("see whether it hangs: docker version; restart it: sudo systemctl restart docker", "somebody listens at %s, but does not answer as an engine does: %v", where, err)
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
			return failed(remote, "nobody listens at %s", where)
		case at.dial != nil:
			return failed(remote, "%s cannot be reached: %v", where, at.dial)
		}
		return failed(remote, "somebody listens at %s, but does not answer as an engine does: %v", where, err)
	case "ssh":
		if at.command != nil {
			return failed("sudo apt-get install -y openssh-client", "%s needs the ssh command, which is not here", where)
		}
		why := err.Error() // of a command that failed, what it said is all that counts
		if _, said, found := strings.Cut(why, "stderr="); found {
			why = said
		}
		return failed("try it by hand: ssh USER@"+at.host+" docker version", "%s cannot be reached: %s", where, why)
	}
	return failed(start, "no engine answers at %s: %v", where, err)
}

// hintOf is the advice that an error carries, "" where it has none.
func hintOf(err error) string {
	var h orchestrator.Hinter
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}

// lookEndpoint judges the way to an engine that answers.
func lookEndpoint(ctx context.Context, e *examination) verdict {
	return judgeEndpoint(e.engine.info, lookAtEndpoint(ctx, e.engine.info.Endpoint))
}

func judgeEndpoint(info orchestrator.EngineInfo, at endpointFacts) verdict {
	text := info.Endpoint
	switch info.From {
	case orchestrator.EndpointEnv:
		text += ", of DOCKER_HOST"
	case orchestrator.EndpointContext:
		text += ", of the docker context " + info.Context
	case orchestrator.EndpointDefault:
		text += ", the usual one"
	case orchestrator.EndpointFlag:
	}
	if at.dockerHost != "" && at.dockerContext != "" {
		return warning("unset DOCKER_HOST, or unset DOCKER_CONTEXT", "%s; DOCKER_CONTEXT=%s says otherwise and is not heeded", text, at.dockerContext)
	}
	switch at.scheme {
	case "unix":
		if at.mode != 0 {
			text += fmt.Sprintf(", group %s, mode %04o", at.group, at.mode.Perm())
		}
		if at.mode.Perm()&0o002 != 0 {
			return warning("sudo chmod 0660 "+at.path, "%s: everybody on this machine can become root by it", text)
		}
	case "tcp":
		host, _, _ := net.SplitHostPort(at.host)
		ip := net.ParseIP(host)
		switch {
		case info.TLS:
			text += ", TLS"
		case host != "localhost" && (ip == nil || !ip.IsLoopback()):
			return warning("export DOCKER_HOST=ssh://"+host+", or set DOCKER_CERT_PATH and DOCKER_TLS_VERIFY=1",
				"%s, without TLS: whoever reaches that port is root there", text)
		}
	}
	return ok("%s", text)
}
