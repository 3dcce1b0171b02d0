package testsupport

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/moby/api/types/container"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/log"
	"github.com/testcontainers/testcontainers-go/network"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/cluster"
)

type options = []testcontainers.ContainerCustomizer

// planned applies options to a source without a file.
func planned(t *testing.T, opts options) (plan, error) {
	t.Helper()
	s, err := settle("shop:1", "", opts)
	if err != nil {
		return plan{}, err
	}
	return s.plan()
}

func TestOptionsAreCarriedOver(t *testing.T) {
	env := func(key, value string) testcontainers.ContainerCustomizer {
		return testcontainers.WithEnv(map[string]string{key: value})
	}
	for name, c := range map[string]struct {
		opts options
		of   func(orchestrator.Spec) any
		want any
	}{
		"three nodes by default":  {nil, func(s orchestrator.Spec) any { return len(s.Nodes) }, 3},
		"no restarts":             {nil, func(s orchestrator.Spec) any { return s.Restart.Mode }, orchestrator.RestartNo},
		"each node on its own":    {nil, func(s orchestrator.Spec) any { return s.OnFailed }, orchestrator.FailedKeep},
		"restarts on request":     {options{WithRestart(orchestrator.RestartPolicy{Max: 2})}, func(s orchestrator.Spec) any { return s.Restart }, orchestrator.RestartPolicy{Max: 2}},
		"the last of two":         {options{WithNodes(2), WithNodes(4)}, func(s orchestrator.Spec) any { return len(s.Nodes) }, 4},
		"named nodes are all":     {options{WithNode("a"), WithNode("b")}, func(s orchestrator.Spec) any { return len(s.Nodes) }, 2},
		"one more":                {options{WithNodes(2), WithNode("a")}, func(s orchestrator.Spec) any { return s.Nodes[2].Name }, "a"},
		"their environment":       {options{WithEnv("A", "1"), env("A", "2"), env("B", "3")}, func(s orchestrator.Spec) any { return s.Env }, map[string]string{"A": "2", "B": "3"}},
		"a node's environment":    {options{env("A", "1"), WithNodes(1), WithNode("n1", env("A", "2"))}, func(s orchestrator.Spec) any { return s.Nodes[0].Env }, map[string]string{"A": "2"}},
		"a node's image":          {options{WithNodes(1), WithNode("n1", testcontainers.WithImage("other:2"))}, func(s orchestrator.Spec) any { return s.Nodes[0].Image }, "other:2"},
		"an image for all":        {options{testcontainers.WithImage("other:2")}, func(s orchestrator.Spec) any { return []string{s.Image, s.Source} }, []string{"other:2", ""}},
		"a command":               {options{testcontainers.WithCmd("run", "it")}, func(s orchestrator.Spec) any { return s.Command }, []string{"run", "it"}},
		"an entrypoint":           {options{testcontainers.WithEntrypoint("/init")}, func(s orchestrator.Spec) any { return s.Entrypoint }, []string{"/init"}},
		"labels":                  {options{testcontainers.WithLabels(map[string]string{"a": "b"})}, func(s orchestrator.Spec) any { return s.Labels }, map[string]string{"a": "b"}},
		"ports in each notation":  {options{WithNodes(1), testcontainers.WithExposedPorts("80", "81/tcp", "1082:82")}, func(s orchestrator.Spec) any { return s.Nodes[0].Ports }, []orchestrator.PortSpec{{Container: 80}, {Container: 81}, {Container: 82, Host: 1082}}},
		"the HTTP port, once":     {options{WithNodes(1), testcontainers.WithExposedPorts("4000/tcp")}, func(s orchestrator.Spec) any { return len(s.Nodes[0].Ports) }, 0},
		"networks":                {options{network.WithNetworkName([]string{"web"}, "front")}, func(s orchestrator.Spec) any { return s.Networks }, map[string][]string{"front": {"web"}}},
		"our network":             {options{WithNetwork(&testcontainers.DockerNetwork{Name: "front"}, "web")}, func(s orchestrator.Spec) any { return s.Networks }, map[string][]string{"front": {"web"}}},
		"named volumes":           {options{testcontainers.WithMounts(testcontainers.VolumeMount("data", "/data"))}, func(s orchestrator.Spec) any { return s.Volumes }, map[string]string{"data": "/data"}},
		"memory":                  {options{testcontainers.WithHostConfigModifier(func(h *container.HostConfig) { h.Memory, h.NanoCPUs = 1<<20, 5e8 })}, func(s orchestrator.Spec) any { return []any{s.Memory, s.CPUs} }, []any{int64(1 << 20), 0.5}},
		"what the engine's has":   {options{testcontainers.WithConfigModifier(func(c *container.Config) { c.User, c.Env = "app", []string{"K=V=W"} })}, func(s orchestrator.Spec) any { return []any{s.User, s.Env} }, []any{"app", map[string]string{"K": "V=W"}}},
		"anything else":           {options{WithSpec(func(s *orchestrator.Spec) { s.App = "shop" })}, func(s orchestrator.Spec) any { return s.App }, "shop"},
		"a secret":                {options{WithSecret("K", "v")}, func(s orchestrator.Spec) any { return []any{s.Env, s.Secrets} }, []any{map[string]string{"K": "v"}, []string{"K"}}},
		"overlapping, on request": {options{WithOverlappingPartitions()}, func(s orchestrator.Spec) any { return s.Distribution.OverlappingPartitions }, true},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := planned(t, c.opts)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, c.of(p.spec)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestUnsupportedFieldsAreRefusedByName(t *testing.T) {
	for want, opt := range map[string]testcontainers.ContainerCustomizer{
		"FromDockerfile of the container request is not carried over to a node: give the folder":        testcontainers.WithDockerfile(testcontainers.FromDockerfile{Context: "."}),
		"Name of the container request is not carried over to a node: a node's container":               testcontainers.WithName("mine"),
		"Reuse of the container request is not carried over to a node: use testsupport.Shared":          testcontainers.WithReuseByName("mine"),
		"Started of the container request":                                                              testcontainers.WithNoStart(),
		"Tmpfs of the container request":                                                                testcontainers.WithTmpfs(map[string]string{"/t": ""}),
		"HostAccessPorts of the container request":                                                      testcontainers.WithHostPortAccess(80),
		"the field CapAdd of the HostConfig":                                                            testcontainers.WithHostConfigModifier(func(h *container.HostConfig) { h.CapAdd = []string{"ALL"} }),
		"the field PidsLimit of the HostConfig":                                                         testcontainers.WithHostConfigModifier(func(h *container.HostConfig) { n := int64(9); h.PidsLimit = &n }),
		"the field WorkingDir of the container's Config":                                                testcontainers.WithConfigModifier(func(c *container.Config) { c.WorkingDir = "/" }),
		"label org.testcontainers.mine: these are":                                                      testcontainers.WithLabels(map[string]string{"org.testcontainers.mine": "1"}),
		`exposed port "53/udp": only TCP`:                                                               testcontainers.WithExposedPorts("53/udp"),
		`exposed port "x:80": x is not a port`:                                                          testcontainers.WithExposedPorts("x:80"),
		"the hooks PreStops: only PostStarts and PostReadies":                                           testcontainers.WithLifecycleHooks(testcontainers.ContainerLifecycleHooks{PreStops: []testcontainers.ContainerHook{func(context.Context, testcontainers.Container) error { return nil }}}),
		"options of n1 that a cluster cannot follow:\nTmpfs of":                                         WithNode("n1", testcontainers.WithTmpfs(map[string]string{"/t": ""})),
		`labels are the cluster's: give them beside WithNode`:                                           WithNode("n1", testcontainers.WithLabels(map[string]string{"a": "b"})),
		"a setting of the whole cluster cannot be a node's":                                             WithNode("n1", WithCookie("c")),
		"LogConsumerCfg.Opts of the container request is not carried over to a node: the consumers get": testcontainers.WithLogConsumerConfig(&testcontainers.LogConsumerConfig{Opts: []testcontainers.LogProductionOption{testcontainers.WithLogProductionTimeout(1)}}),
		"Logger of the container request":                                                               testcontainers.WithLogger(log.Default()),
		"ProviderType of the container request":                                                         testcontainers.WithProvider(testcontainers.ProviderDocker),
		"NetworkAliases[elsewhere] of the container request":                                            testcontainers.CustomizeRequest(testcontainers.GenericContainerRequest{ContainerRequest: testcontainers.ContainerRequest{NetworkAliases: map[string][]string{"elsewhere": {"x"}}}}),
		"give it beside WithNode":                                                                       WithNode("n1", WithFreshApplication()),
		"WithNetwork: there is no network":                                                              WithNetwork(nil),
	} {
		t.Run(want, func(t *testing.T) {
			if _, err := planned(t, options{opt}); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestANodeThatALaterOptionDropsIsReported(t *testing.T) {
	_, err := planned(t, options{WithNode("web", testcontainers.WithCmd("x")), WithNodes(2)})
	if err == nil || !strings.Contains(err.Error(), `WithNode("web")`) {
		t.Error(err)
	}
	if _, err := planned(t, options{WithNode("n1", testcontainers.WithCmd("x")), WithNodes(2)}); err != nil {
		t.Error(err)
	}
}

func TestNamesAreUniqueAndLegal(t *testing.T) {
	for _, base := range []string{"shop", "", "TestAVeryLongNameOfATest/with a subtest, and more"} {
		a, b := unique(base), unique(base)
		if a == b || len(a) > 30 || !strings.Contains(a, "-") {
			t.Errorf("%q, %q", a, b)
		}
		if _, err := cluster.New(orchestrator.Spec{Name: a, Image: "x", Nodes: orchestrator.NodeNames(1)}, nil, cluster.Options{}); err != nil {
			t.Error(err)
		}
	}
}
