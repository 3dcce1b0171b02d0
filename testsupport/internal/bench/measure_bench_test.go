//go:build bench

package bench_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"

	"github.com/beamyard/beamyard/orchestrator/docker"
	"github.com/beamyard/beamyard/testsupport"
	"github.com/beamyard/beamyard/testsupport/internal/bench"
)

var (
	quick   = flag.Bool("quick", false, "measure only what the inner loop needs, in at most three minutes")
	results = flag.String("results", "", "write the run as JSON to this `file`")
	lines   = flag.String("benchstat", "", "write the run for benchstat to this `file`; what is there moves to FILE.old")
	sizes   = flag.String("sizes", "3,10,30,50", "the numbers of nodes of up and down; the first alone with -quick")
	most    = flag.Int("rounds", 1000, "measure nothing more often than that")
	program = flag.String("beamyard", "../../../bin/beamyard", "the `program` that is measured, and runs in helper containers")
	compose = flag.String("compose2", os.Getenv("COMPOSE2"), "Compose 2, or why there is none, as \"no: …\"")
	where   = flag.String("where", "on the machine", "where the engine runs")
)

const demo = "../../../images/demo"

func TestMain(m *testing.M) { os.Exit(testsupport.Main(m)) }

// session is one run of the benchmark.
type session struct {
	eng   *docker.Engine
	cli   *client.Client
	model model
	run   *bench.Run
}

// rounds is how often something is measured.
func rounds(full, inQuick int) int {
	if *quick {
		full = inQuick
	}
	return min(full, *most)
}

// TestBench measures everything, and prints the table. It is not a test of speed: it fails only
// if something does not work.
func TestBench(t *testing.T) {
	s := newSession(t)
	for _, section := range []struct {
		name    string
		measure func(*session, *testing.T)
		inQuick bool
	}{
		{"engine", (*session).engine, true},
		{"up", (*session).ups, true},
		{"restart", (*session).restarts, true},
		{"sync", (*session).syncs, true},
		{"image", (*session).images, false},
		{"health", (*session).healths, true},
		{"rpc", (*session).rpcs, true},
		{"faults", (*session).faults, true},
		{"command", (*session).commands, true},
		{"ring", (*session).ring, true},
		{"output", (*session).outputs, false},
		{"kills", (*session).kills, false},
		{"shared", (*session).shared, false}, // its cluster stays until the end
	} {
		if *quick && !section.inQuick {
			continue
		}
		began := time.Now()
		t.Run(section.name, func(t *testing.T) { section.measure(s, t) })
		t.Logf("%s took %s", section.name, time.Since(began).Round(time.Second))
	}
	s.run.Took = time.Since(s.run.Began)
	s.run.Machine.Load[1] = load(t)
	t.Logf("\n%s", s.run.Markdown())
	s.write(t)
}

func newSession(t *testing.T) *session {
	t.Helper()
	eng, err := docker.New(docker.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { eng.Close() })
	tc, err := testcontainers.NewDockerClientWithOpts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tc.Close() })
	s := &session{eng: eng, cli: tc.Client, run: &bench.Run{Began: time.Now(), Quick: *quick}}
	s.describe(t)
	r := s.up(t, 1, nil) // this also warms every cache
	s.model = s.modelOf(t, r)
	r.down()
	return s
}

