package testsupport

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/testcontainers/testcontainers-go"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/config"
	"github.com/beamyard/beamyard/orchestrator/parking"
)

// Option is a setting of the whole cluster, or, inside [WithNode], of one node. It can be
// mixed with testcontainers' own options, which configure each node's container. An
// Option does not change those, like the options of testcontainers' modules.
type Option func(*settings) error

// Customize implements testcontainers.ContainerCustomizer. It does nothing.
func (Option) Customize(*testcontainers.GenericContainerRequest) error { return nil }

var _ testcontainers.ContainerCustomizer = Option(nil)

// Defaults that differ from those of `beamyard up`.
const (
	// DefaultNodes is the default number of nodes.
	DefaultNodes = 3
	// DefaultStopTimeout is short so that a test does not wait five seconds for a node
	// that hangs.
	DefaultStopTimeout = 2 * time.Second
	// DefaultNetTick makes nodes drop a silent peer within 6 to 10 s. With the VM's own
	// 60 s, every test of a paused node would take a minute.
	DefaultNetTick = 8 * time.Second
)

// settings are the result of the options.
type settings struct {
	spec  orchestrator.Spec
	named bool // by the test itself, so that the name is not unique to this cluster
	all   []testcontainers.ContainerCustomizer
	each  map[string][]testcontainers.ContainerCustomizer
}

// WithNodes sets the number of nodes: n1, n2, … Default: that of the beamyard.yml, or
// [DefaultNodes].
func WithNodes(n int) Option {
	return func(s *settings) error {
		if n < 1 {
			return fmt.Errorf("WithNodes(%d): a cluster has at least one node", n)
		}
		s.spec.Nodes = orchestrator.NodeNames(n)
		return nil
	}
}

// WithNode declares a node, or configures an existing one. The testcontainers options in
// opts apply after those of the whole cluster. A new name is added to the cluster; if no
// option or file sets the number of nodes, the named nodes are all there are.
func WithNode(name string, opts ...testcontainers.ContainerCustomizer) Option {
	return func(s *settings) error {
		for _, o := range opts {
			_, option := o.(Option)
			if _, fresh := o.(freshApplication); option || fresh {
				return fmt.Errorf("WithNode(%q): a setting of the whole cluster cannot be a node's; give it beside WithNode", name)
			}
		}
		if !slices.ContainsFunc(s.spec.Nodes, func(n orchestrator.NodeSpec) bool { return n.Name == name }) {
			s.spec.Nodes = append(s.spec.Nodes, orchestrator.NodeSpec{Name: name})
		}
		s.each[name] = append(s.each[name], opts...)
		return nil
	}
}

// WithName sets the cluster's name. Default: a unique name per cluster, so that tests can
// run in parallel.
func WithName(name string) Option {
	return func(s *settings) error {
		s.spec.Name, s.named = name, true
		return nil
	}
}

// WithRestart sets the restart policy. Default: no restarts, even if the beamyard.yml has
// a policy, because a cluster that heals itself hides failures from a test.
func WithRestart(p orchestrator.RestartPolicy) Option {
	return func(s *settings) error {
		s.spec.Restart = p
		return nil
	}
}

// WithCookie sets the distribution cookie. Default: a random one.
func WithCookie(cookie string) Option {
	return func(s *settings) error {
		s.spec.Cookie = cookie
		return nil
	}
}

// WithEnv sets an environment variable of every node. testcontainers.WithEnv does the
// same for several.
func WithEnv(key, value string) Option {
	return func(s *settings) error {
		s.spec.Env = with(s.spec.Env, key, value)
		return nil
	}
}

// WithSecret is [WithEnv] for a value that must never be printed.
func WithSecret(key, value string) Option {
	return func(s *settings) error {
		s.spec.Env = with(s.spec.Env, key, value)
		s.spec.Secrets = append(slices.Clone(s.spec.Secrets), key)
		return nil
	}
}

// WithOutputLines sets how many lines of each stream of each node are kept. Default 1000.
func WithOutputLines(n int) Option {
	return func(s *settings) error {
		s.spec.OutputLines = n
		return nil
	}
}

// WithNetTick sets the kernel's net_ticktime, in whole seconds: how long a silent peer
// stays connected. Default [DefaultNetTick]; the VM's own is 60 s.
func WithNetTick(d time.Duration) Option {
	return func(s *settings) error {
		s.spec.NetTick = d
		return nil
	}
}

