package diagnosis

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
)

// recorded are true outputs of nodes and of Mix, of OTP 25 (Elixir 1.14) and 27
// (Elixir 1.18), each with the finding that must lead, and what it must name.
var recorded = []struct {
	file    string
	exit    int
	appDown bool
	root    orchestrator.FindingCode
	names   string
}{
	{"name-in-use", 1, false, "name-in-use", "app@n1.rec.test"},
	{"cookie-mismatch", 0, false, "cookie-mismatch", "b@n1.rec.test"},
	{"vm-allocation", 1, false, "vm-allocation", "heap"},
	{"binary-allocation", 1, false, "vm-allocation", "1000000000000 bytes"},
	{"disk-full", 1, false, "disk-full", "n1"},
	{"read-only-file-system", 1, false, "read-only-file-system", "n1"},
	{"iex-without-stdin", 0, false, "iex-without-stdin", "standard input"},
	{"overlapping-partitions", 0, false, "overlapping-partitions", "c@n1.rec.test"},
	{"port-in-use", 1, false, "port-in-use", "4369"},
	{"heart", 0, false, "heart", "n1"},
	{"command-missing", 127, false, "command-missing", "/bin/nosuch"},
	{"command-not-executable", 126, false, "command-not-executable", "/etc/passwd"},
	{"name-not-resolved", 1, false, "name-not-resolved", "n1"},
	{"app-exited-normal", 0, true, "app-exited", "demo"},
	{"app-exited-killed", 0, true, "app-exited", "killed"},
	{"invalid-node-name", 1, false, "invalid-node-name", "n1"},
	{"hex-missing", 1, false, "hex-missing", "Hex"},
	{"hex-fetch", 1, false, "hex-missing", "Hex"},
	{"elixir-version", 1, false, "elixir-version", "~> 1.99"},
	{"dependency-not-compiled", 1, false, "dependency-not-compiled", "dependency d "},
	{"dependency-missing", 1, false, "dependency-not-compiled", "dependency p "},
	{"compile-error", 1, false, "compile-error", "lib/p.ex"},
	{"no-mix-project", 1, false, "no-mix-project", "Mix project"},
	{"app-does-not-start", 1, false, "app-does-not-start", "p of n1"},
	{"boot-failure", 1, false, "boot-failure", "undef"},
	{"boot-file", 1, false, "boot-failure", "nosuchboot"},
	{"open-files", 1, false, "open-files", "n1"},
	{"vm-limit", 1, false, "vm-limit", "n1"},
	{"epmd-not-running", 1, false, "epmd-not-running", "EPMD"},
	{"distribution-port-in-use", 1, false, "distribution-port-in-use", "n1"},
	{"name-mode-mixed", 1, false, "name-mode-mixed", "short name"},
	{"slogan", 1, false, "unknown", "exit 1"},
	{"rebar-missing", 1, false, "rebar-missing", "rebar3"},
	{"not-allowed", 0, false, "not-allowed", "net_kernel:allow"},
	{"command-not-found", 127, false, "command-missing", "elixr"},
	{"command-of-env", 127, false, "command-missing", "elixr"},
	{"shared-library", 127, false, "shared-library-missing", "libx.so.6"},
	{"otp-application", 1, false, "otp-application-missing", "observer"},
}

func TestRecordedOutputIsDiagnosed(t *testing.T) {
	for _, otp := range []string{"otp25", "otp27"} {
		for _, r := range recorded {
			t.Run(otp+"/"+r.file, func(t *testing.T) {
				e := demo()
				n := &e.Nodes[0]
				n.Lines = readLines(t, filepath.Join("testdata", otp, r.file+".txt"))
				n.Command = []string{"sh", "-c", "…"}
				n.Exit, n.AppDown = exit("crashed", r.exit), r.appDown
				if r.file == "cookie-mismatch" { // who was refused is one of the cluster's
					e.Nodes = append(e.Nodes, Node{Name: "n2", BEAM: "b@n1.rec.test", State: orchestrator.Ready})
					n = &e.Nodes[0]
				}
				if r.exit == 0 {
					n.Exit.Class = "completed"
				}
				if r.appDown || r.file == "heart" || r.file == "overlapping-partitions" || r.file == "cookie-mismatch" || r.file == "not-allowed" {
					n.Exit, n.State, n.Late = nil, running, true
				}
				found := Diagnose(e)
				if len(found) == 0 || found[0].Code != r.root {
					t.Fatalf("want %s first:\n%s", r.root, list(found))
				}
				if f := found[0]; !strings.Contains(f.Problem, r.names) || f.Evidence == "" {
					t.Errorf("it does not name %q, or has no evidence: %+v", r.names, f)
				}
				if roots := orchestrator.RootCauses(found); len(roots) > 1 {
					t.Errorf("more than one root:\n%s", list(found))
				}
			})
		}
	}
	files, err := filepath.Glob("testdata/otp*/*.txt")
	if err != nil || len(files) != 2*len(recorded) {
		t.Errorf("%d recorded files, %d of them tested (%v)", len(files), 2*len(recorded), err)
	}
}

// demo is a cluster with one node, n1, of which nothing is known yet.
func demo() Evidence {
	return Evidence{
		Spec: orchestrator.Spec{
			Name: "demo", Source: "/src/shop", Image: "beamyard/shop:1", App: "demo", Distribution: orchestrator.Distribution{Port: 9100},
			HTTPPort: 4000, HTTPCheck: "/health", StopTimeout: 5 * time.Second, Memory: 64 << 20, Nodes: orchestrator.NodeNames(1),
		},
		Nodes: []Node{{Name: "n1", BEAM: "app@n1.demo.test", Host: "n1.demo.test", Container: "beamyard-demo-n1"}},
	}
}

// readLines reads a record: a stream, " | ", and a line of it, each.
func readLines(t *testing.T, path string) []orchestrator.Line {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var lines []orchestrator.Line
	for line := range strings.Lines(string(data)) {
		stream, text, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " |")
		if !ok {
			t.Fatalf("%s: %q is not a record", path, line)
		}
		lines = append(lines, orchestrator.Line{Stream: orchestrator.Stream(stream), Text: strings.TrimPrefix(text, " ")})
	}
	return lines
}

func list(found []orchestrator.Finding) string {
	var b strings.Builder
	for _, f := range found {
		b.WriteString("  " + f.Node + " " + f.String())
		if f.SymptomOf != nil {
			b.WriteString(" ← " + f.SymptomOf.Node + " " + string(f.SymptomOf.Code))
		}
		b.WriteString("\n")
	}
	return b.String()
}
