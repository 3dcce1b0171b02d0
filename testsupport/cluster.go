package testsupport

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/testcontainers/testcontainers-go"
	"golang.org/x/sync/errgroup"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/cluster"
	"github.com/beamyard/beamyard/orchestrator/config"
	"github.com/beamyard/beamyard/orchestrator/discovery"
	"github.com/beamyard/beamyard/orchestrator/keeper"
	"github.com/beamyard/beamyard/orchestrator/parking"
	"github.com/beamyard/beamyard/orchestrator/watchdog"
)

// Cluster is a running cluster. Its methods are safe for concurrent use.
type Cluster struct {
	name    string
	session *session
	core    *cluster.Cluster // nil if the options are invalid
	after   map[string]after
	charge  watchdog.Target
	ticket  *parking.Ticket // nil if nothing is to be parked
	order   parking.Order
	tb      testing.TB // the test that uses it; nil for Run
	files   string     // folder with the contents of Readers; "" for none

	ended chan struct{} // closed while no supervisor runs
	log   faultLog

	mu       sync.Mutex
	nodes    map[string]*Node
	starting bool              // Run has not returned it yet
	over     bool              // it was terminated
	kept     bool              // for inspection
	shared   bool              // between tests no test owns it
	reported map[string]bool   // tests that have reported its problems
	evidence string            // folder of the last evidence, or why there is none
	broken   map[string]string // faults that are not undone, and the tests that made them
	tests    map[string]bool   // names of the tests that started or borrowed it
}

// ErrNotStarted is returned by methods of a cluster that never started.
var ErrNotStarted = errors.New("the cluster was not started")

// Run starts a cluster from a source and returns once the cluster is proven: every node
// has completed a distribution handshake, runs its application, and sees every other
// node. The source is an image, the folder of a Mix project, a folder with a Dockerfile
// or a beamyard.yml, or a beamyard.yml itself.
//
// opts are testcontainers' options for every node's container and those of this package
// ([Option]). An option that a cluster does not support is an error that names it. ctx
// bounds only the start.
//
// The returned cluster is never nil: pass it to [CleanupCluster] or [Cluster.Terminate]
// before checking the error. Errors are those of cluster.New and
// cluster.Cluster.Run. They name the node and the reason and include its last lines
// of output. Errors with a remedy have a Hint (orchestrator.Hinter), whose String names
// commands of the command line; failures of tests name calls of this package.
func Run(ctx context.Context, source string, opts ...testcontainers.ContainerCustomizer) (*Cluster, error) {
	return start(ctx, nil, source, "", opts)
}

// start is Run for a test, which may be nil, and with a name, which may be "".
func start(ctx context.Context, tb testing.TB, source, name string, opts []testcontainers.ContainerCustomizer) (*Cluster, error) {
	c := &Cluster{
		name: name, tb: tb, nodes: map[string]*Node{}, reported: map[string]bool{}, tests: map[string]bool{}, broken: map[string]string{},
		ended: make(chan struct{}),
	}
	close(c.ended) // nothing runs yet
	s, err := settle(source, name, opts)
	if err != nil {
		return c, err
	}
	if all, err := config.Matrix(source, ""); tb != nil && err == nil && len(all) > 0 {
		tb.Logf("the matrix of %s is for beamyard run and beamyard test; this cluster uses the file without it", config.Name)
	}
	p, err := s.plan()
	if err != nil {
		return c, err
	}
	if c.session, err = join(ctx); err != nil {
		return c, err
	}
	if p.spec.Files, c.files, err = local(p.spec.Files, p.files); err != nil {
		return c, err
	}
	c.takeParked(ctx, &p)
	if err := c.declare(p); err != nil {
		c.ticket.Close()
		return c, err
	}
	if tb != nil {
		c.tests[tb.Name()] = true
	}
	c.starting = true
	running.add(c)
	err = c.up(ctx)
	c.mu.Lock()
	c.starting = false
	c.mu.Unlock()
	return c, err
}

// declare creates the supervisor for a plan.
func (c *Cluster) declare(p plan) error {
	spec := p.spec
	labels := testcontainers.GenericLabels()
	if keeping() {
		delete(labels, reapLabel)
	}
	if p.parked == nil {
		spec.Labels = merged(spec.Labels, labels)
	}
	if spec.Owner == (orchestrator.Owner{}) {
		spec.Owner = keeper.Self(false)
	}
	c.name, c.after = spec.Name, p.after
	c.charge = watchdog.Target{Cluster: spec.Name, Owner: spec.Owner, Volumes: !p.named}
	core, err := cluster.New(spec, c.session.eng, cluster.Options{
		BuildOutput: lineWriter(c.buildLine), OnFailure: c.failed, Parked: p.parked,
	})
	if err != nil {
		return err
	}
	c.core = core
	return nil
}

// up runs the supervisor until the cluster is Ready and the steps that the options require
// after that are done.
func (c *Cluster) up(ctx context.Context) error {
	if !keeping() {
		if err := errors.Join(c.session.connectReaper(ctx), c.session.watchOver(c.charge)); err != nil {
			return err
		}
	}
	c.ticket.Guarded()
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	c.ended = make(chan struct{})
	go func() {
		defer close(c.ended)
		defer stop()
		_ = c.core.Run(run) // WaitReady, Await and Down report its error
	}()
	if err := c.core.WaitReady(ctx); err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("%w before %s was ready", context.Cause(ctx), c.name)
		}
		stop()
		<-c.ended
		return errors.Join(err, c.settled(context.WithoutCancel(ctx)))
	}
	c.parkNext(ctx)
	err := c.finish(ctx)
	if err != nil {
		c.failed(context.WithoutCancel(ctx), c.core, err)
	}
	return err
}

