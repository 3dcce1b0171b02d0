package docker

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/docker/cli/cli/config"
	"github.com/docker/cli/cli/connhelper"
	ctxdocker "github.com/docker/cli/cli/context/docker"
	"github.com/docker/cli/cli/context/store"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/system"
	"github.com/docker/docker/api/types/versions"
	"github.com/docker/docker/client"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/docker/tunnel"
)

// Options select an engine. The zero value selects the engine that the docker command
// would use.
type Options struct {
	// Host is the engine's address: "unix:///var/run/docker.sock",
	// "tcp://host:2376", "ssh://user@host". Default: $DOCKER_HOST, then the
	// context.
	Host string
	// Context is the name of a context in the docker command's context store. Default:
	// $DOCKER_CONTEXT, then the one selected by `docker context use`.
	Context string
	// CertPath is a folder with ca.pem, cert.pem and key.pem for Host. Default:
	// $DOCKER_CERT_PATH.
	CertPath string
	// Address is an IP address of the engine's machine, at which ports are published and
	// dialled. Default: see [Engine.Info].
	Address string
}

// Engine is a Docker engine. It is safe for concurrent use.
type Engine struct {
	cli      *client.Client
	raw      *http.Client // dials like cli; for the event stream
	endpoint string
	address  string         // Options.Address
	ofHosts  bool           // it is one of several hosts: what the environment says of one engine is not about it
	tunnel   *tunnel.Tunnel // to what is published on the machine's loopback; nil: see reach.go
	user     string         // the endpoint's credentials, which no error may show
	source   source
	proxies  map[string]string // of the docker command's configuration
}

// source describes how an endpoint was found.
type source struct {
	from    orchestrator.EndpointSource
	context string // the docker context's name
	tls     bool
}

var _ orchestrator.Engine = (*Engine)(nil)

// New creates a client of an engine without connecting to it. It fails if a named context
// does not exist or an address is malformed.
func New(o Options) (*Engine, error) { return newEngine(o, false) }

func newEngine(o Options, ofHosts bool) (*Engine, error) {
	opts, host, src, err := clientOptions(o)
	if err != nil {
		return nil, err
	}
	endpoint, user := splitUser(host)
	// The version is always negotiated: with engines of API 1.24 to 1.51 and later, the newest
	// version that both sides support is used.
	opts = append(opts, client.WithAPIVersionNegotiation(), keepConnections)
	cli, err := client.NewClientWithOpts(opts...)
	if err != nil {
		return nil, orchestrator.WithHint(badAddress(host, err), "check $DOCKER_HOST and `docker context ls`")
	}
	dial := cli.Dialer()
	raw := &http.Client{Transport: &http.Transport{
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) },
		DisableKeepAlives: true, // each stream has its own connection
	}}
	e := &Engine{cli: cli, raw: raw, endpoint: endpoint, address: o.Address, ofHosts: ofHosts, user: user, source: src, proxies: proxies(host)}
	if err := e.openTunnel(host); err != nil {
		e.Close()
		return nil, err
	}
	return e, nil
}

// keepConnections keeps as many idle connections as calls run at once, a few dozen; the
// client's default keeps two of them and dials the others again. It reads in larger pieces than
// the default of 4 KiB, because output is large. This requires an option: later the client
// hides its transport behind one for tracing.
func keepConnections(c *client.Client) error {
	if t, ok := c.HTTPClient().Transport.(*http.Transport); ok {
		t.MaxIdleConns, t.MaxIdleConnsPerHost = 16, 16
		t.ReadBufferSize = 64 << 10
	}
	return nil
}

// Close closes idle connections, and ends the tunnel to published ports.
func (e *Engine) Close() {
	_ = e.cli.Close() // cannot fail
	if e.tunnel != nil {
		e.tunnel.Close()
	}
}

// clientOptions finds the engine in the docker command's own order, and returns its address as
// it was given. The context "default" is $DOCKER_HOST, or the usual socket.
func clientOptions(o Options) ([]client.Opt, string, source, error) {
	src := source{from: orchestrator.EndpointFlag}
	host := o.Host
	if host == "" {
		if host = os.Getenv(client.EnvOverrideHost); host != "" {
			src.from = orchestrator.EndpointEnv
		}
	}
	name := o.Context
	if name == "" && host == "" {
		src.from = orchestrator.EndpointContext
		name = os.Getenv("DOCKER_CONTEXT")
		if file, err := config.Load(config.Dir()); name == "" && err == nil {
			name = file.CurrentContext
		}
	}
	if name == "" || name == "default" {
		if host == "" {
			src.from = orchestrator.EndpointDefault
		}
		host = cmp.Or(host, client.DefaultDockerHost)
		opts, err := hostOptions(host, o.CertPath)
		src.tls = o.CertPath != "" || os.Getenv(client.EnvOverrideCertPath) != "" && strings.HasPrefix(host, "tcp:")
		return opts, host, src, err
	}
	if o.Context != "" {
		src.from = orchestrator.EndpointFlag
	}
	src.context = name
	opts, host, tls, err := contextOptions(name)
	src.tls = tls
	return opts, host, src, err
}

