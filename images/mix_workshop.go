package images

// This file holds what the build of a Mix project does inside a [Workshop]: it writes files,
// runs commands, and copies the result.

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
)

// moveIn writes the project to the folder in which it is built.
func (b *mixBuild) moveIn(ctx context.Context, w Workshop, p project, list []entry) error {
	if err := b.furnish(ctx, w); err != nil {
		return err
	}
	if err := b.put(ctx, w, list, workDir); err != nil {
		return err
	}
	return b.lendGit(ctx, w, path.Join(workDir, p.Layout.place(b.repository.root)))
}

// step runs a shell command in the project's folder, and shows it as the engine's own builder
// shows a step. The command then runs afterwards; it is not shown, and not part of the step.
func (b *mixBuild) step(ctx context.Context, w Workshop, p project, i, n int, command, then string) error {
	fmt.Fprintf(b.progress, "Step %d/%d : RUN %s\n", i, n, command)
	out := &step{w: b.progress, begun: true}
	said := &masked{w: out, redact: b.o.Redact}
	script := fmt.Sprintf("{ %s; }; s=$?; [ -e %s ] && exit %d; [ $s = 0 ] || exit $s; %s", command, gitUsed, asksGit, then)
	code, err := w.Run(ctx, Command{Args: []string{"sh", "-c", script}, Env: b.env, User: builder, Dir: p.Layout.folder()}, said, said)
	said.flush()
	switch {
	case err != nil:
		return err
	case code == asksGit:
		return errUsesGit
	case code != 0:
		return newBuildError(b.src, out, fmt.Errorf("the command %q returned the exit code %d", command, code))
	}
	return nil
}

// tidy is the command that removes files of the build.
func (b *mixBuild) tidy(p project) string {
	gone := "rm -rf " + scratch + " " + sourcesOfLayer
	if b.withGit {
		gone += " " + shellWord(path.Join(workDir, p.Layout.place(b.repository.root), ".git"))
	}
	return gone
}

// shellWord quotes a word for a shell.
func shellWord(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// masked passes whole lines on, without secrets.
type masked struct {
	w      io.Writer
	redact func(string) string
	open   []byte
}

func (r *masked) Write(p []byte) (int, error) {
	r.open = append(r.open, p...)
	end := bytes.LastIndexByte(r.open, '\n') + 1
	if end == 0 {
		return len(p), nil
	}
	text := string(r.open[:end])
	r.open = slices.Clone(r.open[end:])
	_, err := io.WriteString(r.w, r.text(text))
	return len(p), err
}

func (r *masked) flush() {
	_, _ = io.WriteString(r.w, r.text(string(r.open))) // mere progress: its loss is no error
	r.open = nil
}

func (r *masked) text(s string) string {
	if r.redact == nil {
		return s
	}
	return r.redact(s)
}

// quietly runs an internal command, whose output matters only if it fails.
func (b *mixBuild) quietly(ctx context.Context, w Workshop, as string, args ...string) error {
	var said bytes.Buffer
	code, err := w.Run(ctx, Command{Args: args, Env: b.env, User: as, Dir: "/"}, &said, &said)
	if err == nil && code != 0 {
		err = b.failed(fmt.Errorf("%s returned the exit code %d", args[0], code), said.String())
	}
	return err
}

// carry copies the project and its home to another workshop.
func carry(ctx context.Context, from, to Workshop) error {
	for _, folder := range []string{workDir, "/home/beamyard"} {
		archive, err := from.Read(ctx, folder)
		if err != nil {
			return err
		}
		if folder != workDir { // the parent folder may be missing
			top, err := archiveOf([]entry{rootFolder("home")})
			if err == nil {
				err = to.Write(ctx, "/", top)
			}
			if err != nil {
				_ = archive.Close()
				return err
			}
		}
		err = to.Write(ctx, path.Dir(folder), archive)
		_ = archive.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// put writes entries below a folder, and creates the folder and its parents.
func (b *mixBuild) put(ctx context.Context, w Workshop, list []entry, at string) error {
	var above []entry
	for dir := at[1:]; dir != "."; dir = path.Dir(dir) {
		e := folderEntry(dir)
		if dir == "home" {
			e = rootFolder(dir)
		}
		above = append(above, e)
	}
	slices.Reverse(above)
	for _, e := range list {
		e.Name = at[1:] + "/" + e.Name
		above = append(above, e)
	}
	archive, err := archiveOf(above)
	if err != nil {
		return err
	}
	return w.Write(ctx, "/", archive)
}

func rootFolder(name string) entry {
	e := folderEntry(name)
	e.Uid, e.Gid = 0, 0
	return e
}

// furnish adds to a workshop what only the build needs.
func (b *mixBuild) furnish(ctx context.Context, w Workshop) error {
	list := []entry{textEntry("evaluate.exs", evaluateText, 0o644)}
	if b.repository.root != "" {
		text := shim
		if b.withGit {
			text = recorder
		}
		list = append(list, folderEntry("bin"), textEntry("bin/git", text, 0o755))
	}
	if err := b.put(ctx, w, list, scratch); err != nil {
		return err
	}
	return nil
}
