package contract

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
)

// process is the program in the image that [Image] creates.
const process = "github.com/beamyard/beamyard/orchestrator/enginetest/process"

// Image imports an image that contains only a static binary, at /process, which behaves
// like [enginetest.Script]. The caller removes the image.
func Image(t testing.TB, eng images.Engine) (id, ref string) {
	t.Helper()
	bin := Binary(t, "")
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
	return id, ref
}

// Binary builds that program for an architecture as in GOARCH, or for this machine's if
// arch is "", and returns its path.
func Binary(t testing.TB, arch string) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "process")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", bin, process)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOARCH="+arch) // a race detector is not static
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the process: %v\n%s", err, out)
	}
	return bin
}
