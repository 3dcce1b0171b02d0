package doctor

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/enginetest"
	"github.com/beamyard/beamyard/orchestrator/swarm"
)

func TestJudgeHost(t *testing.T) {
	info := orchestrator.EngineInfo{Version: "28.5.2", OS: "linux", Arch: "x86_64"}
	host := func(name string, edit func(*hostFacts)) hostFacts {
		f := hostFacts{name: name, info: info, state: swarm.State{Phase: swarm.Active, Node: "id-" + name, Address: "10.0.0.7"}}
		if edit != nil {
			edit(&f)
		}
		return f
	}
	members := func(state string) func(*hostFacts) {
		return func(f *hostFacts) {
			f.state.Manager = true
			f.state.Members = []swarm.Member{{ID: "id-a", State: "ready"}, {ID: "id-b", State: state, Availability: "drain"}}
		}
	}
	none := func(f *hostFacts) { f.state = swarm.State{Phase: swarm.Inactive} }
	for _, tt := range []struct {
		name   string
		a, b   hostFacts
		state  State
		text   string
		remedy string
	}{
		{"a worker", host("a", members("ready")), host("b", nil), OK, "Docker 28.5.2, linux/x86_64, worker of the swarm at 10.0.0.7, drain", ""},
		{"a worker that is down", host("a", members("down")), host("b", nil), Failed, "host a lists it as down", "docker node ls"},
		{"in none", host("a", members("ready")), host("b", none), Failed, "in no swarm", "beamyard hosts init"},
		{"in another one", host("a", members("ready")), host("b", func(f *hostFacts) { f.state.Node = "id-x" }), Failed, "in another swarm than host a", "beamyard hosts init"},
		{"managed by others", host("a", none), host("b", nil), Failed, "in a swarm that none of the hosts manages", "name a host"},
		{"locked", host("a", members("ready")), host("b", func(f *hostFacts) { f.state.Phase, f.state.Node = swarm.Locked, "" }), Failed, "its swarm is locked", "docker swarm unlock"},
		{"away", host("a", members("ready")), host("b", func(f *hostFacts) { f.err = errors.New("connection refused") }), Failed, "it does not answer: connection refused", "docker -H"},
		{"another platform", host("a", members("ready")), host("b", func(f *hostFacts) { f.info.Arch = "aarch64" }), Warning, "host a is linux/x86_64", "one platform"},
	} {
		got := judgeHost(tt.b, []hostFacts{tt.a, tt.b})
		if got.state != tt.state || !strings.Contains(got.text, tt.text) || !strings.Contains(got.remedy, tt.remedy) {
			t.Errorf("%s: %+v", tt.name, got)
		}
	}
	if got := judgeHost(host("a", none), []hostFacts{host("a", none)}); got.state != OK {
		t.Errorf("alone: %+v", got)
	}
}

func TestJudgeWays(t *testing.T) {
	fine := wayFacts{Peer: "b", Open: []uint16{2377, 7946}, Took: 12 * time.Millisecond}
	for _, tt := range []struct {
		name   string
		w      way
		err    error
		state  State
		text   string // all of it
		remedy string
	}{
		{"fine", way{to: []wayFacts{fine}}, nil, OK, "to b: 2377/tcp and 7946/tcp open, 1 MiB over an overlay network (4789/udp) came back after 12ms", ""},
		{
			"a hole in the path", way{to: []wayFacts{fine, {Peer: "c", Large: "no answer within 3s"}}}, nil, Failed,
			"to c: small messages pass the overlay network, and a large one does not (no answer within 3s): the path carries less than the engines' MTU, 9000; to b: 2377/tcp and 7946/tcp open, 1 MiB over an overlay network (4789/udp) came back after 12ms",
			"ping -M do",
		},
		{
			"nothing passes", way{to: []wayFacts{{Peer: "b", Small: "no answer within 8s", Large: "no answer within 8s", Closed: map[uint16]string{7946: "connection refused"}}}}, nil, Failed,
			"to b: nothing passes the overlay network (no answer within 8s): 4789/udp is probably closed, and so is 7946/tcp (connection refused)", "let a reach b",
		},
		{
			"a port", way{to: []wayFacts{{Peer: "b", Closed: map[uint16]string{2377: "no answer within 2s"}}}}, nil, Warning,
			"to b: closed for containers of it: 2377/tcp (no answer within 2s); the overlay network passes", "2377/tcp",
		},
		{"no helper", way{err: errors.New("no space left")}, nil, Unknown, "no helper container reported from there: no space left", ""},
		{"not tried", way{}, errNoWays, Unknown, errNoWays.Error(), ""},
	} {
		got := judgeWays("a", tt.w, tt.err, "9000")
		if got.state != tt.state || got.text != tt.text || !strings.Contains(got.remedy, tt.remedy) {
			t.Errorf("%s: %+v", tt.name, got)
		}
	}
}

