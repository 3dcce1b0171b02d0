package faults

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/internal/wait"
)

// Injector injects faults into one cluster. Its zero value is not usable.
type Injector struct {
	Engine orchestrator.Engine
	Spec   orchestrator.Spec // of the cluster
	// Program is the path of the program that runs in helper containers: one that links this
	// package. "" is the running program.
	Program string
}

// List returns the faults in force, the oldest first, with their times by the clock of this
// process. If a host does not answer, the faults that are recorded on the others come with an error
// that matches [orchestrator.ErrHostLost].
func (i Injector) List(ctx context.Context) ([]fault.Fault, error) {
	info, containers, err := i.look(ctx)
	ahead := time.Since(info.Time)
	var all []fault.Fault
	for _, r := range recordsOf(containers) {
		if f := r.fault; !f.Ended(info.Time) {
			if f.Begin = f.Begin.Add(ahead); !f.End.IsZero() {
				f.End = f.End.Add(ahead)
			}
			all = append(all, f)
		}
	}
	return all, err
}

// Inject brings a fault into force on all running nodes, and returns it with its ID, which is a
// new one unless it has one, and its times. Begin is set, and End becomes that time after it;
// lasts 0 means until it is healed. If one node cannot have it, no node has it: a fault that the
// engine's kernel cannot do matches [orchestrator.ErrFaultUnsupported], and one that concerns nodes
// on a host that does not answer matches [orchestrator.ErrHostLost].
func (i Injector) Inject(ctx context.Context, f fault.Fault, lasts time.Duration) (fault.Fault, error) {
	var names []string
	for _, n := range i.Spec.Nodes {
		names = append(names, n.Name)
	}
	if err := f.Validate(names); err != nil {
		return f, err
	}
	if err := i.refuse(f); err != nil {
		return f, err
	}
	info, containers, err := i.look(ctx)
	if answered(err) != nil {
		return f, err
	}
	if err := i.refuseLost(f, containers, err); err != nil {
		return f, err
	}
	asked := time.Now()
	image, err := i.helperImage(ctx, info)
	if err != nil {
		return f, err
	}
	info.Time = info.Time.Add(time.Since(asked)) // the first image takes seconds
	f.Begin, f.End = info.Time.UTC().Truncate(time.Millisecond), time.Time{}
	if lasts > 0 {
		f.End = f.Begin.Add(lasts)
	}
	var id string
	for given := f.ID; ; {
		if given == "" {
			f.ID = newID()
		}
		if id, err = i.Engine.CreateContainer(ctx, i.record(image, f)); !errors.Is(err, orchestrator.ErrNameTaken) || given != "" {
			break
		}
	}
	if err != nil {
		return f, fmt.Errorf("record the fault: %w", err)
	}
	if err := i.settle(ctx, image, info, nil); err != nil {
		undoing, cancel := context.WithTimeout(context.WithoutCancel(ctx), orchestrator.RemovalTime)
		defer cancel()
		_, undone := i.end(undoing, image, info, []record{{id, f}})
		return f, errors.Join(err, undone)
	}
	return f, nil
}

// Heal ends these faults, or all if none is named, on all running nodes, and returns those that
// were still in force. A node that does not run is healed: its rules ended with it. Without a
// record, it removes rules that were left. A fault of nodes on a host that does not answer is healed
// on the others, stays recorded, and the error matches [orchestrator.ErrHostLost].
func (i Injector) Heal(ctx context.Context, ids ...string) ([]fault.Fault, error) {
	info, containers, err := i.look(ctx)
	if answered(err) != nil {
		return nil, err
	}
	chosen, err := selected(recordsOf(containers), ids)
	if err != nil {
		return nil, err
	}
	image, err := i.helperImage(ctx, info)
	if err != nil {
		return nil, err
	}
	kept, err := i.end(ctx, image, info, chosen)
	if answered(err) != nil {
		return nil, err
	}
	var healed []fault.Fault
	for _, r := range chosen {
		if !r.fault.Ended(info.Time) && !slices.ContainsFunc(kept, func(k record) bool { return k.container == r.container }) {
			healed = append(healed, r.fault)
		}
	}
	return healed, err
}

// end takes faults out of the kernels, and then removes their records. A process that is killed
// in between leaves the records: no rule is ever in force that is not recorded. It returns the
// records that stay because a host does not answer, with an error that says so.
func (i Injector) end(ctx context.Context, image string, info orchestrator.EngineInfo, ended []record) (kept []record, err error) {
	if err := i.settle(ctx, image, info, ended); err != nil {
		return nil, err
	}
	containers, lost := i.list(ctx)
	if answered(lost) != nil {
		return nil, lost
	}
	var half []error
	for _, r := range ended {
		if nodes := i.outOfReach(r.fault, containers, lost); len(nodes) > 0 {
			half, kept = append(half, i.halfHealed(r.fault, nodes, lost)), append(kept, r)
			continue
		}
		if err := i.Engine.RemoveContainer(ctx, r.container); err != nil {
			return nil, fmt.Errorf("remove the record of fault %s: %w", r.fault.ID, err)
		}
	}
	// Another request may have applied them again before their records went.
	containers, err = i.list(ctx)
	if answered(err) != nil {
		return nil, err
	}
	if len(recordsOf(containers)) > len(kept) {
		if err := i.settle(ctx, image, info, kept); err != nil {
			return nil, err
		}
	}
	return kept, errors.Join(half...)
}

