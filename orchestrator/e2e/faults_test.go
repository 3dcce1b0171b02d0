package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/effects"
	"github.com/beamyard/beamyard/orchestrator/faults"
)

// clocks is how far the kernel's timers may be from the clock: they count in ticks.
const clocks = 20 * time.Millisecond

// injector injects faults as a process does that knows no supervisor.
func (r *running) injector() faults.Injector {
	return faults.Injector{Engine: r.eng, Spec: r.Spec()}
}

func (r *running) inject(f fault.Fault, lasts time.Duration) fault.Fault {
	r.t.Helper()
	f, err := r.injector().Inject(r.t.Context(), f, lasts)
	if err != nil {
		r.t.Fatal(err)
	}
	return f
}

func (r *running) heal(ids ...string) {
	r.t.Helper()
	healed, err := r.injector().Heal(r.t.Context(), ids...)
	if err != nil || len(healed) == 0 {
		r.t.Fatalf("healed %v: %v", healed, err)
	}
	r.whole()
}

// whole waits until the mesh is full, as the nodes see it themselves.
func (r *running) whole() {
	r.t.Helper()
	r.ready()
	for _, n := range r.Spec().Nodes {
		r.seesEventually(n.Name, len(r.Spec().Nodes)-1)
	}
}

// seesEventually waits until a node sees as many others.
func (r *running) seesEventually(node string, count int) {
	r.t.Helper()
	eventually(r.t, fmt.Sprintf("%s sees %d others", node, count), func() bool {
		ctx, cancel := context.WithTimeout(r.t.Context(), 5*time.Second)
		defer cancel()
		seen, err := r.Eval(ctx, node, "length(Node.list())", orchestrator.EvalOptions{}) // an error is no answer yet
		return err == nil && seen == strconv.Itoa(count)
	})
}

// dials is what a node gets from a connection to another one's distribution port, and how long
// that took.
func (r *running) dials(from, to string) (result string, took time.Duration) {
	r.t.Helper()
	ip := strings.ReplaceAll(r.node(to).IP.String(), ".", ", ")
	answer := r.rpc(from, fmt.Sprintf(`{us, res} = :timer.tc(fn -> case :gen_tcp.connect({%s}, 9100, [], 1_000) do {:ok, _} -> :connected; {:error, e} -> e end end); "#{res} #{us}" |> IO.puts(); "#{res} #{us}"`, ip))
	var us int
	if _, err := fmt.Sscanf(strings.Trim(answer, `"`), "%s %d", &result, &us); err != nil {
		r.t.Fatalf("%q: %v", answer, err)
	}
	return result, time.Duration(us) * time.Microsecond
}

// Network faults, as the nodes see them from inside: what they do, and that they are healed, also
// without the nodes and the supervisor that were there when they came into force.
func TestFaults(t *testing.T) {
	t.Parallel()
	for _, otp := range otps {
		t.Run(otp.name, func(t *testing.T) {
			t.Parallel()
			r := up(t, engine(t), otp.base, 3, func(s *orchestrator.Spec) {
				s.NetTick = 8 * time.Second
				s.Restart.Backoff, s.Restart.MaxBackoff, s.Restart.Max = 100*time.Millisecond, 300*time.Millisecond, 100
				s.Clock, s.Tmpfs = true, []string{"/data:size=8m"}
			})
			for _, scenario := range []struct {
				name string
				test func(*running)
			}{
				{"reset", (*running).faultReset}, {"bridge", (*running).faultBridge}, {"blip", (*running).faultBlip}, {"silence", (*running).faultSilence}, {"restart", (*running).faultRestart},
				{"one way", (*running).faultOneWay}, {"loss", (*running).faultLoss}, {"rate", (*running).faultRate},
				{"end", (*running).faultEnd}, {"unsupported", (*running).faultUnsupported}, {"dead node", (*running).faultDeadNode},
				{"hard", (*running).faultHard}, {"disconnect", (*running).faultDisconnect}, {"dns", (*running).faultDNS},
				{"clock", (*running).faultClock}, {"squeeze", (*running).faultSqueeze}, {"crash", (*running).faultCrash},
			} {
				if !t.Run(scenario.name, func(t *testing.T) { scenario.test(r.in(t)) }) {
					return
				}
			}
		})
	}
}

