package docker

import (
	"context"
	"crypto/sha256"
	"encoding/json"
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
	"time"

	"github.com/docker/cli/cli/config"
	"github.com/docker/docker/client"

	"github.com/beamyard/beamyard/images"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/cluster"
)

// use returns a client for the engine at an address.
func use(t *testing.T, host string) *Engine {
	t.Helper()
	e, err := New(Options{Host: host})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

// serve starts an engine that answers each request with answer.
func serve(t *testing.T, answer http.HandlerFunc) *Engine {
	t.Helper()
	srv := httptest.NewServer(answer)
	t.Cleanup(srv.Close)
	return use(t, "tcp://"+strings.TrimPrefix(srv.URL, "http://"))
}

func reply(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprint(w, body)
}

func listen(t *testing.T, e *Engine, since time.Time) (err error, ready bool) {
	t.Helper()
	err = e.Events(t.Context(), since, nil, func() { ready = true }, func(orchestrator.ContainerEvent) {})
	return err, ready
}

// A pause is tried again where runc gives up freezing.
func TestAPauseIsTriedAgain(t *testing.T) {
	for gaveUp, paused := range map[int]bool{0: true, freezings - 1: true, freezings: false} {
		asked := 0
		e := serve(t, func(w http.ResponseWriter, r *http.Request) {
			switch {
			case strings.HasSuffix(r.URL.Path, "/pause") && asked == gaveUp:
				w.WriteHeader(http.StatusNoContent)
			case strings.HasSuffix(r.URL.Path, "/pause"):
				asked++
				reply(w, http.StatusInternalServerError, `{"message":"Cannot pause container c: OCI runtime pause failed: unable to freeze: unknown"}`)
			default:
				reply(w, http.StatusOK, `{"State":{"Running":true}}`)
			}
		})
		if err := e.PauseContainer(t.Context(), "c"); (err == nil) != paused {
			t.Errorf("runc gave up %d times: %v", gaveUp, err)
		}
	}
}

// A newer engine may return cached information, so a stream of new events begins at the
// time of its second answer.
func TestNowIsNotACachedTime(t *testing.T) {
	asked, since := 0, ""
	e := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/info"):
			asked++
			reply(w, http.StatusOK, fmt.Sprintf(`{"SystemTime":"2026-01-02T03:04:0%dZ"}`, asked))
		case strings.HasSuffix(r.URL.Path, "/events"):
			since = r.URL.Query().Get("since")
			reply(w, http.StatusOK, "") // the stream ends
		default:
			w.Header().Set("Api-Version", "1.41")
		}
	})
	if _, ready := listen(t, e, time.Time{}); !ready || since != stamp(time.Date(2026, 1, 2, 3, 4, 2, 0, time.UTC)) {
		t.Errorf("ready %t, since %s", ready, since)
	}
}

// An engine whose storage driver fails once leaves a container half removed. The text is
// from 20.10.
func TestAFailedRemovalIsRetried(t *testing.T) {
	asked := 0
	e := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodDelete {
			w.Header().Set("Api-Version", "1.41")
			return
		}
		if asked++; asked <= 2 {
			reply(w, http.StatusInternalServerError, `{"message":"container 01: driver \"fuse-overlayfs\" failed to remove root filesystem: unlinkat merged/etc: directory not empty"}`)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	if err := e.RemoveContainer(t.Context(), "01"); err != nil || asked != 3 {
		t.Errorf("%d requests: %v", asked, err)
	}
}

func TestNoEngine(t *testing.T) {
	t.Setenv("DOCKER_HOST", "unix:///nonexistent")
	deaf, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refused := "tcp://" + deaf.Addr().String()
	deaf.Close()
	for host, at := range map[string]string{
		"": "unix:///nonexistent", refused: refused,
		"unix://" + filepath.Join(t.TempDir(), "docker.sock"): "docker.sock",
		"tcp://engine.invalid:2375":                           "engine.invalid", // RFC 6761: this name never resolves
	} {
		e := use(t, host)
		info, err := e.Info(t.Context())
		hints(t, err, orchestrator.ErrEngineUnreachable, at)
		if !strings.Contains(info.Endpoint, at) {
			t.Errorf("%s: the endpoint is not reported: %+v", host, info)
		}
		hints(t, err, orchestrator.ErrEngineUnreachable, "DOCKER_HOST")
		for _, since := range []time.Time{{}, time.Now()} {
			err, ready := listen(t, e, since)
			if ready {
				t.Errorf("%s: ready without an engine", host)
			}
			hints(t, err, orchestrator.ErrEngineUnreachable, at)
		}
	}
}

// The dialer stands in for the socket: tests may run as root, which no socket refuses.
func TestNoPermission(t *testing.T) {
	e := use(t, "unix:///var/run/docker.sock")
	refuse := func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: "unix", Err: os.NewSyscallError("connect", syscall.EACCES)}
	}
	cli, err := client.NewClientWithOpts(client.WithDialContext(refuse))
	if err != nil {
		t.Fatal(err)
	}
	e.cli = cli
	e.raw = &http.Client{Transport: &http.Transport{DialContext: refuse}}
	_, err = e.Info(t.Context())
	hints(t, err, orchestrator.ErrEnginePermission, "usermod")
	if err.Error() != "ask the engine: dial unix: connect: permission denied" {
		t.Error(err)
	}
	// The hint of the error and that of the diagnosis are shown as one.
	if h := orchestrator.HintOf(cluster.Diagnose(err, orchestrator.Spec{})); strings.Count(h.String(), "usermod") != 1 {
		t.Errorf("%+v", h)
	}
	err, _ = listen(t, e, time.Now())
	hints(t, err, orchestrator.ErrEnginePermission, "usermod")
}

