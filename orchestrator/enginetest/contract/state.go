package contract

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/enginetest"
)

func (s *suite) testList() {
	id := s.create(nil, "wait")
	list, err := s.eng.Containers(s.ctx(), s.labels)
	s.must(err)
	if len(list) != 1 || list[0].ID != id || list[0].Name != s.name() || list[0].State.Status != "created" || list[0].State.Running {
		s.t.Errorf("created: %+v", list)
	}
	s.must(s.eng.StartContainer(s.ctx(), id))
	list, err = s.eng.Containers(s.ctx(), s.labels)
	s.must(err)
	if len(list) != 1 || !list[0].State.Running || list[0].Labels["beamyard.contract"] != s.labels["beamyard.contract"] {
		s.t.Errorf("running: %+v", list)
	}
	all, err := s.eng.Containers(s.ctx(), nil)
	s.must(err)
	if !slices.ContainsFunc(all, func(c orchestrator.Container) bool { return c.ID == id }) {
		s.t.Error("not in the list of all")
	}
}

func (s *suite) testInside() {
	id := s.create(func(c *orchestrator.ContainerSpec) { c.Hostname = "n1.contract.test" }, "hostname")
	s.must(s.eng.StartContainer(s.ctx(), id))
	s.exited(id)
	if lines := s.output(id); !slices.Equal(lines, []string{"stdout n1.contract.test <nil>\n"}) {
		s.t.Errorf("hostname %q", lines)
	}
	id = s.create(func(c *orchestrator.ContainerSpec) { c.Name, c.Env = s.name()+"-env", []string{"GREETING=grüß dich"} }, "env", "GREETING")
	s.must(s.eng.StartContainer(s.ctx(), id))
	s.exited(id)
	if lines := s.output(id); !slices.Equal(lines, []string{"stdout grüß dich\n"}) {
		s.t.Errorf("environment %q", lines)
	}
}

// A container that shares another one's network namespace has its host name, too.
func (s *suite) testSharedNetwork() {
	of := s.create(func(c *orchestrator.ContainerSpec) { c.Name, c.Hostname = s.name()+"-of", "n1.contract.test" }, "wait")
	id := s.create(func(c *orchestrator.ContainerSpec) { c.NetworkOf = of }, "hostname")
	s.is("its network before that container runs", s.eng.StartContainer(s.ctx(), id), orchestrator.ErrConflict)
	s.must(s.eng.StartContainer(s.ctx(), of))
	s.must(s.eng.StartContainer(s.ctx(), id))
	s.exited(id)
	if lines := s.output(id); !slices.Equal(lines, []string{"stdout n1.contract.test <nil>\n"}) {
		s.t.Errorf("hostname %q", lines)
	}
}

func (s *suite) testSharedProcesses() {
	of := s.create(func(c *orchestrator.ContainerSpec) { c.Name = s.name() + "-of" }, "wait")
	id := s.create(func(c *orchestrator.ContainerSpec) { c.PIDOf = of }, "wait")
	s.is("its processes before that container runs", s.eng.StartContainer(s.ctx(), id), orchestrator.ErrNotRunning)
	s.must(s.eng.StartContainer(s.ctx(), of))
	s.must(s.eng.StartContainer(s.ctx(), id))
	s.must(s.eng.KillContainer(s.ctx(), of, "KILL"))
	s.exited(id)
}

func (s *suite) testHostProcesses() {
	of := s.create(func(c *orchestrator.ContainerSpec) { c.Name = s.name() + "-of" }, "wait")
	s.must(s.eng.StartContainer(s.ctx(), of))
	c, err := s.eng.InspectContainer(s.ctx(), of)
	s.must(err)
	for _, host := range []bool{false, true} {
		id := s.create(func(c *orchestrator.ContainerSpec) { c.Name, c.HostPID = s.name()+"-"+strconv.FormatBool(host), host }, "sees", strconv.Itoa(c.State.PID))
		s.must(s.eng.StartContainer(s.ctx(), id))
		s.exited(id)
		if lines := s.output(id); !slices.Equal(lines, []string{"stdout " + strconv.FormatBool(host) + "\n"}) {
			s.t.Errorf("host processes %t: it sees the other one: %q", host, lines)
		}
	}
}

func (s *suite) testLimits() {
	id := s.create(func(c *orchestrator.ContainerSpec) { c.Memory = 64 << 20 }, "wait")
	s.must(s.eng.StartContainer(s.ctx(), id))
	has := func(want orchestrator.Limits) {
		s.t.Helper()
		c, err := s.eng.InspectContainer(s.ctx(), id)
		s.must(err)
		if want.Memory != 0 && c.Limits.Memory != want.Memory || want.CPUs != 0 && c.Limits.CPUs != want.CPUs { // 0 may be the whole machine
			s.t.Errorf("limits %+v, want %+v", c.Limits, want)
		}
	}
	has(orchestrator.Limits{Memory: 64 << 20})
	for _, want := range []orchestrator.Limits{{Memory: 32 << 20, CPUs: 0.5}, {Memory: 128 << 20}, {}} {
		s.must(s.eng.LimitContainer(s.ctx(), id, want))
		has(want)
	}
	s.is("limits of what is missing", s.eng.LimitContainer(s.ctx(), "missing", orchestrator.Limits{}), orchestrator.ErrNotFound)
}