// A reset is noticed at once, and so is a dial. Others are not affected.
func (r *running) faultReset() {
	down := r.nodedowns("n2", "n1")
	began := time.Now()
	f := r.inject(fault.Fault{Kind: fault.KindPartition, Groups: [][]string{{"n1"}}, How: fault.Reset}, 0)
	r.t.Logf("in force after %s", time.Since(began).Round(time.Millisecond))
	r.seesEventually("n1", 0)
	r.seesEventually("n2", 1)
	if got, took := r.dials("n1", "n2"); got != "econnrefused" || took > 500*time.Millisecond {
		r.t.Errorf("n1 dials n2: %s after %s", got, took)
	}
	if got, _ := r.dials("n2", "n3"); got != "connected" {
		r.t.Errorf("n2 dials n3: %s", got)
	}
	eventually(r.t, "n2 reports nodedown", func() bool { return down() == 1 })
	r.until("n1", "is cut off", func(n orchestrator.NodeStatus) bool {
		return n.State == orchestrator.Degraded && strings.Contains(n.Reason, f.ID)
	})
	// The fault is named as the cause.
	r.tells(fmt.Sprintf("formation n1: n1 is cut off from n2, n3 by %[1]s (partition n1 | the rest, reset)\nformation n2: n2 is cut off from n1 by %[1]s (partition n1 | the rest, reset)\nformation n3: n3 is cut off from n1 by %[1]s (partition n1 | the rest, reset)", f.ID))
	report := r.health()
	if roots := orchestrator.RootCauses(report.Findings); len(roots) != 1 || roots[0].Code != "fault-in-force" || !strings.HasSuffix(roots[0].Hint().String(), "beamyard heal -c "+r.name+" "+f.ID) {
		r.t.Errorf("findings: %+v", report.Findings)
	}
	if text := r.history(); !strings.Contains(text, f.ID+": partition n1 | the rest, reset") {
		r.t.Errorf("no event of it:\n%s", text)
	}
	r.heal(f.ID)
	if text := r.history(); !strings.Contains(text, f.ID+" is healed") {
		r.t.Errorf("no event of its heal:\n%s", text)
	}
}

// Nodes that lost each other tell it to those that still see both, and global disconnects some of
// those: exactly the pairs that are predicted, or some of them.
func (r *running) faultBridge() {
	f := fault.Bridge([]string{"n1", "n2", "n3"}, "n2")
	f.How = fault.Reset
	expected := effects.Expect(f, r.Spec(), effects.Kernels(r.Spec(), r.health().Report)).Innocent
	if want := []effects.Pair{effects.PairOf("n1", "n2"), effects.PairOf("n2", "n3")}; !slices.Equal(expected, want) {
		r.t.Errorf("expected %v", expected)
	}
	began := time.Now()
	f = r.inject(f, 0)
	f.Begin = began
	var lost []effects.Loss
	eventually(r.t, "global disconnects a pair that is not cut", func() bool {
		lost = slices.DeleteFunc(r.aftermath(time.Now(), f).Lost, func(l effects.Loss) bool { return !l.Innocent })
		return len(lost) > 0
	})
	for _, l := range lost {
		if !slices.Contains(expected, l.Pair) {
			r.t.Errorf("%s, which was not expected", l)
		}
	}
	r.heal(f.ID)
}

// Silence is noticed after the tick, and a dial waits.
func (r *running) faultSilence() {
	began := time.Now()
	r.inject(fault.Partition([]string{"n1"}, []string{"n2", "n3"}), 0)
	if got, took := r.dials("n1", "n2"); got != "timeout" || took < 900*time.Millisecond {
		r.t.Errorf("n1 dials n2: %s after %s", got, took)
	}
	if seen := r.rpc("n1", "length(Node.list())"); seen != "2" && time.Since(began) < 4*time.Second {
		r.t.Errorf("n1 sees %s after %s: it cannot have noticed", seen, time.Since(began))
	}
	r.seesEventually("n1", 0)
	if took := time.Since(began); took < 5*time.Second {
		r.t.Errorf("noticed after %s, before the tick", took)
	}
	r.heal()
}

