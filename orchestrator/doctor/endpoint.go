package doctor

import (
	"context"
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
	"time"

	"github.com/beamyard/beamyard/orchestrator"
)

// endpointFacts describe the engine's address, as far as this machine knows without the engine.
type endpointFacts struct {
	scheme string // "unix", "tcp", "ssh", …
	path   string // of a unix socket
	host   string // host:port of tcp, host of ssh

	dial      error       // why the endpoint does not answer; nil if it does, or was not tried
	mode      fs.FileMode // of an existing unix socket
	group     string      // that owns the socket
	user      string      // who runs this process
	member    bool        // of that group in the user database, even if not in this session
	others    []string    // sockets of engines elsewhere on this machine
	system    string      // this machine's: "linux"
	installed bool        // a Docker daemon is installed
	command   error       // why the command that dials (ssh) cannot run

	dockerHost, dockerContext string // the environment variables
}

// lookAtEndpoint gathers endpointFacts.
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

// daemonInstalled looks in the usual folders of daemons, which may not be in PATH.
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

// usualSockets are the default sockets of engines: Docker, rootless Docker, Docker Desktop,
// Colima, Podman.
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

// memberOf looks the user up in the user database.
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

// lookEndpoint judges the connection to an engine that answers.
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
