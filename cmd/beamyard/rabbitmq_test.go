package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/beamyard/beamyard/network/erldist"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/cluster"
	"github.com/beamyard/beamyard/orchestrator/discovery"
	"github.com/beamyard/beamyard/orchestrator/docker"
)

// broker is an example cluster of images/ during one of its starts.
type broker struct {
	*cluster.Cluster
	t      *testing.T
	eng    *docker.Engine
	ended  chan error
	cancel context.CancelFunc
}

// startBroker starts RabbitMQ.
func startBroker(t *testing.T, eng *docker.Engine, name string) *broker {
	t.Helper()
	return startExample(t, eng, "rabbitmq", name, 25200)
}

// startExample starts an example with its own beamyard.yml.
func startExample(t *testing.T, eng *docker.Engine, example, name string, hostPort int) *broker {
	t.Helper()
	spec, err := (&upFlags{What: "../../images/" + example, Name: name}).spec()
	if err != nil {
		t.Fatal(err)
	}
	spec.HostPort = hostPort
	var build bytes.Buffer
	c, err := cluster.New(spec, eng, cluster.Options{BuildOutput: &build})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	b := &broker{c, t, eng, make(chan error, 1), cancel}
	go func() { b.ended <- c.Run(ctx) }()
	t.Cleanup(b.end)
	if err := c.WaitReady(t.Context()); err != nil {
		t.Fatalf("not ready: %v\n%s", err, &build)
	}
	return b
}

// end removes the cluster. Only the first call has an effect.
func (b *broker) end() {
	b.t.Helper()
	b.cancel()
	if err, open := <-b.ended; open {
		close(b.ended)
		if err != nil {
			b.t.Errorf("run: %v", err)
		}
	}
}

func (b *broker) node(name string) orchestrator.NodeStatus {
	st, err := b.Status(b.t.Context())
	n, ok := st.Node(name)
	if err != nil || !ok {
		b.t.Fatalf("%s: %+v, %v", name, st, err)
	}
	return n
}

