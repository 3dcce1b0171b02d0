package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/beamyard/beamyard/orchestrator/diagnosis"
)

// This file finds out why a run ended, from its last output and its crash dump.

// autopsy collects the data about an end: the output up to its last line, the crash dump,
// and whether the kernel killed the process for its memory use.
func (c *Cluster) autopsy(ctx context.Context, r report, id string, code int) {
	var f findings
	out := c.outputs[r.node]
	found, err := c.eng.InspectContainer(ctx, id)
	f.oom = err == nil && found.State.OOMKilled
	if err == nil && code != 0 && code != exitKilled { // a VM that ends normally or by KILL writes none
		f.crash, f.dump, err = crashed(ctx, c.eng, c.site.spec, found)
		if f.crash != nil {
			f.slogan = f.crash.Slogan
		}
		if err != nil && ctx.Err() == nil {
			c.note(r.node, "the crash dump of %s was not kept: %v", r.node, err)
		}
	}
	out.drained(ctx, r.inc)
	f.reason = c.clean(lastWords(out.out.Tail(50), r.inc, f.slogan))
	f.slogan = c.clean(f.slogan)
	f.waits = c.waited(r)
	c.box.post(msgAutopsy{r, f})
}

// telling are the beginnings of lines in which a VM says why it ended, most specific
// first.
var telling = []string{
	"** (Mix)", "** (CompileError)", "** (UndefinedFunctionError)", "Protocol 'inet_tcp'",
	"Runtime terminating during boot", "Kernel pid terminated", "init terminating in do_boot", "** (",
}

// lastWords returns the text that explains the end of a run: a line that matches telling,
// else the crash dump's slogan, else the last line of stderr, or "" if there is none of
// these.
func lastWords(lines []Line, run int, slogan string) string {
	for _, s := range telling {
		for _, l := range lines {
			if l.Run == run && l.Stream != StreamSystem && strings.Contains(l.Text, s) {
				return strings.TrimSpace(l.Text)
			}
		}
	}
	if slogan != "" {
		return slogan
	}
	for _, l := range slices.Backward(lines) {
		if l.Run == run && l.Stream == Stderr && strings.TrimSpace(l.Text) != "" {
			return strings.TrimSpace(l.Text)
		}
	}
	return ""
}

// readDump is how many bytes of a crash dump are read. That takes some tenths of a
// second, and delays a restart by as much.
const readDump = 32 << 20

// crashed reads the crash dump that a container's last run left, or returns nil if there
// is none, and copies it if the spec requires that. A dump of an earlier run, still in
// the container's file system, is ignored. err concerns the copy: a missing dump is not
// an error.
func crashed(ctx context.Context, eng Engine, s Spec, c Container) (dump *diagnosis.Dump, path string, err error) {
	content, modified, err := eng.OpenFile(ctx, c.ID, dumpPath(s, c.Labels[LabelNode]))
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
		path = filepath.Join(s.KeepDumps, fmt.Sprintf("%s-%s-%s.dump", s.Name, c.Labels[LabelNode], modified.UTC().Format("20060102T150405.000")))
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
	read := diagnosis.ReadDump(io.LimitReader(source, readDump))
	return &read, path, kept()
}

// dumpPath returns where a node writes its crash dump: see nodeEnv.
func dumpPath(s Spec, node string) string {
	const key = "ERL_CRASH_DUMP"
	i := slices.IndexFunc(s.Nodes, func(n NodeSpec) bool { return n.Name == node })
	if i >= 0 && s.Nodes[i].Env[key] != "" {
		return s.Nodes[i].Env[key]
	}
	if s.Env[key] != "" {
		return s.Env[key]
	}
	return crashDump
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
