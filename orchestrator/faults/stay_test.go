package faults

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/enginetest"
	"github.com/beamyard/beamyard/orchestrator/internal/manifest"
)

// stays is a helper that stays: it says so, and does what is to be done until it is removed.
func (k *kernels) stays(ctx context.Context, p *enginetest.Process, r request) int {
	a := answer{Stays: r.Resolve != nil || !r.Keep.next(time.Now()).IsZero()}
	k.mu.Lock()
	if r.Keep != nil {
		k.kept[p.Spec.PIDOf] = *r.Keep
	}
	k.mu.Unlock()
	data, _ := json.Marshal(a) // plain data
	fmt.Fprintln(p.Stdout, string(data))
	if !a.Stays {
		return 0
	}
	<-ctx.Done()
	return 137
}

// helpers returns the purposes of the helpers that run.
func (k *kernels) helpers() []string {
	k.t.Helper()
	all, err := k.eng.Containers(k.t.Context(), nil)
	if err != nil {
		k.t.Fatal(err)
	}
	var running []string
	for _, c := range all {
		if purpose := c.Labels[orchestrator.LabelHelper]; purpose != "" && c.State.Running {
			running = append(running, purpose)
		}
	}
	slices.Sort(running)
	return running
}

func TestDNSFaults(t *testing.T) {
	t.Parallel()
	k, i := inMemory(t, "n1", "n2", "n3")
	f, err := i.Inject(t.Context(), fault.Fault{Kind: fault.KindDNS, Nodes: []string{"n1", "n2"}, DNS: fault.DNS{Answers: fault.StaleAnswers}}, 0)
	if err != nil {
		t.Fatal(err)
	}
	k.has(map[string]string{"n1": "resolver ours\n", "n2": "resolver ours\n"})
	if got := k.helpers(); !slices.Equal(got, []string{"resolver-n1", "resolver-n2"}) {
		t.Errorf("helpers %v", got)
	}
	// A node that runs again has another network namespace.
	if err := k.eng.KillContainer(t.Context(), k.nodes["n1"], "KILL"); err != nil {
		t.Fatal(err)
	}
	k.start("n1")
	if err := i.Apply(t.Context(), "n1"); err != nil {
		t.Fatal(err)
	}
	k.has(map[string]string{"n1": "resolver ours\n", "n2": "resolver ours\n"})
	if got := k.helpers(); !slices.Equal(got, []string{"resolver-n1", "resolver-n2"}) {
		t.Errorf("helpers after a restart: %v", got)
	}
	if _, err := i.Heal(t.Context(), f.ID); err != nil {
		t.Fatal(err)
	}
	k.has(nil)
	k.nothingElse(0)
}

// No node has a stale address.
func TestStaleAddress(t *testing.T) {
	subnet := netip.MustParsePrefix("10.213.0.64/26")
	for index, want := range map[int]string{0: "10.213.0.126", 2: "10.213.0.124", -1: "invalid IP", 15: "invalid IP"} {
		if got := staleAddress(subnet, index); got.String() != want {
			t.Errorf("node %d: %s, want %s", index, got, want)
		}
	}
}

func TestClockFaults(t *testing.T) {
	t.Parallel()
	k, i := inMemory(t, "n1", "n2")
	bump := fault.Fault{Kind: fault.KindClock, Nodes: []string{"n1"}, Clock: fault.Clock{Bump: time.Minute}}
	if _, err := i.Inject(t.Context(), bump, 0); err == nil || !strings.Contains(orchestrator.HintOf(err).String(), "clock: true") {
		t.Errorf("nodes without libfaketime: %v", err)
	}
	k.nothingElse(0)
	i.Spec.Clock = true
	if _, err := i.Inject(t.Context(), bump, 0); err != nil {
		t.Fatal(err)
	}
	if got := k.helpers(); len(got) > 0 {
		t.Errorf("a clock that stays as it was set needs %v", got)
	}
	strobe := bump
	strobe.Clock = fault.Clock{Strobe: time.Second}
	f, err := i.Inject(t.Context(), strobe, 0)
	if err != nil {
		t.Fatal(err)
	}
	if got := k.helpers(); !slices.Equal(got, []string{"keeper-n1"}) {
		t.Errorf("helpers %v", got)
	}
	if kept := k.kept[k.nodes["n1"]]; !kept.SetClock || len(kept.Clocks) != 2 {
		t.Errorf("the clock of n1: %+v", kept)
	}
	// The next run of a node that is down gets its clock, too.
	if err := k.eng.KillContainer(t.Context(), k.nodes["n1"], "KILL"); err != nil {
		t.Fatal(err)
	}
	if _, err := i.Heal(t.Context(), f.ID); err != nil {
		t.Fatal(err)
	}
	text, _, err := k.eng.OpenFile(t.Context(), k.nodes["n1"], manifest.ClockFile)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(text); err != nil || string(got) != "+60.000000\n" {
		t.Errorf("the clock of the next run: %q, %v", got, err)
	}
	k.start("n1")
	if _, err := i.Heal(t.Context()); err != nil {
		t.Fatal(err)
	}
	if kept := k.kept[k.nodes["n1"]]; !kept.SetClock || len(kept.Clocks) != 0 {
		t.Errorf("the clock of n1 after all: %+v", kept)
	}
	k.nothingElse(0)
}

