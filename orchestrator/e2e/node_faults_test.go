package e2e_test

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/faults"
)

// Faults of single nodes, as those see them from inside. They share the clusters of TestFaults.

// The VMs refuse each other, and the network between them is as before.
func (r *running) faultDisconnect() {
	f := r.inject(fault.Fault{Kind: fault.KindPartition, Groups: [][]string{{"n1"}}, How: fault.Disconnect}, 0)
	r.seesEventually("n1", 0)
	r.seesEventually("n2", 1)
	if got, _ := r.dials("n1", "n2"); got != "connected" {
		r.t.Errorf("n1 dials n2: %s", got)
	}
	if r.connects("n1", "n2") || r.connects("n2", "n1") {
		r.t.Error("n1 and n2 connect")
	}
	runs := r.node("n1").Incarnation
	if err := r.Kill(r.t.Context(), "KILL", "n1"); err != nil {
		r.t.Fatal(err)
	}
	r.until("n1", "is back", func(n orchestrator.NodeStatus) bool {
		return n.Incarnation > runs && n.State == orchestrator.Degraded && strings.Contains(n.Reason, "cut off from n2, n3 by "+f.ID)
	})
	if r.connects("n1", "n2") {
		r.t.Error("n1 connects to n2 after its restart")
	}
	r.heal(f.ID)
	down := r.nodedowns("n2", "n1")
	f = r.inject(fault.Fault{Kind: fault.KindPartition, Groups: [][]string{{"n1"}}, How: fault.Disconnect}, 6*time.Second)
	eventually(r.t, "n2 reports nodedown", func() bool { return down() > 0 })
	r.whole()
	if left := time.Until(f.End); left > clocks {
		r.t.Errorf("healed %s before its end", left)
	}
}

// resolves returns what a node gets for a name, by the resolver of the C library, and by the one
// of OTP.
func (r *running) resolves(node, name string) string {
	r.t.Helper()
	return r.rpc(node, fmt.Sprintf(`native = case :inet.gethostbyname(~c"%s") do {:ok, {:hostent, _, _, _, _, ips}} -> Enum.sort(ips); {:error, e} -> e end
otp = Enum.sort(:inet_res.lookup(~c"%s", :in, :a))
Enum.map_join([native, otp], " ", fn l when is_list(l) -> "[" <> Enum.map_join(l, ",", &to_string(:inet.ntoa(&1))) <> "]"; e -> to_string(e) end)`, name, name))
}

func (r *running) faultDNS() {
	ip := func(node string) string { return r.node(node).IP.String() }
	both := func(ips ...string) string {
		list := "[" + strings.Join(ips, ",") + "]"
		return strconv.Quote(list + " " + list)
	}
	names := r.Spec().Names()
	n2, n3, all := names.Hostname("n2"), names.Hostname("n3"), names.All()
	want := func(node, name, want string) {
		r.t.Helper()
		if got := r.resolves(node, name); got != want {
			r.t.Errorf("%s resolves %s to %s, want %s", node, name, got, want)
		}
	}
	want("n1", all, both(ip("n1"), ip("n2"), ip("n3")))

	r.inject(fault.Fault{Kind: fault.KindDNS, Nodes: []string{"n1"}, DNS: fault.DNS{Answers: fault.NoAnswers, Peers: []string{"n2"}}}, 0)
	want("n1", n2, `"nxdomain []"`)
	want("n1", n3, both(ip("n3")))
	want("n1", all, both(ip("n1"), ip("n3")))
	want("n3", n2, both(ip("n2")))
	if sees := r.rpc("n1", "length(Node.list())"); sees != "2" {
		r.t.Errorf("n1 sees %s others: connections stay", sees)
	}
	r.inject(fault.Fault{Kind: fault.KindDNS, Nodes: []string{"n1"}, DNS: fault.DNS{Answers: fault.NoAnswers}}, 0)
	want("n1", all, both(ip("n1")))

	// It holds for the next run of the node, too: names count when it connects.
	runs := r.node("n1").Incarnation
	if err := r.Kill(r.t.Context(), "KILL", "n1"); err != nil {
		r.t.Fatal(err)
	}
	r.until("n1", "is back", func(n orchestrator.NodeStatus) bool { return n.Incarnation > runs && n.State.Running() })
	eventually(r.t, "n1 resolves nobody after its restart", func() bool {
		got, err := r.Eval(r.t.Context(), "n1", fmt.Sprintf(`:inet.gethostbyname(~c"%s")`, n3), orchestrator.EvalOptions{})
		return err == nil && got == "{:error, :nxdomain}"
	})
	r.heal()
	want("n1", all, both(ip("n1"), ip("n2"), ip("n3")))

	f := r.inject(fault.Fault{Kind: fault.KindDNS, Nodes: []string{"n1"}, DNS: fault.DNS{Answers: fault.StaleAnswers, Peers: []string{"n3"}}}, 8*time.Second)
	if got := r.resolves("n1", n3); got == both(ip("n3")) || strings.Contains(got, "nxdomain") {
		r.t.Errorf("n3 is stale at %s", got)
	}
	eventually(r.t, "the fault ends", func() bool { return r.resolves("n1", n3) == both(ip("n3")) })
	if left := time.Until(f.End); left > clocks {
		r.t.Errorf("healed %s before its end", left)
	}
	r.forget()
}

