package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/beamyard/beamyard/images"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/control"
	"github.com/beamyard/beamyard/orchestrator/discovery"
	"github.com/beamyard/beamyard/orchestrator/docker"
	"github.com/beamyard/beamyard/orchestrator/enginetest"
	"github.com/beamyard/beamyard/orchestrator/enginetest/turn"
	"github.com/beamyard/beamyard/orchestrator/keeper"
	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(tests{m}, map[string]func(){"beamyard": main})
}

// tests runs this package's tests with the settings that all of them share.
type tests struct{ *testing.M }

func (m tests) Run() int {
	// A program with the race detector sleeps for a second before it exits with 0. Every
	// command of a script is such a program.
	if os.Getenv("GORACE") == "" {
		os.Setenv("GORACE", "atexit_sleep_ms=0")
	}
	// Without an engine, no test starts a cluster.
	eng, _, noEngine := realEngine()
	if noEngine == nil {
		eng.Close()
		turn.Take()
	}
	// Three at once keep two processors busy: half of a test's time is waiting.
	if err := flag.Set("test.parallel", "3"); err != nil {
		panic(err)
	}
	code := m.M.Run()
	if noEngine != nil {
		return code
	}
	if err := forgetProbe(); err != nil {
		fmt.Fprintln(os.Stderr, "FAIL:", err)
		return 1
	}
	return code
}

// Scripts that need no engine get an address at which no engine listens. A command that
// still contacts the engine exits with code 5.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		Cmds:          commands,
		UpdateScripts: os.Getenv("UPDATE") != "",
		Setup: func(env *testscript.Env) error {
			env.Setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
			return ownSockets(env)
		},
	})
}

// Scripts on the real engine, with real nodes. $C is the script's own cluster, $DEMO the
// example project, $CASES typical projects, and $ENGINE the address at which the engine
// publishes ports.
func TestEngineScript(t *testing.T) {
	t.Parallel() // the other tests with clusters fill up what a long script leaves of the processors
	makeDemo(t)
	testscript.Run(t, testscript.Params{
		Dir:  "testdata/script/engine",
		Cmds: commands,
		// [remote]: the engine is on another machine.
		Condition: func(cond string) (bool, error) {
			if cond != "remote" {
				return false, fmt.Errorf("unknown condition %s", cond)
			}
			return os.Getenv(enginetest.RemoteEngine) == "1", nil
		},
		Setup: func(env *testscript.Env) error {
			demo, err := demoDir()
			if err != nil {
				return err
			}
			cases, err := filepath.Abs("testdata/cases")
			if err != nil {
				return err
			}
			env.Setenv("DEMO", demo)
			env.Setenv("CASES", cases)
			eng, info, err := realEngine()
			if err != nil {
				return err
			}
			eng.Close()
			env.Setenv("ENGINE", info.Host)
			cluster := clusterName(filepath.Base(env.WorkDir))
			env.Setenv("C", cluster)
			keepEngine(env)
			env.Defer(func() { removeCluster(t, cluster, env.Vars) })
			return ownSockets(env)
		},
	})
}

// makeDemo builds the demo's image, and on a fresh engine its base, so that no script
// waits for that.
func makeDemo(t *testing.T) {
	t.Helper()
	demo, err := demoDir()
	if err != nil {
		t.Fatal(err)
	}
	source, err := images.Detect(demo)
	if err != nil {
		t.Fatal(err)
	}
	eng, _, err := realEngine()
	if err != nil {
		t.Fatal(err)
	}
	defer eng.Close()
	if _, err := images.Resolve(t.Context(), eng, source, images.Options{Progress: io.Discard}); err != nil {
		t.Fatal(err)
	}
}

// realEngine returns the engine that the tests use.
func realEngine() (*docker.Engine, orchestrator.EngineInfo, error) {
	eng, err := docker.New(docker.Options{})
	if err != nil {
		return nil, orchestrator.EngineInfo{}, err
	}
	info, err := eng.Info(context.Background())
	return eng, info, err
}

// holdRemotePort takes a port of a remote engine's machine: a container that belongs to no
// cluster publishes it.
func holdRemotePort(ts *testscript.TestScript) uint16 {
	ctx := context.Background()
	eng, _, err := realEngine()
	ts.Check(err)
	id, err := eng.CreateContainer(ctx, orchestrator.ContainerSpec{
		Name: ts.Getenv("C") + "-holder", Image: "beamyard/debian:trixie", Command: []string{"sleep", "600"},
		Ports: []orchestrator.PortBinding{{Container: 80, HostIP: "0.0.0.0"}},
	})
	ts.Check(err)
	ts.Defer(func() {
		ts.Check(eng.RemoveContainer(ctx, id))
		eng.Close()
	})
	ts.Check(eng.StartContainer(ctx, id))
	all, err := eng.Containers(ctx, nil)
	ts.Check(err)
	for _, c := range all {
		if c.ID == id && len(c.Ports) > 0 {
			return c.Ports[0].Host
		}
	}
	ts.Fatalf("container %s publishes no port", id)
	return 0
}