// Apply makes the rules of these nodes what the faults in force demand, after their start for
// example. It does nothing for a node that does not run.
func (i Injector) Apply(ctx context.Context, nodes ...string) error {
	info, containers, err := i.look(ctx)
	if answered(err) != nil || len(recordsOf(containers)) == 0 {
		return answered(err)
	}
	image, err := i.helperImage(ctx, info)
	if err != nil {
		return err
	}
	return i.settle(ctx, image, info, nil, nodes...)
}

// ResetConnections resets the established connections of these pairs, at both of their ends and
// within milliseconds of each other. They may be made again at once. It returns how many were
// reset. The containers that do it are made before the first connection is reset.
func (i Injector) ResetConnections(ctx context.Context, pairs []fault.Pair) (int, error) {
	return i.Blip(ctx, pairs, 0)
}

// MaxBlip is the longest time that a blip may last: it is not recorded.
const MaxBlip = time.Second

// Blip is [Injector.ResetConnections], and refuses new connections of these pairs for a time of at
// most [MaxBlip], at the end of which the kernel admits them again. It returns as soon as all
// connections are reset.
func (i Injector) Blip(ctx context.Context, pairs []fault.Pair, lasts time.Duration) (int, error) {
	if lasts < 0 || lasts > MaxBlip {
		return 0, fmt.Errorf("a blip of %s: it lasts %s at most", lasts, MaxBlip)
	}
	asked := time.Now()
	info, containers, err := i.look(ctx)
	if err != nil {
		return 0, err
	}
	image, err := i.helperImage(ctx, info)
	if err != nil {
		return 0, err
	}
	c := clusterOf(containers)
	addrs := map[string][]netip.Addr{}
	for _, n := range c.nodes {
		addrs[n.Name] = n.Addrs
	}
	peers := map[string][]netip.Addr{}
	for _, p := range pairs {
		for _, end := range []fault.Pair{p, {From: p.To, To: p.From}} {
			peers[end.From] = append(peers[end.From], addrs[end.To]...)
		}
	}
	c.image, c.now = image, info.Time.Add(time.Since(asked)+startTime) // when to do it
	for _, r := range recordsOf(containers) {
		c.faults = append(c.faults, r.fault)
	}
	if lasts > 0 {
		both := slices.Clone(pairs)
		for _, p := range pairs {
			both = append(both, fault.Pair{From: p.To, To: p.From})
		}
		c.faults = append(c.faults, fault.Fault{Kind: fault.KindCut, Pairs: both, How: fault.Reset, Begin: info.Time, End: c.now.Add(lasts)})
	}
	parts := c.byHost(info)
	resets := make([]int, len(parts))
	var group errgroup.Group
	for at, part := range parts {
		group.Go(func() (err error) {
			resets[at], err = i.blip(ctx, part, peers, info.Time.Add(ahead(info, part.host)), lasts)
			return err
		})
	}
	err = group.Wait()
	total := 0
	for _, n := range resets {
		total += n
	}
	return total, err
}

// blip does it on the nodes of one host. since is when the containers were listed, by its clock.
func (i Injector) blip(ctx context.Context, c clusterState, peers map[string][]netip.Addr, since time.Time, lasts time.Duration) (int, error) {
	rules := fault.Plan(c.nodes, c.faults, c.now)
	requests := map[string]request{}
	for name, addrs := range peers {
		if !c.runs(name) {
			continue
		}
		r := request{Reset: addrs, At: c.now}
		if now, known := rules[name]; known && lasts > 0 {
			r.Rules, r.Ends = &now, c.now.Add(lasts).UTC().Truncate(time.Millisecond) // as Plan has it
		}
		requests[name] = r
	}
	answers, err := i.help(ctx, c.image, since, c.containers, requests)
	total := 0
	for _, a := range answers {
		total += a.Reset
	}
	return total, err
}

// startTime is how long a helper takes to start. One that starts later than planned does its part
// at once: see [request].Ends.
const startTime = 250 * time.Millisecond

// look asks the engine for its clock and the cluster's containers: see [Injector.list].
func (i Injector) look(ctx context.Context) (orchestrator.EngineInfo, []orchestrator.Container, error) {
	info, err := i.Engine.Info(ctx)
	if err != nil {
		return info, nil, err
	}
	containers, err := i.list(ctx)
	return info, containers, err
}