// forget removes the records of faults that have ended.
func (r *running) forget() {
	r.t.Helper()
	if _, err := r.injector().Heal(r.t.Context()); err != nil {
		r.t.Error(err)
	}
}

// ahead is how far a node's clock is ahead of this machine's.
func (r *running) ahead(node string) time.Duration {
	r.t.Helper()
	before := time.Now()
	ms, err := strconv.ParseInt(r.rpc(node, "System.os_time(:millisecond)"), 10, 64)
	if err != nil {
		r.t.Fatal(err)
	}
	return time.UnixMilli(ms).Sub(before.Add(time.Since(before) / 2)).Round(time.Second)
}

// A wrong clock does not make a node lose another one.
func (r *running) faultClock() {
	lost := r.nodedowns("n2", "n1")
	f := r.inject(fault.Fault{Kind: fault.KindClock, Nodes: []string{"n1"}, Clock: fault.Clock{Bump: -10 * time.Minute}}, 0)
	eventually(r.t, "n1's clock is behind", func() bool { return r.ahead("n1") == -10*time.Minute })
	if other := r.ahead("n2"); other != 0 {
		r.t.Errorf("n2's clock is %s ahead", other)
	}
	if took := r.rpc("n1", "{us, _} = :timer.tc(fn -> Process.sleep(200) end); div(us, 100_000)"); took != "2" {
		r.t.Errorf("200 ms took n1 %s00 ms", took)
	}
	if n := lost(); n != 0 {
		r.t.Errorf("n2 lost n1 %d times", n)
	}
	runs := r.node("n1").Incarnation
	if err := r.Kill(r.t.Context(), "KILL", "n1"); err != nil {
		r.t.Fatal(err)
	}
	r.until("n1", "is ready again", func(n orchestrator.NodeStatus) bool { return n.Incarnation > runs && n.State == orchestrator.Ready })
	eventually(r.t, "n1's clock is behind after its restart", func() bool { return r.ahead("n1") == -10*time.Minute })
	r.heal(f.ID)
	eventually(r.t, "n1's clock is right", func() bool { return r.ahead("n1") == 0 })
	f = r.inject(fault.Fault{Kind: fault.KindClock, Nodes: []string{"n1"}, Clock: fault.Clock{Bump: time.Hour, Drift: 3}}, 10*time.Second)
	eventually(r.t, "n1's clock runs away", func() bool { return r.ahead("n1") > time.Hour+2*time.Second })
	eventually(r.t, "the fault ends", func() bool { return r.ahead("n1") == 0 })
	if left := time.Until(f.End); left > clocks {
		r.t.Errorf("healed %s before its end", left)
	}
	r.forget()
}

