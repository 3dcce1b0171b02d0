//go:build bench

package bench_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	tcexec "github.com/testcontainers/testcontainers-go/exec"
	tcnetwork "github.com/testcontainers/testcontainers-go/network"
	"github.com/testcontainers/testcontainers-go/wait"
	"golang.org/x/sync/errgroup"
)

// The other tools start the same image under what a reader of the help of Elixir and Mix would
// write. None of them connects the nodes, so a command on the first node does it at the end.

func mixRun(host string) []string {
	return []string{"elixir", "--name", "app@" + host, "--cookie", "plain", "-S", "mix", "run", "--no-halt"}
}

var mixEnv = map[string]string{"MIX_ENV": "dev", "PORT": "4000", "LANG": "C.UTF-8"}

// connect is a command that connects the first host's node to the others, and returns when
// every node sees all others.
func connect(hosts []string) []string {
	others := make([]string, 0, len(hosts)-1)
	for _, host := range hosts[1:] {
		others = append(others, `:"app@`+host+`"`)
	}
	expression := fmt.Sprintf(`
others = [%s]
for n <- others, do: true = Node.connect(n)
full = fn -> Enum.all?([node() | others], &(length(:rpc.call(&1, :erlang, :nodes, [])) == %d)) end
true = Enum.any?(1..1000, fn _ -> full.() or (Process.sleep(20) && false) end)
IO.puts("connected")
`, strings.Join(others, ", "), len(others))
	return []string{"elixir", "--hidden", "--name", "asker@" + hosts[0], "--cookie", "plain", "--rpc-eval", "app@" + hosts[0], expression}
}

// composer is one version of Compose.
type composer struct {
	by, name string
	command  []string // none: why
	why      string
	waits    bool // it knows `up --wait`
}

// composers finds Compose 1 and 2.
func (s *session) composers(t *testing.T) []composer {
	t.Helper()
	one := composer{by: "compose1", name: "Compose 1", why: "Compose 1 is not installed"}
	two := composer{by: "compose2", name: "Compose 2", waits: true, why: "Compose 2 is not installed"}
	if why, ok := strings.CutPrefix(*compose, "no: "); ok {
		two.why = why
	}
	for _, command := range [][]string{{*compose}, {"docker", "compose"}, {"docker-compose"}} {
		if command[0] == "" || strings.HasPrefix(command[0], "no: ") {
			continue
		}
		out, err := exec.CommandContext(t.Context(), command[0], append(command[1:], "version", "--short")...).Output()
		version := plain(strings.TrimPrefix(strings.TrimSpace(string(out)), "v"))
		into := &two
		if strings.HasPrefix(version, "1.") {
			into = &one
		}
		if err == nil && version != "" && into.command == nil {
			into.command, into.name, into.why = command, "Compose "+version, ""
			s.run.Software = append(s.run.Software, "Compose "+version)
		}
	}
	return []composer{one, two}
}

// contend starts nodes with Compose until they are healthy, and connects them.
func (c composer) contend(s *session, nodes int) contender {
	return func(t *testing.T) map[string]float64 {
		t.Helper()
		dir := t.TempDir()
		hosts := c.write(t, s.model, dir, nodes)
		project := func(ctx context.Context, args ...string) error {
			args = append(append(append([]string{}, c.command[1:]...), "-p", "beamyardbench"), args...)
			cmd := exec.CommandContext(ctx, c.command[0], args...)
			cmd.Dir = dir
			if out, err := cmd.CombinedOutput(); err != nil {
				return fmt.Errorf("%s %v: %w\n%s", c.name, args, err, out)
			}
			return nil
		}
		defer func() {
			// Engine 20.10 can go on counting an endpoint of a container that it has removed, if many
			// are removed at once. It then never removes the network; the next round uses it again.
			err := project(context.WithoutCancel(t.Context()), "down", "-t", "0")
			if err != nil && strings.Contains(err.Error(), "has active endpoints") {
				t.Log(err)
			} else if err != nil {
				t.Error(err)
			}
		}()
		took := seconds(t, func() error {
			up := []string{"up", "-d"}
			if c.waits {
				up = append(up, "--wait")
			}
			if err := project(t.Context(), up...); err != nil {
				return err
			}
			if !c.waits {
				if err := s.wellByCheck(t.Context(), nodes); err != nil {
					return err
				}
			}
			return project(t.Context(), append([]string{"exec", "-T", "c1"}, connect(hosts)...)...)
		})
		return map[string]float64{c.by: took}
	}
}

