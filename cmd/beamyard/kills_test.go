//go:build kills

package main

import (
	"bytes"
	"flag"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/docker"
)

// This file kills commands and supervisors with SIGKILL, at random moments: nothing may be left. The
// Makefile's target runs it within .ci/leaves-nothing, which looks for processes.

var (
	kills     = flag.Int("kills", 20, "how many times each is killed")
	killsSeed = flag.Uint64("seed", rand.Uint64(), "of the moments; the same seed has the same ones")
)

// killed is one cluster of the demo, whose command or supervisor is killed.
type killed struct {
	*sourceCase
	runtimeDir string
	spec       string // a file
}

func newKilled(t *testing.T) *killed {
	t.Helper()
	demo, err := demoDir()
	if err != nil {
		t.Fatal(err)
	}
	k := &killed{runtimeDir: t.TempDir(), spec: filepath.Join(t.TempDir(), "beamyard.yml")}
	text := "source: " + demo + "\nnodes: 3\nvolumes: {data: /data}\n"
	if err := os.WriteFile(k.spec, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	k.sourceCase = &sourceCase{t, clusterName(t.Name()), append(os.Environ(), "XDG_RUNTIME_DIR="+k.runtimeDir)}
	t.Cleanup(func() { removeCluster(t, k.cluster, k.vars) })
	return k
}

// up starts `beamyard up`.
func (k *killed) up(flags ...string) (*exec.Cmd, *bytes.Buffer) {
	k.t.Helper()
	cmd := exec.Command("beamyard", append([]string{"up", k.spec, "--name", k.cluster}, flags...)...)
	var out bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr, cmd.WaitDelay = k.vars, &out, &out, time.Second
	if err := cmd.Start(); err != nil {
		k.t.Fatal(err)
	}
	return cmd, &out
}

// left returns what the engine and the runtime folder have of the cluster, but for its volumes: they
// outlive it until `down --volumes` removes them.
func (k *killed) left() []string {
	k.t.Helper()
	eng, err := docker.New(docker.Options{})
	if err != nil {
		k.t.Fatal(err)
	}
	defer eng.Close()
	label := map[string]string{orchestrator.LabelCluster: k.cluster}
	var all []string
	containers, err := eng.Containers(k.t.Context(), label)
	if err != nil {
		return []string{err.Error()}
	}
	for _, c := range containers {
		all = append(all, "container "+c.Name)
	}
	networks, err := eng.Networks(k.t.Context(), label)
	if err != nil {
		return []string{err.Error()}
	}
	for _, n := range networks {
		all = append(all, "network "+n.Name)
	}
	files, _ := filepath.Glob(filepath.Join(k.runtimeDir, "beamyard", "*")) // the pattern is well-formed
	return append(all, files...)
}

func (k *killed) nothingIsLeft(out *bytes.Buffer) (took time.Duration) {
	k.t.Helper()
	began := time.Now()
	if !within(20*time.Second, func() bool { return len(k.left()) == 0 }) {
		k.t.Errorf("left: %s\n%s", strings.Join(k.left(), ", "), out)
	}
	return time.Since(began).Round(10 * time.Millisecond)
}

// upTime is how long `beamyard up` takes on this machine.
func upTime(t *testing.T) time.Duration {
	t.Helper()
	k := newKilled(t)
	began := time.Now()
	cmd, out := k.up("--detach")
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	took := time.Since(began)
	k.run(exitOK, "down", k.cluster, "--volumes")
	k.nothingIsLeft(out)
	return took
}

// Nothing is left of a cluster in the foreground whose command is killed, at whatever moment.
func TestKilledCommand(t *testing.T) {
	makeDemo(t)
	moments := rand.New(rand.NewPCG(*killsSeed, 1))
	full := upTime(t)
	t.Logf("seed %d; up takes %s", *killsSeed, full.Round(time.Millisecond))
	for i := range *kills {
		t.Run(strconv.Itoa(i+1), func(t *testing.T) {
			k := newKilled(t)
			after := time.Duration(moments.Int64N(int64(full * 5 / 4)))
			cmd, out := k.up()
			<-time.After(after)
			had := k.left()
			_ = cmd.Process.Kill() // it runs: nothing else ends it
			_ = cmd.Wait()
			t.Logf("killed after %s, with %d things; gone %s later", after.Round(time.Millisecond), len(had), k.nothingIsLeft(out))
			k.volumesAreGone()
		})
	}
}

// volumesAreGone removes the cluster's data as its user would, and checks that no volume is left.
func (k *killed) volumesAreGone() {
	k.t.Helper()
	k.run(exitOK, "down", k.cluster, "--volumes")
	eng, err := docker.New(docker.Options{})
	if err != nil {
		k.t.Fatal(err)
	}
	defer eng.Close()
	volumes, err := eng.Volumes(k.t.Context(), map[string]string{orchestrator.LabelCluster: k.cluster})
	if err != nil || len(volumes) > 0 {
		k.t.Errorf("volumes %v, %v", volumes, err)
	}
}

// A cluster whose supervisor is killed, at whatever moment, can be taken down: nothing is left. If it was
// up, its nodes run on, and a new supervisor takes them over.
func TestKilledSupervisor(t *testing.T) {
	makeDemo(t)
	moments := rand.New(rand.NewPCG(*killsSeed, 2))
	full := upTime(t)
	t.Logf("seed %d; up takes %s", *killsSeed, full.Round(time.Millisecond))
	for i := range *kills {
		t.Run(strconv.Itoa(i+1), func(t *testing.T) {
			k := newKilled(t)
			after, adopt := time.Duration(moments.Int64N(int64(full*3/2))), moments.IntN(2) == 0
			cmd, out := k.up("--detach")
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			<-time.After(after)
			var supervisor int
			if !within(time.Minute, func() bool { supervisor = k.supervisor(); return supervisor != 0 }) {
				t.Fatalf("no supervisor:\n%s", out)
			}
			if err := syscall.Kill(supervisor, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			failed := <-ended
			had := k.left()
			if failed == nil && adopt {
				keeper := exec.Command("beamyard", "supervise", k.cluster)
				keeper.Env = k.vars
				if err := keeper.Start(); err != nil {
					t.Fatal(err)
				}
				k.eventually("n3 +Ready", "ps", k.cluster)
				defer func() { _ = keeper.Wait() }() // `down` ends it
			}
			k.run(exitOK, "down", k.cluster, "--volumes")
			t.Logf("killed after %s; up: %v; %d things before down; gone %s later", after.Round(time.Millisecond), failed, len(had), k.nothingIsLeft(out))
			k.volumesAreGone()
		})
	}
}

// supervisor returns the process that supervises the cluster in the background, or 0.
func (k *killed) supervisor() int {
	dirs, _ := filepath.Glob("/proc/[0-9]*") // the pattern is well-formed
	for _, dir := range dirs {
		line, err := os.ReadFile(filepath.Join(dir, "cmdline"))
		if err != nil {
			continue // it has ended
		}
		args := strings.Split(strings.TrimRight(string(line), "\x00"), "\x00")
		env, _ := os.ReadFile(filepath.Join(dir, "environ")) // empty if it has ended
		if slices.Contains(args, "supervise") && bytes.Contains(env, []byte("XDG_RUNTIME_DIR="+k.runtimeDir+"\x00")) {
			pid, _ := strconv.Atoi(filepath.Base(dir))
			return pid
		}
	}
	return 0
}
