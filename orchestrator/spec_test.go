package orchestrator

import (
	"encoding/json"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/beamyard/beamyard/orchestrator/health"
)

func validSpec() Spec {
	return Spec{Name: "shop", Image: "shop:1", Nodes: NodeNames(3)}
}

func TestValidate(t *testing.T) {
	tests := []struct {
		name   string
		edit   func(*Spec)
		fields string // that have a problem, in order
	}{
		{"the least there is", func(*Spec) {}, ""},
		{"everything", func(s *Spec) {
			s.HTTPPort, s.HTTPCheck, s.NetTick, s.Memory, s.CPUs = 8080, "/health", 8*time.Second, 256<<20, 1.5
			s.Nodes[0].Ports = []PortSpec{{Container: 9090, Host: 9190}}
			s.Env, s.Pool = map[string]string{"A_1": "x"}, netip.MustParsePrefix("10.99.0.0/24")
		}, ""},
		{"no name", func(s *Spec) { s.Name = "" }, "name"},
		{"an undotted, illegal name", func(s *Spec) { s.Name, s.Nodes[1].Name = "My Shop", "n_2" }, "name nodes[1].name"},
		{"a base that is none", func(s *Spec) { s.Basename, s.Domain = "a b", "-" }, "basename domain"},
		{"nothing to run", func(s *Spec) { s.Image = "" }, "source"},
		{"no node", func(s *Spec) { s.Nodes = nil }, "nodes"},
		{"51 nodes", func(s *Spec) { s.Nodes = NodeNames(51) }, "nodes"},
		{"51 nodes that are wanted", func(s *Spec) { s.Nodes, s.MaxNodes = NodeNames(51), 60 }, ""},
		{"two nodes of one name", func(s *Spec) { s.Nodes[2].Name = "n1" }, "nodes[2].name"},
		{"a cookie with a quote", func(s *Spec) { s.Cookie = `a"b` }, "cookie"},
		{"no such port", func(s *Spec) { s.HTTPPort, s.HostPort, s.Distribution.Port = 70000, -2, -1 }, "distribution.port host_port http_port"},
		{"no HTTP port on purpose", func(s *Spec) { s.HTTPPort = -1 }, ""},
		{"one port for two", func(s *Spec) { s.Distribution.Port = 4000 }, "distribution.port"},
		{"a host port twice", func(s *Spec) { s.Nodes[0].HostPort, s.Nodes[1].HostPort = 4300, 4300 }, "nodes[1].host_port"},
		{"a port published twice", func(s *Spec) { s.Nodes[0].Ports = []PortSpec{{Container: 4000}, {Container: 9}, {Container: 9}} },
			"nodes[0].ports[0].container nodes[0].ports[2].container"},
		{"a check that is no path", func(s *Spec) { s.HTTPCheck = "health" }, "http_check"},
		{"checks of its own", func(s *Spec) {
			s.Checks = []Check{{HTTP: "/live"}, {Name: "db", RPC: "ready?()", Expect: "true"}, {Exec: []string{"true"}, Nodes: []string{"n2"}}}
			s.Health = health.Thresholds{Memory: 0.5, RoundTrip: time.Second}
		}, ""},
		{"checks that are none, or two at once", func(s *Spec) {
			s.Checks = []Check{{Name: "a"}, {Name: "b", HTTP: "/", RPC: "1"}}
		}, "checks[0] checks[1]"},
		{"checks that cannot be done", func(s *Spec) {
			s.HTTPPort = -1
			s.Checks = []Check{{HTTP: "/"}, {Exec: []string{"true"}, Expect: "1", Timeout: -1, Nodes: []string{"n9"}}}
		}, "checks[0].http checks[1].expect checks[1].nodes checks[1].timeout"},
		{"a check by no path, a name twice", func(s *Spec) {
			s.Checks = []Check{{Name: "a", HTTP: "live"}, {Name: "a", RPC: "1"}}
		}, "checks[0].http checks[1].name"},
		{"thresholds out of range", func(s *Spec) { s.Health = health.Thresholds{Memory: 90, RunQueue: -1} }, "health.memory health.run_queue"},
		{"a release by name", func(s *Spec) { s.Release, s.ReleaseName = true, "web" }, ""},
		{"the name of no release", func(s *Spec) { s.ReleaseName = "web" }, "release_name"},
		{"a name that is none of a release", func(s *Spec) { s.Release, s.ReleaseName = true, "x; rm" }, "release_name"},
		{"a pool that is too small", func(s *Spec) { s.Pool = netip.MustParsePrefix("10.0.0.0/27") }, "pool"},
		{"a pool of the other family", func(s *Spec) { s.Pool = netip.MustParsePrefix("fd00::/8") }, "pool"},
		{"times that are none", func(s *Spec) { s.StopGrace, s.NetTick = -1, 1500*time.Millisecond }, "net_tick stop_grace"},
		{"modes that are none", func(s *Spec) { s.Mesh, s.Restart.Mode = "full", "sometimes" }, "mesh restart.mode"},
		{"too little memory", func(s *Spec) { s.Memory, s.CPUs, s.OutputLines = 1<<20, -1, -1 }, "cpus memory output_lines"},
		{"variables that are none", func(s *Spec) {
			s.Env, s.Nodes[0].Env = map[string]string{"A-B": ""}, map[string]string{"": "x"}
		}, "env nodes[0].env"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := validSpec()
			tt.edit(&s)
			err := s.Validate()
			if tt.fields == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			var invalid *SpecError
			if !errors.As(err, &invalid) || !errors.Is(err, ErrInvalidSpec) {
				t.Fatalf("no SpecError: %v", err)
			}
			var fields []string
			for _, p := range invalid.Problems {
				fields = append(fields, p.Field)
				if p.Text == "" || p.Hint == "" {
					t.Errorf("%s: %q, hint %q", p.Field, p.Text, p.Hint)
				}
				if !strings.Contains(err.Error(), p.Text) || !strings.Contains(invalid.Hint(), p.Hint) {
					t.Errorf("%s is not told", p.Field)
				}
			}
			if got := strings.Join(fields, " "); got != tt.fields {
				t.Errorf("problems with %q, want %q", got, tt.fields)
			}
		})
	}
}

