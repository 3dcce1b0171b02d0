package e2e_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/docker"
)

// kill ends the engine and the containerd that it started with SIGKILL, as a crash does.
// The containers continue, each under its shim.
func (d *daemon) kill() {
	d.t.Helper()
	text, err := os.ReadFile(filepath.Join(d.dir, "exec/containerd/containerd.pid"))
	if err != nil {
		d.t.Fatal(err)
	}
	containerd, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || containerd <= 1 {
		d.t.Fatalf("containerd's pid %q: %v", text, err)
	}
	if err := d.cmd.Process.Kill(); err != nil {
		d.t.Fatal(err)
	}
	_ = d.cmd.Wait() // it was killed
	if err := syscall.Kill(containerd, syscall.SIGKILL); err != nil {
		d.t.Fatal(err)
	}
	eventually(d.t, "containerd has ended", func() bool { return syscall.Kill(containerd, 0) != nil })
}

// At its next start, and before it answers, an engine that crashed stops the containers
// that it finds running. Its events report each as `docker stop` (20.10: kill 15, die 0,
// stop; without live-restore). So the event stream breaks while the nodes run, and the
// reason of their stop is reported only when it is back. If the machine went down as
// well, nothing was stopped: the nodes are dead, no event reports it, and only the list
// of containers shows it.
func aKilledDaemon(t *testing.T) {
	for _, how := range []struct {
		name string
		dies bool // the nodes die while the engine is away
	}{{"its nodes go on", false}, {"its nodes die meanwhile", true}} {
		t.Run(how.name, func(t *testing.T) {
			d := newDaemon(t, `{}`)
			image := d.copyImage(engine(t))
			eng, err := docker.New(docker.Options{Host: d.host})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { eng.Close() })
			r := up(t, eng, "trixie", 2, func(s *orchestrator.Spec) {
				s.Source, s.Image, s.App, s.Precompiled = "", image, "demo", true
				s.Pool = netip.MustParsePrefix(ownPool)
				s.HostPort = 5700 // while the nodes are down, their ports seem free to a cluster on the other engine
			})
			before := map[string]orchestrator.NodeStatus{}
			for _, n := range []string{"n1", "n2"} {
				before[n] = r.until(n, "has a process", func(n orchestrator.NodeStatus) bool { return n.PID > 1 })
			}
			d.kill()
			if how.dies {
				for name, n := range before {
					if err := syscall.Kill(n.PID, syscall.SIGKILL); err != nil {
						t.Fatalf("%s: %v", name, err)
					}
				}
			}
			d.start()
			for name, b := range before {
				n := r.until(name, "runs again", func(n orchestrator.NodeStatus) bool {
					return n.Incarnation > 1 && n.State == orchestrator.Ready
				})
				if n.Incarnation != 2 || n.ContainerID != b.ContainerID || n.URL != b.URL || n.IP != b.IP {
					t.Errorf("%+v\nbefore %+v", n, b)
				}
				if how.dies != (n.RestartCount == 1) { // a stop by the engine costs no restart
					t.Errorf("%s counts %d restarts", name, n.RestartCount)
				}
			}
			r.ready()
			if told := r.history(); !strings.Contains(told, "event stream broke") || !strings.Contains(told, "event stream is back") {
				t.Error("the break of the event stream is not reported")
			}
		})
	}
}
