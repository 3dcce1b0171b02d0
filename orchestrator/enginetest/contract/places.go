package contract

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"github.com/beamyard/beamyard/images"
	"github.com/beamyard/beamyard/orchestrator"
)

func (s *suite) testAgain() {
	network, subnet := s.network()
	port := freePort(s.t)
	id := s.create(func(c *orchestrator.ContainerSpec) {
		c.NetworkID, c.IP = network, subnet.Addr().Next().Next()
		c.Ports = []orchestrator.PortBinding{{Container: 4000, HostIP: "127.0.0.1", Host: port}}
	}, "wait")
	for range 2 {
		s.must(s.eng.StartContainer(s.ctx(), id))
		c, err := s.eng.InspectContainer(s.ctx(), id)
		s.must(err)
		if len(c.Ports) != 1 || c.Ports[0].Host != port || !c.State.Running || c.State.PID == 0 {
			s.t.Errorf("running: %+v", c)
		}
		if want := []orchestrator.Attachment{{Network: network, Name: s.name(), IP: subnet.Addr().Next().Next()}}; !slices.Equal(c.Networks, want) {
			s.t.Errorf("networks %v", c.Networks)
		}
		s.is("remove a network in use", s.eng.RemoveNetwork(s.ctx(), network), orchestrator.ErrConflict)
		s.must(s.eng.KillContainer(s.ctx(), id, "KILL"))
		c = s.exited(id)
		if c.Address(network) != subnet.Addr().Next().Next() || len(c.Ports) != 1 {
			s.t.Errorf("exited: %+v", c)
		}
	}
}

// The other network sorts before the container's, and is listed beside it.
func (s *suite) testNetworks() {
	own, subnet := s.network()
	other, elsewhere := s.networkNamed("a-" + s.name())
	fixed := subnet.Addr().Next().Next()
	id := s.create(func(c *orchestrator.ContainerSpec) { c.NetworkID, c.IP = own, fixed }, "wait")
	s.must(s.eng.ConnectNetwork(s.ctx(), other, id, []string{"first"}))
	s.must(s.eng.ConnectNetwork(s.ctx(), "a-"+s.name(), id, []string{"web"})) // it does not run: attached again, and by name
	for range 2 {
		s.must(s.eng.StartContainer(s.ctx(), id))
		c, err := s.eng.InspectContainer(s.ctx(), id)
		s.must(err)
		list, err := s.eng.Containers(s.ctx(), s.labels)
		s.must(err)
		for _, c := range append(list, c) {
			if len(c.Networks) != 2 || c.Networks[0].Name != "a-"+s.name() || c.Address(own) != fixed || !elsewhere.Contains(c.Address(other)) || !c.Attached(own) || !c.Attached(other) {
				s.t.Errorf("running: %+v", c.Networks)
			}
		}
		s.is("connect twice", s.eng.ConnectNetwork(s.ctx(), other, id, nil), orchestrator.ErrConflict)
		s.is("remove a network in use", s.eng.RemoveNetwork(s.ctx(), other), orchestrator.ErrConflict)
		s.must(s.eng.KillContainer(s.ctx(), id, "KILL"))
		if c = s.exited(id); c.Address(own) != fixed || !c.Attached(other) {
			s.t.Errorf("exited: %+v", c.Networks)
		}
	}

	late := s.create(func(c *orchestrator.ContainerSpec) { c.Name, c.NetworkID = s.name()+"-late", own }, "wait")
	s.must(s.eng.StartContainer(s.ctx(), late))
	s.must(s.eng.ConnectNetwork(s.ctx(), other, late, []string{orchestrator.VisitorAlias}))
	c, err := s.eng.InspectContainer(s.ctx(), late)
	s.must(err)
	if !elsewhere.Contains(c.Address(other)) || !c.Networks[0].Visitor || c.Networks[1].Visitor {
		s.t.Errorf("attached while it ran: %+v", c.Networks)
	}
	for range 2 {
		s.must(s.eng.DisconnectNetwork(s.ctx(), other, late))
	}
	if c, err = s.eng.InspectContainer(s.ctx(), late); err != nil || c.Attached(other) || !c.Attached(own) {
		s.t.Errorf("detached while it ran: %+v, %v", c.Networks, err)
	}
	s.must(s.eng.DisconnectNetwork(s.ctx(), other, "no-such-container"))
	s.is("a network that is missing", s.eng.ConnectNetwork(s.ctx(), "no-such-network", id, nil), orchestrator.ErrNotFound)
	s.is("a container that is missing", s.eng.ConnectNetwork(s.ctx(), other, "no-such-container", nil), orchestrator.ErrNotFound)
}

