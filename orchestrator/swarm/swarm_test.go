package swarm_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/google/go-cmp/cmp"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/swarm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "SWMTKN-1-the-token"

// engine is one of a small world. It behaves as Docker 28 does, as far as this package sees it.
type engine struct {
	name    string
	all     map[string]*engine
	manager *engine // of its swarm, nil: it is in none
	gone    bool
	broken  error // of joining
	users   []swarm.User
	extra   []swarm.Member // other members than the engines here
	service int
	nets    []string
	left    []string // members that have left, and are still listed
}

// world returns engines, which reach each other at 10.0.0.1 (a), 10.0.0.2 (b), ….
func world(names ...string) map[string]*engine {
	all := map[string]*engine{}
	for _, name := range names {
		all[name] = &engine{name: name, all: all}
	}
	return all
}

func (e *engine) address() string { return fmt.Sprintf("10.0.0.%d", e.name[0]-'a'+1) }
func (e *engine) id() string      { return "node-" + e.name }

func (e *engine) Swarm(context.Context) (swarm.State, error) {
	if e.gone {
		return swarm.State{}, fmt.Errorf("dial: %w", orchestrator.ErrEngineUnreachable)
	}
	s := swarm.State{Phase: swarm.Inactive}
	if e.manager == nil {
		return s, nil
	}
	s = swarm.State{Phase: swarm.Active, Node: e.id(), Address: e.address(), Known: []string{e.manager.address() + ":2377"}, Users: e.users, Clusters: e.nets}
	if e.manager == e {
		s.Manager, s.Services, s.Members = true, e.service, slices.Clone(e.extra)
		for _, other := range e.all {
			if other.manager == e {
				s.Members = append(s.Members, swarm.Member{ID: other.id(), Hostname: "host-" + other.name, Address: other.address(), State: "ready"})
			}
		}
		for _, id := range e.left {
			s.Members = append(s.Members, swarm.Member{ID: id, State: "down"})
		}
	}
	return s, nil
}

func (e *engine) InitSwarm(context.Context, string) error {
	e.manager = e
	return nil
}

func (e *engine) WorkerToken(context.Context) (swarm.Token, error) {
	if e.manager != e {
		return swarm.Token{}, orchestrator.ErrNoSwarm
	}
	return swarm.NewToken(secret), nil
}

func (e *engine) JoinSwarm(_ context.Context, _, manager string, t swarm.Token) error {
	if e.broken != nil {
		return e.broken
	}
	for _, other := range e.all {
		if other.manager == other && other.address()+":2377" == manager && t.Secret() == secret {
			e.manager = other
			return nil
		}
	}
	return fmt.Errorf("nobody is at %s", manager)
}

func (e *engine) LeaveSwarm(_ context.Context, force bool) error {
	if e.manager == e && !force {
		return errors.New("you are attempting to leave the swarm on a node that is participating as a manager")
	}
	if e.manager != e {
		e.manager.left = append(e.manager.left, e.id())
	}
	e.manager = nil
	return nil
}

func (e *engine) RemoveMember(_ context.Context, id string) error {
	e.left = slices.DeleteFunc(e.left, func(other string) bool { return other == id })
	return nil
}

func machines(all map[string]*engine) map[string]swarm.Machine {
	m := map[string]swarm.Machine{}
	for name, e := range all {
		m[name] = e
	}
	return m
}

func look(t *testing.T, all map[string]*engine) []swarm.Host {
	t.Helper()
	hosts := swarm.Look(t.Context(), machines(all), time.Second)
	for i := range hosts {
		hosts[i].Advertise = all[hosts[i].Name].address()
	}
	return hosts
}

// join makes engines the members of the swarm of the first.
func join(all map[string]*engine, names ...string) {
	for _, name := range names {
		all[name].manager = all[names[0]]
	}
}

// told is what is shown of a plan: what it does and with which command, or its error and hint.
func told(p swarm.Plan, err error) string {
	if err != nil {
		return fmt.Sprintf("error: %v\nhint: %s", err, orchestrator.HintOf(err))
	}
	var lines []string
	for _, s := range p.Steps {
		lines = append(lines, s.String(), "  "+s.Command())
	}
	return strings.Join(lines, "\n")
}

