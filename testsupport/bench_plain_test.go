//go:build bench

package testsupport_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/exec"
	tcnetwork "github.com/testcontainers/testcontainers-go/network"
	"github.com/testcontainers/testcontainers-go/wait"
	"golang.org/x/sync/errgroup"
)

// plain does the same work with testcontainers alone, as its documentation shows it:
// containers in parallel, each until its application answers, and then a command in each,
// which connects it to the others and reports which nodes it sees.
func plain(t *testing.T, m model, how recipe) time.Duration {
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
				testcontainers.WithCmd(how.command(host)...),
				testcontainers.WithEnv(how.env(host)),
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
		meeting.Go(func() error { return meet(ctx, containers[i], how.ask(host), host, hosts) })
	}
	if err := meeting.Wait(); err != nil {
		t.Fatal(err)
	}
	return time.Since(began)
}

// recipe says how a node runs in a container of testcontainers, and how it is queried:
// ask is a shell command that evaluates $1 in Elixir or $0 in Erlang.
type recipe struct {
	command func(host string) []string
	env     func(host string) map[string]string
	ask     func(host string) string
}

// written is what a reader of the help of Elixir and Mix would write. Each query boots a
// VM of its own.
func written() recipe {
	return recipe{
		func(host string) []string {
			return []string{"elixir", "--name", "app@" + host, "--cookie", "plain", "-S", "mix", "run", "--no-halt"}
		},
		func(string) map[string]string {
			return map[string]string{"MIX_ENV": "dev", "PORT": "4000", "LANG": "C.UTF-8"}
		},
		func(host string) string {
			return fmt.Sprintf(`elixir --hidden --name asker@%[1]s --cookie plain --rpc-eval app@%[1]s "$1"`, host)
		},
	}
}

// tuned uses all that Beamyard knows: its command and settings, and the fastest query
// that the image supports.
func tuned(m model) recipe {
	return recipe{
		func(host string) []string { return m.renamed(m.config.Cmd, host) },
		m.env,
		func(host string) string {
			return `echo "$0" | erl_call -address 9100 -c ` + m.env(host)["ERLANG_COOKIE"] + ` -e`
		},
	}
}

// meet connects a node to the others, and fails unless it sees all of them.
func meet(ctx context.Context, c testcontainers.Container, command, host string, hosts []string) error {
	var others []string
	for _, other := range hosts {
		if other != host {
			others = append(others, "'app@"+other+"'")
		}
	}
	list := strings.Join(others, ",")
	erlang := fmt.Sprintf("[true = net_kernel:connect_node(N) || N <- [%s]], length(nodes()).", list)
	elixir := fmt.Sprintf("for n <- [%s], do: true = Node.connect(n); IO.puts(length(Node.list()))", strings.ReplaceAll(list, "'app", ":'app"))
	code, out, err := c.Exec(ctx, []string{"sh", "-c", command, erlang, elixir}, exec.Multiplexed())
	if err != nil {
		return err
	}
	text, err := io.ReadAll(out)
	if err != nil {
		return err
	}
	said := strings.Trim(string(text), "{ok, }\n")
	if code != 0 || said != strconv.Itoa(len(others)) {
		return fmt.Errorf("%s: %s exited with %d and printed %q, want %d", host, command, code, text, len(others))
	}
	return nil
}
