package bench

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/beamyard/beamyard/orchestrator/enginetest/generated"
)

const root = "../../../"

// What is published is the last run, and nothing else. `make bench` and .ci/dind/bench write the
// runs, and UPDATE=1 what is made of them.
func TestWhatIsPublishedIsTheLastRun(t *testing.T) {
	var run Run
	read(t, "testdata/bench.json", &run)
	var engines []Run
	read(t, "testdata/engines.json", &engines)

	generated.Check(t, root+"orchestrator/e2e/BENCH.md", "bench", run.Markdown())
	generated.Check(t, root+"orchestrator/e2e/BENCH.md", "engines", Engines(engines))
	generated.Check(t, root+"README.md", "bench", run.Short(
		"up/3/serving", "up/3/compose2", "start/3/testcontainers", "restart/3/again", "sync/3/compile"))

	plot, path := run.Plot("up", "Time until the cluster is up"), root+".github/bench.svg"
	switch got, err := os.ReadFile(path); {
	case os.Getenv("UPDATE") != "":
		if err := os.WriteFile(path, []byte(plot), 0o644); err != nil {
			t.Fatal(err)
		}
	case err != nil || string(got) != plot:
		t.Errorf("%s is not current (%v); update it: UPDATE=1 go test -run %s", path, err, t.Name())
	}
}

func read(t *testing.T, path string, into any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}