// No connection crosses a partition while a node restarts in it.
func (r *running) faultRestart() {
	r.inject(fault.Fault{Kind: fault.KindPartition, Groups: [][]string{{"n1"}}, How: fault.Reset}, 0)
	r.seesEventually("n1", 0)
	ups := r.rpc("n1", `pid = spawn(fn -> Process.register(self(), :ups); :net_kernel.monitor_nodes(true); f = fn f, n -> receive do {:nodeup, _} -> f.(f, n + 1); {:count, to} -> send(to, n); _ -> f.(f, n) end end; f.(f, 0) end); is_pid(pid)`)
	if ups != "true" {
		r.t.Fatal(ups)
	}
	restarts := 3
	if strings.Contains(r.t.Name(), otps[len(otps)-1].name) {
		restarts = 20
	}
	for range restarts {
		runs := r.node("n2").Incarnation
		if err := r.Kill(r.t.Context(), "KILL", "n2"); err != nil {
			r.t.Fatal(err)
		}
		r.until("n2", "is back", func(n orchestrator.NodeStatus) bool {
			return n.Incarnation > runs && n.State == orchestrator.Degraded && strings.Contains(n.Reason, "cut off from n1")
		})
		if got, _ := r.dials("n2", "n1"); got != "econnrefused" {
			r.t.Errorf("n2 dials n1 after its restart: %s", got)
		}
		if got := r.rpc("n2", fmt.Sprintf("Node.connect(:%q)", r.node("n1").Node)); got != "false" {
			r.t.Errorf("n2 connects to n1: %s", got)
		}
	}
	if n := r.rpc("n1", `send(:ups, {:count, self()}); receive do n -> n after 2_000 -> :none end`); n != "0" {
		r.t.Errorf("n1 saw %s nodes connect", n)
	}
	r.heal()
}

// What only one direction lacks is enough to keep a connection from being made.
func (r *running) faultOneWay() {
	r.inject(fault.OneWay(fault.Pair{From: "n1", To: "n2"}), 0)
	udp := func(from, to string) string {
		r.t.Helper()
		ip := strings.ReplaceAll(r.node(to).IP.String(), ".", ", ")
		port := strings.Trim(r.rpc(to, `{:ok, s} = :gen_udp.open(0, [:binary, active: false]); pid = spawn(fn -> Process.register(self(), :one_way); receive do {:sock, s} -> receive do {:tell, to} -> send(to, case :gen_udp.recv(s, 0, 1_000) do {:ok, _} -> :got; {:error, e} -> e end) end end end); :gen_udp.controlling_process(s, pid); send(pid, {:sock, s}); {:ok, p} = :inet.port(s); p`), " ")
		r.rpc(from, fmt.Sprintf(`{:ok, s} = :gen_udp.open(0); :gen_udp.send(s, {%s}, %s, "x")`, ip, port))
		return r.rpc(to, `send(:one_way, {:tell, self()}); receive do x -> x after 3_000 -> :nothing end`)
	}
	if got := udp("n1", "n2"); got != ":timeout" {
		r.t.Errorf("n1 to n2: %s", got)
	}
	if got := udp("n2", "n1"); got != ":got" {
		r.t.Errorf("n2 to n1: %s", got)
	}
	for _, pair := range [][2]string{{"n1", "n2"}, {"n2", "n1"}} {
		if got, _ := r.dials(pair[0], pair[1]); got != "timeout" {
			r.t.Errorf("%s dials %s: %s", pair[0], pair[1], got)
		}
	}
	r.heal()
}

