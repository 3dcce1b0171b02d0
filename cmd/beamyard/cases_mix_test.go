package main

import (
	"bytes"
	"crypto/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/beamyard/beamyard/images"
)

// caseDir returns a copy of a typical project.
func caseDir(t *testing.T, name string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "project")
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "cases", filepath.FromSlash(name)))); err != nil {
		t.Fatal(err)
	}
	return dir
}

// commit makes a folder a git repository with one commit, and returns the output of a
// git command there.
func commit(t *testing.T, dir string, args ...string) string {
	t.Helper()
	var out []byte
	for _, line := range [][]string{
		{"init", "-q", "."}, {"add", "-A"}, {"-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "one"}, args,
	} {
		cmd := exec.Command("git", line...)
		cmd.Dir = dir
		var err error
		if out, err = cmd.Output(); err != nil {
			t.Fatalf("git %s: %v", strings.Join(line, " "), err)
		}
	}
	return strings.TrimSpace(string(out))
}

// Mix can build each of these projects on this machine. Its image is built on the real
// engine and must give the same results. Each is in a new folder, so that Mix is asked
// and no remembered answer is used. (On a fresh engine, two of them wait for minutes
// until their base is built. Others run meanwhile.)
func TestMixCases(t *testing.T) {
	t.Parallel()
	eng, _, err := realEngine()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(eng.Close)
	tests := []struct {
		name, dir, folder string
		base              string
		options           images.Options
		prepare           func(t *testing.T, dir string) string // returns the wanted output, if it is not known before
		eval, want        string
		at                string // the project's folder in the image
		output, not       string // output that the build must print, or must not print
	}{
		{name: "mix.exs reads files", dir: "09-mix-exs-reads-files/a-version", eval: "Almanac.version()", want: "3.1.4", at: "/app", not: "deps.get"},
		{name: "a stale lock, Elixir 1.14", dir: "09-mix-exs-reads-files/b-stale-lock", base: "bookworm", eval: "Almanac.version()", want: "3.1.4", at: "/app", not: "deps.get"},
		{name: "an application of an umbrella", dir: "13-part-of-a-bigger-repo/a-umbrella", folder: "apps/web", eval: "Sun.radius()", want: "696", at: "/app/apps/web"},
		{name: "a poncho project", dir: "13-part-of-a-bigger-repo/b-poncho", folder: "firmware", eval: "Core.answer()", want: "42", at: "/app/firmware"},
		{
			name: "a variable at build", dir: "03-env-at-build/b-compile-env", options: images.Options{Env: map[string]string{"CURRENCY": "USD"}, Secrets: []string{"CURRENCY"}},
			eval: "Billing.currency()", want: "USD", at: "/app",
		},
		{
			name: "a secret that config reads", dir: "03-env-at-build/a-fetch-env", options: images.Options{Env: map[string]string{"BILLING_API_KEY": "k-31415926535"}, Secrets: []string{"BILLING_API_KEY"}},
			eval: "byte_size(Application.fetch_env!(:billing, :api_key))", want: "13", at: "/app",
		},
		{
			name: "a secret that is compiled in", dir: "03-env-at-build/b-compile-env", options: images.Options{Env: map[string]string{"CURRENCY": "a-secret"}, Secrets: []string{"CURRENCY"}},
			eval: "Billing.currency()", want: "a-secret", at: "/app", output: "the value of the secret CURRENCY is in the image, in _build/dev/lib/billing/ebin/Elixir.Billing.beam",
		},
		{
			name: "variables in env.sh.eex", dir: "03-env-at-build/c-env-sh-eex", options: images.Options{Release: true, Env: map[string]string{"ZONE": "b"}},
			eval: "Ferry.exports()", want: `["FERRY_ZONE=b", "FERRY_REGION=", "FERRY_TIER=small", "FERRY_SIZE=2", "FERRY_PEERS=\".internal\""]`, at: "/app",
			output: "rel/env.sh.eex:4 reads the environment variable REGION, which is not set while the release is made", not: "variable TIER",
		},
		{
			name: "variables in env.sh.eex, Elixir 1.14", dir: "03-env-at-build/c-env-sh-eex", base: "bookworm", options: images.Options{Release: true, Env: map[string]string{"ZONE": "b", "REGION": "eu"}},
			eval: "Ferry.exports()", want: `["FERRY_ZONE=b", "FERRY_REGION=eu", "FERRY_TIER=small", "FERRY_SIZE=2", "FERRY_PEERS=\".internal\""]`, at: "/app",
			output: "rel/env.sh.eex:10 reads the environment variable PEERS", not: "variable DEBUG",
		},
		{name: "C code", dir: "07-native-tools", eval: `{Clockwork.twice(21), System.find_executable("gcc")}`, want: "{42, nil}", at: "/app"},
		{
			name: "git in mix.exs", dir: "10-git-in-mix-exs", eval: "Sextant.version()", at: "/app", output: "asks git",
			prepare: func(t *testing.T, dir string) string {
				return "0.1.0+" + commit(t, dir, "rev-parse", "--short", "HEAD")
			},
		},
		{
			name: "git in lib, of a folder of the repository", dir: "10-git-in-mix-exs", folder: "b-in-lib", eval: `{Sextant.version(), File.exists?("../.git")}`, at: "/app/b-in-lib",
			prepare: func(t *testing.T, dir string) string {
				return `{"` + commit(t, dir, "describe", "--always", "--dirty") + `", false}`
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := caseDir(t, tt.dir)
			if tt.prepare != nil {
				tt.want = tt.prepare(t, dir)
			}
			if tt.output != "" { // an existing image would not print it again
				if err := os.WriteFile(filepath.Join(dir, "NOTE"), []byte(rand.Text()), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			var out bytes.Buffer
			tt.options.Progress, tt.options.Base = &out, "trixie"
			if tt.base != "" {
				tt.options.Base = tt.base
			}
			src := images.Source{Kind: images.Mix, Dir: filepath.Join(dir, filepath.FromSlash(tt.folder))}
			image, err := images.Resolve(t.Context(), eng, src, tt.options)
			if err != nil {
				t.Fatalf("%v\n%s", err, &out)
			}
			info, err := eng.Image(t.Context(), image.ID)
			if err != nil {
				t.Fatal(err)
			}
			if info.WorkingDir != tt.at || info.User != "1000:1000" {
				t.Errorf("it runs in %s as %s, want %s", info.WorkingDir, info.User, tt.at)
			}
			for _, e := range info.Env {
				if strings.Contains(e, "CURRENCY") {
					t.Errorf("its environment contains %s", e)
				}
			}
			if !strings.Contains(out.String(), tt.output) || tt.not != "" && strings.Contains(out.String(), tt.not) {
				t.Errorf("the build printed:\n%s", &out)
			}
			w, err := eng.Start(t.Context(), images.WorkshopSpec{Image: info})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = w.Close() }()
			var said, errs bytes.Buffer
			var env []string
			for k, v := range tt.options.Env {
				env = append(env, k+"="+v)
			}
			command := []string{"mix", "run", "--no-compile", "--no-start", "-e", `v = ` + tt.eval + `; IO.puts(if is_binary(v), do: v, else: inspect(v))`}
			if code, err := w.Run(t.Context(), images.Command{Args: command, Env: env, User: info.User, Dir: info.WorkingDir}, &said, &errs); err != nil || code != 0 {
				t.Fatalf("exit %d, %v\n%s", code, err, &errs)
			}
			if got := strings.TrimSpace(said.String()); got != tt.want {
				t.Errorf("%s is %q, want %q\n%s", tt.eval, got, tt.want, &out)
			}
			again, err := images.Resolve(t.Context(), eng, src, tt.options)
			if err != nil || again.Built || again.ID != image.ID {
				t.Errorf("a second time: %+v, %v", again, err)
			}
		})
	}
}
