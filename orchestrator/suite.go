package orchestrator

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// This file runs a project's ExUnit suite beside the nodes of a cluster:
//
//	n1 ─── n2        nodes, as ever
//	  \   /
//	   test          a helper: mix test, under a name of its own, once
//
// The helper is connected to every node before Mix begins, by a line of Elixir that
// goes before it. The kernel's sync_nodes_mandatory would do that at boot; but it
// takes the cookie from the command line or from a file then, and a -setcookie in
// ERL_AFLAGS, where nodes have theirs, is handed down to every VM that a test starts:
// one that gives its peers a cookie of their own would have two, and the VM takes
// neither.

// suiteHelper is the helper's name.
const suiteHelper = "test"

// Suite is a run of a project's ExUnit tests.
type Suite struct {
	// Image holds the project and its tests, compiled with MIX_ENV=test.
	Image string
	// Args of `mix test`.
	Args []string
	// Colors has Mix and ExUnit print them, as on a terminal.
	Colors bool
	// Keep leaves the container of a suite that fails, with the cluster.
	Keep bool
	// Output is called with each line that it prints, as the engine hands it over: a
	// line at a time. An error of it ends the suite.
	Output func(Line) error
}

// RunSuite runs a suite in a container of the cluster that is no node of it, under
// the name app@test.CLUSTER.DOMAIN, connected to all nodes, and on the networks that
// the whole cluster is on. It returns the exit code of `mix test`: 0, 2 where tests
// fail, 1 where they do not compile, or the nodes cannot be reached. With an image
// without tests it is 0: [Spec.Suite] has Prepare refuse that. The suite finds the
// nodes in BEAMYARD_NODES (n1,n2), BEAMYARD_NODE_NAMES and, by addresses that hold
// inside, BEAMYARD_URLS. When ctx ends the suite is killed.
func RunSuite(ctx context.Context, eng Engine, f Found, s Suite) (exitCode int, err error) {
	if _, taken := f.Node(suiteHelper); taken {
		return 0, WithHint(fmt.Errorf("a node of %s is called %s, as the suite's own is", f.Cluster, suiteHelper), "name it otherwise in beamyard.yml")
	}
	info, err := eng.Info(ctx)
	if err != nil {
		return 0, err
	}
	c := f.suiteSpec(s)
	c.NoFile = allowedNoFile(info)
	id, err := f.startHelper(ctx, eng, suiteHelper, c)
	if err != nil {
		return 0, fmt.Errorf("start the suite: %w", err)
	}
	defer func() {
		if s.Keep && exitCode != 0 && err == nil {
			return
		}
		cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), teardown)
		defer cancel()
		err = errors.Join(err, eng.RemoveContainer(cleanup, id))
	}()
	if err := show(ctx, eng, id, s.Output); err != nil {
		return 0, err
	}
	ended, err := eng.InspectContainer(ctx, id)
	if err != nil {
		return 0, fmt.Errorf("look at the suite's end: %w", err)
	}
	if ended.State.OOMKilled {
		return ended.State.ExitCode, WithHint(errors.New("the suite was killed for want of memory"), "see what the engine's machine has: beamyard doctor")
	}
	return ended.State.ExitCode, nil
}

// startHelper makes and starts a helper, in place of one that has ended.
func (f Found) startHelper(ctx context.Context, eng Engine, name string, c ContainerSpec) (id string, err error) {
	if old, there := f.Helpers[name]; there {
		if old.State.Running {
			return "", WithHint(fmt.Errorf("%w: %s", ErrNameTaken, old.Name), "one runs in this cluster already; end it: docker rm -f %s", old.Name)
		}
		if err := eng.RemoveContainer(ctx, old.ID); err != nil {
			return "", err
		}
	}
	for {
		if id, err = eng.CreateContainer(ctx, c); leftOut(&c, err) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("create container %s: %w", c.Name, err)
		}
		if err = f.attachHelper(ctx, eng, name, id); err == nil {
			err = eng.StartContainer(ctx, id)
		}
		if err == nil {
			return id, nil
		}
		cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), teardown)
		removed := eng.RemoveContainer(cleanup, id)
		cancel()
		if removed != nil || !leftOut(&c, err) {
			return "", errors.Join(fmt.Errorf("start container %s: %w", c.Name, err), removed)
		}
	}
}

// show gives fn what a container prints, until that has exited.
func show(ctx context.Context, eng Engine, id string, fn func(Line) error) error {
	const keptLines = 8192 // for who reads more slowly than it prints
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	out := newNodeOutput(suiteHelper, keptLines)
	followed := make(chan struct{})
	go func() {
		defer close(followed)
		defer out.out.Close()
		out.follow(ctx, eng, id, 1, time.Time{})
	}()
	err := out.out.Read(ctx, LogQuery{Follow: true}, fn)
	stopped := ctx.Err()
	cancel()
	<-followed
	return errors.Join(err, stopped)
}

// suiteSpec is the container of a suite.
func (f Found) suiteSpec(s Suite) ContainerSpec {
	f.Spec.Image, f.Spec.MixEnv = s.Image, "test"
	flags := vmFlags(f.Spec)
	if s.Colors {
		flags += " -elixir ansi_enabled true"
	}
	// A cookie for the moment until the suite takes its own: without any, a VM writes
	// one into its home.
	c := f.helperSpec(suiteHelper, append([]string{
		"elixir", nameFlag(f.Spec), f.Spec.names().Node(suiteHelper), "--cookie", rand.Text(), "--erl", flags,
		"-e", connectFirst, "-S", "mix", "test",
	}, s.Args...))
	c.Memory, c.CPUs = 0, 0 // a node's limits are for a node
	var names, beams, urls []string
	for _, n := range f.Nodes {
		names, beams = append(names, n.Name), append(beams, n.Node)
		if port := f.Spec.of(n.Name).HTTPPort; port > 0 {
			urls = append(urls, "http://"+hostPort(n.Host, port))
		}
	}
	c.Env = withEnv(c.Env, map[string]string{
		"MIX_ENV":             f.Spec.MixEnv,
		"ERL_AFLAGS":          f.Spec.joinedFlags("ERL_AFLAGS"),
		"BEAMYARD_CLUSTER":    f.Spec.Name,
		"BEAMYARD_NODES":      strings.Join(names, ","),
		"BEAMYARD_NODE_NAMES": strings.Join(beams, ","),
		"BEAMYARD_URLS":       strings.Join(urls, ","),
	})
	return c
}

// withEnv is a list of KEY=value with some replaced.
func withEnv(env []string, by map[string]string) []string {
	list := slices.DeleteFunc(slices.Clone(env), func(kv string) bool {
		key, _, _ := strings.Cut(kv, "=")
		_, replaced := by[key]
		return replaced
	})
	for _, key := range slices.Sorted(maps.Keys(by)) {
		list = append(list, key+"="+by[key])
	}
	return list
}

// connectFirst goes before Mix. The nodes are Ready: one that does not answer now
// will hardly do so later.
const connectFirst = `
Node.set_cookie(String.to_atom(System.fetch_env!("ERLANG_COOKIE")))
nodes = for n <- String.split(System.fetch_env!("BEAMYARD_NODE_NAMES"), ",", trim: true), do: String.to_atom(n)
connect = fn connect, tries ->
  case Enum.reject(nodes, &(Node.connect(&1) == true)) do
    [] -> :global.sync()
    missing when tries == 0 ->
      IO.puts(:stderr, "the suite cannot be connected to #{Enum.join(missing, ", ")}")
      System.halt(1)
    _ ->
      Process.sleep(200)
      connect.(connect, tries - 1)
  end
end
connect.(connect, 20)
`
