package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/cluster"
	"github.com/beamyard/beamyard/orchestrator/control"
	"github.com/beamyard/beamyard/orchestrator/discovery"
	"github.com/beamyard/beamyard/orchestrator/watchdog"
)

// foreground is a cluster that this process keeps.
type foreground struct {
	*cluster.Cluster
	stop func()      // ends it; once is enough
	hold func() bool // from now on an interruption does not end it; false: one has
	used bool        // it was ended because its use is over
}

// keep keeps the cluster in this process until Ctrl-C, `down` or its use ends it.
// use is called once it is Ready, and its ctx lives as long as the cluster.
func (u *up) keep(ctx context.Context, use func(ctx, work context.Context, k *foreground) error) error {
	// `beamyard up | head` must not be killed by SIGPIPE: its nodes would stay.
	// Once asked for, a broken pipe is an error of the write instead.
	pipe := make(chan os.Signal, 1)
	signal.Notify(pipe, syscall.SIGPIPE)
	defer signal.Stop(pipe)

	cluster, err := cluster.New(u.spec, u.eng, cluster.Options{BuildOutput: u.progress, OnFailure: u.evidence.hook(u.eng)})
	if err != nil {
		return err
	}
	socket, err := control.Listen(ctx, u.spec.Name)
	if err != nil {
		return u.listenError(err)
	}
	dog, err := guard(cluster.Spec())
	if err != nil {
		return errors.Join(err, socket.Close())
	}
	// The cluster outlives the first Ctrl-C: what it says while it stops is shown.
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	running, stopRunning := context.WithCancel(context.WithoutCancel(ctx))
	k := &foreground{Cluster: cluster, stop: stopRunning, hold: context.AfterFunc(ctx, stopRunning)}
	defer k.hold()
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	defer stopRunning()

	ended := make(chan error, 1)
	wg.Go(func() {
		defer cancel()
		ended <- cluster.Run(running)
	})
	served := make(chan error, 1)
	wg.Go(func() { served <- control.Serve(work, socket, cluster) })
	wg.Go(func() {
		select {
		case <-u.second:
			cluster.Force()
		case <-work.Done():
		}
	})
	drawing, stopDrawing := context.WithCancel(work)
	drawn := make(chan struct{})
	wg.Go(func() {
		defer close(drawn)
		u.draw(drawing, cluster)
	})
	settle := func() {
		stopDrawing()
		<-drawn
		u.progress.close()
	}
	defer settle()

	if err := cluster.WaitReady(running); err != nil {
		if ctx.Err() != nil {
			settle()
			u.say("stopping %s; Ctrl-C again does not wait for its nodes", u.spec.Name)
		}
		err := <-ended
		settle()
		return errors.Join(u.outcome(ctx, err, <-served), u.dismiss(ctx, dog))
	}
	settle()
	useErr := use(ctx, work, k)
	ran, servedErr := <-ended, <-served
	if k.used {
		return errors.Join(useErr, ran, servedErr, u.dismiss(ctx, dog))
	}
	return errors.Join(useErr, u.outcome(ctx, ran, servedErr), u.dismiss(ctx, dog))
}

// showLogs shows the table and then the logs, until the cluster is over.
func (u *up) showLogs(ctx, work context.Context, k *foreground) error {
	st, err := k.Status(work)
	if err != nil {
		k.stop()
		return err
	}
	if !u.json {
		if err := u.printNodes(u.err, []orchestrator.Status{st}, false); err != nil {
			k.stop()
			return err
		}
		u.say("\nCtrl-C stops %s and removes everything of it\n", st.Cluster)
	}
	notice := context.AfterFunc(ctx, func() {
		u.say("stopping %s; Ctrl-C again does not wait for its nodes", st.Cluster)
	})
	defer notice()
	printer := newLinePrinter(u.app, st.Nodes, false)
	err = k.Logs(context.WithoutCancel(work), orchestrator.LogQuery{Follow: true}, printer.print)
	if err != nil {
		k.stop() // nobody reads any more
	}
	return err
}

// outcome of a foreground cluster.
func (u *up) outcome(ctx context.Context, ran, served error) error {
	interrupted := ctx.Err() != nil && (ran == nil || errors.Is(ran, context.Canceled))
	switch {
	case interrupted && (ran == nil || u.gone(context.WithoutCancel(ctx))):
		u.say("%s is down", u.spec.Name)
		return errInterrupted
	case interrupted:
		return orchestrator.WithHint(fmt.Errorf("%s was interrupted, and something of it is left", u.spec.Name), "beamyard down %s", u.spec.Name)
	case ran == nil && served == nil:
		u.say("%s was taken down", u.spec.Name)
		return nil
	}
	return errors.Join(ran, served)
}

// dismiss lets the watchdog go, unless something is left that nobody wants to
// keep: it then goes on with the removal when this process ends.
func (u *up) dismiss(ctx context.Context, dog *watchdog.Watchdog) error {
	looking, cancel := context.WithTimeout(context.WithoutCancel(ctx), supervisorPatience)
	defer cancel()
	if u.spec.KeepOnFailure || u.gone(looking) {
		return dog.Close()
	}
	return nil
}

// gone looks whether the engine has nothing of the cluster: one that was
// interrupted while it came up has not told.
func (u *up) gone(ctx context.Context) bool {
	_, err := discovery.Find(ctx, u.eng, u.spec.Name)
	return errors.Is(err, orchestrator.ErrNoCluster)
}

// listenError says what a socket that is taken means.
func (u *up) listenError(err error) error {
	if errors.Is(err, control.ErrSupervised) {
		return errUp(u.spec.Name)
	}
	return err
}