func (s *suite) testNames() {
	s.create(nil, "wait")
	_, err := s.eng.CreateContainer(s.ctx(), orchestrator.ContainerSpec{
		Name: s.name(), Image: s.image, Entrypoint: s.entrypoint, Command: []string{"wait"}, Labels: s.labels,
	})
	s.is("name of a container", err, orchestrator.ErrNameTaken)

	s.network()
	for { // a free subnet, so that only the name is in use
		_, err = s.eng.CreateNetwork(s.ctx(), s.networkSpec(randomSubnet()))
		if !errors.Is(err, orchestrator.ErrSubnetOverlap) {
			break
		}
	}
	s.is("name of a network", err, orchestrator.ErrNameTaken)
}

func (s *suite) testSubnet() {
	id, subnet := s.network()
	other := s.networkSpec(subnet)
	other.Name += "-other"
	_, err := s.eng.CreateNetwork(s.ctx(), other)
	s.is("create", err, orchestrator.ErrSubnetOverlap)
	list, err := s.eng.Networks(s.ctx(), s.labels)
	s.must(err)
	if len(list) != 1 || list[0].ID != id || list[0].Name != s.name() || !slices.Equal(list[0].Subnets, []netip.Prefix{subnet}) {
		s.t.Errorf("networks %+v", list)
	}
	s.must(s.eng.RemoveNetwork(s.ctx(), id))
	s.must(s.eng.RemoveNetwork(s.ctx(), id)) // it is gone: not an error
	if list, err = s.eng.Networks(s.ctx(), s.labels); err != nil || len(list) != 0 {
		s.t.Errorf("after the removal: %+v, %v", list, err)
	}

	var both orchestrator.NetworkSpec
	for {
		both = s.networkSpec(randomSubnet())
		both.IPv6 = netip.MustParsePrefix(fmt.Sprintf("fd00:%x:%x::/64", rand.N(1<<16), rand.N(1<<16)))
		if _, err = s.eng.CreateNetwork(s.ctx(), both); !errors.Is(err, orchestrator.ErrSubnetOverlap) {
			break
		}
	}
	if info, infoErr := s.eng.Info(s.ctx()); len(info.Hosts) > 1 { // no overlay network has IPv6
		s.must(infoErr)
		s.is("an overlay network with IPv6", err, orchestrator.ErrNoIPv6)
		return
	}
	s.must(err)
	list, err = s.eng.Networks(s.ctx(), s.labels)
	s.must(err)
	if len(list) != 1 || !slices.Equal(list[0].Subnets, []netip.Prefix{both.Subnet, both.IPv6}) {
		s.t.Errorf("with IPv6: %+v", list)
	}
}

