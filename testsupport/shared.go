package testsupport

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/testcontainers/testcontainers-go"
	"golang.org/x/sync/errgroup"

	"github.com/beamyard/beamyard/network/erldist"
	"github.com/beamyard/beamyard/orchestrator"
)

// Shared returns the cluster with that key. The first test that asks for it starts it,
// and all tests of the package use it in turn, one at a time: the next test waits until
// the current one has ended. A test that asks again gets the same cluster, and so do its
// subtests. A parallel test must call t.Parallel before Shared. Tests that use two
// clusters must request them in the same order, or they deadlock.
//
// Before each test, the cluster is restored to its initial state: faults are undone,
// nodes that are down are started, the mesh is complete, and with [WithFreshApplication]
// the application is restarted. For a healthy cluster that takes a few milliseconds.
// Changes that a test made to the application's state remain: make tests independent of
// them, or use [WithFreshApplication].
//
// A cluster that cannot be restored is replaced. It is removed when the package's tests
// end: by [Main], or by the watchdog after the test binary has exited. The options of the
// first caller apply; the source must be the same in all calls.
func Shared(tb testing.TB, key, source string, opts ...testcontainers.ContainerCustomizer) *Cluster {
	tb.Helper()
	return shares.get(key).lend(tb, source, opts)
}

// shares are the shared clusters of this process.
var shares = &sharing{byKey: map[string]*share{}}

type sharing struct {
	mu    sync.Mutex
	byKey map[string]*share
}

func (s *sharing) get(key string) *share {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byKey[key] == nil {
		s.byKey[key] = &share{key: key, token: make(chan struct{}, 1)}
	}
	return s.byKey[key]
}

// share is one shared cluster. The test that holds the token may use it.
type share struct {
	key   string
	token chan struct{}

	mu     sync.Mutex
	holder string // the test that uses it

	// Only the holder uses these.
	source  string
	cluster *Cluster
}

// lend waits for the cluster, and lends it to a test.
func (s *share) lend(tb testing.TB, source string, opts []testcontainers.ContainerCustomizer) *Cluster {
	tb.Helper()
	s.mu.Lock()
	again := s.holder != "" && (tb.Name() == s.holder || strings.HasPrefix(tb.Name(), s.holder+"/"))
	s.mu.Unlock()
	if again {
		if source != s.source {
			require(tb, "share "+s.key, fmt.Errorf("it is a cluster of %s, and cannot be one of %s", s.source, source))
		}
		return s.cluster
	}
	s.wait(tb)
	s.mu.Lock()
	s.holder = tb.Name()
	s.mu.Unlock()
	tb.Cleanup(func() { s.release(tb) })
	require(tb, "share "+s.key, s.ready(tb, source, opts))
	s.cluster.acquire(tb)
	return s.cluster
}

// waitTold is the time after which a test reports which test it waits for: a test that waits
// for itself would otherwise be silent until -timeout.
const waitTold = 10 * time.Second

// wait takes the token.
func (s *share) wait(tb testing.TB) {
	tb.Helper()
	late := time.After(waitTold)
	for {
		select {
		case s.token <- struct{}{}:
			return
		case <-late:
			s.mu.Lock()
			tb.Logf("waits for shared cluster %q, which %s has; a test that is parallel must call Parallel before Shared", s.key, s.holder)
			s.mu.Unlock()
		case <-tb.Context().Done():
			require(tb, "share "+s.key, context.Cause(tb.Context()))
		}
	}
}

// release returns the cluster.
func (s *share) release(tb testing.TB) {
	tb.Helper()
	if c := s.cluster; c != nil {
		c.mu.Lock()
		delete(c.tests, tb.Name())
		c.tb = nil
		c.mu.Unlock()
		if tb.Failed() {
			c.report(tb)
			if keeping() && c.keep(tb) {
				s.cluster = nil // the next test gets a new one
			}
		}
	}
	s.mu.Lock()
	s.holder = ""
	s.mu.Unlock()
	<-s.token
}

