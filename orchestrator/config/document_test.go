package config

import (
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/health"
	"github.com/beamyard/beamyard/orchestrator/validation"
	"github.com/google/go-cmp/cmp"
)

const everyKey = `
name: shop
source: app
dockerfile: Dockerfile.prod
target: run
args: {VERSION: "1.10", DEBUG: true}
image: acme/shop:1
base_image: bookworm
packages: {build: [libvips-dev], run: [libvips42]}
app: shop
nodes:
  - name: web
    host: big1
    image: acme/web:2
    base_image: trixie
    command: image
    entrypoint: [/entry]
    user: web
    env: {ROLE: web, WORKERS: 2, DEBUG: true}
    volumes: {data: /var/lib/web}
    tmpfs: /run/web
    networks: {front: [web], shared: []}
    extra_hosts: ["machine:host-gateway", "v6=[::1]"]
    after: [db]
    memory: 256MiB
    cpus: 0.5
    ports: [{container: 9568}, {container: 9000, host: 9001}]
    host_port: 8080
    app: web
    mix_env: dev
    release_name: front
    http_port: 4002
    http_check: /up
    checks: [{http: /deep}]
    ready: [{log: "web is up"}]
  - name: db
    replicas: 2
    http_port: -1
    dockerfile: Dockerfile.db
    target: db
    args: {VERSION: 1.10}
max_nodes: 60
basename: shop
domain: local
cookie: crumble
boot: direct
command: [bin/shop, start, "{node}"]
entrypoint: [/sbin/tini, --]
user: shop:staff
cookie_file: /home/shop/.erlang.cookie
files: {/etc/shop/shop.conf: /conf/shop.conf}
volumes: {data: /var/lib/shop}
tmpfs: [/run, "/tmp/cache:size=64m,mode=1777"]
stdin: true
env: {POOL: 5, RATIO: 0.5, EMPTY: "", ON: true}
networks: {shared: [shop, shop.local]}
extra_hosts: {db.local: 10.0.0.7}
labels: {org.example.team: shop, build: 12}
secrets: [TOKEN]
mix_env: prod
release: true
release_name: web
http_port: 4001
http_check: /health
loopback: leave
checks:
  - {name: db, rpc: "Shop.Repo.ready?()", expect: "true", timeout: 2s, nodes: [web]}
  - http: /live
  - exec: [bin/shop, pid]
  - {http: /metrics, port: 9568}
ready:
  - log: "^ready$"
  - {erlang: "shop:up()", expect: "{ok,1}"}
health:
  round_trip: 50ms
  clock_skew: 1s
  run_queue: 4
  load: 0.8
  memory: 0.7
  processes: 0.6
  ports: 0.5
  atoms: 0.4
  tables: 0.3
  files: 0.2
host_port: 5000
distribution: {names: short, epmd: true, port: 9200, inet6: true, overlapping_partitions: true, tls: {ca: /ca.pem, cert: /node.pem, key: /node.key}}
hosts:
  big1: {context: big1, nodes: 4}
  big2: {host: "ssh://build@big2", address: 10.0.0.8}
  big3: {host: tcp://10.0.0.9:2376, tls: /certs/big3}
  big4: tcp://10.0.0.10:2375
place: pack
on_host_lost: move
encrypted: true
pool: 10.99.0.0/16
mesh: app
net_tick: 8s
restart:
  mode: always
  backoff: 500ms
  max_backoff: 1m
  jitter: 0.2
  max: 7
  window: 1h30m
  reset_after: 2m
  success_codes: [143]
ready_timeout: 1m30s
stop_timeout: 3s
clock: true
on_failed: stop-cluster
keep_on_failure: true
ui: true
keep_dumps: /tmp/dumps
output_lines: 500
warm: 2
memory: 512MiB
cpus: 1.5
`

