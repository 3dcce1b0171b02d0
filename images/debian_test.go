package images

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fakeMmdebstrap puts a shell script of that name, and nothing else but the
// shell's own tools, on PATH. An empty script: it is not installed.
func fakeMmdebstrap(t *testing.T, script string) {
	t.Helper()
	sh, err := exec.LookPath("sh")
	must(t, err)
	bin := t.TempDir()
	if script != "" {
		must(t, os.WriteFile(filepath.Join(bin, "mmdebstrap"), []byte("#!"+sh+"\n"+script+"\n"), 0o755))
	}
	t.Setenv("PATH", bin)
	t.Setenv("TMPDIR", t.TempDir())
}

func TestDebianIsMadeOnce(t *testing.T) {
	tiny(t)
	eng := engineWith()
	fakeMmdebstrap(t, `echo "I: success" >&2; printf 'rootfs of'; printf ' %s' "$@"`)
	var out bytes.Buffer
	src := Source{Kind: Debian, Suite: "bookworm"}
	image := resolved(t, eng, src, Options{Progress: &out})
	if !image.Built || image.Ref != "beamyard/debian:bookworm" || image.Kind != Debian {
		t.Errorf("got %+v", image)
	}
	if again := resolved(t, eng, src, Options{}); again.Built || again.ID != image.ID {
		t.Errorf("got %+v", again)
	}
	for _, want := range []string{"OTP 25, Elixir 1.14", "once", "I: success"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("does not say %q: %s", want, &out)
		}
	}
	want := []Import{{Ref: "beamyard/debian:bookworm", Changes: []string{
		"ENV LANG=C.UTF-8 SHELL=/bin/sh HOME=/home/beamyard MIX_HOME=/home/beamyard/.mix HEX_HOME=/home/beamyard/.hex MIX_ENV=dev",
		"WORKDIR /app", `CMD ["iex"]`, "LABEL beamyard.image=debian",
	}}}
	if diff := cmp.Diff(want, eng.imports); diff != "" {
		t.Error(diff)
	}
	noLeftOvers(t)
}

func TestDebianFails(t *testing.T) {
	tests := []struct {
		name, script, says, hint string
	}{
		{"not installed", "", "mmdebstrap is not installed", "sudo apt-get install -y mmdebstrap debian-archive-keyring"},
		{"before its first byte", `echo "E: apt-get update failed: process exited with 100" >&2; exit 100`, "apt-get update failed", "reaches a Debian mirror"},
		{"in the middle of the stream", `printf half; echo "E: tar failed" >&2; exit 25`, "E: tar failed", "reaches a Debian mirror"},
		{"killed", `printf half; kill -9 $$`, "signal: killed", "reaches a Debian mirror"},
		{"no space", `printf half; echo "dpkg: error: No space left on device" >&2; exit 1`, "No space left", "make room"},
		{"no keys", `echo "The following signatures couldn't be verified: NO_PUBKEY 0E98404D386FA1D9" >&2; exit 1`, "NO_PUBKEY", "debian-archive-keyring"},
		{"no namespaces", `echo "E: unable to pick chroot mode automatically" >&2; exit 1`, "chroot mode", "uidmap"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			src := tiny(t)
			fakeMmdebstrap(t, tt.script)
			for _, try := range []struct {
				src Source
				o   Options
			}{{Source{Kind: Debian, Suite: "trixie"}, Options{}}, {src, Options{}}} {
				eng := engineWith()
				_, err := Resolve(t.Context(), eng, try.src, try.o)
				var failed *PackagesError
				if !errors.As(err, &failed) || !strings.Contains(err.Error(), tt.says) || !strings.Contains(failed.Hint(), tt.hint) {
					t.Errorf("%s: got %v (hint %q); want a PackagesError that says %q, hint %q", try.src.Kind, err, hintOf(err), tt.says, tt.hint)
				}
				if try.src.Kind == Mix && !strings.Contains(err.Error(), "no registry answers") {
					t.Errorf("does not say that the pull was tried: %v", err)
				}
				// A stream that broke off must never pass for a root file system.
				if len(eng.imports) != 0 || len(eng.images) != 0 {
					t.Errorf("left %v on the engine", eng.images)
				}
			}
			noLeftOvers(t)
		})
	}
}

func TestDebianCancelled(t *testing.T) {
	tiny(t)
	fakeMmdebstrap(t, `trap 'echo unmounted >&2; exit 1' TERM; echo started >&2; while :; do read -t 1 x; done`)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	eng, out := engineWith(), &cancelOn{text: "started", cancel: cancel}
	_, err := Resolve(ctx, eng, Source{Kind: Debian, Suite: "trixie"}, Options{Progress: out})
	if !errors.Is(err, context.Canceled) || len(eng.imports) != 0 {
		t.Errorf("got %v and %d imports", err, len(eng.imports))
	}
	if !strings.Contains(out.String(), "unmounted") {
		t.Errorf("mmdebstrap could not tidy up: %s", out)
	}
	noLeftOvers(t)
}

// cancelOn cancels when a text is written to it.
type cancelOn struct {
	bytes.Buffer
	text   string
	cancel func()
}

func (c *cancelOn) Write(p []byte) (int, error) {
	if strings.Contains(string(p), c.text) {
		c.cancel()
	}
	return c.Buffer.Write(p)
}

func noLeftOvers(t *testing.T) {
	t.Helper()
	left, err := os.ReadDir(os.Getenv("TMPDIR"))
	must(t, err)
	if len(left) > 0 {
		t.Errorf("left %v in the folder for temporary files", left)
	}
}

// hintOf is what cmd prints under an error.
func hintOf(err error) string {
	var hinted interface {
		error
		Hint() string
	}
	if errors.As(err, &hinted) {
		return hinted.Hint()
	}
	return ""
}
