// Package watchdog removes clusters whose keeper was killed.
//
//	keeper ──── pipe ────► watchdog, in a session of its own
//	   │                      │ the pipe ends, and the keeper did not release all:
//	   └──► engine ◄──────────┘ remove what that keeper made of these clusters
//
// A process that is killed with SIGKILL cleans nothing up. The kernel does one
// thing for it: it closes its files. So the keeper of clusters that are not to
// outlive it holds the writing end of a pipe, and a child process reads. The
// child needs no container, no image and no socket inside one; it works with a
// remote engine, and it hears neither the terminal's Ctrl-C nor the signals to
// the keeper's process group. One is enough for all clusters of a process.
//
// It removes by the owner that is in the labels, so it never touches a younger
// cluster of the same name.
//
// # Threads
//
// None. A Watchdog has a mutex, so that clusters may come and go at once.
package watchdog

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"sync"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/discovery"
)

// Target is what a watchdog must remove: everything that an owner created for a cluster.
type Target struct {
	Cluster string             `json:"cluster"`
	Owner   orchestrator.Owner `json:"owner"`
	// Volumes includes the cluster's named volumes, for a cluster that will not be
	// started again.
	Volumes bool `json:"volumes,omitempty"`
	// Hosts are the hosts of the cluster as JSON, for whoever opens the engine; "" for one
	// engine.
	Hosts string `json:"hosts,omitempty"`
}

// word is a line of what a keeper tells its watchdog. One of the two is set.
type word struct {
	Guard   *Target `json:"guard,omitempty"`
	Release *Target `json:"release,omitempty"`
}

// Watchdog is the keeper's handle of a watchdog process. Its methods are safe for concurrent
// use.
type Watchdog struct {
	cmd *exec.Cmd

	mu      sync.Mutex // a word is one line
	pipe    *os.File
	guarded []Target
}

// Start starts cmd, a program that calls [Watch] on its stdin. It sets cmd's stdin. The
// process runs in a session of its own, where the terminal's signals do not reach it, and
// in the root folder, because the current folder may be removed. End it with [Watchdog.Close].
func Start(cmd *exec.Cmd) (*Watchdog, error) {
	read, write, err := os.Pipe() // closed on exec: no other child holds it
	if err != nil {
		return nil, fmt.Errorf("make a pipe: %w", err)
	}
	defer read.Close()
	cmd.Stdin, cmd.Dir, cmd.SysProcAttr = read, "/", OwnSession()
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start the watchdog: %w", err), write.Close())
	}
	return &Watchdog{cmd: cmd, pipe: write}, nil
}

// Guard registers a cluster with the watchdog. Call it before anything of the cluster is
// created.
func (d *Watchdog) Guard(c Target) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.say(word{Guard: &c}); err != nil {
		return fmt.Errorf("instruct the watchdog: %w", err)
	}
	d.guarded = append(d.guarded, c)
	return nil
}

// Release unregisters a cluster, so that nothing of it is removed.
func (d *Watchdog) Release(c Target) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.say(word{Release: &c}); err != nil {
		return fmt.Errorf("release the watchdog: %w", err)
	}
	d.guarded = slices.DeleteFunc(d.guarded, func(other Target) bool { return other == c })
	return nil
}

// Close releases all clusters that are still registered, and waits until the process
// exits.
func (d *Watchdog) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	var err error
	for _, c := range d.guarded {
		err = errors.Join(err, d.say(word{Release: &c}))
	}
	d.guarded = nil
	if err = errors.Join(err, d.pipe.Close(), d.cmd.Wait()); err != nil {
		return fmt.Errorf("release the watchdog: %w", err)
	}
	return nil
}

func (d *Watchdog) say(w word) error { return json.NewEncoder(d.pipe).Encode(w) }

// Remove removes everything that the charge describes, and reports what it could not
// remove.
func (c Target) Remove(ctx context.Context, eng orchestrator.Engine) error {
	err := discovery.RemoveOwned(ctx, eng, c.Cluster, c.Owner)
	if c.Volumes {
		_, volumes := discovery.RemoveVolumes(ctx, eng, c.Cluster)
		err = errors.Join(err, volumes)
	}
	return err
}

// Watch reads the watchdog's stdin until its keeper has exited, and returns the charges
// that the keeper had not released, in the order of registration.
func Watch(stdin io.Reader) (orphans []Target, err error) {
	lines := bufio.NewReader(stdin)
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return orphans, nil // half a line: killed before it could say it, and so before it made anything
		}
		if err != nil {
			return orphans, fmt.Errorf("watch: %w", err)
		}
		var w word
		if err := json.Unmarshal(line, &w); err != nil {
			return orphans, fmt.Errorf("read what to watch: %w", err)
		}
		switch {
		case w.Guard != nil:
			orphans = append(orphans, *w.Guard)
		case w.Release != nil:
			orphans = slices.DeleteFunc(orphans, func(c Target) bool { return c == *w.Release })
		}
	}
}
