// Package watchdog removes a cluster whose keeper was killed.
//
//	keeper ──── pipe ────► watchdog, in a session of its own
//	   │                      │ the pipe ends, and the keeper did not say why:
//	   └──► engine ◄──────────┘ remove what that keeper made of the cluster
//
// A process that is killed with SIGKILL cleans nothing up. The kernel does one
// thing for it: it closes its files. So the keeper of a cluster that is not to
// outlive it holds the writing end of a pipe, and a child process reads. The
// child needs no container, no image and no socket inside one; it works with a
// remote engine, and it hears neither the terminal's Ctrl-C nor the signals to
// the keeper's process group.
//
// It removes by the owner that is in the labels, so it never touches a younger
// cluster of the same name.
//
// # Threads
//
// None.
package watchdog

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"

	"github.com/beamyard/beamyard/orchestrator"
)

// Charge is what a watchdog is to remove.
type Charge struct {
	Cluster string             `json:"cluster"`
	Owner   orchestrator.Owner `json:"owner"`
}

// release ends a watch without a removal.
const release = "release\n"

// Dog is a watchdog process, seen from its keeper. Its methods are for one
// goroutine.
type Dog struct {
	cmd  *exec.Cmd
	pipe *os.File
}

// Start starts cmd, a program that calls [Watch] on its stdin, with that stdin.
// The caller gives it a session of its own (SysProcAttr), where the terminal's
// signals do not reach it. End it with [Dog.Release].
func Start(cmd *exec.Cmd, c Charge) (*Dog, error) {
	read, write, err := os.Pipe() // closed on exec: no other child holds it
	if err != nil {
		return nil, fmt.Errorf("make a pipe: %w", err)
	}
	defer read.Close()
	cmd.Stdin = read
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start the watchdog: %w", err), write.Close())
	}
	d := &Dog{cmd: cmd, pipe: write}
	if err := json.NewEncoder(write).Encode(c); err != nil {
		return nil, errors.Join(fmt.Errorf("instruct the watchdog: %w", err), d.Release())
	}
	return d, nil
}

// Release tells the watchdog that nothing is to be removed, and waits until it
// has ended.
func (d *Dog) Release() error {
	_, err := io.WriteString(d.pipe, release)
	if err = errors.Join(err, d.pipe.Close(), d.cmd.Wait()); err != nil {
		return fmt.Errorf("release the watchdog: %w", err)
	}
	return nil
}

// Watch reads the watchdog's stdin until its keeper is gone. orphaned is false
// when the keeper released it.
func Watch(stdin io.Reader) (c Charge, orphaned bool, err error) {
	r := bufio.NewReader(stdin)
	line, err := r.ReadBytes('\n')
	if errors.Is(err, io.EOF) {
		return c, false, nil // killed before it said for what: nothing was made
	}
	if err == nil {
		err = json.Unmarshal(line, &c)
	}
	if err != nil {
		return c, false, fmt.Errorf("read what to watch: %w", err)
	}
	word, err := r.ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return c, false, fmt.Errorf("watch: %w", err)
	}
	return c, word != release, nil
}
