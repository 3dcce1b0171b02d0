package docker_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/beamyard/beamyard/images"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/enginetest/contract"
)

// processImage imports an image that holds nothing but the contract's process,
// one static binary, at /process.
func processImage(t *testing.T, eng orchestrator.Engine) (id, ref string) {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "process")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "./testdata/process")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the process: %v\n%s", err, out)
	}
	text, err := os.ReadFile(bin)
	if err != nil {
		t.Fatal(err)
	}
	var rootfs bytes.Buffer
	w := tar.NewWriter(&rootfs)
	err = w.WriteHeader(&tar.Header{Name: "process", Mode: 0o755, Size: int64(len(text))})
	_, writeErr := w.Write(text)
	if err := errors.Join(err, writeErr, w.Close()); err != nil {
		t.Fatal(err)
	}
	ref = fmt.Sprintf("beamyard-test/process:%08x", rand.Uint32())
	id, err = eng.Import(t.Context(), &rootfs, images.Import{Ref: ref, Changes: []string{`LABEL of="contract"`}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { removeImage(t, ref) })
	return id, ref
}

func TestContract(t *testing.T) {
	eng := engine(t)
	id, ref := processImage(t, eng)
	if info, err := eng.Image(t.Context(), ref); err != nil || info.ID != id || info.Labels["of"] != "contract" {
		t.Errorf("imported %s, but found %+v, %v", id, info, err)
	}
	contract.Run(t, func(t testing.TB) orchestrator.Engine { return engine(t) }, ref, "/process")
}
