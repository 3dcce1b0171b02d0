package e2e_test

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/docker/docker/client"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/build"
	"github.com/beamyard/beamyard/orchestrator/docker"
	"github.com/beamyard/beamyard/orchestrator/enginetest"
)

// daemon is a second engine for one test: with its own data, socket and bridge. It
// creates no firewall rules, because at its start it would remove those of the machine's
// engine. The rule that its nodes need is created here. Its data outlives it, so that the
// next daemon has the image too.
type daemon struct {
	t    *testing.T
	dir  string
	host string
	cmd  *exec.Cmd
	log  *os.File
}

// daemonHome is the folder of the data of all daemons, which run one after the other.
func daemonHome() string { return filepath.Join(buildDir, "engine") }

// What an engine does to a cluster. The engines run one after the other: they share one
// bridge.
func TestAnEngineOfItsOwn(t *testing.T) {
	t.Parallel()
	t.Cleanup(func() {
		if err := os.RemoveAll(daemonHome()); err != nil {
			t.Error(err)
		}
	})
	t.Run("without init", aDaemonWithoutInit)
	t.Run("restarted", aDaemonRestart)
	t.Run("killed", aKilledDaemon)
}

const (
	ownBridge = "beamyardtest0"
	ownPool   = "10.217.0.0/16"
	ownRule   = "FORWARD -s " + ownPool + " -d " + ownPool + " -j ACCEPT"
)

