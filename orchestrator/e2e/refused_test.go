package e2e_test

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/docker/docker/api/types/container"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/cluster"
	"github.com/beamyard/beamyard/orchestrator/docker"
	"github.com/beamyard/beamyard/orchestrator/enginetest"
	"github.com/beamyard/beamyard/orchestrator/enginetest/contract"
)

// Refusals of engines, in their own words: each error has its finding.

// meaning is the finding that leads of an error.
func meaning(t *testing.T, err error) orchestrator.Finding {
	t.Helper()
	found := findingsOf(cluster.Diagnose(err, orchestrator.Spec{Name: "demo", Image: "x"}))
	if len(found) == 0 {
		t.Fatalf("no finding for: %v", err)
	}
	for _, f := range found {
		mustBeTypable(t, f)
	}
	return found[0]
}

func refusedAs(t *testing.T, err error, code orchestrator.FindingCode, words ...string) {
	t.Helper()
	f := meaning(t, err)
	if f.Code != code {
		t.Errorf("%s, want %s, of: %v", f.Code, code, err)
	}
	for _, w := range words {
		if text := f.Evidence + "\n" + f.Hint().String(); !strings.Contains(text, w) {
			t.Errorf("%s does not say %q:\n%s", code, w, text)
		}
	}
}

func TestEnginesThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	old := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Api-Version", "1.40")
		_, _ = w.Write([]byte(`{"ServerVersion":"19.03.15"}`))
	}))
	defer old.Close()
	for host, code := range map[string]orchestrator.FindingCode{
		"unix:///nonexistent/docker.sock":                          "engine-unreachable",
		"tcp://127.0.0.1:1":                                        "engine-unreachable",
		strings.Replace(old.URL, "http://", "tcp://", 1):           "engine-too-old",
		"unix://" + filepath.Join(t.TempDir(), "not-there.socket"): "engine-unreachable",
	} {
		eng, err := docker.New(docker.Options{Host: host})
		if err != nil {
			t.Fatal(err)
		}
		defer eng.Close()
		_, err = eng.Info(t.Context())
		refusedAs(t, err, code)
	}
}

// No socket refuses root, so another user connects.
func TestASocketOfAnotherUser(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "beamyard-socket-") //nolint:usetesting // another user has to reach it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := filepath.Join(dir, "docker.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	bin := filepath.Join(dir, "beamyard")
	// cp, because a program cannot be run while it is open for writing, and a child that another
	// test starts would have it open for a moment, if this process wrote it (golang/go#22315).
	if err := errors.Join(exec.Command("cp", program(t), bin).Run(), os.Chmod(dir, 0o755), os.Chmod(socket, 0o600)); err != nil { // another user runs it
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), bin, "ps", "--json")
	cmd.Env, cmd.Dir = []string{"DOCKER_HOST=unix://" + socket, "HOME=" + dir}, "/"
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 5 || !strings.Contains(string(out), `"engine-permission"`) {
		t.Errorf("%v: %s", err, out)
	}
}

func TestRefusedByTheEngine(t *testing.T) {
	t.Parallel()
	eng := engine(t)
	_, ref := processImage(t, eng)
	name := fmt.Sprintf("beamyard-test-%08x", rand.Uint32())
	create := func(edit func(*orchestrator.ContainerSpec)) error {
		c := orchestrator.ContainerSpec{Name: name, Image: ref, Command: []string{"/process", "wait"}}
		edit(&c)
		id, err := eng.CreateContainer(t.Context(), c)
		if err != nil {
			return err
		}
		t.Cleanup(func() { _ = eng.RemoveContainer(t.Context(), id) })
		defer func() { _ = eng.RemoveContainer(t.Context(), id) }()
		return eng.StartContainer(t.Context(), id)
	}
	t.Run("open files", func(t *testing.T) {
		refusedAs(t, create(func(c *orchestrator.ContainerSpec) { c.NoFile = 1 << 30 }), "nofile-refused")
	})
	t.Run("image", func(t *testing.T) {
		refusedAs(t, create(func(c *orchestrator.ContainerSpec) { c.Image = "no-such/image:1" }), "image-missing", "docker images")
	})
	t.Run("subnet", func(t *testing.T) {
		subnet := netip.MustParsePrefix("10.219.9.0/26")
		spec := orchestrator.NetworkSpec{Name: name, Subnet: subnet, Gateway: subnet.Addr().Next()}
		id, err := eng.CreateNetwork(t.Context(), spec)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = eng.RemoveNetwork(t.Context(), id) }()
		spec.Name += "-2"
		_, err = eng.CreateNetwork(t.Context(), spec)
		refusedAs(t, err, "subnet-overlap", "docker network ls")
	})
	t.Run("port", func(t *testing.T) {
		enginetest.NeedsLocalEngine(t, "a process of this machine has the port")
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		port := uint16(l.Addr().(*net.TCPAddr).Port)
		refusedAs(t, create(func(c *orchestrator.ContainerSpec) {
			c.Ports = []orchestrator.PortBinding{{Container: 4000, HostIP: "127.0.0.1", Host: port}}
		}), "port-taken", strconv.Itoa(int(port)), "ss -ltnp")
	})
}

