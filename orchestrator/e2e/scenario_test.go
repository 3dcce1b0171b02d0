package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"

	"github.com/beamyard/beamyard/images"
	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/cluster"
	"github.com/beamyard/beamyard/orchestrator/discovery"
	"github.com/beamyard/beamyard/orchestrator/docker"
	"github.com/beamyard/beamyard/orchestrator/enginetest/contract"
)

// The scenarios run real BEAM nodes of each OTP release on the real engine.

// otps are the releases that every version-dependent scenario runs on.
var otps = []otp{{"otp25", "bookworm"}, {"otp27", "trixie"}}

// otp is a release, and the base image that has it.
type otp struct{ name, base string }

const demo = "../../images/demo"

// engine connects to the machine's engine. Without one, the test fails.
func engine(t testing.TB) *docker.Engine {
	t.Helper()
	eng, err := docker.New(docker.Options{})
	if err != nil {
		t.Fatalf("no engine: %v", err)
	}
	t.Cleanup(func() { eng.Close() })
	if _, err := eng.Info(t.Context()); err != nil {
		t.Fatalf("no engine: %v", err)
	}
	return eng
}

// bareClient returns a client of the engine without our adapter, for actions from
// outside.
func bareClient(t testing.TB) *client.Client {
	t.Helper()
	cli, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cli.Close() })
	return cli
}

// removeImage also removes the untagged images that a build left of its earlier steps.
func removeImage(t testing.TB, ref string) {
	t.Helper()
	if _, err := bareClient(t).ImageRemove(context.Background(), ref, image.RemoveOptions{Force: true, PruneChildren: true}); err != nil {
		t.Errorf("remove image %s: %v", ref, err)
	}
}

// running is a cluster that a test runs.
type running struct {
	*cluster.Cluster
	t      testing.TB
	eng    orchestrator.Engine
	name   string
	cancel context.CancelFunc
	result chan error
	made   string // an image that is removed with the cluster
	fails  bool   // the cluster may be given up: a ClusterError of Run is expected
}

// takesImage removes the image with the cluster: it was built for this test alone.
func (r *running) takesImage() {
	r.t.Helper()
	st, err := r.Status(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	r.made = st.Image
}

// baseLock is held while a base image is made.
var baseLock sync.Mutex

// makeBase makes a base image of Debian packages that the engine lacks. It takes half a minute, and
// minutes beside other clusters: what waits for a cluster must not wait for that, too.
func makeBase(t testing.TB, eng images.Engine, base string) {
	t.Helper()
	if !slices.ContainsFunc(otps, func(o otp) bool { return o.base == base }) {
		return
	}
	baseLock.Lock()
	defer baseLock.Unlock()
	if _, err := images.Resolve(t.Context(), eng, images.Source{Kind: images.Debian, Suite: base}, images.Options{}); err != nil {
		t.Fatal(err)
	}
}

// run starts a cluster of the demo and does not wait. The cluster is removed when the
// test ends, whatever the test does.
func run(t testing.TB, eng orchestrator.Engine, base string, nodes int, edit func(*orchestrator.Spec)) *running {
	t.Helper()
	spec := orchestrator.Spec{
		Name: fmt.Sprintf("t%08x", rand.Uint32()), Source: demo, BaseImage: base,
		Nodes: orchestrator.NodeNames(nodes), HTTPCheck: "/health", ReadyTimeout: 90 * time.Second,
		StopTimeout: 2 * time.Second, HostPort: 5200,
	}
	if edit != nil {
		edit(&spec)
	}
	makeBase(t, eng, spec.BaseImage)
	var build bytes.Buffer
	w := &witness{t: t, eng: eng}
	c, err := cluster.New(spec, eng, cluster.Options{BuildOutput: &build, OnFailure: w.hook()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{Cluster: c, t: t, eng: eng, name: spec.Name, cancel: cancel, result: make(chan error, 1)}
	go func() { r.result <- c.Run(ctx) }()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("nodes of %s:\n%s", spec.Name, r.state())
		}
		w.leave(c)
		cancel()
		err, ok := <-r.result
		if expected := r.fails && errors.As(err, new(*orchestrator.ClusterError)); ok && err != nil && !expected && !t.Failed() {
			t.Errorf("run of %s: %v", spec.Name, err)
		}
		if t.Failed() {
			t.Logf("events of %s:\n%s", spec.Name, r.history())
			t.Logf("image build:\n%s", build.String())
		}
		left, err := discovery.Find(context.Background(), eng, spec.Name)
		if !errors.Is(err, orchestrator.ErrNoCluster) {
			t.Errorf("left behind: %+v, %v", left.Nodes, err)
		}
		if r.made != "" {
			removeImage(t, r.made)
		}
	})
	return r
}

