package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/control"
	"github.com/beamyard/beamyard/orchestrator/discovery"
	"github.com/beamyard/beamyard/orchestrator/hint"
	"github.com/beamyard/beamyard/orchestrator/keeper"
	"github.com/beamyard/beamyard/orchestrator/validation"
)

// again is `up -d` of an existing cluster: it does nothing, waits, or adopts the cluster.
func (u *up) again(ctx context.Context, found discovery.Cluster) (orchestrator.Status, error) {
	var none orchestrator.Status
	name := u.spec.Name
	diff := validation.Diff(found.Spec, u.spec)
	if slices.Equal(diff, []string{"image"}) && found.Spec.Source == u.spec.Source && u.spec.Precompiled {
		return none, orchestrator.WithHint(
			fmt.Errorf("%w: %s, made of other sources than %s holds now", orchestrator.ErrClusterExists, name, found.Spec.Source),
			"load them: beamyard sync -c %[1]s\nor, if sync has loaded them, put them into the image: beamyard upgrade %[1]s\nor start it again: beamyard down %[1]s, then the same command", name)
	}
	if len(diff) > 0 {
		return none, otherSettings(name, diff...)
	}
	client, err := control.Dial(ctx, name)
	if errors.Is(err, orchestrator.ErrNoSupervisor) {
		if alive, _ := keeper.Alive(found.Owner); alive {
			return none, orchestrator.WithHint(fmt.Errorf("%w: %s, kept by process %d, which does not answer here", orchestrator.ErrClusterExists, name, found.Owner.PID),
				"it may be another user's, or starting just now: beamyard ps %s", name)
		}
		page := u.spec.UI
		u.spec = found.Spec // including its cookie
		u.spec.UI = page || found.Spec.UI
		return u.detach(ctx, true)
	}
	if err != nil {
		return none, err
	}
	defer client.Close()
	st, err := client.Status(ctx)
	if err != nil {
		return none, err
	}
	if st.Ready {
		u.progress.close()
		u.say("%s is already up: nothing changed", name)
		return st, nil
	}
	if err := u.wake(ctx, client, st); err != nil {
		return none, err
	}
	st, err = client.Status(ctx)
	if err != nil {
		return none, err
	}
	u.progress.close()
	u.say("%s is up again", name)
	return st, nil
}

// unlike returns an error for an existing cluster that differs in what is known before an image is
// built; again compares the rest.
func (u *up) unlike(found discovery.Cluster) error {
	name, source := u.spec.Name, found.Spec.Source
	if source != "" && u.spec.Source != "" && !samePlace(source, u.spec.Source) {
		return orchestrator.WithHint(fmt.Errorf("%w: %s, made of %s and not of %s", orchestrator.ErrClusterExists, name, source, u.spec.Source),
			"choose another name: beamyard up --name NAME\nor remove it first: beamyard down %s", name)
	}
	if !slices.EqualFunc(found.Spec.Nodes, u.spec.Nodes, func(a, b orchestrator.NodeSpec) bool { return a.Name == b.Name }) {
		return otherSettings(name, "nodes")
	}
	return nil
}

// samePlace reports whether two sources are one, also if one of them is reached by a symbolic link.
func samePlace(a, b string) bool {
	if a == b {
		return true
	}
	one, errOne := os.Stat(a)
	other, errOther := os.Stat(b)
	return errOne == nil && errOther == nil && os.SameFile(one, other)
}

// otherSettings is the error for an existing cluster that differs in these settings.
func otherSettings(name string, differ ...string) error {
	return orchestrator.WithHint(
		fmt.Errorf("%w: %s, with other settings: %s", orchestrator.ErrClusterExists, name, strings.Join(differ, ", ")),
		"remove it first: beamyard down %s\nor choose another name: beamyard up --name NAME", name)
}

// wake starts the stopped nodes of a supervised cluster, and waits.
func (u *up) wake(ctx context.Context, client *control.Client, st orchestrator.Status) error {
	var down []string
	for _, n := range st.Nodes {
		if n.State.Final() {
			down = append(down, n.Name)
		}
	}
	phase(u.progress, u.now(), "waiting for %s", st.Cluster)
	if len(down) > 0 {
		phase(u.progress, u.now(), "starting %s", strings.Join(down, ", "))
		if err := client.Start(ctx, down...); err != nil {
			return err
		}
	}
	patience := u.spec.Defaulted().ReadyTimeout
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := client.WaitReady(waiting)
	if err == nil || ctx.Err() != nil || waiting.Err() == nil {
		return err
	}
	return u.notReady(ctx, client)
}

// notReady returns the error for a cluster that did not become Ready in time. The cluster is
// left unchanged, because it existed before.
func (u *up) notReady(ctx context.Context, client *control.Client) error {
	st, err := client.Status(ctx)
	if err != nil {
		return err
	}
	failed := &orchestrator.ClusterError{Cluster: st.Cluster, Kind: orchestrator.ErrNotReady}
	for _, n := range st.Nodes {
		if n.State != orchestrator.Ready {
			failed.Problems = append(failed.Problems, orchestrator.NodeProblem{
				Node: n.Name, State: n.State, Reason: n.Reason, Hint: hint.Of(hint.Logs.On(st.Cluster, n.Name)), Findings: n.Findings,
			})
		}
	}
	return failed
}

// answer prints the table on stdout and the next commands on stderr.
func (u *up) answer(st orchestrator.Status) error {
	if u.json {
		return u.printJSON(st.Printed())
	}
	if err := u.printNodes(u.out, []orchestrator.Status{st}, false); err != nil {
		return err
	}
	u.next(st)
	return nil
}

// next suggests commands to type.
func (u *up) next(st orchestrator.Status) {
	if len(st.Nodes) == 0 {
		return
	}
	first := st.Nodes[0]
	u.say("")
	u.say("next:")
	if first.URL != "" {
		u.say("  curl %s%s", first.URL, u.spec.HTTPCheck)
	}
	u.say("  beamyard logs -c %s -f", st.Cluster)
	if u.spec.Precompiled { // other images may lack Elixir
		u.say("  beamyard rpc %s/%s 'Node.list()'", st.Cluster, first.Name)
	} else {
		u.say("  beamyard health %s", st.Cluster)
	}
	u.say("  beamyard down %s", st.Cluster)
}

// draw shows the events of a cluster until ctx ends, the last ones included. It only draws: its
// errors do not affect the command.
func (u *up) draw(ctx context.Context, c orchestrator.Controller) {
	var last uint64
	show := func(e orchestrator.Event) error {
		last = e.Seq
		u.progress.event(e)
		return nil
	}
	_ = c.Events(ctx, 0, true, show)
	rest, cancel := context.WithTimeout(context.WithoutCancel(ctx), supervisorPatience)
	defer cancel()
	_ = c.Events(rest, last, false, show)
}

// revive starts, once each, the nodes that a new supervisor finds exited: `up` means that all
// nodes should run.
func (u *up) revive(ctx context.Context, client *control.Client) {
	started := map[string]bool{}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		st, err := client.Status(ctx)
		if err != nil || st.Ready {
			return
		}
		for _, n := range st.Nodes {
			if n.State.Final() && !started[n.Name] {
				started[n.Name] = true
				_ = client.Start(ctx, n.Name) // a failed start shows when time is up
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