// contextOptions reads a context of the docker command's store.
func contextOptions(name string) (opts []client.Opt, host string, tls bool, err error) {
	contexts := store.New(config.ContextStoreDir(), store.NewConfig(
		func() any { return &map[string]any{} },
		store.EndpointTypeGetter(ctxdocker.DockerEndpoint, func() any { return &ctxdocker.EndpointMeta{} }),
	))
	meta, err := contexts.GetMetadata(name)
	if err != nil {
		return nil, "", false, orchestrator.WithHint(fmt.Errorf("docker context %s: %w", name, err), "see `docker context ls`, or set DOCKER_HOST")
	}
	endpoint, err := ctxdocker.EndpointFromContext(meta)
	if err != nil {
		return nil, "", false, fmt.Errorf("docker context %s: %w", name, err)
	}
	full, err := ctxdocker.WithTLSData(contexts, name, endpoint)
	if err != nil {
		return nil, "", false, fmt.Errorf("docker context %s: %w", name, err)
	}
	opts, err = full.ClientOpts()
	if err != nil {
		return nil, "", false, fmt.Errorf("docker context %s: %w", name, badAddress(endpoint.Host, err))
	}
	return opts, endpoint.Host, full.TLSData != nil, nil
}

// hostOptions dials an address; ssh:// uses the ssh command, TLS is configured by certs, or by
// $DOCKER_CERT_PATH and $DOCKER_TLS_VERIFY.
func hostOptions(host, certs string) ([]client.Opt, error) {
	helper, err := connhelper.GetConnectionHelper(host)
	if err != nil {
		return nil, orchestrator.WithHint(badAddress(host, err), "check $DOCKER_HOST")
	}
	if helper != nil {
		return []client.Opt{
			client.WithHTTPClient(&http.Client{Transport: &http.Transport{DialContext: helper.Dialer}}),
			client.WithHost(helper.Host), client.WithDialContext(helper.Dialer),
		}, nil
	}
	if certs != "" {
		file := func(name string) string { return filepath.Join(certs, name) }
		return []client.Opt{client.WithTLSClientConfig(file("ca.pem"), file("cert.pem"), file("key.pem")), client.WithHost(host)}, nil
	}
	return []client.Opt{client.WithTLSClientConfigFromEnv(), client.WithHost(host)}, nil
}

// oldest is the API of Docker 20.10, the first that supports everything used here.
const oldest = "1.41"

// Info implements orchestrator.Engine. Ports of an engine of this machine, and of one that is
// reached through ssh, are published on loopback: the latter are tunnelled. Those of other engines
// are published at the address by which the engine is reached, or at $BEAMYARD_PUBLISH. Sources:
// GET /_ping, /info, /nodes, /networks/bridge.
func (e *Engine) Info(ctx context.Context) (orchestrator.EngineInfo, error) {
	info, err := e.cli.Info(ctx)
	if err != nil {
		return e.located(orchestrator.EngineInfo{}), e.failed("ask the engine", err)
	}
	result := e.located(told(info))
	result.APIVersion = e.cli.ClientVersion()
	if versions.LessThan(result.APIVersion, oldest) {
		return result, e.failed("ask the engine", fmt.Errorf("client version %s is all that the engine speaks (Docker %s)", result.APIVersion, info.ServerVersion))
	}
	if result.Swarm.Manager {
		nodes, err := e.cli.NodeList(ctx, swarm.NodeListOptions{})
		if err != nil {
			return result, e.failed("list the members of the swarm", err)
		}
		for _, n := range nodes {
			result.Swarm.Members = append(result.Swarm.Members, n.ID)
		}
	}
	if result.Publish, err = e.publish(ctx); err != nil {
		return result, err
	}
	if bridge, err := e.cli.NetworkInspect(ctx, "bridge", network.InspectOptions{}); err == nil {
		result.MTU = bridge.Options["com.docker.network.driver.mtu"]
	}
	return result, nil
}

// Proxies implements [orchestrator.Engine].
func (e *Engine) Proxies() map[string]string { return maps.Clone(e.proxies) }

// systemTime is the engine's clock, or ours if the engine does not report its own.
func systemTime(info system.Info) time.Time {
	t, err := time.Parse(time.RFC3339Nano, info.SystemTime)
	if err != nil {
		return time.Now()
	}
	return t
}
