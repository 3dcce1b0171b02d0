package enginetest

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/beamyard/beamyard/images"
	"github.com/beamyard/beamyard/orchestrator"
)

// Contract holds an engine to what package orchestrator asks of one. image is
// one whose containers do what [Script] does, at the given entrypoint. Whatever
// it makes it removes.
func Contract(t *testing.T, newEngine func(testing.TB) orchestrator.Engine, image string, entrypoint ...string) {
	for _, c := range contract {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := &suite{
				t: t, eng: newEngine(t), image: image, entrypoint: entrypoint,
				labels: map[string]string{"beamyard.contract": fmt.Sprintf("%08x", rand.Uint32())},
			}
			t.Cleanup(s.cleanUp)
			c.test(s)
		})
	}
}

var contract = []struct {
	name string
	test func(*suite)
}{
	{"a life is told in order", (*suite).testLife},
	{"a stop is graceful", (*suite).testStop},
	{"a stop ends with KILL", (*suite).testStubborn},
	{"a kill is no stop", (*suite).testKill},
	{"a removal kills", (*suite).testRemove},
	{"events are replayed from a time on", (*suite).testReplay},
	{"a container starts again as it was", (*suite).testAgain},
	{"output comes framed, from both streams", (*suite).testLogs},
	{"output is followed to the exit", (*suite).testFollow},
	{"output is given from a time on", (*suite).testSince},
	{"a long line comes in parts", (*suite).testLongLine},
	{"names, ports and subnets are taken once", (*suite).testTaken},
	{"what is missing is not found", (*suite).testMissing},
	{"what is listed carries the labels", (*suite).testList},
	{"a container that the engine cannot start says so", (*suite).testCannotStart},
	{"a container has its hostname and environment", (*suite).testInside},
	{"the engine tells of itself", (*suite).testInfo},
}

// suite is one test's part of the engine: all that it makes carries its label.
type suite struct {
	t          *testing.T
	eng        orchestrator.Engine
	image      string
	entrypoint []string
	labels     map[string]string
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
		err = errors.Join(err, s.eng.RemoveNetwork(ctx, n.ID))
	}
	if err = errors.Join(err, listErr); err != nil {
		s.t.Errorf("clean up: %v", err)
	}
}

func (s *suite) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// is checks an error's class.
func (s *suite) is(what string, err, want error) {
	s.t.Helper()
	if !errors.Is(err, want) {
		s.t.Errorf("%s: %v, want %v", what, err, want)
	}
}

// network makes one in a range that nothing else uses.
func (s *suite) network() (id string, subnet netip.Prefix) {
	s.t.Helper()
	for {
		subnet = randomSubnet()
		id, err := s.eng.CreateNetwork(s.ctx(), s.networkSpec(subnet))
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

// exited waits until the container has ended.
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
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			s.t.Fatalf("never: %s", what)
		}
	}
}

// waiting waits until the program has said that it waits for a signal.
func (s *suite) waiting(id string) {
	s.t.Helper()
	s.eventually("the program waits", func() bool { return slices.Contains(s.output(id), "stdout waiting\n") })
}

// listener hears events.
type listener struct {
	mu     sync.Mutex
	events []orchestrator.ContainerEvent
}

func (l *listener) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var words []string
	for _, e := range l.events {
		word := e.Action
		switch e.Action {
		case "die":
			word += fmt.Sprintf("(%d)", e.ExitCode)
		case "kill":
			word += "(" + e.Signal + ")"
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

// listen subscribes and returns once the engine has accepted.
func (s *suite) listen(since time.Time) *listener {
	s.t.Helper()
	l := &listener{}
	ctx, cancel := context.WithCancel(context.Background())
	ready, done := make(chan struct{}), make(chan error, 1)
	go func() {
		done <- s.eng.Events(ctx, since, s.labels, func() { close(ready) }, func(e orchestrator.ContainerEvent) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.events = append(l.events, e)
		})
	}()
	s.t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			s.t.Errorf("events ended with %v", err)
		}
	})
	select {
	case <-ready:
	case err := <-done:
		done <- err
		s.t.Fatalf("events: %v", err)
	}
	return l
}

