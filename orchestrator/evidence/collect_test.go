package evidence_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/cluster"
	"github.com/beamyard/beamyard/orchestrator/enginetest"
	"github.com/beamyard/beamyard/orchestrator/evidence"
	"github.com/beamyard/beamyard/orchestrator/health"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	cookie = "the-cookie-0123456789"
	token  = "token-0123456789"
)

func spec(nodes int) orchestrator.Spec {
	return orchestrator.Spec{
		Name: "shop", Image: "shop:1", App: "-", Cookie: cookie, HostPort: 25200,
		Secrets: []string{"TOKEN"}, Env: map[string]string{"TOKEN": token}, Nodes: orchestrator.NodeNames(nodes),
		Restart: orchestrator.RestartPolicy{Mode: orchestrator.RestartNo},
	}
}

// crash is a VM that prints too much and ends.
func crash(_ context.Context, p *enginetest.Process) int {
	fmt.Fprintln(p.Stdout, "booting with", token)
	fmt.Fprintln(p.Stdout, strings.Repeat("x", 495)+cookie) // where the timeline cuts lines
	fmt.Fprintln(p.Stderr, "no pool for", cookie)
	p.WriteFile("/tmp/erl_crash.dump", []byte("=erl_crash_dump:0.5\nSlogan: no pool\nA15:"+cookie+"\n=end\n"))
	return 1
}

func engine(program enginetest.Program) *enginetest.Engine {
	eng := enginetest.New("shop:1")
	eng.Program = func(orchestrator.ContainerSpec) enginetest.Program { return program }
	return eng
}

// written writes a bundle and returns its files.
func written(t *testing.T, b *evidence.Bundle) map[string]string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "bundle")
	if err := errors.Join(b.WriteDir(dir), b.Close()); err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	if err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		files[rel] = string(data)
		for _, secret := range []string{cookie, token} {
			if strings.Contains(string(data), secret) {
				t.Errorf("%s has %q:\n%s", rel, secret, data)
			}
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return files
}

func has(t *testing.T, files map[string]string, name string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(files[name], text) {
			t.Errorf("%s does not have %q:\n%s", name, text, files[name])
		}
	}
}

