package images

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
)

// This file records in the image of a Mix project what `mix run` would compute again at each
// start of a node: see boot.ex.

//go:embed boot.ex
var bootText string

//go:embed boot.exs
var recordText string

const (
	// BootDirect is the [Image].Boot of an image whose nodes can start with [DirectFlags].
	BootDirect = "direct"
	// bootLabel is the label that holds [Image].Boot.
	bootLabel = "beamyard.boot"
	// bootDir belongs to the image, outside of folders that a sync or a volume replaces.
	bootDir = "/opt/beamyard"
	// recordScript has one VM record the project, and another one check the record. The
	// state that they compare is not part of the image: it contains the configuration.
	recordScript = `elixir ` + bootDir + `/boot.exs "$@" && elixir --erl '-pa ` + bootDir + ` -s beamyard_boot check' --no-halt
rm -f ` + bootDir + `/boot.ex ` + bootDir + `/boot.exs ` + bootDir + `/state`
	// answered is the start of the last line that boot.ex prints.
	answered = "beamyard: "
)

// DirectFlags are the flags of an Elixir VM that boots a Mix project from the record in its
// image, as `mix run` with the arguments of [DirectCommand] does, and without its cost.
const DirectFlags = "-pa " + bootDir + " -s beamyard_boot"

// DirectCommand follows the flags of the command elixir. The arguments after -- are for
// boot.ex, which passes them to Mix if the record does not fit.
var DirectCommand = []string{"--no-halt", "--", "mix", "run", "--no-halt", "--no-compile", "--no-deps-check"}

// record records the project for a direct boot, and proves in another VM that a boot from the
// record equals Mix's. It returns [BootDirect], or the reason why nodes start with `mix run`;
// it is no error if a project needs that.
func (b *mixBuild) record(ctx context.Context, w Workshop, p project) (string, error) {
	if err := putBoot(ctx, w, []entry{textEntry("boot.ex", bootText, 0o644), textEntry("boot.exs", recordText, 0o644)}); err != nil {
		return "", err
	}
	var out strings.Builder
	if _, err := w.Run(ctx, Command{Args: append([]string{"sh", "-c", recordScript, "sh"}, b.secretsOfEnv()...), Env: b.env, User: builder, Dir: p.Layout.folder()}, &out, &out); err != nil {
		return "", err
	}
	return b.verdict(out.String()), nil
}

// putBoot writes files into [bootDir].
func putBoot(ctx context.Context, w Workshop, files []entry) error {
	above, _ := path.Split(bootDir)
	list := []entry{rootFolder(strings.Trim(above, "/")), folderEntry(bootDir[1:])}
	for _, e := range files {
		e.Name = bootDir[1:] + "/" + e.Name
		list = append(list, e)
	}
	archive, err := archiveOf(list)
	if err == nil {
		err = w.Write(ctx, "/", archive)
	}
	return err
}

// recording is a record that an image of the project has, kept in the user's cache folder.
type recording struct {
	Key   string            `json:"key"`
	Boot  string            `json:"boot"`
	Files map[string][]byte `json:"files"` // of bootDir, by name
}

// recordingKey is a hash of all that a record is made of: everything but the content of code.
// Of the project's own code, a record has nothing: its applications, its modules and its
// protocols are read when a node starts, and so is what mix.exs says. A mix.exs that reads the
// project's own code says something else then, and the node starts with `mix run`.
func (b *mixBuild) recordingKey(p project, from Info, layer string, list []entry) string {
	h := sha256.New()
	b.hashInputs(h, p)
	fmt.Fprintf(h, "from %s\nlayer %s\nfolder %s\nshape %s\nsecrets %q\n", from.ID, layer, p.Layout.folder(), shapeOf(list), b.secretsOfEnv())
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// recordOnce is record. If only code has changed, and the key says so, the image gets the record
// of the image before.
func (b *mixBuild) recordOnce(ctx context.Context, w Workshop, p project, key string, begin basis) (string, error) {
	file := b.recordingFile()
	if begin == assumed {
		var last recording
		if data, err := os.ReadFile(file); err == nil && json.Unmarshal(data, &last) == nil && last.Key == key {
			var list []entry
			for _, name := range slices.Sorted(maps.Keys(last.Files)) {
				list = append(list, textEntry(name, string(last.Files[name]), 0o644))
			}
			return last.Boot, putBoot(ctx, w, list)
		}
	}
	verdict, err := b.record(ctx, w, p)
	if err != nil || verdict != BootDirect || file == "" {
		return verdict, err
	}
	made := recording{Key: key, Boot: verdict, Files: map[string][]byte{}}
	if err := readFiles(ctx, w, bootDir, func(name string, data []byte) { made.Files[name] = data }); err != nil {
		return "", err
	}
	if data, err := json.Marshal(made); err == nil {
		writeCache(file, data)
	}
	return verdict, nil
}

// readFiles calls fn with the regular files of a folder in a workshop, by their paths below it.
func readFiles(ctx context.Context, w Workshop, folder string, fn func(name string, data []byte)) error {
	archive, err := w.Read(ctx, folder)
	if err != nil {
		return err
	}
	defer archive.Close()
	for r := tar.NewReader(archive); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", folder, err)
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		data, err := io.ReadAll(r)
		if err != nil {
			return fmt.Errorf("read %s: %w", folder, err)
		}
		fn(strings.TrimPrefix(h.Name, path.Base(folder)+"/"), data)
	}
}

// recordingFile is the file of a [recording]; "" if there is no cache folder.
func (b *mixBuild) recordingFile() string {
	file, err := memoryFile(b.dir)
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(file, ".json") + "-" + b.memory() + ".boot"
}

// verdict reads the output of the two steps of record: each prints a line, and the second
// counts only if the first succeeded.
func (b *mixBuild) verdict(out string) string {
	verdict, proven := "", 0
	for line := range strings.Lines(out) {
		text, ours := strings.CutPrefix(strings.TrimSpace(line), answered)
		if !ours || verdict != "" {
			continue
		}
		if text == BootDirect {
			proven++
			continue
		}
		verdict = text
	}
	switch {
	case verdict == "" && proven == 2:
		return BootDirect
	case verdict == "":
		verdict = "the build's record of the project failed"
	}
	if b.o.Redact != nil {
		verdict = b.o.Redact(verdict)
	}
	const longest = 200
	if runes := []rune(verdict); len(runes) > longest {
		verdict = string(runes[:longest]) + "…"
	}
	return verdict
}
