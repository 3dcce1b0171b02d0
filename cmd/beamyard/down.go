package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/beamyard/beamyard/network"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/control"
	"github.com/beamyard/beamyard/orchestrator/discovery"
	"github.com/beamyard/beamyard/orchestrator/keeper"
)

type downCmd struct {
	Names   []string `arg:"" optional:"" name:"name" complete:"cluster" help:"Names of the clusters; optional when there is only one."`
	All     bool     `help:"All clusters."`
	Volumes bool     `help:"Also remove their named volumes, with their data; of a named cluster also when it is not up."`
}

func (downCmd) Help() string {
	return `Nodes get the cluster's stop timeout (5s by default), then SIGKILL.
It works with or without a supervisor. It succeeds if the cluster is not up.
Named volumes (volumes: in beamyard.yml) stay, unless --volumes is given.`
}

// Run stops and removes clusters.
func (c *downCmd) Run(ctx context.Context, a *app) error {
	if c.All && len(c.Names) > 0 {
		return usagef("beamyard down --all", "either names or --all")
	}
	eng, err := a.engine(ctx)
	if err != nil {
		return err
	}
	defer eng.Close()
	var names []string
	for _, name := range c.Names {
		if name = clusterRef(name); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		all, err := discovery.List(ctx, eng)
		if err != nil {
			return err
		}
		names = clusterNames(all)
		if len(names) > 1 && !c.All {
			return usagef("beamyard down "+names[0]+", or beamyard down --all", "there are %d clusters: %s", len(names), strings.Join(names, ", "))
		}
	}
	removed := make([]discovery.Removed, len(names))
	errs := make([]error, len(names))
	var wg sync.WaitGroup
	for i, name := range names {
		wg.Go(func() {
			if removed[i], errs[i] = takeDown(ctx, eng, name); errs[i] == nil {
				errs[i] = c.volumes(ctx, eng, name, &removed[i])
			}
		})
	}
	wg.Wait()
	if len(names) == 0 && !a.json {
		a.say("no cluster is up: nothing to remove")
	}
	gone := []discovery.Removed{}
	for i, r := range removed {
		switch {
		case errs[i] != nil:
		case r.Cluster == "" && len(r.Volumes) == 0:
			a.say("%s is not up: nothing to remove%s", names[i], meantCluster(ctx, eng, names[i]))
			a.sayKept(names[i], r.Kept)
		default:
			if r.Cluster == "" { // the cluster was already down and its volumes remained
				r = discovery.Removed{Cluster: names[i], Containers: []string{}, Networks: []string{}, Volumes: r.Volumes}
			}
			gone = append(gone, r)
		}
	}
	return errors.Join(append(errs, a.printRemoved(gone, "is down: removed"))...)
}

// meantCluster suggests another cluster, as the end of a sentence.
func meantCluster(ctx context.Context, eng orchestrator.Engine, name string) string {
	all, err := discovery.List(ctx, eng)
	if err != nil {
		return ""
	}
	if best := network.Nearest(name, clusterNames(all)); best != "" {
		return "; did you mean " + best + "?"
	}
	return ""
}

// volumes removes the volumes of a cluster that is down, or lists those that are kept.
func (c *downCmd) volumes(ctx context.Context, eng orchestrator.Engine, name string, r *discovery.Removed) (err error) {
	if c.Volumes {
		r.Volumes, err = discovery.RemoveVolumes(ctx, eng, name)
	} else {
		r.Kept, err = discovery.ListVolumes(ctx, eng, name)
	}
	return err
}

// sayKept reports volumes that are kept.
func (a *app) sayKept(cluster string, volumes []string) {
	if len(volumes) > 0 {
		a.say("the data of %s stays, in %s; remove it: beamyard down %s --volumes", cluster, plural(len(volumes), "volume"), cluster)
	}
}

// printRemoved prints what was removed.
func (a *app) printRemoved(all []discovery.Removed, verb string) error {
	if a.json {
		return a.printJSON(all)
	}
	for _, r := range all {
		what := plural(len(r.Containers), "container") + " and " + plural(len(r.Networks), "network")
		if len(r.Volumes) > 0 {
			what = plural(len(r.Containers), "container") + ", " + plural(len(r.Networks), "network") + " and " + plural(len(r.Volumes), "volume")
		}
		if _, err := fmt.Fprintf(a.out, "%s %s %s\n", r.Cluster, verb, what); err != nil {
			return err
		}
		a.sayKept(r.Cluster, r.Kept)
	}
	return nil
}

// takeDown stops and removes one cluster: through its supervisor, which knows about restarts in
// progress, or without one. A zero Removed means that there was nothing to remove.
func takeDown(ctx context.Context, eng orchestrator.Engine, name string) (discovery.Removed, error) {
	found, err := discovery.Find(ctx, eng, name)
	if errors.Is(err, orchestrator.ErrNoCluster) {
		forget(ctx, name) // a supervisor that was killed before it had created anything
		return discovery.Removed{}, nil
	}
	if err != nil {
		return discovery.Removed{}, err
	}
	client, err := control.Dial(ctx, name)
	if err == nil {
		defer client.Close()
		err = client.Down(ctx)
	}
	switch {
	case err == nil:
		ending, cancel := context.WithTimeout(ctx, supervisorPatience)
		defer cancel()
		_ = client.Gone(ending) // otherwise `down` and then `up` could meet the supervisor's end
		return found.Removed(), nil
	case errors.Is(err, orchestrator.ErrNoSupervisor), errors.Is(err, orchestrator.ErrClosed):
		// There is no supervisor, or it exited during the call: remove what it left. One whose socket
		// is elsewhere, as under another XDG_RUNTIME_DIR, would be left with nothing to supervise.
		ending, cancel := context.WithTimeout(ctx, supervisorPatience)
		_ = keeper.End(ending, found.Owner) // what it keeps is removed in any case
		cancel()
		r, err := discovery.Remove(ctx, eng, name, found.Spec.StopTimeout)
		forget(ctx, name)
		if errors.Is(err, orchestrator.ErrNoCluster) {
			return discovery.Removed{Cluster: name}, nil
		}
		return r, err
	}
	return discovery.Removed{}, err
}

// forget removes the files that a killed supervisor left beside its socket. A running
// supervisor keeps its files: its socket cannot be taken over.
func forget(ctx context.Context, name string) {
	if stale, err := control.Listen(ctx, name); err == nil {
		stale.Close()
		_ = control.RemoveFiles(name) // at worst an outdated file remains
	}
}