// WithReadyTimeout sets how long the cluster may take to become Ready, from the creation
// of its first container. Default 30 s, and more for more than ten nodes.
func WithReadyTimeout(d time.Duration) Option {
	return func(s *settings) error {
		s.spec.ReadyTimeout = d
		return nil
	}
}

// WithOverlappingPartitions starts the VMs with the kernel parameter
// prevent_overlapping_partitions set to false. In OTP 25 and later the parameter is true
// by default: when one connection is lost, OTP drops others, until no node belongs to two
// of the remaining groups. Only with false can [Cluster.Disconnect] disconnect two nodes
// that both stay connected to a third. Source: kernel(6), global(3).
func WithOverlappingPartitions() Option {
	return func(s *settings) error {
		s.spec.Distribution.OverlappingPartitions = true
		return nil
	}
}

// WithNetwork attaches every node to an existing network, in addition to the cluster's
// own. Each node has its host name (n1.NAME.test) and the aliases there. It is
// testcontainers' network.WithNetwork with the arguments in the other order.
func WithNetwork(nw *testcontainers.DockerNetwork, aliases ...string) Option {
	return func(s *settings) error {
		if nw == nil {
			return errors.New("WithNetwork: there is no network")
		}
		s.spec.Networks = with(s.spec.Networks, nw.Name, aliases)
		return nil
	}
}

// WithSpec edits parts of the spec that no other option covers. edit sees the result of
// the options before it.
func WithSpec(edit func(*orchestrator.Spec)) Option {
	return func(s *settings) error {
		edit(&s.spec)
		return nil
	}
}

// WithFreshApplication makes [Shared] restart the cluster's application on every node
// before a test gets the cluster, so that no state of an earlier test is left. Other
// functions ignore it: a new cluster's application is always fresh.
func WithFreshApplication() testcontainers.ContainerCustomizer { return freshApplication{} }

type freshApplication struct{}

// Customize implements testcontainers.ContainerCustomizer. It does nothing.
func (freshApplication) Customize(*testcontainers.GenericContainerRequest) error { return nil }

// with returns a copy of a map with one more entry.
func with[V any](m map[string]V, key string, value V) map[string]V {
	m = maps.Clone(m)
	if m == nil {
		m = map[string]V{}
	}
	m[key] = value
	return m
}

// settle reads the source and applies the options: the defaults first, then the beamyard.yml,
// then the options in their order. name is the name of a cluster that no option names.
func settle(source, name string, opts []testcontainers.ContainerCustomizer) (*settings, error) {
	if strings.TrimSpace(source) == "" {
		return nil, orchestrator.WithHint(errors.New("start a cluster of \"\": there is no source"),
			"give an image, a Mix project's folder, or a beamyard.yml")
	}
	spec, err := config.Of(source, "")
	if err != nil {
		return nil, err
	}
	spec.Name = cmp.Or(name, unique(config.DefaultName(spec)))
	spec.Restart = orchestrator.RestartPolicy{Mode: orchestrator.RestartNo}
	spec.OnFailed = orchestrator.FailedKeep // taking a node down in a test must not take others down
	if spec.StopTimeout == 0 {
		spec.StopTimeout = DefaultStopTimeout
	}
	if spec.NetTick == 0 {
		spec.NetTick = DefaultNetTick
	}
	spec.KeepOnFailure = keeping()
	s := &settings{spec: spec, each: map[string][]testcontainers.ContainerCustomizer{}}
	for _, o := range opts {
		if o == nil {
			continue
		}
		option, ours := o.(Option)
		if !ours {
			s.all = append(s.all, o)
			continue
		}
		if err := option(s); err != nil {
			return nil, err
		}
	}
	if len(s.spec.Nodes) == 0 {
		s.spec.Nodes = orchestrator.NodeNames(DefaultNodes)
	}
	return s, nil
}

// keepVariable is the environment variable that keeps the clusters of failed tests.
const keepVariable = "BEAMYARD_KEEP"

func keeping() bool { return os.Getenv(keepVariable) == "1" }

// unique returns a unique cluster name.
func unique(base string) string { return parking.UniqueName(base) }