// hears waits for a history; each is one of the sequences that are allowed.
func (s *suite) hears(l *listener, allowed ...string) {
	s.t.Helper()
	var got string
	deadline := time.After(20 * time.Second)
	for {
		if got = l.text(); slices.Contains(allowed, got) {
			return
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-deadline:
			s.t.Fatalf("heard %q, want %q", got, allowed)
		}
	}
}

// frames reads a log in the engine's framing: "stdout text", with its time.
func (s *suite) frames(id string, since time.Time, follow bool) (lines []string, times []time.Time) {
	s.t.Helper()
	body, err := s.eng.Logs(s.ctx(), id, since, follow)
	s.must(err)
	defer body.Close()
	for r := bufio.NewReader(body); ; {
		var header [8]byte
		if _, err := io.ReadFull(r, header[:]); errors.Is(err, io.EOF) {
			return lines, times
		} else if err != nil {
			s.t.Fatalf("read a frame: %v", err)
		}
		payload := make([]byte, binary.BigEndian.Uint32(header[4:]))
		_, err := io.ReadFull(r, payload)
		s.must(err)
		stamp, text, _ := strings.Cut(string(payload), " ")
		at, err := time.Parse(time.RFC3339Nano, stamp)
		s.must(err)
		lines = append(lines, map[byte]string{1: "stdout ", 2: "stderr "}[header[0]]+text)
		times = append(times, at)
	}
}

func (s *suite) output(id string) []string {
	s.t.Helper()
	lines, _ := s.frames(id, time.Time{}, false)
	return lines
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

func (s *suite) testLife() {
	l := s.listen(time.Time{})
	id := s.run("exit", "7")
	c := s.exited(id)
	if c.State.ExitCode != 7 || c.State.OOMKilled || c.State.FinishedAt.Before(c.State.StartedAt) {
		s.t.Errorf("state %+v", c.State)
	}
	s.hears(l, "create start die(7)")
	for _, e := range l.events {
		if e.ID != id || e.Name != s.name() || e.Labels["beamyard.contract"] != s.labels["beamyard.contract"] || e.Time.IsZero() {
			s.t.Errorf("event %+v", e)
		}
	}
	s.must(s.eng.StopContainer(s.ctx(), id, time.Second)) // has ended: no error
}

func (s *suite) testStop() {
	l := s.listen(time.Time{})
	id := s.run("wait")
	s.must(s.eng.StartContainer(s.ctx(), id)) // runs: no error
	s.waiting(id)
	s.must(s.eng.StopContainer(s.ctx(), id, 10*time.Second))
	if c := s.exited(id); c.State.ExitCode != 0 {
		s.t.Errorf("exit code %d", c.State.ExitCode)
	}
	s.hears(l, "create start kill(15) die(0) stop", "create start kill(15) stop die(0)")
}

func (s *suite) testStubborn() {
	l := s.listen(time.Time{})
	id := s.run("stubborn")
	s.waiting(id)
	s.must(s.eng.StopContainer(s.ctx(), id, time.Second))
	if c := s.exited(id); c.State.ExitCode != 137 || c.State.OOMKilled {
		s.t.Errorf("state %+v", c.State)
	}
	s.hears(l, "create start kill(15) kill(9) die(137) stop", "create start kill(15) kill(9) stop die(137)")
}

func (s *suite) testKill() {
	l := s.listen(time.Time{})
	id := s.run("wait")
	s.must(s.eng.KillContainer(s.ctx(), id, "KILL"))
	if c := s.exited(id); c.State.ExitCode != 137 {
		s.t.Errorf("exit code %d", c.State.ExitCode)
	}
	s.hears(l, "create start kill(9) die(137)")
	s.is("kill a dead one", s.eng.KillContainer(s.ctx(), id, "KILL"), orchestrator.ErrNotRunning)
}

func (s *suite) testRemove() {
	l := s.listen(time.Time{})
	id := s.run("wait")
	s.must(s.eng.RemoveContainer(s.ctx(), id))
	s.hears(l, "create start kill(9) die(137) destroy")
	s.must(s.eng.RemoveContainer(s.ctx(), id)) // gone: no error
	_, err := s.eng.InspectContainer(s.ctx(), id)
	s.is("inspect", err, orchestrator.ErrNotFound)
}

func (s *suite) testReplay() {
	l := s.listen(time.Time{})
	s.exited(s.run("exit", "3"))
	s.hears(l, "create start die(3)")
	s.hears(s.listen(l.events[1].Time), "start die(3)")
	s.hears(s.listen(l.events[2].Time.Add(1)), "")
}

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
		if c.IP != subnet.Addr().Next().Next() || len(c.Ports) != 1 || c.Ports[0].Host != port || !c.State.Running || c.State.PID == 0 {
			s.t.Errorf("running: %+v", c)
		}
		if !slices.Equal(c.Networks, []string{network}) {
			s.t.Errorf("networks %v", c.Networks)
		}
		s.is("remove a network in use", s.eng.RemoveNetwork(s.ctx(), network), orchestrator.ErrConflict)
		s.must(s.eng.KillContainer(s.ctx(), id, "KILL"))
		c = s.exited(id)
		if c.IP != subnet.Addr().Next().Next() || len(c.Ports) != 1 {
			s.t.Errorf("exited: %+v", c)
		}
	}
}

