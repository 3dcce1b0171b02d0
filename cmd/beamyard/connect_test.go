package main

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/control"
	"github.com/beamyard/beamyard/orchestrator/health"
)

// answering is a supervised cluster of one healthy node.
type answering struct {
	orchestrator.Controller
	name string
}

func (s answering) Spec() orchestrator.Spec {
	return orchestrator.Spec{
		Name: s.name, Cookie: "the-cookie-0123456789", App: "shop", Nodes: orchestrator.NodeNames(1),
		Env: map[string]string{"TOKEN": "token-0123456789", "ROLE": "web"}, Secrets: []string{"TOKEN"},
	}
}

func (s answering) Status(context.Context) (orchestrator.Status, error) {
	return orchestrator.Status{
		Cluster: s.name, Supervised: true, Image: "shop:1",
		Nodes: []orchestrator.NodeStatus{{Name: "n1", Node: "app@n1." + s.name + ".test", State: orchestrator.Ready, ContainerID: "c1"}},
	}, nil
}

func (s answering) Health(context.Context) (orchestrator.HealthReport, error) {
	return orchestrator.HealthReport{Report: health.Report{Cluster: s.name, Passed: true}}, nil
}

func (answering) Events(context.Context, uint64, bool, func(orchestrator.Event) error) error {
	return nil
}
func (answering) Journal(context.Context) ([]orchestrator.JournalEntry, error) { return nil, nil }
func (answering) Logs(_ context.Context, _ orchestrator.LogQuery, fn func(orchestrator.Line) error) error {
	return fn(orchestrator.Line{Node: "n1", Stream: orchestrator.Stdout, Seq: 1, Run: 1, Text: "the token is token-0123456789"})
}

// supervisors sets up a folder for control sockets, supervisors of clusters in it, and no
// engine.
func supervisors(t *testing.T, clusters ...string) {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("XDG_RUNTIME_DIR", dir)
	t.Setenv("XDG_STATE_HOME", filepath.Join(dir, "state"))
	t.Setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
	t.Setenv("BEAMYARD_CLUSTER", "")
	for _, name := range clusters {
		l, err := control.Listen(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		served := make(chan error, 1)
		go func() { served <- control.Serve(ctx, l, answering{name: name}) }()
		t.Cleanup(func() {
			cancel()
			if err := <-served; err != nil {
				t.Error(err)
			}
		})
	}
}

// beamyard runs a command line in this process.
func beamyard(args ...string) (code int, stdout, stderr string) {
	var out, err bytes.Buffer
	code = run(args, strings.NewReader(""), &out, &err)
	return code, out.String(), err.String()
}

func TestCommandsWithoutAnEngine(t *testing.T) {
	supervisors(t, "shop")
	const remark = "no engine answers, so this is what the supervisor knows: ask the engine: Cannot connect"
	dir := filepath.Join(t.TempDir(), "evidence")
	for _, tc := range []struct {
		args []string
		want string
	}{
		{[]string{"health"}, ""}, {[]string{"health", "shop"}, ""}, {[]string{"export", dir}, dir + "\n"},
		{[]string{"inspect", "n1"}, "TOKEN=********"}, {[]string{"inspect", "shop/n1"}, "shop:1"},
	} {
		code, stdout, stderr := beamyard(tc.args...)
		if code != 0 || !strings.Contains(stdout, tc.want) || !strings.HasPrefix(stderr, remark) || strings.Contains(stdout, "0123456789") {
			t.Errorf("%v: exit %d\n%s%s", tc.args, code, stdout, stderr)
		}
	}
	seen := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if strings.Contains(string(data), "0123456789") {
			t.Errorf("%s has a secret:\n%s", path, data)
		}
		seen += strings.Count(string(data), "the token is [secret]")
		return err
	})
	if err != nil || seen == 0 {
		t.Errorf("the node's output is missing: %v", err)
	}
}

func TestClusterNamesWithoutAnEngine(t *testing.T) {
	supervisors(t, "shop", "yard")
	for _, args := range [][]string{{"health"}, {"export"}, {"inspect", "n1"}} {
		if code, _, stderr := beamyard(args...); code != exitUsage || !strings.Contains(stderr, "there are 2 clusters: shop, yard") {
			t.Errorf("%v: exit %d\n%s", args, code, stderr)
		}
		args = append(args, "-c", "nobody")
		if code, _, stderr := beamyard(args...); code != exitUnsupported || !strings.Contains(stderr, "error: ask the engine: ") {
			t.Errorf("%v: exit %d\n%s", args, code, stderr)
		}
	}
	if code, _, stderr := beamyard("health", "yard"); code != 0 {
		t.Errorf("exit %d: %s", code, stderr)
	}
}

// The hint for `export shop`, typed like `health shop`, offers to export the cluster.
func TestExportTakesAFolder(t *testing.T) {
	supervisors(t, "shop")
	t.Chdir(t.TempDir())
	code, stdout, stderr := beamyard("export", "shop")
	if code != exitUsage || stdout != "" || !strings.Contains(stderr, "hint: beamyard export -c shop; or, ") {
		t.Errorf("exit %d\n%s%s", code, stdout, stderr)
	}
	for _, args := range [][]string{{"export", "./shop"}, {"export", "shop.tgz"}, {"export", "of-shop", "-c", "shop"}} {
		if code, stdout, stderr := beamyard(args...); code != 0 || stdout != args[1]+"\n" {
			t.Errorf("%v: exit %d\n%s%s", args, code, stdout, stderr)
		}
	}
}

// A supervisor that was stopped (SIGSTOP) still has its socket, and the kernel accepts
// connections to it.
func TestASilentSupervisorDelaysNoCommand(t *testing.T) {
	supervisors(t)
	l, err := control.Listen(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, args := range [][]string{{"health", "shop"}, {"health", "shop", "--watch"}, {"export"}} {
		began := time.Now()
		code, _, stderr := beamyard(args...)
		if took := time.Since(began); code != exitUnsupported || took > 10*time.Second {
			t.Errorf("%v: exit %d after %s\n%s", args, code, took, stderr)
		}
	}
}

// An engine that was stopped also accepts connections.
func TestASilentEngineDelaysNoCommand(t *testing.T) {
	supervisors(t, "shop")
	socket := filepath.Join(t.TempDir(), "docker.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	t.Setenv("DOCKER_HOST", "unix://"+socket)
	var out, remarks bytes.Buffer
	a := newApp(strings.NewReader(""), &out, &remarks, nil)
	a.engineTime = 50 * time.Millisecond
	_, err = a.engine(t.Context())
	if !errors.Is(err, orchestrator.ErrEngineUnreachable) || !strings.Contains(err.Error(), "no answer from unix://"+socket+" within 50ms") {
		t.Error(err)
	}
	if !strings.Contains(orchestrator.HintOf(err).String(), "docker version") {
		t.Error("no hint")
	}
	if err := (&healthCmd{}).Run(t.Context(), a); err != nil || !strings.HasPrefix(remarks.String(), "no engine answers, ") {
		t.Errorf("%v: %s", err, remarks.String())
	}
	// An interrupted command does not report a deadline.
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := a.engine(gone); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