// info returns information about the engine.
func (b *broker) info() orchestrator.EngineInfo {
	b.t.Helper()
	info, err := b.eng.Info(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	return info
}

// until polls a node's state until it is as wanted.
func (b *broker) until(name, what string, ok func(orchestrator.NodeStatus) bool) {
	b.t.Helper()
	ticks := time.NewTicker(50 * time.Millisecond)
	defer ticks.Stop()
	for deadline := time.After(2 * time.Minute); !ok(b.node(name)); {
		select {
		case <-ticks.C:
		case <-deadline:
			b.t.Fatalf("never: %s %s: %+v", name, what, b.node(name))
		}
	}
}

// eval evaluates Erlang on a node, over a hidden connection. The value is formatted as in
// Elixir.
func (b *broker) eval(node, expression string) string {
	b.t.Helper()
	n := b.node(node)
	ctx, cancel := context.WithTimeout(b.t.Context(), 30*time.Second)
	defer cancel()
	found, err := discovery.Find(ctx, b.eng, b.Spec().Name)
	if err != nil {
		b.t.Fatal(err)
	}
	conn, err := (&erldist.Dialer{Cookie: b.Spec().Cookie}).Dial(ctx, n.Node, found.DistAddr(b.info(), node))
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	value, err := conn.Eval(ctx, expression+".", nil)
	if err != nil {
		b.t.Fatalf("%s on %s: %v", expression, node, err)
	}
	return erldist.Format(value)
}

// greets sends the first bytes of AMQP 0-9-1 to a node's published port. A broker answers
// with connection.start, a frame of type 1 on channel 0.
func (b *broker) greets(node string) {
	b.t.Helper()
	port := 0
	for _, p := range b.node(node).Ports {
		if p.Container == 5672 {
			port = p.Host
		}
	}
	conn, err := new(net.Dialer).DialContext(b.t.Context(), "tcp", net.JoinHostPort(b.info().Host, strconv.Itoa(port)))
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	answer := make([]byte, 3)
	_, err = io.WriteString(conn, "AMQP\x00\x00\x09\x01")
	if err == nil {
		_, err = io.ReadFull(conn, answer)
	}
	if err != nil || !bytes.Equal(answer, []byte{1, 0, 0}) {
		b.t.Errorf("%s answers %v on port %d, %v", node, answer, port, err)
	}
}

// An application of others, from packages of others: three nodes that join in their own
// way, with data that outlives a kill and a second start of the cluster.
func TestRabbitMQ(t *testing.T) {
	t.Parallel()
	eng, err := docker.New(docker.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(eng.Close)
	name := clusterName("rabbitmq")
	t.Cleanup(func() {
		if _, err := discovery.RemoveVolumes(context.Background(), eng, name); err != nil {
			t.Error(err)
		}
	})

	b := startBroker(t, eng, name)
	const queue = `rabbit_misc:r(<<"kept">>, queue, <<"orders">>)`
	if got := b.eval("n1", `rabbit_vhost:add(<<"kept">>, <<"test">>)`); got != ":ok" {
		t.Errorf("add a virtual host: %s", got)
	}
	if got := b.eval("n2", `element(1, rabbit_amqqueue:declare(`+queue+`, true, false, [], none, <<"test">>))`); got != ":new" {
		t.Errorf("declare a durable queue: %s", got)
	}
	all := func() {
		t.Helper()
		for _, n := range b.Spec().Nodes {
			if got := b.eval(n.Name, "lists:sort(rabbit_nodes:list_running())"); got != "[:rabbit@n1, :rabbit@n2, :rabbit@n3]" {
				t.Errorf("%s sees %s run", n.Name, got)
			}
			if got := b.eval(n.Name, "rabbit_amqqueue:exists("+queue+")"); got != "true" {
				t.Errorf("%s knows the queue: %s", n.Name, got)
			}
			b.greets(n.Name)
		}
	}
	all()
	// Thresholds of performance fail at a moment when the machine is busy with other tests.
	var report orchestrator.HealthReport
	if !within(30*time.Second, func() bool {
		report, err = b.Health(t.Context())
		return err == nil && report.Passed
	}) {
		t.Errorf("health: %+v, %v", report.Checks, err)
	}

	if err := b.Kill(t.Context(), "KILL", "n2"); err != nil {
		t.Fatal(err)
	}
	b.until("n2", "is back", func(n orchestrator.NodeStatus) bool { return n.Incarnation == 2 && n.State == orchestrator.Ready })
	all()

	// The cookie is only in its file.
	cookie := b.Spec().Cookie
	result, err := orchestrator.Command(t.Context(), eng, b.node("n3").ContainerID, []string{"sh", "-c", "cat /var/lib/rabbitmq/.erlang.cookie; echo; stat -c '%a %U' /var/lib/rabbitmq/.erlang.cookie; env"})
	if err != nil || !strings.HasPrefix(result.Stdout, cookie+"\n400 rabbitmq\n") || strings.Count(result.Stdout, cookie) != 1 {
		t.Errorf("%s, %v", strings.ReplaceAll(result.Stdout, cookie, "[cookie]"), err)
	}
	err = b.Logs(t.Context(), orchestrator.LogQuery{}, func(l orchestrator.Line) error {
		if strings.Contains(l.Text, cookie) {
			return fmt.Errorf("%s shows the cookie", l.Node)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	b.end()

	b = startBroker(t, eng, name) // with another cookie, over the one in the volumes
	if b.Spec().Cookie == cookie {
		t.Error("after the second start the cookie is still the first one")
	}
	all()
	if got := b.eval("n3", `rabbit_vhost:exists(<<"kept">>)`); got != "true" {
		t.Errorf("the virtual host is there: %s", got)
	}
	b.end()
}
