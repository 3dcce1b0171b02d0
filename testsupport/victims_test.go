package testsupport_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/wait"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/discovery"
	"github.com/beamyard/beamyard/orchestrator/docker"
	"github.com/beamyard/beamyard/testsupport"
)

// This file tests what test binaries that end badly leave behind: it starts this binary
// again with another test in it.

// victimVariable names the test that a test binary runs instead of its own tests.
const victimVariable = "BEAMYARD_TEST_VICTIM"

// victims are those tests.
var victims = map[string]func(*testing.T){
	// Waits until it is killed, or until -timeout.
	"hangs": func(t *testing.T) {
		c := testsupport.Start(t, demo, testsupport.WithNodes(2))
		other, err := testcontainers.Run(t.Context(), c.Status().Image, inNetworkOf(c), testcontainers.WithCmd("sleep", "600"),
			testcontainers.WithLabels(map[string]string{besideLabel: c.Name()}))
		testcontainers.CleanupContainer(t, other)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println("up " + c.Name())
		select {}
	},
	"fails": func(t *testing.T) {
		c := testsupport.Start(t, demo, testsupport.WithNodes(2), testsupport.WithSecret("TOKEN", "sesame-open"))
		if _, err := testsupport.RPC[any](t.Context(), c.Node("n2"), "IO", "puts", "the token is sesame-open"); err != nil {
			t.Error(err)
		}
		c.Output("n2").RequireLine(t, "the token is")
		fmt.Println("up " + c.Name())
		c.Crash(t, "n1")
		t.Error("this test fails")
	},
	"fails to start": func(t *testing.T) {
		testsupport.Start(t, demo, testsupport.WithNodes(1), testcontainers.WithCmd("sh", "-c", "echo no such luck >&2; exit 3"))
	},
	"fails to share": func(t *testing.T) {
		testsupport.Shared(t, "broken", demo, testsupport.WithNodes(1), testcontainers.WithWaitStrategy(wait.ForLog("no such line").WithStartupTimeout(time.Second)))
	},
	"leaks": func(t *testing.T) {
		testsupport.NoLeaks(t)
		c, err := testsupport.Run(t.Context(), demo, testsupport.WithNodes(1), testsupport.WithName("leaked"))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println("up " + c.Name())
	},
	"hangs warm": func(t *testing.T) {
		c := testsupport.Start(t, demo, mark(), testsupport.WithNodes(2))
		fmt.Println("up " + c.Name())
		select {}
	},
	"hears late":      hearsLate,
	"chaos fails":     chaosFails,
	"finds no engine": func(t *testing.T) { testsupport.Start(t, demo) },
	"shares": func(t *testing.T) {
		c := testsupport.Shared(t, "left", demo, testsupport.WithNodes(1))
		fmt.Println("up " + c.Name())
	},
}

// runVictim is the TestMain of such a test binary.
func runVictim(name string) {
	if name == "exits" { // with a cluster of TestMain
		c, err := testsupport.Run(context.Background(), demo, testsupport.WithNodes(2))
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("up " + c.Name())
		os.Exit(7)
	}
	test := testing.InternalTest{Name: "TestVictim", F: victims[name]}
	testing.Main(func(string, string) (bool, error) { return true, nil }, []testing.InternalTest{test}, nil, nil)
}

// victim is such a test binary while it runs.
type victim struct {
	t       *testing.T
	cmd     *exec.Cmd
	cluster string      // the cluster that it reported as up
	up      chan string // gets that name
	output  strings.Builder
	rest    chan struct{} // closed at the end of its output
}

// startVictim starts a test binary and, if it reports a cluster, waits until that is up.
func startVictim(t *testing.T, name string, env []string, flags ...string) *victim {
	t.Helper()
	v := launchVictim(t, name, env, flags...)
	select {
	case v.cluster = <-v.up:
	case <-v.rest:
	case <-time.After(2 * time.Minute):
		_ = v.cmd.Process.Kill()
		t.Fatalf("the test binary printed nothing")
	}
	return v
}

