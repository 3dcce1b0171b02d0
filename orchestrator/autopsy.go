package orchestrator

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// This file looks why a run ended: at its last words and at its crash dump.

// autopsy reads what is known of an end: the output up to its last line, the
// crash dump, and whether the kernel killed it for its memory.
func (c *Cluster) autopsy(ctx context.Context, r report, id string, code int) {
	var f findings
	out := c.outputs[r.node]
	found, err := c.eng.InspectContainer(ctx, id)
	f.oom = err == nil && found.State.OOMKilled
	if err == nil && code != 0 && code != 137 { // a VM that ends well or by KILL writes none
		f.slogan, f.dump, err = crashed(ctx, c.eng, c.site.spec, found)
		if err != nil {
			c.note(r.node, "the crash dump of %s was not kept: %v", r.node, err)
		}
	}
	out.drained(ctx, r.inc)
	f.reason = c.clean(lastWords(out.out.Tail(50), r.inc, f.slogan))
	f.slogan = c.clean(f.slogan)
	c.box.post(msgAutopsy{r, f})
}

// telling begin the line in which a VM says why it ended, most telling first.
var telling = []string{
	"** (Mix)", "** (CompileError)", "** (UndefinedFunctionError)", "Protocol 'inet_tcp'",
	"Runtime terminating during boot", "Kernel pid terminated", "init terminating in do_boot", "** (",
}

// lastWords picks what says why a run ended: a line that tells, else the crash
// dump's slogan, else the last line of stderr; "" where there is none of them.
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

// crashed reads the slogan of the crash dump that a container's last run left,
// and copies the dump out where the spec wants that. A dump of an earlier run,
// which stays on the container's disk, is not this run's. err is about the copy:
// that there is no dump is no error.
func crashed(ctx context.Context, eng Engine, s Spec, c Container) (slogan, path string, err error) {
	content, modified, err := eng.OpenFile(ctx, c.ID, dumpPath(s, c.Labels[LabelNode]))
	if err != nil || modified.Before(c.State.StartedAt) {
		if err == nil {
			content.Close()
		}
		return "", "", nil
	}
	defer content.Close()
	dump := bufio.NewReaderSize(content, 64<<10)
	head, _ := dump.Peek(64 << 10) // a short dump is all there is
	slogan = readSlogan(string(head))
	if s.KeepDumps == "" {
		return slogan, "", nil
	}
	path = filepath.Join(s.KeepDumps, fmt.Sprintf("%s-%s-%s.dump", s.Name, c.Labels[LabelNode], modified.UTC().Format("20060102T150405.000")))
	return slogan, path, keepDump(dump, path)
}

// readSlogan finds the slogan in the head of a crash dump: see "How to
// Interpret the Erlang Crash Dumps" of the ERTS manual.
func readSlogan(head string) string {
	for line := range strings.Lines(head) {
		if slogan, ok := strings.CutPrefix(line, "Slogan: "); ok {
			return strings.TrimSpace(slogan)
		}
	}
	return ""
}

// dumpPath is where a node writes its crash dump: see nodeEnv.
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

// keepDump copies a dump, unless it is there already. Only its owner may read
// it: it shows the VM's memory.
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