func newDaemon(t *testing.T, config string) *daemon {
	t.Helper()
	enginetest.NeedsLocalEngine(t, "a second one is started beside it")
	if os.Getuid() != 0 {
		t.Fatal("starting a second engine needs root")
	}
	dir, err := os.MkdirTemp("", "by") //nolint:usetesting // short: it holds sockets
	if err != nil {
		t.Fatal(err)
	}
	d := &daemon{t: t, dir: dir, host: "unix://" + filepath.Join(dir, "d.sock")}
	if d.log, err = os.Create(filepath.Join(dir, "log")); err != nil {
		t.Fatal(err)
	}
	sh := func(command string) {
		t.Helper()
		if out, err := exec.Command("sh", "-c", command).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", command, err, out)
		}
	}
	t.Cleanup(func() {
		d.end()
		if t.Failed() {
			said, _ := os.ReadFile(d.log.Name()) // as much as there is
			lines := strings.Split(string(said), "\n")
			t.Logf("the engine printed:\n%s", strings.Join(lines[max(0, len(lines)-30):], "\n"))
		}
		d.log.Close()
		// Mounts and processes that a killed daemon left behind.
		sh("for m in $(awk '{print $2}' /proc/mounts | grep -e ^" + dir + "/ -e ^" + daemonHome() + "/ | sort -r); do umount -l $m; done")
		sh("iptables -D " + ownRule)
		sh("for b in " + ownBridge + " $(ip -br addr show type bridge | awk '/ 10[.]217[.]/ {print $1}'); do ip link delete $b; done")
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	sh("! ip link show " + ownBridge + " >/dev/null 2>&1 || ip link delete " + ownBridge) // of a run that was killed
	sh("ip link add " + ownBridge + " type bridge && ip addr add 10.216.0.1/24 dev " + ownBridge + " && ip link set " + ownBridge + " up && iptables -I " + ownRule)
	if err := os.WriteFile(filepath.Join(dir, "daemon.json"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	d.start()
	return d
}

// start starts the daemon, or starts it again, and waits until it answers.
func (d *daemon) start() {
	d.t.Helper()
	info, err := bareClient(d.t).Info(d.t.Context())
	if err != nil {
		d.t.Fatal(err)
	}
	in := func(name string) string { return filepath.Join(d.dir, name) }
	d.cmd = exec.Command("dockerd", "--config-file", in("daemon.json"), "--data-root", filepath.Join(daemonHome(), "data"), "--exec-root", in("exec"),
		"-H", d.host, "--pidfile", in("pid"), "--bridge", ownBridge, "--storage-driver", info.Driver,
		"--iptables=false", "--ip6tables=false", "--ip-masq=false", "--ip-forward=false")
	d.cmd.Stdout, d.cmd.Stderr = d.log, d.log
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if err := d.cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	cli := d.client()
	eventually(d.t, "the second engine answers", func() bool {
		_, err := cli.Ping(d.t.Context())
		return err == nil
	})
}

// end stops the daemon with SIGTERM.
func (d *daemon) end() {
	if d.cmd == nil || d.cmd.Process == nil || d.cmd.ProcessState != nil {
		return
	}
	_ = d.cmd.Process.Signal(syscall.SIGTERM) // it has ended already, as intended
	_ = d.cmd.Wait()                          // its exit status does not matter
}

func (d *daemon) client() *client.Client {
	d.t.Helper()
	cli, err := client.NewClientWithOpts(client.WithHost(d.host), client.WithAPIVersionNegotiation())
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { cli.Close() })
	return cli
}

// copyImage copies the demo's image from the machine's engine.
func (d *daemon) copyImage(eng *docker.Engine) string {
	d.t.Helper()
	spec, err := build.Prepare(d.t.Context(), eng, orchestrator.Spec{Source: demo, BaseImage: "trixie", MixEnv: "dev"}, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	if _, err := d.client().ImageInspect(d.t.Context(), spec.Image); err == nil {
		return spec.Image
	}
	saved, err := bareClient(d.t).ImageSave(d.t.Context(), []string{spec.Image})
	if err != nil {
		d.t.Fatal(err)
	}
	defer saved.Close()
	loaded, err := d.client().ImageLoad(d.t.Context(), saved)
	if err != nil {
		d.t.Fatal(err)
	}
	defer loaded.Body.Close()
	if _, err := io.Copy(io.Discard, loaded.Body); err != nil { // it is complete once all messages are read
		d.t.Fatal(err)
	}
	return spec.Image
}

// An engine without docker-init still runs a cluster: its nodes connect, are synced by a
// compiler without an init, and doctor reports what is missing.
func aDaemonWithoutInit(t *testing.T) {
	machine := engine(t)
	d := newDaemon(t, `{"init-path": "/nonexistent/docker-init"}`)
	image := d.copyImage(machine)
	eng, err := docker.New(docker.Options{Host: d.host})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { eng.Close() })
	r := up(t, eng, "trixie", 2, func(s *orchestrator.Spec) {
		s.Source, s.Image, s.App, s.Precompiled = demo, image, "demo", true
		s.Pool, s.HostPort = netip.MustParsePrefix(ownPool), 5600 // the machine's engine does not know the addresses of this one
	})
	said := 0
	if err := r.Events(t.Context(), 0, false, func(e orchestrator.Event) error {
		if e.Kind == orchestrator.EventNote && strings.Contains(e.Text, "has no init program") {
			said++
		}
		return nil
	}); err != nil || said != 1 {
		t.Errorf("reported %d times: %v", said, err)
	}
	if _, err := r.Sync(t.Context(), orchestrator.SyncOptions{}); err != nil {
		t.Error(err)
	}
	if err := r.Kill(t.Context(), "KILL", "n1"); err != nil {
		t.Fatal(err)
	}
	r.until("n1", "runs again", func(n orchestrator.NodeStatus) bool {
		return n.Incarnation == 2 && n.State == orchestrator.Ready
	})
	if err := r.Down(context.Background()); err != nil {
		t.Error(err)
	}
	if err := r.end(); err != nil {
		t.Error(err)
	}
}

// An engine that is restarted stops its containers, and reports that as if a user had
// stopped each. They are started again. If it leaves them running (live-restore), no
// event reports a container that exits meanwhile: it is found in the list, and the other
// one is left alone.
func aDaemonRestart(t *testing.T) {
	for _, how := range []struct {
		name, config string
		dies         int
	}{{"stops its containers", `{}`, 0}, {"leaves them running", `{"live-restore": true}`, 1}} {
		t.Run(how.name, func(t *testing.T) {
			machine := engine(t)
			d := newDaemon(t, how.config)
			image := d.copyImage(machine)
			eng, err := docker.New(docker.Options{Host: d.host})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { eng.Close() })
			r := up(t, eng, "trixie", 2, func(s *orchestrator.Spec) {
				s.Source, s.Image, s.App, s.Precompiled = "", image, "demo", true
				s.Pool, s.HostPort = netip.MustParsePrefix(ownPool), 5600 // the machine's engine does not know the addresses of this one
			})
			before := map[string]orchestrator.NodeStatus{}
			for _, n := range []string{"n1", "n2"} {
				before[n] = r.until(n, "has a process", func(n orchestrator.NodeStatus) bool { return n.PID > 1 })
			}
			d.end()
			if how.dies > 0 {
				if err := syscall.Kill(before["n1"].PID, syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
			}
			d.start()
			again := []string{"n1", "n2"}
			if how.dies > 0 {
				again = again[:how.dies]
			}
			for _, name := range again {
				r.until(name, "runs again", func(n orchestrator.NodeStatus) bool { return n.Incarnation == 2 && n.State == orchestrator.Ready })
			}
			r.ready()
			for name, b := range before {
				n := r.node(name)
				want := 1
				if slices.Contains(again, name) {
					want = 2
				}
				if n.Incarnation != want || n.ContainerID != b.ContainerID || n.URL != b.URL || n.IP != b.IP {
					t.Errorf("%+v\nbefore %+v", n, b)
				}
				if killed := how.dies > 0 && want == 2; killed != (n.RestartCount == 1) {
					t.Errorf("%s counts %d restarts", name, n.RestartCount)
				}
			}
			var notes []string
			if err := r.Events(t.Context(), 0, false, func(e orchestrator.Event) error {
				if e.Kind == orchestrator.EventNote {
					notes = append(notes, e.Text)
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			if told := fmt.Sprint(notes); !strings.Contains(told, "event stream broke") || !strings.Contains(told, "event stream is back") {
				t.Errorf("not reported: %q", notes)
			}
			if err := r.Down(context.Background()); err != nil {
				t.Error(err)
			}
			if err := r.end(); err != nil {
				t.Error(err)
			}
		})
	}
}
