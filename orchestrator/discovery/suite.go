package discovery

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/beamyard/beamyard/network"
	"github.com/beamyard/beamyard/network/erldist"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/hint"
	"github.com/beamyard/beamyard/orchestrator/internal/dist"
	"github.com/beamyard/beamyard/orchestrator/internal/manifest"
	"github.com/beamyard/beamyard/orchestrator/internal/reach"
	"github.com/beamyard/beamyard/orchestrator/internal/wait"
	"github.com/beamyard/beamyard/orchestrator/logs"
	"github.com/beamyard/beamyard/orchestrator/suite"
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
	// Beamyard answers the tests that break the cluster on purpose: the suite's VM gets the
	// module Beamyard, see package suite. Nil: it gets none.
	Beamyard *suite.Server
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
	secret := rand.Text()
	c := f.suiteSpec(s, secret)
	c.NoFile = reach.FileLimit(info)
	at := f.addressesFrom(ctx, eng, info)
	var files []byte
	if s.Beamyard != nil {
		if files, err = moduleFile(); err != nil {
			return 0, err
		}
		if port := f.Spec.Distribution.Port; !at.Direct && port > 0 {
			c.Ports = []orchestrator.PortBinding{{Container: uint16(port), HostIP: manifest.PublishAddress(info)}}
		}
	}
	id, err := f.startHelper(ctx, eng, manifest.SuiteName, c, files)
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
	if s.Beamyard != nil {
		serving, cancel := context.WithCancel(ctx)
		var server sync.WaitGroup
		server.Go(func() { f.answer(serving, eng, at, id, secret, s.Beamyard) })
		defer server.Wait() // it ends soon: nothing is asked any more
		defer cancel()
	}
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

// moduleFile returns an archive with the source of the module Beamyard.
func moduleFile() ([]byte, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	err := w.WriteHeader(&tar.Header{Name: strings.TrimPrefix(modulePath, "/"), Mode: 0o644, Size: int64(len(suite.Module)), Typeflag: tar.TypeReg})
	if err == nil {
		_, err = w.Write([]byte(suite.Module))
	}
	return b.Bytes(), errors.Join(err, w.Close())
}

// modulePath is the path of the module's source in the suite's container.
const modulePath = "/beamyard/beamyard.ex"

// answer answers the requests of a suite's VM until ctx ends. It connects again when the
// connection ends, as when a test restarts the distribution.
func (f Cluster) answer(ctx context.Context, eng orchestrator.Engine, at reach.Addresses, id, cookie string, server *suite.Server) {
	const again = 50 * time.Millisecond
	c, err := eng.InspectContainer(ctx, id)
	if err != nil {
		return // it has ended, or the suite says that nobody answers
	}
	addr := at.Dist(orchestrator.Placement{IP: c.Address(f.NetworkID), Ports: c.Ports})
	dialer, err := dist.Dialer(f.Spec, orchestrator.SupervisorNode)
	if err != nil {
		return // as above
	}
	dialer.Cookie, dialer.Limits = cookie, erldist.Limits{Bytes: 1 << 20, Depth: 100}
	for ctx.Err() == nil {
		conn, err := dialer.Dial(ctx, f.Spec.Names().Node(manifest.SuiteName), addr)
		if err == nil {
			_ = server.Serve(ctx, conn) // the end of ctx or of the connection
			_ = conn.Close()
		}
		wait.Sleep(ctx, again) // it does not listen yet, or not any more
	}
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
func (f Cluster) suiteSpec(s Suite, cookie string) orchestrator.ContainerSpec {
	f.Spec.Image, f.Spec.MixEnv = s.Image, "test"
	// Otherwise global disconnects the suite from one side of a partition: the suite sees both.
	f.Spec.Distribution.OverlappingPartitions = true
	flags := manifest.VMFlags(f.Spec)
	if s.Colors {
		flags += " -elixir ansi_enabled true"
	}
	first := []string{"-e", connectFirst}
	if s.Beamyard != nil {
		first = append(first, "-e", suite.Install)
	}
	// The cookie of its own is for the connection of this process, which is there before the
	// suite sets that of the nodes. And without any, a VM writes a cookie file into its home
	// directory.
	f.Spec.Owner = f.Owner
	c := manifest.Helper(f.Spec, f.NetworkID, f.Created, manifest.SuiteName, slices.Concat([]string{
		"elixir", manifest.NameFlag(f.Spec), f.Spec.Names().Node(manifest.SuiteName), "--cookie", cookie, "--erl", flags,
	}, first, []string{"-S", "mix", "test"}, s.Args))
	c.Memory, c.CPUs = 0, 0 // the limits are for nodes
	var names, beams, urls []string
	for _, n := range f.Nodes {
		names, beams = append(names, n.Name), append(beams, n.Node)
		if port := f.Spec.Node(n.Name).HTTPPort; port > 0 {
			urls = append(urls, "http://"+network.HostPort(n.Host, port))
		}
	}
	env := map[string]string{
		"MIX_ENV":             f.Spec.MixEnv,
		"ERL_AFLAGS":          strings.TrimSpace(manifest.EnvFlags(f.Spec, "ERL_AFLAGS") + " " + manifest.LoadTLS(f.Spec.Distribution)),
		"BEAMYARD_CLUSTER":    f.Spec.Name,
		"BEAMYARD_NODES":      strings.Join(names, ","),
		"BEAMYARD_NODE_NAMES": strings.Join(beams, ","),
		"BEAMYARD_URLS":       strings.Join(urls, ","),
	}
	if s.Beamyard != nil {
		env[suite.ModuleVariable] = modulePath
	}
	c.Env = withEnv(c.Env, env)
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
Node.set_cookie(:"` + orchestrator.SupervisorNode + `", Node.get_cookie())
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
