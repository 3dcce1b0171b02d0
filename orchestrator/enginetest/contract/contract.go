// Package contract tests that an engine does what package orchestrator needs. The tests
// run on the in-memory engine and on Docker. If the two differ, one of them is wrong.
//
//	contract.Run ─► one suite for each clause ─► orchestrator.Engine
//	                 create, run, look, remove     (in memory, or Docker)
//
// # Threads
//
// The clauses run in parallel, each with containers and labels of its own. A listener
// has a goroutine for its events, which ends with its test.
package contract

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
)

// Run verifies that an engine fulfils the contract of package orchestrator. The
// containers of image must behave like [enginetest.Script], at the given entrypoint. Run
// removes everything that it creates.
func Run(t *testing.T, newEngine func(testing.TB) orchestrator.Engine, image string, entrypoint ...string) {
	for _, c := range clauses {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.test(newSuite(t, newEngine(t), image, entrypoint))
		})
	}
}

var clauses = []struct {
	name string
	test func(*suite)
}{
	{"events are in order", (*suite).testLife},
	{"a stop is graceful", (*suite).testStop},
	{"a stop ends with KILL", (*suite).testStubborn},
	{"a kill is not a stop", (*suite).testKill},
	{"a pause is undone", (*suite).testPause},
	{"a pause ends with the container", (*suite).testStopPaused},
	{"a removal kills", (*suite).testRemove},
	{"events are replayed from a time on", (*suite).testReplay},
	{"what happens after ready is heard", (*suite).testReady},
	{"a container starts again as it was", (*suite).testAgain},
	{"output comes with its stream and time, from both streams", (*suite).testLogs},
	{"output is followed to the exit", (*suite).testFollow},
	{"output is given from a time on", (*suite).testSince},
	{"a long line comes in parts", (*suite).testLongLine},
	{"a container is in several networks", (*suite).testNetworks},
	{"names are taken once", (*suite).testNames},
	{"a subnet is taken once", (*suite).testSubnet},
	{"a host port is taken once", (*suite).testPort},
	{"an engine chooses a host port where none is asked for", (*suite).testAnyPort},
	{"a fixed address is taken once", (*suite).testAddress},
	{"what is missing is not found", (*suite).testMissing},
	{"what is listed carries the labels", (*suite).testList},
	{"a container that the engine cannot start says so", (*suite).testCannotStart},
	{"a missing command is found by the init", (*suite).testNoCommand},
	{"a container has its hostname and environment", (*suite).testInside},
	{"a container shares another one's network", (*suite).testSharedNetwork},
	{"a container that shares another one's processes ends with it", (*suite).testSharedProcesses},
	{"a container that shares the machine's processes sees those of others", (*suite).testHostProcesses},
	{"limits change", (*suite).testLimits},
	{"a mounted file is seen", (*suite).testMount},
	{"a capability is given", (*suite).testCapability},
	{"a file is read, running or not", (*suite).testFile},
	{"files are written, running or not", (*suite).testWriteFiles},
	{"a volume outlives its container", (*suite).testVolume},
	{"a command runs in a container", (*suite).testExec},
	{"a command needs a container that runs", (*suite).testExecNotRunning},
	{"a command is not waited for beyond its time", (*suite).testExecTime},
	{"a command's streams are connected", (*suite).testStreams},
	{"a command has a terminal", (*suite).testTerminal},
	{"a terminal passes every key on", (*suite).testKeys},
	{"a command ends with its container, or with its reader", (*suite).testStreamsEnd},
	{"a process reads what is written to it", (*suite).testStdin},
	{"the engine tells of itself", (*suite).testInfo},
}

// patience is the longest time that anything may take that is certain to happen.
const patience = 20 * time.Second

// suite is one test's part of the engine: all that it creates has its label.
type suite struct {
	t          *testing.T
	eng        orchestrator.Engine
	image      string
	entrypoint []string
	labels     map[string]string
}

// newSuite returns a suite that removes what it creates.
func newSuite(t *testing.T, eng orchestrator.Engine, image string, entrypoint []string) *suite {
	s := &suite{
		t: t, eng: eng, image: image, entrypoint: entrypoint,
		labels: map[string]string{"beamyard.contract": fmt.Sprintf("%08x", rand.Uint32())},
	}
	t.Cleanup(s.cleanUp)
	return s
}