// demoDir returns the example project's folder.
func demoDir() (string, error) { return filepath.Abs("../../images/demo") }

// clusterName returns a name that no other test, and no other test process, uses.
func clusterName(test string) string {
	name := strings.Trim(regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(strings.ToLower(test), "-"), "-")
	short := strings.TrimPrefix(name, "script-")
	if len(short) > 16 { // subtests differ at the end of their names
		sum := fnv.New32a()
		_, _ = io.WriteString(sum, short)
		short = fmt.Sprintf("%s-%04x", strings.TrimRight(short[:11], "-"), sum.Sum32()>>16)
	}
	return fmt.Sprintf("cli-%s-%d", short, os.Getpid()%100000)
}

// ownSockets gives a script its own folder for control sockets.
func ownSockets(env *testscript.Env) error {
	run := filepath.Join(env.WorkDir, ".run")
	env.Setenv("XDG_RUNTIME_DIR", run)
	return os.Mkdir(run, 0o700)
}

// keepEngine lets a script use the test process's engine: the environment of a script is
// empty, and so is its home folder.
func keepEngine(env *testscript.Env) {
	for _, key := range []string{"DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"} {
		if v, ok := os.LookupEnv(key); ok {
			env.Setenv(key, v)
		}
	}
	dir := os.Getenv("DOCKER_CONFIG")
	if home, err := os.UserHomeDir(); dir == "" && err == nil {
		dir = filepath.Join(home, ".docker")
	}
	env.Setenv("DOCKER_CONFIG", dir)
}

// removeCluster removes what a test left, with or without its supervisor, and fails the
// test if anything remains.
func removeCluster(t *testing.T, cluster string, vars []string) {
	t.Helper()
	down := exec.Command("beamyard", "down", cluster, "--volumes")
	down.Env = vars
	if out, err := down.CombinedOutput(); err != nil {
		t.Errorf("beamyard down %s: %v\n%s", cluster, err, out)
	}
}

// nothingLeft fails the test if the engine still has anything of the cluster.
func nothingLeft(ctx context.Context, cluster string) error {
	eng, err := docker.New(docker.Options{})
	if err != nil {
		return err
	}
	defer eng.Close()
	label := map[string]string{orchestrator.LabelCluster: cluster}
	containers, err := eng.Containers(ctx, label)
	if err != nil {
		return err
	}
	networks, err := eng.Networks(ctx, label)
	if err != nil {
		return err
	}
	if len(containers)+len(networks) > 0 {
		return fmt.Errorf("left of %s: %v %v", cluster, containers, networks)
	}
	return nil
}

