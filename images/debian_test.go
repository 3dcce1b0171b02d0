package images

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/beamyard/beamyard/orchestrator/hint"
)

// fakeMmdebstrap puts a shell script with that name on PATH, with nothing else but the
// shell's own tools. With an empty script, mmdebstrap is not installed.
func fakeMmdebstrap(t *testing.T, script string) {
	t.Helper()
	t.Setenv("PATH", t.TempDir())
	t.Setenv("TMPDIR", t.TempDir())
	if script != "" {
		fakeTool(t, "mmdebstrap", script)
	}
}

// fakeTool puts another shell script beside that of [fakeMmdebstrap].
func fakeTool(t *testing.T, name, script string) {
	t.Helper()
	must(t, os.WriteFile(filepath.Join(os.Getenv("PATH"), name), []byte("#!/bin/sh\n"+script+"\n"), 0o755))
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
		"ENV LANG=C.UTF-8 SHELL=/bin/sh HOME=/home/beamyard MIX_HOME=/home/beamyard/.mix HEX_HOME=/home/beamyard/.hex",
		"WORKDIR /app", `CMD ["iex"]`, "LABEL beamyard.image=debian",
	}}}
	if diff := cmp.Diff(want, eng.imports); diff != "" {
		t.Error(diff)
	}
	noLeftOvers(t)
}

func TestDebianWithPackagesOfItsOwn(t *testing.T) {
	tiny(t)
	eng := engineWith()
	fakeMmdebstrap(t, `for word; do case $word in --include=*) echo "asked for $word" >&2;; --customize-hook=*) echo "hook" >&2;; esac; done; printf rootfs`)
	var out bytes.Buffer
	src := Source{Kind: Debian, Suite: "trixie", Packages: []string{"rabbitmq-server", "curl"}}
	image := resolved(t, eng, src, Options{Progress: &out})
	if !strings.HasPrefix(image.Ref, "beamyard/debian:trixie-") || !image.Built {
		t.Errorf("got %+v", image)
	}
	if !strings.Contains(out.String(), "asked for --include=rabbitmq-server,curl,ca-certificates\n") || strings.Contains(out.String(), "hook") {
		t.Errorf("reported %s", &out)
	}
	want := []Import{{Ref: image.Ref, Changes: []string{"ENV LANG=C.UTF-8", "LABEL beamyard.image=debian"}}}
	if diff := cmp.Diff(want, eng.imports); diff != "" {
		t.Error(diff)
	}
	swapped := Source{Kind: Debian, Suite: "trixie", Packages: []string{"curl", "rabbitmq-server"}}
	if again := resolved(t, eng, swapped, Options{}); again.Built || again.ID != image.ID {
		t.Errorf("the same packages in another order: %+v", again)
	}
	other := Source{Kind: Debian, Suite: "trixie", Packages: []string{"curl"}}
	if another := resolved(t, eng, other, Options{}); !another.Built || another.Ref == image.Ref {
		t.Errorf("other packages: %+v", another)
	}
	noLeftOvers(t)
}

// If this machine's apt reaches Debian, mmdebstrap must reach it in the same way.
func TestDebianIsFetchedAsByThisMachinesApt(t *testing.T) {
	tests := []struct {
		name, sites, config, mirror, http, https string
	}{
		{name: "no apt"},
		{name: "the default mirror", sites: "http://any.debian.org/debian\nhttp://any.debian.org/debian-security"},
		{name: "a mirror", sites: "http://mirror.test/debian-security\nhttp://mirror.test/debian/", mirror: "http://mirror.test/debian"},
		{name: "another distribution's mirror", sites: "http://mirror.test/ubuntu"},
		{name: "a proxy", sites: "http://any.debian.org/debian", config: "Acquire::http::Proxy http://me:secret@proxy.test:3142\nAcquire::http::Proxy::lan.test DIRECT",
			http: "http://me:secret@proxy.test:3142"},
		{name: "two proxies", config: "Acquire::http::Proxy http://a.test:1\nAcquire::https::Proxy http://b.test:2", http: "http://a.test:1", https: "http://b.test:2"},
		{name: "no proxy, on purpose", config: "Acquire::http::Proxy DIRECT\nAcquire::https::Proxy "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tiny(t)
			fakeMmdebstrap(t, `for last; do :; done; echo "from $last by $http_proxy and $https_proxy with $*" >&2; echo rootfs`)
			t.Setenv("http_proxy", "")
			t.Setenv("https_proxy", "")
			if tt.name != "no apt" {
				fakeTool(t, "apt-get", "printf '%s\\n' '"+tt.sites+"'")
				// As with the real one: the options below the given option.
				fakeTool(t, "apt-config", `while read -r line; do case "$line" in "$4"*) echo "$line";; esac; done <<'END'`+"\n"+tt.config+"\nEND")
			}
			var out bytes.Buffer
			resolved(t, engineWith(), Source{Kind: Debian, Suite: "trixie"}, Options{Progress: &out})
			from := tt.mirror
			if from == "" {
				from = "-" // the last argument is the output, so the mirror is mmdebstrap's default
			}
			if want := fmt.Sprintf("from %s by %s and %s with ", from, tt.http, tt.https); !strings.Contains(out.String(), want) {
				t.Errorf("does not say %q: %s", want, &out)
			}
			if _, args, _ := strings.Cut(out.String(), " with "); strings.Contains(args, "proxy.test") {
				t.Errorf("an argument would keep the proxy in the image: %s", args)
			}
		})
	}
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
				if !errors.As(err, &failed) || !strings.Contains(err.Error(), tt.says) || !strings.Contains(failed.Hint().String(), tt.hint) {
					t.Errorf("%s: got %v (hint %q); want a PackagesError that says %q, hint %q", try.src.Kind, err, hintOf(err), tt.says, tt.hint)
				}
				if try.src.Kind == Mix && !strings.Contains(err.Error(), "no registry answers") {
					t.Errorf("does not mention the attempted pull: %v", err)
				}
				// An incomplete stream must never be imported as a root file system.
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
		t.Errorf("mmdebstrap could not clean up: %s", out)
	}
	noLeftOvers(t)
}

// cancelOn cancels a context when a text is written to it.
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

// hintOf returns the hint that the command prints below an error.
func hintOf(err error) string {
	var hinted interface {
		error
		Hint() hint.Hint
	}
	if errors.As(err, &hinted) {
		return hinted.Hint().String()
	}
	return ""
}
