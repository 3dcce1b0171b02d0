package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/beamyard/beamyard/images"
)

// ownBase builds a custom base image of Debian with Elixir: root runs a shell command in
// it, with the files of a folder in /files.
func ownBase(t *testing.T, ref, files, command string, env ...string) {
	t.Helper()
	eng, _, err := realEngine()
	if err != nil {
		t.Fatal(err)
	}
	defer eng.Close()
	source, err := images.Detect("rootfs:trixie")
	if err != nil {
		t.Fatal(err)
	}
	debian, err := images.Resolve(t.Context(), eng, source, images.Options{})
	if err != nil {
		t.Fatal(err)
	}
	info, err := eng.Image(t.Context(), debian.Ref)
	if err != nil {
		t.Fatal(err)
	}
	w, err := eng.Start(t.Context(), images.WorkshopSpec{Image: info})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.Close() }()
	script := "set -e\nmkdir /files\n"
	listed, err := filepath.Glob(filepath.Join(files, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range listed {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		script += "cat >/files/" + filepath.Base(name) + " <<'END-OF-FILE'\n" + string(text) + "END-OF-FILE\n"
	}
	var said bytes.Buffer
	code, err := w.Run(t.Context(), images.Command{Args: []string{"sh", "-c", script + command}, User: "0:0", Dir: "/"}, &said, &said)
	if err != nil || code != 0 {
		t.Fatalf("exit %d, %v\n%s", code, err, &said)
	}
	if _, err := w.Commit(t.Context(), images.Commit{Ref: ref, User: "0:0", WorkingDir: "/", Env: env}); err != nil {
		t.Fatal(err)
	}
}

// A base that contains Hex is used unchanged, whether Hex is in Mix's default folder or
// where the image's environment says. The Hex of this test fetches nothing over a
// network.
func TestBaseWithHex(t *testing.T) {
	t.Parallel()
	const install = `to=$MIX_HOME/archives/hex-9.9.9/hex-9.9.9/ebin; mkdir -p $to; elixirc -o $to /files/hex.ex; rm -r /files; `
	for _, tt := range []struct {
		name, command string
		env           []string
	}{
		{"in the home of root", "MIX_HOME=/root/.mix; " + install + "chmod 700 /root", nil},
		{"where MIX_HOME says", "MIX_HOME=/srv/mix; " + install, []string{"MIX_HOME=/srv/mix", "HEX_HOME=/srv/hex"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := newSourceCase(t, "XDG_CACHE_HOME="+t.TempDir())
			dir := caseDir(t, "14-hex")
			base := "beamyard-test/hex:" + strings.ToLower(strings.ReplaceAll(tt.name, " ", "-"))
			ownBase(t, base, filepath.Join(dir, "base"), tt.command, tt.env...)
			out := c.run(0, "up", dir, "-d", "-n", "2", "--name", c.cluster, "--base", base, "--progress", "json")
			if strings.Contains(out, "* creating") { // in the words of Mix
				t.Errorf("Hex was installed:\n%s", out)
			}
			c.says(c.run(0, "rpc", c.cluster+"/n2", `Jason.encode!(%{})`), `^"fetched by Hex 9\.9\.9"$`)
			c.says(c.run(0, "logs", "-c", c.cluster, "n1"), `parcel: fetched by Hex 9\.9\.9`)
			c.run(0, "restart", c.cluster+"/n1")
			// Mix needs Hex in the compiler too.
			c.says(c.run(0, "sync", "-c", c.cluster), `^in sync, \d+ modules? equal on n1 n2`)
		})
	}
}

// packages: of a custom base are installed with the base's own package manager, once, and
// are available on the nodes.
func TestPackagesOfACustomBase(t *testing.T) {
	t.Parallel()
	c := newSourceCase(t, "XDG_CACHE_HOME="+t.TempDir())
	const base = "beamyard-test/own:debian"
	ownBase(t, base, t.TempDir(), "echo own >/etc/own")
	dir := caseDir(t, "09-mix-exs-reads-files/a-version")
	up := func(want int, packages string) string {
		t.Helper()
		file := filepath.Join(dir, packages+".yml")
		text := "source: .\nnodes: 1\nhttp_port: -1\nbase_image: " + base + "\npackages: {run: [" + packages + "]}\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return c.run(want, "up", "-f", file, "-d", "--name", c.cluster, "--progress", "json")
	}
	c.says(up(0, "hello"), `installing hello in `+base+`, once`)
	c.says(c.run(0, "rpc", c.cluster+"/n1", `{System.cmd("hello", ["-g", "from apt"]), File.read!("/etc/own"), System.cmd("id", ["-u"]), Almanac.version()}`),
		`\{\{"from apt\\n", 0\}, "own\\n", \{"1000\\n", 0\}, "3\.1\.4"\}`)
	c.run(0, "down", c.cluster)

	// A changed source of the project needs no other packages.
	if err := os.WriteFile(filepath.Join(dir, "lib", "more.ex"), []byte("defmodule More do\nend\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := up(0, "hello"); strings.Contains(out, "installing") {
		t.Errorf("the packages were installed again:\n%s", out)
	}
	c.run(0, "down", c.cluster)

	c.says(up(1, "no-such-package"),
		`packages no-such-package cannot be installed in `+base, `Unable to locate package no-such-package`, `^hint: give a base that has them`)
}
