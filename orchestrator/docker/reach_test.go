package docker

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/docker/tunnel"
)

// tunnelled returns a client of an engine behind ssh. Its answers are those of an engine that has
// two containers of Beamyard and two that are not to be tunnelled.
func tunnelled(t *testing.T) *Engine {
	t.Helper()
	const list = `[
		{"Id": "n1", "State": "running", "Labels": {"beamyard.cluster": "demo"}, "Ports": [{"IP": "127.0.0.1", "PrivatePort": 9100, "PublicPort": 43001, "Type": "tcp"}, {"PrivatePort": 4000, "Type": "tcp"}]},
		{"Id": "n2", "State": "exited", "Labels": {"beamyard.cluster": "demo"}, "Ports": [{"IP": "127.0.0.1", "PrivatePort": 9100, "PublicPort": 43002, "Type": "tcp"}]},
		{"Id": "n3", "State": "running", "Labels": {"beamyard.cluster": "demo"}, "Ports": [{"IP": "10.0.0.7", "PrivatePort": 9100, "PublicPort": 43003, "Type": "tcp"}]},
		{"Id": "db", "State": "running", "Ports": [{"IP": "127.0.0.1", "PrivatePort": 5432, "PublicPort": 43004, "Type": "tcp"}]}
	]`
	e := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/containers/json"):
			reply(w, http.StatusOK, list)
		case r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/create"):
			reply(w, http.StatusCreated, `{"Id": "new"}`)
		default:
			w.Header().Set("Api-Version", "1.45")
			w.WriteHeader(http.StatusNoContent)
		}
	})
	e.tunnel = tunnel.New("--", "big2")
	return e
}

// What Beamyard runs there and publishes on loopback is tunnelled once it is started, or listed by
// its labels, and no longer than it exists. Nothing of others is.
func TestWhatIsTunnelled(t *testing.T) {
	ctx := context.Background()
	for name, do := range map[string]func(*Engine) error{
		"a start": func(e *Engine) error { return e.StartContainer(ctx, "n1") },
		"a list by labels": func(e *Engine) error {
			_, err := e.Containers(ctx, map[string]string{"beamyard.cluster": "demo"})
			return err
		},
	} {
		e := tunnelled(t)
		if _, err := e.Containers(ctx, nil); err != nil || e.tunnel.Ports() != "" {
			t.Errorf("a list of all: %v, forwarded %s", err, e.tunnel.Ports())
		}
		if err := do(e); err != nil || e.tunnel.Ports() != "43001" {
			t.Errorf("%s: %v, forwarded %s", name, err, e.tunnel.Ports())
		}
		if err := e.RemoveContainer(ctx, "n1"); err != nil || e.tunnel.Ports() != "" {
			t.Errorf("after its removal: %v, forwarded %s", err, e.tunnel.Ports())
		}
	}
}

// A machine that forwards no ports is refused before a container is created, with what to change.
func TestAMachineThatForwardsNoPorts(t *testing.T) {
	dir := t.TempDir()
	fake := "#!/bin/sh\necho 'channel 0: open failed: administratively prohibited: open failed' >&2\nexit 255\n"
	if err := os.WriteFile(filepath.Join(dir, "ssh"), []byte(fake), 0o700); err != nil { // a program
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	e := tunnelled(t)
	_, err := e.CreateContainer(t.Context(), orchestrator.ContainerSpec{Name: "n1", Ports: []orchestrator.PortBinding{{Container: 4000, HostIP: loopback}}})
	if !errors.Is(err, tunnel.ErrRefused) || !strings.Contains(orchestrator.HintOf(err).String(), "AllowTcpForwarding yes") {
		t.Errorf("%v, hint %v", err, orchestrator.HintOf(err))
	}
	if _, err := e.CreateContainer(t.Context(), orchestrator.ContainerSpec{Name: "n1"}); err != nil {
		t.Errorf("without ports: %v", err)
	}
}
