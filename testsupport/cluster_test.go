package testsupport_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/exec"
	"github.com/testcontainers/testcontainers-go/network"
	"github.com/testcontainers/testcontainers-go/wait"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/discovery"
	"github.com/beamyard/beamyard/testsupport"
	beam "github.com/beamyard/beamyard/testsupport/wait"
)

// inNetworkOf attaches a container to a cluster's network.
func inNetworkOf(c *testsupport.Cluster, aliases ...string) testcontainers.ContainerCustomizer {
	return network.WithNetwork(aliases, c.Network())
}

// heard is a log consumer.
type heard struct {
	mu   sync.Mutex
	text strings.Builder
}

func (h *heard) Accept(l testcontainers.Log) {
	h.mu.Lock()
	defer h.mu.Unlock()
	fmt.Fprintf(&h.text, "%s: %s", l.LogType, l.Content)
}

func (h *heard) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.text.String()
}

// TestNodesAreContainers checks that a node behaves like a container of testcontainers.
func TestNodesAreContainers(t *testing.T) {
	t.Parallel()
	testsupport.NoLeaks(t)
	ctx := t.Context()
	said := &heard{}
	var started sync.Map
	c := testsupport.Start(t, demo,
		testsupport.WithNodes(3),
		testsupport.WithEnv("FROM", "ours"),
		testcontainers.WithEnv(map[string]string{"FROM": "theirs", "MORE": "yes"}),
		testcontainers.WithExposedPorts("9568/tcp"),
		testcontainers.WithFiles(testcontainers.ContainerFile{Reader: strings.NewReader("hello"), ContainerFilePath: "/tmp/greeting", FileMode: 0o640}),
		testcontainers.WithLogConsumers(said),
		testcontainers.WithHostConfigModifier(func(h *container.HostConfig) { h.Memory = 512 << 20 }),
		testcontainers.WithWaitStrategy(beam.ForMesh(3), beam.ForApplication("demo"), wait.ForLog("listening on"), wait.ForHTTP("/health").WithPort("4000/tcp")),
		testcontainers.WithAdditionalLifecycleHooks(testcontainers.ContainerLifecycleHooks{
			PostReadies: []testcontainers.ContainerHook{func(_ context.Context, ctr testcontainers.Container) error {
				started.Store(ctr.GetContainerID(), true)
				return nil
			}},
		}),
		testsupport.WithNode("n3", testcontainers.WithEnv(map[string]string{"FROM": "n3"})),
	)
	n1 := c.Node("n1")

	for node, from := range map[string]string{"n1": "theirs", "n3": "n3"} {
		if got, err := testsupport.RPC[string](ctx, c.Node(node), "System", "get_env", "FROM"); err != nil || got != from {
			t.Errorf("%s has FROM=%s, %v", node, got, err)
		}
		if _, ok := started.Load(c.Node(node).GetContainerID()); !ok {
			t.Errorf("the hook was not called for %s", node)
		}
	}
	code, out, err := n1.Exec(ctx, []string{"sh", "-c", "cat /tmp/greeting; stat -c ' %a' /tmp/greeting; echo $MORE"}, exec.Multiplexed())
	if err != nil {
		t.Fatal(err)
	}
	if text, _ := io.ReadAll(out); code != 0 || string(text) != "hello 640\nyes\n" {
		t.Errorf("exit code %d: %q", code, text)
	}
	if err := n1.CopyToContainer(ctx, []byte("to"), "/tmp/copied", 0o644); err != nil {
		t.Error(err)
	}
	back, err := n1.CopyFileFromContainer(ctx, "/tmp/copied")
	if err != nil {
		t.Fatal(err)
	}
	if text, _ := io.ReadAll(back); string(text) != "to" {
		t.Errorf("copied %q", text)
	}
	endpoint, err := n1.PortEndpoint(ctx, "4000/tcp", "http")
	if err != nil || endpoint != n1.URL() {
		t.Errorf("endpoint %s, URL %s, %v", endpoint, n1.URL(), err)
	}
	if port, err := n1.MappedPort(ctx, "9568/tcp"); err != nil || port.Num() == 0 {
		t.Errorf("port 9568 is at %s, %v", port, err)
	}
	if body, err := get(ctx, endpoint+"/health"); err != nil || !strings.Contains(body, n1.BEAM()) {
		t.Errorf("%s, %v", body, err)
	}
	if st, err := n1.State(ctx); err != nil || !st.Running || !n1.IsRunning() {
		t.Errorf("%+v, %v", st, err)
	}
	if in, err := n1.Inspect(ctx); err != nil || in.HostConfig.Memory != 512<<20 || in.Config.Labels["org.testcontainers.sessionId"] != n1.SessionID() {
		t.Errorf("%v, %v", in, err)
	}
	if ip, err := n1.ContainerIP(ctx); err != nil || ip != n1.Status().IP.String() {
		t.Errorf("address %s, %v", ip, err)
	}
	logs, err := n1.Logs(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if text, _ := io.ReadAll(logs); !bytes.Contains(text, []byte("listening on 4000")) {
		t.Errorf("logs: %s", text)
	}
	c.Output("n2").RequireLine(t, `listening on \d+`)
	testsupport.Eventually(t, func() error {
		if strings.Count(said.String(), "STDOUT: demo app@") != 3 {
			return errors.New(said.String())
		}
		return nil
	})
	if err := beam.ForRPC(beam.MFA{Module: "Demo.Counter", Function: "value"}, nil).WaitUntilReady(ctx, n1); err != nil {
		t.Error(err)
	}
	if events := c.Events(); len(events) == 0 || events[len(events)-1].Text == "" {
		t.Errorf("%d events", len(events))
	}
	if _, _, err := c.Node("n9").Exec(ctx, []string{"true"}); !errors.Is(err, orchestrator.ErrNoNode) {
		t.Errorf("n9: %v", err)
	}
	if err := n1.Stop(ctx, nil); err != nil {
		t.Error(err)
	}
	if n1.IsRunning() || n1.Status().State != orchestrator.Stopped {
		t.Errorf("n1 is %s", n1.Status().State)
	}
	if err := n1.Start(ctx); err != nil {
		t.Error(err)
	}
	if err := c.WaitMesh(ctx); err != nil {
		t.Error(err)
	}
}

// TestNetworksBothWays attaches a container of testcontainers to the cluster's network,
// and the nodes to a network of testcontainers. It is not parallel: NoLeaks of another test
// cannot know whose network it is.
func TestNetworksBothWays(t *testing.T) {
	testsupport.NoLeaks(t)
	ctx := t.Context()
	nw, err := network.New(ctx)
	testcontainers.CleanupNetwork(t, nw)
	if err != nil {
		t.Fatal(err)
	}
	c := testsupport.Start(t, demo, testsupport.WithNodes(1), testsupport.WithNetwork(nw, "shop"))
	image := c.Status().Image
	serve := testcontainers.WithCmd("elixir", "-e", `{:ok, s} = :gen_tcp.listen(80, active: false, reuseaddr: true); IO.puts("up"); {:ok, c} = :gen_tcp.accept(s); :gen_tcp.send(c, "hi"); :gen_tcp.close(c); Process.sleep(:infinity)`)
	there, err := testcontainers.Run(ctx, image, network.WithNetwork([]string{"mock"}, nw), serve, testcontainers.WithWaitStrategy(wait.ForLog("up")))
	testcontainers.CleanupContainer(t, there, testcontainers.StopTimeout(0))
	if err != nil {
		t.Fatal(err)
	}
	here, err := testcontainers.Run(ctx, image, inNetworkOf(c, "guest"), testcontainers.WithCmd("sleep", "600"))
	testcontainers.CleanupContainer(t, here, testcontainers.StopTimeout(0))
	if err != nil {
		t.Fatal(err)
	}
	// A node reaches a container by its alias, in either network …
	said, err := c.Node("n1").Eval(ctx, `{ok, S} = gen_tcp:connect("mock", 80, [{active, false}]), {ok, T} = gen_tcp:recv(S, 0, 5000), T.`, nil)
	if err != nil || fmt.Sprint(said) != fmt.Sprint([]any{int64('h'), int64('i')}) {
		t.Errorf("the mock answered %v, %v", said, err)
	}
	if _, err := c.Node("n1").Eval(ctx, `{ok, _} = inet:getaddr("guest", inet).`, nil); err != nil {
		t.Error(err)
	}
	// … and the containers reach it by its host name, or by its alias.
	fetch := func(ctr testcontainers.Container, host string) {
		t.Helper()
		code, out, err := ctr.Exec(ctx, []string{"elixir", "-e", fmt.Sprintf(`{:ok, _} = :gen_tcp.connect(~c"%s", 4000, [])`, host)}, exec.Multiplexed())
		if err != nil {
			t.Fatal(err)
		}
		if text, _ := io.ReadAll(out); code != 0 {
			t.Errorf("%s: %s", host, text)
		}
	}
	fetch(there, "shop")
	fetch(here, c.Node("n1").Status().Host)
}

func TestWithEndsItsCluster(t *testing.T) {
	t.Parallel()
	var name string
	testsupport.With(t, demo, []testcontainers.ContainerCustomizer{testsupport.WithNodes(1)}, func(c *testsupport.Cluster) {
		name = c.Name()
		if c.Status().Nodes[0].State != orchestrator.Ready {
			t.Errorf("%+v", c.Status())
		}
	})
	if _, err := discovery.Find(t.Context(), engine(t), name); !errors.Is(err, orchestrator.ErrNoCluster) {
		t.Errorf("%s still exists: %v", name, err)
	}
}

// TestAFailedStart checks that each failed start returns a cluster that can be
// removed.
func TestAFailedStart(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		source string
		opts   []testcontainers.ContainerCustomizer
		want   string
	}{
		"no source":        {"", nil, "there is no source"},
		"no nodes":         {demo, []testcontainers.ContainerCustomizer{testsupport.WithNodes(0)}, "at least one node"},
		"a bad node name":  {demo, []testcontainers.ContainerCustomizer{testsupport.WithNode("N_1")}, `node name "N_1"`},
		"cannot follow":    {demo, []testcontainers.ContainerCustomizer{testcontainers.WithTmpfs(map[string]string{"/t": ""})}, "Tmpfs of the container request is not carried over"},
		"an unknown image": {"beamyard/there-is-none:1", []testcontainers.ContainerCustomizer{testsupport.WithNodes(1)}, "beamyard/there-is-none:1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster, err := testsupport.Run(t.Context(), c.source, c.opts...)
			testsupport.CleanupCluster(t, cluster)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v", err)
			}
			if cluster == nil {
				t.Fatal("there is no cluster to clean up")
			}
			if _, err := cluster.Node("n1").State(t.Context()); err == nil {
				t.Error("its node has a state")
			}
			if err := cluster.WaitMesh(t.Context()); err == nil {
				t.Error("its nodes are connected")
			}
		})
	}
}

func get(ctx context.Context, url string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return string(body), err
}