// finish adopts the containers and performs testcontainers' steps after a start. It takes one
// node after the other, because some strategies (wait.ForLog) and most hooks must not run
// concurrently.
func (c *Cluster) finish(ctx context.Context) error {
	var group errgroup.Group
	for _, n := range c.Nodes() {
		group.Go(func() error {
			_, err := n.container(ctx)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, n := range c.Nodes() {
		if err := n.begun(ctx, c.after[n.name]); err != nil {
			return err
		}
	}
	return nil
}

// Terminate stops the nodes and removes the cluster's containers, its network and its
// volumes; the volumes are kept if [WithName] named the cluster. Terminating a cluster
// that no longer exists is not an error.
func (c *Cluster) Terminate(ctx context.Context) error {
	if c == nil || c.core == nil {
		return nil
	}
	c.mu.Lock()
	c.over = true
	c.mu.Unlock()
	for _, n := range c.Nodes() {
		n.hangUp()
	}
	var err error
	if !closed(c.ended) { // otherwise its supervisor has ended, or never ran
		if err = c.core.Down(ctx); errors.Is(err, orchestrator.ErrClosed) {
			err = nil
		}
		if ctx.Err() == nil {
			<-c.ended
		}
	}
	return errors.Join(err, c.settled(ctx))
}

// settled removes what the supervisor leaves when it ends, and releases the watchdog once
// everything is removed.
func (c *Cluster) settled(ctx context.Context) error {
	defer running.remove(c)
	if c.files != "" {
		_ = os.RemoveAll(c.files) // a temporary folder
	}
	if c.core.Spec().KeepOnFailure && c.Evidence() != "" {
		return nil // its start failed, and it is kept for inspection
	}
	if c.charge.Volumes {
		if _, err := discovery.RemoveVolumes(ctx, c.session.eng, c.name); err != nil {
			return err
		}
	}
	if _, err := discovery.Find(ctx, c.session.eng, c.name); !errors.Is(err, orchestrator.ErrNoCluster) {
		return err // the watchdog removes the rest when this process ends
	}
	c.ticket.Release()
	return c.session.release(c.charge)
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// Name returns the cluster's name, which is part of its host names and container names.
func (c *Cluster) Name() string { return c.name }

// Controller returns the cluster's orchestrator.Controller, for operations that this
// package has no method for: Health, Logs, Sync, Journal.
func (c *Cluster) Controller() orchestrator.Controller {
	if c.core == nil {
		return nil
	}
	return c.core
}

// Spec returns the spec that the options produced, with defaults filled in. It includes
// the cookie.
func (c *Cluster) Spec() orchestrator.Spec {
	if c.core == nil {
		return orchestrator.Spec{}
	}
	return c.core.Spec()
}

// Status returns the current status of the nodes.
func (c *Cluster) Status() orchestrator.Status {
	if c.core == nil {
		return orchestrator.Status{Cluster: c.name}
	}
	return c.core.Snapshot()
}

// Events returns the cluster's last 1000 events, oldest first.
func (c *Cluster) Events() []orchestrator.Event {
	var events []orchestrator.Event
	if c.core != nil {
		_ = c.core.Events(context.Background(), 0, false, func(e orchestrator.Event) error { // only fn can fail
			events = append(events, e)
			return nil
		})
	}
	return events
}

// Network returns the cluster's own network. Other containers can join it:
//
//	testcontainers.Run(ctx, image, network.WithNetwork([]string{"db"}, c.Network()))
//
// Nodes reach such a container by its alias, and it reaches them by their host names. The
// network is removed with the cluster, so the container must be removed first; call
// CleanupContainer after [Start] for that order. Do not call the network's Remove.
func (c *Cluster) Network() *testcontainers.DockerNetwork {
	st := c.Status()
	return &testcontainers.DockerNetwork{ID: st.NetworkID, Name: st.Network, Driver: testcontainers.Bridge}
}

// buildLine logs a line of the image's build.
func (c *Cluster) buildLine(line string) {
	if tb := c.test(); tb != nil {
		tb.Logf("%s", line)
	}
}

// terminateTime limits the removal of a cluster: its nodes have a short stop timeout.
const terminateTime = 90 * time.Second

// local puts the files of the options where the engine adapter can read them. It copies the
// contents of a Reader, and files whose mode must change.
func local(files map[string]string, more []testcontainers.ContainerFile) (all map[string]string, dir string, err error) {
	all = merged(map[string]string{}, files)
	for i, f := range more {
		if f.ContainerFilePath == "" || f.Reader == nil && f.HostFilePath == "" {
			return nil, dir, errors.New("a file for the nodes' containers lacks its path, or its content")
		}
		if f.Reader == nil && f.FileMode == 0 {
			if all[f.ContainerFilePath], err = filepath.Abs(f.HostFilePath); err != nil {
				return nil, dir, fmt.Errorf("find file %s: %w", f.HostFilePath, err)
			}
			continue
		}
		if dir == "" {
			if dir, err = os.MkdirTemp("", "beamyard-files-"); err != nil {
				return nil, "", fmt.Errorf("make a folder for files: %w", err)
			}
		}
		to := filepath.Join(dir, fmt.Sprint(i))
		if err := copyFile(to, f); err != nil {
			return nil, dir, fmt.Errorf("copy the file for %s: %w", f.ContainerFilePath, err)
		}
		all[f.ContainerFilePath] = to
	}
	return all, dir, nil
}