func names(files map[string]string) []string {
	var all []string
	for name := range files {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

// The evidence of a cluster that does not form is complete before any node is stopped.
func TestEvidenceOfAFailure(t *testing.T) {
	runs := make(chan struct{}) // closed when n1 runs
	eng := engine(func(ctx context.Context, p *enginetest.Process) int {
		if strings.HasPrefix(p.Spec.Hostname, "n2.") {
			<-runs
			return crash(ctx, p)
		}
		close(runs)
		return enginetest.UntilStopped(ctx, p)
	})
	var files map[string]string
	var during []string
	c, err := cluster.New(spec(2), eng, cluster.Options{OnFailure: func(ctx context.Context, c *cluster.Cluster, cause error) {
		files = written(t, evidence.Collect(ctx, evidence.Source{Spec: c.Spec(), Cause: cause, Cluster: c, Engine: eng, By: "a test"}))
		during = history(ctx, eng)
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Run(t.Context()); !errors.Is(err, orchestrator.ErrNodeFailed) {
		t.Fatalf("Run: %v", err)
	}
	if strings.Contains(fmt.Sprint(during), "n1 kill") || strings.Contains(fmt.Sprint(during), "destroy") {
		t.Errorf("before the evidence was complete: %v", during)
	}
	want := []string{
		"README.txt", "engine.json", "error.txt", "events.jsonl", "findings.json", "health.json", "matrix.txt",
		"nodes/n1/inspect.json", "nodes/n1/stderr.log", "nodes/n1/stdout.log",
		"nodes/n2/erl_crash.dump", "nodes/n2/inspect.json", "nodes/n2/stderr.log", "nodes/n2/stdout.log",
		"ps.txt", "spec.json", "status.json", "timeline.txt",
	}
	if diff := cmp.Diff(want, names(files)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	has(t, files, "README.txt", "by a test", "It failed: cluster shop: a node failed\n", "nodes/NAME/erl_crash.dump")
	has(t, files, "error.txt", "error: cluster shop: a node failed\n", "stderr: no pool for [secret]", "\nhint: ")
	has(t, files, "nodes/n2/stdout.log", "── run 1 ──\n", "Z booting with [secret]\n")
	has(t, files, "nodes/n2/erl_crash.dump", "A15:*********************\n=end\n")
	has(t, files, "nodes/n2/inspect.json", `"class": "boot"`, `"exit_code": 1`, `"status": "exited"`)
	has(t, files, "nodes/n1/inspect.json", `"status": "running"`)
	has(t, files, "spec.json", `"cookie": "[secret]"`, `"TOKEN": "[secret]"`)
	has(t, files, "events.jsonl", `"kind":"exit"`)
	has(t, files, "ps.txt", "n2    failed", "n2: boot (exit 1): no pool")
	has(t, files, "matrix.txt", "n1  ·   ?\nn2  ?   ·\n")
	has(t, files, "engine.json", `"endpoint": "memory://"`)
	has(t, files, "timeline.txt", " engine    n2    die (exit 1)\n", " stderr    n2    no pool for [secret]\n", " beamyard  -     giving up: a node failed\n")
	if strings.Contains(files["README.txt"], "could not be collected") {
		t.Error(files["README.txt"])
	}
	if strings.Contains(files["timeline.txt"], "x"+cookie[:3]) {
		t.Error("the timeline shows the beginning of a secret")
	}
}

// history returns the events of the engine: "n1 start".
func history(ctx context.Context, eng *enginetest.Engine) []string {
	var told []string
	ctx, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	_ = eng.Events(ctx, time.Unix(0, 0), nil, func() {}, func(e orchestrator.ContainerEvent) {
		told = append(told, e.Labels[orchestrator.LabelNode]+" "+e.Action)
	}) // ends with the timeout
	return told
}

// kept returns an engine with a cluster that has no supervisor any more.
func kept(t *testing.T) *enginetest.Engine {
	t.Helper()
	eng := engine(crash)
	s := spec(1)
	s.KeepOnFailure = true
	c, err := cluster.New(s, eng, cluster.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Run(t.Context()); !errors.Is(err, orchestrator.ErrNodeFailed) {
		t.Fatalf("Run: %v", err)
	}
	return eng
}

// A name is enough if the labels have the rest.
func TestEvidenceWithoutASupervisor(t *testing.T) {
	eng := kept(t)
	files := written(t, evidence.Collect(t.Context(), evidence.Source{Spec: orchestrator.Spec{Name: "shop"}, Engine: eng}))
	want := []string{
		"README.txt", "engine.json", "findings.json", "health.json", "matrix.txt", "nodes/n1/erl_crash.dump", "nodes/n1/inspect.json", "nodes/n1/stderr.log", "nodes/n1/stdout.log",
		"ps.txt", "spec.json", "status.json", "timeline.txt",
	}
	if diff := cmp.Diff(want, names(files)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	has(t, files, "README.txt", "It had no supervisor")
	has(t, files, "ps.txt", "it has no supervisor", "n1    stopped  -     -")
	has(t, files, "timeline.txt", " engine    n1    start\n", " stdout    n1    booting with [secret]\n", " engine    n1    die (exit 1)\n")
	has(t, files, "spec.json", `"image": "shop:1"`)
}

// Evidence that cannot be collected is listed with the reason, and the rest is collected.
func TestMissingEvidenceIsListed(t *testing.T) {
	broken := errors.New("the disk is full of " + token)
	for _, tt := range []struct {
		method, missing string
		gone            []string
	}{
		{"Info", "engine.json: the disk is full of [secret]", []string{"engine.json"}},
		{"InspectContainer", "what the engine has of the cluster: inspect beamyard-shop-n1: the disk is full of [secret]", []string{"status.json", "nodes/n1/stdout.log", "nodes/n1/inspect.json", "nodes/n1/erl_crash.dump"}},
		{"OpenFile", "nodes/n1/erl_crash.dump: the disk is full of [secret]", []string{"nodes/n1/erl_crash.dump"}},
		{"Logs", "the output of n1: read the output of n1: read logs: the disk is full of [secret]", nil},
		{"Events", "the engine's events of timeline.txt: the disk is full of [secret]", nil},
	} {
		t.Run(tt.method, func(t *testing.T) {
			eng := kept(t)
			eng.FailNext(tt.method, slices.Repeat([]error{broken}, 100)...)
			files := written(t, evidence.Collect(t.Context(), evidence.Source{Spec: spec(1), Engine: eng}))
			has(t, files, "README.txt", tt.missing)
			for _, name := range []string{"README.txt", "spec.json", "timeline.txt", "engine.json", "status.json", "nodes/n1/stdout.log", "nodes/n1/inspect.json", "nodes/n1/erl_crash.dump"} {
				_, there := files[name]
				if there == slices.Contains(tt.gone, name) {
					t.Errorf("%s exists: %t", name, there)
				}
			}
		})
	}
}

// The spec lists the secrets, and its label is on the network. Without it, no data that
// may contain secrets is kept.
func TestWithoutItsSpecNoOutputIsKept(t *testing.T) {
	eng := kept(t)
	networks, err := eng.Networks(t.Context(), nil)
	if err != nil || len(networks) != 1 {
		t.Fatal(networks, err)
	}
	if err := eng.RemoveNetwork(t.Context(), networks[0].ID); err != nil {
		t.Fatal(err)
	}
	const reason = "its cluster's spec is gone with the network, and with it what must be masked"
	files := written(t, evidence.Collect(t.Context(), evidence.Source{Spec: orchestrator.Spec{Name: "shop"}, Engine: eng}))
	has(t, files, "README.txt", "the nodes' output: "+reason, "nodes/n1/erl_crash.dump: "+reason)
	has(t, files, "timeline.txt", " engine    n1    die (exit 1)\n")
	for _, name := range []string{"nodes/n1/stdout.log", "nodes/n1/stderr.log", "nodes/n1/erl_crash.dump"} {
		if _, there := files[name]; there {
			t.Errorf("%s exists", name)
		}
	}
	// A caller that has the spec gets everything.
	files = written(t, evidence.Collect(t.Context(), evidence.Source{Spec: spec(1), Engine: eng}))
	has(t, files, "nodes/n1/stdout.log", "booting with [secret]")
}

// If the failure came before there was a cluster or an engine, the evidence is the error
// and the spec.
func TestEvidenceOfNothing(t *testing.T) {
	cause := orchestrator.WithHint(errors.New("cannot compile with "+token), "mix compile")
	for name, eng := range map[string]orchestrator.Engine{"No engine answered": nil, "The engine had nothing of it": enginetest.New()} {
		files := written(t, evidence.Collect(t.Context(), evidence.Source{Spec: spec(1), Cause: cause, Engine: eng}))
		has(t, files, "README.txt", name, "It failed: cannot compile with [secret]\n")
		has(t, files, "error.txt", "error: cannot compile with [secret]\nhint: mix compile\n")
		has(t, files, "spec.json", `"name": "shop"`)
	}
}

// supervised is a supervisor that returns what a test wants.
type supervised struct {
	status orchestrator.Status
	hangs  bool
}

func (s supervised) Status(ctx context.Context) (orchestrator.Status, error) {
	if s.hangs {
		<-ctx.Done()
		return orchestrator.Status{}, ctx.Err()
	}
	return s.status, nil
}

func (s supervised) Events(context.Context, uint64, bool, func(orchestrator.Event) error) error {
	return errors.New("no events today")
}

func (s supervised) Journal(context.Context) ([]orchestrator.JournalEntry, error) {
	return []orchestrator.JournalEntry{{Time: time.Now(), Source: orchestrator.FromUser, Text: "stop " + token}}, nil
}

func (s supervised) Logs(context.Context, orchestrator.LogQuery, func(orchestrator.Line) error) error {
	return nil
}

// A finding is listed once, whatever found it. Health is as reported.
func TestFindingsAndHealth(t *testing.T) {
	f := orchestrator.Finding{Code: "cookie-mismatch", Node: "n1", Problem: "another cookie than " + cookie}
	other := orchestrator.Finding{Code: "oom", Node: "n2", Problem: "its limit"}
	src := evidence.Source{
		Spec:    spec(1),
		Cause:   &orchestrator.ClusterError{Cluster: "shop", Kind: orchestrator.ErrNotReady, Problems: []orchestrator.NodeProblem{{Node: "n1", Findings: []orchestrator.Finding{f}}}},
		Cluster: supervised{status: orchestrator.Status{Supervised: true, Nodes: []orchestrator.NodeStatus{{Name: "n1", Findings: []orchestrator.Finding{f, other}}}}},
		Health: func(context.Context) (any, string, error) {
			return map[string]string{"connectivity": token}, "the matrix\n", nil
		},
	}
	files := written(t, evidence.Collect(t.Context(), src))
	has(t, files, "findings.json", "another cookie than [secret]", "its limit")
	if n := strings.Count(files["findings.json"], "cookie-mismatch"); n != 1 {
		t.Errorf("listed %d times:\n%s", n, files["findings.json"])
	}
	has(t, files, "health.json", `"connectivity": "[secret]"`)
	has(t, files, "matrix.txt", "the matrix\n")
	has(t, files, "timeline.txt", "user      -     stop [secret]")
	has(t, files, "README.txt", "events.jsonl: no events today", "engine.json: no engine answered")
	src.Health = func(context.Context) (any, string, error) { return nil, "", errors.New("nobody answers") }
	files = written(t, evidence.Collect(t.Context(), src))
	has(t, files, "README.txt", "health.json: nobody answers")
	has(t, files, "matrix.txt", "x: the node of the row")
}

// If the supervisor hangs, the engine is queried instead.
func TestASupervisorThatHangs(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	files := written(t, evidence.Collect(ctx, evidence.Source{Spec: spec(1), Cluster: supervised{hangs: true}, Engine: kept(t)}))
	has(t, files, "README.txt", "what the supervisor knows: no answer in time", "It had no supervisor")
	has(t, files, "nodes/n1/stdout.log", "booting with [secret]")
}

// lines is a supervisor that has lines of a node.
type lines struct {
	supervised
	text string
}

func (l lines) Logs(_ context.Context, _ orchestrator.LogQuery, take func(orchestrator.Line) error) error {
	return take(orchestrator.Line{Node: "n1", Run: 1, Stream: orchestrator.Stdout, Text: l.text})
}

// An `up` that fails because its cluster is up, with other secrets, shows those of neither.
func TestTheSecretsOfTheClusterThatIsUpAreMasked(t *testing.T) {
	other := spec(1)
	other.Cookie, other.Env = "another-cookie-0123", map[string]string{"TOKEN": "another-token-0123"}
	files := written(t, evidence.Collect(t.Context(), evidence.Source{
		Spec: other, Engine: kept(t),
		Cluster: lines{supervised{status: orchestrator.Status{Supervised: true, Nodes: []orchestrator.NodeStatus{{Name: "n1", Incarnation: 1}}}}, "with " + token + " and another-token-0123"},
	}))
	has(t, files, "nodes/n1/stdout.log", "with [secret] and [secret]")
}

// slow is a supervisor whose report takes a while.
type slow struct {
	supervised
	took time.Duration
}

func (s slow) Health(ctx context.Context) (orchestrator.HealthReport, error) {
	select {
	case <-time.After(s.took):
		return orchestrator.HealthReport{Report: health.Report{Cluster: "shop", Checks: []health.Check{{Name: "db"}}}}, nil
	case <-ctx.Done():
		return orchestrator.HealthReport{}, ctx.Err()
	}
}

// A custom check that hangs does not cost the bundle its report, which then says so.
func TestAReportMayTakeAsLongAsItsChecks(t *testing.T) {
	for _, tt := range []struct {
		timeout, took time.Duration
		there         bool
	}{
		{0, 7 * time.Second, true}, // for a node that hangs, and for a check with its default timeout
		{0, 9 * time.Second, false},
		{20 * time.Second, 22 * time.Second, true},
		{time.Hour, 31 * time.Second, false}, // others wait for the bundle
	} {
		synctest.Test(t, func(t *testing.T) {
			s := spec(1)
			s.Checks = []orchestrator.Check{{Name: "db", RPC: "Shop.db()", Timeout: tt.timeout}}
			began := time.Now()
			files := written(t, evidence.Collect(t.Context(), evidence.Source{Spec: s, Cluster: slow{took: tt.took}}))
			if _, there := files["health.json"]; there != tt.there || strings.Contains(files["README.txt"], "health.json: no answer in time") == tt.there {
				t.Errorf("a report after %s, of checks of %s: %t\n%s", tt.took, tt.timeout, there, files["README.txt"])
			}
			if took := time.Since(began); took > 30*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

// late is an engine whose clock is behind.
type late struct{ orchestrator.Engine }

func (e late) Info(ctx context.Context) (orchestrator.EngineInfo, error) {
	info, err := e.Engine.Info(ctx)
	info.Time = info.Time.Add(-90 * time.Second)
	return info, err
}

// The reader of a timeline with two clocks must know how they differ.
func TestAnEnginesClockIsCompared(t *testing.T) {
	files := written(t, evidence.Collect(t.Context(), evidence.Source{Spec: spec(1), Engine: late{enginetest.New()}}))
	has(t, files, "README.txt", "The engine's clock is -1m30s ahead of ours")
	files = written(t, evidence.Collect(t.Context(), evidence.Source{Spec: spec(1), Engine: enginetest.New()}))
	if strings.Contains(files["README.txt"], "clock") {
		t.Error(files["README.txt"])
	}
}
