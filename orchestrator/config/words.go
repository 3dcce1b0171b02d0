package config

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/beamyard/beamyard/network"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/health"
	"github.com/beamyard/beamyard/orchestrator/hint"
	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
)

// level is a kind of mapping in beamyard.yml.
type level struct {
	keys  reflect.Type
	of    string // what its keys configure
	write string // how to write one of its keys, for fmt
}

// levels of beamyard.yml, the outermost first.
var levels = []level{
	{clusterType, "the cluster", "write it at the top of the file, beside nodes:"},
	{nodeType, "a node", "nodes: [{name: n1, %s: …}]"},
	{reflect.TypeFor[orchestrator.RestartPolicy](), "restart:", "restart: {%s: …}"},
	{reflect.TypeFor[orchestrator.Distribution](), "distribution:", "distribution: {%s: …}"},
	{reflect.TypeFor[orchestrator.Check](), "a check", "checks: [{name: web, %s: …}]"},
	{reflect.TypeFor[health.Thresholds](), "health:", "health: {%s: …}"},
	{portType, "a port of a node", "ports: [{%s: …}]"},
}

// moved are keys of earlier versions, and their replacements.
var moved = map[string]string{
	"stop_grace": "it is stop_timeout now: stop_timeout: 10s",
	"epmd":       "it is in distribution: now: distribution: {epmd: true}",
	"dist_port":  "it is in distribution: now: distribution: {port: 9100}",
}

// compose are Compose's keys of a service and of a file, and their equivalents here. They apply
// to the cluster and to a node, unless we have a key of that name. A text may be a format,
// whose argument is in composeSteps, or is the value that was written, if that is a single text.
var compose = map[string]string{
	"environment":       "the key is env: env: {POOL_SIZE: 5}",
	"healthcheck":       "a node is Ready when it passes: http_check: /health, or checks: [{rpc: \"Shop.Repo.ready?()\"}] or [{exec: [bin/shop, pid]}]",
	"container_name":    "containers are named for the cluster and the node: beamyard-shop-web is: name: shop, nodes: [{name: web}]",
	"hostname":          "a node's host name is NODE.CLUSTER.test: nodes: [{name: web}], and domain: in place of test",
	"expose":            "leave it out: nodes reach each other on every port; for a port of this machine: http_port: 4000, or at a node ports: [9568]",
	"links":             "leave it out: nodes reach each other by their names, n1.CLUSTER.test",
	"external_links":    "a network that is there already: networks: {NETWORK: []}; its containers are reached by their names",
	"network_mode":      "each cluster has a network of its own; to join one more that is there already: networks: {NETWORK: []}",
	"deploy":            "how many nodes: nodes: 3; limits of each: memory: 512MiB, cpus: 1.5",
	"replicas":          "how many nodes: nodes: 3",
	"scale":             "how many nodes: nodes: 3",
	"mem_limit":         "the key is memory: memory: %s",
	"mem_reservation":   "there is a limit alone: memory: %s",
	"memswap_limit":     "there is a limit alone: memory: 512MiB",
	"cpu_count":         "the key is cpus: cpus: %s",
	"cpu_shares":        "there is a limit alone: cpus: 1.5",
	"cpuset":            "there is a limit alone: cpus: 1.5",
	"stop_grace_period": "the key is stop_timeout: stop_timeout: %s",
	"stop_signal":       "nodes are stopped by SIGTERM, which the Erlang VM ends in order for; how long it may take: stop_timeout: 10s",
	"working_dir":       "the folder is the image's own; another one: command: [sh, -c, \"cd %s && exec bin/shop start\"]",
	"profiles":          "write a file for each way to run it: %s",
	"extends":           "YAML's own way is an anchor and a merge: env: &common {A: 1}, then env: {<<: *common, B: 2}",
	"include":           "write it here: a cluster is one file",
	"version":           "leave it out: beamyard.yml has no version",
	"configs":           "a file that each node gets: files: {/etc/shop.conf: shop.conf}",
	"extra_hosts":       "other containers are reached by their names in a network of theirs: networks: {NETWORK: []}",
	"logging":           "output is kept by the engine, and by the supervisor: output_lines: 1000; to read it: %s",
	"init":              "leave it out: each node runs below an init",
	"tty":               "leave it out: for a shell of a node there is %s",
	"stdin_open":        "the key is stdin: stdin: true",
	"pull_policy":       "leave it out: an image that is not there is pulled",
	"develop":           "edits go into running nodes with: %s",
	"domainname":        "the key is domain: domain: test",
	"label_file":        "the key is labels: labels: {org.example.team: shop}",
	"annotations":       "the key is labels: labels: {org.example.team: shop}",
	"group_add":         "the key is user: user: shop:staff",
	"oom_kill_disable":  "there is a limit alone: memory: 512MiB",
	"restart_policy":    "the key is restart: restart: {mode: on-failure, max: 5}",
	"volumes_from":      "each node has volumes of its own: volumes: {data: /var/lib/shop}",
	"ports":             "ports of this machine belong to a node: nodes: [{name: n1, ports: [\"4000:4000\"]}]; the application's own: http_port: 4000, host_port: 4000",
	"http_proxy":        "write it in env: env: {HTTP_PROXY: \"http://proxy:3128\"}",
	"health_check":      "a node is Ready when it passes: http_check: /health",
}