func (s *suite) testLogs() {
	id := s.run("print", "3")
	s.exited(id)
	lines, times := s.frames(id, time.Time{}, false)
	slices.Sort(lines)
	want := []string{"stderr stderr 1\n", "stderr stderr 2\n", "stderr stderr 3\n", "stdout stdout 1\n", "stdout stdout 2\n", "stdout stdout 3\n"}
	if !slices.Equal(lines, want) {
		s.t.Errorf("lines %q", lines)
	}
	if age := time.Since(times[0]); age < -time.Minute || age > time.Minute {
		s.t.Errorf("time %s", times[0])
	}
}

func (s *suite) testFollow() {
	id := s.create(nil, "wait")
	if lines, _ := s.frames(id, time.Time{}, true); len(lines) != 0 { // does not run: ends at once
		s.t.Errorf("before the start: %q", lines)
	}
	s.must(s.eng.StartContainer(s.ctx(), id))
	done := make(chan []string, 1)
	go func() { lines, _ := s.frames(id, time.Time{}, true); done <- lines }()
	s.waiting(id)
	select {
	case lines := <-done:
		s.t.Errorf("ended before the exit with %q", lines)
	default:
	}
	s.must(s.eng.StopContainer(s.ctx(), id, 10*time.Second))
	select {
	case lines := <-done:
		if !slices.Equal(lines, []string{"stdout waiting\n"}) {
			s.t.Errorf("followed %q", lines)
		}
	case <-time.After(20 * time.Second):
		s.t.Error("does not end with the container")
	}
}

func (s *suite) testSince() {
	id := s.run("print", "1")
	s.exited(id)
	s.must(s.eng.StartContainer(s.ctx(), id))
	s.eventually("the second run has printed", func() bool { return len(s.output(id)) == 4 })
	_, times := s.frames(id, time.Time{}, false)
	lines, _ := s.frames(id, times[2], false)
	if len(lines) != 2 { // inclusive: the second run's two
		s.t.Errorf("since the second run: %q", lines)
	}
}

func (s *suite) testLongLine() {
	id := s.run("long", "40000")
	s.exited(id)
	lines := s.output(id)
	whole := ""
	for i, part := range lines {
		text := strings.TrimPrefix(part, "stdout ")
		if strings.HasSuffix(text, "\n") != (i == len(lines)-1) {
			s.t.Errorf("part %d of %d ends wrongly", i, len(lines))
		}
		whole += text
	}
	if len(lines) < 3 || whole != strings.Repeat("x", 40000)+"\n" {
		s.t.Errorf("%d parts, %d bytes", len(lines), len(whole))
	}
}