// checkEvery is the interval of the health checks. Each check is a process in each container:
// every second on fifty nodes would leave two processors no time for the nodes.
func checkEvery(nodes int) time.Duration {
	return max(time.Second, time.Duration(nodes/10)*time.Second)
}

// write writes the Compose file, and returns the hosts.
func (c composer) write(t *testing.T, m model, dir string, nodes int) (hosts []string) {
	t.Helper()
	quoted := func(v any) string {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return strings.ReplaceAll(string(text), "$", "$$") // JSON is YAML; Compose replaces variables
	}
	var text strings.Builder
	if !c.waits {
		text.WriteString("version: '3.5'\n") // Compose 2 warns that it ignores it
	}
	text.WriteString("networks: {b: {ipam: {config: [{subnet: 10.214.1.0/24}]}}}\nservices:\n")
	check := []string{"CMD", "bash", "-c", `exec 3<>/dev/tcp/127.0.0.1/4000 && printf 'GET /health HTTP/1.0\r\n\r\n' >&3 && head -n 1 <&3 | grep -q ' 200 '`}
	for i := range nodes {
		host := fmt.Sprintf("c%d.compose.test", i+1)
		hosts = append(hosts, host)
		fmt.Fprintf(&text, "  c%d:\n    image: %s\n    hostname: %s\n    init: true\n    user: %q\n    command: %s\n    environment: %s\n    ports: ['127.0.0.1:%d:4000']\n    networks: {b: {ipv4_address: 10.214.1.%d, aliases: [%s]}}\n    healthcheck: {test: %s, interval: %s, timeout: 30s, retries: 100}\n",
			i+1, m.config.Image, host, m.config.User, quoted(mixRun(host)), quoted(mixEnv), 15400+i, 10+i, host, quoted(check), checkEvery(nodes))
	}
	if err := os.WriteFile(filepath.Join(dir, "docker-compose.yml"), []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return hosts
}

// wellByCheck waits until the engine calls all containers of the project healthy.
func (s *session) wellByCheck(ctx context.Context, nodes int) error {
	filters := make(client.Filters).Add("label", "com.docker.compose.project=beamyardbench").Add("health", string(container.Healthy))
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		listed, err := s.cli.ContainerList(ctx, client.ContainerListOptions{Filters: filters})
		if err != nil || len(listed.Items) == nodes {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// testContainers starts nodes with testcontainers-go alone, as its documentation shows it:
// containers in parallel, each until its application answers.
func (s *session) testContainers(nodes int) contender {
	return func(t *testing.T) map[string]float64 {
		t.Helper()
		ctx, after := t.Context(), context.WithoutCancel(t.Context())
		began := time.Now()
		nw, err := tcnetwork.New(ctx)
		if err != nil {
			t.Fatal(err)
		}
		containers := make([]*testcontainers.DockerContainer, nodes)
		defer func() {
			var group errgroup.Group
			for _, c := range containers {
				group.Go(func() error { return testcontainers.TerminateContainer(c, testcontainers.StopTimeout(0)) })
			}
			if err := errors.Join(group.Wait(), nw.Remove(after)); err != nil {
				t.Error(err)
			}
		}()
		hosts := make([]string, nodes)
		for i := range hosts {
			hosts[i] = "p" + strconv.Itoa(i+1) + ".plain.test"
		}
		group, starting := errgroup.WithContext(ctx)
		for i, host := range hosts {
			group.Go(func() (err error) {
				containers[i], err = testcontainers.Run(starting, s.model.config.Image,
					testcontainers.WithCmd(mixRun(host)...),
					testcontainers.WithEnv(mixEnv),
					testcontainers.WithConfigModifier(func(c *container.Config) { c.Hostname, c.User = host, s.model.config.User }),
					testcontainers.WithHostConfigModifier(func(h *container.HostConfig) { h.Init, h.Ulimits = s.model.host.Init, s.model.host.Ulimits }),
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
		code, out, err := containers[0].Exec(ctx, connect(hosts), tcexec.Multiplexed())
		if err != nil {
			t.Fatal(err)
		}
		if text, err := io.ReadAll(out); err != nil || code != 0 || !strings.Contains(string(text), "connected") {
			t.Fatalf("connect: exit code %d, %v: %s", code, err, text)
		}
		return map[string]float64{"testcontainers": time.Since(began).Seconds()}
	}
}
