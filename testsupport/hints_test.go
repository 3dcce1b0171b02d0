package testsupport_test

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"slices"
	"strings"
	"testing"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/diagnosis"
	"github.com/beamyard/beamyard/orchestrator/hint"
	"github.com/beamyard/beamyard/orchestrator/upgrade"
	"github.com/beamyard/beamyard/testsupport"
)

// calls has what hints write as Go, for the compiler to check. It is never called.
func calls(t *testing.T, c *testsupport.Cluster, source string, fn func(orchestrator.Line) error) {
	ctx := t.Context()
	_ = testsupport.Start(t, source)
	_ = testsupport.Start(t, "../shop")
	_ = testsupport.Start(t, "/shop")
	_ = c.Terminate(ctx)
	c.Start(t, "n1")
	_ = c.Node("n1").Stop(ctx, nil)
	c.Restart(t, "n1")
	c.Unpause(t, "n1")
	c.Reconnect(t, "n1")
	c.Upgrade(t, upgrade.Options{})
	c.Rollback(t)
	c.Heal(t)
	c.Squeeze(t, fault.Limits{Memory: 268435456}, "n1")
	_ = c.Status()
	_ = c.Node("n1").Status()
	_ = c.Output("n1").String()
	_ = c.Output("n1").Lines(50)
	_ = c.Output("n1").RequireLine(t, "challenge")
	_ = c.Events()
	_ = c.Controller().Logs(ctx, orchestrator.LogQuery{SinceRestart: true}, fn)
	_, _ = c.Controller().Health(ctx)
	_, _ = c.Controller().Eval(ctx, "n1", `IO.puts("100%")`, orchestrator.EvalOptions{})
	_, _ = c.Controller().Eval(ctx, "n1", "nodes().", orchestrator.EvalOptions{Erlang: true})
	_, _ = c.Controller().Sync(ctx, orchestrator.SyncOptions{})
	_, _ = c.Controller().Sync(ctx, orchestrator.SyncOptions{Nodes: []string{"n1", "n2"}, Restart: true})
	_, _ = c.Controller().Sync(ctx, orchestrator.SyncOptions{PurgeHard: true})
	_ = testsupport.WithNodes(3)
	_ = testsupport.WithName
	_ = testsupport.WithName("demo-2")
	_ = testsupport.WithEnv("KEY", "-a b")
	_ = testsupport.WithOverlappingPartitions()
	_ = testsupport.WithSpec
}

// compiled are the expressions in calls.
func compiled(t *testing.T) []string {
	t.Helper()
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, "hints_test.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || f.Name.Name != "calls" {
			continue
		}
		for _, s := range f.Body.List {
			var b strings.Builder
			var what ast.Node = s
			if assigned, ok := s.(*ast.AssignStmt); ok {
				what = assigned.Rhs[0]
			}
			if err := printer.Fprint(&b, files, what); err != nil {
				t.Fatal(err)
			}
			all = append(all, b.String())
		}
	}
	return all
}

func TestStepsAsGoCalls(t *testing.T) {
	_ = calls
	compiles := compiled(t)
	tested := map[hint.Verb]bool{hint.UpHelp: true} // by TestHintsOfTests
	for _, tc := range []struct {
		step    hint.Step
		command bool // there is no call
	}{
		{hint.Up.With(), false},
		{hint.Up.On("demo").With("source: ../shop"), false},
		{hint.Up.With("file: /shop/beamyard.yml"), false},
		{hint.Supervise.On("demo"), true},
		{hint.Down.On("demo"), false},
		{hint.DownVolumes.On("demo"), true},
		{hint.Start.On("demo", "n1"), false},
		{hint.Stop.On("demo", "n1"), false},
		{hint.Restart.On("demo", "n1"), false},
		{hint.Unpause.On("demo", "n1"), false},
		{hint.Reconnect.On("demo", "n1"), false},
		{hint.Upgrade.On("demo"), false},
		{hint.Rollback.On("demo"), false},
		{hint.Heal.On("demo"), false},
		{hint.Squeeze.On("demo", "n1").With("256MiB"), false},
		{hint.Status.On("demo"), false},
		{hint.Status.With(), true},
		{hint.Inspect.On("demo", "n1"), false},
		{hint.Logs.On("demo", "n1"), false},
		{hint.Logs.With(), true},
		{hint.Tail.On("demo", "n1"), false},
		{hint.Grep.On("demo", "n1").With("challenge"), false},
		{hint.LastRun.On("demo"), false},
		{hint.Events.On("demo"), false},
		{hint.Health.On("demo"), false},
		{hint.HealthJSON.On("demo"), false},
		{hint.Eval.On("demo", "n1").With(`IO.puts("100%")`), false},
		{hint.EvalErlang.On("demo", "n1").With("nodes()."), false},
		{hint.Sync.On("demo"), false},
		{hint.SyncRestart.On("demo", "n1", "n2"), false},
		{hint.SyncPurge.On("demo"), false},
		{hint.SyncWatch.With(), true},
		{hint.Shell.With(), true},
		{hint.Send.With(), true},
		{hint.Page.On("demo"), true},
		{hint.Export.With("demo.tar.gz"), true},
		{hint.Doctor.With(), true},
		{hint.Prune.With(), true},
		{hint.Machines.With("init"), true},
		{hint.Setting("nodes: 3"), false},
		{hint.Setting("name"), false},
		{hint.Setting("name: demo-2"), false},
		{hint.Setting("env.KEY: -a b"), false},
		{hint.Setting("distribution.overlapping_partitions: true"), false},
	} {
		tested[tc.step.Do] = true
		got := testsupport.GoCall(tc.step)
		if tc.command && got != tc.step.String() || !tc.command && !slices.Contains(compiles, got) {
			t.Errorf("%+v is written as %s", tc.step, got)
		}
	}
	for _, v := range hint.Verbs {
		if !tested[v] {
			t.Errorf("%s is not tested", v)
		}
	}
}