var commands = map[string]func(*testscript.TestScript, bool, []string){
	// exits CODE COMMAND…: the command exits with exactly this code.
	"exits": func(ts *testscript.TestScript, neg bool, args []string) {
		want, err := strconv.Atoi(args[0])
		if err != nil || neg {
			ts.Fatalf("usage: exits CODE COMMAND…")
		}
		if got := exitOf(ts, args[1:]); got != want {
			ts.Fatalf("exit code %d, want %d", got, want)
		}
	},
	// enter-page FILE [STATUS], get-page PATH STATUS PATTERN, post-page PATH BODY STATUS PATTERN,
	// watch-page PATH PATTERN: a browser of the page whose address is in the file.
	"enter-page": enterPage, "get-page": getPage, "post-page": postPage, "watch-page": watchPage,
	// eventually PATTERN COMMAND…: the command's stdout matches within 30 s.
	"eventually": func(ts *testscript.TestScript, neg bool, args []string) {
		pattern := regexp.MustCompile("(?m)" + args[0])
		if !within(30*time.Second, func() bool { return pattern.MatchString(outputOf(ts, args[1:])) }) {
			ts.Fatalf("%q never matched", args[0])
		}
	},
	// eventually-ok COMMAND…: the command succeeds within 30 s. For health, which fails at
	// a moment when the machine is too busy for its thresholds.
	"eventually-ok": func(ts *testscript.TestScript, neg bool, args []string) {
		var err error
		if !within(30*time.Second, func() bool {
			err = ts.Exec(args[0], args[1:]...)
			return err == nil
		}) {
			ts.Fatalf("%s never succeeded: %v", strings.Join(args, " "), err)
		}
	},
	// gone: the engine has nothing of $C.
	"gone": func(ts *testscript.TestScript, neg bool, args []string) {
		ts.Check(nothingLeft(context.Background(), ts.Getenv("C")))
	},
	// eventually-gone: it has nothing within 10 s, and the watchdog has ended too.
	"eventually-gone": func(ts *testscript.TestScript, neg bool, args []string) {
		var err error
		if !within(10*time.Second, func() bool {
			err = nothingLeft(context.Background(), ts.Getenv("C"))
			return err == nil
		}) {
			ts.Fatalf("%v", err)
		}
	},
	// until-exists FILE: the file exists within 30 s.
	"until-exists": func(ts *testscript.TestScript, neg bool, args []string) {
		if !within(30*time.Second, func() bool { return exists(ts.MkAbs(args[0])) }) {
			ts.Fatalf("%s was not created in time", args[0])
		}
	},
	// eventually-empty FOLDER: within 10 s.
	"eventually-empty": func(ts *testscript.TestScript, neg bool, args []string) {
		var entries []os.DirEntry
		if !within(10*time.Second, func() bool {
			var err error
			entries, err = os.ReadDir(ts.MkAbs(args[0]))
			ts.Check(err)
			return len(entries) == 0
		}) {
			ts.Fatalf("left in %s: %v", args[0], entries)
		}
	},
	// kill-supervisor: like a crash of the background process, or the OOM killer.
	"kill-supervisor": func(ts *testscript.TestScript, neg bool, args []string) {
		ts.Check(syscall.Kill(supervisorOf(ts), syscall.SIGKILL))
	},
	// adopt-interrupted DURATION…: `beamyard supervise $C` gets SIGTERM this long after
	// its start, once for each duration. It must say that the cluster keeps running, or
	// print nothing.
	"adopt-interrupted": func(ts *testscript.TestScript, neg bool, args []string) {
		for _, text := range args {
			wait, err := time.ParseDuration(text)
			ts.Check(err)
			adopt := exec.Command("beamyard", "supervise", ts.Getenv("C"))
			for _, name := range []string{"HOME", "PATH", "XDG_RUNTIME_DIR", "XDG_STATE_HOME", "DOCKER_HOST", "DOCKER_CONFIG"} {
				adopt.Env = append(adopt.Env, name+"="+ts.Getenv(name))
			}
			var said bytes.Buffer
			adopt.Stderr = &said
			ts.Check(adopt.Start())
			<-time.After(wait)
			ts.Check(adopt.Process.Signal(syscall.SIGTERM))
			_ = adopt.Wait() // ended by the signal, or with the code of an interrupted command
			ts.Logf("after %s: %s, %q", wait, adopt.ProcessState, &said)
		}
	},
	// pause-supervisor: it keeps its socket, and does not answer until continue-supervisor.
	"pause-supervisor": func(ts *testscript.TestScript, neg bool, args []string) {
		pid := supervisorOf(ts)
		ts.Setenv("PAUSED", strconv.Itoa(pid))
		ts.Defer(func() { _ = syscall.Kill(pid, syscall.SIGCONT) }) // it may have ended
		ts.Check(syscall.Kill(pid, syscall.SIGSTOP))
	},
	"continue-supervisor": func(ts *testscript.TestScript, neg bool, args []string) {
		pid, err := strconv.Atoi(ts.Getenv("PAUSED"))
		ts.Check(err)
		ts.Check(syscall.Kill(pid, syscall.SIGCONT))
	},
	// no-probe: no helper container of an ended doctor is left on the engine.
	"no-probe": func(ts *testscript.TestScript, neg bool, args []string) {
		eng, err := docker.New(docker.Options{})
		ts.Check(err)
		defer eng.Close()
		all, err := eng.Containers(context.Background(), nil)
		ts.Check(err)
		for _, c := range all {
			if c.Labels["beamyard.probe"] == "" {
				continue
			}
			var owner orchestrator.Owner
			ts.Check(json.Unmarshal([]byte(c.Labels[orchestrator.LabelOwner]), &owner))
			if alive, known := keeper.Alive(owner); known && !alive {
				ts.Fatalf("left behind: %s", c.Name)
			}
		}
	},
	// stop-outside NODE: as `docker stop`.
	"stop-outside": func(ts *testscript.TestScript, neg bool, args []string) {
		eng, err := docker.New(docker.Options{})
		ts.Check(err)
		defer eng.Close()
		found, err := discovery.Find(context.Background(), eng, ts.Getenv("C"))
		ts.Check(err)
		n, _ := found.Node(args[0])
		ts.Check(eng.StopContainer(context.Background(), n.ContainerID, time.Second))
	},
	// hold-port: $PORT is a TCP port of the engine's host that is in use.
	"hold-port": func(ts *testscript.TestScript, neg bool, args []string) {
		if os.Getenv(enginetest.RemoteEngine) == "1" {
			ts.Setenv("PORT", strconv.Itoa(int(holdRemotePort(ts))))
			return
		}
		l, err := net.Listen("tcp", "127.0.0.1:0")
		ts.Check(err)
		ts.Defer(func() { l.Close() })
		ts.Setenv("PORT", strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
	},
	// envsubst FILE: replaces ${VARIABLES} in the file.
	"envsubst": func(ts *testscript.TestScript, neg bool, args []string) {
		text := os.Expand(ts.ReadFile(args[0]), ts.Getenv)
		ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
	},
	// nowhere TEXT DIR: no file in or below the folder contains the text.
	"nowhere": func(ts *testscript.TestScript, neg bool, args []string) {
		files := 0
		ts.Check(filepath.WalkDir(ts.MkAbs(args[1]), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			files++
			data, err := os.ReadFile(path)
			if strings.Contains(string(data), args[0]) {
				ts.Fatalf("%s has %q", path, args[0])
			}
			return err
		}))
		if files == 0 {
			ts.Fatalf("%s has no file", args[1])
		}
	},
	// only DIR VAR: the folder has one entry, whose path becomes the value of $VAR.
	"only": func(ts *testscript.TestScript, neg bool, args []string) {
		entries, err := os.ReadDir(ts.MkAbs(args[0]))
		ts.Check(err)
		if len(entries) != 1 {
			ts.Fatalf("%s has %v", args[0], entries)
		}
		ts.Setenv(args[1], filepath.Join(ts.MkAbs(args[0]), entries[0].Name()))
	},
	// plain FILE: the file has no control codes.
	"plain": func(ts *testscript.TestScript, neg bool, args []string) {
		if text := ts.ReadFile(args[0]); strings.ContainsRune(text, '\x1b') {
			ts.Fatalf("%s has control codes: %q", args[0], text)
		}
	},
}

