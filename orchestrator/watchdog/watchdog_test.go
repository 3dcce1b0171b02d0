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

// TestMain is also the program of the watchdog, and of a keeper that is killed.
func TestMain(m *testing.M) {
	switch os.Getenv("WATCHDOG_TEST") {
	case "dog":
		orphans, err := Watch(os.Stdin)
		fmt.Println(names(orphans), err)
		os.Exit(0)
	case "keeper": // its watchdog inherits stdout, which stays open after the keeper's death
		dog := exec.Command(os.Args[0])
		dog.Env, dog.Stdout = append(os.Environ(), "WATCHDOG_TEST=dog"), os.Stdout
		d, err := Start(dog)
		if err == nil {
			err = d.Guard(demo)
		}
		if err == nil {
			err = d.Guard(shop)
		}
		if err == nil {
			err = d.Release(demo)
		}
		if err != nil {
			fmt.Println(err)
		}
		p, _ := os.FindProcess(os.Getpid())
		_ = p.Kill()
		select {}
	}
	os.Exit(m.Run())
}

var (
	owner = orchestrator.Owner{Host: "here", PID: 42, Start: "7"}
	demo  = Target{Cluster: "demo", Owner: owner}
	shop  = Target{Cluster: "shop", Owner: owner}
)

func names(charges []Target) string {
	var list []string
	for _, c := range charges {
		list = append(list, fmt.Sprintf("%s of %d", c.Cluster, c.Owner.PID))
	}
	return strings.Join(list, ", ")
}

func TestAKilledKeeperLeavesOrphans(t *testing.T) {
	keeper := exec.Command(os.Args[0])
	keeper.Env = append(os.Environ(), "WATCHDOG_TEST=keeper")
	out, err := keeper.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := keeper.Start(); err != nil {
		t.Fatal(err)
	}
	said, err := io.ReadAll(out) // ends when the watchdog does, too
	if err != nil || strings.TrimSpace(string(said)) != "shop of 42 <nil>" {
		t.Errorf("%q, %v", said, err)
	}
	if err := keeper.Wait(); err == nil {
		t.Error("the keeper was not killed")
	}
}

func TestAClosedDogRemovesNothing(t *testing.T) {
	var said strings.Builder
	cmd := exec.Command(os.Args[0])
	cmd.Env, cmd.Stdout = append(os.Environ(), "WATCHDOG_TEST=dog"), &said
	dog, err := Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	if err := dog.Guard(demo); err != nil {
		t.Fatal(err)
	}
	if err := dog.Close(); err != nil {
		t.Fatal(err)
	}
	if said.String() != " <nil>\n" {
		t.Errorf("%q", said.String())
	}
	if err := dog.Guard(shop); err == nil {
		t.Error("a watchdog that has ended accepted a cluster")
	}
}

func TestWatch(t *testing.T) {
	const guardDemo, guardShop = `{"guard":{"cluster":"demo"}}` + "\n", `{"guard":{"cluster":"shop"}}` + "\n"
	const releaseDemo = `{"release":{"cluster":"demo"}}` + "\n"
	for name, c := range map[string]struct {
		stdin, orphans string
		fails          bool
	}{
		"never instructed":                       {"", "", false},
		"half instructed":                        {`{"guard":`, "", false},
		"no instruction":                         {"release\n", "", true},
		"orphaned":                               {guardDemo, "demo of 0", false},
		"two":                                    {guardDemo + guardShop, "demo of 0, shop of 0", false},
		"dies in a word":                         {guardDemo + releaseDemo[:9], "demo of 0", false},
		"released":                               {guardDemo + releaseDemo, "", false},
		"one of two":                             {guardDemo + guardShop + releaseDemo, "shop of 0", false},
		"released, guarded anew":                 {guardDemo + releaseDemo + guardDemo, "demo of 0", false},
		"another owner's":                        {guardDemo + `{"release":{"cluster":"demo","owner":{"host":"","pid":1,"start":""}}}` + "\n", "demo of 0", false},
		"the targets before a broken line count": {guardDemo + "x\n", "demo of 0", true},
	} {
		t.Run(name, func(t *testing.T) {
			orphans, err := Watch(strings.NewReader(c.stdin))
			if names(orphans) != c.orphans || (err != nil) != c.fails {
				t.Errorf("%q, %v", names(orphans), err)
			}
		})
	}
}
