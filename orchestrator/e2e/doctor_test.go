package e2e_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/beamyard/beamyard/images"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/doctor"
	"github.com/beamyard/beamyard/orchestrator/enginetest"
	"github.com/beamyard/beamyard/orchestrator/keeper"
)

// beamyard builds the command, static or not, and removes the image that the
// doctor makes of it.
func beamyard(t *testing.T, cgo string) (program, ref string) {
	t.Helper()
	program = filepath.Join(t.TempDir(), "beamyard")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", program, "../../cmd/beamyard")
	cmd.Env = append(os.Environ(), "CGO_ENABLED="+cgo)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	data, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	return program, "beamyard/probe:" + fmt.Sprintf("%x", sha256.Sum256(data))[:12]
}

// The machine that runs these tests is fit, and there is nothing of which it
// could not be told; by a program that needs nothing, and by one that needs a
// C library. Of an engine elsewhere, its ports and its table of neighbours cannot
// be told, and it may see no files of this machine, and have no TLS.
func TestDoctor(t *testing.T) {
	t.Parallel()
	eng, elsewhere := engine(t), os.Getenv(enginetest.RemoteEngine) == "1"
	if _, err := images.Resolve(t.Context(), eng, images.Source{Kind: images.Debian, Suite: "trixie"}, images.Options{Progress: io.Discard}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { noHelpersOf(t, eng, keeper.Self(false)) }) // once both are done
	for name, cgo := range map[string]string{"static": "0", "dynamic": "1"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			program, ref := beamyard(t, cgo)
			t.Cleanup(func() { removeImage(t, ref) })
			var first images.Info
			for range 2 {
				report := doctor.Examine(t.Context(), doctor.Options{Engine: eng, Executable: program, Patience: time.Minute}) // the machine is busy with other tests
				told := map[string]doctor.Check{}
				for _, c := range report.Checks {
					told[c.Code] = c
					if c.State == doctor.Unknown && (!elsewhere || c.Code != "ports" && c.Code != "neighbours") {
						t.Errorf("%s: %s", c.Code, c.Text)
					}
				}
				if !report.Usable || report.Err() != nil {
					t.Fatalf("not usable: %+v", report)
				}
				needed := []string{"engine", "container", "addresses", "cgroup", "base", "net-admin", "clock", "control"}
				// What this kernel or network lacks keeps no cluster from running.
				useful := []string{"registry", "faults", "nofile", "inotify", "testcontainers-reaper", "testcontainers-host"}
				if elsewhere {
					useful = append(useful, "endpoint", "mounts")
				} else {
					needed = append(needed, "endpoint", "mounts")
					useful = append(useful, "neighbours")
				}
				for _, code := range needed {
					if c := told[code]; c.State != doctor.OK {
						t.Errorf("%s: %s: %s", code, c.State, c.Text)
					}
				}
				for _, code := range useful {
					if c := told[code]; c.State != doctor.OK && c.State != doctor.Warning {
						t.Errorf("%s: %s: %s", code, c.State, c.Text)
					}
				}
				offered := eng.Offered(t.Context(), images.Bases()[0])
				if want := told["registry"].State == doctor.OK; want != (offered == nil) {
					t.Errorf("the registry is %s, but the engine says %v", told["registry"].State, offered)
				}
				made, err := eng.Image(t.Context(), ref)
				if err != nil || (first.ID != "" && made.ID != first.ID) {
					t.Errorf("the helper's image: %v, first %s, then %s", err, first.ID, made.ID)
				}
				first = made
			}
		})
	}
}

// noHelpersOf fails where a process's helpers are left once it has examined.
func noHelpersOf(t *testing.T, eng orchestrator.Engine, owner orchestrator.Owner) {
	t.Helper()
	all, err := eng.Containers(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(owner)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		if c.Labels["beamyard.probe"] != "" && c.Labels[orchestrator.LabelOwner] == string(data) {
			t.Errorf("left behind: %s", c.Name)
		}
	}
}

// A helper that an examination left when it was killed is removed by the next.
func TestDoctorSweepsHelpers(t *testing.T) {
	t.Parallel()
	eng := engine(t)
	id, _ := processImage(t, eng)
	owner := keeper.Self(false)
	owner.PID, owner.Start = 1<<22+1, "1" // above the largest pid that Linux gives
	data, err := json.Marshal(owner)
	if err != nil {
		t.Fatal(err)
	}
	// It is not started: an examination of another test may come first.
	lost, err := eng.CreateContainer(t.Context(), orchestrator.ContainerSpec{
		Name: "beamyard-probe-" + id[7:19], Image: id, Entrypoint: []string{"/process"}, Command: []string{"wait"},
		Labels: map[string]string{"beamyard.probe": "x", orchestrator.LabelOwner: string(data)},
	})
	if err != nil {
		t.Fatal(err)
	}
	// Nothing can be made of a program that is none; what was left goes before that.
	text := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(text, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	doctor.Examine(t.Context(), doctor.Options{Engine: eng, Executable: text, Patience: time.Minute})
	if _, err := eng.InspectContainer(t.Context(), lost); !errors.Is(err, orchestrator.ErrNotFound) {
		t.Errorf("it is still there: %v", err)
	}
}
