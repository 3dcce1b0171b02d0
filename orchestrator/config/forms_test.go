package config

import (
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/google/go-cmp/cmp"
)

// world is an environment and files for a test.
func world(files map[string]string) outside {
	folder := fstest.MapFS{}
	for name, text := range files {
		folder[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return outside{
		lookup: func(key string) (string, bool) {
			value, ok := map[string]string{"OURS": "of us", "EMPTY": ""}[key]
			return value, ok
		},
		readFile: func(path string) ([]byte, error) { return fs.ReadFile(folder, path) },
	}
}

func TestFormsOfCompose(t *testing.T) {
	files := world(map[string]string{".env": "A=1\nB=2\n", "more.env": "B=3\nC=4\n"})
	node := func(n orchestrator.NodeSpec) orchestrator.Spec {
		n.Name = "a"
		return orchestrator.Spec{Nodes: []orchestrator.NodeSpec{n}}
	}
	env := func(env map[string]string) orchestrator.Spec { return orchestrator.Spec{Env: env} }
	for text, want := range map[string]orchestrator.Spec{
		"env: [A=1, B=, C=a=b, OURS, D=0123]":                   env(map[string]string{"A": "1", "B": "", "C": "a=b", "OURS": "of us", "D": "0123"}),
		"env: {A: 1, OURS: , EMPTY: ~}":                         env(map[string]string{"A": "1", "OURS": "of us", "EMPTY": ""}),
		"env:\n- A=1\n- OURS":                                   env(map[string]string{"A": "1", "OURS": "of us"}),
		"nodes: [{name: a, env: [A=1]}]":                        node(orchestrator.NodeSpec{Env: map[string]string{"A": "1"}}),
		"nodes: [{name: a, env: {OURS: }}]":                     node(orchestrator.NodeSpec{Env: map[string]string{"OURS": "of us"}}),
		"x-env: &e {A: 01}\nenv: {<<: *e, B: 02}":               env(map[string]string{"A": "01", "B": "02"}),
		"env_file: .env":                                        env(map[string]string{"A": "1", "B": "2"}),
		"env_file: [.env, more.env]":                            env(map[string]string{"A": "1", "B": "3", "C": "4"}),
		"env_file: .env\nenv: {B: 9}":                           env(map[string]string{"A": "1", "B": "9"}),
		"env_file: [{path: .env}, {path: no, required: false}]": env(map[string]string{"A": "1", "B": "2"}),
		"env_file:\n- path: more.env\n  required: true":         env(map[string]string{"B": "3", "C": "4"}),
		"env_file:": {},
		"nodes: [{name: a, env_file: more.env, env: {C: 5}}]":      node(orchestrator.NodeSpec{Env: map[string]string{"B": "3", "C": "5"}}),
		"labels: [a=1, b, c=d=e]":                                  {Labels: map[string]string{"a": "1", "b": "", "c": "d=e"}},
		"labels: {a: , b: 0123}":                                   {Labels: map[string]string{"a": "", "b": "0123"}},
		`volumes: ["data:/var/lib/shop"]`:                          {Volumes: map[string]string{"data": "/var/lib/shop"}},
		`nodes: [{name: a, volumes: ["data:/var/lib/shop"]}]`:      node(orchestrator.NodeSpec{Volumes: map[string]string{"data": "/var/lib/shop"}}),
		"networks: [front, back]":                                  {Networks: map[string][]string{"front": {}, "back": {}}},
		"networks: {front: , back: {aliases: [shop]}}":             {Networks: map[string][]string{"front": nil, "back": {"shop"}}},
		"restart: always":                                          {Restart: orchestrator.RestartPolicy{Mode: orchestrator.RestartAlways}},
		`restart: "no"`:                                            {Restart: orchestrator.RestartPolicy{Mode: orchestrator.RestartNo}},
		"restart: no":                                              {Restart: orchestrator.RestartPolicy{Mode: orchestrator.RestartNo}},
		"distribution: {tls: true}":                                {Distribution: orchestrator.Distribution{TLS: orchestrator.TLS{Enabled: true}}},
		"distribution: {tls: false}":                               {},
		"restart: on-failure":                                      {Restart: orchestrator.RestartPolicy{Mode: orchestrator.RestartOnFailure}},
		"command: image":                                           {Command: []string{"image"}},
		"memory: 512m\ncpus: '0.5'":                                {Memory: 512 << 20, CPUs: 0.5},
		`nodes: [{name: a, ports: [9568, "9000:9001"]}]`:           node(orchestrator.NodeSpec{Ports: []orchestrator.PortSpec{{Container: 9568}, {Host: 9000, Container: 9001}}}),
		`nodes: [{name: a, ports: ["127.0.0.1:80:81/tcp"]}]`:       node(orchestrator.NodeSpec{Ports: []orchestrator.PortSpec{{Host: 80, Container: 81}}}),
		`nodes: [{name: a, ports: ["127.0.0.1::81"]}]`:             node(orchestrator.NodeSpec{Ports: []orchestrator.PortSpec{{Container: 81}}}),
		"nodes:\n- name: a\n  ports:\n  - 22:22\n  - container: 1": node(orchestrator.NodeSpec{Ports: []orchestrator.PortSpec{{Host: 22, Container: 22}, {Container: 1}}}),
	} {
		t.Run(text, func(t *testing.T) {
			c, err := files.decode(strings.NewReader(text))
			if err != nil {
				text, _ := explain(err)
				t.Fatal(text)
			}
			if diff := cmp.Diff(want, c, comparePrefix); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What means something else here, or nothing, is refused at its place with what to
// write. In want: the place and the text of the error, and its hint.
func TestWordsOfCompose(t *testing.T) {
	files := world(map[string]string{"bad.env": "A=1\nB='x\n", "var.env": "A=1\nURL=http://${HOST}/\n", "none.env": "\nexport NOT_SET\n"})
	for _, tc := range []struct{ text, err, hint string }{
		{"environment: {A: 1}", `[1:1] unknown field "environment"`, "the key is env: env: {POOL_SIZE: 5}"},
		{"environmnt: {A: 1}", `[1:1] unknown field "environmnt"`, "the key is env: env: {POOL_SIZE: 5}"},
		{"nodes: [{name: a, environment: {A: 1}}]", `[1:19] unknown field "environment"`, "the key is env: env: {POOL_SIZE: 5}"},
		{"build: ./shop", `[1:1] unknown field "build"`, "the key is source, a folder with a mix.exs or a Dockerfile: source: ./shop"},
		{"build:\n  context: .", `[1:1] unknown field "build"`, "the key is source, a folder with a mix.exs or a Dockerfile: source: ."},
		{"depends_on: [db]", `[1:1] unknown field "depends_on"`, "docker compose up -d --wait"},
		{"restart: unless-stopped", "[1:10] there is no restart mode unless-stopped", "restart: always means that here: a node that was stopped stays down"},
		{"restart: on-failure:5", "[1:10] this needs two keys here", "restart: {mode: on-failure, max: 5}"},
		{"restart: maybe", "[1:10] maybe is not a restart mode", "restart: {mode: on-failure, max: 5, backoff: 1s}"},
		{"distribution: {tls: maybe}", "[1:21] maybe is neither true nor a map", "tls: true; or with files of your own: tls: {ca: ca.pem, cert: node.pem, key: node.key}"},
		{"restart: false", "[1:10] false is not a restart mode", "restart: no"},
		{`ports: ["4000:4000"]`, `[1:1] unknown field "ports"`, "http_port: 4000, host_port: 4000"},
		{`nodes: [{name: a, ports: ["53:53/udp"]}]`, "[1:27] 53:53/udp: only TCP ports are published", "ports: [{container: 4000}]"},
		{`nodes: [{name: a, ports: ["0.0.0.0:80:80"]}]`, "[1:27] 0.0.0.0:80:80: ports are published on 127.0.0.1 alone", "ports: [{container: 4000}]"},
		{`nodes: [{name: a, ports: ["3000-3005"]}]`, `[1:27] "3000-3005" is a range: write each port`, "ports: [{container: 4000}]"},
		{`nodes: [{name: a, ports: ["http"]}]`, `[1:27] "http" is not a port, 1 to 65535`, "ports: [{container: 4000}]"},
		{`nodes: [{name: a, ports: [{target: 80}]}]`, `[1:28] unknown field "target"`, "the key is container: ports: [{container: 4000}]"},
		{`volumes: [".:/app"]`, "[1:11] .:/app is not mounted: the nodes run what is in the image", "beamyard sync --watch"},
		{`volumes: ["data:/var:ro"]`, "[1:11] volumes have no options here", "volumes: {data: /var}"},
		{"volumes: [/var]", "[1:11] a volume has a name and a path", "volumes: {data: /var}"},
		{"volumes: {data: }", "[1:11] a volume has a path in the container", "volumes: {data: /var/lib/data}"},
		{"networks: {front: {driver: bridge}}", "[1:12] a network has a list of the names that the nodes have there", "docker network create front"},
		{"command: mix phx.server", "[1:10] a command is a list of words, or the word image for the image's own", "write its words in brackets: [mix, phx.server]"},
		{"command: sleep 1 && x", "[1:10] a command is a list", `[sh, -c, "sleep 1 && x"]`},
		{"entrypoint: /entry --port 80:80", "[1:13] an entrypoint is a list of words", `[/entry, --port, "80:80"]`},
		{"secrets: TOKEN", "[1:10] this must be a list, not text", "write it in brackets: secrets: [TOKEN]"},
		{"services: {web: {build: .}, db: {image: postgres}}", "[1:1] this is a Compose file, and beamyard.yml is a file of its own", "of web, db: nodes: [{name: web}]"},
		{"version: '3'\nservices: {web: {}}", "[2:1] this is a Compose file", "source: . and nodes: 3"},
		{"nodes: [web, db]", "[1:9] a node is a mapping, not text", "nodes: [{name: web}]"},
		{"version: '3'\nname: a", `[1:1] unknown field "version"`, "leave it out: beamyard.yml has no version"},
		{"mem_limit: 512m", `[1:1] unknown field "mem_limit"`, "the key is memory: memory: 512m"},
		{"stop_grace_period: 10s", `[1:1] unknown field "stop_grace_period"`, "the key is stop_timeout: stop_timeout: 10s"},
		{"deploy: {replicas: 3}", `[1:1] unknown field "deploy"`, "nodes: 3"},
		{"env: {NOT_SET: }", "[1:7] NOT_SET has no value, and is not set in this environment either", "export NOT_SET=…"},
		{"env: [A=1, NOT_SET]", "[1:12] NOT_SET has no value", "export NOT_SET=…"},
		{"env_file: no.env", "[1:11] there is no file no.env", "relative to this file's folder"},
		{"nodes: [{name: a, env_file: [no.env]}]", "[1:30] there is no file no.env", "relative to this file's folder"},
		{"env_file: {file: .env}", `[1:12] unknown field "file"`, "env_file has path and required"},
		{"env_file: bad.env", "[1:11] env_file bad.env, line 2: no quote ends the value of B", ""},
		{"env_file: var.env", "[1:11] env_file var.env, line 2: a $ in the value of URL would stand for another variable", "URL='…'"},
		{"env_file: none.env", "[1:11] env_file none.env, line 2: NOT_SET has no value", "export NOT_SET=…"},
	} {
		t.Run(tc.text, func(t *testing.T) {
			_, err := files.decode(strings.NewReader(tc.text))
			if err == nil {
				t.Fatal("no error")
			}
			text, hint := explain(err)
			if !strings.Contains(text, tc.err) || !strings.Contains(hint.String(), tc.hint) {
				t.Errorf("%s\nhint: %s\nwant: %s\nhint: %s", text, hint, tc.err, tc.hint)
			}
		})
	}
}

// Each of Compose's keys that is not ours has a word.
func TestEveryKeyOfComposeIsKnown(t *testing.T) {
	// The keys of a service: https://docs.docker.com/reference/compose-file/services/.
	for key := range strings.FieldsSeq(`annotations attach build blkio_config cpu_count cpu_percent cpu_shares cpu_period
		cpu_quota cpu_rt_runtime cpu_rt_period cpus cpuset cap_add cap_drop cgroup cgroup_parent command configs container_name
		credential_spec depends_on deploy develop device_cgroup_rules devices dns dns_opt dns_search domainname entrypoint
		env_file environment expose extends external_links extra_hosts group_add healthcheck hostname image init ipc isolation
		labels label_file links logging mac_address mem_limit mem_reservation mem_swappiness memswap_limit models network_mode networks
		oom_kill_disable oom_score_adj pid pids_limit platform ports post_start pre_stop privileged profiles provider pull_policy
		read_only restart runtime scale secrets security_opt shm_size stdin_open stop_grace_period stop_signal storage_opt
		sysctls tty ulimits use_api_socket user userns_mode uts volumes volumes_from working_dir include version services`) {
		_, err := decode(strings.NewReader(key + ": {}\n"))
		if err == nil {
			continue
		}
		if _, hint := explain(err); strings.HasPrefix(hint.String(), "its keys") || strings.HasPrefix(hint.String(), "did you mean") {
			t.Errorf("%s: %s", key, hint)
		}
	}
}

func TestKeysOfAnotherPlace(t *testing.T) {
	for text, want := range map[string]string{
		"nodes: [{name: a, mesh: app}]":            "mesh belongs to the cluster, not to a node: write it at the top of the file, beside nodes:",
		"nodes: [{name: a, restart: {mode: no}}]":  "restart belongs to the cluster, not to a node: write it at the top of the file, beside nodes:",
		"max_backoff: 1s":                          "max_backoff belongs to restart:, not to the cluster: restart: {max_backoff: …}",
		"overlapping_partitions: true":             "overlapping_partitions belongs to distribution:, not to the cluster: distribution: {overlapping_partitions: …}",
		"nodes: [{name: a, mesch: app}]":           `did you mean "mesh"? It belongs to the cluster: write it at the top of the file, beside nodes:`,
		"distribution: {epdm: true}":               `did you mean "epmd"?`,
		"distribution: {cookie: a}":                "cookie belongs to the cluster, not to distribution: write it at the top of the file, beside nodes:",
		"restart: {frobnicate: 1}":                 "the keys of restart: backoff, jitter, max, ",
		"health: {frobnicate: 1}":                  "the keys of health: atoms, clock_skew, ",
		"nodes: [{name: a, ports: [{frobn: 1}]}]":  "the keys of a port of a node: container, host",
		"checks: [{frobnicate: 1}]":                "the keys of a check: erlang, exec, ",
		"nodes: [{name: a, docker_image: acme:1}]": "the keys of a node: ",
	} {
		_, err := decode(strings.NewReader(text))
		if err == nil {
			t.Errorf("%s: no error", text)
			continue
		}
		if _, hint := explain(err); !strings.HasPrefix(hint.String(), want) {
			t.Errorf("%s: hint %q, want %q", text, hint, want)
		}
	}
}