func (s *suite) testPort() {
	port := freePort(s.t)
	publish := func(name string, port uint16) string {
		return s.create(func(c *orchestrator.ContainerSpec) {
			c.Name = s.name() + name
			c.Ports = []orchestrator.PortBinding{{Container: 4000, HostIP: "127.0.0.1", Host: port}}
		}, "wait")
	}
	// Before the first container: an engine's "now" may be a little in the past.
	l := s.listen(time.Time{})
	first := publish("-a", port)
	s.must(s.eng.StartContainer(s.ctx(), first))
	second := publish("-b", port)
	s.is("start", s.eng.StartContainer(s.ctx(), second), orchestrator.ErrPortTaken)
	c, err := s.eng.InspectContainer(s.ctx(), second)
	s.must(err)
	if c.State.Status != "created" || c.State.Running || c.State.Error == "" {
		s.t.Errorf("after the conflict: %+v", c.State)
	}
	s.must(s.eng.RemoveContainer(s.ctx(), second))
	s.hears(l, "create start create destroy") // the second one has no start and no die: it never ran

	s.must(s.eng.StartContainer(s.ctx(), publish("-c", freePort(s.t)))) // another port is free
	third := publish("-d", port)
	s.is("start", s.eng.StartContainer(s.ctx(), third), orchestrator.ErrPortTaken)
	s.must(s.eng.RemoveContainer(s.ctx(), first))
	s.must(s.eng.StartContainer(s.ctx(), third)) // the same port works once it is free
}

func (s *suite) testAnyPort() {
	publish := func(name string) uint16 {
		id := s.create(func(c *orchestrator.ContainerSpec) {
			c.Name = s.name() + name
			c.Ports = []orchestrator.PortBinding{{Container: 4000, HostIP: "127.0.0.1"}}
		}, "wait")
		s.must(s.eng.StartContainer(s.ctx(), id))
		list, err := s.eng.Containers(s.ctx(), s.labels)
		s.must(err)
		for _, c := range list {
			if c.ID == id && len(c.Ports) == 1 && c.Ports[0].Container == 4000 {
				return c.Ports[0].Host
			}
		}
		s.t.Fatalf("not published: %+v", list)
		return 0
	}
	if a, b := publish("-a"), publish("-b"); a == 0 || b == 0 || a == b {
		s.t.Errorf("published at %d and %d", a, b)
	}
}

func (s *suite) testAddress() {
	network, subnet := s.network()
	place := func(name string) string {
		return s.create(func(c *orchestrator.ContainerSpec) {
			c.Name, c.NetworkID, c.IP = s.name()+name, network, subnet.Addr().Next().Next()
		}, "wait")
	}
	s.must(s.eng.StartContainer(s.ctx(), place("-a")))
	err := s.eng.StartContainer(s.ctx(), place("-b"))
	s.is("start", err, orchestrator.ErrConflict)
	if errors.Is(err, orchestrator.ErrPortTaken) {
		s.t.Errorf("another port would not help: %v", err)
	}
}

func (s *suite) testMissing() {
	const id = "no-such-container"
	_, err := s.eng.InspectContainer(s.ctx(), id)
	s.is("inspect", err, orchestrator.ErrNotFound)
	s.is("start", s.eng.StartContainer(s.ctx(), id), orchestrator.ErrNotFound)
	s.is("stop", s.eng.StopContainer(s.ctx(), id, time.Second), orchestrator.ErrNotFound)
	s.is("kill", s.eng.KillContainer(s.ctx(), id, "KILL"), orchestrator.ErrNotFound)
	_, err = s.eng.Logs(s.ctx(), id, time.Time{}, false)
	s.is("logs", err, orchestrator.ErrNotFound)
	_, err = s.eng.CreateContainer(s.ctx(), orchestrator.ContainerSpec{Name: s.name(), Image: "beamyard-test/no-such:image", Labels: s.labels})
	s.is("create", err, orchestrator.ErrNotFound)
	_, err = s.eng.Image(s.ctx(), "beamyard-test/no-such:image")
	s.is("image", err, images.ErrNotFound)
	// RFC 6761: the name "invalid" never resolves.
	s.is("pull", s.eng.Pull(s.ctx(), "registry.invalid/no-such:image", io.Discard), images.ErrNoRegistry)
	s.must(s.eng.RemoveContainer(s.ctx(), id))
	s.must(s.eng.RemoveNetwork(s.ctx(), "no-such-network"))
}