// launchVictim starts a test binary.
func launchVictim(t *testing.T, name string, env []string, flags ...string) *victim {
	t.Helper()
	v := &victim{t: t, up: make(chan string, 1), rest: make(chan struct{})}
	v.cmd = exec.Command(os.Args[0], append([]string{"-test.v"}, flags...)...)
	v.cmd.Env = append(append(foreignEnv(), victimVariable+"="+name), env...)
	if ryuk() { // otherwise it would share the session of all processes with the same parent
		v.cmd.Env = append(v.cmd.Env, "TESTCONTAINERS_SESSION_ID="+strings.ToLower(rand.Text()))
	}
	out, err := v.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	v.cmd.Stderr = v.cmd.Stdout
	if err := v.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(v.rest)
		for lines := bufio.NewReader(out); ; {
			line, err := lines.ReadString('\n')
			v.output.WriteString(line)
			if name, ok := strings.CutPrefix(line, "up "); ok {
				v.up <- strings.Fields(name)[0]
			}
			if errors.Is(err, io.EOF) || err != nil {
				return
			}
		}
	}()
	return v
}

// ryuk reports whether testcontainers' reaper runs on this engine.
func ryuk() bool { return !testcontainers.ReadConfig().Config.RyukDisabled }

// foreignEnv returns the environment without the settings for this process.
func foreignEnv() []string {
	return slices.DeleteFunc(os.Environ(), func(kv string) bool { return strings.HasPrefix(kv, "TESTCONTAINERS_") })
}

// ended waits for the end, and returns the exit code and the output.
func (v *victim) ended() (int, string) {
	v.t.Helper()
	<-v.rest
	err := v.cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		v.t.Fatal(err)
	}
	return v.cmd.ProcessState.ExitCode(), v.output.String()
}