func TestAnOldAPI(t *testing.T) {
	refuses := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Api-Version", "1.12")
		if !strings.HasSuffix(r.URL.Path, "/_ping") {
			reply(w, http.StatusBadRequest, `{"message":"client version 1.24 is too new. Maximum supported API version is 1.12"}`)
		}
	})
	obliges := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Api-Version", "1.40")
		reply(w, http.StatusOK, `{"ServerVersion":"19.03.15"}`)
	})
	for _, e := range []*Engine{refuses, obliges} {
		_, err := e.Info(t.Context())
		hints(t, err, orchestrator.ErrEngineTooOld, "20.10")
	}
}

func TestOffered(t *testing.T) {
	for words, want := range map[string]error{
		"":                                   nil,
		"manifest unknown: manifest unknown": images.ErrNotFound,
		"pull access denied, repository does not exist or may require 'docker login'":         images.ErrNotFound,
		`Get "https://registry.invalid/v2/": dial tcp: lookup registry.invalid: no such host`: images.ErrNoRegistry,
		`Get "https://registry.invalid/v2/": dial tcp 192.0.2.1:443: i/o timeout`:             images.ErrNoRegistry,
	} {
		asked := ""
		e := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Api-Version", "1.41")
			switch {
			case strings.HasSuffix(r.URL.Path, "/_ping"):
			case words == "":
				asked = r.URL.Path
				reply(w, http.StatusOK, `{"Descriptor":{}}`)
			default:
				reply(w, http.StatusInternalServerError, fmt.Sprintf(`{"message":%q}`, words))
			}
		})
		if err := e.Offered(t.Context(), "elixir:1"); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", words, err, want)
		}
		if words == "" && asked != "/v1.41/distribution/elixir:1/json" {
			t.Errorf("the request went to %s", asked)
		}
	}
}

// Proxies in front of a socket may refuse HEAD, or every method of /_ping.
func TestAPoorPing(t *testing.T) {
	for name, ping := range map[string]http.HandlerFunc{
		"no HEAD": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Api-Version", "1.41")
			if r.Method == http.MethodHead {
				w.WriteHeader(http.StatusMethodNotAllowed)
			}
		},
		"unhealthy": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Api-Version", "1.41")
			w.WriteHeader(http.StatusInternalServerError)
		},
		"forbidden": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) },
	} {
		e := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/_ping") {
				ping(w, r)
				return
			}
			reply(w, http.StatusOK, `{"ID":"x","ServerVersion":"20.10.24","NCPU":2,"SystemTime":"2026-01-02T03:04:05.000000678Z"}`)
		})
		info, err := e.Info(t.Context())
		if err != nil || info.Version != "20.10.24" || !info.Time.Equal(anHour) || info.Local || info.Host != "127.0.0.1" {
			t.Errorf("%s: %+v, %v", name, info, err)
		}
	}
}

// An engine that refuses the event stream has not accepted it, so ready is not called.
func TestEventsRefused(t *testing.T) {
	e := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Api-Version", "1.41")
		if strings.HasSuffix(r.URL.Path, "/events") {
			reply(w, http.StatusInternalServerError, `{"message":"no room"}`)
		}
	})
	err, ready := listen(t, e, time.Now())
	if ready || err == nil || !strings.Contains(err.Error(), "no room") {
		t.Errorf("ready %v, %v", ready, err)
	}
}

// A stream that ends is an error, even if the engine ends it correctly.
func TestEventsEnd(t *testing.T) {
	e := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Api-Version", "1.41")
		if strings.HasSuffix(r.URL.Path, "/v1.41/events") && r.URL.Query().Get("since") == "1767323045.000000678" {
			reply(w, http.StatusOK, `{"Type":"container","Action":"die","Actor":{"ID":"c1","Attributes":{"exitCode":"7"}}}`+"\n")
		}
	})
	var heard []orchestrator.ContainerEvent
	err := e.Events(t.Context(), anHour, nil, func() {}, func(ev orchestrator.ContainerEvent) { heard = append(heard, ev) })
	if err == nil || len(heard) != 1 || heard[0].ExitCode != 7 {
		t.Errorf("%+v, %v", heard, err)
	}
}

