package discovery

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/hint"
	"github.com/beamyard/beamyard/orchestrator/internal/manifest"
	"github.com/beamyard/beamyard/orchestrator/internal/reach"
	"github.com/beamyard/beamyard/orchestrator/internal/wait"
	"github.com/beamyard/beamyard/orchestrator/keeper"
)

// This file removes clusters.

// RemoveAll removes everything that has the cluster's label.
func RemoveAll(ctx context.Context, eng orchestrator.Engine, cluster string) (Removed, error) {
	return removeLabelled(ctx, eng, cluster, map[string]string{orchestrator.LabelCluster: cluster})
}

// removeLabelled removes everything that has the labels. It lists the containers again
// after the networks are removed, because one may have been created in between: a sync by
// another process creates its compiler. The next round removes those. If one of several hosts does
// not answer, it removes what the others have, and keeps the networks: their labels lead the next
// removal to that host.
func removeLabelled(ctx context.Context, eng orchestrator.Engine, cluster string, label map[string]string) (Removed, error) {
	const rounds = 3
	removed := Removed{Cluster: cluster}
	containers, err := eng.Containers(ctx, label)
	if errors.Is(err, orchestrator.ErrHostLost) {
		err = errors.Join(fmt.Errorf("what it has of %s stays, and so does the network: %w", cluster, err), removeContainers(ctx, eng, containers, &removed))
		return removed, orchestrator.WithHint(err, "when it answers again: %s", hint.Down.On(cluster))
	}
	if err != nil {
		return removed, fmt.Errorf("list containers: %w", err)
	}
	came := func(c orchestrator.Container) bool { return !slices.Contains(removed.Containers, c.Name) }
	for range rounds {
		var listErr error
		err = removeThese(ctx, eng, label, containers, &removed)
		containers, listErr = eng.Containers(ctx, label)
		err = errors.Join(err, listErr)
		if !slices.ContainsFunc(containers, came) {
			break
		}
	}
	var guests *guestsError
	var ghosts *ghostsError
	switch {
	case errors.As(err, &ghosts): // it stays, whatever one tries
	case errors.As(err, &guests):
		err = orchestrator.WithHint(err, "%s\nthen: %s", guests.detach(), hint.Down.On(cluster))
	case err != nil:
		err = orchestrator.WithHint(err, "try again: %s", hint.Down.On(cluster))
	}
	return removed, err
}

// removeThese removes the containers, and then the networks. It adds the names of those that it
// removed to removed.
func removeThese(ctx context.Context, eng orchestrator.Engine, label map[string]string, containers []orchestrator.Container, removed *Removed) error {
	err := removeContainers(ctx, eng, containers, removed)
	networks, listErr := eng.Networks(ctx, label)
	err = errors.Join(err, listErr)
	for _, n := range networks {
		failed := RemoveNetwork(ctx, eng, n)
		if failed == nil && !slices.Contains(removed.Networks, n.Name) {
			removed.Networks = append(removed.Networks, n.Name)
		}
		err = errors.Join(err, failed)
	}
	return err
}

func removeContainers(ctx context.Context, eng orchestrator.Engine, containers []orchestrator.Container, removed *Removed) error {
	var group errgroup.Group
	group.SetLimit(16)
	gone := make([]bool, len(containers))
	for i, found := range containers {
		group.Go(func() error {
			if err := eng.RemoveContainer(ctx, found.ID); err != nil {
				return fmt.Errorf("remove container %s: %w", found.Name, err)
			}
			gone[i] = true
			return nil
		})
	}
	err := group.Wait()
	for i, found := range containers {
		if gone[i] && !slices.Contains(removed.Containers, found.Name) {
			removed.Containers = append(removed.Containers, found.Name)
		}
	}
	return err
}

// RemoveNetwork retries while the engine reports endpoints that it is still removing: for about a
// second if another container runs in the network, and otherwise for ten, because a swarm forgets
// the containers of a host later than the host.
func RemoveNetwork(ctx context.Context, eng orchestrator.Engine, n orchestrator.Network) error {
	for attempt := 0; ; attempt++ {
		err := eng.RemoveNetwork(ctx, n.ID)
		if err == nil {
			return nil
		}
		if errors.Is(err, orchestrator.ErrConflict) && attempt == 0 {
			reach.DetachVisitors(ctx, eng, n)
			continue
		}
		if errors.Is(err, orchestrator.ErrConflict) && (attempt == 10 || attempt == 100) {
			var guests *guestsError
			if why := stillIn(ctx, eng, n, err); errors.As(why, &guests) || attempt == 100 {
				return why
			}
		}
		if !errors.Is(err, orchestrator.ErrConflict) {
			return fmt.Errorf("remove network %s: %w", n.Name, err)
		}
		if !wait.Sleep(ctx, 100*time.Millisecond) {
			return ctx.Err()
		}
	}
}

// guestsError says that other containers prevent the removal of a network.
type guestsError struct {
	network string
	names   []string
	err     error
}

func (e *guestsError) Error() string {
	return fmt.Sprintf("remove network %s: other containers are attached to it: %s", e.network, strings.Join(e.names, ", "))
}
func (e *guestsError) Unwrap() error { return e.err }

// detach returns the commands that detach the containers.
func (e *guestsError) detach() string {
	const most = 6
	var lines []string
	for _, name := range e.names[:min(most, len(e.names))] {
		lines = append(lines, fmt.Sprintf("take it off: docker network disconnect %s %s", e.network, name))
	}
	if more := len(e.names) - len(lines); more > 0 {
		lines = append(lines, fmt.Sprintf("and the other %d", more))
	}
	return strings.Join(lines, "\n")
}

