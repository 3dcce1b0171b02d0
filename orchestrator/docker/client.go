package docker

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/docker/cli/cli/config"
	"github.com/docker/cli/cli/connhelper"
	ctxdocker "github.com/docker/cli/cli/context/docker"
	"github.com/docker/cli/cli/context/store"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/client"

	"github.com/beamyard/beamyard/orchestrator"
)

// Options say which engine is meant. The zero value is the engine that the
// docker command would use.
type Options struct {
	// Host is the engine's address: "unix:///var/run/docker.sock",
	// "tcp://host:2376", "ssh://user@host". Default: $DOCKER_HOST, then the
	// context.
	Host string
	// Context is a name in the docker command's context store. Default:
	// $DOCKER_CONTEXT, then what `docker context use` chose.
	Context string
}

// Engine is a Docker engine. It may be used by several goroutines.
type Engine struct {
	cli      *client.Client
	endpoint string
}

var _ orchestrator.Engine = (*Engine)(nil)

// New makes a client of an engine; it does not connect yet. It fails where a
// named context does not exist or an address is malformed.
func New(o Options) (*Engine, error) {
	opts, endpoint, err := clientOptions(o)
	if err != nil {
		return nil, err
	}
	// The version is always negotiated: engines of API 1.24 to 1.51 and later
	// are spoken to in the newest version that both sides know.
	opts = append(opts, client.WithAPIVersionNegotiation())
	cli, err := client.NewClientWithOpts(opts...)
	if err != nil {
		return nil, orchestrator.WithHint(fmt.Errorf("use engine %s: %w", endpoint, err), "check $DOCKER_HOST and `docker context ls`")
	}
	if t, ok := cli.HTTPClient().Transport.(*http.Transport); ok {
		// Up to a few dozen calls run at once; the default keeps two
		// connections and dials the rest anew.
		t.MaxIdleConnsPerHost = 16
	}
	return &Engine{cli: cli, endpoint: endpoint}, nil
}

// Close ends idle connections.
func (e *Engine) Close() { _ = e.cli.Close() } // which cannot fail

// clientOptions resolve the engine in the docker command's own order.
func clientOptions(o Options) ([]client.Opt, string, error) {
	if host := cmp.Or(o.Host, os.Getenv(client.EnvOverrideHost)); host != "" && o.Context == "" {
		return hostOptions(host)
	}
	name := cmp.Or(o.Context, os.Getenv("DOCKER_CONTEXT"))
	if name == "" {
		if file, err := config.Load(config.Dir()); err == nil {
			name = file.CurrentContext
		}
	}
	if name == "" || name == "default" {
		return []client.Opt{client.WithHost(client.DefaultDockerHost)}, client.DefaultDockerHost, nil
	}
	contexts := store.New(config.ContextStoreDir(), store.NewConfig(
		func() any { return &map[string]any{} },
		store.EndpointTypeGetter(ctxdocker.DockerEndpoint, func() any { return &ctxdocker.EndpointMeta{} }),
	))
	meta, err := contexts.GetMetadata(name)
	if err != nil {
		return nil, "", orchestrator.WithHint(fmt.Errorf("docker context %s: %w", name, err), "see `docker context ls`, or set DOCKER_HOST")
	}
	endpoint, err := ctxdocker.EndpointFromContext(meta)
	if err != nil {
		return nil, "", fmt.Errorf("docker context %s: %w", name, err)
	}
	full, err := ctxdocker.WithTLSData(contexts, name, endpoint)
	if err != nil {
		return nil, "", fmt.Errorf("docker context %s: %w", name, err)
	}
	opts, err := full.ClientOpts()
	if err != nil {
		return nil, "", fmt.Errorf("docker context %s: %w", name, err)
	}
	return opts, endpoint.Host, nil
}

// hostOptions dial an address; ssh:// goes through the ssh command, TLS is
// set up from $DOCKER_CERT_PATH and $DOCKER_TLS_VERIFY.
func hostOptions(host string) ([]client.Opt, string, error) {
	helper, err := connhelper.GetConnectionHelper(host)
	if err != nil {
		return nil, "", orchestrator.WithHint(fmt.Errorf("use engine %s: %w", withoutUser(host), err), "check $DOCKER_HOST")
	}
	if helper != nil {
		return []client.Opt{
			client.WithHTTPClient(&http.Client{Transport: &http.Transport{DialContext: helper.Dialer}}),
			client.WithHost(helper.Host), client.WithDialContext(helper.Dialer),
		}, withoutUser(host), nil
	}
	return []client.Opt{client.WithTLSClientConfigFromEnv(), client.WithHost(host)}, withoutUser(host), nil
}

// withoutUser takes credentials out of an address.
func withoutUser(host string) string {
	u, err := url.Parse(host)
	if err != nil || u.User == nil {
		return host
	}
	u.User = nil
	return u.String()
}

// Info implements orchestrator.Engine. Sources: GET /_ping, /info, /networks/bridge.
func (e *Engine) Info(ctx context.Context) (orchestrator.EngineInfo, error) {
	info, err := e.cli.Info(ctx)
	if err != nil {
		return orchestrator.EngineInfo{}, e.failed("ask the engine", err)
	}
	at, err := time.Parse(time.RFC3339Nano, info.SystemTime)
	if err != nil {
		at = time.Now()
	}
	result := orchestrator.EngineInfo{
		ID: info.ID, Version: info.ServerVersion, APIVersion: e.cli.ClientVersion(), Time: at, CPUs: info.NCPU,
		Local: strings.HasPrefix(e.endpoint, "unix://") || strings.HasPrefix(e.endpoint, "npipe://"), Endpoint: e.endpoint,
	}
	result.Host = publishedHost(e.endpoint)
	if bridge, err := e.cli.NetworkInspect(ctx, "bridge", network.InspectOptions{}); err == nil {
		result.MTU = bridge.Options["com.docker.network.driver.mtu"]
	}
	return result, nil
}

// publishedHost is where published ports can be dialled. Testcontainers' own
// variable is honoured, so that one setting serves both.
func publishedHost(endpoint string) string {
	for _, key := range []string{"BEAMYARD_HOST", "TESTCONTAINERS_HOST_OVERRIDE"} {
		if host := os.Getenv(key); host != "" {
			return host
		}
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Hostname() == "" || net.ParseIP(u.Hostname()).IsLoopback() {
		return "127.0.0.1"
	}
	return u.Hostname()
}
