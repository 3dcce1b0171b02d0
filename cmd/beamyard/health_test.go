package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/health"
	"github.com/beamyard/beamyard/orchestrator/hint"
	"github.com/google/go-cmp/cmp"
)

func noColor(string) string { return "" }

// report is one of two nodes, of which the second does not see the first.
func report() orchestrator.HealthReport {
	well := func(peer string) *health.Sample {
		return &health.Sample{
			RoundTrip: 1500 * time.Microsecond, Visible: []string{peer}, Apps: []string{"shop"}, Schedulers: 2, Load: health.Load{Part: 0.031, Known: true},
			Processes: health.Count{Used: 80, Limit: 1000, Known: true}, Container: health.Count{Used: 61 << 20, Limit: 100 << 20, Known: true},
			Modules: map[string]string{"Elixir.Shop": "aa"},
		}
	}
	r := orchestrator.HealthReport{Report: health.Judge(health.Observation{Took: 12 * time.Millisecond, Nodes: []health.Seen{
		{Name: "web", Node: "app@web", Sample: well("app@db")}, {Name: "db", Node: "app@db", Sample: well("")},
	}}, health.Expectations{Cluster: "shop", App: "shop"}, health.Thresholds{})}
	r.Findings = []orchestrator.Finding{{Code: "pair-missing", Problem: "db cannot resolve web", Solutions: []orchestrator.Solution{{Text: hint.Text("look"), Do: hint.Of(hint.Inspect.On("", "db"))}}}}
	return r
}

func TestHealthText(t *testing.T) {
	want := `✓ connectivity  2 of 2 nodes answer, round trip up to 1.5 ms
✗ formation     0 of 1 pair connected
✓ code          modules 1, nodes 2
✓ operations    2 of 2 checks passed
✓ performance   load up to 3 %, waiting for each scheduler up to 0
? resources     memory up to 61.0 MiB (limit 90.0 MiB), processes up to 80

✗ db mesh: db does not see web: what it spreads over the cluster does not get there
  → ask it to connect: beamyard rpc shop/db 'Node.connect(:"app@web")'

     web  db
web  ·    ✓
db   ✗    ·

pair-missing: db cannot resolve web
  → look: beamyard inspect db
`
	if diff := cmp.Diff(want, healthText(report(), false, noColor)); diff != "" {
		t.Error(diff)
	}
	verbose := healthText(report(), true, noColor)
	for _, line := range []string{"✓ web run queue: waiting for each scheduler 0 (limit 10)\n", "? db files\n", "✓ db scheduler load: load 3 % (limit 95 %)\n"} {
		if !strings.Contains(verbose, line) {
			t.Errorf("no %q in\n%s", line, verbose)
		}
	}
	colored := healthText(report(), true, func(code string) string { return "\x1b[" + code + "m" })
	if plainText(colored) != verbose {
		t.Errorf("colours change the text:\n%s", colored)
	}
}

// One node is not a pair.
func TestHealthTextOfOneNode(t *testing.T) {
	r := orchestrator.HealthReport{Report: health.Judge(health.Observation{Nodes: []health.Seen{{Name: "n1", Node: "app@n1", Sample: &health.Sample{}}}}, health.Expectations{Cluster: "shop"}, health.Thresholds{})}
	if text := healthText(r, false, noColor); !strings.Contains(text, "formation     a single node has no peers\n") {
		t.Error(text)
	}
}

// health --watch on a terminal redraws its report in place until Ctrl-C.
func TestHealthWatchOnATerminal(t *testing.T) {
	t.Parallel()
	demo, err := demoDir()
	if err != nil {
		t.Fatal(err)
	}
	cluster := clusterName("watch")
	env := append(os.Environ(), "XDG_RUNTIME_DIR="+t.TempDir())
	defer removeCluster(t, cluster, env)
	beamyard := func(args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "beamyard", args...)
		cmd.Env = env
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("beamyard %v: %v\n%s", args, err, out)
		}
	}
	beamyard("up", demo, "--name", cluster, "-n", "2", "-d")
	x := onTerminal(t, env[len(env)-1:], "health", cluster, "--watch")
	x.shows("\x1b[32m✓\x1b[0m formation     1 of 1 pair connected")
	beamyard("stop", cluster+"/n2")
	x.shows("n2: its container is stopped")
	if !strings.Contains(x.String(), "A\r") || !strings.Contains(x.String(), eraseToEnd) {
		t.Errorf("not drawn in place:\n%q", x)
	}
	x.types(ctrlC)
	if code := x.exits(); code != exitInterrupted {
		t.Errorf("exit %d:\n%s", code, x)
	}
}
