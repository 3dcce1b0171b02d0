//go:build soak

package soak

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/control"
)

// errMissed is the error of a fault that had no effect: its node was down, or its
// supervisor cannot reach the engine.
var errMissed = errors.New("missed")

func missed(err error) error { return fmt.Errorf("%w: %w", errMissed, err) }

// do performs a step. Any error other than errMissed is a violation.
func (r *rig) do(ctx context.Context, s step) error {
	begin := time.Now()
	switch s.kind {
	case killOutside:
		return outside(r.docker.ContainerKill(ctx, r.container(s.node), "KILL"))
	case pause:
		return outside(r.docker.ContainerPause(ctx, r.container(s.node)))
	case unpause:
		return outside(r.docker.ContainerUnpause(ctx, r.container(s.node)))
	case killOurs:
		return r.allowed(begin, r.command(ctx, "kill", s.node))
	case restart:
		return r.allowed(begin, r.restart(ctx, s.node))
	case outOfMemory:
		return r.eat(ctx, s.node, begin)
	case crash:
		return r.crash(ctx, s, begin)
	case blip, partition, slow, dns, squeeze, clock:
		name, _ := strings.CutPrefix(string(s.kind), "beamyard ")
		_, err := r.beamyard(ctx, slices.Concat([]string{name}, s.args, []string{"--cluster", r.cluster})...)
		return r.allowed(begin, err)
	case heal:
		return r.heal(ctx)
	case stopOutside:
		return r.stopOutside(ctx, s.node)
	case start:
		return r.startStopped(ctx, s.node)
	case cut:
		return r.cutEngine(ctx, s.length)
	case killKeeper:
		return r.killKeeper(ctx)
	case up:
		return r.up(ctx)
	case settle:
		return r.settle(ctx)
	}
	return fmt.Errorf("no such step: %s", s)
}

// outside judges the engine's answer to us: that a container does not run, or that another
// fault was faster than a pause, is not an error, because faults may coincide. runc gives up a
// pause while processes start in a container ("unable to freeze").
func outside(err error) error {
	if errdefs.IsConflict(err) || errdefs.IsInvalidArgument(err) {
		return missed(err)
	}
	for _, coincides := range []string{"is not running", "is not paused", "unable to freeze"} {
		if err != nil && strings.Contains(err.Error(), coincides) {
			return missed(err)
		}
	}
	return err
}

func (r *rig) command(ctx context.Context, name, node string) error {
	_, err := r.beamyard(ctx, name, r.cluster+"/"+node)
	return err
}

// restart sends the request directly to the supervisor while the engine is away, because
// the command contacts the engine first.
func (r *rig) restart(ctx context.Context, node string) error {
	if !r.proxy.IsShut() {
		return r.command(ctx, "restart", node)
	}
	return r.ask(ctx, func(ctx context.Context, c *control.Client) error { return c.Restart(ctx, node) })
}

// allowed reports whether a command may return this error: that the node is down, or that
// the engine or the supervisor is away, if it is. It may never hang.
func (r *rig) allowed(begin time.Time, err error) error {
	switch {
	case err == nil || errors.Is(err, context.DeadlineExceeded):
		return err
	case strings.Contains(err.Error(), orchestrator.ErrNotRunning.Error()), r.proxy.cutSince(begin), r.deadSince(begin):
		return missed(err)
	}
	return err
}

// eat makes a node use more memory than it may.
func (r *rig) eat(ctx context.Context, node string, begin time.Time) error {
	before, known := r.status(ctx, node)
	if !known || before.State != orchestrator.Ready {
		return missed(fmt.Errorf("%s is %s", node, before.State))
	}
	if _, err := r.beamyard(ctx, "rpc", r.cluster+"/"+node, "Printer.eat()"); err != nil {
		return missed(err) // another fault came first
	}
	var after orchestrator.NodeStatus
	dead := within(ctx, 30*time.Second, func() bool {
		n, ok := r.status(ctx, node)
		after = n
		return r.deadSince(begin) || (ok && n.Incarnation > before.Incarnation)
	})
	switch {
	case r.deadSince(begin):
		return nil // the next supervisor counts from 1
	case !dead:
		return fmt.Errorf("%s used all its memory: want an exit within 30 s, got %+v", node, after)
	case after.LastExit == nil || after.LastExit.Class != orchestrator.ExitOOM:
		if r.hitSince(node, begin) {
			return missed(errors.New("another fault was faster"))
		}
		said := r.engineSays(ctx, node, begin)
		if !strings.Contains(said, " oom") {
			return missed(fmt.Errorf("the engine itself did not report it: %s", said))
		}
		return fmt.Errorf("%s used all its memory: want an exit of class oom, got %s: %s", node, after.LastExit, said)
	}
	return nil
}