// writeContext stores a context as `docker context create` does.
func writeContext(t *testing.T, dir, name, host string) {
	t.Helper()
	meta, err := json.Marshal(map[string]any{
		"Name": name, "Metadata": map[string]any{}, "Endpoints": map[string]any{"docker": map[string]any{"Host": host, "SkipTLSVerify": false}},
	})
	folder := filepath.Join(dir, "contexts", "meta", fmt.Sprintf("%x", sha256.Sum256([]byte(name))))
	if err := errors.Join(err, os.MkdirAll(folder, 0o700), os.WriteFile(filepath.Join(folder, "meta.json"), meta, 0o600)); err != nil {
		t.Fatal(err)
	}
}

func TestWhichEngine(t *testing.T) {
	dir := t.TempDir()
	old := config.Dir()
	config.SetDir(dir) // a process reads $DOCKER_CONFIG only once
	t.Cleanup(func() { config.SetDir(old) })
	writeContext(t, dir, "lab", "tcp://user:secret@lab.example:2375")
	writeContext(t, dir, "attic", "tcp://attic.example:2375")
	const used = `{"currentContext":"attic"}`
	tests := []struct {
		name           string
		options        Options
		host, env      string // DOCKER_HOST, DOCKER_CONTEXT
		file           string
		endpoint, fail string
		from           orchestrator.EndpointSource
		context        string
	}{
		{name: "nothing", endpoint: client.DefaultDockerHost, from: "default"},
		{name: "used context", file: used, endpoint: "tcp://attic.example:2375", from: "context", context: "attic"},
		{name: "DOCKER_CONTEXT before it", file: used, env: "lab", endpoint: "tcp://lab.example:2375", from: "context", context: "lab"},
		{name: "DOCKER_HOST before both", file: used, env: "lab", host: "tcp://me:secret@host.example:2375", endpoint: "tcp://host.example:2375", from: "DOCKER_HOST"},
		{name: "option before all", file: used, env: "lab", host: "tcp://host.example:2375", options: Options{Context: "attic"}, endpoint: "tcp://attic.example:2375", from: "flag", context: "attic"},
		{name: "host option", file: used, env: "lab", options: Options{Host: "ssh://me@far.example"}, endpoint: "ssh://far.example", from: "flag"},
		{name: "the default context", file: used, options: Options{Context: "default"}, endpoint: client.DefaultDockerHost, from: "default"},
		{name: "the default context is DOCKER_HOST", host: "tcp://host.example:2375", options: Options{Context: "default"}, endpoint: "tcp://host.example:2375", from: "DOCKER_HOST"},
		{name: "missing context", env: "no-such-context", fail: "no-such-context"},
		{name: "malformed", host: "nonsense", fail: "nonsense"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("DOCKER_HOST", tt.host)
			t.Setenv("DOCKER_CONTEXT", tt.env)
			if tt.file == "" {
				tt.file = "{}"
			}
			if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(tt.file), 0o600); err != nil {
				t.Fatal(err)
			}
			e, err := New(tt.options)
			if tt.fail != "" {
				if err == nil || !strings.Contains(err.Error(), tt.fail) || len(orchestrator.HintOf(err)) == 0 {
					t.Fatalf("%v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			if e.endpoint != tt.endpoint {
				t.Errorf("engine %s, want %s", e.endpoint, tt.endpoint)
			}
			if got := e.located(orchestrator.EngineInfo{}); got.From != tt.from || got.Context != tt.context || got.Endpoint != tt.endpoint || got.TLS {
				t.Errorf("found by %q (context %q), want %q (%q)", got.From, got.Context, tt.from, tt.context)
			}
		})
	}
}

func TestPublishedHost(t *testing.T) {
	t.Setenv("BEAMYARD_HOST", "")
	t.Setenv("TESTCONTAINERS_HOST_OVERRIDE", "")
	for endpoint, want := range map[string]string{
		"unix:///var/run/docker.sock": "127.0.0.1",
		"tcp://engine.example:2375":   "engine.example", "ssh://engine.example": "127.0.0.1",
		"tcp://127.0.0.1:2375": "127.0.0.1",
	} {
		if got := use(t, endpoint).publishedHost(); got != want {
			t.Errorf("published ports of %s are at %s, want %s", endpoint, got, want)
		}
	}
	t.Setenv("BEAMYARD_HOST", "10.0.0.9")
	if got := use(t, "unix:///x").publishedHost(); got != "10.0.0.9" {
		t.Errorf("overridden: %s", got)
	}
}
