package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/docker"
)

// joinToken is the secret that no output may have.
const joinToken = "SWMTKN-1-secret"

// fakeEngine answers what the commands on hosts ask of an engine.
type fakeEngine struct {
	*httptest.Server
	name string

	mu      sync.Mutex
	spec    string // of a cluster, on its network
	state   string // of its membership
	manager bool
	changes []string // the changes that it was asked for
}

func newFakeEngine(t *testing.T, name string) *fakeEngine {
	t.Helper()
	e := &fakeEngine{name: name, state: "inactive"}
	e.Server = httptest.NewServer(http.HandlerFunc(e.answer))
	t.Cleanup(e.Close)
	return e
}

// host is the engine as --hosts takes it.
func (e *fakeEngine) host() string {
	return e.name + "=tcp://" + strings.TrimPrefix(e.URL, "http://")
}

func (e *fakeEngine) answer(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	w.Header().Set("Api-Version", "1.45")
	w.Header().Set("Content-Type", "application/json")
	_, path, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v"), "/")
	if r.Method == http.MethodPost && strings.HasPrefix(path, "swarm/") {
		e.change(w, r, strings.TrimPrefix(path, "swarm/"))
		return
	}
	var answer any = []any{}
	switch path {
	case "info":
		answer = map[string]any{
			"ID": e.name, "ServerVersion": "28.5.2", "OSType": "linux", "Architecture": "x86_64",
			"Swarm": map[string]any{"NodeID": e.node(), "NodeAddr": e.address(), "LocalNodeState": e.state, "ControlAvailable": e.manager},
		}
	case "swarm":
		answer = map[string]any{"JoinTokens": map[string]any{"Worker": joinToken, "Manager": joinToken}}
	case "nodes":
		answer = []any{map[string]any{"ID": e.node(), "Status": map[string]any{"State": "ready", "Addr": e.address()}}}
	case "networks":
		if e.spec != "" {
			answer = []any{map[string]any{"Id": "net", "Name": "beamyard-demo", "Labels": map[string]string{orchestrator.LabelCluster: "demo", orchestrator.LabelSpec: e.spec}}}
		}
	case "containers/json":
		answer = []any{map[string]any{"Id": "1", "Names": []string{"/beamyard-demo-n1"}, "Labels": map[string]string{"beamyard.cluster": "demo", "beamyard.node": "n1"}}}
	}
	_ = json.NewEncoder(w).Encode(answer)
}

func (e *fakeEngine) change(w http.ResponseWriter, r *http.Request, what string) {
	var asked struct {
		AdvertiseAddr, JoinToken string
		RemoteAddrs              []string
	}
	_ = json.NewDecoder(r.Body).Decode(&asked) // leave has no body
	e.changes = append(e.changes, strings.Join(append([]string{what, asked.AdvertiseAddr, asked.JoinToken}, asked.RemoteAddrs...), " "))
	e.state, e.manager = "active", what == "init"
	fmt.Fprintf(w, "%q", e.node())
}

func (e *fakeEngine) node() string {
	if e.state == "inactive" {
		return ""
	}
	return "node-" + e.name
}

func (e *fakeEngine) address() string {
	if e.state == "inactive" {
		return ""
	}
	return map[string]string{"a": "10.0.0.7", "b": "10.0.0.8"}[e.name]
}

func (e *fakeEngine) asked() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return strings.Join(e.changes, "; ")
}

// Without a terminal and --yes, init shows what it would do, changes nothing and fails; with --yes
// it does it. The token of the manager is never shown.
func TestHostsInit(t *testing.T) {
	a, b := newFakeEngine(t, "a"), newFakeEngine(t, "b")
	args := []string{"hosts", "init", "--hosts", a.host() + "," + b.host(), "--advertise", "a=10.0.0.7,b=10.0.0.8"}
	code, stdout, stderr := beamyard(args...)
	const plan = `this changes the engines of hosts:
  1. host a starts a swarm and manages it; the others reach it at 10.0.0.7
       docker swarm init --advertise-addr 10.0.0.7
  2. host b joins the swarm of host a as a worker; the others reach it at 10.0.0.8
       docker swarm join --advertise-addr 10.0.0.8 --token [secret] MANAGER:2377
members listen on every address of their machines: 2377/tcp (managers), 7946/tcp and udp, 4789/udp; only the other members should reach these ports
`
	if want := plan + "error: nothing was changed: there is no terminal to ask on\nhint: beamyard hosts init --yes\n"; code != exitUsage || stdout != "" || stderr != want {
		t.Errorf("%d\n%s%s", code, stdout, stderr)
	}
	if code, stdout, _ = beamyard(append(args, "--json")...); code != exitUsage || !strings.Contains(stdout, `"command": "docker swarm init --advertise-addr 10.0.0.7"`) {
		t.Errorf("%d\n%s", code, stdout)
	}
	if a.asked()+b.asked() != "" {
		t.Fatalf("changed: %s, %s", a.asked(), b.asked())
	}
	code, stdout, stderr = beamyard(append(args, "--yes")...)
	if code != exitOK || a.asked() != "init 10.0.0.7 " || b.asked() != "join 10.0.0.8 "+joinToken+" 10.0.0.7:2377" {
		t.Errorf("%d: a %s, b %s\n%s", code, a.asked(), b.asked(), stderr)
	}
	if !strings.HasPrefix(stderr, plan) || strings.Contains(stdout+stderr, joinToken) {
		t.Errorf("shown:\n%s%s", stdout, stderr)
	}
	if code, _, stderr = beamyard(append(args[:4:4], "--advertise", "a=127.0.0.1")...); code != exitUsage || !strings.Contains(stderr, "other machines cannot reach it there") {
		t.Errorf("%d\n%s", code, stderr)
	}
}