func (s *suite) ctx() context.Context { return s.t.Context() }

func (s *suite) name() string { return "contract-" + s.labels["beamyard.contract"] }

func (s *suite) cleanUp() {
	ctx := context.Background()
	containers, err := s.eng.Containers(ctx, s.labels)
	for _, c := range containers {
		err = errors.Join(err, s.eng.RemoveContainer(ctx, c.ID))
	}
	networks, listErr := s.eng.Networks(ctx, s.labels)
	for _, n := range networks {
		var refused error
		s.eventually("remove network "+n.Name, func() bool { // a swarm forgets a removed container a little later
			refused = s.eng.RemoveNetwork(ctx, n.ID)
			return !errors.Is(refused, orchestrator.ErrConflict)
		})
		err = errors.Join(err, refused)
	}
	volumes, volumesErr := s.eng.Volumes(ctx, s.labels)
	for _, v := range volumes {
		err = errors.Join(err, s.eng.RemoveVolume(ctx, v.Name))
	}
	if err = errors.Join(err, listErr, volumesErr); err != nil {
		s.t.Errorf("clean up: %v", err)
	}
}

func (s *suite) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// is checks that an error matches another.
func (s *suite) is(what string, err, want error) {
	s.t.Helper()
	if !errors.Is(err, want) {
		s.t.Errorf("%s: %v, want %v", what, err, want)
	}
}

// network creates a network in a range that nothing else uses.
func (s *suite) network() (id string, subnet netip.Prefix) {
	s.t.Helper()
	return s.networkNamed(s.name())
}

func (s *suite) networkNamed(name string) (id string, subnet netip.Prefix) {
	s.t.Helper()
	for {
		subnet = randomSubnet()
		n := s.networkSpec(subnet)
		n.Name = name
		id, err := s.eng.CreateNetwork(s.ctx(), n)
		if errors.Is(err, orchestrator.ErrSubnetOverlap) {
			continue
		}
		s.must(err)
		return id, subnet
	}
}

func randomSubnet() netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 215, byte(rand.N(256)), byte(rand.N(16) * 16)}), 28)
}

func (s *suite) networkSpec(subnet netip.Prefix) orchestrator.NetworkSpec {
	return orchestrator.NetworkSpec{Name: s.name(), Subnet: subnet, Gateway: subnet.Addr().Next(), Labels: s.labels}
}

func (s *suite) create(edit func(*orchestrator.ContainerSpec), command ...string) string {
	s.t.Helper()
	spec := orchestrator.ContainerSpec{
		Name: s.name(), Image: s.image, Entrypoint: s.entrypoint, Command: command, Labels: s.labels,
		StopTimeout: time.Second, LogMaxSize: "10m", LogMaxFile: 3,
	}
	if edit != nil {
		edit(&spec)
	}
	id, err := s.eng.CreateContainer(s.ctx(), spec)
	s.must(err)
	return id
}

// run creates and starts a container.
func (s *suite) run(command ...string) string {
	s.t.Helper()
	id := s.create(nil, command...)
	s.must(s.eng.StartContainer(s.ctx(), id))
	return id
}

// exited waits until the container has exited.
func (s *suite) exited(id string) orchestrator.Container {
	s.t.Helper()
	var c orchestrator.Container
	s.eventually("the container exits", func() bool {
		var err error
		c, err = s.eng.InspectContainer(s.ctx(), id)
		s.must(err)
		return c.State.Status == "exited"
	})
	return c
}

func (s *suite) eventually(what string, ok func() bool) {
	s.t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			s.t.Fatalf("not in time: %s", what)
		}
	}
}

// waiting waits until the program has printed that it waits for a signal.
func (s *suite) waiting(id string) {
	s.t.Helper()
	s.eventually("the program waits", func() bool { return slices.Contains(s.output(id), "stdout waiting\n") })
}

func freePort(t *testing.T) uint16 {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return uint16(l.Addr().(*net.TCPAddr).Port)
}