func TestConfigWithEveryKey(t *testing.T) {
	c, err := decode(strings.NewReader(everyKey))
	if err != nil {
		t.Fatal(err)
	}
	want := orchestrator.Spec{
		Name: "shop", Source: "app", Dockerfile: "Dockerfile.prod", Target: "run", Args: map[string]string{"VERSION": "1.10", "DEBUG": "true"}, Image: "acme/shop:1", BaseImage: "bookworm", Packages: orchestrator.Packages{Build: []string{"libvips-dev"}, Run: []string{"libvips42"}}, App: "shop",
		Nodes: []orchestrator.NodeSpec{
			{
				Name: "web", Host: "big1", Image: "acme/web:2", BaseImage: "trixie", Command: []string{orchestrator.CommandOfImage}, Entrypoint: []string{"/entry"}, User: "web",
				Volumes: map[string]string{"data": "/var/lib/web"}, Tmpfs: []string{"/run/web"}, ExtraHosts: map[string]string{"machine": "host-gateway", "v6": "::1"}, After: []string{"db"}, Memory: 256 << 20, CPUs: 0.5,
				Networks: map[string][]string{"front": {"web"}, "shared": {}},
				Env:      map[string]string{"ROLE": "web", "WORKERS": "2", "DEBUG": "true"},
				Ports:    []orchestrator.PortSpec{{Container: 9568}, {Container: 9000, Host: 9001}}, HostPort: 8080,
				App: "web", MixEnv: "dev", ReleaseName: "front", HTTPPort: 4002, HTTPCheck: "/up",
				Checks: []orchestrator.Check{{HTTP: "/deep"}}, Ready: []orchestrator.Check{{Log: "web is up"}},
			},
			{Name: "db1", Role: "db", HTTPPort: -1, Dockerfile: "Dockerfile.db", Target: "db", Args: map[string]string{"VERSION": "1.10"}},
			{Name: "db2", Role: "db", HTTPPort: -1, Dockerfile: "Dockerfile.db", Target: "db", Args: map[string]string{"VERSION": "1.10"}},
		},
		ExtraHosts: map[string]string{"db.local": "10.0.0.7"},
		MaxNodes:   60, Basename: "shop", Domain: "local", Cookie: "crumble",
		Command: []string{"bin/shop", "start", "{node}"}, Entrypoint: []string{"/sbin/tini", "--"}, User: "shop:staff", Stdin: true,
		CookieFile: "/home/shop/.erlang.cookie", Files: map[string]string{"/etc/shop/shop.conf": "/conf/shop.conf"}, Volumes: map[string]string{"data": "/var/lib/shop"},
		Tmpfs:    []string{"/run", "/tmp/cache:size=64m,mode=1777"},
		Env:      map[string]string{"POOL": "5", "RATIO": "0.5", "EMPTY": "", "ON": "true"},
		Networks: map[string][]string{"shared": {"shop", "shop.local"}},
		Labels:   map[string]string{"org.example.team": "shop", "build": "12"},
		Secrets:  []string{"TOKEN"}, MixEnv: "prod", Release: true, ReleaseName: "web", Boot: orchestrator.BootDirect, HTTPPort: 4001, HTTPCheck: "/health", Loopback: orchestrator.LoopbackLeave,
		Checks: []orchestrator.Check{
			{Name: "db", RPC: "Shop.Repo.ready?()", Expect: "true", Timeout: 2 * time.Second, Nodes: []string{"web"}},
			{HTTP: "/live"}, {Exec: []string{"bin/shop", "pid"}}, {HTTP: "/metrics", Port: 9568},
		},
		Ready: []orchestrator.Check{{Log: "^ready$"}, {Erlang: "shop:up()", Expect: "{ok,1}"}},
		Health: health.Thresholds{
			RoundTrip: 50 * time.Millisecond, ClockSkew: time.Second, RunQueue: 4, Load: 0.8, Memory: 0.7,
			Processes: 0.6, Ports: 0.5, Atoms: 0.4, Tables: 0.3, Files: 0.2,
		},
		HostPort: 5000, Distribution: orchestrator.Distribution{Names: orchestrator.ShortNames, EPMD: true, Port: 9200, Inet6: true, OverlappingPartitions: true, TLS: orchestrator.TLS{Enabled: true, CA: "/ca.pem", Cert: "/node.pem", Key: "/node.key"}},
		Hosts: map[string]orchestrator.HostSpec{
			"big1": {Context: "big1", Nodes: 4}, "big2": {Host: "ssh://build@big2", Address: "10.0.0.8"},
			"big3": {Host: "tcp://10.0.0.9:2376", TLS: "/certs/big3"}, "big4": {Host: "tcp://10.0.0.10:2375"},
		},
		Place: orchestrator.PlacePack, OnHostLost: orchestrator.HostLostMove, Encrypted: true,
		Pool: netip.MustParsePrefix("10.99.0.0/16"), Mesh: orchestrator.MeshApp, NetTick: 8 * time.Second,
		Restart: orchestrator.RestartPolicy{
			Mode: orchestrator.RestartAlways, Backoff: 500 * time.Millisecond, MaxBackoff: time.Minute, Jitter: 0.2,
			Max: 7, Window: 90 * time.Minute, ResetAfter: 2 * time.Minute, SuccessCodes: []int{143},
		},
		ReadyTimeout: 90 * time.Second, StopTimeout: 3 * time.Second, OnFailed: orchestrator.FailedStopCluster, KeepOnFailure: true, UI: true, KeepDumps: "/tmp/dumps", Clock: true, OutputLines: 500, Warm: 2, Memory: 512 << 20, CPUs: 1.5,
	}
	got := c
	if diff := cmp.Diff(want, got, comparePrefix); diff != "" {
		t.Error(diff)
	}
	// A key that is added needs a value here.
	set := map[string]bool{}
	collect(set, reflect.ValueOf(got))
	for of, keys := range mappings {
		for _, k := range keys {
			if name := of.String() + "." + k.field.Name; k.in == of && !set[name] {
				t.Errorf("no key sets %s", name)
			}
		}
	}
}

