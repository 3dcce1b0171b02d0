package images

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
)

// suite is a Debian release as a base.
type suite struct {
	brings  string // for people
	options []string
}

// suites that bring an Elixir that is spoken to here.
var suites = map[string]suite{
	"bookworm": {brings: "OTP 25, Elixir 1.14"},
	"trixie":   {brings: "OTP 27, Elixir 1.18"},
	// A Release file of a suite in the making can be past its date.
	"forky": {brings: "OTP 29, Elixir 1.20", options: []string{`--aptopt=Acquire::Check-Valid-Until "false"`}},
}

const defaultSuite = "trixie"

func suiteNames() string { return strings.Join(slices.Sorted(maps.Keys(suites)), ", ") }

// packages of a root file system: Elixir, and those parts of OTP that Phoenix,
// Mnesia and the usual tools ask for.
var packages = []string{
	"elixir", "erlang-base", "erlang-dev", "erlang-ssl", "erlang-inets", "erlang-mnesia", "erlang-os-mon",
	"erlang-runtime-tools", "erlang-tools", "erlang-parsetools", "erlang-syntax-tools", "erlang-xmerl",
	"erlang-eunit", "ca-certificates",
}

// PackagesError is a root file system that could not be made.
type PackagesError struct {
	Suite, Why, Next string
	Err              error
}

func (e *PackagesError) Error() string {
	return fmt.Sprintf("make a root file system of Debian %s: %s", e.Suite, e.Why)
}
func (e *PackagesError) Unwrap() error { return e.Err }

// Hint is the command that helps.
func (e *PackagesError) Hint() string { return e.Next }

func debianRef(suite string) string { return "beamyard/debian:" + suite }

// ensureDebian returns the root file system's image, and makes it where it is
// missing.
func ensureDebian(ctx context.Context, eng Engine, name string, progress io.Writer) (Info, bool, error) {
	ref := debianRef(name)
	info, err := eng.Image(ctx, ref)
	if err == nil || !errors.Is(err, ErrNotFound) {
		return info, false, err
	}
	unlock, err := lock(ctx, ref)
	if err != nil {
		return Info{}, false, err
	}
	defer unlock()
	if info, err = eng.Image(ctx, ref); err == nil || !errors.Is(err, ErrNotFound) {
		return info, false, err // somebody else made it meanwhile
	}
	s := suites[name]
	fmt.Fprintf(progress, "making %s of Debian packages (%s), once; this takes about 20 s\n", ref, s.brings)
	if err := importDebian(ctx, eng, name, s, progress); err != nil {
		return Info{}, false, err
	}
	info, err = eng.Image(ctx, ref)
	return info, true, err
}

func importDebian(ctx context.Context, eng Engine, name string, s suite, progress io.Writer) error {
	path, err := exec.LookPath("mmdebstrap")
	if err != nil {
		next := "sudo apt-get install -y mmdebstrap"
		if runtime.GOOS != "linux" {
			next = "connect this machine to a registry, or give a base image that is there: --base IMAGE"
		}
		return &PackagesError{name, "no registry answers, and mmdebstrap is not installed", next, err}
	}
	args := []string{
		"--variant=minbase", "--include=" + strings.Join(packages, ","),
		"--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/man/*",
		"--dpkgopt=path-exclude=/usr/share/locale/*",
	}
	args = append(args, s.options...)
	args = append(args, name, "-")
	if mirror := hostMirror(); mirror != "" {
		args = append(args, mirror)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Stderr = io.MultiWriter(&said, progress)
	rootfs, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start mmdebstrap: %w", err)
	}
	// A root file system that broke off must not pass for a whole one: the end of
	// the stream is only given when mmdebstrap ended well.
	var failed error
	_, err = eng.Import(ctx, &atEnd{r: rootfs, check: func() error { failed = cmd.Wait(); return failed }}, Import{
		Ref: debianRef(name), Changes: []string{"ENV LANG=C.UTF-8", `CMD ["iex"]`, "LABEL beamyard.image=debian"},
	})
	if failed != nil {
		lines := strings.Split(strings.TrimSpace(said.String()), "\n")
		return &PackagesError{name, fmt.Sprintf("mmdebstrap: %v\n  %s", failed, strings.Join(lines[max(0, len(lines)-5):], "\n  ")),
			"check that this machine reaches a Debian mirror: mmdebstrap --simulate " + name + " /dev/null", failed}
	}
	if err != nil {
		cancel()
		_ = cmd.Wait() // ended by the cancellation, if it still ran
	}
	return err
}

// atEnd asks check before it gives the end of the stream.
type atEnd struct {
	r     io.Reader
	check func() error
}

func (a *atEnd) Read(p []byte) (int, error) {
	n, err := a.r.Read(p)
	if errors.Is(err, io.EOF) {
		if failed := a.check(); failed != nil {
			return n, failed
		}
	}
	return n, err
}

// hostMirror is the Debian mirror that this machine's apt uses, where it is
// not the default one: behind a firewall it may be the only one that answers.
func hostMirror() string {
	out, err := exec.Command("apt-get", "indextargets", "--format", "$(SITE)", "Created-By: Packages").Output()
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(out)) {
		site := strings.TrimSuffix(strings.TrimSpace(line), "/")
		if strings.HasSuffix(site, "/debian") && !strings.Contains(site, "deb.debian.org") && os.Getenv("http_proxy") == "" {
			return site
		}
	}
	return ""
}
