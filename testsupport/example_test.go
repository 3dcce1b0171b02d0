package testsupport_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/network"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/testsupport"
	"github.com/beamyard/beamyard/testsupport/wait"
)

// Without a test, as testcontainers' modules have it.
func ExampleRun() {
	ctx := context.Background()
	c, err := testsupport.Run(ctx, "../images/demo", testsupport.WithNodes(2))
	defer func() {
		if err := c.Terminate(ctx); err != nil {
			fmt.Println(err)
		}
	}()
	if err != nil {
		fmt.Println(err)
		return
	}
	sum, err := testsupport.RPC[int](ctx, c.Node("n1"), "Demo.Counter", "add", 3)
	fmt.Println(sum, err)
	fmt.Println(len(c.Nodes()), c.Node("n2").Status().State)
	// Output:
	// 3 <nil>
	// 2 ready
}

// In a test.
func ExampleStart() {
	_ = func(t *testing.T) { // func TestShop(t *testing.T)
		c := testsupport.Start(t, "../shop", testsupport.WithNodes(3),
			testcontainers.WithEnv(map[string]string{"POOL_SIZE": "2"}),
			testcontainers.WithWaitStrategy(wait.ForApplication("shop")),
			testsupport.WithNode("n3", testcontainers.WithEnv(map[string]string{"ROLE": "batch"})),
		)
		c.Crash(t, "n2")
		if err := c.WaitDown(t.Context(), "n1", "n2"); err != nil {
			t.Error(err)
		}
	}
}

// One cluster for many tests.
func ExampleShared() {
	_ = func(t *testing.T) {
		c := testsupport.Shared(t, "shop", "../shop", testsupport.WithNodes(3), testsupport.WithFreshApplication())
		c.Pause(t, "n3") // it goes on when this test ends
	}
}

// A database beside the nodes.
func ExampleCluster_Network() {
	_ = func(t *testing.T) {
		c := testsupport.Start(t, "../shop")
		db, err := testcontainers.Run(t.Context(), "postgres:17", network.WithNetwork([]string{"db"}, c.Network()))
		testcontainers.CleanupContainer(t, db)
		if err != nil {
			t.Fatal(err)
		}
	}
}

// Nodes that come back by themselves.
func ExampleWithRestart() {
	_ = func(t *testing.T) {
		c := testsupport.Start(t, "../shop", testsupport.WithRestart(orchestrator.RestartPolicy{Mode: orchestrator.RestartOnFailure}))
		c.Crash(t, "n1")
		if err := c.WaitUp(t.Context(), "n2", "n1"); err != nil {
			t.Error(err)
		}
	}
}