// composeSteps are what to do in place of a key of Compose.
var composeSteps = map[string]hint.Step{
	"profiles": hint.Up.With("file: other.yml"), "logging": hint.Logs.With(), "tty": hint.Shell.With(), "develop": hint.SyncWatch.With(),
}

// composeAlone are Compose's keys without an equivalent.
var composeAlone = strings.Fields(`
	attach blkio_config cap_add cap_drop cgroup cgroup_parent cpu_percent cpu_period cpu_quota cpu_rt_period cpu_rt_runtime credential_spec device_cgroup_rules devices
	dns dns_opt dns_search ipc isolation mac_address mem_swappiness models oom_score_adj pid pids_limit platform post_start pre_stop
	privileged provider read_only runtime security_opt shm_size storage_opt sysctls ulimits use_api_socket userns_mode uts`)

// ofPort are Compose's keys of a port.
var ofPort = map[string]string{
	"target":    "the key is container: ports: [{container: 4000}]",
	"published": "the key is host: ports: [{container: 4000, host: 4000}]",
	"protocol":  "leave it out: TCP ports are published",
	"host_ip":   "leave it out: ports are published on 127.0.0.1",
}

// inCompose returns the equivalent of a key of Compose, or none for any other key.
func (r *reader) inCompose(key string, value ast.Node) hint.Hint {
	text, _ := written(r.behind(value))
	switch key {
	case "build":
		if text == "" {
			text = "."
		}
		return hint.Newf("the key is source, a folder with a mix.exs or a Dockerfile: source: %s; which Dockerfile: dockerfile: Dockerfile", text)
	case "depends_on":
		return hint.Text("the key is after, at a node, and it takes nodes: nodes: [{name: db}, {name: web, after: [db]}]; other services must run before: docker compose up -d --wait")
	}
	if slices.Contains(composeAlone, key) {
		return hint.Text("it is Compose's, and nothing here is like it: nodes run with the engine's own settings")
	}
	same := compose[key]
	if step, ok := composeSteps[key]; ok {
		return hint.Newf(same, step)
	}
	if !strings.Contains(same, "%s") {
		return hint.Text(same)
	}
	return hint.Newf(same, cmp.Or(text, "…"))
}

// unknown returns the error for a key that its mapping, t, does not have.
func (r *reader) unknown(key *ast.StringNode, value ast.Node, t reflect.Type) error {
	err := &yaml.UnknownFieldError{Message: fmt.Sprintf("unknown field %q", key.Value), Token: key.GetToken()}
	return orchestrator.WithHint(err, "%s", r.meant(key.Value, value, t))
}

// composeFile returns the error for a Compose file, which has services.
func (r *reader) composeFile(pairs []*ast.MappingValueNode) error {
	for _, pair := range pairs {
		if key, err := r.key(pair.Key); err == nil && key.Value == "services" {
			return orchestrator.WithHint(wrong(key, "this is a Compose file, and %s is a file of its own", Name), "%s", r.instead(pair.Value))
		}
	}
	return nil
}

// instead says what to write in place of a Compose file.
func (r *reader) instead(services ast.Node) string {
	names := ""
	if value, err := r.as(services, nil); err == nil {
		if m, ok := value.(*ast.MappingNode); ok {
			for i, pair := range m.Values {
				if i > 0 {
					names += ", "
				}
				names += pair.Key.(*ast.StringNode).Value
			}
		}
	}
	next := "write a " + Name + " with what the Erlang nodes run, and how many there are: source: . and nodes: 3"
	if names != "" {
		next += fmt.Sprintf(" (or by name, of %s: nodes: [{name: web}])", names)
	}
	return next + "\nother services stay in Compose, and the nodes join their network: networks: {PROJECT_default: []}"
}

// meant returns advice on a key that t does not have: its equivalent here, where it belongs, a
// similar key, or all keys of t.
func (r *reader) meant(key string, value ast.Node, t reflect.Type) hint.Hint {
	top := t == clusterType || t == nodeType
	if now, ok := moved[key]; ok && top {
		return hint.Text(now)
	}
	if top {
		if same := r.inCompose(key, value); len(same) > 0 {
			return same
		}
	}
	if t == portType {
		if same := ofPort[key]; same != "" {
			return hint.Text(same)
		}
	}
	here := level{of: "it"}
	for _, l := range levels {
		if l.keys == t {
			here = l
		}
	}
	for _, l := range levels {
		if _, has := find(l.keys, key); has {
			return hint.Newf("%s belongs to %s, not to %s: %s", key, l.of, strings.TrimSuffix(here.of, ":"), l.example(key))
		}
	}
	if best := network.Nearest(key, keysOf(t)); best != "" {
		return hint.Newf("did you mean %q?", best)
	}
	if top {
		if best := network.Nearest(key, slices.Sorted(maps.Keys(compose))); best != "" {
			return r.inCompose(best, value)
		}
	}
	for _, l := range levels {
		if best := network.Nearest(key, keysOf(l.keys)); best != "" {
			return hint.Newf("did you mean %q? It belongs to %s: %s", best, l.of, l.example(best))
		}
	}
	keys := keysOf(t)
	slices.Sort(keys)
	if here.of == "the cluster" {
		return hint.Newf("its keys: %s", strings.Join(keys, ", "))
	}
	return hint.Newf("the keys of %s: %s", strings.TrimSuffix(here.of, ":"), strings.Join(keys, ", "))
}

// example shows a key at its level.
func (l level) example(key string) string {
	if strings.Contains(l.write, "%s") {
		return fmt.Sprintf(l.write, key)
	}
	return l.write
}
