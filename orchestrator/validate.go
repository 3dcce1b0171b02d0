package orchestrator

import (
	"crypto/rand"
	"fmt"
	"net/netip"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/beamyard/beamyard/network"
)

// Defaults of a [Spec].
const (
	DefaultMaxNodes     = 50
	DefaultHTTPPort     = 4000
	DefaultHostPort     = 4200
	DefaultDistPort     = 9100
	DefaultReadyTimeout = 30 * time.Second
	DefaultStopTimeout  = 5 * time.Second
	DefaultOutputLines  = 1000
)

// Defaulted returns the spec with the default in every unset field. It is the only place
// that defines a cluster's defaults.
func (s Spec) Defaulted() Spec {
	setDefault(&s.MaxNodes, DefaultMaxNodes)
	setDefault(&s.Basename, "app")
	setDefault(&s.Domain, "test")
	setDefault(&s.BaseImage, "auto")
	setDefault(&s.MixEnv, s.Env["MIX_ENV"]) // if unset, the image's own applies: see mixEnv
	setDefault(&s.HTTPPort, DefaultHTTPPort)
	setDefault(&s.HostPort, DefaultHostPort)
	setDefault(&s.Distribution.Names, LongNames)
	if !s.portByEPMD() {
		setDefault(&s.Distribution.Port, DefaultDistPort)
	}
	setDefault(&s.Mesh, MeshBeamyard)
	setDefault(&s.Loopback, LoopbackForward)
	setDefault(&s.ReadyTimeout, DefaultReadyTimeout+time.Duration(max(0, len(s.Nodes)-10))*2*time.Second)
	setDefault(&s.OnFailed, FailedKeep)
	setDefault(&s.StopTimeout, DefaultStopTimeout)
	setDefault(&s.OutputLines, DefaultOutputLines)
	if !s.Pool.IsValid() {
		s.Pool = network.DefaultPool
	}
	if s.Cookie == "" {
		s.Cookie = rand.Text()
	}
	s.Restart = s.Restart.withDefaults()
	return s
}

// NodeNames returns n nodes with the default names n1 … nN.
func NodeNames(n int) []NodeSpec {
	nodes := make([]NodeSpec, max(n, 0))
	for i := range nodes {
		nodes[i].Name = fmt.Sprintf("n%d", i+1)
	}
	return nodes
}

// envKey matches a name as POSIX defines it.
var envKey = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// Validate returns a [SpecError] with every problem of the spec, or nil. It does no I/O:
// Run discovers a missing image or a port in use.
func (s Spec) Validate() error {
	s = s.Defaulted()
	v := &validation{}
	v.err("name", network.CheckCluster(s.Name))
	v.err("basename", network.CheckBase(s.Basename))
	v.err("domain", network.CheckDomain(s.Domain))
	if s.Source == "" && s.Image == "" && slices.ContainsFunc(s.Nodes, func(n NodeSpec) bool { return n.Image == "" }) {
		v.add("source", "nothing to run is given", "give a Mix project's folder or an image: beamyard up PATH|IMAGE")
	}
	if strings.ContainsAny(s.Cookie, " \t\n\"'\\") || len(s.Cookie) > 255 {
		v.add("cookie", "a cookie has at most 255 characters, without spaces, quotes and backslashes", "leave it out: a random one is made")
	}
	s.validateNodes(v)
	s.validateNumbers(v)
	s.validateChecks(v)
	s.validateForeign(v)
	s.validateRelease(v)
	s.validateRoles(v)
	s.validateBuild(v)
	s.validateMixEnv(v)
	v.env("env", s.Env)
	v.labels(s.Labels)
	switch s.Mesh {
	case MeshBeamyard, MeshApp, MeshNone:
	default:
		v.add("mesh", fmt.Sprintf("%q is not one of beamyard, app, none", s.Mesh), "mesh: beamyard")
	}
	switch s.Loopback {
	case LoopbackForward, LoopbackLeave:
	default:
		v.add("loopback", fmt.Sprintf("%q is neither forward nor leave", s.Loopback), "loopback: forward")
	}
	switch s.OnFailed {
	case FailedKeep, FailedStopCluster:
	default:
		v.add("on_failed", fmt.Sprintf("%q is not one of keep, stop-cluster", s.OnFailed), "on_failed: keep")
	}
	switch s.Restart.Mode {
	case RestartNo, RestartOnFailure, RestartAlways:
	default:
		v.add("restart.mode", fmt.Sprintf("%q is not one of no, on-failure, always", s.Restart.Mode), "restart: {mode: on-failure}")
	}
	if len(v.problems) > 0 {
		slices.SortFunc(v.problems, func(a, b Problem) int { return strings.Compare(a.Field, b.Field) })
		return &SpecError{Problems: v.problems}
	}
	return nil
}

