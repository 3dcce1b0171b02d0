//go:build bench

package testsupport_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/exec"
	tcnetwork "github.com/testcontainers/testcontainers-go/network"
	"github.com/testcontainers/testcontainers-go/wait"
	"golang.org/x/sync/errgroup"

	"github.com/beamyard/beamyard/testsupport"
)

// The bench measures side by side, in one run, as that of package
// orchestrator/docker does: machines are noisy, so ratios and medians count. It
// prints, and fails only when something does not work.

const benchNodes = 3

// model is a real node's container, whose settings both of the others copy.
type model struct {
	config container.Config
	host   container.HostConfig
	beam   string // "app@n1.demo.test"
}

func modelOf(t *testing.T, c *testsupport.Cluster) model {
	t.Helper()
	n1 := c.Node("n1")
	in, err := n1.Inspect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return model{config: *in.Config, host: *in.HostConfig, beam: n1.BEAM()}
}

// renamed has words name the node of a host instead of the model's.
func (m model) renamed(words []string, host string) []string {
	words = slices.Clone(words)
	for i := range words {
		words[i] = strings.ReplaceAll(words[i], m.beam, "app@"+host)
	}
	return words
}

// env is the model's environment as testcontainers takes it.
func (m model) env(host string) map[string]string {
	env := map[string]string{}
	for _, kv := range m.renamed(m.config.Env, host) {
		key, value, _ := strings.Cut(kv, "=")
		env[key] = value
	}
	return env
}

