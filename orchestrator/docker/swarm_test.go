package docker

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	dockerswarm "github.com/docker/docker/api/types/swarm"
	"github.com/google/go-cmp/cmp"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/swarm"
)

// Answers of Docker 26.1 to GET /info: of a manager, a worker, an engine in no swarm, and one that
// is locked.
func TestMembership(t *testing.T) {
	for _, tt := range []struct {
		info dockerswarm.Info
		want swarm.State
	}{
		{
			dockerswarm.Info{NodeID: "n1", NodeAddr: "10.0.0.7", LocalNodeState: "active", ControlAvailable: true, RemoteManagers: []dockerswarm.Peer{{NodeID: "n1", Addr: "10.0.0.7:2377"}}},
			swarm.State{Phase: swarm.Active, Node: "n1", Manager: true, Address: "10.0.0.7", Known: []string{"10.0.0.7:2377"}},
		},
		{
			dockerswarm.Info{NodeID: "n2", NodeAddr: "10.0.0.8", LocalNodeState: "active", RemoteManagers: []dockerswarm.Peer{{NodeID: "n1", Addr: "10.0.0.7:2377"}}},
			swarm.State{Phase: swarm.Active, Node: "n2", Address: "10.0.0.8", Known: []string{"10.0.0.7:2377"}},
		},
		{dockerswarm.Info{LocalNodeState: "inactive"}, swarm.State{Phase: swarm.Inactive}},
		{dockerswarm.Info{LocalNodeState: "locked", Error: "Swarm is encrypted"}, swarm.State{Phase: swarm.Locked, Problem: "Swarm is encrypted"}},
	} {
		got := member(tt.info)
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Error(diff)
		}
		if got.In() != (tt.info.LocalNodeState != "inactive") {
			t.Errorf("%s: in a swarm: %t", tt.info.LocalNodeState, got.In())
		}
	}
}

func TestUsersOfASwarm(t *testing.T) {
	on := func(name, net string, labels map[string]string) container.Summary {
		return container.Summary{Names: []string{"/" + name}, Labels: labels, NetworkSettings: &container.NetworkSettingsSummary{
			Networks: map[string]*network.EndpointSettings{net: {NetworkID: "id of " + net}},
		}}
	}
	got := users([]container.Summary{
		on("db", "theirs", nil),
		on("beamyard-demo-n1", "beamyard-demo", map[string]string{orchestrator.LabelCluster: "demo"}),
		on("web.1.x", "bridge", map[string]string{"com.docker.swarm.service.name": "web"}),
		on("alone", "bridge", nil),
		{Names: []string{"/none"}},
	}, []network.Summary{{ID: "id of theirs", Name: "theirs"}, {ID: "id of beamyard-demo", Name: "beamyard-demo"}})
	want := []swarm.User{{Container: "beamyard-demo-n1", Cluster: "demo"}, {Container: "db"}, {Container: "web.1.x", Service: "web"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// An engine that does not manage a swarm, and one that cannot choose an address, say what to do.
func TestSwarmErrors(t *testing.T) {
	for said, want := range map[string]struct {
		kind error
		hint string
	}{
		"could not choose an IP address to advertise since this system has multiple addresses on interface eth0 (10.0.0.7 and 10.0.0.8)": {nil, "--advertise HOST=ADDRESS"},
		"This node is not a swarm manager. Use \"docker swarm init\"":                                                                    {orchestrator.ErrNoSwarm, "beamyard hosts init"},
	} {
		err := refusing(t, said).InitSwarm(t.Context(), "")
		if err == nil || !strings.Contains(orchestrator.HintOf(err).String(), want.hint) || want.kind != nil && !errors.Is(err, want.kind) {
			t.Errorf("%v, hint %v", err, orchestrator.HintOf(err))
		}
	}
}

// The address of a member is what the spec says, or else what its endpoint names, also by the name
// of ssh's configuration. Loopback is an address of no member.
func TestAdvertised(t *testing.T) {
	dir := t.TempDir()
	fake := "#!/bin/sh\n[ \"$1\" = -G ] || exit 1\necho user build\necho hostname 10.0.0.9\n"
	if err := os.WriteFile(filepath.Join(dir, "ssh"), []byte(fake), 0o700); err != nil { // a program
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	for _, tt := range []struct{ host, address, want string }{
		{"tcp://10.0.0.7:2375", "", "10.0.0.7"},
		{"tcp://10.0.0.7:2375", "192.168.1.7", "192.168.1.7"},
		{"tcp://10.0.0.7:2375", "127.0.0.1", "10.0.0.7"},
		{"tcp://127.0.0.1:2375", "", ""},
		{"ssh://build@big2", "", "10.0.0.9"},
		{"unix:///var/run/docker.sock", "", ""},
	} {
		if got := use(t, tt.host).Advertised(t.Context(), orchestrator.HostSpec{Address: tt.address}); got != tt.want {
			t.Errorf("%s, %s: %q, want %q", tt.host, tt.address, got, tt.want)
		}
	}
}

// refusing starts an engine that refuses everything with a text.
func refusing(t *testing.T, text string) *Engine {
	t.Helper()
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/_ping") {
			w.Header().Set("Api-Version", "1.45")
			return
		}
		reply(w, http.StatusServiceUnavailable, fmt.Sprintf(`{"message": %q}`, text))
	})
}