// up starts a cluster and waits until it is proven.
func up(t testing.TB, eng orchestrator.Engine, base string, nodes int, edit func(*orchestrator.Spec)) *running {
	t.Helper()
	r := run(t, eng, base, nodes, edit)
	r.ready()
	return r
}

// end waits for the result of Run, which the cleanup then does not expect.
func (r *running) end() error {
	r.t.Helper()
	select {
	case err := <-r.result:
		close(r.result)
		return err
	case <-time.After(2 * time.Minute):
		r.t.Fatal("Run does not end")
		return nil
	}
}

func (r *running) ready() {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if err := r.WaitReady(ctx); err != nil {
		r.t.Fatalf("not ready: %v", err)
	}
}

func (r *running) node(name string) orchestrator.NodeStatus {
	r.t.Helper()
	st, _ := r.Status(context.Background())
	n, ok := st.Node(name)
	if !ok {
		r.t.Fatalf("no node %s", name)
	}
	return n
}

// until polls a node until the condition holds.
func (r *running) until(name, what string, ok func(orchestrator.NodeStatus) bool) orchestrator.NodeStatus {
	r.t.Helper()
	var n orchestrator.NodeStatus
	eventually(r.t, name+" "+what, func() bool { n = r.node(name); return ok(n) })
	return n
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(90 * time.Second)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not in time: %s", what)
		}
	}
}

func (r *running) history() string {
	var b strings.Builder
	_ = r.Events(context.Background(), 0, false, func(e orchestrator.Event) error {
		fmt.Fprintf(&b, "%s %-6s %s\n", e.Time.Format("05.000"), e.Kind, e)
		return nil
	})
	return b.String()
}

// state is the status of each node, with the last lines that it printed.
func (r *running) state() string {
	var b strings.Builder
	st, err := r.Status(context.Background())
	if err != nil {
		return err.Error()
	}
	for _, n := range st.Nodes {
		fmt.Fprintf(&b, "%s %s %s, run %d of %s, sees %s\n", n.Name, n.State, n.Reason, n.Incarnation, n.ContainerID, n.Peers)
		_ = r.Logs(context.Background(), orchestrator.LogQuery{Nodes: []string{n.Name}, Tail: 15}, func(l orchestrator.Line) error {
			_, err := fmt.Fprintf(&b, "    %s %s\n", l.Time.Format("05.000"), l.Text)
			return err
		})
	}
	return b.String()
}

func (r *running) lines(q orchestrator.LogQuery) []string {
	r.t.Helper()
	var lines []string
	if err := r.Logs(context.Background(), q, func(l orchestrator.Line) error {
		lines = append(lines, l.Text)
		return nil
	}); err != nil {
		r.t.Fatal(err)
	}
	return lines
}

func (r *running) rpc(node, expression string) string {
	r.t.Helper()
	result, err := discovery.Eval(r.t.Context(), r.eng, r.name, node, expression, orchestrator.EvalOptions{})
	if err != nil {
		r.t.Fatalf("rpc %s %s: %v", node, expression, err)
	}
	return result
}

// call sends a request to the demo and decodes its JSON answer.
func call(t testing.TB, method, url string, into any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode/100 != 2 {
		t.Fatalf("%s %s: %s %q %v", method, url, resp.Status, body, err)
	}
	if into != nil {
		if err := json.Unmarshal(body, into); err != nil {
			t.Fatalf("%s %s: %q: %v", method, url, body, err)
		}
	}
}

