package watch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/beamyard/beamyard/orchestrator/codesync"
)

// Quiet is the time without a save before fn is called: editors write a file in several
// steps, and formatters and branch switches write many files.
const Quiet = 300 * time.Millisecond

// patience limits how long a saved file waits for Quiet: a folder that is written to all the
// time is never quiet.
const patience = 2 * time.Second

// Watch calls fn with the paths below dir that were saved, created or removed, relative
// to dir, with slashes and sorted. It returns ctx's error when ctx ends. ignored reports
// whether a path is to be ignored. A path of "" means that the system lost events, and
// any file may have changed. Watch calls ready once everything is watched; all changes
// after that are reported.
func Watch(ctx context.Context, dir string, ignored func(string) bool, ready func(), fn func(ctx context.Context, paths []string)) error {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch %s: %w", dir, err)
	}
	w := &tree{Watcher: watcher, dir: dir, ignored: ignored}
	if _, err := w.add(dir); err != nil {
		_ = watcher.Close()
		return fmt.Errorf("watch %s: %w", dir, explain(err))
	}
	ready()
	ctx, cancel := context.WithCancel(ctx)
	saved, over := make(chan []string), make(chan struct{})
	go func() {
		defer close(over)
		w.collect(ctx, saved)
	}()
	err = debounce(ctx, saved, fn)
	cancel()
	<-over
	return errors.Join(err, watcher.Close())
}

// explain returns the error of a system that cannot watch any more files.
func explain(err error) error {
	if errors.Is(err, syscall.ENOSPC) { // from inotify_add_watch(2)
		return fmt.Errorf("%w: too many folders are watched; raise the limit: sudo sysctl fs.inotify.max_user_watches=524288", err)
	}
	return err
}

// tree watches a folder and those below it. fsnotify watches single folders.
type tree struct {
	*fsnotify.Watcher
	dir     string
	ignored func(string) bool
}

// rel returns a path relative to the folder; false if the path is ignored.
func (t *tree) rel(path string) (string, bool) {
	rel, err := filepath.Rel(t.dir, path)
	if err != nil || rel == "." {
		return "", rel == "."
	}
	rel = filepath.ToSlash(rel)
	return rel, !codesync.IsEditors(rel) && !t.ignored(rel)
}

// add watches a folder and all folders below it, and returns the files in them.
func (t *tree) add(root string) (files []string, err error) {
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		rel, ours := t.rel(path)
		switch {
		case errors.Is(err, fs.ErrNotExist) && path != t.dir:
			return nil // it has already been removed
		case err != nil:
			return err
		case !ours && d.IsDir():
			return fs.SkipDir
		case !ours:
			return nil
		case d.IsDir():
			return t.Add(path)
		}
		files = append(files, rel)
		return nil
	})
	return files, err
}

// collect passes on the paths of saved files.
func (t *tree) collect(ctx context.Context, saved chan<- []string) {
	for {
		var paths []string
		select {
		case <-ctx.Done():
			return
		case _, ok := <-t.Errors: // usually the overflow of the queue
			if !ok {
				return
			}
			paths = []string{""}
		case e, ok := <-t.Events:
			if !ok {
				return
			}
			if paths = t.changed(e); len(paths) == 0 {
				continue
			}
		}
		select {
		case saved <- paths:
		case <-ctx.Done():
			return
		}
	}
}

// changed returns the files that an event concerns. The files in a new folder may have been
// created before the folder was watched.
func (t *tree) changed(e fsnotify.Event) []string {
	rel, ours := t.rel(e.Name)
	if !ours || rel == "" || e.Op == fsnotify.Chmod {
		return nil
	}
	if info, err := os.Lstat(e.Name); err == nil && info.IsDir() {
		if !e.Has(fsnotify.Create) {
			return nil
		}
		files, err := t.add(e.Name)
		if err != nil {
			return []string{""}
		}
		return files
	}
	return []string{rel}
}

// debounce calls fn with the collected paths once there was no change for the time Quiet, or
// one has waited for patience. Changes while fn runs are passed to its next call.
func debounce(ctx context.Context, saved <-chan []string, fn func(context.Context, []string)) error {
	pending := map[string]bool{}
	var silent <-chan time.Time // nil: nothing is pending, or fn runs
	var latest time.Time        // limit for silent; set with it
	var done chan struct{}      // nil: fn does not run
	for {
		select {
		case paths := <-saved:
			for _, p := range paths {
				pending[p] = true
			}
			if done != nil {
				continue
			}
			if silent == nil {
				latest = time.Now().Add(patience)
			}
			silent = time.After(min(Quiet, time.Until(latest)))
		case <-silent:
			paths := slices.Sorted(maps.Keys(pending))
			pending, silent, done = map[string]bool{}, nil, make(chan struct{})
			go func() {
				defer close(done)
				fn(ctx, paths)
			}()
		case <-done:
			done = nil
			if len(pending) > 0 {
				silent, latest = time.After(Quiet), time.Now().Add(patience)
			}
		case <-ctx.Done():
			if done != nil {
				<-done
			}
			return ctx.Err()
		}
	}
}