// A spec travels through a label, and is the same on the other side.
func TestSpecTravels(t *testing.T) {
	s := validSpec()
	s.Env, s.Owner = map[string]string{"A": "1"}, Self(true)
	s = s.Defaulted()
	labels := networkLabels(s, time.Unix(1, 2))
	got, err := specOf(labels)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(s, got, cmpopts.EquateEmpty(), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
		t.Errorf("spec (-sent +got):\n%s", diff)
	}
	if diff := s.Diff(got); len(diff) != 0 {
		t.Errorf("differs in %v", diff)
	}
	if !createdOf(labels).Equal(time.Unix(1, 2)) || ownerOf(labels) != s.Owner {
		t.Errorf("labels %v", labels)
	}
	if _, err := specOf(map[string]string{LabelSpec: "{"}); err == nil {
		t.Error("a broken label is read")
	}
}

func TestDiff(t *testing.T) {
	a, b := validSpec(), validSpec()
	b.Cookie, b.Owner, b.Source, b.Env, b.HTTPPort = "other", Self(false), "elsewhere", map[string]string{}, DefaultHTTPPort
	if diff := a.Diff(b); len(diff) != 0 { // by nature, or by default
		t.Errorf("differ in %v", diff)
	}
	b.Image, b.Nodes, b.Restart.Max = "shop:2", NodeNames(4), 7
	if diff := a.Diff(b); !slices.Equal(diff, []string{"image", "nodes", "restart"}) {
		t.Errorf("differ in %v", diff)
	}
}

