package config

import (
	"errors"
	"io"
	"net/netip"
	"reflect"
	"slices"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// document is beamyard.yml: [orchestrator.Spec] as people write it. A test holds
// it and beamyard.schema.json, which is for editors, to the same keys.
type document struct {
	Name         string              `yaml:"name"`
	Source       string              `yaml:"source"`     // a folder is relative to the file's
	Dockerfile   string              `yaml:"dockerfile"` // relative to source
	Target       string              `yaml:"target"`
	Args         map[string]string   `yaml:"args"`
	Image        string              `yaml:"image"`
	BaseImage    string              `yaml:"base_image"`
	Packages     packages            `yaml:"packages"`
	App          string              `yaml:"app"`
	Nodes        nodes               `yaml:"nodes"`
	MaxNodes     int                 `yaml:"max_nodes"`
	Basename     string              `yaml:"basename"`
	Domain       string              `yaml:"domain"`
	Cookie       string              `yaml:"cookie"`
	Command      command             `yaml:"command"`
	Entrypoint   []string            `yaml:"entrypoint"`
	User         string              `yaml:"user"`
	Stdin        bool                `yaml:"stdin"`
	Env          map[string]string   `yaml:"env"`
	EnvFile      map[string]string   `yaml:"env_file"` // what the files hold; see envFiles
	CookieFile   string              `yaml:"cookie_file"`
	Files        map[string]string   `yaml:"files"` // relative to the file's folder
	Volumes      map[string]string   `yaml:"volumes"`
	Tmpfs        oneOrMore           `yaml:"tmpfs"`
	Networks     map[string][]string `yaml:"networks"`
	ExtraHosts   extraHosts          `yaml:"extra_hosts"`
	Labels       map[string]string   `yaml:"labels"`
	Secrets      []string            `yaml:"secrets"`
	MixEnv       string              `yaml:"mix_env"`
	Release      bool                `yaml:"release"`
	ReleaseName  string              `yaml:"release_name"`
	HTTPPort     int                 `yaml:"http_port"`
	HTTPCheck    string              `yaml:"http_check"`
	Loopback     string              `yaml:"loopback"`
	Checks       []check             `yaml:"checks"`
	Ready        []check             `yaml:"ready"`
	Health       thresholds          `yaml:"health"`
	HostPort     int                 `yaml:"host_port"`
	Distribution distribution        `yaml:"distribution"`
	Pool         prefix              `yaml:"pool"`
	Mesh         string              `yaml:"mesh"`
	NetTick      duration            `yaml:"net_tick"`
	Restart      restart             `yaml:"restart"`
	OnFailed     string              `yaml:"on_failed"`
	KeepOnFail   bool                `yaml:"keep_on_failure"`
	KeepDumps    string              `yaml:"keep_dumps"` // relative to the file's folder
	ReadyTimeout duration            `yaml:"ready_timeout"`
	StopTimeout  duration            `yaml:"stop_timeout"`
	OutputLines  int                 `yaml:"output_lines"`
	Memory       size                `yaml:"memory"`
	CPUs         float64             `yaml:"cpus"`
}

type packages struct {
	Build []string `yaml:"build"`
	Run   []string `yaml:"run"`
}

type distribution struct {
	Names string `yaml:"names"`
	EPMD  bool   `yaml:"epmd"`
	Port  int    `yaml:"port"`
	Inet6 bool   `yaml:"inet6"`

	OverlappingPartitions bool `yaml:"overlapping_partitions"`
}

type restart struct {
	Mode         string   `yaml:"mode"`
	Backoff      duration `yaml:"backoff"`
	MaxBackoff   duration `yaml:"max_backoff"`
	Jitter       float64  `yaml:"jitter"`
	Max          int      `yaml:"max"`
	Window       duration `yaml:"window"`
	ResetAfter   duration `yaml:"reset_after"`
	SuccessCodes []int    `yaml:"success_codes"`
}

type node struct {
	Name       string              `yaml:"name"`
	Image      string              `yaml:"image"`
	Dockerfile string              `yaml:"dockerfile"` // relative to source
	Target     string              `yaml:"target"`
	Args       map[string]string   `yaml:"args"`
	Command    command             `yaml:"command"`
	Entrypoint []string            `yaml:"entrypoint"`
	User       string              `yaml:"user"`
	Env        map[string]string   `yaml:"env"`
	EnvFile    map[string]string   `yaml:"env_file"`
	Volumes    map[string]string   `yaml:"volumes"`
	Tmpfs      oneOrMore           `yaml:"tmpfs"`
	Networks   map[string][]string `yaml:"networks"`
	ExtraHosts extraHosts          `yaml:"extra_hosts"`
	After      []string            `yaml:"after"`
	Memory     size                `yaml:"memory"`
	CPUs       float64             `yaml:"cpus"`
	Ports      []port              `yaml:"ports"`
	HostPort   int                 `yaml:"host_port"`

	Replicas    replicas `yaml:"replicas"`
	App         string   `yaml:"app"`
	MixEnv      string   `yaml:"mix_env"`
	ReleaseName string   `yaml:"release_name"`
	HTTPPort    int      `yaml:"http_port"`
	HTTPCheck   string   `yaml:"http_check"`
	Checks      []check  `yaml:"checks"`
	Ready       []check  `yaml:"ready"`
}

type port struct {
	Container int `yaml:"container"`
	Host      int `yaml:"host"`
}

// decode reads one YAML document, strictly: an unknown key, a wrong type or a
// second document is an error that shows its line. An empty one is the zero
// document.
func decode(r io.Reader) (document, error) { return outside{}.decode(r) }

func (o outside) decode(r io.Reader) (document, error) {
	var c document
	text, err := io.ReadAll(r)
	if err != nil {
		return c, err
	}
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return c, err
	}
	bodies := slices.DeleteFunc(slices.Clone(file.Docs), func(d *ast.DocumentNode) bool {
		_, directive := d.Body.(*ast.DirectiveNode) // %YAML 1.2
		return d.Body == nil || directive
	})
	switch len(bodies) {
	case 0:
		return c, nil
	case 1:
	default:
		return c, errors.New("it has more than one document")
	}
	body, err := (&reader{outside: o}).read(bodies[0].Body, reflect.TypeFor[document]())
	if err != nil {
		return c, err
	}
	if err := yaml.NodeToValue(body, &c, yaml.Strict()); err != nil {
		return document{}, err
	}
	return c, nil
}