// ready restores the cluster to its initial state. It starts a new one if there is none, or if
// the existing one cannot be repaired.
func (s *share) ready(tb testing.TB, source string, opts []testcontainers.ContainerCustomizer) error {
	tb.Helper()
	if s.cluster != nil && source != s.source {
		return fmt.Errorf("it is a cluster of %s, and cannot be one of %s", s.source, source)
	}
	if s.cluster != nil {
		err := s.cluster.reset(tb.Context(), freshAsked(opts))
		if err == nil {
			return nil
		}
		tb.Logf("shared cluster %s cannot be repaired, and is replaced: %s", s.cluster.name, hinted(err))
		if err := s.remove(tb.Context()); err != nil {
			return err
		}
	}
	c, err := start(tb.Context(), tb, source, unique(s.key), opts)
	if err != nil {
		tb.Cleanup(func() { c.end(tb) }) // after the test has failed because of it
		return err
	}
	s.cluster, s.source = c, source
	return nil
}

func (s *share) remove(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), terminateTime)
	defer cancel()
	err := s.cluster.Terminate(ctx)
	s.cluster = nil
	return err
}

// freshAsked reports whether the application should be restarted.
func freshAsked(opts []testcontainers.ContainerCustomizer) bool {
	return slices.ContainsFunc(opts, func(o testcontainers.ContainerCustomizer) bool {
		_, fresh := o.(freshApplication)
		return fresh
	})
}

// acquire records the test that uses the cluster.
func (c *Cluster) acquire(tb testing.TB) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tb, c.evidence, c.shared = tb, "", true
	c.tests[tb.Name()] = true
	c.log.forget()
	delete(c.reported, tb.Name()) // with -count the same test runs again
}

// reset repairs the cluster, and restarts the application if fresh is set.
func (c *Cluster) reset(ctx context.Context, fresh bool) error {
	ctx, cancel := context.WithTimeoutCause(ctx, faultTime, fmt.Errorf("not within %s", faultTime))
	defer cancel()
	c.mu.Lock()
	clear(c.broken)
	c.mu.Unlock()
	// The exit of a node may not have been reported yet.
	const tries = 3
	var err error
	for range tries {
		if err = c.mend(ctx); errors.Is(err, orchestrator.ErrNodeFailed) {
			continue
		}
		if err == nil && fresh {
			err = c.freshApplication(ctx)
		}
		if err == nil {
			err = c.WaitMesh(ctx)
		}
		if err != nil {
			return err
		}
		if c.Status().Ready {
			return nil
		}
		err = fmt.Errorf("%s is not ready", c.name)
	}
	return err
}

// mend brings back nodes that are down, paused or cut, and waits for all.
func (c *Cluster) mend(ctx context.Context) error {
	if err := c.core.Await(ctx, func(st orchestrator.Status) bool {
		return !slices.ContainsFunc(st.Nodes, func(n orchestrator.NodeStatus) bool {
			return n.State == orchestrator.Stopping || n.State == orchestrator.BackingOff && !judged(n)
		})
	}); err != nil {
		return err
	}
	for _, n := range c.Status().Nodes {
		var err error
		switch {
		case n.Paused:
			err = c.core.Unpause(ctx, n.Name)
		case n.State.Final():
			err = c.core.Start(ctx, n.Name)
		case len(n.Cut) > 0:
			err = c.core.Reconnect(ctx, n.Name)
		}
		if err != nil {
			return err
		}
	}
	return c.core.WaitReady(ctx)
}

// freshApplication stops the application on all nodes and starts it again. Source:
// application(3).
func (c *Cluster) freshApplication(ctx context.Context) error {
	app := c.Status().App
	if app == "" || app == "-" {
		return orchestrator.WithHint(errors.New("it is not known which application to restart"), "name it: testsupport.WithSpec(func(s *orchestrator.Spec) { s.App = \"shop\" })")
	}
	for _, step := range []string{"stop", "ensure_all_started"} {
		var group errgroup.Group
		for _, n := range c.Nodes() {
			group.Go(func() error {
				result, err := n.Call(ctx, "application", step, erldist.Atom(app))
				if err != nil {
					return err
				}
				if t, ok := result.(erldist.Tuple); ok && len(t) > 0 && t[0] == any(erldist.Atom("error")) && !notStarted(t) {
					return fmt.Errorf("%s: application:%s(%s) gave %s", n, step, app, erldist.Format(result))
				}
				return nil
			})
		}
		if err := group.Wait(); err != nil {
			return err
		}
	}
	return nil
}

// notStarted reports whether application:stop/1 answered that there was nothing to stop.
func notStarted(t erldist.Tuple) bool {
	why, ok := t[len(t)-1].(erldist.Tuple)
	return ok && len(why) == 2 && why[0] == any(erldist.Atom("not_started"))
}
