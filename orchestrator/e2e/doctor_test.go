package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
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

// beamyard builds the command, static or not, and removes the image that the doctor
// creates with it.
func beamyard(t *testing.T, static bool) (program, ref string) {
	t.Helper()
	program = filepath.Join(t.TempDir(), "beamyard")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", program, "../../cmd/beamyard")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1")
	if static {
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=") // a race detector is not static
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	ref, err := enginetest.HelperImage(program)
	if err != nil {
		t.Fatal(err)
	}
	return program, ref
}

// The machine that runs these tests passes, and every check has a result, with a static
// program and with one that needs a C library. With an engine on another machine, its
// ports and its neighbour table cannot be checked, and it may not see files of this
// machine or use TLS.
func TestDoctor(t *testing.T) {
	t.Parallel()
	eng, elsewhere := engine(t), os.Getenv(enginetest.RemoteEngine) == "1"
	if _, err := images.Resolve(t.Context(), eng, images.Source{Kind: images.Debian, Suite: "trixie"}, images.Options{Progress: io.Discard}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { noHelpersOf(t, eng, keeper.Self(false)) }) // once both have ended
	for name, static := range map[string]bool{"static": true, "dynamic": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			program, ref := beamyard(t, static)
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
					t.Fatalf("the machine is not usable: %+v", report)
				}
				needed := []string{"engine", "container", "addresses", "cgroup", "base", "net-admin", "clock", "control"}
				// A missing feature of this kernel or network keeps no cluster from
				// running.
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

// noHelpersOf fails if helpers of a process are left after its examination.
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

// A helper left by an examination that was killed is removed by the next examination.
func TestDoctorSweepsHelpers(t *testing.T) {
	t.Parallel()
	eng := engine(t)
	id, _ := processImage(t, eng)
	owner := keeper.Self(false)
	owner.PID, owner.Start = 1<<22+1, "1" // greater than any pid of Linux
	data, err := json.Marshal(owner)
	if err != nil {
		t.Fatal(err)
	}
	// The helper is not started: an examination of another test may remove it first.
	lost, err := eng.CreateContainer(t.Context(), orchestrator.ContainerSpec{
		Name: "beamyard-probe-" + id[7:19], Image: id, Entrypoint: []string{"/process"}, Command: []string{"wait"},
		Labels: map[string]string{"beamyard.probe": "x", orchestrator.LabelOwner: string(data)},
	})
	if err != nil {
		t.Fatal(err)
	}
	// No image can be created from a file that is not a program. The removal comes before that.
	text := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(text, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	doctor.Examine(t.Context(), doctor.Options{Engine: eng, Executable: text, Patience: time.Minute})
	if _, err := eng.InspectContainer(t.Context(), lost); !errors.Is(err, orchestrator.ErrNotFound) {
		t.Errorf("the helper still exists: %v", err)
	}
}
