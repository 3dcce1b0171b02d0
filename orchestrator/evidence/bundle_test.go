package evidence

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/keeper"
)

// small returns a bundle of a text and a dump.
func small(t *testing.T) *Bundle {
	t.Helper()
	b := newBundle("demo", time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC))
	b.add("README.txt", []byte("read me\n"))
	dumped := time.Date(2026, 1, 31, 11, 0, 0, 0, time.UTC)
	if err := b.spool("nodes/n1/erl_crash.dump", dumped, func(w io.Writer) error { _, err := io.WriteString(w, "dump"); return err }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// A process that is killed while it collects leaves nothing: its spooled files have no
// names.
func TestSpooledFilesHaveNoNames(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	b := small(t)
	if diff := cmp.Diff([]string{tree(t, temp)[0]}, tree(t, temp)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	dir := filepath.Join(t.TempDir(), "bundle")
	for _, dir := range []string{dir, dir + "-again"} {
		if err := b.WriteDir(dir); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(wholeTree, tree(t, dir)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

// tree lists a folder: "-rw------- README.txt 12:00: read me".
func tree(t *testing.T, dir string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, path)
		if d.IsDir() {
			all = append(all, fmt.Sprintf("%s %s", info.Mode(), rel))
			return nil
		}
		data, err := os.ReadFile(path)
		all = append(all, fmt.Sprintf("%s %s %s: %s", info.Mode(), rel, info.ModTime().UTC().Format("15:04"), strings.TrimSpace(string(data))))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

var wholeTree = []string{
	"drwx------ .",
	"-rw------- README.txt 12:00: read me",
	"drwx------ nodes",
	"drwx------ nodes/n1",
	"-rw------- nodes/n1/erl_crash.dump 11:00: dump",
}

func TestWriteDir(t *testing.T) {
	b := small(t)
	home := t.TempDir()
	empty := filepath.Join(home, "empty")
	if err := os.Mkdir(empty, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{filepath.Join(home, "new"), filepath.Join(home, "deep", "er"), empty} {
		if err := b.WriteDir(dir); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(wholeTree, tree(t, dir)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", dir, diff)
		}
	}
	t.Chdir(t.TempDir())
	if err := b.WriteDir("."); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat("README.txt"); err != nil {
		t.Error(err)
	}
}

// An existing folder is not changed, and nothing is left beside it.
func TestAFolderThatIsNotEmptyIsLeftAlone(t *testing.T) {
	b := small(t)
	home := t.TempDir()
	file := filepath.Join(home, "file")
	if err := os.WriteFile(file, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	before := tree(t, home)
	for _, dir := range []string{home, file, filepath.Join(file, "below")} {
		err := b.WriteDir(dir)
		if !strings.Contains(orchestrator.HintOf(err).String(), "beamyard export ") {
			t.Errorf("%s: %v", dir, err)
		}
	}
	if err := b.WriteTarGz(file); err == nil || !strings.Contains(err.Error(), "exists") {
		t.Errorf("%v", err)
	}
	if err := b.WriteTarGz(filepath.Join(file, "below.tar.gz")); err == nil {
		t.Error("an archive below a file")
	}
	if diff := cmp.Diff(before, tree(t, home)); diff != "" {
		t.Errorf("the folder changed (-want +got):\n%s", diff)
	}
}

// gone returns the ID of a process that has ended.
func gone(t *testing.T) int {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	return cmd.Process.Pid
}

// Files that a process left when it was killed while it wrote are removed by the next one
// that writes there. Files of a living process, and all others, are kept.
func TestUnfinishedFilesAreSwept(t *testing.T) {
	b := small(t)
	self := keeper.Self(false)
	name := func(machine string, pid int, start string) string {
		return fmt.Sprintf(".beamyard-evidence-%s-%d-%s-123", machine, pid, start)
	}
	here := machine(self)
	dead := []string{name(here, gone(t), "5"), name(here, self.PID, self.Start+"0")} // its process ID has been given to another process
	others := []string{
		name(here, self.PID, self.Start), name(machine(orchestrator.Owner{Host: "elsewhere"}), gone(t), "5"),
		".beamyard-evidence-123", ".beamyard-evidence-a-b-c-d", "mine",
	}
	fill := func(names ...string) (dir string) {
		dir = filepath.Join(t.TempDir(), "here")
		for _, name := range names {
			if err := os.MkdirAll(filepath.Join(dir, name, "nodes"), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	dir := fill(dead...)
	if err := b.WriteDir(dir); err != nil {
		t.Errorf("into a folder with nothing else: %v", err)
	} else if diff := cmp.Diff(wholeTree, tree(t, dir)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, name := range others {
		if err := b.WriteDir(fill(name)); err == nil {
			t.Errorf("%s: no result", name)
		}
	}
	for what, write := range map[string]func(dir string) error{
		"bundle": func(dir string) error { return b.WriteDir(filepath.Join(dir, "bundle")) },
		"a.tgz":  func(dir string) error { return b.WriteTarGz(filepath.Join(dir, "a.tgz")) },
	} {
		dir := fill(append(others, dead...)...)
		if err := write(dir); err != nil {
			t.Fatal(err)
		}
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]bool{}
		for _, e := range entries {
			got[e.Name()] = true
		}
		want := map[string]bool{what: true}
		for _, name := range others {
			want[name] = true
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
}

// A process that was killed while it wrote a bundle also leaves an incomplete folder.
func TestAnIncompleteBundleIsSwept(t *testing.T) {
	b, home := small(t), t.TempDir()
	half := filepath.Join(home, b.Name())
	name := fmt.Sprintf(".beamyard-evidence-%s-%d-5-123", machine(keeper.Self(false)), gone(t))
	for _, dir := range []string{filepath.Join(half, name), filepath.Join(home, "beamyard-other")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	path, err := b.Leave(home)
	if err != nil || path != half {
		t.Errorf("%s, %v", path, err)
	}
	if _, err := os.Stat(filepath.Join(home, "beamyard-other")); err != nil {
		t.Error(err)
	}
}

// The name of an unfinished file names its process.
func TestUnfinishedFilesOfALivingProcess(t *testing.T) {
	name := unfinishedName() + "123" // with the suffix of os.MkdirTemp
	if abandoned(name) {
		t.Errorf("%s counts as abandoned while its process runs", name)
	}
	self := keeper.Self(false)
	if other := strings.Replace(name, fmt.Sprintf("-%d-%s-", self.PID, self.Start), fmt.Sprintf("-%d-5-", gone(t)), 1); !abandoned(other) {
		t.Errorf("%s does not count as abandoned", other)
	}
}

// A bundle that cannot be written completely is not written at all.
func TestAnIncompleteBundleIsNotWritten(t *testing.T) {
	b := small(t)
	broken := b.parts["nodes/n1/erl_crash.dump"].spooled
	if err := broken.Close(); err != nil {
		t.Fatal(err)
	}
	defer delete(b.parts, "nodes/n1/erl_crash.dump")
	home := t.TempDir()
	if err := b.WriteDir(filepath.Join(home, "dir")); !errors.Is(err, os.ErrClosed) {
		t.Errorf("WriteDir: %v", err)
	}
	if err := b.WriteTarGz(filepath.Join(home, "file.tar.gz")); !errors.Is(err, os.ErrClosed) {
		t.Errorf("WriteTarGz: %v", err)
	}
	if _, err := b.Leave(home); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Leave: %v", err)
	}
	if diff := cmp.Diff([]string{tree(t, home)[0]}, tree(t, home)); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
}

func TestWriteTarGz(t *testing.T) {
	b := small(t)
	file := filepath.Join(t.TempDir(), "deep", "demo.tar.gz")
	if err := b.WriteTarGz(file); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	packed, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for archive := tar.NewReader(packed); ; {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, fmt.Sprintf("%s %s %s: %s", h.FileInfo().Mode(), h.Name, h.ModTime.UTC().Format("15:04"), strings.TrimSpace(string(data))))
	}
	want := []string{"-rw------- demo/README.txt 12:00: read me", "-rw------- demo/nodes/n1/erl_crash.dump 11:00: dump"}
	if diff := cmp.Diff(want, all); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if others, err := os.ReadDir(filepath.Dir(file)); err != nil || len(others) != 1 {
		t.Errorf("other files: %v, %v", others, err)
	}
}

// Two bundles of the same second get different folders.
func TestLeave(t *testing.T) {
	b := small(t)
	home := filepath.Join(t.TempDir(), "not", "there", "yet")
	for _, name := range []string{"beamyard-demo-20260131-120000", "beamyard-demo-20260131-120000-2"} {
		path, err := b.Leave(home)
		if err != nil || path != filepath.Join(home, name) {
			t.Fatalf("%s, %v", path, err)
		}
		if diff := cmp.Diff(wholeTree, tree(t, path)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}
