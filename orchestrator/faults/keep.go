package faults

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator/internal/manifest"
)

// This file is what a keeper does.

// keep is what a node's clock and disks have to be.
type keep struct {
	SetClock bool          `json:"set_clock,omitempty"` // false: it stays as it is
	Clocks   []faultyClock `json:"clocks,omitempty"`
	Full     []fullDisk    `json:"full,omitempty"`
	Free     []string      `json:"free,omitempty"` // folders that may be full because of an earlier fault
}

type faultyClock struct {
	fault.Clock
	Begin time.Time `json:"begin"`
	End   time.Time `json:"end,omitzero"`
}

type fullDisk struct {
	Path string    `json:"path"`
	End  time.Time `json:"end,omitzero"`
}

func over(end, now time.Time) bool { return !end.IsZero() && !end.After(now) }

// offset returns what the clock shows beyond the right time.
func (k keep) offset(now time.Time) (sum time.Duration) {
	for _, c := range k.Clocks {
		if !over(c.End, now) {
			sum += c.Offset(now.Sub(c.Begin))
		}
	}
	return sum
}

// full reports whether a folder is to be full.
func (k keep) full(path string, now time.Time) bool {
	for _, f := range k.Full {
		if f.Path == path && !over(f.End, now) {
			return true
		}
	}
	return false
}

// next returns when something changes after now; zero if nothing does.
func (k keep) next(now time.Time) (at time.Time) {
	earlier := func(t time.Time) {
		if !t.IsZero() && t.After(now) && (at.IsZero() || t.Before(at)) {
			at = t
		}
	}
	for _, c := range k.Clocks {
		if earlier(c.End); c.Changes() && !over(c.End, now) {
			earlier(c.Begin.Add(now.Sub(c.Begin).Truncate(time.Second) + time.Second))
		}
	}
	for _, f := range k.Full {
		earlier(f.End)
	}
	return at
}

// paths returns all folders that are or may be full.
func (k keep) paths() []string {
	paths := k.Free
	for _, f := range k.Full {
		paths = append(paths, f.Path)
	}
	return paths
}

// do makes the clock and the disks what they have to be now.
func (k keep) do(now time.Time) error {
	if k.SetClock {
		if err := setClock(k.offset(now)); err != nil {
			return err
		}
	}
	for _, p := range k.paths() {
		change := empty
		if k.full(p, now) {
			change = fill
		}
		if err := change(p); err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
	}
	return nil
}

// run does it until nothing changes any more. It calls ready when the first change is made.
func (k keep) run(ready func(stays bool)) error {
	for first := true; ; first = false {
		now := time.Now()
		if err := k.do(now); err != nil {
			return err
		}
		next := k.next(now)
		if first {
			ready(!next.IsZero())
		}
		if next.IsZero() {
			return nil
		}
		time.Sleep(time.Until(next))
	}
}

// offsetText is an offset as libfaketime reads it: seconds with a sign.
func offsetText(offset time.Duration) string { return fmt.Sprintf("%+.6f\n", offset.Seconds()) }

// setClock replaces the file with the offset: a reader sees the old one or the new one. Two requests
// at once can start two keepers of a node, so each has a draft of its own.
func setClock(offset time.Duration) error {
	draft := fmt.Sprintf("%s.%d", manifest.ClockFile, os.Getpid())
	if err := os.WriteFile(draft, []byte(offsetText(offset)), 0o644); err != nil { // the node reads it, as whatever user it runs
		return fmt.Errorf("set the clock: %w", err)
	}
	if err := os.Rename(draft, manifest.ClockFile); err != nil {
		return fmt.Errorf("set the clock: %w", err)
	}
	return nil
}

// filler is the name of the file that fills a folder's file system.
const filler = ".beamyard-full"

func empty(path string) error {
	if err := os.Remove(filepath.Join(path, filler)); err != nil && !os.IsNotExist(err) {
		return err
	}
	return nil
}
