package docker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"syscall"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/client"

	"github.com/beamyard/beamyard/images"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/hint"
)

// signature identifies an engine's error by a part of its text. This table is the only place
// that reads engine texts; each line was seen on a real engine or read in its source. Lower
// case.
type signature struct {
	text string
	kind error
	hint hint.Hint
}

// noImage is the error for a missing image, for both interfaces that look for one.
var noImage = errors.Join(images.ErrNotFound, orchestrator.ErrNotFound)

var signatures = []signature{
	{"permission denied while trying to connect", orchestrator.ErrEnginePermission, hint.Text(`sudo usermod -aG docker "$USER", then log in again`)},
	{"client version", orchestrator.ErrEngineTooOld, hint.Text("upgrade the engine: Docker 20.10 or newer is needed (and unset DOCKER_API_VERSION)")},
	{"port is already allocated", orchestrator.ErrPortTaken, hint.Text("see who has it: docker ps, or ss -ltnp")},
	{"bind: address already in use", orchestrator.ErrPortTaken, hint.Text("see who has it: ss -ltnp")},
	{"tcp: address already in use", orchestrator.ErrPortTaken, hint.Text("see who has it: ss -ltnp")},
	{"cannot assign requested address", orchestrator.ErrCannotStart, hint.Text("the engine's machine does not have the address that ports are published at: give one that it has, address: of the host, or BEAMYARD_PUBLISH=0.0.0.0 for every address of it")},
	// This text without more means an IP address.
	{"address already in use", orchestrator.ErrConflict, hint.Text("another container has the address: docker network inspect NETWORK")},
	{"pool overlaps with other one", orchestrator.ErrSubnetOverlap, hint.Newf("choose another range: %s", hint.Setting("pool"))},
	{"could not find an available, non-overlapping ipv4 address pool", orchestrator.ErrAddressPool, hint.Text("docker network prune")},
	{"all predefined address pools have been fully subnetted", orchestrator.ErrAddressPool, hint.Text("docker network prune")},
	{"error setting rlimit", orchestrator.ErrUlimit, hint.Text("start the engine with a higher limit of open files")},
	// Before "executable file not found": docker-init is Docker's, catatonit Podman's.
	{"docker-init", orchestrator.ErrNoInit, hint.Text("install the engine's init program: docker-init (Debian: apt-get install tini)")},
	{"catatonit", orchestrator.ErrNoInit, hint.Text("install the engine's init program: catatonit")},
	{"container-init binary not found", orchestrator.ErrNoInit, hint.Text("install the engine's init program: catatonit")},
	{"invalid ip address in add-host", orchestrator.ErrNoHostGateway, hint.Newf("give the address in place of host-gateway: %s", hint.Setting("extra_hosts"))},
	{"unable to derive the ip value for host-gateway", orchestrator.ErrNoHostGateway, hint.Newf("give the address in place of host-gateway: %s, or start dockerd with --host-gateway-ip", hint.Setting("extra_hosts"))},
	// The kernel's refusal of IPv6 to the bridge driver, for example of a path in
	// /proc/sys/net/ipv6. If IPv6 is only switched off, the driver switches it on for its
	// bridge.
	{"ipv6", orchestrator.ErrNoIPv6, hint.Newf("see whether the engine's machine has IPv6: ls /proc/sys/net/ipv6\nor set %s", hint.Setting("distribution.inet6: false"))},
	{"is already in use by container", orchestrator.ErrNameTaken, hint.Text("see it with `docker ps -a`, remove it with `docker rm -f NAME`")},
	{"executable file not found", orchestrator.ErrCannotStart, hint.Newf("the image lacks the command: build on an image with Elixir, or set %s", hint.Setting("command"))},
	{"no such file or directory: unknown", orchestrator.ErrCannotStart, hint.Newf("the image lacks the command: build on an image with Elixir, or set %s", hint.Setting("command"))},
	{"exec format error", orchestrator.ErrCannotStart, hint.Text("the image is for another processor: pull or build it for this platform")},
	{"oci runtime create failed", orchestrator.ErrCannotStart, hint.Text("check the image's entrypoint and the command")},
	{"failed to create shim", orchestrator.ErrCannotStart, hint.Text("check the image's entrypoint and the command")},
	{"is not running", orchestrator.ErrNotRunning, nil},
	{"is paused, unpause the container", orchestrator.ErrNotRunning, hint.Text("docker unpause NAME")},
	{"is ambiguous", orchestrator.ErrConflict, hint.Text("two networks have one name: docker network ls")},
	{"cannot join network of a non running container", orchestrator.ErrConflict, nil},
	{"already exists in network", orchestrator.ErrConflict, nil},
	{"has active endpoints", orchestrator.ErrConflict, hint.Text("remove the containers of the network first")},
	{"this node is not a swarm manager", orchestrator.ErrNoSwarm, hint.Newf("%s, or name an engine that manages the swarm: docker node ls", hint.Machines.With("init"))},
	// The answer of a swarm's manager, after 20 s, about an address that another container has.
	{"attaching to network failed", orchestrator.ErrConflict, hint.Text("another container has the address, or the swarm's manager does not answer: docker node ls")},
	{"is in use by task", orchestrator.ErrConflict, hint.Text("remove the containers of the network first, on every host")},
	{"unable to find user", orchestrator.ErrCannotStart, hint.Text("the image has no such user")},
	{"network with name", orchestrator.ErrNameTaken, hint.Text("see it with `docker network ls`, remove it with `docker network rm NAME`")},
	{"no such image", noImage, nil},
}

