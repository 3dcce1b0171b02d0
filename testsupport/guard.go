package testsupport

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"sync"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/docker"
	"github.com/beamyard/beamyard/orchestrator/watchdog"
)

// This file implements the watchdog of a test binary: a second process of the same binary,
// which waits for the first one to end and removes what it left.

// guardVariable makes a test binary a watchdog. Its value is the testcontainers session whose
// containers it removes as well; "-" means none.
const guardVariable = "BEAMYARD_TEST_WATCHDOG"

// init runs before TestMain and all tests of a package that imports this one, so a watchdog
// runs no tests. Packages that are initialised earlier do run their init functions: those that
// this package imports, and those that do not import it.
func init() {
	if of, watching := os.LookupEnv(guardVariable); watching {
		os.Exit(watch(of))
	}
}

// watch waits for the keeper to end. Its messages are not read; the next cluster of any process
// removes what watch could not.
func watch(session string) int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	orphans, err := watchdog.Watch(os.Stdin)
	ctx, stop := context.WithTimeout(ctx, 10*time.Minute)
	defer stop()
	if session == "-" && len(orphans) == 0 {
		return exitCode(err)
	}
	eng, engErr := docker.New(docker.Options{})
	if engErr != nil {
		return 1
	}
	defer eng.Close()
	if session != "-" { // first, because they may be on the clusters' networks
		err = errors.Join(err, removeSession(ctx, eng, session, false))
	}
	var removing sync.WaitGroup
	errs := make([]error, len(orphans))
	for i, c := range orphans {
		removing.Go(func() { errs[i] = c.Remove(ctx, eng) })
	}
	removing.Wait()
	err = errors.Join(err, errors.Join(errs...))
	if session != "-" {
		err = errors.Join(err, removeSession(ctx, eng, session, true))
	}
	return exitCode(err)
}

func exitCode(err error) int {
	if err != nil {
		return 1
	}
	return 0
}

const (
	sessionLabel = "org.testcontainers.sessionId" // on everything that testcontainers creates
	reapLabel    = "org.testcontainers.reap"      // on everything that Ryuk should remove
)

// removeSession removes the containers of a testcontainers session that do not belong to a
// cluster, and with all also its networks and volumes.
func removeSession(ctx context.Context, eng orchestrator.Engine, session string, all bool) error {
	label := map[string]string{sessionLabel: session}
	containers, err := eng.Containers(ctx, label)
	for _, c := range containers {
		if c.Labels[orchestrator.LabelCluster] == "" {
			err = errors.Join(err, eng.RemoveContainer(ctx, c.ID))
		}
	}
	if !all {
		return err
	}
	networks, listErr := eng.Networks(ctx, label)
	err = errors.Join(err, listErr)
	for _, n := range networks {
		if n.Labels[orchestrator.LabelCluster] == "" {
			err = errors.Join(err, eng.RemoveNetwork(ctx, n.ID))
		}
	}
	volumes, listErr := eng.Volumes(ctx, label)
	err = errors.Join(err, listErr)
	for _, v := range volumes {
		if v.Labels[orchestrator.LabelCluster] == "" {
			err = errors.Join(err, eng.RemoveVolume(ctx, v.Name))
		}
	}
	return err
}

// guard is the watchdog of this process, and the session that it removes.
type guard struct {
	dog     *watchdog.Watchdog
	session string
}

// watchOver registers a target that the watchdog removes if this process dies. It returns
// before the watchdog runs: the registration waits in the pipe.
func (s *session) watchOver(c watchdog.Target) error {
	g, err := s.guarding()
	if err != nil {
		return err
	}
	return g.dog.Guard(c)
}

// guarding starts the watchdog, once.
func (s *session) guarding() (*guard, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.guard != nil {
		return s.guard, nil
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this test binary, to watch over it: %w", err)
	}
	of := "-"
	if s.reaps && !keeping() {
		of = os.Getenv(sessionVariable)
	}
	cmd := exec.Command(self) //nolint:noctx // it outlives this process on purpose
	cmd.Env = append(slices.Clone(os.Environ()), guardVariable+"="+of)
	dog, err := watchdog.Start(cmd)
	if err != nil {
		return nil, err
	}
	s.guard = &guard{dog: dog, session: of}
	return s.guard, nil
}

// release tells the watchdog that nothing of a target is left.
func (s *session) release(c watchdog.Target) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.guard == nil {
		return nil
	}
	return s.guard.dog.Release(c)
}