func TestContainerSpec(t *testing.T) {
	s := validSpec()
	s.Cookie, s.Precompiled, s.NetTick = "crumb", true, 8*time.Second
	s.Env = map[string]string{"POOL": "5", "ERL_AFLAGS": "-kernel shell_history enabled"}
	s.Nodes[1].Env = map[string]string{"POOL": "9"}
	s = s.Defaulted()
	c := containerSpec(s, 1, "net1", placement{ip: netip.MustParseAddr("10.213.0.3")}, time.Unix(1, 0))
	if c.Name != "beamyard-shop-n2" || c.Hostname != "n2.shop.test" || !slices.Contains(c.Aliases, "n2.shop.test") ||
		c.IP.String() != "10.213.0.3" || c.NetworkID != "net1" || c.StopTimeout != DefaultStopGrace || c.NoFile != noFile {
		t.Errorf("%+v", c)
	}
	want := []string{
		"elixir", "--name", "app@n2.shop.test", "--erl",
		"-start_epmd false -erl_epmd_port 9100 -kernel net_ticktime 8 +sbwt none +sbwtdcpu none +sbwtdio none +Q 65536",
		"-S", "mix", "run", "--no-halt", "--no-compile", "--no-deps-check",
	}
	if diff := cmp.Diff(want, c.Command); diff != "" {
		t.Errorf("command (-want +got):\n%s", diff)
	}
	wantEnv := []string{
		"ERLANG_COOKIE=crumb", "ERL_AFLAGS=-setcookie crumb -kernel shell_history enabled", "ERL_CRASH_DUMP=/tmp/erl_crash.dump",
		"ERL_CRASH_DUMP_SECONDS=10", "LANG=C.UTF-8", "MIX_ENV=dev", "NODE_NAME=app@n2.shop.test", "PHX_PORT=4000", "PHX_SERVER=true",
		"POOL=9", "PORT=4000", "RELEASE_COOKIE=crumb", "RELEASE_DISTRIBUTION=name", "RELEASE_NODE=app@n2.shop.test",
		"SHELL=/bin/sh", "TEST_HTTP_PORT=4000",
	}
	if diff := cmp.Diff(wantEnv, c.Env); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
	s.Command = []string{"run", "{node}", "{host}:{dist_port}", "{name}"}
	if got := nodeCommand(s, 0); !slices.Equal(got, []string{"run", "app@n1.shop.test", "n1.shop.test:9100", "n1"}) {
		t.Errorf("own command %q", got)
	}
	s.HTTPPort = -1
	if env := nodeEnv(s, 0); slices.ContainsFunc(env, func(kv string) bool { return strings.HasPrefix(kv, "PORT=") }) {
		t.Errorf("PORT though there is none: %q", env)
	}
}

func TestRedactor(t *testing.T) {
	s := validSpec()
	s.Cookie, s.Secrets = "crumbcrumb", []string{"TOKEN"}
	s.Env = map[string]string{"TOKEN": "hunter22", "OPEN": "visible"}
	s.Nodes[0].Env = map[string]string{"TOKEN": "another1"}
	got := redactor(s).Replace("crumbcrumb hunter22 another1 visible")
	if got != "[secret] [secret] [secret] visible" {
		t.Error(got)
	}
}

func TestOwner(t *testing.T) {
	self := Self(false)
	if alive, known := self.Alive(); !alive || !known {
		t.Errorf("this process: alive %t, known %t", alive, known)
	}
	other := self
	other.Start += "0" // the pid was given to another process since
	if alive, known := other.Alive(); alive || !known {
		t.Errorf("an earlier process: alive %t, known %t", alive, known)
	}
	other = self
	other.Host = "elsewhere"
	if _, known := other.Alive(); known {
		t.Error("another machine is known")
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	err := error(&ClusterError{Cluster: "shop", Kind: ErrNodeFailed, Problems: []NodeProblem{
		{Node: "n1", State: Failed, Reason: "boom", Hint: "look", Output: []string{"stderr: boom"}},
		{Node: "n2", State: Failed, Reason: "boom", Hint: "look"},
	}})
	want := "cluster shop: a node failed\n  n1 (failed): boom\n    | stderr: boom\n  n2 (failed): boom"
	if err.Error() != want || hintOf(err) != "look" || !errors.Is(err, ErrNodeFailed) {
		t.Errorf("%v, hint %q", err, hintOf(err))
	}
	if WithHint(nil, "x") != nil {
		t.Error("a hint makes an error")
	}
	if text, err := json.Marshal(NodeStatus{Name: "n1", State: Ready}); err != nil || strings.Contains(string(text), "started_at") {
		t.Errorf("%s, %v", text, err)
	}
}
