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

// foreground is a cluster that this process runs.
type foreground struct {
	*cluster.Cluster
	stop func()      // ends the cluster; calling it once is enough
	hold func() bool // from now on an interruption does not end the cluster; false: one already has
	used bool        // it ended because its use is over
	page *page
}

// keep runs the cluster in this process until Ctrl-C, `down` or the end of its use. use is
// called once the cluster is Ready, and its ctx lives as long as the cluster.
func (u *up) keep(ctx context.Context, use func(ctx, work context.Context, k *foreground) error) error {
	// `beamyard up | head` must not be killed by SIGPIPE: its nodes would remain. With Notify,
	// a broken pipe is an error of the write instead.
	pipe := make(chan os.Signal, 1)
	signal.Notify(pipe, syscall.SIGPIPE)
	defer signal.Stop(pipe)

	cluster, err := cluster.New(u.spec, u.eng, cluster.Options{BuildOutput: u.progress, OnFailure: u.evidence.hook(u.eng), Parked: u.parked()})
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
	u.ticket.Guarded()
	// The cluster outlives the first Ctrl-C, so that its output while it stops is shown.
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
	k.page = newPage(work, &wg, cluster, u.eng)
	wg.Go(func() { served <- control.Serve(work, socket, paged{cluster, k.page}) })
	if u.spec.UI {
		if _, err := k.page.open(ctx, control.PageRequest{}); err != nil {
			u.say("no page: %v", err)
		}
	}
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
	wg.Go(func() { u.parkNext(work) })
	useErr := use(ctx, work, k)
	ran, servedErr := <-ended, <-served
	if k.used {
		return errors.Join(useErr, ran, servedErr, u.dismiss(ctx, dog))
	}
	return errors.Join(useErr, u.outcome(ctx, ran, servedErr), u.dismiss(ctx, dog))
}

// showLogs shows the table and then the logs, until the cluster ends.
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
	u.announce(ctx, k.page.open)
	notice := context.AfterFunc(ctx, func() {
		u.say("stopping %s; Ctrl-C again does not wait for its nodes", st.Cluster)
	})
	defer notice()
	printer := newLinePrinter(u.app, st.Nodes, false)
	err = k.Logs(context.WithoutCancel(work), orchestrator.LogQuery{Follow: true}, printer.print)
	if err != nil {
		k.stop() // the output is closed
	}
	return err
}

// outcome returns the error of a foreground cluster.
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

// dismiss ends the watchdog, unless resources remain that are not to be kept: it then continues
// their removal when this process ends.
func (u *up) dismiss(ctx context.Context, dog *watchdog.Watchdog) error {
	looking, cancel := context.WithTimeout(context.WithoutCancel(ctx), supervisorPatience)
	defer cancel()
	gone := u.gone(looking)
	if gone {
		u.ticket.Release()
	}
	if u.spec.KeepOnFailure || gone {
		return dog.Close()
	}
	return nil
}

// gone reports whether the engine has nothing left of the cluster: a cluster that was
// interrupted while it started does not report it.
func (u *up) gone(ctx context.Context) bool {
	_, err := discovery.Find(ctx, u.eng, u.spec.Name)
	return errors.Is(err, orchestrator.ErrNoCluster)
}

// listenError explains why the socket is taken.
func (u *up) listenError(err error) error {
	if errors.Is(err, control.ErrSupervised) {
		return errUp(u.spec.Name)
	}
	return err
}
