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

// This file holds what iex and exec share: a command in a container gets the user's terminal.

// terminal returns the user's terminal, if both stdin and stdout are one.
func (a *app) terminal() (*os.File, bool) {
	in, ok := a.in.(*os.File)
	return in, ok && term.IsTerminal(int(in.Fd())) && a.out.fd >= 0
}

// lend connects the user's terminal to a command: each key is passed on unchanged, including
// Ctrl-C. giveBack restores the terminal, once, and must be called on every path. It is also
// called when ctx ends, so that a signal that ends the process at once finds the terminal
// restored, and at SIGQUIT, which ends the process here.
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
		_ = term.Restore(fd, state) // a closed terminal needs no restoring
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
				_ = self.Signal(s) // with its default action
			}
		case <-done:
		}
	}()
	return tty, giveBack, nil
}

// terminalEnv describes the user's terminal to a command.
func terminalEnv() []string {
	if kind := os.Getenv("TERM"); kind != "" {
		return []string{"TERM=" + kind}
	}
	return nil
}

// supervisorHears is how long a supervisor may take to notice an exit.
const supervisorHears = 2 * time.Second

// after explains what follows if a node ended while a command ran on it, and returns other
// errors unchanged. before is the node's status before the command.
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
	case orchestrator.BackingOff, orchestrator.Creating, orchestrator.Starting, orchestrator.Running, orchestrator.Ready, orchestrator.Degraded, orchestrator.Unreachable:
		return orchestrator.WithHint(ended, "it is restarted: beamyard %s %s/%s", command, cluster, ended.Node)
	case orchestrator.Pending, orchestrator.Stopping, orchestrator.Stopped, orchestrator.Completed, orchestrator.Failed:
	}
	return orchestrator.WithHint(ended, "it stays down: beamyard start %s/%s", cluster, ended.Node)
}