// Two helpers find each other's messages and the ports that are open and closed.
func TestHelpersTryEachOther(t *testing.T) {
	t.Cleanup(func() { goleak.VerifyNone(t) })
	listen := func() net.Listener {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	a, b, open, closed := listen(), listen(), listen(), listen()
	defer open.Close()
	closed.Close()
	at := func(l net.Listener) netip.AddrPort { return netip.MustParseAddrPort(l.Addr().String()) }
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var helpers sync.WaitGroup
	defer helpers.Wait()
	defer cancel()
	helpers.Go(func() { _ = tellWays(ctx, io.Discard, b, nil) })
	read, write := io.Pipe()
	helpers.Go(func() {
		_ = tellWays(ctx, write, a, []wayTarget{{Peer: "b", Overlay: b.Addr().String(), Ports: []netip.AddrPort{at(open), at(closed)}}})
	})
	var got []wayFacts
	if err := json.NewDecoder(read).Decode(&got); err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || got[0].Small != "" || got[0].Large != "" || got[0].Took == 0 || !slices.Equal(got[0].Open, []uint16{at(open).Port()}) || got[0].Closed[at(closed).Port()] == "" {
		t.Errorf("%+v", got)
	}
}

// A path that lets small messages pass, and no large ones.
func TestALargeMessageThatDoesNotComeBack(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var hole sync.WaitGroup
	defer hole.Wait()
	defer l.Close()
	hole.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.CopyN(conn, conn, smallMessage)
			_, _ = io.Copy(io.Discard, conn)
			conn.Close()
		}
	})
	f := try(t.Context(), wayTarget{Peer: "b", Overlay: l.Addr().String()})
	if f.Small != "" || f.Large != "no answer within 3s" {
		t.Errorf("%+v", f)
	}
}

// member is an in-memory engine with what it says of its swarm.
type member struct {
	*enginetest.Engine
	state swarm.State
}

func (m member) Swarm(context.Context) (swarm.State, error) { return m.state, nil }

// The examination of two hosts reports each, and what passes between them; nothing is left.
func TestExamineHosts(t *testing.T) {
	before := goleak.IgnoreCurrent()
	all := map[string]Host{}
	var engines []*enginetest.Engine
	for i, name := range []string{"a", "b"} {
		e := inMemory()
		e.Program = func(spec orchestrator.ContainerSpec) enginetest.Program {
			return func(ctx context.Context, p *enginetest.Process) int {
				var targets []wayTarget
				_, text, _ := strings.Cut(spec.Env[0], "=")
				if err := json.Unmarshal([]byte(text), &targets); err != nil || len(targets) != 1 {
					return 1
				}
				f := wayFacts{Peer: targets[0].Peer, Took: time.Millisecond}
				for _, at := range targets[0].Ports {
					f.Open = append(f.Open, at.Port())
				}
				line, _ := json.Marshal([]wayFacts{f})
				fmt.Fprintf(p.Stdout, "%s\n", line)
				return enginetest.UntilStopped(ctx, p)
			}
		}
		engines = append(engines, e)
		state := swarm.State{Phase: swarm.Active, Node: fmt.Sprintf("node-%d", i), Address: fmt.Sprintf("10.0.0.%d", 7+i)}
		if state.Manager = i == 0; state.Manager {
			state.Members = []swarm.Member{{ID: "node-0", State: "ready"}, {ID: "node-1", State: "ready"}}
		}
		all[name] = Host{Engine: member{e, state}}
	}
	enginetest.Join(engines...)
	o := HostOptions{Hosts: all, Executable: executable(t, elf.EM_X86_64, false)}
	report := ExamineHosts(t.Context(), o)
	var b bytes.Buffer
	for _, c := range report.Checks {
		if c.Code != "control" {
			fmt.Fprintf(&b, "%s %s: %s\n", c.State, c.Title, c.Text)
		}
	}
	for _, want := range []string{
		"ok host a: Docker ", "manager of the swarm at 10.0.0.7\n", "ok host b: ", "worker of the swarm at 10.0.0.8\n", "ok clock of a: ", "ok clock of b: ",
		"ok network of a: to b: 7946/tcp open, 1 MiB", "ok network of b: to a: 2377/tcp and 7946/tcp open, 1 MiB", "unknown not checked: 7946/udp",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, &b)
		}
	}
	if !report.Usable || report.Err() != nil {
		t.Error(report.Err())
	}
	for _, e := range engines {
		containers, err := e.Containers(t.Context(), nil)
		networks, err2 := e.Networks(t.Context(), nil)
		networks = slices.DeleteFunc(networks, func(n orchestrator.Network) bool { return n.Labels[labelProbe] == "" })
		if err != nil || err2 != nil || len(containers)+len(networks) > 0 {
			t.Errorf("left: %v, %v, %v, %v", containers, networks, err, err2)
		}
	}
	engines[1].SetAway(true)
	o.Hosts["c"] = Host{Problem: errors.New("docker context c: not found")}
	report = ExamineHosts(t.Context(), o)
	var unusable *UnusableError
	if report.Usable || !errors.As(report.Err(), &unusable) || unusable.Check.Code != "host-b" {
		t.Errorf("%t, %v", report.Usable, report.Err())
	}
	goleak.VerifyNone(t, before)
}
