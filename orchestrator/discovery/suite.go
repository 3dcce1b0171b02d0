package discovery

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/beamyard/beamyard/network"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/hint"
	"github.com/beamyard/beamyard/orchestrator/internal/manifest"
	"github.com/beamyard/beamyard/orchestrator/internal/reach"
	"github.com/beamyard/beamyard/orchestrator/logs"
)

// This file runs a project's ExUnit suite next to the nodes of a cluster:
//
//	n1 ─── n2        nodes, as usual
//	  \   /
//	   test          a helper: mix test, under its own name, once
//
// A line of Elixir before Mix connects the helper to every node. The kernel's
// sync_nodes_mandatory could do that at boot, but then the cookie must come from the
// command line or a file. The nodes have theirs as -setcookie in ERL_AFLAGS, which every
// VM that a test starts inherits: a test that gives its peers another cookie would give
// them two, and a VM with two cookies uses neither.

// Suite configures a run of a project's ExUnit tests.
type Suite struct {
	// Image holds the project and its tests, compiled with MIX_ENV=test.
	Image string
	// Args are the arguments of `mix test`.
	Args []string
	// Colors makes Mix and ExUnit print colors, as on a terminal.
	Colors bool
	// Keep keeps the container of a failed suite until the cluster is removed.
	Keep bool
	// Output is called with each line that the suite prints, as the engine delivers it:
	// one line at a time. If it returns an error, the suite ends.
	Output func(orchestrator.Line) error
}

// RunSuite runs a suite in a container of the cluster that is not a node. The container's
// VM has the name app@test.CLUSTER.DOMAIN, is connected to all nodes, and is on the
// networks of the whole cluster. RunSuite returns the exit code of `mix test`: 0; 2 if
// tests fail; 1 if they do not compile, or the nodes cannot be reached. With an image
// without tests it is 0: set [orchestrator.Spec.Suite] to make Prepare refuse such an
// image. The suite finds the nodes in BEAMYARD_NODES (n1,n2), BEAMYARD_NODE_NAMES and
// BEAMYARD_URLS, whose addresses are valid inside the container. When ctx ends, the suite
// is killed.
func RunSuite(ctx context.Context, eng orchestrator.Engine, f Cluster, s Suite) (exitCode int, err error) {
	if _, taken := f.Node(manifest.SuiteName); taken {
		return 0, orchestrator.WithHint(fmt.Errorf("a node of %s is called %s, as the suite's own is", f.Cluster, manifest.SuiteName), "name it otherwise")
	}
	info, err := eng.Info(ctx)
	if err != nil {
		return 0, err
	}
	c := f.suiteSpec(s)
	c.NoFile = reach.FileLimit(info)
	id, err := f.startHelper(ctx, eng, manifest.SuiteName, c)
	if err != nil {
		return 0, fmt.Errorf("start the suite: %w", err)
	}
	defer func() {
		if s.Keep && exitCode != 0 && err == nil {
			return
		}
		cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), orchestrator.RemovalTime)
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
		return ended.State.ExitCode, orchestrator.WithHint(errors.New("the kernel killed the suite: out of memory"), "see what the engine's machine has: %s", hint.Doctor.With())
	}
	return ended.State.ExitCode, nil
}

// show calls fn with each line that a container prints, until the container has exited.
func show(ctx context.Context, eng orchestrator.Engine, id string, fn func(orchestrator.Line) error) error {
	const keptLines = 8192 // for readers slower than the output
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	out := logs.NewNode(manifest.SuiteName, keptLines)
	followed := make(chan struct{})
	go func() {
		defer close(followed)
		defer out.Out.Close()
		out.Follow(ctx, eng, id, 1, time.Time{})
	}()
	err := out.Out.Read(ctx, orchestrator.LogQuery{Follow: true}, fn)
	stopped := ctx.Err()
	cancel()
	<-followed
	return errors.Join(err, stopped)
}

// suiteSpec returns the container of a suite.
func (f Cluster) suiteSpec(s Suite) orchestrator.ContainerSpec {
	f.Spec.Image, f.Spec.MixEnv = s.Image, "test"
	flags := manifest.VMFlags(f.Spec)
	if s.Colors {
		flags += " -elixir ansi_enabled true"
	}
	// A temporary cookie, until the suite sets the real one: without any, a VM writes a
	// cookie file into its home directory.
	f.Spec.Owner = f.Owner
	c := manifest.Helper(f.Spec, f.NetworkID, f.Created, manifest.SuiteName, append([]string{
		"elixir", manifest.NameFlag(f.Spec), f.Spec.Names().Node(manifest.SuiteName), "--cookie", rand.Text(), "--erl", flags,
		"-e", connectFirst, "-S", "mix", "test",
	}, s.Args...))
	c.Memory, c.CPUs = 0, 0 // the limits are for nodes
	var names, beams, urls []string
	for _, n := range f.Nodes {
		names, beams = append(names, n.Name), append(beams, n.Node)
		if port := f.Spec.Node(n.Name).HTTPPort; port > 0 {
			urls = append(urls, "http://"+network.HostPort(n.Host, port))
		}
	}
	c.Env = withEnv(c.Env, map[string]string{
		"MIX_ENV":             f.Spec.MixEnv,
		"ERL_AFLAGS":          manifest.EnvFlags(f.Spec, "ERL_AFLAGS"),
		"BEAMYARD_CLUSTER":    f.Spec.Name,
		"BEAMYARD_NODES":      strings.Join(names, ","),
		"BEAMYARD_NODE_NAMES": strings.Join(beams, ","),
		"BEAMYARD_URLS":       strings.Join(urls, ","),
	})
	return c
}

// withEnv returns a list of KEY=value with some values replaced.
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

// connectFirst runs before Mix. The nodes are Ready: one that does not answer now is
// unlikely to answer later.
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
