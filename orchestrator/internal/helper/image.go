package helper

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"debug/elf"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"runtime"
	"strings"

	"github.com/beamyard/beamyard/images"
	"github.com/beamyard/beamyard/orchestrator"
)

// The image's tag says which program is in it, so that it is made once for each.
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

// self returns a path of the running program. On Linux it is one that stays after another version
// was installed in its place.
func self() (string, error) {
	if runtime.GOOS == "linux" {
		return "/proc/self/exe", nil
	}
	return os.Executable()
}

// identity returns the tag of a program's image: a hash of the build ID that the go command has
// put into it (go help buildid), which is another one for each build of other sources. So no fault
// has to read all of the program. One without a build ID is read.
func (p program) identity(r io.Reader) (string, error) {
	hash := sha256.New()
	if note := p.file.Section(".note.go.buildid"); note != nil {
		if id, err := note.Data(); err == nil && len(id) > noteHeader {
			hash.Write(id)
			return tag(hash), nil
		}
	}
	if _, err := io.Copy(hash, r); err != nil {
		return "", fmt.Errorf("%w: %w", ErrUnsuitable, err)
	}
	return tag(hash), nil
}

// noteHeader is the size of a note without its content: three numbers and the name "Go".
const noteHeader = 16

func tag(h hash.Hash) string { return fmt.Sprintf("%x", h.Sum(nil))[:12] }

// Image returns the reference of the image that contains the program at path, and makes it if
// the engine lacks it. "" is the running program. It matches [ErrUnsuitable] if the program
// cannot run in a container of this engine.
func Image(ctx context.Context, eng images.Engine, info orchestrator.EngineInfo, path string) (string, error) {
	if path == "" {
		self, err := self()
		if err != nil {
			return "", fmt.Errorf("%w: %w", ErrUnsuitable, err)
		}
		path = self
	}
	f, p, ref, err := read(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if err := p.runsOn(info.OS, info.Arch); err != nil {
		return "", err
	}
	if _, err := eng.Image(ctx, ref); err == nil || !errors.Is(err, images.ErrNotFound) {
		return ref, err
	}
	stat, err := f.Stat()
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrUnsuitable, err)
	}
	body, size := withoutDebug(f, stat.Size(), p.file)
	content := file{Program[1:], body, size, 0o755}
	if p.static {
		rootfs, err := archive(content)
		if err != nil {
			return "", err
		}
		_, err = eng.Import(ctx, rootfs, images.Import{Ref: ref, Changes: []string{"ENTRYPOINT [\"" + Program + "\"]"}})
		return ref, err
	}
	return ref, build(ctx, eng, ref, content)
}

// Reference returns the reference of the image that contains the program at path, whether an engine
// has it or not. It matches [ErrUnsuitable] if there can be none.
func Reference(path string) (string, error) {
	f, _, ref, err := read(path)
	if err != nil {
		return "", err
	}
	return ref, f.Close()
}

// read opens a program, and returns what it is, and the reference of its image.
func read(path string) (_ *os.File, p program, ref string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, p, "", fmt.Errorf("%w: %w", ErrUnsuitable, err)
	}
	if p, err = inspectProgram(f); err == nil {
		ref, err = p.identity(f)
	}
	if err != nil {
		return nil, p, "", errors.Join(err, f.Close())
	}
	return f, p, repo + ref, nil
}

// build adds a program that needs a loader and a C library to one of our bases that the engine
// has; it fetches nothing.
func build(ctx context.Context, eng images.Engine, ref string, content file) error {
	for _, base := range images.Bases() {
		if _, err := eng.Image(ctx, base); errors.Is(err, images.ErrNotFound) {
			continue
		} else if err != nil {
			return err
		}
		dockerfile := fmt.Sprintf("FROM %s\nCOPY %s %s\nENTRYPOINT [%q]\n", base, Program[1:], Program, Program)
		files, err := archive(file{"Dockerfile", strings.NewReader(dockerfile), int64(len(dockerfile)), 0o644}, content)
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
	body io.Reader
	size int64
	mode int64
}

// archive returns a tar archive of the files. It reads them while it is read: a program of tens of
// megabytes is never in memory.
func archive(files ...file) (io.Reader, error) {
	const block = 512 // see tar(5)
	var parts []io.Reader
	for _, f := range files {
		var header bytes.Buffer
		if err := tar.NewWriter(&header).WriteHeader(&tar.Header{Name: f.name, Mode: f.mode, Size: f.size}); err != nil {
			return nil, fmt.Errorf("pack %s: %w", f.name, err)
		}
		parts = append(parts, &header, f.body, bytes.NewReader(make([]byte, -f.size&(block-1))))
	}
	return io.MultiReader(append(parts, bytes.NewReader(make([]byte, 2*block)))...), nil
}
