package testsupport_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/exec"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/discovery"
	"github.com/beamyard/beamyard/orchestrator/docker"
	"github.com/beamyard/beamyard/orchestrator/parking"
	"github.com/beamyard/beamyard/testsupport"
)

// warm makes this test park clusters, in a lot of its own, which ends with the test.
func warm(t *testing.T) *docker.Engine {
	t.Helper()
	dir, err := os.MkdirTemp("", "by") //nolint:usetesting // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	eng, err := docker.New(docker.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_RUNTIME_DIR", dir)
	t.Setenv(parking.Variable, "1")
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		info, err := eng.Info(ctx)
		if err != nil {
			t.Error(err)
		}
		eventually(t, "the lot ends", func() error {
			parking.Evict(ctx, info, "")
			if parking.Answers(ctx, info) {
				return fmt.Errorf("it answers")
			}
			return nil
		})
		if names := parkedNames(t, eng); len(names) > 0 {
			t.Errorf("left parked: %v", names)
		}
		eng.Close()
		_ = os.RemoveAll(dir)
	})
	return eng
}

func eventually(t *testing.T, what string, ok func() error) {
	t.Helper()
	var err error
	for end := time.Now().Add(60 * time.Second); time.Now().Before(end); {
		if err = ok(); err == nil {
			return
		}
		<-time.After(50 * time.Millisecond)
	}
	t.Fatalf("%s: %v", what, err)
}

const parkedIn = "test.parked" // a label: the image stays the same

// mark makes the clusters of a test different from those of every other one.
func mark() testcontainers.ContainerCustomizer {
	return testcontainers.WithLabels(map[string]string{parkedIn: os.Getenv("XDG_RUNTIME_DIR")})
}

// parkedNames returns the clusters of this test that wait.
func parkedNames(t *testing.T, eng orchestrator.Engine) (names []string) {
	t.Helper()
	all, err := discovery.All(context.WithoutCancel(t.Context()), eng)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		if f.Parked && len(f.Nodes) == len(f.Spec.Nodes) && f.Spec.Labels[parkedIn] == os.Getenv("XDG_RUNTIME_DIR") {
			names = append(names, f.Cluster)
		}
	}
	return names
}

// awaitParked waits until a cluster is parked, and returns its name.
func awaitParked(t *testing.T, eng orchestrator.Engine) (name string) {
	t.Helper()
	eventually(t, "a cluster is parked", func() error {
		names := parkedNames(t, eng)
		if len(names) == 0 {
			return fmt.Errorf("none is")
		}
		name = names[0]
		return nil
	})
	return name
}

// process prints what the kernel says of the first process of a node's command: the child of the
// engine's init, or the first process itself.
const process = `p=1; for s in /proc/[0-9]*/stat; do read -r pid _ _ parent _ <$s; [ "$parent" = 1 ] && [ $pid != $$ ] && p=$pid && break; done
echo "environ"; tr '\0' '\n' </proc/$p/environ | sort; echo "cmdline"; tr '\0' '\n' </proc/$p/cmdline; cat /proc/$p/limits
grep -E '^(Uid|Gid|Groups|CapEff|Seccomp|NoNewPrivs|SigBlk|SigIgn|Umask):' /proc/$p/status; readlink /proc/$p/cwd /proc/$p/fd/0 /proc/$p/root; cat /etc/hosts; ls -A / /tmp`

// facts returns what can be said of a cluster's nodes, without the names, addresses and IDs in
// which any two clusters differ.
func facts(t *testing.T, c *testsupport.Cluster) map[string]string {
	t.Helper()
	all := map[string]string{}
	replace := []string{c.Name(), "NAME", c.Spec().Cookie, "COOKIE"}
	for _, n := range c.Nodes() {
		st := n.Status()
		replace = append(replace, st.IP.String(), "IP-"+n.Short(), st.ContainerID, "ID", st.ContainerID[:12], "ID")
	}
	if st, err := c.Controller().Status(t.Context()); err == nil {
		replace = append(replace, st.NetworkID, "NETWORK")
	}
	plain := strings.NewReplacer(replace...).Replace
	for _, n := range c.Nodes() {
		code, out, err := n.Exec(t.Context(), []string{"sh", "-c", process}, exec.Multiplexed())
		if err != nil || code != 0 {
			t.Fatalf("exit %d, %v", code, err)
		}
		text, err := io.ReadAll(out)
		if err != nil {
			t.Fatal(err)
		}
		all[n.Short()+" process"] = plain(string(text))
		in, err := n.Inspect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		labels := map[string]string{}
		for key, value := range in.Config.Labels {
			labels[key] = plain(value)
		}
		for _, own := range []string{orchestrator.LabelOwner, orchestrator.LabelCreated, orchestrator.LabelPorts, "org.testcontainers.sessionId", "org.testcontainers.reap"} {
			delete(labels, own)
		}
		all[n.Short()+" labels"] = jsonOf(t, labels)
		in.Config.Labels, in.Config.Entrypoint, in.Config.Cmd = nil, nil, nil
		for port, bindings := range in.HostConfig.PortBindings {
			for i := range bindings {
				bindings[i].HostPort = "PORT"
			}
			in.HostConfig.PortBindings[port] = bindings
		}
		all[n.Short()+" config"] = plain(jsonOf(t, in.Config))
		all[n.Short()+" host config"] = plain(jsonOf(t, in.HostConfig))
		all[n.Short()+" first lines"] = plain(c.Output(n.Short()).String())
		st := n.Status()
		all[n.Short()+" status"] = fmt.Sprint(st.State, st.Incarnation, st.RestartCount, plain(st.Node), time.Since(st.StartedAt) < 30*time.Second)
	}
	return all
}

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	text, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// What is true of a fresh cluster is true of one that was parked, and its nodes' crashes, stops
// and restarts are as well.
func TestAParkedClusterIsEqualToAFreshOne(t *testing.T) {
	eng := warm(t)
	testsupport.NoLeaks(t)
	start := func(name string, f func(t *testing.T, c *testsupport.Cluster, took time.Duration)) {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			c := testsupport.Start(t, demo, testsupport.WithNodes(3), mark(), testsupport.WithEnv("FROM", "a b"),
				testcontainers.WithHostConfigModifier(func(h *container.HostConfig) { h.Memory = 256 << 20 }))
			f(t, c, time.Since(began))
		})
	}
	var want map[string]string
	start("fresh", func(t *testing.T, c *testsupport.Cluster, took time.Duration) {
		t.Logf("fresh: ready after %s", took)
		want = facts(t, c)
	})
	name := awaitParked(t, eng)
	for _, n := range []string{"n1", "n2", "n3"} {
		if used := memoryOf(t, "beamyard-"+name+"-"+n); used > 6<<20 {
			t.Errorf("a parked node uses %d KiB", used>>10)
		} else {
			t.Logf("%s: %d KiB while it is parked", n, used>>10)
		}
	}
	start("taken", func(t *testing.T, c *testsupport.Cluster, took time.Duration) {
		t.Logf("taken: ready after %s", took)
		if c.Name() != name {
			t.Fatalf("%s was started, and %s was parked", c.Name(), name)
		}
		if diff := cmp.Diff(want, facts(t, c)); diff != "" {
			t.Errorf("fresh and taken differ (-fresh +taken):\n%s", diff)
		}
		c.Crash(t, "n2")
		if err := c.Node("n2").Start(t.Context()); err != nil {
			t.Error(err)
		}
		if err := c.Node("n3").Stop(t.Context(), nil); err != nil {
			t.Error(err)
		}
		exit := c.Node("n3").Status().LastExit
		if exit == nil || exit.Code != 0 {
			t.Errorf("after a stop: %v", exit)
		}
	})
}

