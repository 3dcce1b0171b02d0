package faults

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/beamyard/beamyard/images"
	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/enginetest"
	"github.com/beamyard/beamyard/orchestrator/hosts"
)

// skew is how far the clock of host b is ahead.
const skew = 5 * time.Minute

// onTwoHosts returns a cluster of nodes on the hosts a and b, which are the first letters of their
// names.
func onTwoHosts(t *testing.T, names ...string) (*kernels, Injector) {
	t.Helper()
	base := images.Bases()[0]
	k := &kernels{t: t, kept: map[string]keep{}, nodes: map[string]string{}, rules: map[string]string{}, fails: map[string]string{}}
	k.reset = map[string][]netip.Addr{}
	k.eng, k.other = enginetest.New(base, "app:1"), enginetest.New()
	k.other.Skew = skew
	for _, eng := range []*enginetest.Engine{k.eng, k.other} {
		eng.Program = func(spec orchestrator.ContainerSpec) enginetest.Program {
			return onlyHere(t, eng, spec, k.program(spec))
		}
	}
	enginetest.Join(k.eng, k.other)
	eng := hosts.New(map[string]hosts.Machine{"a": k.eng, "b": k.other}, hosts.Options{})
	spec := orchestrator.Spec{Name: "demo", Hosts: map[string]orchestrator.HostSpec{"a": {}, "b": {}}}
	k.create(t, eng, &spec, names...)
	t.Cleanup(func() {
		for _, id := range k.nodes {
			if err := eng.RemoveContainer(context.Background(), id); err != nil {
				t.Error(err)
			}
		}
	})
	return k, Injector{Engine: eng, Spec: spec}
}

// onlyHere is a helper that enters the processes of its own machine only.
func onlyHere(t *testing.T, eng *enginetest.Engine, spec orchestrator.ContainerSpec, program enginetest.Program) enginetest.Program {
	if program == nil || !spec.HostPID {
		return program
	}
	return func(ctx context.Context, p *enginetest.Process) int {
		var r request
		if err := json.Unmarshal([]byte(strings.TrimPrefix(p.Spec.Env[0], helperVariable+"=")), &r); err != nil {
			t.Error(err)
		}
		for _, m := range r.Members {
			if _, err := eng.InspectContainer(ctx, m.Container); err != nil {
				t.Errorf("a helper is to enter %s, which is on another machine: %v", m.Container, err)
			}
		}
		return program(ctx, p)
	}
}

// lose takes a host away, or brings it back.
func (k *kernels) lose(eng *enginetest.Engine, away bool) {
	eng.SetAway(away)
	synctest.Wait()
}

// A partition between hosts: each node's rules are set by a helper on its own host, one for each
// host, and end at the same moment by whatever clock the host has.
func TestAPartitionBetweenHosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, i := onTwoHosts(t, "a1", "a2", "b1", "b2")
		if err := i.Prepare(t.Context()); err != nil {
			t.Fatal(err)
		}
		info, err := i.Engine.Info(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		image, err := i.helperImage(t.Context(), info)
		if _, lacks := k.other.Image(t.Context(), image); err != nil || lacks != nil {
			t.Errorf("the image of helpers on b: %v, %v", err, lacks)
		}
		f, err := i.Inject(t.Context(), fault.Partition([]string{"a1", "a2"}, []string{"b1", "b2"}), time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		here, there := f.End.Format(time.RFC3339Nano), f.End.Add(skew).Format(time.RFC3339Nano)
		until := func(rules, end string) string { return strings.ReplaceAll(rules, "\n", " until "+end+"\n") }
		const n4 = "cut in 10.213.0.5 drop\ncut out 10.213.0.5 drop\n"
		k.has(map[string]string{"a1": until(n3+n4, here), "a2": until(n3+n4, here), "b1": until(n1+n2, there), "b2": until(n1+n2, there)})
		if k.alone != 0 {
			t.Errorf("%d helpers for one node, want one for each host", k.alone)
		}
		if healed, err := i.Heal(t.Context()); err != nil || len(healed) != 1 {
			t.Errorf("healed %v, %v", healed, err)
		}
		k.has(nil)
		if n, err := i.Blip(t.Context(), []fault.Pair{{From: "a1", To: "b1"}}, 500*time.Millisecond); err != nil || n != 2 {
			t.Errorf("%d reset, %v", n, err)
		}
		k.noHelperIsLeft(i)
	})
}

// noHelperIsLeft reports containers besides the nodes.
func (k *kernels) noHelperIsLeft(i Injector) {
	k.t.Helper()
	all, err := i.Engine.Containers(k.t.Context(), nil)
	if err != nil || len(all) != len(k.nodes) {
		k.t.Errorf("%d containers, want %d nodes; %v", len(all), len(k.nodes), err)
	}
}

