package doctor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/beamyard/beamyard/network"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/hosts"
	"github.com/beamyard/beamyard/orchestrator/swarm"
)

// HostEngine is the part of the engine of one of several hosts that an examination needs.
type HostEngine interface {
	hosts.Machine

	// Swarm returns the engine's membership of a swarm: see [swarm.Machine].
	Swarm(ctx context.Context) (swarm.State, error)
}

// Host is one of several machines to examine.
type Host struct {
	Engine  HostEngine // nil: see Problem
	Problem error      // why there is no engine: a context that does not exist, or an invalid address
}

// HostOptions configure an examination of several hosts.
type HostOptions struct {
	Hosts map[string]Host // by name; at least one
	// Executable and Pool are those of [Options].
	Executable string
	Pool       netip.Prefix
	// Patience is how long each host may take to answer. Default: 5 s.
	Patience time.Duration
}

// codeHost is the beginning of the codes of checks that must not fail for a cluster to run on
// several hosts.
const codeHost = "host-"

// hostFacts are what a host's engine answers.
type hostFacts struct {
	name            string
	err             error
	info            orchestrator.EngineInfo
	state           swarm.State
	asked, answered time.Time
}

// ExamineHosts checks the machines of a cluster: each engine, its place in the swarm and its clock,
// and what passes from each host to each other one. For that, it starts a helper container on each
// host, on an overlay network of its own, and removes both. It takes about ten seconds at most
// if something does not answer.
//
// A cluster can run if all hosts answer and are members of one swarm.
func ExamineHosts(ctx context.Context, o HostOptions) Report {
	all := Options{Executable: o.Executable, Pool: o.Pool, Patience: o.Patience}.withDefaults()
	o.Pool, o.Patience = all.Pool, all.Patience
	facts := askHosts(ctx, o)
	usable := true
	var report Report
	add := func(code, title string, v verdict) {
		report.Checks = append(report.Checks, Check{code, title, v.state, strings.Join(strings.Fields(v.text), " "), v.remedy})
		usable = usable && (v.state != Failed || !strings.HasPrefix(code, codeHost))
	}
	for _, f := range facts {
		add(codeHost+f.name, "host "+f.name, judgeHost(f, facts))
	}
	for _, f := range facts {
		if f.err == nil {
			half := f.answered.Sub(f.asked) / 2
			add("clock-"+f.name, "clock of "+f.name, judgeClock(f.info.Time.Sub(f.asked.Add(half)), half))
		}
	}
	if len(facts) > 1 {
		ways, err := map[string]way{}, errNoWays
		if usable {
			ways, err = askWays(ctx, o, facts)
		}
		for _, f := range facts {
			add("network-"+f.name, "network of "+f.name, judgeWays(f.name, ways[f.name], err, f.info.MTU))
		}
		add("network-unchecked", "not checked", unknown("7946/udp by itself (without it, members hear of each other more slowly, over TCP), and what a firewall does to the hosts' own traffic alone"))
	}
	add("control", "control socket", lookControl(ctx, nil))
	report.Usable = usable
	return report
}

// errNoWays stands for what was not tried.
var errNoWays = errors.New("not tried: the hosts are not members of one swarm")

// askHosts asks all engines at once.
func askHosts(ctx context.Context, o HostOptions) []hostFacts {
	names := slices.Sorted(maps.Keys(o.Hosts))
	facts := make([]hostFacts, len(names))
	var group sync.WaitGroup
	for i, name := range names {
		group.Go(func() { facts[i] = askHost(ctx, name, o.Hosts[name], o.Patience) })
	}
	group.Wait()
	return facts
}

func askHost(ctx context.Context, name string, h Host, patience time.Duration) hostFacts {
	f := hostFacts{name: name, err: h.Problem}
	if h.Engine == nil {
		return f
	}
	asking, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if _, f.err = h.Engine.Info(asking); f.err == nil { // the first answer may dial; the second one measures
		f.asked = time.Now()
		f.info, f.err = h.Engine.Info(asking)
		f.answered = time.Now()
	}
	if f.err == nil {
		f.state, f.err = h.Engine.Swarm(asking)
	}
	if errors.Is(f.err, context.DeadlineExceeded) {
		f.err = fmt.Errorf("%w within %s", errLate, patience)
	}
	return f
}

// askWays has a helper on each host try what passes to the others.
func askWays(ctx context.Context, o HostOptions, facts []hostFacts) (map[string]way, error) {
	machines := map[string]hosts.Machine{}
	for name, h := range o.Hosts {
		machines[name] = h.Engine
	}
	e := &wayExamination{HostOptions: o, eng: hosts.New(machines, hosts.Options{Patience: o.Patience}), facts: facts}
	ctx, cancel := context.WithTimeout(ctx, 6*o.Patience)
	defer cancel()
	return e.run(ctx)
}

// overlaySubnet returns a free subnet for the helpers.
func overlaySubnet(pool netip.Prefix, n int, networks []orchestrator.Network, start uint32) (network.Subnet, error) {
	var taken []netip.Prefix
	for _, n := range networks {
		taken = append(taken, n.Subnets...)
	}
	return network.PickSubnet(pool, n, taken, start)
}
