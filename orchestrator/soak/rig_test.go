//go:build soak

package soak

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/docker/docker/client"

	"github.com/beamyard/beamyard/network"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/control"
)

// rig is the cluster under test, with all that the test needs.
type rig struct {
	t       testing.TB
	cluster string
	binary  string // the path of the command, built from this tree
	config  string
	proxy   *proxy
	docker  *client.Client // the engine itself, not through the proxy
	replay  string

	mu         sync.Mutex   // guards the following four
	history    bytes.Buffer // the actions, and the output of the supervisors
	begin      time.Time
	violations int
	peakRSS    int64

	first map[int]usage // of each supervisor, by its pid, at its first quiet moment
	deeds
}

// newRig builds the program and opens the proxy. Nothing runs yet.
func newRig(t testing.TB, seed uint64, duration time.Duration) *rig {
	t.Helper()
	// The path of a unix socket has at most 104 bytes: t.TempDir() is too long.
	dir, err := os.MkdirTemp("", "soak") //nolint:usetesting // see above
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	r := &rig{
		t: t, first: map[int]usage{}, deeds: newDeeds(), cluster: fmt.Sprintf("soak%08x", uint32(os.Getpid())), binary: filepath.Join(dir, "bin", "beamyard"), begin: time.Now(),
		config: filepath.Join(dir, "beamyard.yml"),
		replay: fmt.Sprintf("go test -tags soak -count=1 -timeout 0 -v ./orchestrator/soak -soak %s -seed %d", duration, seed),
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", r.binary, "../../cmd/beamyard")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build beamyard: %v\n%s", err, out)
	}
	source, err := filepath.Abs("testdata/printer")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(r.config, fmt.Appendf(nil, config, r.cluster, source, len(nodes), overTLS(seed), keptLines, printEvery(duration).Milliseconds()), 0o600); err != nil {
		t.Fatal(err)
	}
	if r.docker, err = client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.docker.Close() })
	if _, err := r.docker.Ping(t.Context()); err != nil {
		t.Fatalf("no engine: %v", err)
	}
	r.proxy = newProxy(t, dir, r.docker.DaemonHost())
	t.Setenv("XDG_RUNTIME_DIR", dir)
	return r
}

// config allows faults to repeat without end: a node is restarted soon after an exit,
// however often it exited.
const config = `
name: %s
source: %s
nodes: %d
base_image: trixie
http_port: -1
distribution: {tls: %t}
net_tick: 4s
clock: true
restart: {backoff: 200ms, max_backoff: 1s, reset_after: 1s, max: 1000000, window: 1h}
ready_timeout: 60s
stop_timeout: 3s
memory: 256MiB
output_lines: %d
env: {PRINT_EVERY: %d}
`

// overTLS reports whether the nodes of a soak are connected over TLS: those of every second
// seed are.
func overTLS(seed uint64) bool { return seed%2 == 1 }

// keptLines is more than a soak prints on one stream.
const keptLines = 200_000

// printEvery keeps a whole soak within what the engine keeps of a container,
// 3 files of 10 MB, so that the engine's log can be compared from its first
// line. In the file a line is
//
//	{"log":"out 1764000000000000 123456\n","stream":"stdout","time":"2025-11-24T15:00:00.000000000Z"}
//
// with 97 bytes at most; 30 MB hold 309,000 of them, 154,000 of each stream. At
// most 120,000 are asked for, and the begin and the end take minutes more: an
// hour prints every 32 ms, half an hour every 17.
func printEvery(duration time.Duration) time.Duration {
	return max(15*time.Millisecond, ((duration + 5*time.Minute) / 120_000).Round(time.Millisecond))
}

// note adds a line to the history.
func (r *rig) note(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	fmt.Fprintf(&r.history, "%s %8.3f %s\n", now.Format("15:04:05.000"), now.Sub(r.begin).Seconds(), fmt.Sprintf(format, args...))
}

// violation fails the test and continues: one bug must not hide the next one.
func (r *rig) violation(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	r.note("VIOLATION: %s", text)
	r.mu.Lock()
	r.violations++
	lines := strings.Split(strings.TrimSpace(r.history.String()), "\n")
	r.mu.Unlock()
	r.t.Errorf("%s\n  replay: %s\n  what came before:\n    %s", text, r.replay, strings.Join(lines[max(0, len(lines)-25):], "\n    "))
}

// save writes the whole history of a failed soak.
func (r *rig) save() {
	if !r.t.Failed() {
		return
	}
	f, err := os.CreateTemp("", "soak-*.log")
	if err != nil {
		r.t.Errorf("keep the history: %v", err)
		return
	}
	defer f.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, err := f.Write(r.history.Bytes()); err != nil {
		r.t.Errorf("keep the history: %v", err)
	}
	r.t.Logf("the whole history: %s", f.Name())
}

// commandTime is the longest time that a command may take: `up` waits for the slowest
// node.
const commandTime = 100 * time.Second

// imageTime is the longest time for the first `up`, which makes the images.
const imageTime = 15 * time.Minute

// beamyard runs a command through the proxy.
func (r *rig) beamyard(ctx context.Context, args ...string) (string, error) {
	return r.beamyardWithin(ctx, commandTime, args...)
}

func (r *rig) beamyardWithin(ctx context.Context, longest time.Duration, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	cmd := exec.CommandContext(ctx, r.binary, args...)
	cmd.Env = os.Environ()
	for key, value := range r.proxy.Env() {
		cmd.Env = append(cmd.Env, key+"="+value)
	}
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		err = fmt.Errorf("it hung for %s: %w", longest, ctx.Err())
	}
	if err != nil {
		err = fmt.Errorf("beamyard %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return string(out), err
}

// ask calls fn with a client of the present supervisor.
func (r *rig) ask(ctx context.Context, fn func(context.Context, *control.Client) error) error {
	ctx, cancel := context.WithTimeout(ctx, commandTime)
	defer cancel()
	c, err := control.Dial(ctx, r.cluster)
	if err != nil {
		return err
	}
	defer c.Close()
	return fn(ctx, c)
}

// status returns what the supervisor knows of a node. Without a supervisor, ok is false.
func (r *rig) status(ctx context.Context, node string) (n orchestrator.NodeStatus, ok bool) {
	err := r.ask(ctx, func(ctx context.Context, c *control.Client) error {
		st, err := c.Status(ctx)
		n, ok = st.Node(node)
		return err
	})
	return n, ok && err == nil
}

// supervisor returns its pid, or 0 if there is none.
func (r *rig) supervisor(ctx context.Context) (pid int) {
	_ = r.ask(ctx, func(ctx context.Context, c *control.Client) error { // none: 0
		s, err := c.Supervisor(ctx)
		pid = s.PID
		return err
	})
	return pid
}

// container returns the name of a node's container, as network.Names does.
func (r *rig) container(node string) string {
	return network.Names{Cluster: r.cluster}.Container(node)
}

// within waits until ok is true, and reports whether that was in time.
func within(ctx context.Context, d time.Duration, ok func() bool) bool {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ok()
		}
	}
	return true
}

// ours returns the processes that run our program, except those that have ended and are
// not yet waited for.
func (r *rig) ours() (pids []int) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		r.t.Fatal(err)
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid)); err == nil && exe == r.binary {
			pids = append(pids, pid)
		}
	}
	return pids
}

// killHard kills a process and waits until it has ended.
func (r *rig) killHard(ctx context.Context, pid int) error {
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	if !within(ctx, 10*time.Second, func() bool {
		_, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
		return err != nil // it has ended, or is a zombie
	}) {
		return fmt.Errorf("process %d does not end", pid)
	}
	return nil
}