// collect notes the fields with a value of all structs in v.
func collect(set map[string]bool, v reflect.Value) {
	switch v.Kind() {
	case reflect.Slice:
		for i := range v.Len() {
			collect(set, v.Index(i))
		}
	case reflect.Map:
		for _, value := range v.Seq2() {
			collect(set, value)
		}
	case reflect.Struct:
		if mappings[v.Type()] == nil {
			return
		}
		for f, value := range v.Fields() {
			if !value.IsZero() {
				set[v.Type().String()+"."+f.Name] = true
				collect(set, value)
			}
		}
	}
}

func TestConfigErrorsShowTheirPlace(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		{"unknown key", "name: a\nnods: 3\n", `[2:1] unknown field "nods"
   1 | name: a
>  2 | nods: 3
       ^
`},
		{"unknown key of a node", "nodes:\n  - name: a\n    prots: []\n", `[3:5] unknown field "prots"
   1 | nodes:
   2 |   - name: a
>  3 |     prots: []
           ^
`},
		{"unknown key of a port", "nodes: [{name: a, ports: [{port: 1}]}]\n", `[1:28] unknown field "port"
>  1 | nodes: [{name: a, ports: [{port: 1}]}]
                                  ^
`},
		{"wrong type", "http_port: many\n", `[1:12] this must be a number, not text
>  1 | http_port: many
                  ^
`},
		{"duration without a unit", "stop_timeout: 5\n", `[1:15] a duration has a unit: 500ms, 5s, 1m30s
>  1 | stop_timeout: 5
                     ^
`},
		{"duration that is a list", "restart:\n  backoff: [1s]\n", `[2:12] a duration has a unit: 500ms, 5s, 1m30s
   1 | restart:
>  2 |   backoff: [1s]
                  ^
`},
		{"size", "memory: lots\n", `[1:9] a size is a number of bytes, or looks like 512MiB or 2GB
>  1 | memory: lots
               ^
`},
		{"range", "pool: 10.0.0.0\n", `[1:7] an address range looks like 10.213.0.0/16
>  1 | pool: 10.0.0.0
             ^
`},
		{"nodes", "nodes: three\n", `[1:8] nodes is a number, or a list of {name, env, ports, host_port, …}
>  1 | nodes: three
              ^
`},
		{"no replicas", "nodes: [{name: a, replicas: 0}]\n", `[1:29] replicas is a number of nodes, at least 1
>  1 | nodes: [{name: a, replicas: 0}]
                                   ^
`},
		{"too many replicas", "nodes:\n- {name: a, replicas: 9000}\n- {name: b, replicas: 9000}\n", `[2:1] these are more than 10000 nodes
   1 | nodes:
>  2 | - {name: a, replicas: 9000}
       ^
   3 | - {name: b, replicas: 9000}
`},
		{"too many to be meant", "nodes: 99999999\n", `[1:8] 99999999 is not a number of nodes
>  1 | nodes: 99999999
              ^
`},
		{"the same key twice", "name: a\nname: b\n", `[2:1] mapping key "name" already defined at [1:1]
   1 | name: a
>  2 | name: b
       ^
`},
		{"two documents", "name: a\n---\nname: b\n", "it has more than one document"},
		{"no YAML", "name: [\n", `[1:7] sequence end token ']' not found
>  1 | name: [
             ^
`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := decode(strings.NewReader(tc.text))
			if err == nil {
				t.Fatal("no error")
			}
			text, _ := explain(err)
			if diff := cmp.Diff(strings.TrimRight(tc.want, "\n"), text); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestUnknownKeysHaveAHint(t *testing.T) {
	all := "its keys: " + strings.Join(slices.Sorted(slices.Values(keysOf(clusterType))), ", ")
	for text, want := range map[string]string{
		"nods: 3":                          `did you mean "nodes"?`,
		"restart: {max_backof: 1s}":        `did you mean "max_backoff"?`,
		"nodes: [{name: a, hostport: 1}]":  `did you mean "host_port"?`,
		"nodes: [{name: a, dockerfle: A}]": `did you mean "dockerfile"?`,
		"nodes: [{name: a, targt: run}]":   `did you mean "target"?`,
		"frobnicate: 3":                    all,
		"nodes: [{name: a, replicass: 3}]": `did you mean "replicas"?`,
		"dancers: 3":                       all,
		"http_port: web":                   "",
		"dist_port: 9200":                  "it is in distribution: now: distribution: {port: 9100}",
		"stop_grace: 9s":                   "it is stop_timeout now: stop_timeout: 10s",
		"epmd: true":                       "it is in distribution: now: distribution: {epmd: true}",
	} {
		_, err := decode(strings.NewReader(text))
		if err == nil {
			t.Fatalf("%s: no error", text)
		}
		if _, hint := explain(err); hint.String() != want {
			t.Errorf("%s: hint %q, want %q", text, hint, want)
		}
	}
}

func TestEmptyConfig(t *testing.T) {
	for _, text := range []string{"", "\n", "# nothing yet\n", "---\n"} {
		if c, err := decode(strings.NewReader(text)); err != nil || !reflect.DeepEqual(c, orchestrator.Spec{}) {
			t.Errorf("%q: %+v, %v", text, c, err)
		}
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "268435456": 1 << 28, "512MiB": 512 << 20, "1.5GiB": 3 << 29, "2GB": 2e9, "64 kB": 64000, "256m": 256 << 20, "1g": 1 << 30, "10B": 10,
	} {
		if got, ok := ParseSize(text); !ok || got != want {
			t.Errorf("%q = %d, %t; want %d", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "MiB", "-1MiB", "12 parsecs", "1e400", "9999999999GiB", "1.2.3", "0x10", "NaN", "Inf"} {
		if got, ok := ParseSize(text); ok {
			t.Errorf("%q = %d", text, got)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(everyKey)
	for _, text := range []string{"", "nodes: 3", "nodes: -1", "nodes: [1]", "nodes: [[]]", "memory: 1e9", "a: &a [*a]", "? [x]\n: y", "name: !!binary x", "nodes: 99999999999999999999", "env: {1: 2}", "<<: {name: a}", "matrix: {nodes: [1, 2], env: [{A: 1}]}", "matrix: [{nodes: 1}, {base_image: sid}]"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := decode(strings.NewReader(text))
		if err != nil {
			if text, _ := explain(err); text == "" {
				t.Error("an error without words")
			}
			return
		}
		_ = validation.Check(c) // says what is wrong, or nothing: it only must not panic
	})
}

var comparePrefix = cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })
