//go:build bench

package bench_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	"golang.org/x/sync/errgroup"

	"github.com/beamyard/beamyard/network/erldist"
	"github.com/beamyard/beamyard/testsupport/internal/bench"
)

// model is a real node's container, whose settings the floor and the other tools copy.
type model struct {
	config container.Config
	host   container.HostConfig
	beam   string // "app@n1.bench.test"
}

func (s *session) modelOf(t *testing.T, r *running) model {
	t.Helper()
	n1 := r.node("n1")
	in, err := s.cli.ContainerInspect(t.Context(), n1.ContainerID, client.ContainerInspectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return model{config: *in.Container.Config, host: *in.Container.HostConfig, beam: n1.Node}
}

// renamed replaces the name of the model's node with that of another host's node.
func (m model) renamed(words []string, host string) []string {
	words = slices.Clone(words)
	for i := range words {
		words[i] = strings.ReplaceAll(words[i], m.beam, "app@"+host)
	}
	return words
}

// byMix is the model with `mix run` as its way in, whatever boots a node today.
func (m model) byMix() model {
	m.config.Cmd = []string{
		"elixir", "--name", m.beam, "--erl", "-start_epmd false -erl_epmd_port 9100 +sbwt none +sbwtdcpu none +sbwtdio none",
		"-S", "mix", "run", "--no-halt", "--no-compile", "--no-deps-check",
	}
	return m
}

// engine times what the engine itself takes for a container: it creates it with a node's
// settings, starts it, waits for its end, which comes at once, and removes it.
func (s *session) engine(t *testing.T) {
	ctx := t.Context()
	config, host := s.model.config, s.model.host
	config.Hostname, config.Labels, config.Entrypoint, config.Cmd = "", nil, []string{"true"}, nil
	host.NetworkMode, host.PortBindings = "bridge", network.PortMap{}
	for port := range s.model.host.PortBindings {
		host.PortBindings[port] = []network.PortBinding{{HostIP: netip.MustParseAddr("127.0.0.1"), HostPort: "15200"}}
	}
	got := race(t, rounds(21, 11), func(t *testing.T) map[string]float64 {
		began := time.Now()
		made, err := s.cli.ContainerCreate(ctx, client.ContainerCreateOptions{Name: "beamyard-bench-engine", Config: &config, HostConfig: &host})
		if err != nil {
			t.Fatal(err)
		}
		created := time.Since(began)
		waiting := s.cli.ContainerWait(ctx, made.ID, client.ContainerWaitOptions{Condition: container.WaitConditionNextExit})
		if _, err := s.cli.ContainerStart(ctx, made.ID, client.ContainerStartOptions{}); err != nil {
			t.Fatal(err)
		}
		started := time.Since(began)
		select {
		case <-waiting.Result:
		case err := <-waiting.Error:
			t.Fatal(err)
		}
		if _, err := s.cli.ContainerRemove(ctx, made.ID, client.ContainerRemoveOptions{Force: true}); err != nil {
			t.Fatal(err)
		}
		return map[string]float64{"create": created.Seconds(), "start": (started - created).Seconds(), "remove": (time.Since(began) - started).Seconds()}
	})
	for _, part := range []struct{ name, what string }{
		{"create", "the engine creates a container with a node's settings"}, {"start", "… starts it"}, {"remove", "… reports its end, which comes at once, and removes it"},
	} {
		s.add(t, bench.Row{Key: "container-" + part.name, What: part.what, Nodes: 1, Unit: bench.Seconds, By: "engine", Beside: "bare Docker client", Theirs: got[part.name]})
	}
}

// floor is what every cluster needs, made by hand with the bare client and as much parallelism
// as the engine gains from: a network, and containers.
type floor struct {
	cli     *client.Client
	model   model
	network string
	ids     []string
	// When each distribution port answered, and when each application answered over HTTP,
	// from the first request to the engine. They are not the same work: a VM boots its
	// applications after its port opens.
	listening, serving time.Duration
	began              time.Time
}

func (s *session) raise(t *testing.T, m model, n int) *floor {
	t.Helper()
	began := time.Now()
	created, err := s.cli.NetworkCreate(t.Context(), "beamyard-bench-floor", client.NetworkCreateOptions{
		Driver: "bridge",
		IPAM: &network.IPAM{Config: []network.IPAMConfig{{
			Subnet: netip.MustParsePrefix("10.214.0.0/24"), Gateway: netip.MustParseAddr("10.214.0.1"),
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	f := &floor{cli: s.cli, model: m, network: created.ID, ids: make([]string, n), began: began}
	t.Cleanup(func() { f.raze(t) })
	group, ctx := errgroup.WithContext(t.Context())
	slots := make(chan struct{}, 4)
	at := make([]time.Duration, n)
	for i := range n {
		group.Go(func() error {
			slots <- struct{}{}
			err := f.launch(ctx, i)
			<-slots
			if err != nil {
				return err
			}
			if err := until(ctx, func() error { return listens(ctx, f.address(i)) }); err != nil {
				return err
			}
			at[i] = time.Since(began)
			return until(ctx, func() error { return healthy(ctx, f.address(i).String()+":4000") })
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	f.listening, f.serving = slices.Max(at), time.Since(began)
	return f
}

// connect has the first node connect to all others, over one connection of the distribution,
// until every node sees every other. It returns the time since the first request to the engine.
func (f *floor) connect(t *testing.T) float64 {
	t.Helper()
	cookie := ""
	for _, variable := range f.model.config.Env {
		if value, ok := strings.CutPrefix(variable, "ERLANG_COOKIE="); ok {
			cookie = value
		}
	}
	dialer := erldist.Dialer{Cookie: cookie}
	conn, err := dialer.Dial(t.Context(), "app@"+host(0), f.address(0).String()+":9100")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	others := make(erldist.List, 0, len(f.ids)-1)
	for i := range f.ids[1:] {
		others = append(others, erldist.Atom("app@"+host(i+1)))
	}
	const connects = `[true = net_kernel:connect_node(N) || N <- Others], ok.`
	if _, err := conn.Eval(t.Context(), connects, map[string]any{"Others": others}); err != nil {
		t.Fatal(err)
	}
	const full = `lists:all(fun(N) -> length(rpc:call(N, erlang, nodes, [])) =:= length(Others) end, [node() | Others]).`
	err = until(t.Context(), func() error {
		all, err := conn.Eval(t.Context(), full, map[string]any{"Others": others})
		if err == nil && all != erldist.Atom("true") {
			err = errors.New("the mesh is not full")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return time.Since(f.began).Seconds()
}

// host is the host name of a container of the floor.
func host(i int) string { return fmt.Sprintf("f%d.floor.test", i+1) }

func (f *floor) address(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 214, 0, byte(10 + i)}) }

func (f *floor) launch(ctx context.Context, i int) error {
	host := host(i)
	config, hostConfig := f.model.config, f.model.host
	config.Hostname, config.Labels = host, nil
	config.Cmd, config.Env = f.model.renamed(config.Cmd, host), f.model.renamed(config.Env, host)
	hostConfig.NetworkMode = container.NetworkMode(f.network)
	hostConfig.PortBindings = network.PortMap{}
	for port := range f.model.host.PortBindings {
		hostConfig.PortBindings[port] = []network.PortBinding{{HostIP: netip.MustParseAddr("127.0.0.1"), HostPort: strconv.Itoa(15200 + i)}}
	}
	made, err := f.cli.ContainerCreate(ctx, client.ContainerCreateOptions{
		Name: fmt.Sprintf("beamyard-bench-f%d", i+1), Config: &config, HostConfig: &hostConfig,
		NetworkingConfig: &network.NetworkingConfig{EndpointsConfig: map[string]*network.EndpointSettings{f.network: {
			IPAMConfig: &network.EndpointIPAMConfig{IPv4Address: f.address(i)}, Aliases: []string{host},
		}}},
	})
	if err != nil {
		return err
	}
	f.ids[i] = made.ID
	_, err = f.cli.ContainerStart(ctx, made.ID, client.ContainerStartOptions{})
	return err
}

// raze is the floor of `down`: it removes everything by force, in parallel. It does so once.
func (f *floor) raze(t *testing.T) float64 {
	t.Helper()
	if f.network == "" {
		return 0
	}
	ctx := context.WithoutCancel(t.Context())
	began := time.Now()
	var group errgroup.Group
	for _, id := range f.ids {
		if id != "" {
			group.Go(func() error {
				_, err := f.cli.ContainerRemove(ctx, id, client.ContainerRemoveOptions{Force: true})
				return err
			})
		}
	}
	failed := group.Wait()
	_, err := f.cli.NetworkRemove(ctx, f.network, client.NetworkRemoveOptions{})
	if err := errors.Join(failed, err); err != nil {
		t.Error(err)
	}
	f.network = ""
	return time.Since(began).Seconds()
}

// again kills a container and starts it. It returns the time from the start until its
// application answers.
func (f *floor) again(t *testing.T, i int) float64 {
	t.Helper()
	ctx := t.Context()
	waiting := f.cli.ContainerWait(ctx, f.ids[i], client.ContainerWaitOptions{Condition: container.WaitConditionNextExit})
	if _, err := f.cli.ContainerKill(ctx, f.ids[i], client.ContainerKillOptions{Signal: "KILL"}); err != nil {
		t.Fatal(err)
	}
	select {
	case <-waiting.Result:
	case err := <-waiting.Error:
		t.Fatal(err)
	}
	return seconds(t, func() error {
		if _, err := f.cli.ContainerStart(ctx, f.ids[i], client.ContainerStartOptions{}); err != nil {
			return err
		}
		return until(ctx, func() error { return healthy(ctx, f.address(i).String()+":4000") })
	})
}

func listens(ctx context.Context, address netip.Addr) error {
	dialer := net.Dialer{Timeout: time.Second}
	conn, err := dialer.DialContext(ctx, "tcp", netip.AddrPortFrom(address, 9100).String())
	if err != nil {
		return err
	}
	return conn.Close()
}

// asker does not keep connections: the next container has the same address.
var asker = &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

// healthy asks the demo at an address for its health.
func healthy(ctx context.Context, address string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/health", nil)
	if err != nil {
		return err
	}
	resp, err := asker.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	return nil
}
