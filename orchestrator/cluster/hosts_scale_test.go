//go:build hosts

package cluster_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/hosts"
)

// This test takes half a minute of processor time: `make hosts-test` runs it.

// slow is a machine far away: each call takes a while.
type slow struct {
	machine
	trip time.Duration
}

func (s slow) Info(ctx context.Context) (orchestrator.EngineInfo, error) {
	time.Sleep(s.trip)
	return s.machine.Info(ctx)
}

func (s slow) StartContainer(ctx context.Context, id string) error {
	time.Sleep(s.trip)
	return s.machine.StartContainer(ctx, id)
}

func (s slow) InspectContainer(ctx context.Context, id string) (orchestrator.Container, error) {
	time.Sleep(s.trip)
	return s.machine.InspectContainer(ctx, id)
}

func (s slow) Containers(ctx context.Context, labels map[string]string) ([]orchestrator.Container, error) {
	time.Sleep(s.trip)
	return s.machine.Containers(ctx, labels)
}

// heap returns the bytes in use.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// A hundred nodes over three hosts, one of them far away, form a cluster; a host with a third of
// them is lost and returns.
func TestAHundredNodesOverThreeHosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 3)
		byName := map[string]hosts.Machine{}
		for i, m := range f.machines {
			name := string(rune('a' + i))
			byName[name] = slow{machine{m, fmt.Sprintf("10.0.0.%d", i+1)}, time.Duration(i*i) * 50 * time.Millisecond} // 0, 50 and 200 ms
		}
		f.eng = hosts.New(byName, hosts.Options{})
		began := time.Now()
		f.up(100)
		t.Logf("ready after %v; the heap, with all VMs and engines, has %d MiB", time.Since(began), heap()>>20)
		var onB []orchestrator.NodeStatus
		st, err := f.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range st.Nodes {
			if n.On == "b" {
				onB = append(onB, n)
			}
		}
		if len(onB) != 33 {
			t.Fatalf("%d nodes on b", len(onB))
		}
		f.host("b").SetAway(true)
		for _, n := range onB {
			f.vms.refuse(n.Node, true)
		}
		lost := time.Now()
		count := func(state orchestrator.State) (n int) {
			st, _ := f.Status(context.Background())
			for _, node := range st.Nodes {
				if node.State == state {
					n++
				}
			}
			return n
		}
		f.until("33 are unreachable", func() bool { return count(orchestrator.Unreachable) == 33 })
		t.Logf("unreachable after %v", time.Since(lost))
		if n := count(orchestrator.Ready); n != 67 {
			t.Errorf("%d nodes are Ready, want 67", n)
		}
		time.Sleep(time.Minute)
		for _, n := range onB {
			f.vms.refuse(n.Node, false)
		}
		f.host("b").SetAway(false)
		back := time.Now()
		f.ready()
		t.Logf("whole again after %v", time.Since(back))
		if n := f.node(onB[0].Name); n.ContainerID != onB[0].ContainerID || n.Incarnation != onB[0].Incarnation {
			t.Errorf("after %+v, before %+v", n, onB[0])
		}
		f.end()
	})
}