// The main job: three connected nodes answer and share a counter. A killed node comes
// back with the same address, port and container. Nothing is left.
func mainJob(t *testing.T, r *running) {
	st, _ := r.Status(t.Context())
	if !st.Ready || !st.Supervised || len(st.Nodes) != 3 {
		t.Fatalf("status %+v", st)
	}
	for _, n := range st.Nodes {
		var answer struct{ Nodes []string }
		call(t, "GET", n.URL+"/nodes", &answer)
		if len(answer.Nodes) != 2 || slices.Contains(answer.Nodes, n.Node) {
			t.Errorf("%s/nodes: %v", n.URL, answer.Nodes)
		}
		if got := r.rpc(n.Name, "length(Node.list())"); got != "2" {
			t.Errorf("%s: Node.list() has %s", n.Name, got)
		}
	}
	for range 5 {
		call(t, "POST", st.Nodes[0].URL+"/counter", nil)
	}
	counted(t, st.Nodes, 5)

	before := r.node("n2")
	if err := r.Kill(t.Context(), "KILL", "n2"); err != nil {
		t.Fatal(err)
	}
	r.until("n2", "is restarted", func(n orchestrator.NodeStatus) bool {
		return n.State == orchestrator.Ready && n.Incarnation == 2
	})
	r.ready()
	after := r.node("n2")
	if after.RestartCount != 1 || after.IP != before.IP || after.URL != before.URL || after.ContainerID != before.ContainerID {
		t.Errorf("after the kill: %+v\nbefore: %+v", after, before)
	}
	if after.LastExit == nil || after.LastExit.Class != orchestrator.ExitKilled || after.LastExit.Code != 137 {
		t.Errorf("exit %+v", after.LastExit)
	}
	counted(t, st.Nodes, 5) // the peers kept the value
	lines := r.lines(orchestrator.LogQuery{Nodes: []string{"n2"}})
	boots := 0
	for _, l := range lines {
		if strings.Contains(l, "listening") {
			boots++
		}
	}
	if boots != 2 {
		t.Errorf("n2 printed its boot line %d times in:\n%s", boots, strings.Join(lines, "\n"))
	}
}

func counted(t testing.TB, nodes []orchestrator.NodeStatus, want int) {
	t.Helper()
	for _, n := range nodes {
		eventually(t, fmt.Sprintf("%s counts %d", n.Name, want), func() bool {
			var answer struct{ Value int }
			call(t, "GET", n.URL+"/counter", &answer)
			return answer.Value == want
		})
	}
}

// Nodes that use EPMD are found as well.
func TestEPMD(t *testing.T) {
	t.Parallel()
	r := up(t, engine(t), "trixie", 2, func(s *orchestrator.Spec) { s.Distribution.EPMD = true })
	if got := r.rpc("n1", `:net_adm.names()`); got != `{:ok, [{~c"app", 9100}]}` {
		t.Errorf("EPMD of n1: %s", got)
	}
}

// Actions from outside are judged by what the engine reports.
func fromOutside(t *testing.T, r *running) {
	n2, n3 := r.node("n2"), r.node("n3")
	cli := bareClient(t)
	outside := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("docker %s: %v", what, err)
		}
	}
	id := func(node string) string { return r.node(node).ContainerID }

	outside("stop", cli.ContainerStop(t.Context(), id("n1"), container.StopOptions{}))
	n := r.until("n1", "is stopped", func(n orchestrator.NodeStatus) bool { return n.State == orchestrator.Stopped })
	if n.LastExit.Class != orchestrator.ExitStoppedOutside {
		t.Errorf("docker stop: %+v", n.LastExit)
	}
	outside("kill", cli.ContainerKill(t.Context(), id("n2"), "KILL"))
	r.until("n2", "is restarted", func(n orchestrator.NodeStatus) bool {
		return n.State == orchestrator.Ready && n.RestartCount == n2.RestartCount+1 && n.LastExit.Class == orchestrator.ExitKilled
	})
	outside("restart", cli.ContainerRestart(t.Context(), id("n3"), container.StopOptions{}))
	r.until("n3", "runs again", func(n orchestrator.NodeStatus) bool {
		return n.State == orchestrator.Ready && n.Incarnation == n3.Incarnation+1
	})
	if got := r.node("n3").RestartCount; got != n3.RestartCount {
		t.Errorf("docker restart cost %d restarts", got-n3.RestartCount)
	}
	outside("start", cli.ContainerStart(t.Context(), id("n1"), container.StartOptions{}))
	r.ready()
	outside("pause", r.eng.PauseContainer(t.Context(), id("n2")))
	r.until("n2", "is degraded", func(n orchestrator.NodeStatus) bool { return n.State == orchestrator.Degraded && n.Reason == "paused" })
	outside("unpause", r.eng.UnpauseContainer(t.Context(), id("n2")))
	r.ready()
	outside("rm -f", cli.ContainerRemove(t.Context(), id("n3"), container.RemoveOptions{Force: true}))
	n = r.until("n3", "is gone", func(n orchestrator.NodeStatus) bool { return n.State == orchestrator.Stopped })
	if n.LastExit.Class != orchestrator.ExitRemoved || n.RestartCount != n3.RestartCount {
		t.Errorf("docker rm -f: %+v, %d restarts", n.LastExit, n.RestartCount)
	}
	if err := r.Start(t.Context(), "n3"); err != nil {
		t.Fatal(err)
	}
	r.ready()
}

