package helper

import (
	"bytes"
	"debug/elf"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

// A program runs without what is left out, and is smaller.
func TestAProgramWithoutDebugInformationRuns(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("it makes Linux executables smaller")
	}
	program := filepath.Join(t.TempDir(), "process")
	build := exec.Command("go", "build", "-buildvcs=false", "-o", program, "../../enginetest/process")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=") // as make builds beamyard
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	data, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	f, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	small := trimmed(t, data, f)
	if len(small) > len(data)*9/10 {
		t.Errorf("%d of %d bytes are left", len(small), len(data))
	}
	path := filepath.Join(t.TempDir(), "small")
	if err := os.WriteFile(path, small, 0o700); err != nil { // it is to be executed
		t.Fatal(err)
	}
	if out, err := exec.Command(path, "print", "1").Output(); err != nil || string(out) != "stdout 1\n" {
		t.Errorf("%v: %s", err, out)
	}
	if again, err := elf.NewFile(bytes.NewReader(small)); err != nil || len(again.Sections) > 0 {
		t.Errorf("sections are left: %v, %v", again, err)
	}
}

// What is cut short, or says nonsense about itself, stays as it is.
func FuzzWithoutDebug(f *testing.F) {
	self, err := os.Executable()
	if err != nil {
		f.Fatal(err)
	}
	data, err := os.ReadFile(self)
	if err != nil {
		f.Fatal(err)
	}
	// The first page has the table of segments. Without that of sections, it is all that is read.
	seed := bytes.Clone(data[:4096])
	clear(seed[40:48])
	clear(seed[60:64])
	if _, err := elf.NewFile(bytes.NewReader(seed)); err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := elf.NewFile(bytes.NewReader(data))
		if err != nil {
			return // no executable
		}
		if small := trimmed(t, data, file); len(small) > len(data) {
			t.Errorf("%d bytes of %d", len(small), len(data))
		}
	})
}

// trimmed returns what withoutDebug leaves, which has the size that it says.
func trimmed(t *testing.T, data []byte, f *elf.File) []byte {
	t.Helper()
	body, size := withoutDebug(bytes.NewReader(data), int64(len(data)), f)
	small, err := io.ReadAll(body)
	if err != nil || int64(len(small)) != size {
		t.Errorf("want %d bytes, got %d, %v", size, len(small), err)
	}
	return small
}