// supervisorOf returns the process that answers on the socket of $C.
func supervisorOf(ts *testscript.TestScript) int {
	pid, err := supervisorAt(ts.Getenv("XDG_RUNTIME_DIR"), ts.Getenv("C"))
	ts.Check(err)
	return pid
}

// supervisorAt returns the process that answers on a cluster's socket.
func supervisorAt(runtimeDir, cluster string) (pid int, err error) {
	socket := filepath.Join(runtimeDir, "beamyard", cluster+".sock")
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}}
	resp, err := client.Get("http://cluster/supervisor")
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	var s control.Supervisor
	err = json.NewDecoder(resp.Body).Decode(&s)
	return s.PID, err
}

// within polls ok until it is true, and reports whether that was within the limit. It
// polls seldom: ok often runs a command, which takes processor time from what is awaited.
func within(limit time.Duration, ok func() bool) bool {
	ticks := time.NewTicker(250 * time.Millisecond)
	defer ticks.Stop()
	for deadline := time.Now().Add(limit); !ok(); <-ticks.C {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}

func exitOf(ts *testscript.TestScript, args []string) int {
	err := ts.Exec(args[0], args[1:]...)
	if exit, ok := err.(*exec.ExitError); ok { //nolint:errorlint // Exec returns it unwrapped
		return exit.ExitCode()
	}
	ts.Check(err)
	return 0
}

func outputOf(ts *testscript.TestScript, args []string) string {
	_ = ts.Exec(args[0], args[1:]...) // repeated until its output is as wanted
	return ts.ReadFile("stdout")
}

// testApp is an app that writes to the given outputs, at a fixed time.
func testApp(out, err *output, now time.Time) *app {
	return &app{out: out, err: err, now: func() time.Time { return now }}
}

// Every exit code is listed in --help.
func TestHelpListsExitCodes(t *testing.T) {
	for _, code := range []int{exitOK, exitError, exitUsage, exitNotReady, exitNodeFailed, exitUnsupported, exitInterrupted} {
		if !slices.Contains(strings.Fields(description), strconv.Itoa(code)) {
			t.Errorf("%d is not in the help", code)
		}
	}
}