func (s *suite) testMount() {
	enginetest.NeedsLocalEngine(s.t, "a file of this machine is mounted")
	note := filepath.Join(s.t.TempDir(), "note")
	s.must(os.WriteFile(note, []byte("from outside"), 0o600))
	id := s.create(func(c *orchestrator.ContainerSpec) {
		c.Mounts = []orchestrator.Mount{{Source: note, Target: "/note"}}
	}, "read", "/note")
	s.must(s.eng.StartContainer(s.ctx(), id))
	s.exited(id)
	if lines := s.output(id); !slices.Equal(lines, []string{"stdout from outside <nil>\n"}) {
		s.t.Errorf("mounted %q", lines)
	}
	_, err := s.eng.CreateContainer(s.ctx(), orchestrator.ContainerSpec{
		Name: s.name() + "-missing", Image: s.image, Labels: s.labels,
		Mounts: []orchestrator.Mount{{Source: note + "-missing", Target: "/note"}},
	})
	if err == nil {
		s.t.Error("a missing folder was mounted")
	}
}

func (s *suite) testCapability() {
	for name, capabilities := range map[string][]string{"-without": nil, "-with": {"NET_ADMIN"}} {
		id := s.create(func(c *orchestrator.ContainerSpec) { c.Name, c.Capabilities = s.name()+name, capabilities }, "net-admin")
		s.must(s.eng.StartContainer(s.ctx(), id))
		s.exited(id)
		if lines, want := s.output(id), fmt.Sprintf("stdout %t <nil>\n", capabilities != nil); !slices.Equal(lines, []string{want}) {
			s.t.Errorf("with %v: %q", capabilities, lines)
		}
	}
}

func (s *suite) testInfo() {
	info, err := s.eng.Info(s.ctx())
	s.must(err)
	if info.CPUs < 1 || info.Version == "" || info.APIVersion == "" || info.Host == "" || info.Endpoint == "" || info.Time.IsZero() {
		s.t.Errorf("info %+v", info)
	}
	if info.From == "" || info.OS == "" || info.Arch == "" || info.Kernel == "" || info.System == "" || info.Memory == 0 || info.StorageDriver == "" ||
		info.CgroupVersion == "" || info.CgroupDriver == "" || len(info.Security) == 0 {
		s.t.Errorf("what it runs on: %+v", info)
	}
}

func (s *suite) testFile() {
	const path, text = "/note", "what it wrote"
	id := s.run("write", path, text)
	s.waiting(id)
	read := func() (string, time.Time) {
		content, modified, err := s.eng.OpenFile(s.ctx(), id, path)
		s.must(err)
		defer content.Close()
		data, err := io.ReadAll(content)
		s.must(err)
		return string(data), modified
	}
	data, modified := read()
	if data != text || modified.IsZero() {
		s.t.Errorf("read %q of %v", data, modified)
	}
	s.must(s.eng.StopContainer(s.ctx(), id, 10*time.Second))
	// Some file systems, for example fuse-overlayfs, record the time when they write back.
	if data, again := read(); data != text || again.Sub(modified).Abs() > time.Second {
		s.t.Errorf("read %q of %v once it had stopped; before it was of %v", data, again, modified)
	}
	_, _, err := s.eng.OpenFile(s.ctx(), id, "/nothing")
	s.is("no file", err, orchestrator.ErrNotFound)
	_, _, err = s.eng.OpenFile(s.ctx(), "gone", path)
	s.is("no container", err, orchestrator.ErrNotFound)
}

