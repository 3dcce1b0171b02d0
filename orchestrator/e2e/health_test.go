package e2e_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/beamyard/beamyard/network/erldist"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/discovery"
	"github.com/beamyard/beamyard/orchestrator/health"
	"github.com/beamyard/beamyard/orchestrator/hint"
)

func (r *running) health() orchestrator.HealthReport {
	r.t.Helper()
	report, err := r.Health(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	return report
}

// failed are the failed checks of a report, but for those of performance: this
// machine is busy with other tests.
func failed(report orchestrator.HealthReport) []health.Check {
	var checks []health.Check
	for _, c := range report.Checks {
		if c.State == health.Failed && c.Group != health.Performance {
			checks = append(checks, c)
		}
	}
	return checks
}

func said(report orchestrator.HealthReport) string {
	var lines []string
	for _, c := range failed(report) {
		lines = append(lines, string(c.Group)+" "+c.Node+": "+c.Means)
	}
	return strings.Join(lines, "\n")
}

// tells waits until the report says exactly this.
func (r *running) tells(want string) {
	r.t.Helper()
	got := ""
	defer func() {
		if r.t.Failed() {
			r.t.Logf("it said: %s", got)
		}
	}()
	eventually(r.t, want, func() bool { got = said(r.health()); return got == want })
}

func wellKnown(t *testing.T, report orchestrator.HealthReport) {
	t.Helper()
	for _, c := range report.Checks {
		if c.State != health.Passed && c.Group != health.Performance { // a moment's load may be too high, and then unknown
			t.Errorf("%s %s %s is %s: %s", c.Group, c.Name, c.Node, c.State, c.Means)
		}
	}
	for _, n := range report.Nodes {
		s := n.Sample
		if s == nil || s.OTP == "" || !s.Load.Known || s.Schedulers == 0 || s.Container.Used < 10<<20 || s.Memory["total"] < 10<<20 || s.Files.Limit == 0 || s.Encoding != "utf8" || s.NetTick != 60 || !s.PreventOverlapping || s.Heart || len(s.Modules) < 2 && s.Modules != nil {
			t.Errorf("%s reported %+v", n.Name, s)
		}
	}
	if report.Took > 5*time.Second || !report.Matrix.Full() {
		t.Errorf("took %s, matrix %+v", report.Took, report.Matrix)
	}
}

// Problems of running nodes are reported, and no longer reported once they are fixed.
func healthOfThree(t *testing.T, r *running) {
	eventually(t, "all is well", func() bool { return len(failed(r.health())) == 0 })
	wellKnown(t, r.health())
	alone, err := discovery.Health(t.Context(), r.eng, r.name)
	if err != nil {
		t.Fatal(err)
	}
	wellKnown(t, alone)

	// A module that is not loaded is compared by its file.
	if got := r.rpc("n1", `:code.purge(Demo.Json); :code.delete(Demo.Json); :erlang.module_loaded(Demo.Json)`); got != "false" {
		t.Errorf("Demo.Json is still loaded: %s", got)
	}
	r.tells("")

	// Another module on n2, loaded by hand.
	r.rpc("n2", `Code.compiler_options(ignore_module_conflict: true); Code.compile_string("defmodule Demo.Counter do\n def other, do: 1\nend")`)
	report := r.health()
	if len(report.Code) != 1 || report.Code[0].Module != "Elixir.Demo.Counter" || len(report.Code[0].Nodes) != 2 {
		t.Errorf("code: %+v", report.Code)
	}
	r.tells("code : the nodes do not run the same code: Demo.Counter on n2")
	if err := r.Restart(t.Context(), "n2"); err != nil {
		t.Fatal(err)
	}
	r.ready()
	r.tells("")

	// The application on n1 ends, but not its VM.
	r.rpc("n1", `Application.stop(:demo)`)
	report = r.health()
	if got := said(report); !strings.Contains(got, "operations n1: application demo is not started") {
		t.Errorf("after the application's end: %s", got)
	}
	r.until("n1", "is degraded", func(n orchestrator.NodeStatus) bool {
		return n.State == orchestrator.Degraded && n.Reason == "application demo is not started"
	})
	r.rpc("n1", `Application.start(:demo)`)
	r.ready()
	r.tells("")

	// A node is stopped, with a supervisor and without.
	if err := r.Stop(t.Context(), "n3"); err != nil {
		t.Fatal(err)
	}
	report = r.health()
	if got := said(report); got != "connectivity n3: n3: its container is stopped" {
		t.Errorf("with n3 stopped: %s", got)
	}
	alone, err = discovery.Health(t.Context(), r.eng, r.name)
	if got := said(alone); err != nil || !strings.HasPrefix(got, "connectivity n3: n3: its container is stopped") || strings.Contains(got, "\n") {
		t.Errorf("without a supervisor: %v, %s", err, got)
	}
	if m := report.Matrix; m.Rows[0][1] != health.SeesVisible || m.Rows[0][2] != health.SeesNot || m.Rows[2][0] != health.SeesUnknown {
		t.Errorf("matrix %+v", m)
	}
	if err := r.Start(t.Context(), "n3"); err != nil {
		t.Fatal(err)
	}
}

// Mix consolidates protocols into a folder before all others in the code path, and the VM
// loads them when they are first used. A node that has loaded one runs the same code as a
// node that has not.
func TestHealthOfAProtocol(t *testing.T) {
	t.Parallel()
	for _, otp := range otps {
		t.Run(otp.name, func(t *testing.T) {
			t.Parallel()
			r := up(t, engine(t), otp.base, 2, func(s *orchestrator.Spec) {
				s.Source, s.HTTPCheck, s.HTTPPort = "testdata/protocol", "", -1
			})
			if got := r.rpc("n1", `{Shapes.Area.of({2, 3}), Protocol.consolidated?(Shapes.Area)}`); got != "{6, true}" {
				t.Fatalf("n1: %s", got)
			}
			if got := r.rpc("n2", `:erlang.module_loaded(Shapes.Area)`); got != "false" {
				t.Fatalf("on n2 it is loaded: %s", got)
			}
			report := r.health()
			for _, c := range report.Of(health.Code) {
				if c.State != health.Passed || len(c.Figures) < 2 || c.Figures[0].Value != 3 || c.Figures[1].Value != 2 {
					t.Errorf("code: %+v, %+v", c, report.Code)
				}
			}
			for _, n := range report.Nodes {
				if n.Sample == nil || slices.Contains(slices.Collect(maps.Values(n.Sample.Modules)), "") {
					t.Errorf("%s: a module cannot be read: %+v", n.Name, n.Sample)
				}
			}
		})
	}
}

// A pair is disconnected, and the application is responsible for the mesh.
func pairThatIsCut(t *testing.T, r *running) {
	// A node that the other may not dial stays disconnected.
	r.rpc("n1", `:net_kernel.allow([:"nobody@nowhere.test"]); :erlang.disconnect_node(:"`+r.node("n2").Node+`")`)
	report := r.health()
	eventually(t, "both nodes report it", func() bool { report = r.health(); return len(failed(report)) == 2 })
	if got := said(report); !strings.HasPrefix(got, "formation n1: n1 does not see n2: ") || !strings.Contains(got, "\nformation n2: n2 does not see n1: ") {
		t.Errorf("said: %s", got)
	}
	if report.Matrix.Full() || !strings.Contains(hint.Lines(report.Suggestions...).String(), `beamyard rpc `+r.name+`/n1 'Node.connect(:"`+r.node("n2").Node+`")'`) {
		t.Errorf("matrix %+v, suggestions %q", report.Matrix, report.Suggestions)
	}
	r.until("n1", "is degraded", func(n orchestrator.NodeStatus) bool { return n.State == orchestrator.Degraded })
	if err := r.Restart(t.Context(), "n1"); err != nil { // the other may dial it again
		t.Fatal(err)
	}
}

func customChecks(t *testing.T, r *running) {
	r.tells("")
	r.rpc("n2", `File.write!("/tmp/full", ""); Application.put_env(:demo, :flag, :down)`)
	report := r.health()
	if got := said(report); got != "operations n2: flag: it is :down, not {:ok, 1}\noperations n2: file: exit code 4: it is full" {
		t.Errorf("said: %s", got)
	}
	r.until("n2", "is degraded", func(n orchestrator.NodeStatus) bool {
		return n.State == orchestrator.Degraded && n.Reason == "flag: it is :down, not {:ok, 1}"
	})
	r.rpc("n2", `File.rm!("/tmp/full"); Application.put_env(:demo, :flag, {:ok, 1})`)
	r.ready()
	r.tells("")
}

// A check that exceeds its time is ended on the node too, with all processes that it
// started.
func nothingRemainsOfAHangingCheck(t *testing.T, r *running) {
	const waiting = `Enum.count(Process.list(), &Process.info(&1, :current_function) == {:current_function, {Process, :sleep, 1}})`
	count := func() string {
		return r.rpc("n1", `{length(Process.list()), length(:ets.all()), `+waiting+`}`)
	}
	r.tells("")
	r.rpc("n1", `Application.put_env(:demo, :hangs, true)`)
	eventually(t, "the supervisor's own check hangs too", func() bool { return r.node("n1").State == orchestrator.Degraded })
	for range 5 {
		if got := said(r.health()); got != "operations n1: hangs: no result within 300ms" {
			t.Errorf("said: %s", got)
		}
	}
	r.rpc("n1", `Application.put_env(:demo, :hangs, false)`)
	r.ready()
	eventually(t, "no process waits any more", func() bool { return r.rpc("n1", waiting) == "0" })
	before := count()
	r.health()
	after := ""
	eventually(t, "as many processes as before", func() bool { after = count(); return after == before })
}

// Memory over the threshold: a share of the container's limit, as the kernel counts it.
func nearItsMemoryLimit(t *testing.T, r *running) {
	r.tells("")
	r.rpc("n1", `:persistent_term.put(:hoard, for(_ <- 1..11, do: :crypto.strong_rand_bytes(12_000_000))); :ok`)
	report := r.health()
	got := failed(report)
	if len(got) != 1 || got[0].Name != "memory" || !strings.Contains(got[0].Means, "of 256.0 MiB") || !strings.Contains(got[0].Suggestion.String(), "memory: in beamyard.yml") {
		t.Errorf("said: %s", said(report))
	}
	n := r.until("n1", "is degraded", func(n orchestrator.NodeStatus) bool { return n.State == orchestrator.Degraded })
	if !strings.HasPrefix(n.Reason, "memory of n1: ") {
		t.Errorf("reason %q", n.Reason)
	}
	r.rpc("n1", `:persistent_term.erase(:hoard); for p <- Process.list(), do: :erlang.garbage_collect(p); :ok`)
	r.ready()
}

// No process of a health report stays on a node, and the supervisor's own monitor ends
// with its link.
func nothingRemainsOfAHealthReport(t *testing.T, r *running) {
	c := r.dialNode("n1")
	count := func() any {
		v, err := c.Eval(context.Background(), "{length(processes()), length(ets:all()), length(erlang:ports())}.", nil)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	eventually(t, "the supervisor monitors", func() bool {
		v, err := c.Eval(context.Background(), receiving, nil)
		return err == nil && v == any(int64(1))
	})
	r.health()
	before := count()
	for range 20 {
		r.health()
	}
	after := count()
	eventually(t, "as many processes as before", func() bool { after = count(); return erldist.Equal(before, after) })
}
