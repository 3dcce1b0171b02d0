package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/control"
	"github.com/beamyard/beamyard/orchestrator/evidence"
	"github.com/beamyard/beamyard/orchestrator/hint"
	"github.com/beamyard/beamyard/orchestrator/ui"
)

// dryCluster is a cluster of which only commands are asked.
type dryCluster struct{ answering }

func (d dryCluster) List(ctx context.Context) ([]ui.Listed, error) {
	st, err := d.Status(ctx)
	return []ui.Listed{{Status: st, Spec: d.Spec()}}, err
}

func (d dryCluster) Open(context.Context, string) (*ui.Cluster, error) {
	spec := d.Spec()
	spec.Nodes = orchestrator.NodeNames(3)
	return &ui.Cluster{Controller: d, Spec: spec, Supervised: true, Export: func(ctx context.Context) *evidence.Bundle { return collect(ctx, evidence.Source{Spec: spec}) }}, nil
}

// Each command that the page shows is one that the command line accepts, as it is.
func TestThePageShowsCommandsThatExist(t *testing.T) {
	l, err := ui.Listen(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	server := ui.New(l, ui.Options{Source: dryCluster{answering{name: "demo"}}})
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar, Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	resp, err := client.Get(server.URL("/", true))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	for _, tc := range []struct{ action, body string }{
		{"kill", `{"nodes":["n1","n2"]}`}, {"stop", `{"nodes":["n1"]}`}, {"start", `{"nodes":["n1"]}`}, {"restart", `{"nodes":["n1"]}`},
		{"pause", `{"nodes":["n1"]}`}, {"unpause", `{"nodes":["n1"]}`},
		{"partition", `{"groups":[["n1"],["n2","n3"]],"kind":"reset","for":"10s"}`}, {"partition", `{"groups":[["n1"]]}`},
		{"blip", `{}`}, {"blip", `{"groups":[["n1"]],"for":"6ms"}`}, {"blip", `{"pairs":["n1:n2","n2:n3"]}`},
		{"slow", `{"nodes":["n1"],"loss":"5%","latency":"50ms","rate":"1mbit","for":"2m"}`}, {"slow", `{"pairs":["n1:n2"],"loss":"5"}`},
		{"heal", `{}`}, {"heal", `{"ids":["fabc"]}`}, {"sync", `{}`}, {"sync", `{"nodes":["n1"]}`}, {"take-over", `{}`},
	} {
		resp, err := client.Post(fmt.Sprintf("http://localhost:%d/c/demo/do/%s?dry=1", l.Port(), tc.action), "application/json", strings.NewReader(tc.body))
		if err != nil {
			t.Fatal(err)
		}
		var body bytes.Buffer
		_, err = body.ReadFrom(resp.Body)
		resp.Body.Close()
		_, rest, found := strings.Cut(body.String(), `"command":"beamyard `)
		command, _, _ := strings.Cut(rest, `"`)
		if err != nil || !found {
			t.Errorf("%s %s: %s, %v", tc.action, tc.body, body.String(), err)
			continue
		}
		var c cli
		parser, err := kong.New(&c, kong.Vars{"version": ""})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parser.Parse(strings.Fields(strings.ReplaceAll(command, "'", ""))); err != nil {
			t.Errorf("beamyard %s: %v", command, err)
		}
	}
}

func TestTheProgramThatOpensABrowser(t *testing.T) {
	there := func(names ...string) func(string) (string, error) {
		return func(name string) (string, error) {
			for _, n := range names {
				if n == name {
					return "/bin/" + n, nil
				}
			}
			return "", errors.New("not found")
		}
	}
	for _, tc := range []struct {
		what, system, display string
		look                  func(string) (string, error)
		want                  string
	}{
		{"no display", "linux", "", there("xdg-open"), ""},
		{"a display", "linux", ":0", there("xdg-open"), "/bin/xdg-open"},
		{"a display, and nothing to open with", "linux", ":0", there(), ""},
		{"Windows' display", "linux", "", there("wslview"), "/bin/wslview"},
		{"macOS", "darwin", "", there("open"), "/bin/open"},
	} {
		env := func(name string) string { return map[string]string{"DISPLAY": tc.display}[name] }
		if got := browser(tc.system, env, tc.look); got != tc.want {
			t.Errorf("%s: %q", tc.what, got)
		}
	}
}

// The address is not an argument of the browser, which other users can see, but in a file that only
// its owner can read.
func TestTheBrowserIsGivenAFile(t *testing.T) {
	supervisors(t)
	bin := t.TempDir()
	got := filepath.Join(bin, "got")
	script := "#!/bin/sh\necho \"$@\" > " + got + ".part && mv " + got + ".part " + got + "\n"
	if err := os.WriteFile(filepath.Join(bin, "xdg-open"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	t.Setenv("DISPLAY", ":0")
	openBrowser("demo", "http://localhost:1/?token=secret&x=1")
	if !within(10*time.Second, func() bool { return exists(got) }) {
		t.Fatal("it was not started")
	}
	arguments, err := os.ReadFile(got)
	if err != nil || strings.Contains(string(arguments), "secret") {
		t.Fatalf("its arguments are %q, %v", arguments, err)
	}
	path := strings.TrimSpace(string(arguments))
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%s: %v, %v", path, info, err)
	}
	if text, err := os.ReadFile(path); err != nil || !strings.Contains(string(text), "token=secret&amp;x=1") {
		t.Errorf("%s, %v", text, err)
	}
}

// A supervisor of an earlier version has no page: the command serves it.
func TestUIOfAnEarlierSupervisor(t *testing.T) {
	supervisors(t, "demo")
	ctx, cancel := context.WithCancel(t.Context())
	var out, said lockedBuffer
	a := newApp(nil, &out, &said, nil)
	ended := make(chan error, 1)
	go func() { ended <- (&uiCmd{Name: "demo", NoOpen: true}).Run(ctx, a) }()
	if !within(10*time.Second, func() bool { return strings.Contains(said.String(), "Ctrl-C") }) {
		t.Fatalf("it says %q", said.String())
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar, Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	resp, err := client.Get(strings.TrimSpace(out.String()))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.Request.URL.Path != "/c/demo/" || !strings.Contains(said.String(), "earlier version") {
		t.Errorf("%s %s, said %q", resp.Status, resp.Request.URL, said.String())
	}
	base := "http://" + resp.Request.URL.Host
	resp, err = client.Get(base + "/c/demo/logs.txt")
	if err != nil {
		t.Fatal(err)
	}
	var body bytes.Buffer
	_, _ = body.ReadFrom(resp.Body)
	resp.Body.Close()
	if !strings.Contains(body.String(), "the token is [secret]") {
		t.Errorf("its log is %s", body.String())
	}
	cancel()
	if err := <-ended; !errors.Is(err, errInterrupted) {
		t.Errorf("it ends with %v", err)
	}
}

func TestUIChoosesTheCluster(t *testing.T) {
	supervisors(t, "demo", "shop")
	src := foundClusters{}
	away := errors.New("no engine")
	if name, err := (&uiCmd{}).choose(t.Context(), src, away); name != "" || err != nil {
		t.Errorf("of two: %q, %v", name, err)
	}
	if name, err := (&uiCmd{Name: "pubsub_app"}).choose(t.Context(), src, away); name != "pubsub-app" || err != nil {
		t.Errorf("by its folder: %q, %v", name, err)
	}
	all, err := src.List(t.Context())
	if err != nil || len(all) != 2 || all[1].Cluster != "shop" || all[1].Spec.Cookie == "" {
		t.Errorf("the overview has %v, %v", all, err)
	}
	supervisors(t)
	if _, err := (&uiCmd{}).choose(t.Context(), src, away); !errors.Is(err, away) {
		t.Errorf("of none, without an engine: %v", err)
	}
}

// The page of a process is served once, however often it is asked for.
func TestAPageIsServedOnce(t *testing.T) {
	if got := hint.Page.On("demo").String(); got != "beamyard ui demo" {
		t.Errorf("the hint is %s", got)
	}
	var servers []*ui.Server
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 2)
	p := &page{name: "demo", serve: func(s *ui.Server) {
		servers = append(servers, s)
		go func() { done <- s.Serve(ctx) }()
	}}
	first, err := p.open(ctx, control.PageRequest{})
	if err != nil {
		t.Fatal(err)
	}
	second, err := p.open(ctx, control.PageRequest{Port: p.port})
	if err != nil || first.URL == second.URL || len(servers) != 1 {
		t.Errorf("%s, then %s, of %d servers: %v", first.URL, second.URL, len(servers), err)
	}
	if _, err := p.open(ctx, control.PageRequest{Port: 1}); err == nil || orchestrator.HintOf(err).String() != "beamyard ui demo" {
		t.Errorf("another port: %v", err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// lockedBuffer is what a command that still runs has printed.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