func (s *suite) testTaken() {
	network, subnet := s.network()
	other := s.networkSpec(subnet)
	other.Name += "-other"
	_, err := s.eng.CreateNetwork(s.ctx(), other)
	s.is("subnet", err, orchestrator.ErrSubnetOverlap)

	port := freePort(s.t)
	publish := func(name string, port uint16) func(*orchestrator.ContainerSpec) {
		return func(c *orchestrator.ContainerSpec) {
			c.Name, c.NetworkID = s.name()+name, network
			c.Ports = []orchestrator.PortBinding{{Container: 4000, HostIP: "127.0.0.1", Host: port}}
		}
	}
	s.must(s.eng.StartContainer(s.ctx(), s.create(publish("-a", port), "wait")))
	_, err = s.eng.CreateContainer(s.ctx(), orchestrator.ContainerSpec{
		Name: s.name() + "-a", Image: s.image, Entrypoint: s.entrypoint, Command: []string{"wait"}, Labels: s.labels,
	})
	s.is("name", err, orchestrator.ErrNameTaken)
	for { // a free subnet, so that only the name is in the way
		_, err = s.eng.CreateNetwork(s.ctx(), s.networkSpec(randomSubnet()))
		if !errors.Is(err, orchestrator.ErrSubnetOverlap) {
			break
		}
	}
	s.is("name of a network", err, orchestrator.ErrNameTaken)

	l := s.listen(time.Time{})
	second := s.create(publish("-b", port), "wait")
	s.is("port", s.eng.StartContainer(s.ctx(), second), orchestrator.ErrPortTaken)
	c, err := s.eng.InspectContainer(s.ctx(), second)
	s.must(err)
	if c.State.Running || c.State.Error == "" {
		s.t.Errorf("after the conflict: %+v", c.State)
	}
	s.must(s.eng.RemoveContainer(s.ctx(), second))
	s.hears(l, "create destroy") // no die: the container never ran
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
	s.must(s.eng.RemoveContainer(s.ctx(), id))
	s.must(s.eng.RemoveNetwork(s.ctx(), "no-such-network"))
}

func (s *suite) testList() {
	id := s.create(nil, "wait")
	list, err := s.eng.Containers(s.ctx(), s.labels)
	s.must(err)
	if len(list) != 1 || list[0].ID != id || list[0].Name != s.name() || list[0].State.Status != "created" || list[0].State.Running {
		s.t.Errorf("created: %+v", list)
	}
	s.must(s.eng.StartContainer(s.ctx(), id))
	list, err = s.eng.Containers(s.ctx(), s.labels)
	s.must(err)
	if len(list) != 1 || !list[0].State.Running || list[0].Labels["beamyard.contract"] != s.labels["beamyard.contract"] {
		s.t.Errorf("running: %+v", list)
	}
	all, err := s.eng.Containers(s.ctx(), nil)
	s.must(err)
	if !slices.ContainsFunc(all, func(c orchestrator.Container) bool { return c.ID == id }) {
		s.t.Error("not in the list of all")
	}
}

func (s *suite) testCannotStart() {
	if _, memory := s.eng.(*Engine); memory {
		s.eng.(*Engine).FailNext("StartContainer", orchestrator.ErrCannotStart) // no files here that could be missing
	}
	// A missing command itself is found by the container's init: exit 127.
	id := s.create(func(c *orchestrator.ContainerSpec) { c.User = "no-such-user-here" }, "wait")
	s.is("start", s.eng.StartContainer(s.ctx(), id), orchestrator.ErrCannotStart)
}

func (s *suite) testInside() {
	id := s.create(func(c *orchestrator.ContainerSpec) { c.Hostname = "n1.contract.test" }, "hostname")
	s.must(s.eng.StartContainer(s.ctx(), id))
	s.exited(id)
	if lines := s.output(id); !slices.Equal(lines, []string{"stdout n1.contract.test <nil>\n"}) {
		s.t.Errorf("hostname %q", lines)
	}
	id = s.create(func(c *orchestrator.ContainerSpec) { c.Name, c.Env = s.name()+"-env", []string{"GREETING=grüß dich"} }, "env", "GREETING")
	s.must(s.eng.StartContainer(s.ctx(), id))
	s.exited(id)
	if lines := s.output(id); !slices.Equal(lines, []string{"stdout grüß dich\n"}) {
		s.t.Errorf("environment %q", lines)
	}
}

func (s *suite) testInfo() {
	info, err := s.eng.Info(s.ctx())
	s.must(err)
	if info.CPUs < 1 || info.Version == "" || info.APIVersion == "" || info.Host == "" || info.Endpoint == "" || info.Time.IsZero() {
		s.t.Errorf("info %+v", info)
	}
}
