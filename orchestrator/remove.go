package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// This file takes a cluster away.

// removeAll removes the containers and then the network, whatever happened in
// between; it reports what it could not remove. A sync under way, which may be
// making the compiler, is ended first.
func (c *Cluster) removeAll(ctx context.Context) error {
	c.syncer.end()
	c.site.release()
	_, err := removeCluster(ctx, c.eng, c.spec.Name)
	return err
}

// removeCluster removes everything that carries the cluster's label.
func removeCluster(ctx context.Context, eng Engine, cluster string) (Removed, error) {
	return removeLabelled(ctx, eng, cluster, map[string]string{LabelCluster: cluster})
}

// removeLabelled removes what carries the labels. It looks again for containers
// that somebody made between the look and the end of the networks, as a sync from
// elsewhere makes its compiler: the round after takes those.
func removeLabelled(ctx context.Context, eng Engine, cluster string, label map[string]string) (Removed, error) {
	const rounds = 3
	removed := Removed{Cluster: cluster}
	containers, err := eng.Containers(ctx, label)
	if err != nil {
		return removed, fmt.Errorf("list containers: %w", err)
	}
	came := func(c Container) bool { return !slices.Contains(removed.Containers, c.Name) }
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
	switch {
	case errors.As(err, &guests):
		err = WithHint(err, "%s\nthen: beamyard down %s", guests.detach(), cluster)
	case err != nil:
		err = WithHint(err, "try again: beamyard down %s", cluster)
	}
	return removed, err
}

// removeThese removes containers, and then the networks, which it adds to removed.
func removeThese(ctx context.Context, eng Engine, label map[string]string, containers []Container, removed *Removed) error {
	var group errgroup.Group
	group.SetLimit(16)
	for _, found := range containers {
		if !slices.Contains(removed.Containers, found.Name) {
			removed.Containers = append(removed.Containers, found.Name)
		}
		group.Go(func() error {
			if err := eng.RemoveContainer(ctx, found.ID); err != nil {
				return fmt.Errorf("remove container %s: %w", found.Name, err)
			}
			return nil
		})
	}
	err := group.Wait()
	networks, listErr := eng.Networks(ctx, label)
	err = errors.Join(err, listErr)
	for _, n := range networks {
		if !slices.Contains(removed.Networks, n.Name) {
			removed.Networks = append(removed.Networks, n.Name)
		}
		err = errors.Join(err, removeNetwork(ctx, eng, n))
	}
	return err
}

// removeNetwork tries again for a moment: the engine reports endpoints that it
// is still taking away.
func removeNetwork(ctx context.Context, eng Engine, n Network) error {
	for attempt := 0; ; attempt++ {
		err := eng.RemoveNetwork(ctx, n.ID)
		if err == nil {
			return nil
		}
		if errors.Is(err, ErrConflict) && attempt == 0 {
			showOut(ctx, eng, n)
			continue
		}
		if errors.Is(err, ErrConflict) && attempt == 10 {
			return stillIn(ctx, eng, n, err)
		}
		if !errors.Is(err, ErrConflict) {
			return fmt.Errorf("remove network %s: %w", n.Name, err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// guestsError is a network that containers of others keep from being removed.
type guestsError struct {
	network string
	names   []string
	err     error
}

func (e *guestsError) Error() string {
	return fmt.Sprintf("remove network %s: containers of others are attached to it: %s", e.network, strings.Join(e.names, ", "))
}
func (e *guestsError) Unwrap() error { return e.err }

// detach is what to type.
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

// stillIn says whose containers a network has that is refused to be removed. Only
// those that run keep it.
func stillIn(ctx context.Context, eng Engine, n Network, refused error) error {
	all, err := eng.Containers(ctx, nil)
	guests := &guestsError{network: n.Name, err: refused}
	for _, c := range all {
		if c.State.Running && c.Attached(n.ID) && c.Labels[LabelCluster] != n.Labels[LabelCluster] {
			guests.names = append(guests.names, c.Name)
		}
	}
	if err != nil || len(guests.names) == 0 {
		return fmt.Errorf("remove network %s: %w", n.Name, refused)
	}
	slices.Sort(guests.names)
	return guests
}

// orphaned reports whether a cluster's keeper is dead and nobody wants what it
// left: neither detached, nor to be kept for a look. gone is whether the container that
// it ran in is.
func orphaned(s Spec, owner Owner, gone bool) bool {
	alive, known := owner.Alive()
	if !known && gone {
		alive, known = false, true
	}
	return known && !alive && !owner.Detached && !s.KeepOnFailure
}

// sweep removes what keepers that were killed left behind, and returns the
// networks that stay. Those of this cluster's name are waited for, the others
// go while the nodes start.
func (c *Cluster) sweep(ctx context.Context, networks []Network) []Network {
	var stay []Network
	for _, n := range networks {
		name := n.Labels[LabelCluster]
		spec, err := specOf(n.Labels)
		owner := OwnerOf(n.Labels)
		if name == "" || err != nil || !orphaned(spec, owner, keeperGone(ctx, c.eng, n.Labels)) {
			stay = append(stay, n)
			continue
		}
		remove := func() error {
			err := RemoveOwned(context.WithoutCancel(ctx), c.eng, name, owner)
			if err != nil {
				c.note("", "what process %d left of %s is still there: %v", owner.PID, name, err)
			} else {
				c.note("", "removed what process %d, which is gone, left of %s", owner.PID, name)
			}
			return err
		}
		if name != c.spec.Name {
			c.wg.Go(func() { _ = remove() }) // told as a note
		} else if remove() != nil {
			stay = append(stay, n)
		}
	}
	return stay
}

// RemoveOwned removes what one owner made of a cluster, and nothing that another
// one made under the same name. It is for an owner that is gone: requests that
// it had sent may still be carried out, so it looks until nothing comes any more,
// for up to 30 s. Nothing to remove is no error.
func RemoveOwned(ctx context.Context, eng Engine, cluster string, owner Owner) error {
	const quietLooks = 3
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	label := map[string]string{LabelCluster: cluster, LabelOwner: mustJSON(owner)}
	for quiet := 0; ; {
		removed, err := removeLabelled(ctx, eng, cluster, label)
		if err == nil && len(removed.Containers)+len(removed.Networks) == 0 {
			if quiet++; quiet == quietLooks {
				return nil
			}
		} else {
			quiet = 0
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(200 * time.Millisecond):
		}
	}
}
