package helper

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
	"github.com/beamyard/beamyard/orchestrator"
)

// The image's tag is a hash of the program, so that it is made once for each.
const repo = "beamyard/helper:"

// Program is the path of the program in the image, and its entrypoint.
const Program = "/beamyard"

// ErrUnsuitable reports that no helper container can be made of the program, for a reason other
// than the engine.
var ErrUnsuitable = errors.New("no helper container can be made of this program")

// program describes an executable file as a container's kernel sees it.
type program struct {
	machine elf.Machine
	static  bool // it needs no loader: it runs on an empty root file system
	file    *elf.File
}

// inspectProgram reads an executable. If it is not an ELF file, it returns an error.
func inspectProgram(r io.ReaderAt) (program, error) {
	f, err := elf.NewFile(r)
	if err != nil {
		return program{}, fmt.Errorf("%w: it is not a Linux executable", ErrUnsuitable)
	}
	p := program{machine: f.Machine, static: true, file: f}
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
		return fmt.Errorf("%w: the engine's containers are of %s", ErrUnsuitable, os)
	}
	if want, known := machines[arch]; known && want != p.machine {
		return fmt.Errorf("%w: the engine's machine is %s, it is for %s", ErrUnsuitable, arch, p.machine)
	}
	return nil
}

// Image returns the reference of the image that contains the program at path, and makes it if
// the engine lacks it. "" is the running program. It matches [ErrUnsuitable] if the program
// cannot run in a container of this engine.
func Image(ctx context.Context, eng images.Engine, info orchestrator.EngineInfo, path string) (string, error) {
	if path == "" {
		self, err := os.Executable()
		if err != nil {
			return "", fmt.Errorf("%w: %w", ErrUnsuitable, err)
		}
		path = self
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrUnsuitable, err)
	}
	p, err := inspectProgram(bytes.NewReader(data))
	if err == nil {
		err = p.runsOn(info.OS, info.Arch)
	}
	if err != nil {
		return "", err
	}
	ref := fmt.Sprintf("%s%x", repo, sha256.Sum256(data))[:len(repo)+12]
	if _, err := eng.Image(ctx, ref); err == nil || !errors.Is(err, images.ErrNotFound) {
		return ref, err
	}
	data = withoutDebug(data, p.file)
	if p.static {
		rootfs, err := tarOf(file{Program[1:], data, 0o755})
		if err != nil {
			return "", err
		}
		_, err = eng.Import(ctx, rootfs, images.Import{Ref: ref, Changes: []string{"ENTRYPOINT [\"" + Program + "\"]"}})
		return ref, err
	}
	return ref, build(ctx, eng, ref, data)
}

// build adds a program that needs a loader and a C library to one of our bases that the engine
// has; it fetches nothing.
func build(ctx context.Context, eng images.Engine, ref string, data []byte) error {
	for _, base := range images.Bases() {
		if _, err := eng.Image(ctx, base); errors.Is(err, images.ErrNotFound) {
			continue
		} else if err != nil {
			return err
		}
		dockerfile := fmt.Sprintf("FROM %s\nCOPY %s %s\nENTRYPOINT [%q]\n", base, Program[1:], Program, Program)
		files, err := tarOf(file{"Dockerfile", []byte(dockerfile), 0o644}, file{Program[1:], data, 0o755})
		if err != nil {
			return err
		}
		_, err = eng.Build(ctx, images.Build{Context: files, Dockerfile: "Dockerfile", Tags: []string{ref}, NoNetwork: true}, io.Discard)
		return err
	}
	return fmt.Errorf("%w: it is linked dynamically (CGO_ENABLED=0 builds it without), and the engine has no base image to run it on", ErrUnsuitable)
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