func (s Spec) validateNodes(v *validation) {
	switch n := len(s.Nodes); {
	case n == 0:
		v.add("nodes", "a cluster has at least one node", "beamyard up -n 3")
	case n > s.MaxNodes:
		v.add("nodes", fmt.Sprintf("%d nodes are more than max_nodes, %d", n, s.MaxNodes),
			fmt.Sprintf("ask for at most %d, or set max_nodes in beamyard.yml", s.MaxNodes))
	}
	seen := map[string]int{}
	hostPorts := map[int]string{}
	for i, n := range s.Nodes {
		field := fmt.Sprintf("nodes[%d]", i)
		v.err(field+".name", network.CheckNode(n.Name))
		if first, twice := seen[n.Name]; twice {
			v.add(field+".name", fmt.Sprintf("%q is also the name of nodes[%d]", n.Name, first), "give every node a name of its own")
		}
		seen[n.Name] = i
		v.env(field+".env", n.Env)
		v.limits(field+".", n.Memory, n.CPUs)
		v.volumes(field+".volumes", n.Volumes)
		v.tmpfs(field+".tmpfs", n.Tmpfs, over(s.Volumes, n.Volumes))
		v.networks(s, field+".networks", n.Networks)
		v.hosts(field+".extra_hosts", n.ExtraHosts)
		v.hostPort(field+".host_port", n.HostPort, n.Name, hostPorts)
		for j, p := range n.Ports {
			f := fmt.Sprintf("%s.ports[%d]", field, j)
			v.port(f+".container", p.Container, false)
			v.hostPort(f+".host", p.Host, n.Name, hostPorts)
			if p.Container == s.NodeAt(i).HTTPPort || slices.ContainsFunc(n.Ports[:j], func(o PortSpec) bool { return o.Container == p.Container }) {
				v.add(f+".container", fmt.Sprintf("port %d is published twice", p.Container), publishOnce(p))
			}
		}
	}
}

// publishOnce returns the hint for a port that is published twice.
func publishOnce(p PortSpec) string {
	if p.Host == 0 {
		return "list each port once; http_port is published anyway"
	}
	return fmt.Sprintf("list each port once; http_port is published anyway, and the node's host_port says where: host_port: %d", p.Host)
}