func TestHintsOfTests(t *testing.T) {
	failed := errors.New("it failed")
	overlap := &orchestrator.OverlapError{A: "n1", B: "n2", Third: "n3", Strict: "n3"}
	unready := func(kept bool, next hint.Hint) error {
		return &orchestrator.ClusterError{Cluster: "demo", Kind: orchestrator.ErrNotReady, Kept: kept, Problems: []orchestrator.NodeProblem{{Node: "n1", Hint: next}}}
	}
	paused := orchestrator.Finding{Code: "node-paused", Solutions: []orchestrator.Solution{
		{Text: hint.Text("unpause it"), Do: hint.Of(hint.Unpause.On("demo", "n1"))},
		{Text: hint.Text("see what runs in it"), Do: hint.Text("docker top beamyard-demo-n1")},
	}}
	rpc := hint.Newf("try it: %s", hint.Eval.On("demo", "n1").With("Demo.ready?()"))
	for _, tc := range []struct {
		err  error
		want string
	}{
		{failed, ""},
		{orchestrator.WithHint(failed, "%s", hint.Unpause.On("demo", "n1", "n2")), `c.Unpause(t, "n1"); c.Unpause(t, "n2")`},
		{errors.Join(orchestrator.WithHint(failed, "one"), orchestrator.WithHint(failed, "two")), "one\n      two"},
		{overlap, "cut whole groups: with no peers named a node is cut off from all others; or let partitions overlap: testsupport.WithOverlappingPartitions(), or -kernel prevent_overlapping_partitions false in the VM's flags"},
		{orchestrator.WithHint(failed, "%s", hint.Setting("pool")), "Pool in testsupport.WithSpec"},
		{orchestrator.WithHint(failed, "%s", hint.Setting("basename", "distribution.port: 9100")), "Basename and Distribution.Port: 9100 in testsupport.WithSpec"},
		{orchestrator.WithHint(failed, "%s", hint.SettingOf("n1", "http_port: -1")), "HTTPPort: -1 of n1 in testsupport.WithSpec"},
		{orchestrator.WithHint(failed, "%s", hint.Setting("env.A: 1", "pool")), `testsupport.WithEnv("A", "1") and Pool in testsupport.WithSpec`},
		{orchestrator.WithHint(failed, "%s", hint.Setting("invented: 1")), "invented: 1 in beamyard.yml"},
		{orchestrator.WithHint(failed, "%s", hint.UpHelp.With()), "go doc testsupport.Start"},
		{orchestrator.WithHint(failed, "%s", hint.Up.On("demo").With("source: .", "keep_on_failure")), "BEAMYARD_KEEP=1 go test"},
		{
			orchestrator.WithHint(failed, "%s", hint.Up.On("demo").With("source: .", "keep_on_failure", "env.A: 1", "keep_dumps: dumps")),
			`BEAMYARD_KEEP=1 go test with testsupport.WithEnv("A", "1") and KeepDumps: dumps in testsupport.WithSpec`,
		},
		{orchestrator.WithHint(failed, "%s", hint.Up.With("source: ../shop", "base_image: trixie")), `testsupport.Start(t, "../shop") with BaseImage: trixie in testsupport.WithSpec`},
		{unready(false, rpc), "try it: c.Controller().Eval(ctx, \"n1\", \"Demo.ready?()\", orchestrator.EvalOptions{})"},
		{&orchestrator.DiagnosedError{Err: failed, Findings: []orchestrator.Finding{paused}}, "unpause it: c.Unpause(t, \"n1\")\n      see what runs in it: docker top beamyard-demo-n1"},
		// A cluster that is kept outlives the test.
		{unready(true, rpc), "try it: beamyard rpc demo/n1 'Demo.ready?()'"},
		{unready(false, hint.Newf("up again with %s, then %s", hint.Setting("keep_on_failure"), rpc)), "up again with BEAMYARD_KEEP=1, then try it: beamyard rpc demo/n1 'Demo.ready?()'"},
	} {
		want := tc.err.Error()
		if tc.want != "" {
			want += "\nhint: " + tc.want
		}
		if got := testsupport.Hinted(tc.err); got != want {
			t.Errorf("%s\nwant %s", got, want)
		}
	}
}

// A test has no beamyard.yml.
func TestSolutionsOfFindingsNameOptions(t *testing.T) {
	fill := strings.NewReplacer("{what}", "source: .").Replace
	for _, rule := range diagnosis.Rules() {
		for _, s := range rule.Solutions {
			if text := s.Hint().Map(fill).Render(testsupport.GoCall); strings.Contains(text, "beamyard.yml") {
				t.Errorf("%s: %s", rule.Code, text)
			}
		}
	}
}