// describe fills the head of the table.
func (s *session) describe(t *testing.T) {
	t.Helper()
	version, err := s.cli.ServerVersion(t.Context(), client.ServerVersionOptions{})
	if err != nil {
		t.Fatal(err)
	}
	said, err := s.cli.Info(t.Context(), client.InfoOptions{})
	if err != nil {
		t.Fatal(err)
	}
	info := said.Info
	s.run.Engine = bench.Engine{Version: plain(version.Version), Driver: info.Driver, Runtime: info.DefaultRuntime, Cgroups: info.CgroupVersion, Where: *where}
	s.run.Machine = bench.Machine{CPUs: info.NCPU, CPU: processor(t), Memory: info.MemTotal, Kernel: info.KernelVersion, Load: [2]float64{load(t)}}
	if out, err := exec.CommandContext(t.Context(), "git", "describe", "--always", "--dirty", "--exclude=*").Output(); err == nil { // a tree without git
		s.run.Commit = strings.TrimSpace(string(out))
	}
	if build, ok := debug.ReadBuildInfo(); ok {
		s.run.Software = append(s.run.Software, strings.Replace(build.GoVersion, "go", "Go ", 1))
		for _, dep := range build.Deps {
			if dep.Path == "github.com/testcontainers/testcontainers-go" {
				s.run.Software = append(s.run.Software, "testcontainers-go "+dep.Version)
			}
		}
	}
}

// plain is a version without what its packager appended: "20.10.24+dfsg1", "2.40.3-3".
func plain(version string) string {
	if i := strings.IndexAny(version, "+-~"); i >= 0 {
		return version[:i]
	}
	return version
}

func processor(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

func load(t *testing.T) float64 {
	t.Helper()
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		t.Fatal(err)
	}
	v, err := strconv.ParseFloat(strings.Fields(string(text))[0], 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// add adds a row, and keeps and prints it at once: whoever ends a long run early has the rows until
// then.
func (s *session) add(t *testing.T, row bench.Row) {
	t.Helper()
	s.run.Rows = append(s.run.Rows, row)
	s.run.Took = time.Since(s.run.Began)
	s.keep(t)
	t.Log(row)
}

// write keeps the run, also one that failed, which was not for nothing: `make bench` publishes
// only one that passed.
func (s *session) write(t *testing.T) {
	t.Helper()
	s.keep(t)
	if *lines != "" {
		if err := os.Rename(*lines, *lines+".old"); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		writeFile(t, *lines, []byte(s.run.Benchstat()))
	}
	fmt.Print("\n", s.run.Benchstat())
}

// keep writes the run as JSON, if a file is named for it.
func (s *session) keep(t *testing.T) {
	t.Helper()
	if *results == "" {
		return
	}
	data, err := json.MarshalIndent(s.run, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, *results, append(data, '\n'))
}

func writeFile(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// contender is measured in each round of a race. It returns one or more values by name.
type contender func(t *testing.T) map[string]float64

// race runs the contenders one after the other, round by round, in an order that is reversed
// each time.
func race(t *testing.T, rounds int, contenders ...contender) map[string][]float64 {
	t.Helper()
	got := map[string][]float64{}
	order := slices.Clone(contenders)
	for range rounds {
		for _, run := range order {
			for name, value := range run(t) {
				got[name] = append(got[name], value)
			}
		}
		slices.Reverse(order)
	}
	return got
}

// seconds times what it is given.
func seconds(t *testing.T, work func() error) float64 {
	t.Helper()
	began := time.Now()
	if err := work(); err != nil {
		t.Fatal(err)
	}
	return time.Since(began).Seconds()
}

// until retries every 5 ms until there is no error.
func until(ctx context.Context, ask func() error) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ask()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not in time: %w", err)
		case <-tick.C:
		}
	}
}

// ticks is the processor time of a process; pid is a number or "self".
func ticks(t *testing.T, pid string) float64 {
	t.Helper()
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	sum := 0.0
	for _, f := range fields[11:13] { // utime, stime
		n, err := strconv.ParseFloat(f, 64)
		if err != nil {
			t.Fatal(err)
		}
		sum += n
	}
	const perSecond = 100 // USER_HZ
	return sum / perSecond
}

// resident is the memory of a process, in bytes.
func resident(t *testing.T, pid string) float64 {
	t.Helper()
	statm, err := os.ReadFile("/proc/" + pid + "/statm")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.ParseFloat(strings.Fields(string(statm))[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	return pages * float64(os.Getpagesize())
}
