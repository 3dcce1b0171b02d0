package example_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/network"
	"github.com/testcontainers/testcontainers-go/wait"

	"github.com/beamyard/beamyard/testsupport"
)

// demo is a Mix project. An image or a beamyard.yml would work as well.
const demo = "../../images/demo"

// TestMain removes what tests share, and fails the package if anything is left.
func TestMain(m *testing.M) { os.Exit(testsupport.Main(m)) }

// count adds to a node's counter, and returns its sum.
func count(t *testing.T, c *testsupport.Cluster, node string, by int) int {
	t.Helper()
	sum, err := testsupport.RPC[int](t.Context(), c.Node(node), "Demo.Counter", "add", by)
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

// agree waits until nodes have the same sum.
func agree(t *testing.T, c *testsupport.Cluster, sum int, nodes ...string) {
	t.Helper()
	testsupport.Eventually(t, func() error {
		for _, node := range nodes {
			got, err := testsupport.RPC[int](t.Context(), c.Node(node), "Demo.Counter", "value")
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

func TestACrashLosesNoCount(t *testing.T) {
	t.Parallel()
	testsupport.NoLeaks(t)
	c := testsupport.Start(t, demo, testsupport.WithNodes(3))

	count(t, c, "n2", 3)
	agree(t, c, 3, "n1", "n2", "n3")

	c.Crash(t, "n2")
	count(t, c, "n1", 4)
	agree(t, c, 7, "n1", "n3")

	c.Start(t, "n2")
	agree(t, c, 7, "n2") // the other nodes kept what it had counted
	c.Output("n2").RequireLine(t, "listening on 4000")
}

func TestAPairThatIsDisconnectedConverges(t *testing.T) {
	t.Parallel()
	// Two nodes are disconnected while both see a third: OTP 25 and later would not
	// support that without this option.
	c := testsupport.Start(t, demo, testsupport.WithNodes(3), testsupport.WithOverlappingPartitions())

	c.Disconnect(t, "n1", "n2")
	if sum := count(t, c, "n1", 1); sum != 1 {
		t.Errorf("n1 has %d", sum)
	}
	if sum := count(t, c, "n2", 10); sum != 10 {
		t.Errorf("n2 has %d, so it heard of n1", sum)
	}
	agree(t, c, 11, "n3") // n2 gets both counts

	c.Reconnect(t, "n1", "n2")
	agree(t, c, 11, "n1", "n2", "n3")
}

func TestBesideAnOrdinaryContainer(t *testing.T) {
	t.Parallel()
	c := testsupport.Start(t, demo, testsupport.WithNodes(1))

	// A mock of a clock that the application could query. Any image would work. That of
	// the nodes exists already.
	clock, err := testcontainers.Run(t.Context(), c.Status().Image,
		network.WithNetwork([]string{"clock"}, c.Network()),
		testcontainers.WithCmd("elixir", "-e", `
			{:ok, listener} = :gen_tcp.listen(80, active: false, reuseaddr: true)
			IO.puts("the clock runs")
			for _ <- Stream.cycle([1]) do
				{:ok, client} = :gen_tcp.accept(listener)
				:gen_tcp.send(client, "noon")
				:gen_tcp.close(client)
			end`),
		testcontainers.WithWaitStrategy(wait.ForLog("the clock runs")),
	)
	testcontainers.CleanupContainer(t, clock, testcontainers.StopTimeout(0))
	if err != nil {
		t.Fatal(err)
	}

	// The node reaches it by its alias …
	said, err := c.Node("n1").Eval(t.Context(), `
		{ok, Socket} = gen_tcp:connect("clock", 80, [binary, {active, false}]),
		{ok, Said} = gen_tcp:recv(Socket, 0, 5000),
		Said.`, nil)
	if err != nil || fmt.Sprintf("%s", said) != "noon" {
		t.Errorf("the clock answered %s, %v", said, err)
	}

	// … and it reaches the node by its host name.
	ask := fmt.Sprintf(`{:ok, _} = :gen_tcp.connect(~c"%s", 4000, [])`, c.Node("n1").Status().Host)
	if code, _, err := clock.Exec(t.Context(), []string{"elixir", "-e", ask}); err != nil || code != 0 {
		t.Errorf("exit code %d, %v", code, err)
	}
}