// Intended stops cost no restart, and the node stays stopped. A stopped node keeps its
// address and port.
func stopStartRestart(t *testing.T, r *running) {
	before := r.node("n2")
	for range 2 { // idempotent
		if err := r.Stop(t.Context(), "n2"); err != nil {
			t.Fatal(err)
		}
	}
	if n := r.node("n2"); n.State != orchestrator.Stopped || n.LastExit.Class != orchestrator.ExitStopped {
		t.Errorf("stopped: %+v", n)
	}
	if got, want := r.rpc("n1", "Node.list()"), "[:\""+r.node("n3").Node+"\"]"; got != want {
		t.Errorf("n1 sees %s, want %s", got, want)
	}
	if err := r.Start(t.Context(), "n2"); err != nil {
		t.Fatal(err)
	}
	r.ready()
	if err := r.Restart(t.Context(), "n1", "n2"); err != nil {
		t.Fatal(err)
	}
	r.ready()
	after := r.node("n2")
	if after.RestartCount != before.RestartCount || after.Incarnation != before.Incarnation+2 || after.IP != before.IP || after.URL != before.URL {
		t.Errorf("after: %+v\nbefore: %+v", after, before)
	}
	err := r.Stop(t.Context(), "n9")
	if !errors.Is(err, orchestrator.ErrNoNode) {
		t.Errorf("unknown node: %v", err)
	}
}

// A supervisor that ends leaves a detached cluster running. The next one adopts it
// without touching a node.
func adoption(t *testing.T, r *running) {
	eng := r.eng
	before, _ := r.Status(t.Context())
	r.cancel()
	if err := r.end(); err != nil {
		t.Fatal(err)
	}
	f, err := discovery.Find(t.Context(), eng, r.name)
	if err != nil || len(f.Nodes) != 3 || f.Supervised {
		t.Fatalf("unsupervised: %+v, %v", f, err)
	}
	squeeze := r.inject(fault.Fault{Kind: fault.KindSqueeze, Nodes: []string{"n3"}, Limits: fault.Limits{CPUs: 0.5}}, time.Second)
	cpus := func() float64 {
		n3, err := eng.InspectContainer(t.Context(), before.Nodes[2].ContainerID)
		if err != nil {
			t.Fatal(err)
		}
		return n3.Limits.CPUs
	}
	eventually(t, "nobody ends a squeeze", func() bool { return time.Now().After(squeeze.End) && cpus() == 0.5 })
	c, err := cluster.New(f.Spec, eng, cluster.Options{Adopt: true})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- c.Run(context.Background()) }()
	if err := c.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	after, _ := c.Status(t.Context())
	for i, n := range after.Nodes {
		b := before.Nodes[i]
		if n.ContainerID != b.ContainerID || n.IP != b.IP || n.URL != b.URL || n.RestartCount != 0 {
			t.Errorf("adopted %+v\nbefore %+v", n, b)
		}
	}
	eventually(t, "the adopted n3 has its limits again", func() bool { return cpus() != 0.5 })
	if err := c.Kill(t.Context(), "KILL", "n1"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the adopted n1 is restarted", func() bool {
		st, _ := c.Status(t.Context())
		return st.Ready && st.Nodes[0].RestartCount == 1
	})
	if err := c.Down(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// If two `up` use one name at once, one wins and the other reports it.
func TestTwoOfOneName(t *testing.T) {
	t.Parallel()
	eng := engine(t)
	name := fmt.Sprintf("t%08x", rand.Uint32())
	same := func(s *orchestrator.Spec) { s.Name = name }
	a, b := run(t, eng, "trixie", 1, same), run(t, eng, "trixie", 1, same)
	var winner, loser *running
	select {
	case err := <-a.result:
		close(a.result)
		winner, loser = b, a
		if !errors.Is(err, orchestrator.ErrClusterExists) {
			t.Errorf("the loser returned %v", err)
		}
	case err := <-b.result:
		close(b.result)
		winner, loser = a, b
		if !errors.Is(err, orchestrator.ErrClusterExists) {
			t.Errorf("the loser returned %v", err)
		}
	case <-time.After(time.Minute):
		t.Fatal("both clusters run")
	}
	_ = loser
	winner.ready()
	if err := winner.Down(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := winner.end(); err != nil {
		t.Fatal(err)
	}
}

// processImage returns the image of package contract, which is removed with the test.
func processImage(t *testing.T, eng orchestrator.Engine) (id, ref string) {
	t.Helper()
	id, ref = contract.Image(t, eng)
	t.Cleanup(func() { removeImage(t, ref) })
	return id, ref
}