// fetching are the signatures of errors when an engine queries a registry, for us or for a
// build.
var fetching = []signature{
	{"manifest unknown", noImage, hint.Text("check the image's tag")},
	{"pull access denied", noImage, hint.Text("check the image's name, or `docker login`")},
	{"repository does not exist", noImage, hint.Text("check the image's name")},
	{"no such host", images.ErrNoRegistry, nil},
	{"server misbehaving", images.ErrNoRegistry, nil},
	{"connection refused", images.ErrNoRegistry, nil},
	{"i/o timeout", images.ErrNoRegistry, nil},
	{"network is unreachable", images.ErrNoRegistry, nil},
	{"client.timeout exceeded", images.ErrNoRegistry, nil},
	{"context deadline exceeded", images.ErrNoRegistry, nil},
}

// engineError is an engine's error with its meaning and advice.
type engineError struct {
	doing string
	err   error
	kind  error
	hint  hint.Hint
}

func (e *engineError) Error() string   { return fmt.Sprintf("%s: %v", e.doing, e.err) }
func (e *engineError) Unwrap() []error { return []error{e.err, e.kind} }
func (e *engineError) Hint() hint.Hint { return e.hint }

// failed adds the meaning to an engine's error, by the signatures and those that apply only to
// this call.
func (e *Engine) failed(doing string, err error, more ...signature) error {
	err = discreet(err, e.user)
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	wrapped := &engineError{doing: doing, err: err}
	text := strings.ToLower(err.Error())
	switch {
	case errors.Is(err, syscall.EACCES):
		wrapped.kind, wrapped.hint = orchestrator.ErrEnginePermission, signatures[0].hint
		if op := (*net.OpError)(nil); errors.As(err, &op) { // the client names the socket three times
			wrapped.err = &discreetError{text: discreet(op, e.user).Error(), err: err}
		}
		return wrapped
	case client.IsErrConnectionFailed(err), errors.As(err, new(*url.Error)), errors.As(err, new(*net.OpError)):
		wrapped.kind, wrapped.hint = orchestrator.ErrEngineUnreachable, hint.Newf("start it (`sudo systemctl start docker`, or `dockerd`), or point DOCKER_HOST at one that runs; it was sought at %s", e.endpoint)
		return wrapped
	}
	for _, s := range slices.Concat(signatures, more) {
		if strings.Contains(text, s.text) {
			wrapped.kind, wrapped.hint = s.kind, s.hint
			return wrapped
		}
	}
	switch {
	case errdefs.IsNotFound(err):
		wrapped.kind = orchestrator.ErrNotFound
	case errdefs.IsConflict(err):
		wrapped.kind = orchestrator.ErrConflict
	default:
		return fmt.Errorf("%s: %w", doing, err)
	}
	return wrapped
}