// Every fault of a node works on a host other than the first: clocks, limits and names.
func TestFaultsOfANodeOnAnotherHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, i := onTwoHosts(t, "a1", "b1")
		i.Spec.Clock = true
		for _, f := range []fault.Fault{
			{Kind: fault.KindClock, Nodes: []string{"b1"}, Clock: fault.Clock{Bump: time.Hour}},
			{Kind: fault.KindSqueeze, Nodes: []string{"b1"}, Limits: fault.Limits{CPUs: 0.1}},
			{Kind: fault.KindDNS, Nodes: []string{"b1"}, DNS: fault.DNS{Answers: "none"}},
		} {
			if _, err := i.Inject(t.Context(), f, time.Minute); err != nil {
				t.Errorf("%s: %v", f.Kind, err)
			}
		}
		k.mu.Lock()
		clocks := k.kept[k.nodes["b1"]].Clocks
		k.mu.Unlock()
		if ahead := skew + time.Minute; len(clocks) != 1 || time.Until(clocks[0].End).Round(time.Second) != ahead {
			t.Errorf("b1 keeps %+v, to end in %s by its clock", clocks, ahead)
		}
		if c, err := k.other.InspectContainer(t.Context(), k.nodes["b1"]); err != nil || c.Limits.CPUs != 0.1 {
			t.Errorf("limits %+v, %v", c.Limits, err)
		}
		if _, err := i.Heal(t.Context()); err != nil {
			t.Error(err)
		}
		k.noHelperIsLeft(i)
	})
}

// A host that does not answer: a fault of its nodes is refused, one of others is not. What is healed
// meanwhile stays recorded until its nodes are healed, too.
func TestFaultsWithALostHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, i := onTwoHosts(t, "a1", "a2", "b1")
		f, err := i.Inject(t.Context(), fault.Partition([]string{"a1"}, []string{"b1", "a2"}), 0)
		if err != nil {
			t.Fatal(err)
		}
		k.lose(k.other, true)
		if _, err := i.Inject(t.Context(), fault.Isolate("b1"), 0); !errors.Is(err, orchestrator.ErrHostLost) || !strings.HasPrefix(err.Error(), "a1, a2, b1 cannot have the fault: ") && !strings.HasPrefix(err.Error(), "b1 cannot have the fault: ") || len(orchestrator.HintOf(err)) == 0 {
			t.Errorf("of b1: %v, hint %q", err, orchestrator.HintOf(err))
		}
		second, err := i.Inject(t.Context(), fault.OneWay(fault.Pair{From: "a1", To: "a2"}), 0)
		if err != nil {
			t.Errorf("of nodes that answer: %v", err)
		}
		all, err := i.List(t.Context())
		if !errors.Is(err, orchestrator.ErrHostLost) || len(all) != 2 {
			t.Errorf("in force %v, %v", all, err)
		}
		if _, err := i.Heal(t.Context(), second.ID); err != nil {
			t.Errorf("heal what is on nodes that answer: %v", err)
		}
		third, err := i.Inject(t.Context(), fault.OneWay(fault.Pair{From: "a2", To: "a1"}), 0)
		if err != nil {
			t.Error(err)
		}
		healed, err := i.Heal(t.Context())
		if len(healed) != 1 || healed[0].ID != third.ID {
			t.Errorf("healed on all nodes: %v", healed)
		}
		if !errors.Is(err, orchestrator.ErrHostLost) || !strings.Contains(err.Error(), "stays recorded for b1") || !strings.Contains(orchestrator.HintOf(err).String(), "beamyard heal -c demo "+f.ID) {
			t.Errorf("heal: %v, hint %q", err, orchestrator.HintOf(err))
		}
		k.has(map[string]string{"b1": n1})
		k.lose(k.other, false)
		if all, err := i.List(t.Context()); err != nil || len(all) != 1 || all[0].ID != f.ID {
			t.Errorf("in force %v, %v", all, err)
		}
		if healed, err := i.Heal(t.Context(), f.ID); err != nil || len(healed) != 1 {
			t.Errorf("healed %v, %v", healed, err)
		}
		k.has(nil)
		k.noHelperIsLeft(i)
	})
}

func TestWhomAFaultConcerns(t *testing.T) {
	names := []string{"n1", "n2", "n3"}
	hard := fault.Fault{Kind: fault.KindPartition, Groups: [][]string{{"n1", "n2", "n3"}}, Hard: true}
	for _, tc := range []struct {
		f    fault.Fault
		want []string
	}{
		{fault.Isolate("n1"), names},
		{fault.OneWay(fault.Pair{From: "n3", To: "n1"}), []string{"n1", "n3"}},
		{fault.Fault{Kind: fault.KindLink, Pairs: []fault.Pair{{From: "n2", To: fault.Everyone}}}, names},
		{fault.Fault{Kind: fault.KindSqueeze, Nodes: []string{"n2"}}, []string{"n2"}},
		{fault.Fault{Kind: fault.KindDNS, Nodes: []string{"n2"}, DNS: fault.DNS{Peers: []string{"n1"}}}, []string{"n1", "n2"}},
		{hard, names},
	} {
		groups := slices.Clone(tc.f.Groups)
		if diff := cmp.Diff(tc.want, concerned(tc.f, names)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.f, diff)
		}
		if diff := cmp.Diff(groups, slices.Clone(tc.f.Groups)); diff != "" {
			t.Errorf("it changed the fault: %s", diff)
		}
	}
}
