package images

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/beamyard/beamyard/orchestrator/hint"
)

// suite is a Debian release that can be a base.
type suite struct {
	brings  string // for the user
	options []string
}

// suites have an Elixir version that Beamyard supports.
var suites = map[string]suite{
	"bookworm": {brings: "OTP 25, Elixir 1.14"},
	"trixie":   {brings: "OTP 27, Elixir 1.18"},
	// The Release file of a suite in development can be past its date.
	"forky": {brings: "OTP 29, Elixir 1.20", options: []string{`--aptopt=Acquire::Check-Valid-Until "false"`}},
}

const defaultSuite = "trixie"

func suiteNames() string { return strings.Join(slices.Sorted(maps.Keys(suites)), ", ") }

// packages of a root file system: Elixir, and the parts of OTP that Phoenix, Mnesia and the
// usual tools need.
var packages = []string{
	"elixir", "erlang-base", "erlang-dev", "erlang-ssl", "erlang-inets", "erlang-mnesia", "erlang-os-mon",
	"erlang-runtime-tools", "erlang-tools", "erlang-parsetools", "erlang-syntax-tools", "erlang-xmerl",
	"erlang-eunit", "ca-certificates",
	"libfaketime", // for faults of the clock
}

// PackagesError reports that a root file system could not be made.
type PackagesError struct {
	Suite, Why, Next string
	Err              error
}

func (e *PackagesError) Error() string {
	return fmt.Sprintf("make a root file system of Debian %s: %s", e.Suite, e.Why)
}
func (e *PackagesError) Unwrap() error { return e.Err }

// Hint returns a command that helps.
func (e *PackagesError) Hint() hint.Hint { return hint.Text(e.Next) }

// debianRef names the image of a root file system after its suite and, if it has packages of
// its own, a hash of their list.
func debianRef(src Source) string {
	ref := "beamyard/debian:" + src.Suite
	own := slices.Sorted(slices.Values(src.Packages))
	if len(src.More) > 0 {
		own = append(slices.Sorted(slices.Values(src.More)), "and Elixir")
	}
	if len(own) > 0 {
		sum := sha256.Sum256([]byte(strings.Join(own, "\n")))
		ref += "-" + hex.EncodeToString(sum[:])[:12]
	}
	return ref
}

// ensureDebian returns the root file system's image, and makes it if it is missing.
func ensureDebian(ctx context.Context, eng Engine, src Source, progress io.Writer) (Info, bool, error) {
	ref := debianRef(src)
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
		return info, false, err // another process has made it
	}
	brings := suites[src.Suite].brings
	if len(src.Packages) > 0 {
		brings = strings.Join(src.Packages, ", ")
	} else if len(src.More) > 0 {
		brings += ", " + strings.Join(src.More, ", ")
	}
	fmt.Fprintf(progress, "making %s of Debian packages (%s), once; this takes 20 s to a minute\n", ref, brings)
	if err := importDebian(ctx, eng, src, progress); err != nil {
		return Info{}, false, err
	}
	info, err = eng.Image(ctx, ref)
	return info, true, err
}

// withoutDocs leaves documentation and translations out, also of packages that are installed later
// in an image. With the option --dpkgopt=path-exclude=…, mmdebstrap would start a filter in Python for
// each of the first 60 packages: 7 of 25 s.
const withoutDocs = `cd "$1" && printf 'path-exclude=/usr/share/%s/*\n' doc man locale >etc/dpkg/dpkg.cfg.d/99beamyard &&
	mkdir -p usr/share/doc usr/share/man usr/share/locale && find usr/share/doc usr/share/man usr/share/locale -mindepth 1 -delete`