// A container that already has the name of a node's container is not removed: it may be
// in use.
func TestAContainerOfTheSameName(t *testing.T) {
	t.Parallel()
	eng, cli := engine(t), bareClient(t)
	_, ref := processImage(t, eng)
	cluster := fmt.Sprintf("t%08x", rand.Uint32())
	squatter, err := cli.ContainerCreate(t.Context(), &container.Config{Image: ref, Cmd: []string{"/process", "wait"}}, nil, nil, nil, "beamyard-"+cluster+"-n1")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = eng.RemoveContainer(t.Context(), squatter.ID) }()
	err = fails(t, 1, func(s *orchestrator.Spec) { s.Name = cluster })
	found := findingsOf(err)
	if len(found) == 0 || found[0].Code != "name-taken" || !strings.Contains(found[0].Hint().String(), "docker rm -f beamyard-"+cluster+"-n1") {
		t.Errorf("%v\n%s", err, tell(found))
	}
	if _, err := eng.InspectContainer(t.Context(), squatter.ID); err != nil {
		t.Errorf("the other container: %v", err)
	}
}

// A registry may deliver an image for another processor. Because of the init, the
// kernel's refusal looks like a missing file, so the architecture of the image decides.
func TestAnImageForAnotherProcessor(t *testing.T) {
	t.Parallel()
	program, err := os.ReadFile(contract.Binary(t, "riscv64"))
	if err != nil {
		t.Fatal(err)
	}
	layer := tarOf(t, map[string][]byte{"process": program})
	ref := fmt.Sprintf("beamyard-test/riscv:%08x", rand.Uint32())
	config := fmt.Sprintf(`{"architecture":"riscv64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":["sha256:%x"]}}`, sha256.Sum256(layer))
	manifest := fmt.Sprintf(`[{"Config":"config.json","RepoTags":[%q],"Layers":["layer.tar"]}]`, ref)
	archive := tarOf(t, map[string][]byte{"config.json": []byte(config), "manifest.json": []byte(manifest), "layer.tar": layer})
	loaded, err := bareClient(t).ImageLoad(t.Context(), bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, loaded.Body)
	loaded.Body.Close()
	t.Cleanup(func() { removeImage(t, ref) })
	err = fails(t, 1, func(s *orchestrator.Spec) {
		s.Source, s.BaseImage, s.HTTPCheck, s.Command, s.Restart.Mode = ref, "", "", []string{"/process", "wait"}, orchestrator.RestartNo
	})
	if found := findingsOf(err); len(found) == 0 || found[0].Code != "platform-mismatch" || !strings.Contains(found[0].Evidence, "riscv64") {
		t.Errorf("%v\n%s", err, tell(found))
	}
}

// tarOf returns an archive of programs.
func tarOf(t *testing.T, files map[string][]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for name, text := range files {
		err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(text))})
		if _, writeErr := w.Write(text); err != nil || writeErr != nil {
			t.Fatal(err, writeErr)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Remarks about a healthy cluster: problems that do not matter yet are in its health
// report.
func remarksOfNodesThatAreWell(t *testing.T, r *running) {
	report, err := r.Health(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	codes := map[orchestrator.FindingCode]bool{}
	for _, f := range report.Findings {
		codes[f.Code] = true
		mustBeTypable(t, f)
	}
	if !codes["heart"] || !codes["utf8-missing"] || len(codes) != 2 {
		t.Errorf("found:\n%s", tell(report.Findings))
	}
}
