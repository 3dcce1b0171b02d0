package docker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/docker/docker/pkg/jsonmessage"

	"github.com/beamyard/beamyard/images"
	"github.com/beamyard/beamyard/orchestrator"
)

// The texts are from an engine of 20.10.24, except those with a remark.
func TestErrors(t *testing.T) {
	const (
		start   = "failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: "
		publish = "driver failed programming external connectivity on endpoint x (e39d2e5aad3b): "
	)
	tests := []struct {
		text string
		want error
	}{
		{publish + "Bind for 127.0.0.1:16999 failed: port is already allocated", orchestrator.ErrPortTaken},
		{publish + "Error starting userland proxy: listen tcp4 127.0.0.1:16998: bind: address already in use", orchestrator.ErrPortTaken},
		{"failed to set up container networking: " + publish + "failed to bind host port 127.0.0.1:4200/tcp: address already in use", orchestrator.ErrPortTaken}, // source of 28
		{publish + "Error starting userland proxy: listen tcp4 198.51.100.7:4200: bind: cannot assign requested address", orchestrator.ErrCannotStart},
		{"Address already in use", orchestrator.ErrConflict}, // the IP address
		{"Pool overlaps with other one on this address space", orchestrator.ErrSubnetOverlap},
		{"failed to set up IPv6: open /proc/sys/net/ipv6/conf/br-1/accept_ra: no such file or directory", orchestrator.ErrNoIPv6},
		{"could not find an available, non-overlapping IPv4 address pool among the defaults to assign to the network", orchestrator.ErrAddressPool},
		{"all predefined address pools have been fully subnetted", orchestrator.ErrAddressPool}, // source of 28
		{start + "error during container init: error setting rlimits for ready process: error setting rlimit type 7: operation not permitted: unknown", orchestrator.ErrUlimit},
		{`exec: "docker-init": executable file not found in $PATH`, orchestrator.ErrNoInit},
		{start + `error mounting "/opt/tini" to rootfs at "/sbin/docker-init": no such file or directory: unknown`, orchestrator.ErrNoInit},
		{`container-init binary not found on the host: stat /usr/libexec/podman/catatonit: no such file or directory`, orchestrator.ErrNoInit}, // source of Podman 4.3
		{`could not find "catatonit" in one of [/usr/local/libexec/podman]`, orchestrator.ErrNoInit},                                           // source of Podman 4.9
		{`invalid IP address in add-host: "host-gateway"`, orchestrator.ErrNoHostGateway},
		{"unable to derive the IP value for host-gateway", orchestrator.ErrNoHostGateway}, // source of 20.10
		{start + `exec: "no-such-cmd": executable file not found in $PATH: unknown`, orchestrator.ErrCannotStart},
		{start + `exec: "/etc": permission denied: unknown`, orchestrator.ErrCannotStart},
		{start + `exec: "/nope": stat /nope: no such file or directory: unknown`, orchestrator.ErrCannotStart},
		{"unable to find user no-such-user-here: no matching entries in passwd file", orchestrator.ErrCannotStart},
		{`Conflict. The container name "/x" is already in use by container "0123". You have to remove (or rename) that container to be able to reuse that name.`, orchestrator.ErrNameTaken},
		{"network with name try-engine-net already exists", orchestrator.ErrNameTaken},
		{"network beamyard-demo is ambiguous (2 matches found on name)", orchestrator.ErrConflict},
		{"error while removing network: network try-engine-net id 6158a62a41f9 has active endpoints", orchestrator.ErrConflict},
		{"Cannot kill container: x: Container f6977a2f7df6 is not running", orchestrator.ErrNotRunning},
		{"Container f6977a2f7df6 is paused, unpause the container before exec", orchestrator.ErrNotRunning},
		{"No such image: nope:1", images.ErrNotFound},
		{"No such image: nope:1", orchestrator.ErrNotFound},
		{"Got permission denied while trying to connect to the Docker daemon socket", orchestrator.ErrEnginePermission},
		{"client version 1.30 is too old. Minimum supported API version is 1.44", orchestrator.ErrEngineTooOld}, // source of 29
		{"client version 1.51 is too new. Maximum supported API version is 1.41", orchestrator.ErrEngineTooOld},
	}
	e := &Engine{endpoint: "unix:///x"}
	for _, tt := range tests {
		err := e.failed("do it", errors.New("Error response from daemon: "+tt.text))
		if !errors.Is(err, tt.want) {
			t.Errorf("%s\n  does not match %q", tt.text, tt.want)
		}
		if !strings.Contains(err.Error(), tt.text) || !strings.HasPrefix(err.Error(), "do it: ") {
			t.Errorf("the engine's text is missing: %v", err)
		}
		if errors.Is(tt.want, orchestrator.ErrConflict) && errors.Is(err, orchestrator.ErrPortTaken) {
			t.Errorf("%s\n  matches ErrPortTaken", tt.text)
		}
	}
	for _, same := range []error{nil, context.Canceled, context.DeadlineExceeded} {
		if got := e.failed("do it", same); !errors.Is(got, same) {
			t.Errorf("%v became %v", same, got)
		}
	}
	if err := e.failed("do it", fmt.Errorf("dial: %w", syscall.EACCES)); !errors.Is(err, orchestrator.ErrEnginePermission) {
		t.Errorf("EACCES: %v", err)
	}
	if err := e.failed("do it", errors.New("something new")); err.Error() != "do it: something new" {
		t.Errorf("unknown: %v", err)
	}
}

// Errors of a registry are in the engine's response or in its stream of messages.
func TestErrorsOfARegistry(t *testing.T) {
	const refused = "Get https://registry.example/v2/: dial tcp 10.0.0.9:443: connect: connection refused"
	tests := []struct {
		text string
		want error
	}{
		{"Get https://registry.example/v2/: dial tcp: lookup registry.example on 10.0.0.1:53: no such host", images.ErrNoRegistry},
		{refused, images.ErrNoRegistry},
		{"manifest for nope:1 not found: manifest unknown: manifest unknown", images.ErrNotFound},
		{"pull access denied for nope, repository does not exist or may require 'docker login'", images.ErrNotFound},
	}
	e := &Engine{}
	for _, tt := range tests {
		for _, err := range []error{errors.New("Error response from daemon: " + tt.text), &jsonmessage.JSONError{Message: tt.text}} {
			if err := e.failed("pull nope:1", err, fetching...); !errors.Is(err, tt.want) {
				t.Errorf("%s\n  does not match %q", tt.text, tt.want)
			}
		}
	}
	if err := e.failed("start", errors.New(refused)); errors.Is(err, images.ErrNoRegistry) {
		t.Errorf("a start matches ErrNoRegistry: %v", err)
	}
}

// hints checks that an error matches want and has the hint.
func hints(t *testing.T, err, want error, hint string) {
	t.Helper()
	if !errors.Is(err, want) || !strings.Contains(orchestrator.HintOf(err).String(), hint) {
		t.Errorf("%v does not match %q with hint %q", err, want, hint)
	}
}
