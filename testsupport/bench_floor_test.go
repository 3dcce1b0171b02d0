//go:build bench

package testsupport_test

import (
	"context"
	"errors"
	"fmt"
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

	"github.com/beamyard/beamyard/testsupport"
)

// model is a real node's container, whose settings the floor and the plain version copy.
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

// renamed replaces the name of the model's node with that of another host's node.
func (m model) renamed(words []string, host string) []string {
	words = slices.Clone(words)
	for i := range words {
		words[i] = strings.ReplaceAll(words[i], m.beam, "app@"+host)
	}
	return words
}

// env returns the model's environment as testcontainers takes it.
func (m model) env(host string) map[string]string {
	env := map[string]string{}
	for _, kv := range m.renamed(m.config.Env, host) {
		key, value, _ := strings.Cut(kv, "=")
		env[key] = value
	}
	return env
}

// floor does by hand what every cluster needs, with the bare client of testcontainers and
// with as much parallelism as the engine gains from: a network, containers, until each
// distribution port answers, and then each application.
func floor(t *testing.T, cli *client.Client, m model) (listening, serving time.Duration) {
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
	at := make([]time.Duration, benchNodes)
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
			if err := until(ctx, func() error { return listens(ctx, address) }); err != nil {
				return err
			}
			at[i] = time.Since(began)
			return until(ctx, func() error { return healthy(ctx, address) })
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	return slices.Max(at), time.Since(began)
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

func listens(ctx context.Context, address netip.Addr) error {
	dialer := net.Dialer{Timeout: time.Second}
	conn, err := dialer.DialContext(ctx, "tcp", netip.AddrPortFrom(address, 9100).String())
	if err != nil {
		return err
	}
	return conn.Close()
}

func healthy(ctx context.Context, address netip.Addr) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+netip.AddrPortFrom(address, 4000).String()+"/health", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	if err := resp.Body.Close(); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	return nil
}

// until retries until there is no error.
func until(ctx context.Context, ask func() error) error {
	for {
		err := ask()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}