func memoryOf(t *testing.T, id string) uint64 {
	t.Helper()
	cli, err := client.New(client.FromEnv)
	if err != nil {
		t.Fatal(err)
	}
	defer cli.Close()
	res, err := cli.ContainerStats(t.Context(), id, client.ContainerStatsOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var stats container.StatsResponse
	if err := json.NewDecoder(res.Body).Decode(&stats); err != nil {
		t.Fatal(err)
	}
	return stats.MemoryStats.Usage
}

// A test binary that is killed leaves nothing of the cluster that it took, and its lot keeps what
// is parked for the next one. A lot that is killed leaves nothing either.
func TestNothingIsLeftOfAParkedCluster(t *testing.T) {
	eng := warm(t)
	env := []string{parking.Variable + "=1", "XDG_RUNTIME_DIR=" + os.Getenv("XDG_RUNTIME_DIR")}
	first := startVictim(t, "hangs warm", env)
	name := awaitParked(t, eng)
	_ = first.cmd.Process.Kill()
	first.ended()
	first.gone()
	second := startVictim(t, "hangs warm", env)
	if second.cluster != name {
		t.Errorf("%s was started, and %s was parked", second.cluster, name)
	}
	next := awaitParked(t, eng)
	_ = second.cmd.Process.Kill()
	second.ended()
	second.gone()
	if names := parkedNames(t, eng); len(names) != 1 || names[0] != next {
		t.Fatalf("parked: %v, not %s", names, next)
	}
	found, err := discovery.Find(t.Context(), eng, next)
	if err != nil {
		t.Fatal(err)
	}
	lot, err := os.FindProcess(found.Owner.PID)
	if err != nil {
		t.Fatal(err)
	}
	_ = lot.Kill()
	_ = lot.Release() // it is no child
	eventually(t, "the lot's watchdog removes what is parked", func() error {
		if _, err := discovery.Find(t.Context(), eng, next); !errors.Is(err, orchestrator.ErrNoCluster) {
			return errors.Join(errors.New("it is there"), err)
		}
		return nil
	})
}

// Two that start at the same time get two clusters, one of them parked.
func TestTwoStartBesideOneThatIsParked(t *testing.T) {
	eng := warm(t)
	one := func(t *testing.T) string { return testsupport.Start(t, demo, mark(), testsupport.WithNodes(1)).Name() }
	t.Run("first", func(t *testing.T) { one(t) })
	parked := awaitParked(t, eng)
	names := make([]string, 2)
	t.Run("both", func(t *testing.T) {
		for i := range names {
			t.Run("one", func(t *testing.T) {
				t.Parallel()
				names[i] = one(t)
			})
		}
	})
	if names[0] == names[1] || (names[0] == parked) == (names[1] == parked) {
		t.Errorf("they got %v, and %s was parked", names, parked)
	}
}

// A parked cluster that is damaged is replaced, and no test fails.
func TestADamagedParkedClusterIsReplaced(t *testing.T) {
	eng := warm(t)
	one := func(t *testing.T) *testsupport.Cluster {
		return testsupport.Start(t, demo, mark(), testsupport.WithNodes(2))
	}
	t.Run("first", func(t *testing.T) { one(t) })
	parked := awaitParked(t, eng)
	began := time.Now()
	if err := eng.StopContainer(t.Context(), "beamyard-"+parked+"-n1", 10*time.Second); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("its stop took %s", took)
	}
	t.Run("next", func(t *testing.T) {
		c := one(t)
		if st := c.Status(); !st.Ready || c.Name() != parked {
			t.Errorf("%+v", st)
		}
	})
}
