package orchestrator

import (
	"encoding/json"
	"errors"
	"fmt"
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
		{"an order", func(s *Spec) { s.Nodes[1].After, s.Nodes[2].After = []string{"n1"}, []string{"n1", "n2"} }, ""},
		{"an order of strangers", func(s *Spec) { s.Nodes[1].After = []string{"n9", "n1", "n1"} }, "nodes[1].after nodes[1].after"},
		{"what an image of its own runs, beside a release", func(s *Spec) {
			s.Release, s.Nodes[0].Image, s.Nodes[0].Command = true, "db:1", []string{CommandOfImage}
		}, ""},
		{"what the cluster's image runs, at a node of a release", func(s *Spec) {
			s.Release, s.Nodes[0].Command = true, []string{CommandOfImage}
		}, "nodes[0].command"},
		{"an order of roles", func(s *Spec) { s.Nodes[1].Role, s.Nodes[2].Role, s.Nodes[0].After = "db", "db", []string{"db"} }, ""},
		{"a role before itself", func(s *Spec) {
			s.Nodes[1].Role, s.Nodes[2].Role = "db", "db"
			s.Nodes[1].After, s.Nodes[2].After = []string{"db"}, []string{"db"}
		}, "nodes[1].after"},
		{"a role and a node of it", func(s *Spec) { s.Nodes[1].Role, s.Nodes[0].After = "db", []string{"db", "n2"} }, "nodes[0].after"},
		{"a circle of roles", func(s *Spec) {
			s.Nodes[1].Role, s.Nodes[2].Role, s.Nodes[0].After, s.Nodes[2].After = "db", "db", []string{"db"}, []string{"n1"}
		}, "nodes[0].after"},
		{"a circle", func(s *Spec) {
			s.Nodes[1].After, s.Nodes[2].After, s.Nodes[0].After = []string{"n3"}, []string{"n2"}, []string{"n2"}
		}, "nodes[1].after"},
		{"itself", func(s *Spec) { s.Nodes[2].After = []string{"n3"} }, "nodes[2].after"},
		{"hosts", func(s *Spec) { s.ExtraHosts = map[string]string{"db": "10.0.0.7", "a.b": HostGateway, "v6": "::1"} }, ""},
		{"hosts that are none", func(s *Spec) {
			s.ExtraHosts, s.Nodes[0].ExtraHosts = map[string]string{"d b": "10.0.0.7"}, map[string]string{"db": "elsewhere"}
		}, "extra_hosts nodes[0].extra_hosts"},
		{"a cookie with a quote", func(s *Spec) { s.Cookie = `a"b` }, "cookie"},
		{"no such port", func(s *Spec) { s.HTTPPort, s.HostPort, s.Distribution.Port = 70000, -2, -1 }, "distribution.port host_port http_port"},
		{"no HTTP port on purpose", func(s *Spec) { s.HTTPPort = -1 }, ""},
		{"one port for two", func(s *Spec) { s.Distribution.Port = 4000 }, "distribution.port"},
		{"a host port twice", func(s *Spec) { s.Nodes[0].HostPort, s.Nodes[1].HostPort = 4300, 4300 }, "nodes[1].host_port"},
		{"a port published twice", func(s *Spec) { s.Nodes[0].Ports = []PortSpec{{Container: 4000}, {Container: 9}, {Container: 9}} },
			"nodes[0].ports[0].container nodes[0].ports[2].container"},
		{"a check that is not a path", func(s *Spec) { s.HTTPCheck = "health" }, "http_check"},
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
		{"a name that is not one of a release", func(s *Spec) { s.Release, s.ReleaseName = true, "x; rm" }, "release_name"},
		{"a pool that is too small", func(s *Spec) { s.Pool = netip.MustParsePrefix("10.0.0.0/27") }, "pool"},
		{"a pool of the other family", func(s *Spec) { s.Pool = netip.MustParsePrefix("fd00::/8") }, "pool"},
		{"times that are none", func(s *Spec) { s.StopTimeout, s.NetTick = -1, 1500*time.Millisecond }, "net_tick stop_timeout"},
		{"modes that are none", func(s *Spec) { s.Mesh, s.Restart.Mode = "full", "sometimes" }, "mesh restart.mode"},
		{"too little memory", func(s *Spec) { s.Memory, s.CPUs, s.OutputLines = 1<<20, -1, -1 }, "cpus memory output_lines"},
		{"an image of others", func(s *Spec) {
			s.Command, s.User, s.CookieFile = []string{CommandOfImage}, "rabbitmq", "/var/lib/rabbitmq/.erlang.cookie"
			s.Distribution = Distribution{Names: ShortNames, EPMD: true, Port: 25672}
			s.Files, s.Volumes = map[string]string{"/etc/x": "x"}, map[string]string{"data": "/data"}
			s.HTTPPort, s.Ready = -1, []Check{{Log: "up$"}, {Erlang: "x:y()", Expect: "1"}, {HTTP: "/", Port: 15672}}
			s.Mesh = MeshNone
		}, ""},
		{"an image for each", func(s *Spec) {
			s.Image = ""
			for i := range s.Nodes {
				s.Nodes[i].Image = "app:1"
			}
		}, ""},
		{"places that are none", func(s *Spec) {
			s.CookieFile, s.Files, s.Volumes = "cookie", map[string]string{"/etc/../x": "x"}, map[string]string{"a": "/", "B": "/b"}
			s.Nodes[0].Volumes = map[string]string{"a": "/same", "b": "/same"}
		}, "cookie_file files nodes[0].volumes volumes volumes"},
		{"the cookie's file twice, and one of nothing", func(s *Spec) {
			s.CookieFile, s.Files = "/c", map[string]string{"/c": "c", "/d": ""}
		}, "files files"},
		{"file systems in memory", func(s *Spec) {
			s.Tmpfs, s.Nodes[0].Tmpfs = []string{"/run", "/tmp/cache:size=64m,mode=1777,noexec"}, []string{"/run:size=1m"}
		}, ""},
		{"file systems in memory that are none", func(s *Spec) {
			s.Tmpfs, s.Volumes = []string{"run", "/data", "/x:sise=1", "/x"}, map[string]string{"data": "/data"}
		}, "tmpfs tmpfs tmpfs tmpfs"},
		{"names that are none", func(s *Spec) { s.Distribution.Names = "middle" }, "distribution.names"},
		{"a line that is asked for again and again", func(s *Spec) { s.Checks = []Check{{Log: "x"}} }, "checks[0].log"},
		{"no expression, a port of no check, one name in both lists", func(s *Spec) {
			s.Checks = []Check{{Name: "a", RPC: "1", Port: 80}}
			s.Ready = []Check{{Name: "a", Log: "("}}
		}, "checks[0].port ready[0].log ready[0].name"},
		{"limits of a node", func(s *Spec) { s.Nodes[1].Memory, s.Nodes[1].CPUs = 1, -1 }, "nodes[1].cpus nodes[1].memory"},
		{"networks of others", func(s *Spec) {
			s.Networks, s.Nodes[0].Networks = map[string][]string{"shop_default": {"web", "web.local"}}, map[string][]string{"0123456789ab": nil}
		}, ""},
		{"networks that are none", func(s *Spec) {
			s.Networks, s.Nodes[0].Networks = map[string][]string{"host": nil, "a/b": nil, "beamyard-shop": nil}, map[string][]string{"x": {"a b", ""}}
		}, "networks networks networks nodes[0].networks nodes[0].networks"},
		{"labels of its own", func(s *Spec) { s.Labels = map[string]string{"org.example.team": "shop", "ci": ""} }, ""},
		{"labels that are others'", func(s *Spec) {
			s.Labels = map[string]string{"": "x", "a=b": "x", LabelCluster: "x", "beamyard.new": "x", "exitCode": "1"}
		}, "labels labels labels labels labels"},
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
	s.Env, s.Labels, s.Owner = map[string]string{"A": "1"}, map[string]string{"team": "shop"}, Self(true)
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
	if !createdOf(labels).Equal(time.Unix(1, 2)) || OwnerOf(labels) != s.Owner {
		t.Errorf("labels %v", labels)
	}
	if _, err := specOf(map[string]string{LabelSpec: "{"}); err == nil {
		t.Error("a broken label is read")
	}
}