func (r *running) faultSqueeze() {
	busy := func() int { // milliseconds of processor time in a second of wall time
		r.t.Helper()
		ms, err := strconv.Atoi(r.rpc("n1", `:erlang.statistics(:runtime)
until = System.monotonic_time(:millisecond) + 1_000
spin = fn spin -> if System.monotonic_time(:millisecond) < until, do: spin.(spin) end
spin.(spin)
elem(:erlang.statistics(:runtime), 1)`))
		if err != nil {
			r.t.Fatal(err)
		}
		return ms
	}
	f := r.inject(fault.Fault{Kind: fault.KindSqueeze, Nodes: []string{"n1"}, Limits: fault.Limits{CPUs: 0.2}}, 0)
	if ms := busy(); ms > 450 {
		r.t.Errorf("with 0.2 processors n1 computes %d ms in a second", ms)
	}
	r.heal(f.ID)

	write := `File.write("/data/x", :binary.copy("x", 1_000_000))`
	r.rpc("n1", `File.rm("/data/x")`)
	f = r.inject(fault.Fault{Kind: fault.KindSqueeze, Nodes: []string{"n1"}, Limits: fault.Limits{Full: []string{"/data"}}}, 0)
	if got := r.rpc("n1", write); got != "{:error, :enospc}" {
		r.t.Errorf("a full disk answers %s", got)
	}
	if got := r.rpc("n2", write); got != ":ok" {
		r.t.Errorf("the disk of n2 answers %s", got)
	}
	r.heal(f.ID)
	if got := r.rpc("n1", write); got != ":ok" {
		r.t.Errorf("healed, it answers %s", got)
	}
	r.inject(fault.Fault{Kind: fault.KindSqueeze, Nodes: []string{"n1"}, Limits: fault.Limits{Full: []string{"/data"}}}, 2*time.Second)
	eventually(r.t, "the fault ends", func() bool { return r.rpc("n1", write) == ":ok" })

	// Out of memory: the kernel kills the node, and no other.
	runs := r.node("n2").Incarnation
	f = r.inject(fault.Fault{Kind: fault.KindSqueeze, Nodes: []string{"n2"}, Limits: fault.Limits{Memory: 160 << 20}}, 0)
	if err := r.injector().Crash(r.t.Context(), r.Cluster, "n2", faults.OOM); err != nil {
		r.t.Fatal(err)
	}
	n := r.until("n2", "is back", func(n orchestrator.NodeStatus) bool { return n.Incarnation > runs && n.State == orchestrator.Ready })
	if n.LastExit == nil || n.LastExit.Class != orchestrator.ExitOOM {
		r.t.Errorf("n2 ended with %+v", n.LastExit)
	}
	r.heal(f.ID)
	c, err := r.eng.InspectContainer(r.t.Context(), r.node("n2").ContainerID)
	if err != nil || c.Limits.Memory != 0 && c.Limits.Memory < 1<<30 {
		r.t.Errorf("healed, n2 has %+v, %v", c.Limits, err)
	}
}

// A VM that ends itself is a crash, each way with its own exit.
func (r *running) faultCrash() {
	for how, code := range map[faults.How]int{faults.Halt: 1, faults.Abort: 134, faults.Slogan: 1} {
		runs := r.node("n3").Incarnation
		if err := r.injector().Crash(r.t.Context(), r.Cluster, "n3", how); err != nil {
			r.t.Fatal(err)
		}
		n := r.until("n3", "is back", func(n orchestrator.NodeStatus) bool { return n.Incarnation > runs && n.State == orchestrator.Ready })
		if n.LastExit == nil || n.LastExit.Code != code {
			r.t.Errorf("%s: %+v, want exit %d", how, n.LastExit, code)
		}
	}
	if text := r.history(); !strings.Contains(text, "crashed on purpose") {
		r.t.Errorf("no slogan in\n%s", text)
	}
}
