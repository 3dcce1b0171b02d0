package validation_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/validation"
)

func TestNodesArePlaced(t *testing.T) {
	three := map[string]orchestrator.HostSpec{"a": {Context: "a"}, "b": {Context: "b", Nodes: 2}, "c": {Context: "c"}}
	for _, tt := range []struct {
		name  string
		hosts map[string]orchestrator.HostSpec
		place orchestrator.PlaceMode
		fixed string // "n2@a": nodes with a host of their own
		want  string
	}{
		{"one engine", nil, "", "", "n1@ n2@ n3@ n4@ n5@ n6@ n7@"},
		{"spread", three, "", "", "n1@a n2@b n3@c n4@a n5@b n6@c n7@a"},
		{"spread around fixed nodes", three, orchestrator.PlaceSpread, "n6@a n7@a", "n1@b n2@c n3@b n4@c n5@a n6@a n7@a"},
		{"pack", three, orchestrator.PlacePack, "", "n1@a n2@a n3@a n4@a n5@a n6@a n7@a"},
		{"pack with limits", map[string]orchestrator.HostSpec{"a": {Nodes: 2}, "b": {Nodes: 1}, "c": {}}, orchestrator.PlacePack, "n7@a", "n1@a n2@b n3@c n4@c n5@c n6@c n7@a"},
		{"no room", map[string]orchestrator.HostSpec{"a": {Nodes: 2}, "b": {Nodes: 3}}, "", "", "n1@a n2@b n3@a n4@b n5@b n6@ n7@"},
	} {
		s := orchestrator.Spec{Hosts: tt.hosts, Place: tt.place, Nodes: orchestrator.NodeNames(7)}
		for _, fixed := range strings.Fields(tt.fixed) {
			name, host, _ := strings.Cut(fixed, "@")
			s.Nodes[s.Index(name)].Host = host
		}
		for range 2 { // what is placed stays
			s = s.Defaulted()
			var got []string
			for _, n := range s.Nodes {
				got = append(got, n.Name+"@"+n.Host)
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("%s: %s, want %s", tt.name, strings.Join(got, " "), tt.want)
			}
		}
	}
}

func TestHostsAreChecked(t *testing.T) {
	for _, tt := range []struct {
		edit func(*orchestrator.Spec)
		want string // of the only problem; "" if there is none
	}{
		{func(s *orchestrator.Spec) {}, ""},
		{func(s *orchestrator.Spec) { s.Hosts["c"] = orchestrator.HostSpec{} }, "hosts.c: a host has either"},
		{func(s *orchestrator.Spec) { s.Hosts["c"] = orchestrator.HostSpec{Context: "c", Host: "tcp://c:1"} }, "hosts.c: a host has either"},
		{func(s *orchestrator.Spec) { s.Hosts["c"] = orchestrator.HostSpec{Host: "big3"} }, `hosts.c.host: "big3" is not the address`},
		{func(s *orchestrator.Spec) { s.Hosts["c"] = orchestrator.HostSpec{Host: "ssh://big3"} }, ""},
		{func(s *orchestrator.Spec) {
			s.Hosts["c"] = orchestrator.HostSpec{Host: "ssh://big3", Address: "10.0.0.9"}
		}, ""},
		{func(s *orchestrator.Spec) {
			s.Hosts["c"] = orchestrator.HostSpec{Host: "tcp://c:1", Address: "0.0.0.0"}
		}, `hosts.c.address: "0.0.0.0" is not an IP address of one machine`},
		{func(s *orchestrator.Spec) { s.Hosts["c"] = orchestrator.HostSpec{Context: "c", TLS: "/certs"} }, "hosts.c.tls: only a tcp:// address"},
		{func(s *orchestrator.Spec) { s.Hosts["C"] = orchestrator.HostSpec{Context: "c"} }, `hosts.C: "C" is not a name of a host`},
		{func(s *orchestrator.Spec) { s.Place = "random" }, `place: "random" is not one of spread, pack`},
		{func(s *orchestrator.Spec) { s.OnHostLost = orchestrator.HostLostMove }, ""},
		{func(s *orchestrator.Spec) { s.OnHostLost = "restart" }, `on_host_lost: "restart" is not one of wait, move`},
		{func(s *orchestrator.Spec) {
			s.OnHostLost, s.Hosts = orchestrator.HostLostMove, map[string]orchestrator.HostSpec{"a": {Context: "a"}}
		}, "on_host_lost: move needs a second host"},
		{func(s *orchestrator.Spec) { s.OnHostLost, s.Hosts = orchestrator.HostLostMove, nil }, "on_host_lost: move needs a second host"},
		{func(s *orchestrator.Spec) {
			s.OnHostLost, s.Distribution.Names = orchestrator.HostLostMove, orchestrator.IPNames
		}, "on_host_lost: a node that moves may get another address"},
		{func(s *orchestrator.Spec) { s.Nodes[1].Host = "z" }, "nodes[1].host: z is not one of the hosts: a, b"},
		{func(s *orchestrator.Spec) { s.Hosts = map[string]orchestrator.HostSpec{"a": {Context: "a", Nodes: 2}} }, "nodes[2].host: no host has room for n3"},
		{func(s *orchestrator.Spec) {
			s.Hosts["a"] = orchestrator.HostSpec{Context: "a", Nodes: 1}
			s.Nodes[0].Host, s.Nodes[1].Host = "a", "a"
		}, "nodes[1].host: host a has room for 1 nodes"},
		{func(s *orchestrator.Spec) { s.Hosts, s.Nodes[2].Host = nil, "a" }, "nodes[2].host: a is not one of the hosts: there are none"},
		{func(s *orchestrator.Spec) { s.Distribution.Inet6 = true }, "distribution.inet6: the network of several hosts has no IPv6"},
		{func(s *orchestrator.Spec) { s.Hosts, s.Encrypted = nil, true }, "hosts: place and encrypted need hosts"},
	} {
		s := orchestrator.Spec{
			Name: "shop", Image: "shop:1", Nodes: orchestrator.NodeNames(3),
			Hosts: map[string]orchestrator.HostSpec{"a": {Context: "a"}, "b": {Host: "tcp://10.0.0.7:2376", TLS: "/certs"}},
		}
		tt.edit(&s)
		err := validation.Check(s)
		var problems *orchestrator.SpecError
		errors.As(err, &problems)
		switch {
		case tt.want == "" && err != nil:
			t.Errorf("%v", err)
		case tt.want != "" && (problems == nil || len(problems.Problems) != 1 || !strings.HasPrefix(fmt.Sprint(problems.Problems[0].Field, ": ", problems.Problems[0].Text), tt.want)):
			t.Errorf("%v, want %s", err, tt.want)
		}
	}
}
