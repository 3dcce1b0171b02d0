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

// patience is for how long at most what was saved waits for that: a folder into
// which something is written all the time is never quiet.
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

// explain is the error of a system that watches no more.
func explain(err error) error {
	if errors.Is(err, syscall.ENOSPC) { // of inotify_add_watch(2)
		return fmt.Errorf("%w: too many folders are watched; raise the limit: sudo sysctl fs.inotify.max_user_watches=524288", err)
	}
	return err
}

// tree watches a folder and those below it, which fsnotify does one by one.
type tree struct {
	*fsnotify.Watcher
	dir     string
	ignored func(string) bool
}

// rel is a path below the folder; false for one that nobody asks for.
func (t *tree) rel(path string) (string, bool) {
	rel, err := filepath.Rel(t.dir, path)
	if err != nil || rel == "." {
		return "", rel == "."
	}
	rel = filepath.ToSlash(rel)
	return rel, !codesync.IsEditors(rel) && !t.ignored(rel)
}

// add watches a folder and all below it, and returns the files that are there.
func (t *tree) add(root string) (files []string, err error) {
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		rel, ours := t.rel(path)
		switch {
		case errors.Is(err, fs.ErrNotExist) && path != t.dir:
			return nil // gone again
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

// collect passes on what is saved.
func (t *tree) collect(ctx context.Context, saved chan<- []string) {
	for {
		var paths []string
		select {
		case <-ctx.Done():
			return
		case _, ok := <-t.Errors: // of the queue that overflowed, mostly
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

// changed are the files that an event is about. What is in a new folder was
// perhaps there before the folder was watched.
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

// debounce calls fn with what came, once nothing came for so long, or something
// waits for patience. What comes while fn runs is for its next call.
func debounce(ctx context.Context, saved <-chan []string, fn func(context.Context, []string)) error {
	pending := map[string]bool{}
	var silent <-chan time.Time // nil: nothing is pending, or fn runs
	var latest time.Time        // that silent may be; set with it
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