// settle applies what the records say, without those of faults that end, until they say the same
// afterwards. Two requests at once can replace each other's helpers: the one whose helper was
// replaced looks again, after a time that differs.
func (i Injector) settle(ctx context.Context, image string, info orchestrator.EngineInfo, without []record, only ...string) error {
	began := time.Now()
	for tries := 1; ; tries++ {
		containers, err := i.list(ctx)
		if answered(err) != nil {
			return err
		}
		records := recordsOf(containers)
		c := clusterOf(containers)
		c.image, c.now = image, info.Time.Add(time.Since(began))
		for _, r := range records {
			c.known = append(c.known, r.fault)
			if !slices.ContainsFunc(without, func(w record) bool { return w.container == r.container }) {
				c.faults = append(c.faults, r.fault)
			}
			if r.fault.Begin.After(c.now) { // of a request that read the engine's clock later
				c.now = r.fault.Begin
			}
		}
		if len(only) > 0 {
			maps.DeleteFunc(c.containers, func(name string, _ orchestrator.Container) bool { return !slices.Contains(only, name) })
			maps.DeleteFunc(c.resolvers, func(_, name string) bool { return !slices.Contains(only, name) })
		}
		if err := i.addStale(ctx, &c); err != nil {
			return err
		}
		err = i.bringAll(ctx, c, info)
		if errors.Is(err, errReplaced) && tries < 10 && wait.Sleep(ctx, rand.N(time.Duration(tries)*100*time.Millisecond)) {
			continue
		}
		if err != nil {
			return err
		}
		containers, err = i.list(ctx)
		if answered(err) != nil {
			return err
		}
		if same(records, recordsOf(containers)) {
			i.sweep(ctx, containers, info.Time.Add(time.Since(began)))
			return nil
		}
	}
}

// sweep removes the helpers that somebody could not remove because the engine was away, or because
// he was killed: a cluster can live for long. The request of a younger one may still read its answer.
func (i Injector) sweep(ctx context.Context, containers []orchestrator.Container, now time.Time) {
	for _, c := range containers {
		if c.Labels[orchestrator.LabelHelper] == passing && !c.State.Running && now.Sub(c.Created) > time.Minute {
			i.removeHelper(ctx, c.ID)
		}
	}
}

// clockSlack is how much later it can be on the engine's machine than is known here: its time is
// asked for once.
const clockSlack = 100 * time.Millisecond

// bring makes the nodes of one host what the faults want. A resolver starts before the rule that sends queries
// to it, and is removed after that rule.
func (i Injector) bring(ctx context.Context, c clusterState) error {
	began := time.Now()
	newcomers, err := i.startResolvers(ctx, c)
	if err != nil {
		return err
	}
	requests := map[string]request{}
	for name, rules := range fault.Plan(c.nodes, c.faults, c.now) {
		if c.runs(name) {
			requests[name] = request{Rules: &rules}
		}
	}
	answers, err := i.help(ctx, c.image, c.now, c.containers, requests)
	if err != nil {
		return errors.Join(err, i.removeAll(ctx, newcomers))
	}
	for name, a := range answers {
		want := requests[name].Rules.String()
		now := c.now.Add(time.Since(began))
		left := requests[name].Rules.Live(now).String() // a short fault has ended meanwhile
		last := requests[name].Rules.Live(now.Add(clockSlack)).String()
		if a.Rules != want && a.Rules != left && a.Rules != last {
			return fmt.Errorf("the rules of %s are not what was asked for:\n%s\ninstead of:\n%s", name, a.Rules, want)
		}
	}
	if err := i.removeAll(ctx, c.resolvers); err != nil {
		return err
	}
	if err := i.limit(ctx, c); err != nil {
		return err
	}
	return i.startKeepers(ctx, c)
}

// help does what the requests say in the network namespaces of these nodes: by one helper for all
// of them, and by one of its own for each node that this one could not help. A node that ended
// meanwhile needs none. One that started again since then needs another.
func (i Injector) help(ctx context.Context, image string, since time.Time, nodes map[string]orchestrator.Container, requests map[string]request) (map[string]answer, error) {
	byName := map[string]answer{}
	if len(requests) > 1 {
		maps.Copy(byName, i.helpTogether(ctx, image, nodes, slices.Sorted(maps.Keys(requests)), requests))
	}
	var names []string
	for _, name := range slices.Sorted(maps.Keys(requests)) {
		if _, done := byName[name]; !done {
			names = append(names, name)
		}
	}
	answers := make([]answer, len(names))
	ended := make([]bool, len(names))
	var group errgroup.Group
	for at, name := range names {
		group.Go(func() error {
			for since := since; ; {
				var err error
				answers[at], err = i.helpOne(ctx, image, name, nodes[name].ID, requests[name])
				if err == nil {
					return nil
				}
				now, inspectErr := i.Engine.InspectContainer(ctx, nodes[name].ID)
				switch {
				case inspectErr == nil && !now.State.Running || errors.Is(inspectErr, orchestrator.ErrNotFound):
					ended[at] = true
					return nil
				case inspectErr != nil || !now.State.StartedAt.After(since):
					return fmt.Errorf("%s: %w", name, err)
				}
				since = now.State.StartedAt
			}
		})
	}
	err := group.Wait()
	for at, name := range names {
		if !ended[at] {
			byName[name] = answers[at]
		}
	}
	return byName, err
}