func (s Spec) validateNumbers(v *validation) {
	if s.HTTPPort != -1 {
		v.port("http_port", s.HTTPPort, false)
	}
	v.port("host_port", s.HostPort, false)
	v.port("distribution.port", s.Distribution.Port, s.portByEPMD())
	if s.HTTPPort == s.Distribution.Port {
		v.add("distribution.port", fmt.Sprintf("%d is http_port too", s.Distribution.Port), "choose another distribution.port")
	}
	v.httpCheck("http_check", s.HTTPCheck)
	if !s.Pool.Addr().Is4() || s.Pool.Bits() > 26 {
		v.add("pool", fmt.Sprintf("%s is not an IPv4 range of /26 or larger", s.Pool), "pool: "+network.DefaultPool.String())
	}
	for field, d := range map[string]time.Duration{
		"net_tick": s.NetTick, "ready_timeout": s.ReadyTimeout, "stop_timeout": s.StopTimeout,
		"restart.backoff": s.Restart.Backoff, "restart.max_backoff": s.Restart.MaxBackoff,
		"restart.window": s.Restart.Window, "restart.reset_after": s.Restart.ResetAfter,
	} {
		if d < 0 {
			v.add(field, fmt.Sprintf("%s is negative", d), field+": 5s")
		}
	}
	if s.NetTick%time.Second != 0 || (s.NetTick > 0 && s.NetTick < 4*time.Second) {
		v.add("net_tick", fmt.Sprintf("%s: the kernel's net_ticktime takes whole seconds, at least 4", s.NetTick), "net_tick: 8s")
	}
	if s.OutputLines < 1 {
		v.add("output_lines", fmt.Sprintf("%d lines is too few", s.OutputLines), "output_lines: 1000")
	}
	if s.Restart.Max < 0 {
		v.add("restart.max", fmt.Sprintf("%d is negative", s.Restart.Max), "restart: {mode: no}")
	}
	v.limits("", s.Memory, s.CPUs)
}

// validation collects problems.
type validation struct{ problems []Problem }

func (v *validation) add(field, text, hint string) {
	v.problems = append(v.problems, Problem{Field: field, Text: text, Hint: hint})
}

func (v *validation) err(field string, err error) {
	if err == nil {
		return
	}
	hint := ""
	if h, ok := err.(Hinter); ok { //nolint:errorlint // the checks of package network return their own type, unwrapped
		hint = h.Hint()
	}
	v.add(field, err.Error(), hint)
}

func (v *validation) port(field string, port int, zero bool) {
	if (port == 0 && zero) || (port >= 1 && port <= 65535) {
		return
	}
	v.add(field, fmt.Sprintf("%d is not a TCP port", port), "give a number from 1 to 65535")
}

func (v *validation) limits(of string, memory int64, cpus float64) {
	if memory < 0 || (memory > 0 && memory < 64<<20) {
		v.add(of+"memory", fmt.Sprintf("%d bytes: an idle node needs about 50 MB", memory), "memory: 256MiB")
	}
	if cpus < 0 {
		v.add(of+"cpus", fmt.Sprintf("%g is negative", cpus), "cpus: 1.0")
	}
}

func (v *validation) hostPort(field string, port int, node string, seen map[int]string) {
	v.port(field, port, true)
	if other, twice := seen[port]; twice && port != 0 {
		v.add(field, fmt.Sprintf("host port %d is also asked for by %s", port, other), "give each a port of its own, or leave it out")
	}
	seen[port] = node
}

// Diff returns the JSON names of the fields in which two specs differ, with defaults
// filled. Fields that always differ are ignored: the cookie, the owner, the subnet, and
// where the image came from.
func (s Spec) Diff(other Spec) []string {
	plain := func(s Spec) Spec {
		s = s.Defaulted()
		s.Cookie, s.Owner, s.Source, s.File, s.BaseImage, s.Subnet = "", Owner{}, "", "", "", netip.Prefix{}
		s = s.withImagesTogether()
		s.Proxies, s.ImageEnv, s.Suite = nil, nil, false
		return s
	}
	a, b := reflect.ValueOf(plain(s)), reflect.ValueOf(plain(other))
	var fields []string
	for i := range a.NumField() {
		if !reflect.DeepEqual(nilled(a.Field(i)), nilled(b.Field(i))) {
			name, _, _ := strings.Cut(a.Type().Field(i).Tag.Get("json"), ",")
			fields = append(fields, name)
		}
	}
	return fields
}

// nilled treats empty maps and slices as nil: JSON's omitempty does not preserve the
// difference in a label.
func nilled(v reflect.Value) any {
	switch v.Kind() { //nolint:exhaustive // every other kind is compared as it is
	case reflect.Map, reflect.Slice:
		if v.Len() == 0 {
			return nil
		}
	}
	return v.Interface()
}

// setDefault sets a field that has its zero value.
func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
