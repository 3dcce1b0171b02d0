package docker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/beamyard/beamyard/images"
	"github.com/beamyard/beamyard/orchestrator"
)

// The texts were printed by engines: 20.10 unless said otherwise.
func TestErrors(t *testing.T) {
	tests := []struct {
		text string
		want error
	}{
		{"driver failed programming external connectivity on endpoint x: Bind for 127.0.0.1:4200 failed: port is already allocated", orchestrator.ErrPortTaken},
		{"driver failed programming external connectivity on endpoint x: Error starting userland proxy: listen tcp4 127.0.0.1:4200: bind: address already in use", orchestrator.ErrPortTaken},
		{"Pool overlaps with other one on this address space", orchestrator.ErrSubnetOverlap},
		{"could not find an available, non-overlapping IPv4 address pool among the defaults to assign to the network", orchestrator.ErrAddressPool},
		{"all predefined address pools have been fully subnetted", orchestrator.ErrAddressPool}, // 28
		{"OCI runtime create failed: container_linux.go:380: starting container process caused: process_linux.go:545: container init caused: rootfs_linux.go: error setting rlimit type 7: operation not permitted: unknown", orchestrator.ErrUlimit},
		{`failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: exec: "/nope": stat /nope: no such file or directory: unknown`, orchestrator.ErrCannotStart},
		{`OCI runtime create failed: exec: "elixir": executable file not found in $PATH: unknown`, orchestrator.ErrCannotStart},
		{"unable to find user no-such-user-here: no matching entries in passwd file", orchestrator.ErrCannotStart},
		{`Conflict. The container name "/x" is already in use by container "0123". You have to remove (or rename) that container to be able to reuse that name.`, orchestrator.ErrNameTaken},
		{"network with name beamyard-demo already exists", orchestrator.ErrNameTaken},
		{"network beamyard-demo is ambiguous (2 matches found on name)", orchestrator.ErrConflict},
		{"error while removing network: network beamyard-demo id 01 has active endpoints", orchestrator.ErrConflict},
		{"Container 0123 is not running", orchestrator.ErrNotRunning},
		{"No such image: nope:1", images.ErrNotFound},
		{"No such image: nope:1", orchestrator.ErrNotFound},
		{"Get https://registry.example/v2/: dial tcp: lookup registry.example on 10.0.0.1:53: no such host", images.ErrNoRegistry},
		{"pull access denied for nope, repository does not exist or may require 'docker login'", images.ErrNotFound},
		{"Got permission denied while trying to connect to the Docker daemon socket", orchestrator.ErrEnginePermission},
		{"client version 1.30 is too old. Minimum supported API version is 1.44", orchestrator.ErrEngineTooOld}, // 29
	}
	e := &Engine{endpoint: "unix:///x"}
	for _, tt := range tests {
		err := e.failed("do it", errors.New("Error response from daemon: "+tt.text))
		if !errors.Is(err, tt.want) {
			t.Errorf("%s\n  is no %q", tt.text, tt.want)
		}
		if !strings.Contains(err.Error(), tt.text) || !strings.HasPrefix(err.Error(), "do it: ") {
			t.Errorf("the engine's words are lost: %v", err)
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

// hints checks that an error is of its class and says what to type.
func hints(t *testing.T, err, want error, hint string) {
	t.Helper()
	var h orchestrator.Hinter
	if !errors.Is(err, want) || !errors.As(err, &h) || !strings.Contains(h.Hint(), hint) {
		t.Errorf("%v is no %q with hint %q", err, want, hint)
	}
}

func TestNoEngine(t *testing.T) {
	missing := "unix://" + filepath.Join(t.TempDir(), "docker.sock")
	deaf, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refused := "tcp://" + deaf.Addr().String()
	deaf.Close()
	for _, host := range []string{missing, refused} {
		e, err := New(Options{Host: host})
		if err != nil {
			t.Fatal(err)
		}
		_, err = e.Info(t.Context())
		hints(t, err, orchestrator.ErrEngineUnreachable, host)
		e.Close()
	}
}

func TestAnOldAPI(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Api-Version", "1.12")
		w.Header().Set("Content-Type", "application/json")
		if !strings.HasSuffix(r.URL.Path, "/_ping") {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"message":"client version 1.24 is too new. Maximum supported API version is 1.12"}`)
		}
	}))
	defer srv.Close()
	e, err := New(Options{Host: "tcp://" + strings.TrimPrefix(srv.URL, "http://")})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	_, err = e.Info(t.Context())
	hints(t, err, orchestrator.ErrEngineTooOld, "20.10")
}

func TestContexts(t *testing.T) {
	t.Setenv("DOCKER_HOST", "")
	t.Setenv("DOCKER_CONTEXT", "")
	dir := t.TempDir()
	t.Setenv("DOCKER_CONFIG", dir)
	_, err := New(Options{Context: "no-such-context"})
	if err == nil || !strings.Contains(err.Error(), "no-such-context") {
		t.Errorf("a context that is missing: %v", err)
	}
	e, err := New(Options{})
	if err != nil || !strings.HasPrefix(e.endpoint, "unix://") {
		t.Fatalf("default: %v, %v", e, err)
	}
	e.Close()
	t.Setenv("DOCKER_HOST", "tcp://user:secret@engine.example:2375")
	e, err = New(Options{})
	if err != nil || e.endpoint != "tcp://engine.example:2375" {
		t.Fatalf("DOCKER_HOST: %v, %v", e, err)
	}
	e.Close()
	for endpoint, want := range map[string]string{
		"unix:///var/run/docker.sock": "127.0.0.1", "tcp://engine.example:2375": "engine.example",
		"ssh://me@engine.example": "engine.example", "tcp://127.0.0.1:2375": "127.0.0.1",
	} {
		if got := publishedHost(endpoint); got != want {
			t.Errorf("published ports of %s are at %s, want %s", endpoint, got, want)
		}
	}
	t.Setenv("BEAMYARD_HOST", "10.0.0.9")
	if got := publishedHost("unix:///x"); got != "10.0.0.9" {
		t.Errorf("overridden: %s", got)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
}
