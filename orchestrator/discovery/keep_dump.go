package discovery

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/diagnosis"
	"github.com/beamyard/beamyard/orchestrator/internal/manifest"
)

// readDump is how many bytes of a crash dump are read. That takes some tenths of a
// second, and delays a restart by as much.
const readDump = 32 << 20

// CrashDump reads the crash dump that a container's last run left, or returns nil if there
// is none, and copies it if the spec requires that. A dump of an earlier run, still in
// the container's file system, is ignored. err concerns the copy: a missing dump is not
// an error.
func CrashDump(ctx context.Context, eng orchestrator.Engine, s orchestrator.Spec, c orchestrator.Container) (dump *diagnosis.Dump, path string, err error) {
	content, modified, err := eng.OpenFile(ctx, c.ID, manifest.DumpPath(s, c.Labels[orchestrator.LabelNode]))
	if err != nil || modified.Before(c.State.StartedAt) {
		if err == nil {
			content.Close()
		}
		return nil, "", nil
	}
	defer content.Close()
	var source io.Reader = content
	kept := func() error { return nil }
	if s.KeepDumps != "" {
		path = filepath.Join(s.KeepDumps, fmt.Sprintf("%s-%s-%s.dump", s.Name, c.Labels[orchestrator.LabelNode], modified.UTC().Format("20060102T150405.000")))
		reader, writer := io.Pipe()
		source = io.TeeReader(content, writer)
		written := make(chan error, 1)
		go func() {
			err := keepDump(reader, path)
			_, _ = io.Copy(io.Discard, reader) // discards the content if the copy exists already
			written <- err
		}()
		kept = func() error {
			_, err := io.Copy(writer, content) // the part that was not read
			writer.CloseWithError(err)         // the copy then fails with this error
			return <-written
		}
	}
	read := readCrashDump(io.LimitReader(source, readDump))
	return &read, path, kept()
}

// keepDump copies a dump, unless the copy exists. Only its owner may read it, because it
// shows the VM's memory.
func keepDump(dump io.Reader, path string) (err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = io.Copy(f, dump)
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// keepDumps copies the crash dumps of nodes that ended while they had no supervisor.
func keepDumps(ctx context.Context, eng orchestrator.Engine, f Cluster) error {
	if f.Spec.KeepDumps == "" {
		return nil
	}
	var errs []error
	for _, n := range f.Nodes {
		if c, err := eng.InspectContainer(ctx, n.ContainerID); err == nil && !c.State.Running {
			if _, _, err := CrashDump(ctx, eng, f.Spec, c); err != nil {
				errs = append(errs, fmt.Errorf("keep the crash dump of %s: %w", n.Name, err))
			}
		}
	}
	return errors.Join(errs...)
}
