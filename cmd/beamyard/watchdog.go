package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/watchdog"
)

// watchdogCmd is the process that removes a foreground cluster whose `up` was killed. See
// package watchdog.
type watchdogCmd struct {
	Name string `arg:"" help:"Name of the cluster, shown in the list of processes."`
}

// Run waits until its keeper exits. It ignores signals from the terminal and the user,
// which are meant for the keeper: it exits when the keeper does.
func (c *watchdogCmd) Run(ctx context.Context, a *app) error {
	ctx = context.WithoutCancel(ctx)
	orphans, watched := watchdog.Watch(a.in)
	if len(orphans) == 0 {
		return watched
	}
	a.engineTime = 10 * time.Minute // no user waits for it, and nothing else removes the cluster
	for _, c := range orphans {
		watched = errors.Join(watched, removeOrphan(ctx, a, c))
	}
	return watched
}

// removeOrphan removes what its keeper left, on the hosts of the cluster.
func removeOrphan(ctx context.Context, a *app, c watchdog.Target) error {
	spec, err := specOfHosts(c.Hosts)
	if err != nil {
		return err
	}
	eng, err := a.engineFor(ctx, spec)
	if err != nil {
		return err
	}
	defer eng.Close()
	err = c.Remove(ctx, eng)
	forget(ctx, c.Cluster)
	return err
}

// guard starts the watchdog of a cluster that this process runs.
func guard(s orchestrator.Spec) (*watchdog.Watchdog, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	cmd := exec.Command(self, "watchdog", s.Name) //nolint:noctx // it outlives this process on purpose
	dog, err := watchdog.Start(cmd)
	if err != nil {
		return nil, err
	}
	if err := dog.Guard(watchdog.Target{Cluster: s.Name, Owner: s.Owner, Hosts: hostsText(s)}); err != nil {
		return nil, errors.Join(err, dog.Close())
	}
	return dog, nil
}