// crash makes a VM end itself. It needs a node that answers.
func (r *rig) crash(ctx context.Context, s step, begin time.Time) error {
	if n, known := r.status(ctx, s.node); !known || n.State != orchestrator.Ready {
		return missed(fmt.Errorf("%s is %s", s.node, n.State))
	}
	_, err := r.beamyard(ctx, append([]string{"crash", r.cluster + "/" + s.node}, s.args...)...)
	if err != nil && r.hitSince(s.node, begin) {
		return missed(err)
	}
	return r.allowed(begin, err)
}

// heal ends all faults that were injected, whoever is away.
func (r *rig) heal(ctx context.Context) error {
	return r.retry(ctx, time.Now(), func() error {
		_, err := r.beamyard(ctx, "heal", "--cluster", r.cluster)
		return err
	})
}

// stopOutside is `docker stop`: the supervisor must leave the node down.
func (r *rig) stopOutside(ctx context.Context, node string) error {
	var n orchestrator.NodeStatus
	if !within(ctx, 15*time.Second, func() bool { n, _ = r.status(ctx, node); return n.State == orchestrator.Ready }) || r.busyUp() {
		return missed(fmt.Errorf("%s is %s", node, n.State))
	}
	// While the engine was away, the supervisor may not know of an exit.
	if in, err := r.docker.ContainerInspect(ctx, r.container(node)); err != nil || !in.State.Running {
		return missed(fmt.Errorf("the container of %s does not run", node))
	}
	begin := time.Now()
	if err := r.docker.ContainerStop(ctx, r.container(node), container.StopOptions{}); err != nil {
		return err
	}
	// A break lasts up to 3 s, and up to 5 s more pass until the engine is dialled again.
	if !within(ctx, 20*time.Second, func() bool {
		n, _ = r.status(ctx, node)
		return n.State == orchestrator.Stopped && n.LastExit != nil && n.LastExit.Class == orchestrator.ExitStoppedOutside
	}) {
		return fmt.Errorf("docker stop %s: want it stopped from outside, got %s (%s), exit %v; its container is %s",
			node, n.State, n.Reason, n.LastExit, r.engineSays(ctx, node, begin))
	}
	r.setStopped(node, true)
	return nil
}

// startStopped checks that a node is still down, and starts it.
func (r *rig) startStopped(ctx context.Context, node string) error {
	if !r.setStopped(node, false) {
		return missed(errors.New("it was not stopped"))
	}
	n, _ := r.status(ctx, node)
	in, err := r.docker.ContainerInspect(ctx, r.container(node))
	if err != nil {
		return err
	}
	if in.State.Running || n.State != orchestrator.Stopped {
		return fmt.Errorf("%s was stopped from outside: want it down until it is started, got container %s, node %s (%s)", node, in.State.Status, n.State, n.Reason)
	}
	begin := time.Now()
	return r.retry(ctx, begin, func() error { return r.command(ctx, "start", node) })
}

// retry repeats a call that fails because the engine is away.
func (r *rig) retry(ctx context.Context, begin time.Time, fn func() error) error {
	var err error
	if within(ctx, commandTime, func() bool {
		err = fn()
		return err == nil || !errors.Is(r.allowed(begin, err), errMissed)
	}) {
		return err
	}
	return fmt.Errorf("it did not succeed in time: %w", err)
}

// cutEngine looks to the supervisor like a restart of the engine.
func (r *rig) cutEngine(ctx context.Context, length time.Duration) error {
	r.proxy.cut()
	timer := time.NewTimer(length)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return r.proxy.heal()
}

// killKeeper kills the supervisor with SIGKILL.
func (r *rig) killKeeper(ctx context.Context) error {
	pid := r.supervisor(ctx)
	if pid == 0 {
		return missed(errors.New("no supervisor"))
	}
	r.setDead(true)
	r.peak(pid)
	return r.killHard(ctx, pid)
}

func (r *rig) upArgs() []string {
	return []string{"up", "--detach", "--progress", "plain", "--file", r.config}
}

// up starts a supervisor, which adopts the cluster.
func (r *rig) up(ctx context.Context) error {
	begin := time.Now()
	err := r.retry(ctx, begin, func() error {
		_, err := r.beamyard(ctx, r.upArgs()...)
		if err != nil {
			r.note("up: %v", err)
		}
		return err
	})
	r.setDead(false)
	return err
}
