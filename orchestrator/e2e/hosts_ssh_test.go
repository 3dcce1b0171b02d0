//go:build hosts

package e2e_test

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"testing"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/discovery"
	"github.com/beamyard/beamyard/orchestrator/docker"
)

// sshHost returns the host that is reached through ssh, and its address.
func sshHost(t *testing.T) (orchestrator.HostSpec, string) {
	t.Helper()
	host := os.Getenv("BEAMYARD_TEST_SSH_HOST")
	u, err := url.Parse(host)
	if err != nil || u.Scheme != "ssh" {
		t.Fatalf("BEAMYARD_TEST_SSH_HOST is %q: run make hosts-test", host)
	}
	return orchestrator.HostSpec{Host: host}, u.Hostname()
}

// tunnelled checks the nodes of a host behind ssh: their ports answer on this machine's loopback,
// and not at the address of their machine.
func tunnelled(t *testing.T, r *running, machine string, nodes ...string) {
	t.Helper()
	for _, name := range nodes {
		n := r.node(name)
		if len(n.Ports) < 2 {
			t.Errorf("%s has the ports %v", name, n.Ports)
		}
		for _, p := range n.Ports {
			if p.HostIP != "127.0.0.1" {
				t.Errorf("%s publishes %d at %s", name, p.Container, p.HostIP)
			}
			if conn, err := net.DialTimeout("tcp", net.JoinHostPort(machine, fmt.Sprint(p.Host)), 5*time.Second); err == nil {
				conn.Close()
				t.Errorf("%s answers at %s:%d", name, machine, p.Host)
			}
		}
		answer, err := http.Get(n.URL)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		answer.Body.Close()
	}
}

// One host is reached over TCP, the other one through ssh. The mesh is proven through the tunnel, a
// kill there is noticed, and a process without the supervisor reaches the nodes, too.
func TestHostsSSH(t *testing.T) {
	host, machine := sshHost(t)
	specs := map[string]orchestrator.HostSpec{"a": machines(t)["a"], "c": host}
	r := up(t, over(t, specs), "trixie", 4, func(s *orchestrator.Spec) { s.Hosts = specs })
	for _, name := range []string{"n2", "n4"} {
		if n := r.node(name); n.On != "c" || len(n.Peers) != 3 {
			t.Fatalf("%s is on %s and sees %v", name, n.On, n.Peers)
		}
	}
	tunnelled(t, r, machine, "n2", "n4")
	before := r.node("n2")
	if err := alone(t, specs["c"]).KillContainer(t.Context(), before.ContainerID, "KILL"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the kill is noticed", func() bool { return r.node("n2").RestartCount == 1 })
	r.ready()
	if n := r.node("n2"); n.URL != before.URL || n.ContainerID != before.ContainerID {
		t.Errorf("after the restart %+v, before %+v", n, before)
	}
	other := over(t, specs) // its own tunnel waits for the ports, which the supervisor's has
	answer, err := discovery.Eval(t.Context(), other, r.name, "n2", "length(Node.list())", orchestrator.EvalOptions{})
	if err != nil || answer != "3" {
		t.Errorf("%+v, %v", answer, err)
	}
	if err := r.Down(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// One engine behind ssh, without hosts in the spec, is as one of this machine.
func TestHostsOneEngineBehindSSH(t *testing.T) {
	host, machine := sshHost(t)
	eng, err := docker.New(docker.Options{Host: host.Host})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(eng.Close)
	r := up(t, eng, "trixie", 2, func(*orchestrator.Spec) {})
	tunnelled(t, r, machine, "n1", "n2")
	if err := r.Down(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// One engine behind tcp://, without hosts in the spec, publishes ports at the address by which it is
// reached, and not at every one of its machine.
func TestHostsOneEngineBehindTCP(t *testing.T) {
	host := machines(t)["a"]
	u, err := url.Parse(host.Host)
	if err != nil {
		t.Fatal(err)
	}
	r := up(t, alone(t, host), "trixie", 2, func(*orchestrator.Spec) {})
	for _, name := range []string{"n1", "n2"} {
		n := r.node(name)
		for _, p := range n.Ports {
			if p.HostIP != u.Hostname() {
				t.Errorf("%s publishes %d at %s, want %s", name, p.Container, p.HostIP, u.Hostname())
			}
		}
		answer, err := http.Get(n.URL)
		if err != nil || len(n.Ports) < 2 {
			t.Errorf("%s with the ports %v: %v", name, n.Ports, err)
			continue
		}
		answer.Body.Close()
	}
	if err := r.Down(t.Context()); err != nil {
		t.Fatal(err)
	}
}