func engine(t *testing.T) *docker.Engine {
	t.Helper()
	eng, err := docker.New(docker.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(eng.Close)
	return eng
}

// gone waits until nothing of the victim is left, and returns how long that took.
func (v *victim) gone() time.Duration {
	v.t.Helper()
	began := time.Now()
	eng := engine(v.t)
	testsupport.Eventually(v.t, func() error {
		for _, label := range []string{orchestrator.LabelCluster, besideLabel} {
			containers, err := eng.Containers(v.t.Context(), map[string]string{label: v.cluster})
			if err != nil {
				return err
			}
			networks, err := eng.Networks(v.t.Context(), map[string]string{label: v.cluster})
			if err != nil {
				return err
			}
			if n := len(containers) + len(networks); n > 0 {
				return fmt.Errorf("%d containers and networks of %s are left", n, v.cluster)
			}
		}
		return nil
	})
	return time.Since(began)
}

// besideLabel is the label of what a victim creates beside its cluster. Its value is the
// cluster's name.
const besideLabel = "beamyard.test"

// leftTime is the time after which nothing may be left of a dead test binary. The promise
// is three seconds, but a machine that runs other tests needs longer. Ryuk, if it runs,
// waits 10 s for another binary of the session before it removes what is not the
// cluster's: here, a container in the cluster's network.
func leftTime() time.Duration {
	if ryuk() {
		return 20 * time.Second
	}
	return 10 * time.Second
}

func TestNothingIsLeftOfATestBinaryThatDies(t *testing.T) {
	t.Parallel()
	for _, how := range []struct {
		name, victim string
		flags        []string
		die          func(*victim)
		code         int
		says         string
	}{
		{"SIGKILL", "hangs", nil, func(v *victim) { _ = v.cmd.Process.Kill() }, -1, ""},
		{"-timeout", "hangs", []string{"-test.timeout=20s"}, func(*victim) {}, 2, "panic: test timed out after 20s"},
		{"os.Exit in TestMain", "exits", nil, func(*victim) {}, 7, ""},
		{"a shared cluster without Main", "shares", nil, func(*victim) {}, 0, "PASS"},
	} {
		t.Run(how.name, func(t *testing.T) {
			t.Parallel()
			v := startVictim(t, how.victim, nil, how.flags...)
			how.die(v)
			code, said := v.ended()
			if code != how.code || !strings.Contains(said, how.says) || v.cluster == "" {
				t.Fatalf("exit code %d:\n%s", code, said)
			}
			took := v.gone()
			t.Logf("nothing was left %s after its end", took.Round(10*time.Millisecond))
			if took > leftTime() {
				t.Errorf("that is more than %s", leftTime())
			}
		})
	}
}

func TestAFailingTestSaysWhy(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	v := startVictim(t, "fails", []string{"BEAMYARD_EXPORT_DIR=" + dir})
	code, said := v.ended()
	if code != 1 {
		t.Errorf("exit code %d", code)
	}
	for _, want := range []string{
		"this test fails",
		"n1 is failed: TestVictim took it down",
		"n2 is ready",
		"the last lines of n2:\n",
		"stdout: the token is [secret]",
		"evidence: " + dir + "/beamyard-" + v.cluster,
	} {
		if !strings.Contains(said, want) {
			t.Errorf("the output does not say %q", want)
		}
	}
	if strings.Contains(said, "sesame-open") {
		t.Error("the output shows the secret")
	}
	if t.Failed() {
		t.Log(said)
	}
	if m, err := os.ReadDir(dir); err != nil || len(m) != 1 {
		t.Errorf("%d folders of evidence, %v", len(m), err)
	}
	v.gone()
}

func TestAClusterThatFailsToStartSaysWhy(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	code, said := startVictim(t, "fails to start", []string{"BEAMYARD_EXPORT_DIR=" + dir}).ended()
	if code != 1 || !strings.Contains(said, "stderr: no such luck") || !strings.Contains(said, "exit 3") || !strings.Contains(said, "evidence: "+dir) {
		t.Errorf("exit code %d:\n%s", code, said)
	}
}

// A shared cluster starts, but its wait strategy fails.
func TestASharedClusterThatFailsToStartSaysWhy(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	code, said := startVictim(t, "fails to share", []string{"BEAMYARD_EXPORT_DIR=" + dir}).ended()
	for _, want := range []string{"n1 of broken-", `log message "no such line"`, "listening on 4000", "evidence: " + dir} {
		if code != 1 || !strings.Contains(said, want) {
			t.Errorf("exit code %d, without %q:\n%s", code, want, said)
		}
	}
}

func TestAFailedClusterIsKept(t *testing.T) {
	t.Parallel()
	v := startVictim(t, "fails", []string{"BEAMYARD_KEEP=1", "BEAMYARD_EXPORT_DIR=" + t.TempDir()})
	eng := engine(t)
	t.Cleanup(func() {
		if _, err := discovery.Remove(context.Background(), eng, v.cluster, 0); err != nil {
			t.Error(err)
		}
	})
	code, said := v.ended()
	if code != 1 || !strings.Contains(said, "beamyard down "+v.cluster) {
		t.Errorf("exit code %d:\n%s", code, said)
	}
	found, err := discovery.Find(t.Context(), eng, v.cluster)
	if err != nil || len(found.Nodes) != 2 {
		t.Fatalf("%d nodes are kept: %v", len(found.Nodes), err)
	}
	if n, _ := found.Node("n1"); n.State.Running() {
		t.Error("the crashed node was restarted")
	}
}

func TestLeaksAreReported(t *testing.T) {
	t.Parallel()
	v := startVictim(t, "leaks", nil)
	code, said := v.ended()
	if want := regexp.MustCompile(`left behind by TestVictim:\n.*container beamyard-leaked-n1\n.*network beamyard-leaked\n`); code != 1 || !want.MatchString(said) {
		t.Errorf("exit code %d:\n%s", code, said)
	}
	v.gone()
}

func TestWithoutAnEngine(t *testing.T) {
	t.Parallel()
	nowhere := []string{"DOCKER_HOST=unix:///nonexistent/docker.sock", "DOCKER_CONTEXT="}
	if code, said := startVictim(t, "finds no engine", nowhere).ended(); code != 1 || !strings.Contains(said, "--- FAIL") || !strings.Contains(said, "/nonexistent/docker.sock") {
		t.Errorf("exit code %d:\n%s", code, said)
	}
	if code, said := startVictim(t, "finds no engine", append(nowhere, "BEAMYARD_SKIP_WITHOUT_ENGINE=1")).ended(); code != 0 || !strings.Contains(said, "--- SKIP") || !strings.Contains(said, "BEAMYARD_SKIP_WITHOUT_ENGINE=1") {
		t.Errorf("exit code %d:\n%s", code, said)
	}
}
