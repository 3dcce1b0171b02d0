package gate_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/beamyard/beamyard/orchestrator/enginetest/gate"
)

// engine answers each request with its number, on an address of that kind.
func engine(t *testing.T, network, address string) (endpoint string) {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	var requests atomic.Int32
	server := &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, requests.Add(1))
	})}}
	server.Start()
	t.Cleanup(server.Close)
	return network + "://" + l.Addr().String()
}

func ask(ctx context.Context, endpoint string) (string, error) {
	at, err := url.Parse(endpoint)
	if err != nil {
		return "", err
	}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, at.Scheme, at.Host+at.Path)
	}
	c := &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://engine/", nil)
	if err != nil {
		return "", err
	}
	resp, err := c.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	said, err := io.ReadAll(resp.Body)
	return string(said), err
}

func TestGate(t *testing.T) {
	for _, kind := range []struct{ network, address, env string }{
		{"unix", filepath.Join(t.TempDir(), "docker.sock"), ""},
		{"tcp", "127.0.0.1:0", "127.0.0.1"},
	} {
		t.Run(kind.network, func(t *testing.T) {
			g, err := gate.New(engine(t, kind.network, kind.address), t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			defer g.Close()
			env := g.Env()
			if env["DOCKER_HOST"] != g.Endpoint() || env["BEAMYARD_HOST"] != kind.env {
				t.Errorf("%v, at %s", env, g.Endpoint())
			}
			wants := func(want string) {
				t.Helper()
				if said, err := ask(t.Context(), env["DOCKER_HOST"]); err != nil || said != want {
					t.Errorf("%q, %v, want %q", said, err, want)
				}
			}
			wants("1")
			g.Shut()
			if said, err := ask(t.Context(), g.Endpoint()); err == nil || !g.IsShut() {
				t.Errorf("shut %t, and says %q", g.IsShut(), said)
			}
			if err := g.Open(); err != nil {
				t.Fatal(err)
			}
			wants("2")

			g.Hold()
			short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if said, err := ask(short, g.Endpoint()); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("held, it says %q, %v", said, err)
			}
			g.Release()
			wants("4") // the request was sent
		})
	}
	for _, endpoint := range []string{"ssh://host", "npipe:////./pipe/docker_engine", ":"} {
		if _, err := gate.New(endpoint, t.TempDir()); err == nil {
			t.Errorf("%s has a gate", endpoint)
		}
	}
}