func TestDiff(t *testing.T) {
	a, b := validSpec(), validSpec()
	b.Cookie, b.Owner, b.Source, b.Env, b.Labels, b.HTTPPort = "other", Self(false), "elsewhere", map[string]string{}, map[string]string{}, DefaultHTTPPort
	if diff := a.Diff(b); len(diff) != 0 { // by nature, or by default
		t.Errorf("differ in %v", diff)
	}
	b.Image, b.Nodes, b.Restart.Max, b.Labels = "shop:2", NodeNames(4), 7, map[string]string{"a": "b"}
	if diff := a.Diff(b); !slices.Equal(diff, []string{"image", "nodes", "labels", "restart"}) {
		t.Errorf("differ in %v", diff)
	}
}

func TestContainerSpec(t *testing.T) {
	s := validSpec()
	s.Cookie, s.Precompiled, s.NetTick, s.Distribution.OverlappingPartitions = "crumb", true, 8*time.Second, true
	s.Env = map[string]string{"POOL": "5", "ERL_AFLAGS": "-kernel shell_history enabled"}
	s.Nodes[1].Env = map[string]string{"POOL": "9"}
	s = s.Defaulted()
	c := containerSpec(s, 1, "net1", placement{ip: netip.MustParseAddr("10.213.0.3")}, time.Unix(1, 0))
	if c.Name != "beamyard-shop-n2" || c.Hostname != "n2.shop.test" || !slices.Contains(c.Aliases, "n2.shop.test") ||
		c.IP.String() != "10.213.0.3" || c.NetworkID != "net1" || c.StopTimeout != DefaultStopTimeout || c.NoFile != noFile {
		t.Errorf("%+v", c)
	}
	want := []string{
		"elixir", "--name", "app@n2.shop.test", "--erl",
		"-start_epmd false -erl_epmd_port 9100 -kernel net_ticktime 8 -kernel prevent_overlapping_partitions false +sbwt none +sbwtdcpu none +sbwtdio none +Q 65536",
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
	s.Distribution.Inet6 = true
	if got := vmFlags(s); !strings.Contains(got, " -proto_dist inet6_tcp ") {
		t.Errorf("over IPv6: %s", got)
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

// What a node has of its own goes before what all have.
func TestContainerOfANodeThatDiffers(t *testing.T) {
	s := validSpec()
	s.Image, s.Entrypoint, s.Command, s.User = "shop:1", []string{"/entry", "{name}"}, []string{"run", "{node}"}, "shop"
	s.Env, s.Volumes = map[string]string{"AT": "{host}:{dist_port}", "IN": "{cluster}/{index}"}, map[string]string{"data": "/data", "log": "/log"}
	s.Memory, s.CPUs, s.CookieFile, s.Cookie = 256<<20, 1, "/c", "crumbcrumb"
	s.Distribution = Distribution{Names: ShortNames, Port: 25672}
	s.Nodes[1].Image, s.Nodes[1].User, s.Nodes[1].Memory, s.Nodes[1].CPUs = "other:2", "0", 512<<20, 2
	s.Nodes[1].Command, s.Nodes[1].Env, s.Nodes[1].Volumes = []string{"serve"}, map[string]string{"IN": "x"}, map[string]string{"log": "/var/log"}
	s.Nodes[2].Entrypoint = []string{"sh"}
	s = s.Defaulted()
	shown := func(i int) string {
		c := containerSpec(s, i, "net", placement{}, time.Time{})
		var own []string
		for _, kv := range c.Env {
			if strings.HasPrefix(kv, "AT=") || strings.HasPrefix(kv, "IN=") || strings.Contains(kv, "NODE") || strings.Contains(kv, "crumb") || strings.HasPrefix(kv, "RELEASE_D") {
				own = append(own, kv)
			}
		}
		return fmt.Sprintln(c.Image, c.User, c.Hostname, c.Aliases, c.Entrypoint, c.Command, c.Memory>>20, c.CPUs, c.Volumes, own)
	}
	want := "shop:1 shop n1 [n1 n1.shop.test shop.test] [/entry n1] [run app@n1] 256 1 [{beamyard-shop-n1-data /data} {beamyard-shop-n1-log /log}] [AT=n1:25672 IN=shop/0 NODE_NAME=app@n1 RELEASE_DISTRIBUTION=sname RELEASE_NODE=app@n1]\n" +
		"other:2 0 n2 [n2 n2.shop.test shop.test] [/entry n2] [serve] 512 2 [{beamyard-shop-n2-data /data} {beamyard-shop-n2-log /var/log}] [AT=n2:25672 IN=x NODE_NAME=app@n2 RELEASE_DISTRIBUTION=sname RELEASE_NODE=app@n2]\n" +
		"shop:1 shop n3 [n3 n3.shop.test shop.test] [sh] [] 256 1 [{beamyard-shop-n3-data /data} {beamyard-shop-n3-log /log}] [AT=n3:25672 IN=shop/2 NODE_NAME=app@n3 RELEASE_DISTRIBUTION=sname RELEASE_NODE=app@n3]\n"
	if diff := cmp.Diff(want, shown(0)+shown(1)+shown(2)); diff != "" {
		t.Error(diff)
	}
	s.Entrypoint, s.Command, s.Nodes[0].Image = nil, nil, "own:1"
	s.Precompiled = true
	if got := nodeCommand(s, 0); got[1] != "--sname" || got[2] != "app@n1" || slices.Contains(got, "--no-compile") {
		t.Errorf("the default command of an image of its own: %q", got)
	}
	s.Nodes[0].Command = []string{CommandOfImage}
	if got := nodeCommand(s, 0); got != nil {
		t.Errorf("the image's own command: %q", got)
	}
}

func TestRedactor(t *testing.T) {
	s := validSpec()
	s.Cookie, s.Secrets = "crumbcrumb", []string{"TOKEN"}
	s.Env = map[string]string{"TOKEN": "hunter22", "OPEN": "visible"}
	s.Nodes[0].Env = map[string]string{"TOKEN": "another1"}
	s.Secrets, s.Env["DSN"] = append(s.Secrets, "DSN"), "key-of-{name}" // n2 is told another word than the spec's
	got := redactor(s).Replace("crumbcrumb hunter22 another1 key-of-n2 visible")
	if got != "[secret] [secret] [secret] [secret] visible" {
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

// With EPMD and a command of its own a node's port is what EPMD says, unless the spec
// says it or hands it to the command.
func TestPortByEPMD(t *testing.T) {
	own := []string{"/usr/sbin/server"}
	for _, tt := range []struct {
		name string
		edit func(*Spec)
		port int
	}{
		{"the default command", func(*Spec) {}, DefaultDistPort},
		{"its own command", func(s *Spec) { s.Command = own }, 0},
		{"the image's command", func(s *Spec) { s.Command = []string{CommandOfImage} }, 0},
		{"its own entrypoint", func(s *Spec) { s.Entrypoint = own }, 0},
		{"a port", func(s *Spec) { s.Command, s.Distribution.Port = own, 25672 }, 25672},
		{"a port that is handed to it", func(s *Spec) { s.Command = []string{"/usr/sbin/server", "{dist_port}"} }, DefaultDistPort},
		{"a port in its environment", func(s *Spec) { s.Command, s.Env = own, map[string]string{"PORT": "{dist_port}"} }, DefaultDistPort},
		{"its own command at a node alone", func(s *Spec) { s.Nodes[0].Command = own }, DefaultDistPort},
		{"a release", func(s *Spec) { s.Command, s.Release = own, true }, DefaultDistPort},
		{"without EPMD", func(s *Spec) { s.Command, s.Distribution.EPMD = own, false }, DefaultDistPort},
	} {
		s := validSpec()
		s.Distribution.EPMD = true
		tt.edit(&s)
		if err := s.Validate(); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if got := s.Defaulted().Distribution.Port; got != tt.port {
			t.Errorf("%s: port %d, want %d", tt.name, got, tt.port)
		}
	}
}
