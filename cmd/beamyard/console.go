package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/discovery"
	"golang.org/x/term"
)

// This file is what iex and exec have in common: the user's terminal, lent to a
// command in a container.

// terminal is the user's, where there is one: both stdin and stdout are it.
func (a *app) terminal() (*os.File, bool) {
	in, ok := a.in.(*os.File)
	return in, ok && term.IsTerminal(int(in.Fd())) && a.out.fd >= 0
}

// lend gives the user's terminal to a command: each key goes there as it is, Ctrl-C
// too. giveBack restores it, once, and must be called on every path. It is called
// when ctx ends, so that a signal that ends the process at once finds it restored,
// and at SIGQUIT, which ends the process here.
func lend(ctx context.Context, in *os.File) (tty *orchestrator.TTY, giveBack func(), err error) {
	fd := int(in.Fd())
	state, err := term.MakeRaw(fd)
	if err != nil {
		return nil, nil, fmt.Errorf("use the terminal: %w", err)
	}
	size := func() orchestrator.TTYSize {
		columns, rows, err := term.GetSize(fd)
		if err != nil {
			columns, rows = 80, 24
		}
		return orchestrator.TTYSize{Columns: uint(columns), Rows: uint(rows)}
	}
	changed := make(chan os.Signal, 1)
	notifyResize(changed)
	quit := make(chan os.Signal, 1)
	signal.Notify(quit, syscall.SIGQUIT)
	resizes, done := make(chan orchestrator.TTYSize), make(chan struct{})
	tty = &orchestrator.TTY{Size: size(), Resizes: resizes}
	go func() {
		for {
			select {
			case <-changed:
			case <-done:
				return
			}
			select {
			case resizes <- size():
			case <-done:
				return
			}
		}
	}()
	giveBack = sync.OnceFunc(func() {
		_ = term.Restore(fd, state) // a terminal that is gone needs none
		signal.Stop(changed)
		signal.Stop(quit)
		close(done)
	})
	context.AfterFunc(ctx, giveBack)
	go func() {
		select {
		case s := <-quit:
			giveBack()
			if self, err := os.FindProcess(os.Getpid()); err == nil {
				_ = self.Signal(s) // as without us
			}
		case <-done:
		}
	}()
	return tty, giveBack, nil
}

// terminalEnv tells a command what the user's terminal is.
func terminalEnv() []string {
	if kind := os.Getenv("TERM"); kind != "" {
		return []string{"TERM=" + kind}
	}
	return nil
}

// supervisorHears is how long a supervisor may take to learn of an exit.
const supervisorHears = 2 * time.Second

// after says what follows where a node ended under a command, and other errors as
// they are. before is the node as it was.
func after(ctx context.Context, eng orchestrator.Engine, cluster, command string, before orchestrator.NodeStatus, err error) error {
	var ended *discovery.EndedError
	if !errors.As(err, &ended) {
		return err
	}
	var now orchestrator.NodeStatus
	for late := time.Now().Add(supervisorHears); ctx.Err() == nil; {
		found, gone := discovery.Find(ctx, eng, cluster)
		if gone != nil {
			return fmt.Errorf("%w: cluster %s is gone", ended, cluster)
		}
		st := statusOf(ctx, found.Status)
		now, _ = st.Node(ended.Node)
		if known := now.LastExit; known != nil && (before.LastExit == nil || !known.At.Equal(before.LastExit.At)) {
			ended.Exit = known
			break
		}
		if !st.Supervised || time.Now().After(late) {
			break
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
		}
	}
	switch now.State {
	case orchestrator.BackingOff, orchestrator.Creating, orchestrator.Starting, orchestrator.Ready, orchestrator.Degraded:
		return orchestrator.WithHint(ended, "it is restarted: beamyard %s %s/%s", command, cluster, ended.Node)
	case orchestrator.Pending, orchestrator.Stopping, orchestrator.Stopped, orchestrator.Completed, orchestrator.Failed:
	}
	return orchestrator.WithHint(ended, "it stays down: beamyard start %s/%s", cluster, ended.Node)
}