func (s *suite) testWriteFiles() {
	archive := func(text string) io.Reader {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		at := time.Now().Add(-time.Hour).Truncate(time.Second)
		s.must(w.WriteHeader(&tar.Header{Name: "kept/", Typeflag: tar.TypeDir, Mode: 0o755, ModTime: at}))
		s.must(w.WriteHeader(&tar.Header{Name: "kept/note", Typeflag: tar.TypeReg, Mode: 0o600, Uid: 12, Gid: 13, ModTime: at, Size: int64(len(text))}))
		_, err := io.WriteString(w, text)
		s.must(err)
		s.must(w.Close())
		return &b
	}
	read := func(id, want string) {
		s.t.Helper()
		content, modified, err := s.eng.OpenFile(s.ctx(), id, "/kept/note")
		s.must(err)
		defer content.Close()
		if data, err := io.ReadAll(content); err != nil || string(data) != want || time.Since(modified) < 50*time.Minute {
			s.t.Errorf("read %q of %v, %v, want %q", data, modified, err, want)
		}
	}
	// The user of the container does not affect the owners in the archive.
	id := s.create(func(c *orchestrator.ContainerSpec) { c.User = "12:13" }, "wait")
	s.must(s.eng.WriteFiles(s.ctx(), id, archive("before it runs")))
	read(id, "before it runs")
	s.must(s.eng.StartContainer(s.ctx(), id))
	s.waiting(id)
	read(id, "before it runs")
	s.must(s.eng.WriteFiles(s.ctx(), id, archive("while it runs")))
	read(id, "while it runs")
	s.must(s.eng.KillContainer(s.ctx(), id, "KILL"))
	s.exited(id)
	read(id, "while it runs")
	_, _, err := s.eng.OpenFile(s.ctx(), id, "/kept")
	s.is("a folder", err, orchestrator.ErrNoRegularFile)
	s.is("no container", s.eng.WriteFiles(s.ctx(), "gone", archive("")), orchestrator.ErrNotFound)
}

// archived checks what an engine that archives folders says of one, without the folders in it.
func (s *suite) archived(id, folder string, want map[string]string) {
	s.t.Helper()
	eng, able := s.eng.(interface {
		Archive(ctx context.Context, id, path string) (io.ReadCloser, error)
	})
	if !able { // one that stands for several hosts
		return
	}
	in, err := eng.Archive(s.ctx(), id, folder)
	s.must(err)
	defer in.Close()
	got := map[string]string{}
	for entries := tar.NewReader(in); ; {
		h, err := entries.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		s.must(err)
		content, err := io.ReadAll(entries)
		s.must(err)
		got[h.Name] = string(content)
	}
	if !maps.Equal(got, want) {
		s.t.Errorf("archive of %s: %v; want %v", folder, got, want)
	}
	_, err = eng.Archive(s.ctx(), id, folder+"/missing")
	s.is("archive what is missing", err, orchestrator.ErrNotFound)
	_, err = eng.Archive(s.ctx(), "gone", folder)
	s.is("archive of no container", err, orchestrator.ErrNotFound)
}

func (s *suite) testVolume() {
	volume := orchestrator.Volume{Name: s.name() + "-data", Labels: s.labels}
	s.must(s.eng.CreateVolume(s.ctx(), volume))
	with := func(c *orchestrator.ContainerSpec) {
		c.Volumes = []orchestrator.VolumeMount{{Volume: volume.Name, Target: "/data"}}
	}
	id := s.create(with, "write", "/data/note", "kept")
	s.is("remove a volume of a container", s.eng.RemoveVolume(s.ctx(), volume.Name), orchestrator.ErrConflict)
	s.must(s.eng.StartContainer(s.ctx(), id))
	s.waiting(id)
	s.must(s.eng.RemoveContainer(s.ctx(), id))

	s.must(s.eng.CreateVolume(s.ctx(), orchestrator.Volume{Name: volume.Name})) // it exists, and does not change
	list, err := s.eng.Volumes(s.ctx(), s.labels)
	s.must(err)
	if len(list) != 1 || list[0].Name != volume.Name || !maps.Equal(list[0].Labels, s.labels) {
		s.t.Errorf("volumes %+v", list)
	}
	id = s.create(with, "wait")
	read := func(path, want string) {
		s.t.Helper()
		content, _, err := s.eng.OpenFile(s.ctx(), id, path)
		s.must(err)
		defer content.Close()
		if data, err := io.ReadAll(content); err != nil || string(data) != want {
			s.t.Errorf("read %q of %s, %v", data, path, err)
		}
	}
	read("/data/note", "kept") // before the container ran
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	s.must(w.WriteHeader(&tar.Header{Name: "data/given", Typeflag: tar.TypeReg, Mode: 0o600, Size: 2}))
	_, err = io.WriteString(w, "it")
	s.must(err)
	s.must(w.Close())
	s.must(s.eng.WriteFiles(s.ctx(), id, &archive))
	s.must(s.eng.StartContainer(s.ctx(), id))
	s.waiting(id)
	s.must(s.eng.RemoveContainer(s.ctx(), id))
	id = s.create(with, "wait")
	read("/data/given", "it") // a file that is written to a container is stored in its volume
	s.archived(id, "/data", map[string]string{"data/": "", "data/given": "it", "data/note": "kept"})

	s.must(s.eng.RemoveContainer(s.ctx(), id))
	s.must(s.eng.RemoveVolume(s.ctx(), volume.Name))
	s.must(s.eng.RemoveVolume(s.ctx(), volume.Name)) // it is gone: not an error
	if list, err = s.eng.Volumes(s.ctx(), s.labels); err != nil || len(list) != 0 {
		s.t.Errorf("after the removal: %+v, %v", list, err)
	}
}
