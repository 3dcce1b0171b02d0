package watchdog

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/beamyard/beamyard/orchestrator"
)

// TestMain is also the program that is started as a watchdog, and as a keeper
// that dies.
func TestMain(m *testing.M) {
	switch os.Getenv("WATCHDOG_TEST") {
	case "dog":
		c, orphaned, err := Watch(os.Stdin)
		fmt.Println(c.Cluster, c.Owner.PID, orphaned, err)
		os.Exit(0)
	case "keeper": // dies with its dog: its stdout stays open in that one
		dog := exec.Command(os.Args[0])
		dog.Env, dog.Stdout = append(os.Environ(), "WATCHDOG_TEST=dog"), os.Stdout
		if _, err := Start(dog, charge); err != nil {
			fmt.Println(err)
		}
		p, _ := os.FindProcess(os.Getpid())
		_ = p.Kill()
		select {}
	}
	os.Exit(m.Run())
}

var charge = Charge{Cluster: "demo", Owner: orchestrator.Owner{Host: "here", PID: 42, Start: "7"}}

func TestAKilledKeeperLeavesAnOrphan(t *testing.T) {
	keeper := exec.Command(os.Args[0])
	keeper.Env = append(os.Environ(), "WATCHDOG_TEST=keeper")
	out, err := keeper.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := keeper.Start(); err != nil {
		t.Fatal(err)
	}
	said, err := io.ReadAll(out) // ends when the dog does, too
	if err != nil || strings.TrimSpace(string(said)) != "demo 42 true <nil>" {
		t.Errorf("%q, %v", said, err)
	}
	if err := keeper.Wait(); err == nil {
		t.Error("the keeper was not killed")
	}
}

func TestAReleasedDogRemovesNothing(t *testing.T) {
	var said strings.Builder
	cmd := exec.Command(os.Args[0])
	cmd.Env, cmd.Stdout = append(os.Environ(), "WATCHDOG_TEST=dog"), &said
	dog, err := Start(cmd, charge)
	if err != nil {
		t.Fatal(err)
	}
	if err := dog.Release(); err != nil {
		t.Fatal(err)
	}
	if said.String() != "demo 42 false <nil>\n" {
		t.Errorf("%q", said.String())
	}
}

func TestWatch(t *testing.T) {
	for name, c := range map[string]struct {
		stdin    string
		orphaned bool
		fails    bool
	}{
		"never instructed":   {"", false, false},
		"half instructed":    {`{"cluster":`, false, false},
		"no instruction":     {"release\n", false, true},
		"orphaned":           {`{"cluster":"demo"}` + "\n", true, false},
		"dies in a word":     {`{"cluster":"demo"}` + "\nrele", true, false},
		"released":           {`{"cluster":"demo"}` + "\nrelease\n", false, false},
		"released and more":  {`{"cluster":"demo"}` + "\nrelease\nmore", false, false},
		"says what it wants": {`{"cluster":"demo"}` + "\nhello\n", true, false},
	} {
		t.Run(name, func(t *testing.T) {
			_, orphaned, err := Watch(strings.NewReader(c.stdin))
			if orphaned != c.orphaned || (err != nil) != c.fails {
				t.Errorf("orphaned %v, %v", orphaned, err)
			}
		})
	}
}