// importDebian has mmdebstrap write a file and imports that. Importing the stream directly
// would save no time, because mmdebstrap writes the tar at the very end, and would hide an
// error after the end of the tar from the engine: it would name an image although mmdebstrap
// reports a failure.
func importDebian(ctx context.Context, eng Engine, src Source, progress io.Writer) error {
	name := src.Suite
	path, err := exec.LookPath("mmdebstrap")
	if err != nil {
		return &PackagesError{name, "mmdebstrap is not installed", installMmdebstrap(), err}
	}
	rootfs, err := os.CreateTemp("", "beamyard-rootfs-*.tar")
	if err != nil {
		return fmt.Errorf("make a root file system: %w", err)
	}
	defer func() { _ = os.Remove(rootfs.Name()) }()
	defer rootfs.Close()

	include, hooks, changes := packages, []string{
		// What else a Mix image needs of its base is added here, where it costs nothing.
		`--customize-hook=mkdir -p "$1/app" "$1/home/beamyard" && chown 1000:1000 "$1/app" "$1/home/beamyard"`,
	}, []string{"ENV " + strings.Join(homeEnv, " "), "WORKDIR " + workDir, `CMD ["iex"]`}
	if len(src.Packages) > 0 {
		include, hooks, changes = append(slices.Clone(src.Packages), "ca-certificates"), nil, []string{"ENV LANG=C.UTF-8"}
	}
	include = slices.Concat(include, src.More)
	args := []string{"--variant=minbase", "--include=" + strings.Join(include, ","), "--extract-hook=" + withoutDocs}
	args = slices.Concat(args, hooks, suites[name].options)
	args = append(args, name, "-")
	if mirror := hostMirror(ctx); mirror != "" {
		args = append(args, mirror)
	}
	fmt.Fprintf(progress, "Step 1/1 : RUN mmdebstrap %s\n", name)
	said := &step{w: progress}
	cmd := exec.CommandContext(ctx, path, args...)
	// mmdebstrap unmounts and removes its folder on SIGTERM; after SIGKILL it would leave about
	// 300 MB in /tmp.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	cmd.Env = append(os.Environ(), hostProxies(ctx)...)
	cmd.Stdout, cmd.Stderr = rootfs, said
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return mmdebstrapFailed(name, said.lines, err)
	}
	if _, err := rootfs.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("read root file system: %w", err)
	}
	changes = append(changes, "LABEL "+imageLabel+"="+Debian.String())
	if _, err := eng.Import(ctx, rootfs, Import{Ref: debianRef(src), Changes: changes}); err != nil {
		return fmt.Errorf("import %s: %w", debianRef(src), err)
	}
	fmt.Fprintf(progress, "Successfully built %s\n", debianRef(src))
	return nil
}

// mmdebstrapAdvice for messages of mmdebstrap, apt and dpkg, the most specific first.
var mmdebstrapAdvice = []struct {
	says *regexp.Regexp
	next string
}{
	{regexp.MustCompile(`(?i)no space left`), "make room in $TMPDIR: it takes about 1 GB for a moment"},
	{regexp.MustCompile(`NO_PUBKEY|not signed|keyring|GPG error`), "sudo apt-get install -y debian-archive-keyring"},
	{regexp.MustCompile(`Unable to locate package|has no installation candidate`), "check the packages' names: apt-cache search NAME"},
	{regexp.MustCompile(`newuidmap|unable to pick chroot mode|unshare|fakechroot`), "run it as root once, or let users have namespaces: sudo apt-get install -y uidmap"},
}

func mmdebstrapFailed(suite string, said []string, err error) *PackagesError {
	e := &PackagesError{Suite: suite, Err: err, Next: "check that this machine reaches a Debian mirror: sudo apt-get update; mmdebstrap --variant=minbase " + suite + " /dev/null"}
	text := strings.Join(said, "\n")
	for _, a := range mmdebstrapAdvice {
		if a.says.MatchString(text) {
			e.Next = a.next
			break
		}
	}
	e.Why = strings.Join(append([]string{"mmdebstrap: " + err.Error()}, said[max(0, len(said)-5):]...), "\n  ")
	return e
}

// hostMirror is the Debian mirror that this machine's apt uses, if it is not the default one:
// behind a firewall it may be the only one that answers.
func hostMirror(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "apt-get", "indextargets", "--format", "$(SITE)", "Created-By: Packages").Output()
	if err != nil {
		return "" // no apt: mmdebstrap has its own default
	}
	for line := range strings.Lines(string(out)) {
		site := strings.TrimSuffix(strings.TrimSpace(line), "/")
		if strings.HasSuffix(site, ".debian.org/debian") {
			return "" // a mirror of Debian itself, which mmdebstrap uses by default
		}
		if strings.HasSuffix(site, "/debian") {
			return site
		}
	}
	return ""
}

// hostProxies returns the proxies of this machine's apt, as variables. mmdebstrap uses those
// and not /etc/apt/apt.conf (seen with 1.3.5); as an --aptopt the image would keep the proxy,
// and its password. As in apt itself, the configuration takes precedence over the environment.
func hostProxies(ctx context.Context) []string {
	var proxies []string
	for _, scheme := range []string{"http", "https"} {
		option := "Acquire::" + scheme + "::Proxy"
		out, err := exec.CommandContext(ctx, "apt-config", "dump", "--format", "%f %v%n", option).Output()
		if err != nil {
			return nil // no apt
		}
		for line := range strings.Lines(string(out)) {
			// Below the option itself are proxies for single hosts.
			if name, proxy, _ := strings.Cut(strings.TrimSpace(line), " "); name == option && proxy != "" && proxy != "DIRECT" {
				proxies = append(proxies, scheme+"_proxy="+proxy)
			}
		}
	}
	return proxies
}