func TestSqueeze(t *testing.T) {
	t.Parallel()
	k, i := inMemory(t, "n1", "n2")
	i.Spec.Memory, i.Spec.Tmpfs = 512<<20, []string{"/data:size=8m", "/run"}
	for _, folder := range []string{"/run", "/tmp"} {
		full := fault.Fault{Kind: fault.KindSqueeze, Nodes: []string{"n1"}, Limits: fault.Limits{Full: []string{folder}}}
		if _, err := i.Inject(t.Context(), full, 0); err == nil || !strings.Contains(orchestrator.HintOf(err).String(), folder+":size=64m") {
			t.Errorf("%s: %v", folder, err)
		}
	}
	has := func(want orchestrator.Limits) {
		t.Helper()
		c, err := k.eng.InspectContainer(t.Context(), k.nodes["n1"])
		if err != nil || c.Limits != want {
			t.Errorf("limits %+v, want %+v; %v", c.Limits, want, err)
		}
	}
	full, err := i.Inject(t.Context(), fault.Fault{Kind: fault.KindSqueeze, Nodes: []string{"n1"}, Limits: fault.Limits{Full: []string{"/data"}}}, 0)
	if err != nil {
		t.Fatal(err)
	}
	has(orchestrator.Limits{}) // as the container was created here: a full disk changes no limits
	if _, err := i.Heal(t.Context(), full.ID); err != nil {
		t.Fatal(err)
	}
	has(orchestrator.Limits{})
	f, err := i.Inject(t.Context(), fault.Fault{Kind: fault.KindSqueeze, Nodes: []string{"n1"}, Limits: fault.Limits{Memory: 96 << 20, CPUs: 0.1, Full: []string{"/data"}}}, 0)
	if err != nil {
		t.Fatal(err)
	}
	has(orchestrator.Limits{Memory: 96 << 20, CPUs: 0.1})
	if kept := k.kept[k.nodes["n1"]]; kept.SetClock || !kept.full("/data", time.Now()) {
		t.Errorf("the disks of n1: %+v", kept)
	}
	if _, err := i.Inject(t.Context(), fault.Fault{Kind: fault.KindSqueeze, Nodes: []string{"n1"}, Limits: fault.Limits{CPUs: 0.5}}, 0); err != nil {
		t.Fatal(err)
	}
	has(orchestrator.Limits{Memory: 96 << 20, CPUs: 0.1})
	if _, err := i.Heal(t.Context(), f.ID); err != nil {
		t.Fatal(err)
	}
	has(orchestrator.Limits{Memory: 512 << 20, CPUs: 0.5})
	if kept := k.kept[k.nodes["n1"]]; !slices.Contains(kept.Free, "/data") || kept.full("/data", time.Now()) {
		t.Errorf("the disks of n1 after a heal: %+v", kept)
	}
	if _, err := i.Heal(t.Context()); err != nil {
		t.Fatal(err)
	}
	has(orchestrator.Limits{Memory: 512 << 20})
	k.nothingElse(0)
}

// A request whose keeper another one replaces before it has answered starts another.
func TestTwoKeepersAtOnce(t *testing.T) {
	t.Parallel()
	k, i := inMemory(t, "n1", "n2")
	i.Spec.Tmpfs = []string{"/data:size=8m", "/run:size=8m"}
	full := func(ctx context.Context, folder string) {
		if _, err := i.Inject(ctx, fault.Fault{Kind: fault.KindSqueeze, Nodes: []string{"n1"}, Limits: fault.Limits{Full: []string{folder}}}, 0); err != nil {
			t.Errorf("%s: %v", folder, err)
		}
	}
	program, first := k.eng.Program, true
	k.eng.Program = func(spec orchestrator.ContainerSpec) enginetest.Program {
		k.mu.Lock()
		defer k.mu.Unlock()
		if first && spec.PIDOf != "" {
			first, k.during = false, func() { full(context.Background(), "/run") }
		}
		return program(spec)
	}
	full(t.Context(), "/data")
	if first {
		t.Error("no keeper was started")
	}
	if kept := k.kept[k.nodes["n1"]]; !kept.full("/data", time.Now()) || !kept.full("/run", time.Now()) {
		t.Errorf("the disks of n1: %+v", kept)
	}
	if _, err := i.Heal(t.Context()); err != nil {
		t.Fatal(err)
	}
	k.nothingElse(0)
}

