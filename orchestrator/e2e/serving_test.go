package e2e_test

import (
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
)

// counts starts a server on 127.0.0.1 of the node. It reads a request to the end, sends
// its length, and then as many bytes.
const counts = `
parent = self()
{:ok, _} = Task.start(fn ->
  Process.register(self(), :server)
  {:ok, listening} = :gen_tcp.listen(9568, [:binary, active: false, ip: {127, 0, 0, 1}, exit_on_close: false, backlog: 256, buffer: 65536])
  send(parent, :listening)
  serve = fn client ->
    count = fn count, n ->
      case :gen_tcp.recv(client, 0) do
        {:ok, data} -> count.(count, n + byte_size(data))
        {:error, :closed} -> n
      end
    end
    n = count.(count, 0)
    :ok = :gen_tcp.send(client, "#{n}\n")
    :ok = :gen_tcp.send(client, :binary.copy("x", n))
    :gen_tcp.close(client)
  end
  accept = fn accept ->
    {:ok, client} = :gen_tcp.accept(listening)
    {:ok, pid} = Task.start(fn -> receive do :go -> serve.(client) end end)
    :ok = :gen_tcp.controlling_process(client, pid)
    send(pid, :go)
    accept.(accept)
  end
  accept.(accept)
end)
receive do :listening -> :ok after 5000 -> :late end`

// request makes the server count n bytes, and reads its answer to the end.
func request(addr string, n int) error {
	conn, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(2 * time.Minute)); err != nil {
		return err
	}
	if _, err := conn.Write(make([]byte, n)); err != nil {
		return err
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		return err
	}
	answer, err := io.ReadAll(conn)
	if err != nil {
		return err
	}
	said, rest, _ := strings.Cut(string(answer), "\n")
	if said != strconv.Itoa(n) || len(rest) != n {
		return fmt.Errorf("of %d bytes the server counts %q and sends %d back", n, said, len(rest))
	}
	return nil
}

// An application that listens only on loopback is reached at its published port: each
// direction ends on its own, with much data, and with many connections at once. When the
// application no longer listens, its port is free. (Containers of this engine have no
// ::1.)
func loopbackIsForwarded(t *testing.T, r *running) {
	n := r.node("n1")
	if n.Serving != orchestrator.ServingOpen || n.URL == "" {
		t.Errorf("the demo listens on every address: %q, URL %q", n.Serving, n.URL)
	}
	if got := r.rpc("n1", counts); got != ":ok" {
		t.Fatalf("the server listens: %s", got)
	}
	addr := ""
	for _, p := range n.Ports {
		if p.Container == 9568 {
			addr = net.JoinHostPort(p.HostIP, strconv.Itoa(p.Host))
		}
	}
	eventually(t, "the server is reached", func() bool { return request(addr, 10) == nil })
	began := time.Now()
	if err := request(addr, 32<<20); err != nil {
		t.Errorf("much data: %v", err)
	}
	t.Logf("32 MiB there and back in %s", time.Since(began))
	var group sync.WaitGroup
	for k := range 100 {
		group.Go(func() {
			if err := request(addr, 1000*k); err != nil {
				t.Errorf("one of many: %v", err)
			}
		})
	}
	group.Wait()
	if got := r.history(); strings.Count(got, "listens on 127.0.0.1:9568 only") != 1 {
		t.Errorf("it is not reported once:\n%s", got)
	}
	if report := r.health(); len(report.Code) != 0 {
		t.Errorf("code differs: %+v", report.Code)
	}
	// The server has ended, and the port is free for the application again.
	r.rpc("n1", "Process.exit(Process.whereis(:server), :kill)")
	eventually(t, "the forwarder ends", func() bool { return r.rpc("n1", "Process.whereis(:beamyard_forward_9568)") == "nil" })
	if got := r.rpc("n1", "{:ok, s} = :gen_tcp.listen(9568, []); :gen_tcp.close(s)"); got != ":ok" {
		t.Errorf("the port is taken: %s", got)
	}
}