// stillIn returns an error with the containers that keep a network from being removed.
// Only running ones do.
func stillIn(ctx context.Context, eng orchestrator.Engine, n orchestrator.Network, refused error) error {
	all, err := eng.Containers(ctx, nil)
	guests := &guestsError{network: n.Name, err: refused}
	for _, c := range all {
		if c.State.Running && c.Attached(n.ID) && c.Labels[orchestrator.LabelCluster] != n.Labels[orchestrator.LabelCluster] {
			guests.names = append(guests.names, c.Name)
		}
	}
	runs := func(c orchestrator.Container) bool { return c.State.Running && c.Attached(n.ID) }
	spec, _ := orchestrator.SpecOf(n.Labels) // of another program's network: none
	switch {
	case err == nil && len(spec.Hosts) == 0 && !slices.ContainsFunc(all, runs):
		return &ghostsError{n.Name, refused}
	case err != nil || len(guests.names) == 0:
		return fmt.Errorf("remove network %s: %w", n.Name, refused)
	}
	slices.Sort(guests.names)
	return guests
}

// ghostsError says that the engine keeps a network for endpoints of containers that are gone. It
// counts endpoints wrongly once in a while where many containers end at once, and counts them again
// only when it starts (moby/moby#42119; seen with 20.10).
type ghostsError struct {
	network string
	err     error
}

func (e *ghostsError) Error() string {
	return fmt.Sprintf("the engine keeps network %s: it counts containers in it that are gone, which is a fault of the engine's", e.network)
}
func (e *ghostsError) Unwrap() error { return e.err }

// Hint says how the network goes.
func (e *ghostsError) Hint() hint.Hint {
	return hint.Newf("it does no harm, but to a cluster of the same name; it goes once the engine has started again: sudo systemctl restart docker, then: %s", hint.Prune.With())
}

// Orphaned reports whether a cluster's keeper is dead and the cluster is not meant to
// outlive it: it is neither detached nor kept for inspection. gone says that the
// container that the keeper ran in is gone.
func Orphaned(s orchestrator.Spec, owner orchestrator.Owner, gone bool) bool {
	alive, known := keeper.Alive(owner)
	if !known && gone {
		alive, known = false, true
	}
	return known && !alive && !owner.Detached && !s.KeepOnFailure
}

// RemoveOwned removes what one owner created of a cluster, and nothing that another owner
// created under the same name. It is for an owner that is gone: requests that the owner
// had sent may still be carried out, so RemoveOwned repeats until nothing new appears,
// for up to 30 s. It is not an error if there is nothing to remove.
func RemoveOwned(ctx context.Context, eng orchestrator.Engine, cluster string, owner orchestrator.Owner) error {
	const quietLooks = 3
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	label := map[string]string{orchestrator.LabelCluster: cluster, orchestrator.LabelOwner: manifest.MustJSON(owner)}
	for quiet := 0; ; {
		removed, err := removeLabelled(ctx, eng, cluster, label)
		if ghosts := (*ghostsError)(nil); errors.As(err, &ghosts) {
			return err // it stays
		}
		if err == nil && len(removed.Containers)+len(removed.Networks) == 0 {
			if quiet++; quiet == quietLooks {
				return nil
			}
		} else {
			quiet = 0
		}
		if !wait.Sleep(ctx, 200*time.Millisecond) {
			return errors.Join(ctx.Err(), err)
		}
	}
}

// Removed lists what was removed, or would be.
type Removed struct {
	Cluster    string   `json:"cluster"`
	Containers []string `json:"containers"`
	Networks   []string `json:"networks"`
	// Volumes that were removed too, on request.
	Volumes []string `json:"volumes,omitempty"`
	// Kept are its volumes that remain; see [RemoveVolumes].
	Kept []string `json:"kept_volumes,omitempty"`
}

// Removed returns what a removal of the cluster removes: its nodes, its helpers and its
// network.
func (f Cluster) Removed() Removed {
	r := Removed{Cluster: f.Cluster, Containers: []string{}, Networks: []string{}}
	for _, n := range f.Nodes {
		r.Containers = append(r.Containers, n.Container)
	}
	for _, name := range slices.Sorted(maps.Keys(f.Helpers)) {
		r.Containers = append(r.Containers, f.Helpers[name].Name)
	}
	if f.Network != "" {
		r.Networks = []string{f.Network}
	}
	return r
}

// Remove stops the nodes of a cluster, waiting up to grace for each, and removes everything
// that has its label. A cluster that does not exist matches [orchestrator.ErrNoCluster].
func Remove(ctx context.Context, eng orchestrator.Engine, cluster string, grace time.Duration) (Removed, error) {
	f, err := Find(ctx, eng, cluster)
	if err != nil {
		return Removed{}, err
	}
	var group errgroup.Group
	for _, n := range f.Nodes {
		if n.State.Running() && n.ContainerID != "" {
			group.Go(func() error { return eng.StopContainer(ctx, n.ContainerID, grace) })
		}
	}
	_ = group.Wait() // the removal kills nodes that did not stop
	dumps := keepDumps(ctx, eng, f)
	removed, err := RemoveAll(ctx, eng, cluster)
	return removed, errors.Join(err, dumps)
}