func TestPlans(t *testing.T) {
	joinOf := func(names ...string) func([]swarm.Host) (swarm.Plan, error) {
		return func(h []swarm.Host) (swarm.Plan, error) { return swarm.Join(h, names) }
	}
	leaveOf := func(force bool, names ...string) func([]swarm.Host) (swarm.Plan, error) {
		return func(h []swarm.Host) (swarm.Plan, error) { return swarm.Leave(h, names, force) }
	}
	for _, tt := range []struct {
		name  string
		given func(map[string]*engine)
		plan  func([]swarm.Host) (swarm.Plan, error)
		want  string
	}{
		{"init of three", func(map[string]*engine) {}, swarm.Init, `
host a starts a swarm and manages it; the others reach it at 10.0.0.1
  docker swarm init --advertise-addr 10.0.0.1
host b joins the swarm of host a as a worker; the others reach it at 10.0.0.2
  docker swarm join --advertise-addr 10.0.0.2 --token [secret] MANAGER:2377
host c joins the swarm of host a as a worker; the others reach it at 10.0.0.3
  docker swarm join --advertise-addr 10.0.0.3 --token [secret] MANAGER:2377`},
		{"init with a swarm of b", func(all map[string]*engine) { join(all, "b", "c") }, swarm.Init, `
host a joins the swarm of host b as a worker; the others reach it at 10.0.0.1
  docker swarm join --advertise-addr 10.0.0.1 --token [secret] 10.0.0.2:2377`},
		{"init again", func(all map[string]*engine) { join(all, "a", "b", "c") }, swarm.Init, ""},
		{"init with a host that is away", func(all map[string]*engine) { all["b"].gone = true }, swarm.Init, `
error: host b: dial: the container engine does not answer
hint: see all hosts: beamyard hosts ls`},
		{"init with two swarms", func(all map[string]*engine) { join(all, "a"); join(all, "c", "b") }, swarm.Init, `
error: host c is in another swarm than host a, with the manager 10.0.0.3:2377 (active)
hint: name the host that manages it, too: --hosts …
or, if nothing needs that swarm, on c: docker swarm leave`},
		{"init with a worker of others", func(all map[string]*engine) {
			all["b"].manager = &engine{name: "z"}
		}, swarm.Init, `
error: host b is in a swarm that none of the hosts manages, with the manager 10.0.0.26:2377 (active)
hint: name the host that manages it, too: --hosts …
or, if nothing needs that swarm, on b: docker swarm leave`},
		{"join", func(all map[string]*engine) { join(all, "a") }, joinOf("c"), `
host c joins the swarm of host a as a worker; the others reach it at 10.0.0.3
  docker swarm join --advertise-addr 10.0.0.3 --token [secret] 10.0.0.1:2377`},
		{"join without a swarm", func(map[string]*engine) {}, joinOf("c"), `
error: none of the hosts a, b, c manages a swarm: the engine manages no swarm
hint: beamyard hosts init`},
		{"join of a member of another swarm", func(all map[string]*engine) { join(all, "a"); all["c"].manager = &engine{name: "z"} }, joinOf("c"), `
error: host c is in another swarm than host a, with the manager 10.0.0.26:2377 (active)
hint: name the host that manages it, too: --hosts …
or, if nothing needs that swarm, on c: docker swarm leave`},
		{"join of a stranger", func(all map[string]*engine) { join(all, "a") }, joinOf("d"), `
error: d is not one of the hosts: a, b, c
hint: beamyard hosts ls`},
		{"a worker leaves", func(all map[string]*engine) { join(all, "a", "b", "c") }, leaveOf(false, "b"), `
host b leaves the swarm
  docker swarm leave
host a removes host b from its list of members
  docker node rm --force node-b`},
		{"all leave", func(all map[string]*engine) { join(all, "a", "b", "c") }, leaveOf(false), `
host b leaves the swarm
  docker swarm leave
host c leaves the swarm
  docker swarm leave
host a leaves the swarm, which ends with it
  docker swarm leave --force`},
		{"the manager alone", func(all map[string]*engine) { join(all, "a", "b") }, leaveOf(true, "a"), `
error: host a manages the swarm, and member host-b (10.0.0.2) does not leave it
hint: let every member leave: beamyard hosts leave
or have another one manage it first: docker node promote host-b; docker node demote node-a`},
		{"with a member of others", func(all map[string]*engine) {
			join(all, "a", "b", "c")
			all["a"].extra = []swarm.Member{{ID: "x", Hostname: "their", Address: "10.0.0.9", State: "ready"}}
		}, leaveOf(true), `
error: host a manages the swarm, and member their (10.0.0.9) does not leave it
hint: let every member leave: beamyard hosts leave
or have another one manage it first: docker node promote their; docker node demote node-a`},
		{"a cluster has a node there", func(all map[string]*engine) {
			join(all, "a", "b")
			all["b"].users = []swarm.User{{Container: "beamyard-demo-n2", Cluster: "demo"}}
		}, leaveOf(false, "b"), `
error: host b does not leave: the swarm is in use: cluster demo has container beamyard-demo-n2 there
hint: beamyard down demo
or break it: --force`},
		{"a cluster is elsewhere in the swarm", func(all map[string]*engine) {
			join(all, "a", "b")
			all["a"].nets = []string{"demo"}
		}, leaveOf(false, "b"), `
host b leaves the swarm
  docker swarm leave
host a removes host b from its list of members
  docker node rm --force node-b`},
		{"a swarm with a cluster's network ends", func(all map[string]*engine) {
			join(all, "a", "b")
			all["a"].nets = []string{"demo"}
		}, leaveOf(false), `
error: host b does not leave: the swarm is in use: clusters have networks in the swarm: demo
hint: beamyard down demo
or break it: --force`},
		{"a container of others", func(all map[string]*engine) {
			join(all, "a", "b")
			all["b"].users = []swarm.User{{Container: "db"}}
		}, leaveOf(false, "b"), `
error: host b does not leave: the swarm is in use: container db is on an overlay network
hint: docker rm db
or break it: --force`},
		{"services", func(all map[string]*engine) {
			join(all, "a", "b")
			all["a"].service = 2
		}, leaveOf(false, "b"), `
error: host b does not leave: the swarm is in use: the swarm has 2 of its own services
hint: on a: docker service ls
or break it: --force`},
		{"a task, and the manager is none of the hosts", func(all map[string]*engine) {
			all["b"].manager, all["b"].users = &engine{name: "z"}, []swarm.User{{Container: "web.1", Service: "web"}}
		}, leaveOf(false, "b"), `
error: host b does not leave: the swarm is in use: service web has the task web.1 there
hint: docker service ls
or break it: --force`},
		{"forced", func(all map[string]*engine) {
			join(all, "a", "b")
			all["a"].service, all["b"].users = 2, []swarm.User{{Container: "db"}}
		}, leaveOf(true, "b"), `
host b leaves the swarm
  docker swarm leave
host a removes host b from its list of members
  docker node rm --force node-b`},
		{"none is in a swarm", func(map[string]*engine) {}, leaveOf(false), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			all := world("a", "b", "c")
			tt.given(all)
			if diff := cmp.Diff(strings.TrimPrefix(tt.want, "\n"), told(tt.plan(look(t, all)))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What a plan promises holds once it is done: all hosts are members, and after leaving none is.
func TestDo(t *testing.T) {
	all := world("a", "b", "c")
	var done []string
	do := func(p swarm.Plan, err error) {
		t.Helper()
		if err == nil {
			err = swarm.Do(t.Context(), machines(all), p, func(s swarm.Step) { done = append(done, string(s.Do)+" "+s.Host) })
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	do(swarm.Init(look(t, all)))
	for _, e := range all {
		if e.manager != all["a"] {
			t.Errorf("%s is not in the swarm of a", e.name)
		}
	}
	do(swarm.Leave(look(t, all), []string{"c"}, false))
	if all["c"].manager != nil || len(all["a"].left) != 0 {
		t.Errorf("c left, and a lists %v", all["a"].left)
	}
	do(swarm.Join(look(t, all), []string{"c"}))
	do(swarm.Leave(look(t, all), nil, false))
	for _, e := range all {
		if e.manager != nil {
			t.Errorf("%s is still in a swarm", e.name)
		}
	}
	if want := []string{"init a", "join b", "join c", "leave c", "forget a", "join c", "leave b", "leave c", "leave a"}; !slices.Equal(done, want) {
		t.Errorf("done: %v", done)
	}
}

// The first step that fails ends a plan, and says where. The token is in no text of it.
func TestTheTokenIsNeverShown(t *testing.T) {
	all := world("a", "b", "c")
	all["b"].broken = fmt.Errorf("invalid join token %s: %w", secret, orchestrator.ErrConflict)
	p, err := swarm.Init(look(t, all))
	if err != nil {
		t.Fatal(err)
	}
	err = swarm.Do(t.Context(), machines(all), p, func(swarm.Step) {})
	if err == nil || err.Error() != "host b: invalid join token [secret]: "+orchestrator.ErrConflict.Error() || !errors.Is(err, orchestrator.ErrConflict) {
		t.Error(err)
	}
	if all["c"].manager != nil {
		t.Error("c joined after the failure of b")
	}
	token := swarm.NewToken(secret)
	encoded, _ := json.Marshal(struct{ T swarm.Token }{token})
	for _, text := range []string{fmt.Sprint(token), fmt.Sprintf("%v %+v %#v %s %q", token, token, token, token, token), string(encoded), fmt.Sprintf("%#v", struct{ T swarm.Token }{token})} {
		if strings.Contains(text, secret) {
			t.Errorf("shown: %s", text)
		}
	}
}