// What a keeper does next, and when.
func TestKeep(t *testing.T) {
	at := time.Unix(1000, 0)
	k := keep{
		Clocks: []faultyClock{{fault.Clock{Bump: time.Minute}, at, at.Add(10 * time.Second)}, {fault.Clock{Strobe: time.Second}, at, at.Add(3 * time.Second)}},
		Full:   []fullDisk{{"/data", at.Add(5 * time.Second)}},
	}
	var offsets []time.Duration
	var full []bool
	var times []time.Duration
	for now := at; !now.IsZero(); now = k.next(now) {
		offsets, full, times = append(offsets, k.offset(now)), append(full, k.full("/data", now)), append(times, now.Sub(at))
	}
	s := time.Second
	if !slices.Equal(times, []time.Duration{0, s, 2 * s, 3 * s, 5 * s, 10 * s}) {
		t.Errorf("changes at %v", times)
	}
	if !slices.Equal(offsets, []time.Duration{61 * s, 60 * s, 61 * s, 60 * s, 60 * s, 0}) {
		t.Errorf("offsets %v", offsets)
	}
	if !slices.Equal(full, []bool{true, true, true, true, false, false}) {
		t.Errorf("full %v", full)
	}
	for offset, want := range map[time.Duration]string{0: "+0.000000\n", -1500 * time.Millisecond: "-1.500000\n", time.Hour: "+3600.000000\n"} {
		if got := offsetText(offset); got != want {
			t.Errorf("%v: %q", offset, got)
		}
	}
}

// evaluated records what is evaluated on nodes.
type evaluated struct {
	said map[string]string
	err  error
}

func (e *evaluated) Eval(_ context.Context, node, expression string, _ orchestrator.EvalOptions) (string, error) {
	e.said[node] = expression
	return "ok", e.err
}

func TestCrash(t *testing.T) {
	t.Parallel()
	_, i := inMemory(t, "n1", "n2")
	on := &evaluated{said: map[string]string{}}
	if err := i.Crash(t.Context(), on, "n1", Abort); err != nil || !strings.Contains(on.said["n1"], "erlang:halt(abort)") {
		t.Errorf("%v, %q", err, on.said)
	}
	if err := i.Crash(t.Context(), on, "n9", Halt); !errors.Is(err, orchestrator.ErrNoNode) {
		t.Errorf("an unknown node: %v", err)
	}
	if err := i.Crash(t.Context(), on, "n1", "slowly"); err == nil || !strings.Contains(err.Error(), "abort, halt, oom, slogan") {
		t.Errorf("an unknown way: %v", err)
	}
	// Without a memory limit, the node would take all memory of the machine.
	if err := i.Crash(t.Context(), on, "n2", OOM); err == nil || on.said["n2"] != "" || !strings.Contains(orchestrator.HintOf(err).String(), "squeeze demo/n2") {
		t.Errorf("without a limit: %v", err)
	}
	if _, err := i.Inject(t.Context(), fault.Fault{Kind: fault.KindSqueeze, Nodes: []string{"n2"}, Limits: fault.Limits{Memory: 96 << 20}}, 0); err != nil {
		t.Fatal(err)
	}
	if err := i.Crash(t.Context(), on, "n2", OOM); err != nil || on.said["n2"] == "" {
		t.Errorf("with a limit: %v", err)
	}
}

func TestReadmit(t *testing.T) {
	t.Parallel()
	_, i := inMemory(t, "n1", "n2", "n3")
	i.Spec.Domain, i.Spec.Basename = "test", "app"
	on := &evaluated{said: map[string]string{}}
	f := fault.OneWay(fault.Pair{From: "n1", To: "n2"})
	if err := i.Readmit(t.Context(), on, f); err != nil {
		t.Fatal(err)
	}
	if len(on.said) != 2 || !strings.Contains(on.said["n1"], "['app@n2.demo.test']") || !strings.Contains(on.said["n2"], "['app@n1.demo.test']") {
		t.Errorf("%q", on.said)
	}
	on.err = orchestrator.ErrNotRunning
	if err := i.Readmit(t.Context(), on, f); err != nil {
		t.Errorf("nodes that are down: %v", err)
	}
	on.err = errors.New("no answer")
	if err := i.Readmit(t.Context(), on, f); err == nil {
		t.Error("nodes that do not answer are readmitted")
	}
}