// A blip resets every connection, and the nodes connect again. It comes before the scenarios with
// silence: a connection that was silent for a while may still break some time after the heal.
func (r *running) faultBlip() {
	downs := []func() int{r.nodedowns("n1", "n2"), r.nodedowns("n2", "n3"), r.nodedowns("n3", "n1")}
	all := fault.Isolate("n1", "n2", "n3").Cuts([]string{"n1", "n2", "n3"})
	reset, err := r.injector().ResetConnections(r.t.Context(), all)
	if err != nil || reset < 3 {
		r.t.Fatalf("%d connections reset: %v", reset, err)
	}
	for i, down := range downs {
		eventually(r.t, fmt.Sprintf("pair %d is disconnected", i), func() bool { return down() > 0 })
	}
	r.whole()
}

// received counts the packets of size bytes that one node gets of those that another sends, and
// the time from the first to the last.
func (r *running) received(from, to string, count, size int) (got int, took time.Duration) {
	r.t.Helper()
	ip := strings.ReplaceAll(r.node(to).IP.String(), ".", ", ")
	port := r.rpc(to, `{:ok, s} = :gen_udp.open(0, [:binary, active: false, recbuf: 4_000_000]); pid = spawn(fn -> Process.register(self(), :counter); receive do :go -> :ok end; loop = fn loop, n, first, last -> case :gen_udp.recv(s, 0, 1_500) do {:ok, _} -> t = System.monotonic_time(:microsecond); loop.(loop, n + 1, first || t, t); {:error, _} -> receive do {:tell, to} -> send(to, {n, (last || 0) - (first || 0)}) after 0 -> loop.(loop, n, first, last) end end end; loop.(loop, 0, nil, nil) end); :gen_udp.controlling_process(s, pid); send(pid, :go); {:ok, p} = :inet.port(s); p`)
	// In parts, so that no buffer of the receiver overflows.
	r.rpc(from, fmt.Sprintf(`{:ok, s} = :gen_udp.open(0, sndbuf: 4_000_000); for i <- 1..%d do :gen_udp.send(s, {%s}, %s, :binary.copy("x", %d)); if rem(i, 50) == 0, do: Process.sleep(2) end; :ok`, count, ip, port, size))
	answer := r.rpc(to, `send(:counter, {:tell, self()}); receive do {n, us} -> IO.inspect({n, us}); {n, us} after 20_000 -> :nothing end`)
	var us int
	if _, err := fmt.Sscanf(answer, "{%d, %d}", &got, &us); err != nil {
		r.t.Fatalf("%q: %v", answer, err)
	}
	return got, time.Duration(us) * time.Microsecond
}

func (r *running) faultLoss() {
	const sent, percent = 4000, 20
	f := r.inject(fault.Link(fault.Quality{Loss: percent}, fault.Pair{From: "n1", To: "n2"}), 0)
	got, _ := r.received("n1", "n2", sent, 100)
	if lost := float64(sent-got) * 100 / sent; lost < percent*0.8 || lost > percent*1.2 {
		r.t.Errorf("%.1f %% lost, asked for %d", lost, percent)
	}
	if got, _ := r.received("n2", "n1", 500, 100); got != 500 {
		r.t.Errorf("the other direction got %d of 500", got)
	}
	r.heal(f.ID)
	if got, _ := r.received("n1", "n2", 500, 100); got != 500 {
		r.t.Errorf("healed, n2 got %d of 500", got)
	}
}

func (r *running) faultRate() {
	const size, count, rate = 1200, 200, 1_000_000
	r.inject(fault.Link(fault.Quality{Shaping: fault.Shaping{Rate: rate}}, fault.Pair{From: "n1", To: "n2"}), 0)
	got, took := r.received("n1", "n2", count, size)
	if bits := float64(got*(size+42)*8) / took.Seconds(); bits < rate*0.8 || bits > rate*1.2 {
		r.t.Errorf("%.0f bit/s with %d packets in %s, asked for %d", bits, got, took, rate)
	}
	r.heal()
}

