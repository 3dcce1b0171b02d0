package testsupport_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"testing"

	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/network"

	"github.com/beamyard/beamyard/network/erldist"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/testsupport"
)

// Outside of a test, a cluster is removed with Terminate. Its nodes are connected to each
// other when Run returns.
func ExampleRun() {
	ctx := context.Background()
	c, err := testsupport.Run(ctx, "../images/demo", testsupport.WithNodes(2))
	defer func() {
		if err := c.Terminate(ctx); err != nil { // also of a cluster that did not start
			log.Print(err)
		}
	}()
	if err != nil {
		log.Print(err)
		return
	}
	for _, node := range c.Status().Nodes {
		fmt.Println(node.Name, "is", node.State, "and sees", node.Peers)
	}
	// Output:
	// n1 is ready and sees [n2]
	// n2 is ready and sees [n1]
}

// A result is decoded into a Go type. An exception on the node is an error.
func ExampleRPC() {
	ctx := context.Background()
	c, err := testsupport.Run(ctx, "../images/demo", testsupport.WithNodes(1))
	defer func() {
		if err := c.Terminate(ctx); err != nil {
			log.Print(err)
		}
	}()
	if err != nil {
		log.Print(err)
		return
	}
	n1 := c.Node("n1")
	sum, err := testsupport.RPC[int](ctx, n1, "Demo.Counter", "add", 2)
	fmt.Println(sum, err)
	words, err := testsupport.RPC[[]string](ctx, n1, "String", "split", "two words")
	fmt.Println(words, err)
	_, err = testsupport.RPC[int](ctx, n1, "Demo.Counter", "undo")
	var exception *erldist.RPCError
	fmt.Println(errors.As(err, &exception))
	// Output:
	// 2 <nil>
	// [two words] <nil>
	// true
}

// Nodes may differ: options within WithNode come after those of the whole cluster.
func ExampleWithNode() {
	ctx := context.Background()
	c, err := testsupport.Run(ctx, "../images/demo",
		testsupport.WithNodes(2),
		testcontainers.WithEnv(map[string]string{"ROLE": "web"}),
		testsupport.WithNode("n2", testcontainers.WithEnv(map[string]string{"ROLE": "jobs"})))
	defer func() {
		if err := c.Terminate(ctx); err != nil {
			log.Print(err)
		}
	}()
	if err != nil {
		log.Print(err)
		return
	}
	for _, node := range c.Nodes() {
		role, err := testsupport.RPC[string](ctx, node, "System", "get_env", "ROLE")
		fmt.Println(node.Short(), role, err)
	}
	// Output:
	// n1 web <nil>
	// n2 jobs <nil>
}

// Another container joins the cluster's network. Nodes reach it by its alias, and it
// reaches them by their host names.
func ExampleCluster_Network() {
	ctx := context.Background()
	c, err := testsupport.Run(ctx, "../images/demo", testsupport.WithNodes(1))
	defer func() {
		if err := c.Terminate(ctx); err != nil {
			log.Print(err)
		}
	}()
	if err != nil {
		log.Print(err)
		return
	}
	// Any image would work, that of a database or a broker. This one exists already.
	db, err := testcontainers.Run(ctx, c.Status().Image, network.WithNetwork([]string{"db"}, c.Network()), testcontainers.WithCmd("sleep", "60"))
	defer func() { // before the cluster, because it is attached to the cluster's network
		if err := testcontainers.TerminateContainer(db, testcontainers.StopTimeout(0)); err != nil {
			log.Print(err)
		}
	}()
	if err != nil {
		log.Print(err)
		return
	}
	found, err := testsupport.RPC[[2]any](ctx, c.Node("n1"), "inet", "getaddr", erldist.Atom("db"), erldist.Atom("inet"))
	fmt.Println(found[0], err)
	code, _, err := db.Exec(ctx, []string{"getent", "hosts", c.Node("n1").Status().Host})
	fmt.Println(code, err)
	// Output:
	// ok <nil>
	// 0 <nil>
}

// A test has a cluster of its own until it ends.
func ExampleStart() {
	testShop := func(t *testing.T) {
		t.Parallel()
		c := testsupport.Start(t, "../shop", testsupport.WithNodes(3), testsupport.WithSecret("DATABASE_PASSWORD", "s3cret"))
		c.Crash(t, "n2")
		orders, err := testsupport.RPC[int](t.Context(), c.Node("n1"), "Shop.Orders", "count")
		if err != nil || orders != 0 {
			t.Errorf("%d orders, %v", orders, err)
		}
	}
	_ = testShop
}

// Tests of a package use a cluster in turn. The second test does not wait for its start.
func ExampleShared() {
	shop := func(t *testing.T) *testsupport.Cluster {
		t.Helper()
		return testsupport.Shared(t, "shop", "../shop", testsupport.WithNodes(3), testsupport.WithFreshApplication())
	}
	testCrash := func(t *testing.T) {
		c := shop(t)
		c.Crash(t, "n2") // it is started again before the next test gets the cluster
		if err := c.WaitDown(t.Context(), "n1", "n2"); err != nil {
			t.Error(err)
		}
	}
	testRestart := func(t *testing.T) {
		c := shop(t)
		c.Restart(t, "n1")
		c.Output("n1").RequireLine(t, `shop is open`)
	}
	_, _ = testCrash, testRestart
}

// Nodes are restarted after a crash.
func ExampleWithRestart() {
	testShop := func(t *testing.T) {
		c := testsupport.Start(t, "../shop", testsupport.WithRestart(orchestrator.RestartPolicy{Mode: orchestrator.RestartOnFailure}))
		c.Crash(t, "n1")
		if err := c.WaitUp(t.Context(), "n2", "n1"); err != nil {
			t.Error(err)
		}
	}
	_ = testShop
}