// floor does by hand what no cluster can do without: a network, containers, and a
// distribution port that answers, with the bare client that testcontainers has,
// as parallel as the engine gains from.
func floor(t *testing.T, cli *client.Client, m model) time.Duration {
	t.Helper()
	ctx, after := t.Context(), context.WithoutCancel(t.Context())
	began := time.Now()
	created, err := cli.NetworkCreate(ctx, "beamyard-benchstart", client.NetworkCreateOptions{
		Driver: "bridge",
		IPAM: &network.IPAM{Config: []network.IPAMConfig{{
			Subnet: netip.MustParsePrefix("10.214.2.0/24"), Gateway: netip.MustParseAddr("10.214.2.1"),
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ids := make([]string, benchNodes)
	defer func() {
		var group errgroup.Group
		for _, id := range ids {
			if id != "" {
				group.Go(func() error {
					_, err := cli.ContainerRemove(after, id, client.ContainerRemoveOptions{Force: true})
					return err
				})
			}
		}
		failed := group.Wait()
		_, err := cli.NetworkRemove(after, created.ID, client.NetworkRemoveOptions{})
		if err := errors.Join(failed, err); err != nil {
			t.Error(err)
		}
	}()
	group, ctx := errgroup.WithContext(ctx)
	slots := make(chan struct{}, 4)
	for i := range benchNodes {
		group.Go(func() error {
			address := netip.AddrFrom4([4]byte{10, 214, 2, byte(10 + i)})
			slots <- struct{}{}
			id, err := launch(ctx, cli, m, created.ID, i, address)
			ids[i] = id
			<-slots
			if err != nil {
				return err
			}
			return answers(ctx, address)
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	return time.Since(began)
}

// launch creates and starts a container of the floor.
func launch(ctx context.Context, cli *client.Client, m model, networkID string, i int, address netip.Addr) (string, error) {
	host := fmt.Sprintf("f%d.floor.test", i+1)
	config, hostConfig := m.config, m.host
	config.Hostname, config.Labels = host, nil
	config.Cmd, config.Env = m.renamed(config.Cmd, host), m.renamed(config.Env, host)
	hostConfig.NetworkMode = container.NetworkMode(networkID)
	hostConfig.PortBindings = network.PortMap{}
	for port := range m.host.PortBindings {
		hostConfig.PortBindings[port] = []network.PortBinding{{HostIP: netip.MustParseAddr("127.0.0.1"), HostPort: strconv.Itoa(15600 + i)}}
	}
	made, err := cli.ContainerCreate(ctx, client.ContainerCreateOptions{
		Name: fmt.Sprintf("beamyard-benchstart-f%d", i+1), Config: &config, HostConfig: &hostConfig,
		NetworkingConfig: &network.NetworkingConfig{EndpointsConfig: map[string]*network.EndpointSettings{networkID: {
			IPAMConfig: &network.EndpointIPAMConfig{IPv4Address: address}, Aliases: []string{host},
		}}},
	})
	if err != nil {
		return "", err
	}
	_, err = cli.ContainerStart(ctx, made.ID, client.ContainerStartOptions{})
	return made.ID, err
}

// answers returns once the distribution port does.
func answers(ctx context.Context, address netip.Addr) error {
	dialer := net.Dialer{Timeout: time.Second}
	for {
		conn, err := dialer.DialContext(ctx, "tcp", netip.AddrPortFrom(address, 9100).String())
		if err == nil {
			return conn.Close()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", address, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// proven times testsupport's start, up to the proven mesh.
func proven(t *testing.T, look func(*testsupport.Cluster)) time.Duration {
	t.Helper()
	began := time.Now()
	c, err := testsupport.Run(t.Context(), demo, testsupport.WithNodes(benchNodes))
	took := time.Since(began)
	testsupport.CleanupCluster(t, c)
	if err != nil {
		t.Fatal(err)
	}
	if look != nil {
		look(c)
	}
	if err := c.Terminate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return took
}

// plain does the same work with testcontainers alone, as its documentation shows
// it: containers in parallel, each until its application answers, and then a
// command in each that connects it to the others and tells whom it sees.
func plain(t *testing.T, m model) time.Duration {
	t.Helper()
	ctx, after := t.Context(), context.WithoutCancel(t.Context())
	began := time.Now()
	nw, err := tcnetwork.New(ctx)
	if err != nil {
		t.Fatal(err)
	}
	containers := make([]*testcontainers.DockerContainer, benchNodes)
	defer func() {
		var group errgroup.Group
		for _, c := range containers {
			group.Go(func() error { return testcontainers.TerminateContainer(c, testcontainers.StopTimeout(0)) })
		}
		if err := errors.Join(group.Wait(), nw.Remove(after)); err != nil {
			t.Error(err)
		}
	}()
	hosts := make([]string, benchNodes)
	for i := range hosts {
		hosts[i] = fmt.Sprintf("p%d.plain.test", i+1)
	}
	group, starting := errgroup.WithContext(ctx)
	for i, host := range hosts {
		group.Go(func() (err error) {
			containers[i], err = testcontainers.Run(starting, m.config.Image,
				testcontainers.WithCmd(m.renamed(m.config.Cmd, host)...),
				testcontainers.WithEnv(m.env(host)),
				testcontainers.WithConfigModifier(func(c *container.Config) { c.Hostname, c.User = host, m.config.User }),
				testcontainers.WithHostConfigModifier(func(h *container.HostConfig) { h.Init, h.Ulimits = m.host.Init, m.host.Ulimits }),
				tcnetwork.WithNetwork([]string{host}, nw),
				testcontainers.WithExposedPorts("4000/tcp"),
				testcontainers.WithWaitStrategy(wait.ForHTTP("/health").WithPort("4000/tcp")),
			)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	var meeting errgroup.Group
	for i, host := range hosts {
		meeting.Go(func() error { return meet(ctx, containers[i], m.env(host)["ERLANG_COOKIE"], host, hosts) })
	}
	if err := meeting.Wait(); err != nil {
		t.Fatal(err)
	}
	return time.Since(began)
}

// meet connects a node to the others by erl_call, the quickest that the image has,
// and fails where it does not see all of them.
func meet(ctx context.Context, c testcontainers.Container, cookie, host string, hosts []string) error {
	var others []string
	for _, other := range hosts {
		if other != host {
			others = append(others, "'app@"+other+"'")
		}
	}
	expression := fmt.Sprintf("[true = net_kernel:connect_node(N) || N <- [%s]], length(nodes()).", strings.Join(others, ","))
	code, out, err := c.Exec(ctx, []string{"sh", "-c", `echo "$0" | erl_call -address 9100 -c "$1" -e`, expression, cookie}, exec.Multiplexed())
	if err != nil {
		return err
	}
	text, err := io.ReadAll(out)
	if err != nil {
		return err
	}
	if want := fmt.Sprintf("{ok, %d}", len(others)); code != 0 || strings.TrimSpace(string(text)) != want {
		return fmt.Errorf("%s: erl_call ended with %d and said %q, want %q", host, code, text, want)
	}
	return nil
}

func median[T ~int64 | ~float64](values []T) T {
	values = slices.Sorted(slices.Values(values))
	return values[len(values)/2]
}

// TestBenchStart prints its rows of the table that the README shows.
func TestBenchStart(t *testing.T) {
	cli, err := testcontainers.NewDockerClientWithOpts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer cli.Close()
	var m model
	proven(t, func(c *testsupport.Cluster) { m = modelOf(t, c) }) // also warms every cache

	var took [3][]time.Duration
	work := [3]func() time.Duration{
		func() time.Duration { return floor(t, cli.Client, m) },
		func() time.Duration { return proven(t, nil) },
		func() time.Duration { return plain(t, m) },
	}
	work[0]()
	work[2]()
	var overFloor, overStart []float64
	for round := range 7 {
		order := []int{0, 1, 2}
		if round%2 == 1 {
			slices.Reverse(order)
		}
		for _, i := range order {
			took[i] = append(took[i], work[i]())
		}
		overFloor = append(overFloor, took[1][round].Seconds()/took[0][round].Seconds())
		overStart = append(overStart, took[2][round].Seconds()/took[1][round].Seconds())
		t.Logf("round %d: floor %.2f s, Start %.2f s, plain %.2f s", round+1, took[0][round].Seconds(), took[1][round].Seconds(), took[2][round].Seconds())
	}

	var warm []time.Duration
	for i := range 22 {
		t.Run("shared", func(t *testing.T) {
			began := time.Now()
			testsupport.Shared(t, "bench", demo, testsupport.WithNodes(benchNodes))
			if i > 0 { // the first one starts it
				warm = append(warm, time.Since(began))
			}
		})
	}
	if t.Failed() {
		return
	}
	floorTime, startTime, plainTime := median(took[0]).Seconds(), median(took[1]).Seconds(), median(took[2]).Seconds()
	fmt.Printf(`| what | nodes | other | beamyard | ratio (median of pairs) | target |
|---|---|---|---|---|---|
| testsupport.Start to a proven full mesh (other: the floor) | %[1]d | %.2[2]f s | %.2[3]f s | %.2[4]f | ≤ 1.3 |
| testcontainers-go alone, to a full mesh, over testsupport.Start | %[1]d | %.2[5]f s | %.2[3]f s | %.2[6]f | ≥ 1.5 |
| testsupport.Shared, warm | %[1]d | | %.1[7]f ms | | < 100 ms |
`, benchNodes, floorTime, startTime, median(overFloor), plainTime, median(overStart), float64(median(warm).Microseconds())/1e3)
}