// On a terminal, it asks; anything but yes changes nothing.
func TestHostsInitAsks(t *testing.T) {
	a := newFakeEngine(t, "a")
	for _, tt := range []struct{ answer, changes string }{{"\n", ""}, {"no\n", ""}, {"y\n", "init 10.0.0.7 "}} {
		x := onTerminal(t, nil, "hosts", "init", "--hosts", a.host(), "--advertise", "a=10.0.0.7")
		x.shows("go on? [y/N] ")
		x.types(tt.answer)
		code := x.exits()
		if a.asked() != tt.changes || (code == exitOK) != (tt.changes != "") {
			t.Errorf("%q: exit %d, changed %q\n%s", tt.answer, code, a.asked(), x)
		}
	}
}

// The list has a line for a host that does not answer, and fails.
func TestHostsLs(t *testing.T) {
	a := newFakeEngine(t, "a")
	a.state, a.manager = "active", true
	code, stdout, stderr := beamyard("hosts", "ls", "--hosts", a.host()+",b=unix:///nonexistent/b.sock")
	want := strings.Join([]string{
		"HOST  ENGINE                       STATE      VERSION  PLATFORM      SWARM    ADDRESS   NODES",
		"a     tcp://ADDRESS  answers    28.5.2   linux/x86_64  manager  10.0.0.7  demo: n1",
		"b     unix:///nonexistent/b.sock   no answer  -        -             -        -         -", "",
	}, "\n")
	squeeze := func(s string) string {
		s = strings.ReplaceAll(s, strings.TrimPrefix(a.URL, "http://"), "ADDRESS")
		return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == ' ' }), " ")
	}
	if code != exitUnsupported || squeeze(stdout) != squeeze(want) || !strings.Contains(stderr, "error: host b does not answer: ") {
		t.Errorf("%d\n%s%s", code, stdout, stderr)
	}
	if code, _, stderr = beamyard("hosts"); code != exitUsage || !strings.Contains(stderr, "expected one of") {
		t.Errorf("%d\n%s", code, stderr)
	}
}

// A command that looks for clusters asks all hosts of those that the engine knows. A cluster without
// hosts belongs on the engine of the docker command, whatever hosts others have.
func TestTheEngineOfASpec(t *testing.T) {
	a, b := newFakeEngine(t, "a"), newFakeEngine(t, "b")
	a.state, a.manager = "active", true
	hosts := map[string]orchestrator.HostSpec{}
	for _, e := range []*fakeEngine{a, b} {
		_, at, _ := strings.Cut(e.host(), "=")
		hosts[e.name] = orchestrator.HostSpec{Host: at}
	}
	spec, err := json.Marshal(orchestrator.Spec{Name: "demo", Hosts: hosts})
	if err != nil {
		t.Fatal(err)
	}
	a.spec = string(spec)
	t.Setenv("DOCKER_HOST", hosts["a"].Host)
	x := newApp(nil, io.Discard, io.Discard, nil)
	kind := func(eng engine, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(eng.Close)
		if _, one := eng.(*docker.Engine); one {
			return "one"
		}
		return "hosts"
	}
	looked, err := x.engine(t.Context())
	if got := kind(looked, err); got != "hosts" {
		t.Errorf("to look for clusters: %s", got)
	}
	if got := kind(x.engineFor(t.Context(), orchestrator.Spec{})); got != "one" {
		t.Errorf("for a spec without hosts: %s", got)
	}
	if got := kind(x.engineOf(t.Context(), looked, orchestrator.Spec{})); got != "one" {
		t.Errorf("for a cluster without hosts that was looked for: %s", got)
	}
	if got := kind(x.engineOf(t.Context(), looked, orchestrator.Spec{Hosts: hosts})); got != "hosts" {
		t.Errorf("for one with hosts: %s", got)
	}
}
