package example

import (
	"fmt"
	"os"
	"testing"

	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/network"
	"github.com/testcontainers/testcontainers-go/wait"

	"github.com/beamyard/beamyard/testsupport"
)

// demo is the Mix project under test.
const demo = "../../images/demo"

// TestMain removes the shared cluster at the end, and fails where anything is left.
func TestMain(m *testing.M) { os.Exit(testsupport.Main(m)) }

// shared is the cluster of the tests that can do with what others counted.
func shared(t *testing.T) *testsupport.Cluster {
	t.Helper()
	return testsupport.Shared(t, "demo", demo, testsupport.WithNodes(3), testsupport.WithOverlappingPartitions())
}

// count adds to a node's counter, and returns what it then says.
func count(t *testing.T, node *testsupport.Node, by int) int {
	t.Helper()
	sum, err := testsupport.RPC[int](t.Context(), node, "Demo.Counter", "add", by)
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

// agree waits until the counters of all nodes say sum.
func agree(t *testing.T, c *testsupport.Cluster, sum int) {
	t.Helper()
	testsupport.Eventually(t, func() error {
		for _, node := range c.Nodes() {
			got, err := testsupport.RPC[int](t.Context(), node, "Demo.Counter", "value")
			if err != nil {
				return err
			}
			if got != sum {
				return fmt.Errorf("%s has %d, not %d", node, got, sum)
			}
		}
		return nil
	})
}

// TestCrash: what was counted while a node was down, and what it had counted before,
// is there when it comes back.
func TestCrash(t *testing.T) {
	t.Parallel()
	c := shared(t)
	agree(t, c, count(t, c.Node("n2"), 1))

	c.Crash(t, "n2")
	sum := count(t, c.Node("n1"), 2)
	c.Start(t, "n2")

	agree(t, c, sum)
}

// TestNetsplit: nodes that count apart from each other agree when they meet again.
func TestNetsplit(t *testing.T) {
	t.Parallel()
	c := shared(t)
	before := count(t, c.Node("n1"), 1)
	agree(t, c, before)

	c.Disconnect(t, "n1", "n2")
	if sum := count(t, c.Node("n1"), 10); sum != before+10 {
		t.Errorf("n1 has %d, not %d", sum, before+10)
	}
	if sum := count(t, c.Node("n2"), 100); sum != before+100 {
		t.Errorf("n2 has %d, not %d: it knows what n1 counted", sum, before+100)
	}
	c.Reconnect(t, "n1", "n2")

	agree(t, c, before+110)
}

// TestPayment: a node and a container of testcontainers' own talk with each other.
// Its image is the cluster's, which has Elixir and is there already.
func TestPayment(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c := testsupport.Start(t, demo, testsupport.WithNodes(1))
	n1 := c.Node("n1")
	payment, err := testcontainers.Run(ctx, c.Status().Image,
		network.WithNetwork([]string{"payment"}, c.Network()),
		testcontainers.WithEnv(map[string]string{"SHOP": n1.Status().Host}),
		testcontainers.WithFiles(testcontainers.ContainerFile{HostFilePath: "testdata/payment.exs", ContainerFilePath: "/payment.exs", FileMode: 0o644}),
		testcontainers.WithCmd("elixir", "/payment.exs"),
		testcontainers.WithWaitStrategy(wait.ForLog("open")))
	testcontainers.CleanupContainer(t, payment, testcontainers.StopTimeout(0))
	if err != nil {
		t.Fatal(err)
	}

	// The node pays, and the container tells it so by HTTP before it answers.
	status, err := n1.Eval(ctx, `
		{ok, Payment} = gen_tcp:connect("payment", 8080, [binary, {active, false}]),
		ok = gen_tcp:send(Payment, "42"),
		{ok, Status} = gen_tcp:recv(Payment, 0, 10000),
		binary_to_integer(Status).`, nil)
	if err != nil || status != any(int64(200)) {
		t.Errorf("the payment was answered with %v, %v", status, err)
	}
	agree(t, c, 42)
}
