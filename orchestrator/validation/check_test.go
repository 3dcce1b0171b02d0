package validation_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/health"
	"github.com/beamyard/beamyard/orchestrator/validation"
)

func validSpec() orchestrator.Spec {
	return orchestrator.Spec{Name: "shop", Image: "shop:1", Nodes: orchestrator.NodeNames(3)}
}

func TestCheck(t *testing.T) {
	tests := []struct {
		name   string
		edit   func(*orchestrator.Spec)
		fields string // that have a problem, in order
	}{
		{"the least there is", func(*orchestrator.Spec) {}, ""},
		{"everything", func(s *orchestrator.Spec) {
			s.HTTPPort, s.HTTPCheck, s.NetTick, s.Memory, s.CPUs = 8080, "/health", 8*time.Second, 256<<20, 1.5
			s.Nodes[0].Ports = []orchestrator.PortSpec{{Container: 9090, Host: 9190}}
			s.Env, s.Pool = map[string]string{"A_1": "x"}, netip.MustParsePrefix("10.99.0.0/24")
		}, ""},
		{"no name", func(s *orchestrator.Spec) { s.Name = "" }, "name"},
		{"an undotted, illegal name", func(s *orchestrator.Spec) { s.Name, s.Nodes[1].Name = "My Shop", "n_2" }, "name nodes[1].name"},
		{"a base that is none", func(s *orchestrator.Spec) { s.Basename, s.Domain = "a b", "-" }, "basename domain"},
		{"nothing to run", func(s *orchestrator.Spec) { s.Image = "" }, "source"},
		{"no node", func(s *orchestrator.Spec) { s.Nodes = nil }, "nodes"},
		{"51 nodes", func(s *orchestrator.Spec) { s.Nodes = orchestrator.NodeNames(51) }, "nodes"},
		{"51 nodes that are wanted", func(s *orchestrator.Spec) { s.Nodes, s.MaxNodes = orchestrator.NodeNames(51), 60 }, ""},
		{"two nodes of one name", func(s *orchestrator.Spec) { s.Nodes[2].Name = "n1" }, "nodes[2].name"},
		{"an order", func(s *orchestrator.Spec) { s.Nodes[1].After, s.Nodes[2].After = []string{"n1"}, []string{"n1", "n2"} }, ""},
		{"an order of strangers", func(s *orchestrator.Spec) { s.Nodes[1].After = []string{"n9", "n1", "n1"} }, "nodes[1].after nodes[1].after"},
		{"what an image of its own runs, beside a release", func(s *orchestrator.Spec) {
			s.Release, s.Nodes[0].Image, s.Nodes[0].Command = true, "db:1", []string{orchestrator.CommandOfImage}
		}, ""},
		{"what the cluster's image runs, at a node of a release", func(s *orchestrator.Spec) {
			s.Release, s.Nodes[0].Command = true, []string{orchestrator.CommandOfImage}
		}, "nodes[0].command"},
		{"an order of roles", func(s *orchestrator.Spec) {
			s.Nodes[1].Role, s.Nodes[2].Role, s.Nodes[0].After = "db", "db", []string{"db"}
		}, ""},
		{"a role before itself", func(s *orchestrator.Spec) {
			s.Nodes[1].Role, s.Nodes[2].Role = "db", "db"
			s.Nodes[1].After, s.Nodes[2].After = []string{"db"}, []string{"db"}
		}, "nodes[1].after"},
		{"a role and a node of it", func(s *orchestrator.Spec) { s.Nodes[1].Role, s.Nodes[0].After = "db", []string{"db", "n2"} }, "nodes[0].after"},
		{"a circle of roles", func(s *orchestrator.Spec) {
			s.Nodes[1].Role, s.Nodes[2].Role, s.Nodes[0].After, s.Nodes[2].After = "db", "db", []string{"db"}, []string{"n1"}
		}, "nodes[0].after"},
		{"a circle", func(s *orchestrator.Spec) {
			s.Nodes[1].After, s.Nodes[2].After, s.Nodes[0].After = []string{"n3"}, []string{"n2"}, []string{"n2"}
		}, "nodes[1].after"},
		{"itself", func(s *orchestrator.Spec) { s.Nodes[2].After = []string{"n3"} }, "nodes[2].after"},
		{"hosts", func(s *orchestrator.Spec) {
			s.ExtraHosts = map[string]string{"db": "10.0.0.7", "a.b": orchestrator.HostGateway, "v6": "::1"}
		}, ""},
		{"hosts that are none", func(s *orchestrator.Spec) {
			s.ExtraHosts, s.Nodes[0].ExtraHosts = map[string]string{"d b": "10.0.0.7"}, map[string]string{"db": "elsewhere"}
		}, "extra_hosts nodes[0].extra_hosts"},
		{"a cookie with a quote", func(s *orchestrator.Spec) { s.Cookie = `a"b` }, "cookie"},
		{"no such port", func(s *orchestrator.Spec) { s.HTTPPort, s.HostPort, s.Distribution.Port = 70000, -2, -1 }, "distribution.port host_port http_port"},
		{"no HTTP port on purpose", func(s *orchestrator.Spec) { s.HTTPPort = -1 }, ""},
		{"one port for two", func(s *orchestrator.Spec) { s.Distribution.Port = 4000 }, "distribution.port"},
		{"a host port twice", func(s *orchestrator.Spec) { s.Nodes[0].HostPort, s.Nodes[1].HostPort = 4300, 4300 }, "nodes[1].host_port"},
		{"a port published twice", func(s *orchestrator.Spec) {
			s.Nodes[0].Ports = []orchestrator.PortSpec{{Container: 4000}, {Container: 9}, {Container: 9}}
		},
			"nodes[0].ports[0].container nodes[0].ports[2].container"},
		{"a check that is not a path", func(s *orchestrator.Spec) { s.HTTPCheck = "health" }, "http_check"},
		{"checks of its own", func(s *orchestrator.Spec) {
			s.Checks = []orchestrator.Check{{HTTP: "/live"}, {Name: "db", RPC: "ready?()", Expect: "true"}, {Exec: []string{"true"}, Nodes: []string{"n2"}}}
			s.Health = health.Thresholds{Memory: 0.5, RoundTrip: time.Second}
		}, ""},
		{"checks that are none, or two at once", func(s *orchestrator.Spec) {
			s.Checks = []orchestrator.Check{{Name: "a"}, {Name: "b", HTTP: "/", RPC: "1"}}
		}, "checks[0] checks[1]"},
		{"checks that cannot be done", func(s *orchestrator.Spec) {
			s.HTTPPort = -1
			s.Checks = []orchestrator.Check{{HTTP: "/"}, {Exec: []string{"true"}, Expect: "1", Timeout: -1, Nodes: []string{"n9"}}}
		}, "checks[0].http checks[1].expect checks[1].nodes checks[1].timeout"},
		{"a check by no path, a name twice", func(s *orchestrator.Spec) {
			s.Checks = []orchestrator.Check{{Name: "a", HTTP: "live"}, {Name: "a", RPC: "1"}}
		}, "checks[0].http checks[1].name"},
		{"thresholds out of range", func(s *orchestrator.Spec) { s.Health = health.Thresholds{Memory: 90, RunQueue: -1} }, "health.memory health.run_queue"},
		{"a release by name", func(s *orchestrator.Spec) { s.Release, s.ReleaseName = true, "web" }, ""},
		{"the name of no release", func(s *orchestrator.Spec) { s.ReleaseName = "web" }, "release_name"},
		{"a name that is not one of a release", func(s *orchestrator.Spec) { s.Release, s.ReleaseName = true, "x; rm" }, "release_name"},
		{"a pool that is too small", func(s *orchestrator.Spec) { s.Pool = netip.MustParsePrefix("10.0.0.0/27") }, "pool"},
		{"a pool of the other family", func(s *orchestrator.Spec) { s.Pool = netip.MustParsePrefix("fd00::/8") }, "pool"},
		{"times that are none", func(s *orchestrator.Spec) { s.StopTimeout, s.NetTick = -1, 1500*time.Millisecond }, "net_tick stop_timeout"},
		{"modes that are none", func(s *orchestrator.Spec) { s.Mesh, s.Restart.Mode = "full", "sometimes" }, "mesh restart.mode"},
		{"too many that are parked", func(s *orchestrator.Spec) { s.Warm = 9 }, "warm"},
		{"too little memory", func(s *orchestrator.Spec) { s.Memory, s.CPUs, s.OutputLines = 1<<20, -1, -1 }, "cpus memory output_lines"},
		{"an image of others", func(s *orchestrator.Spec) {
			s.Command, s.User, s.CookieFile = []string{orchestrator.CommandOfImage}, "rabbitmq", "/var/lib/rabbitmq/.erlang.cookie"
			s.Distribution = orchestrator.Distribution{Names: orchestrator.ShortNames, EPMD: true, Port: 25672}
			s.Files, s.Volumes = map[string]string{"/etc/x": "x"}, map[string]string{"data": "/data"}
			s.HTTPPort, s.Ready = -1, []orchestrator.Check{{Log: "up$"}, {Erlang: "x:y()", Expect: "1"}, {HTTP: "/", Port: 15672}}
			s.Mesh = orchestrator.MeshNone
		}, ""},
		{"an image for each", func(s *orchestrator.Spec) {
			s.Image = ""
			for i := range s.Nodes {
				s.Nodes[i].Image = "app:1"
			}
		}, ""},
		{"places that are none", func(s *orchestrator.Spec) {
			s.CookieFile, s.Files, s.Volumes = "cookie", map[string]string{"/etc/../x": "x"}, map[string]string{"a": "/", "B": "/b"}
			s.Nodes[0].Volumes = map[string]string{"a": "/same", "b": "/same"}
		}, "cookie_file files nodes[0].volumes volumes volumes"},
		{"the cookie's file twice, and one of nothing", func(s *orchestrator.Spec) {
			s.CookieFile, s.Files = "/c", map[string]string{"/c": "c", "/d": ""}
		}, "files files"},
		{"file systems in memory", func(s *orchestrator.Spec) {
			s.Tmpfs, s.Nodes[0].Tmpfs = []string{"/run", "/tmp/cache:size=64m,mode=1777,noexec"}, []string{"/run:size=1m"}
		}, ""},
		{"file systems in memory that are none", func(s *orchestrator.Spec) {
			s.Tmpfs, s.Volumes = []string{"run", "/data", "/x:sise=1", "/x"}, map[string]string{"data": "/data"}
		}, "tmpfs tmpfs tmpfs tmpfs"},
		{"two of three files of TLS", func(s *orchestrator.Spec) {
			s.Distribution.TLS = orchestrator.TLS{Enabled: true, CA: "ca.pem", Cert: "node.pem"}
		}, "distribution.tls"},
		{"files of TLS that is not enabled", func(s *orchestrator.Spec) {
			s.Distribution.TLS = orchestrator.TLS{CA: "ca.pem", Cert: "node.pem", Key: "node.key"}
		}, "distribution.tls"},
		{"names that are none", func(s *orchestrator.Spec) { s.Distribution.Names = "middle" }, "distribution.names"},
		{"a line that is asked for again and again", func(s *orchestrator.Spec) { s.Checks = []orchestrator.Check{{Log: "x"}} }, "checks[0].log"},
		{"no expression, a port of no check, one name in both lists", func(s *orchestrator.Spec) {
			s.Checks = []orchestrator.Check{{Name: "a", RPC: "1", Port: 80}}
			s.Ready = []orchestrator.Check{{Name: "a", Log: "("}}
		}, "checks[0].port ready[0].log ready[0].name"},
		{"limits of a node", func(s *orchestrator.Spec) { s.Nodes[1].Memory, s.Nodes[1].CPUs = 1, -1 }, "nodes[1].cpus nodes[1].memory"},
		{"networks of others", func(s *orchestrator.Spec) {
			s.Networks, s.Nodes[0].Networks = map[string][]string{"shop_default": {"web", "web.local"}}, map[string][]string{"0123456789ab": nil}
		}, ""},
		{"networks that are none", func(s *orchestrator.Spec) {
			s.Networks, s.Nodes[0].Networks = map[string][]string{"host": nil, "a/b": nil, "beamyard-shop": nil}, map[string][]string{"x": {"a b", ""}}
		}, "networks networks networks nodes[0].networks nodes[0].networks"},
		{"labels of its own", func(s *orchestrator.Spec) { s.Labels = map[string]string{"org.example.team": "shop", "ci": ""} }, ""},
		{"labels that are others'", func(s *orchestrator.Spec) {
			s.Labels = map[string]string{"": "x", "a=b": "x", orchestrator.LabelCluster: "x", "beamyard.new": "x", "exitCode": "1"}
		}, "labels labels labels labels labels"},
		{"variables that are none", func(s *orchestrator.Spec) {
			s.Env, s.Nodes[0].Env = map[string]string{"A-B": ""}, map[string]string{"": "x"}
		}, "env nodes[0].env"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := validSpec()
			tt.edit(&s)
			err := validation.Check(s)
			if tt.fields == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			var invalid *orchestrator.SpecError
			if !errors.As(err, &invalid) || !errors.Is(err, orchestrator.ErrInvalidSpec) {
				t.Fatalf("no SpecError: %v", err)
			}
			var fields []string
			for _, p := range invalid.Problems {
				fields = append(fields, p.Field)
				if p.Text == "" || len(p.Hint) == 0 {
					t.Errorf("%s: %q, hint %q", p.Field, p.Text, p.Hint)
				}
				if !strings.Contains(err.Error(), p.Text) || !strings.Contains(invalid.Hint().String(), p.Hint.String()) {
					t.Errorf("%s is not told", p.Field)
				}
			}
			if got := strings.Join(fields, " "); got != tt.fields {
				t.Errorf("problems with %q, want %q", got, tt.fields)
			}
		})
	}
}

// Compose's "4177:4000" at a node is its host_port where 4000 is the HTTP port.
func TestThePortThatIsPublishedAnyway(t *testing.T) {
	s := orchestrator.Spec{Name: "shop", Image: "shop:1", Nodes: []orchestrator.NodeSpec{{Name: "n1", Ports: []orchestrator.PortSpec{{Container: 4000, Host: 4177}}}}}
	if err := validation.Check(s.Defaulted()); orchestrator.HintOf(err).String() != "list each port once; http_port is published anyway, and the node's host_port says where: host_port: 4177" {
		t.Errorf("%v", err)
	}
}