// spec is the document as the orchestrator wants it.
func (c document) spec() orchestrator.Spec {
	s := orchestrator.Spec{
		Name: c.Name, Source: c.Source, Dockerfile: c.Dockerfile, Target: c.Target, Args: c.Args, Image: c.Image, BaseImage: c.BaseImage, Packages: orchestrator.Packages(c.Packages), App: c.App,
		Nodes: c.Nodes.list, MaxNodes: c.MaxNodes, Basename: c.Basename, Domain: c.Domain, Cookie: c.Cookie,
		Command: c.Command, Entrypoint: c.Entrypoint, User: c.User, Stdin: c.Stdin, Env: over(c.EnvFile, c.Env), Tmpfs: c.Tmpfs, Networks: c.Networks, ExtraHosts: c.ExtraHosts, Labels: c.Labels, Secrets: c.Secrets, MixEnv: c.MixEnv,
		Release: c.Release, ReleaseName: c.ReleaseName, CookieFile: c.CookieFile, Files: c.Files, Volumes: c.Volumes,
		HTTPPort: c.HTTPPort, HTTPCheck: c.HTTPCheck, Loopback: orchestrator.LoopbackMode(c.Loopback), Checks: checks(c.Checks), Ready: checks(c.Ready), Health: c.Health.spec(), HostPort: c.HostPort,
		Distribution: orchestrator.Distribution{
			Names: orchestrator.NameMode(c.Distribution.Names), EPMD: c.Distribution.EPMD, Port: c.Distribution.Port,
			Inet6:                 c.Distribution.Inet6,
			OverlappingPartitions: c.Distribution.OverlappingPartitions,
		},
		Pool: netip.Prefix(c.Pool), Mesh: orchestrator.MeshMode(c.Mesh), NetTick: time.Duration(c.NetTick),
		Restart: orchestrator.RestartPolicy{
			Mode: orchestrator.RestartMode(c.Restart.Mode), Backoff: time.Duration(c.Restart.Backoff),
			MaxBackoff: time.Duration(c.Restart.MaxBackoff), Jitter: c.Restart.Jitter, Max: c.Restart.Max,
			Window: time.Duration(c.Restart.Window), ResetAfter: time.Duration(c.Restart.ResetAfter),
			SuccessCodes: c.Restart.SuccessCodes,
		},
		ReadyTimeout: time.Duration(c.ReadyTimeout), StopTimeout: time.Duration(c.StopTimeout),
		OnFailed: orchestrator.FailedMode(c.OnFailed), KeepOnFailure: c.KeepOnFail, KeepDumps: c.KeepDumps,
		OutputLines: c.OutputLines, Memory: int64(c.Memory), CPUs: c.CPUs,
	}
	if c.Nodes.counted {
		s.Nodes = orchestrator.NodeNames(c.Nodes.count)
	}
	return s
}

// spec is a node of the list.
func (n node) spec() orchestrator.NodeSpec {
	s := orchestrator.NodeSpec{
		Name: n.Name, Image: n.Image, Dockerfile: n.Dockerfile, Target: n.Target, Args: n.Args, Command: n.Command, Entrypoint: n.Entrypoint, User: n.User, Env: over(n.EnvFile, n.Env),
		Volumes: n.Volumes, Tmpfs: n.Tmpfs, Networks: n.Networks, ExtraHosts: n.ExtraHosts, After: n.After, Memory: int64(n.Memory), CPUs: n.CPUs, HostPort: n.HostPort,
		App: n.App, MixEnv: n.MixEnv, ReleaseName: n.ReleaseName, HTTPPort: n.HTTPPort, HTTPCheck: n.HTTPCheck, Checks: checks(n.Checks), Ready: checks(n.Ready),
	}
	for _, p := range n.Ports {
		s.Ports = append(s.Ports, orchestrator.PortSpec{Container: p.Container, Host: p.Host})
	}
	return s
}