// The kernel ends a fault at its time.
func (r *running) faultEnd() {
	down := r.nodedowns("n2", "n1")
	f := r.inject(fault.Fault{Kind: fault.KindPartition, Groups: [][]string{{"n1"}}, How: fault.Reset}, 10*time.Second)
	// A connection without traffic outlives the fault.
	eventually(r.t, "n2 reports nodedown", func() bool {
		r.rpc("n1", `for n <- Node.list(), do: send({:nobody, n}, :hello)`)
		return down() > 0
	})
	r.whole()
	if left := time.Until(f.End); left > clocks {
		r.t.Errorf("healed %s before its end", left)
	}
	if all, err := r.injector().List(r.t.Context()); err != nil || len(all) > 0 {
		r.t.Errorf("in force: %v, %v", all, err)
	}
	if _, err := r.injector().Heal(r.t.Context()); err != nil {
		r.t.Error(err)
	}
}

// What the kernel cannot do is refused whole.
func (r *running) faultUnsupported() {
	f := fault.Link(fault.Quality{Loss: 50, Shaping: fault.Shaping{Latency: 20 * time.Millisecond}}, fault.Pair{From: "n1", To: "n2"})
	f, err := r.injector().Inject(r.t.Context(), f, 0)
	if err == nil { // a kernel with netem
		r.heal(f.ID)
		return
	}
	if !errors.Is(err, orchestrator.ErrFaultUnsupported) || !strings.Contains(err.Error(), "netem") {
		r.t.Errorf("refused with %v", err)
	}
	if got, _ := r.received("n1", "n2", 300, 100); got != 300 {
		r.t.Errorf("n2 got %d of 300: half of the fault is in force", got)
	}
	if all, err := r.injector().List(r.t.Context()); err != nil || len(all) > 0 {
		r.t.Errorf("in force: %v, %v", all, err)
	}
}

// A node that is cut off from the host too is no mystery, and is healed all the same.
func (r *running) faultHard() {
	f := r.inject(fault.Fault{Kind: fault.KindPartition, Groups: [][]string{{"n1"}}, How: fault.Reset, Hard: true}, 0)
	n := r.until("n1", "is cut off from the host", func(n orchestrator.NodeStatus) bool {
		return n.State == orchestrator.Degraded && n.Reason == "cut off from the host by "+f.ID
	})
	client := http.Client{Timeout: 2 * time.Second}
	if resp, err := client.Get(n.URL + "/health"); err == nil {
		resp.Body.Close()
		r.t.Errorf("n1 answers the host: %s", resp.Status)
	}
	r.heal(f.ID)
	call(r.t, "GET", n.URL+"/health", nil)
	if findings := r.node("n1").Findings; len(findings) > 0 {
		r.t.Errorf("n1 has %v", findings)
	}
}

// A fault is healed while a node is down, and by a process that did not inject it.
func (r *running) faultDeadNode() {
	r.inject(fault.Fault{Kind: fault.KindPartition, Groups: [][]string{{"n1"}, {"n2"}}, How: fault.Reset}, 0)
	r.seesEventually("n1", 0)
	if err := r.Stop(r.t.Context(), "n2"); err != nil {
		r.t.Fatal(err)
	}
	if healed, err := r.injector().Heal(context.WithoutCancel(r.t.Context())); err != nil || len(healed) != 1 {
		r.t.Fatalf("healed %v: %v", healed, err)
	}
	r.seesEventually("n1", 1)
	// A fault that comes into force meanwhile holds for the node once it is back.
	r.inject(fault.Fault{Kind: fault.KindPartition, Groups: [][]string{{"n2"}}, How: fault.Reset}, 0)
	if err := r.Start(r.t.Context(), "n2"); err != nil {
		r.t.Fatal(err)
	}
	r.until("n2", "is cut off", func(n orchestrator.NodeStatus) bool {
		return n.State == orchestrator.Degraded && strings.Contains(n.Reason, "cut off from n1, n3")
	})
	if got, _ := r.dials("n1", "n2"); got != "econnrefused" {
		r.t.Errorf("n1 dials n2: %s", got)
	}
	r.heal()
}
