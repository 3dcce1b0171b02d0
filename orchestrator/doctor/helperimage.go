package doctor

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/beamyard/beamyard/images"
)

// The helper's image contains only this program, or adds it to a base on which it can run. Its
// tag is a hash of the program, so that it is made once for each.
const (
	helperRepo    = "beamyard/probe:"
	helperProgram = "/beamyard"
)

// program describes an executable file as a container's kernel sees it.
type program struct {
	machine elf.Machine
	static  bool // it needs no loader: it runs on an empty root file system
}

// inspectProgram reads an executable. If it is not an ELF file, it returns an error.
func inspectProgram(r io.ReaderAt) (program, error) {
	f, err := elf.NewFile(r)
	if err != nil {
		return program{}, fmt.Errorf("%w: it is not a Linux executable", errNotTried)
	}
	p := program{machine: f.Machine, static: true}
	for _, segment := range f.Progs {
		if segment.Type == elf.PT_INTERP {
			p.static = false
		}
	}
	return p, nil
}

// machines by the names that engines use (uname -m).
var machines = map[string]elf.Machine{
	"x86_64": elf.EM_X86_64, "amd64": elf.EM_X86_64, "aarch64": elf.EM_AARCH64, "arm64": elf.EM_AARCH64,
	"armv7l": elf.EM_ARM, "i686": elf.EM_386, "ppc64le": elf.EM_PPC64, "s390x": elf.EM_S390, "riscv64": elf.EM_RISCV,
}

// runsOn returns why the program cannot run in a container of the engine, or nil.
func (p program) runsOn(os, arch string) error {
	if os != "linux" {
		return fmt.Errorf("%w: the engine's containers are of %s", errNotTried, os)
	}
	if want, known := machines[arch]; known && want != p.machine {
		return fmt.Errorf("%w: the engine's machine is %s, it is for %s", errNotTried, arch, p.machine)
	}
	return nil
}

// helperImage returns the image to run, and makes it if it is missing.
func (e *examination) helperImage(ctx context.Context) (string, error) {
	path := e.Executable
	if path == "" {
		self, err := os.Executable()
		if err != nil {
			return "", fmt.Errorf("%w: %w", errNotTried, err)
		}
		path = self
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("%w: %w", errNotTried, err)
	}
	p, err := inspectProgram(bytes.NewReader(data))
	if err == nil {
		err = p.runsOn(e.engine.info.OS, e.engine.info.Arch)
	}
	if err != nil {
		return "", err
	}
	ref := fmt.Sprintf("%s%x", helperRepo, sha256.Sum256(data))[:len(helperRepo)+12]
	if _, err := e.Engine.Image(ctx, ref); err == nil || !errors.Is(err, images.ErrNotFound) {
		return ref, err
	}
	if p.static {
		rootfs, err := tarOf(file{helperProgram[1:], data, 0o755})
		if err != nil {
			return "", err
		}
		_, err = e.Engine.Import(ctx, rootfs, images.Import{Ref: ref, Changes: []string{"ENTRYPOINT [\"" + helperProgram + "\"]"}})
		return ref, err
	}
	return ref, e.buildHelper(ctx, ref, data)
}

// buildHelper adds a program that needs a loader and a C library to one of our bases that the
// engine has; it fetches nothing.
func (e *examination) buildHelper(ctx context.Context, ref string, data []byte) error {
	for _, base := range images.Bases() {
		if _, err := e.Engine.Image(ctx, base); errors.Is(err, images.ErrNotFound) {
			continue
		} else if err != nil {
			return err
		}
		dockerfile := fmt.Sprintf("FROM %s\nCOPY %s %s\nENTRYPOINT [%q]\n", base, helperProgram[1:], helperProgram, helperProgram)
		files, err := tarOf(file{"Dockerfile", []byte(dockerfile), 0o644}, file{helperProgram[1:], data, 0o755})
		if err != nil {
			return err
		}
		_, err = e.Engine.Build(ctx, images.Build{Context: files, Dockerfile: "Dockerfile", Tags: []string{ref}, NoNetwork: true}, io.Discard)
		return err
	}
	return fmt.Errorf("%w: it is linked dynamically (CGO_ENABLED=0 builds it without), and the engine has no base image to run it on", errNotTried)
}

type file struct {
	name string
	data []byte
	mode int64
}

func tarOf(files ...file) (io.Reader, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		if err := w.WriteHeader(&tar.Header{Name: f.name, Mode: f.mode, Size: int64(len(f.data))}); err != nil {
			return nil, fmt.Errorf("pack %s: %w", f.name, err)
		}
		if _, err := w.Write(f.data); err != nil {
			return nil, fmt.Errorf("pack %s: %w", f.name, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("pack: %w", err)
	}
	return &b, nil
}
