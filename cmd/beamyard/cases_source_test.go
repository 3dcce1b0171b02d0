package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// sourceCase is a cluster of a project of testdata/cases.
type sourceCase struct {
	t       *testing.T
	cluster string
	vars    []string
}

func newSourceCase(t *testing.T, vars ...string) *sourceCase {
	t.Helper()
	c := &sourceCase{t, clusterName(t.Name()), append(append(os.Environ(), "XDG_RUNTIME_DIR="+t.TempDir()), vars...)}
	t.Cleanup(func() { removeCluster(t, c.cluster, c.vars) })
	return c
}

// run runs the command line, which must exit with that code, and returns its output.
func (c *sourceCase) run(want int, args ...string) string {
	c.t.Helper()
	cmd := exec.Command("beamyard", args...)
	var out bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = c.vars, &out, &out
	err, code := cmd.Run(), 0
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		code = exit.ExitCode()
	} else if err != nil {
		c.t.Fatal(err)
	}
	if code != want {
		c.t.Fatalf("beamyard %s: exit code %d, want %d:\n%s", strings.Join(args, " "), code, want, out.String())
	}
	return out.String()
}

// says checks that the output matches regular expressions.
func (c *sourceCase) says(out string, patterns ...string) {
	c.t.Helper()
	for _, p := range patterns {
		if !regexp.MustCompile("(?m)" + p).MatchString(out) {
			c.t.Errorf("%q is not in:\n%s", p, out)
		}
	}
}

const (
	phoenix    = "testdata/cases/phoenix-docker"
	production = phoenix + "/beamyard-production.yml"
)

// A Phoenix project with its production Dockerfile beside it: the Mix project is run, and
// so is its suite, which the Dockerfile's .dockerignore excludes.
func TestProjectBesideADockerfile(t *testing.T) {
	t.Parallel()
	c := newSourceCase(t)
	const chosen = `^phoenix-docker has a mix.exs and a Dockerfile: running the Mix project \(--dockerfile Dockerfile builds the other\)$`
	out := c.run(0, "up", phoenix, "-d", "-n", "2", "--name", c.cluster)
	c.says(out, chosen, `ready: 2 nodes`)
	if n := strings.Count(out, "running the Mix project"); n != 1 {
		t.Errorf("it is printed %d times:\n%s", n, out)
	}
	c.says(c.run(0, "rpc", c.cluster+"/n1", `{Shop.price(), System.get_env("MIX_ENV")}`), `\{10, "dev"\}`)
	c.run(0, "down", c.cluster)

	for range 2 { // first with new nodes, then with those that are up
		out = c.run(0, "test", phoenix, "--name", c.cluster, "-n", "1", "--reuse")
		c.says(out, chosen, `^1 test, 0 failures`)
		if n := strings.Count(out, "running the Mix project"); n != 1 {
			t.Errorf("it is printed %d times:\n%s", n, out)
		}
	}
}

// The Dockerfile on request: its release is recognised, its MIX_ENV and the flags of its
// image are used in addition to Beamyard's, and it gets the proxies of the Docker
// configuration, whose password is never shown.
func TestDockerfileOfARelease(t *testing.T) {
	t.Parallel()
	config := t.TempDir()
	text := `{"proxies": {"default": {"httpProxy": "http://me:pass-word-7@proxy.cases.test:3128", "noProxy": ".cases.test"}}}`
	if err := os.WriteFile(filepath.Join(config, "config.json"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c := newSourceCase(t, "DOCKER_CONFIG="+config)
	out := c.run(0, "up", "-f", production, "-d", "--name", c.cluster)
	c.says(out, `holds a mix release in /app: its nodes run that$`, `the image's ERL_FLAGS has -setcookie, which does not count`, `ready: 2 nodes`)
	if strings.Contains(out, "running the Mix project") {
		t.Errorf("the output says that the Mix project runs:\n%s", out)
	}
	all := out + c.run(0, "events", "-c", c.cluster) + c.run(0, "inspect", c.cluster+"/n1") + c.run(0, "inspect", c.cluster+"/n1", "--json")
	if strings.Contains(all, "pass-word-7") {
		t.Error("the proxy's password is shown")
	}
	get := func(expression string) string { return c.run(0, "rpc", c.cluster+"/n1", expression) }
	c.says(get(`{System.get_env("MIX_ENV"), System.get_env("REVISION"), Shop.price()}`), `\{"prod", "1\.10", 10\}`)
	c.says(get(`{:init.get_argument(:shop), :application.get_env(:kernel, :shell_history)}`), `\{\{:ok, \[\[~c"shelf", ~c"oak"\]\]\}, \{:ok, :enabled\}\}`)
	c.says(c.run(1, "sync", "-c", c.cluster),
		`^error: the image of cluster `+c.cluster+` holds a release, and not the Mix project that it was made of: sync cannot compile in it`,
		`^hint: build it again: beamyard down `+c.cluster+`; beamyard up -f .*beamyard-production\.yml --name`, `^hint: or run the Mix project`)
	c.says(get(`{System.get_env("HTTP_PROXY") == System.get_env("http_proxy"), System.get_env("no_proxy")}`), `\{true,\s+"\.cases\.test,localhost,127\.0\.0\.1,::1,\.`+c.cluster+`\.test,10\.213\.0\.0/16,n1,`)

	// The same image by its name: it has no sources, so there is nothing to watch.
	c.run(0, "down", c.cluster)
	image := regexp.MustCompile(`(\S+) holds a mix release`).FindStringSubmatch(out)[1]
	c.run(0, "up", image, "-d", "-n", "1", "--name", c.cluster, "-e", "SECRET_KEY_BASE="+strings.Repeat("k", 64))
	for _, args := range [][]string{{"sync"}, {"sync", "--watch"}} {
		c.says(c.run(1, append(args, "-c", c.cluster)...),
			`^error: cluster `+c.cluster+` runs a release in `+image+`, which was not made from a folder on this machine: sync has no sources to compile$`,
			`^hint: bring in a newer image: beamyard down `+c.cluster+`; beamyard up IMAGE --name `+c.cluster+`$`)
	}
}

// Settings without an effect are refused before the engine is contacted.
func TestRefusedOfASource(t *testing.T) {
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"a base beside a Dockerfile", []string{"up", phoenix, "--dockerfile", "--base", "trixie"}, `base_image: trixie would have no effect`},
		{"a Dockerfile and then the folder", []string{"up", "--dockerfile", phoenix, "--base", "trixie"}, `base_image: trixie would have no effect`},
		{"the Dockerfile itself", []string{"up", phoenix + "/Dockerfile", "--base", "trixie"}, `base_image: trixie would have no effect`},
		{"a base that asks for nothing", []string{"up", "acme/shop:1", "--base", "auto"}, `--base auto would have no effect`},
		{"a Dockerfile beside an image", []string{"up", "acme/shop:1", "--dockerfile=Dockerfile"}, `dockerfile: Dockerfile would have no effect`},
		{"no such Dockerfile", []string{"up", phoenix, "--dockerfile", "Dockerfile.dev"}, `Dockerfile.dev: no such Dockerfile(.|\n)*there is a Dockerfile in it`},
		{"MIX_ENV of a suite", []string{"test", phoenix, "--env", "MIX_ENV=prod"}, `a suite runs with MIX_ENV=test`},
		{"a name that moves the cursor", []string{"up", "./\x1b[91mshop\x1b[0m"}, `\./\\x1b\[91mshop\\x1b\[0m: no such folder`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := &sourceCase{t: t, vars: append(os.Environ(), "DOCKER_HOST=unix:///nowhere.sock")}
			out := c.run(exitUsage, tt.args...)
			c.says(out, tt.want, `^hint: `)
			if strings.Contains(out, "\x1b") {
				t.Errorf("an escape sequence: %q", out)
			}
		})
	}
}

// The proxies of the client's configuration are in the environment of the build and of
// the nodes. The nodes reach each other without them.
func TestCaseClientProxies(t *testing.T) {
	t.Parallel()
	c := newNamesCase(t)
	configured, err := filepath.Abs("testdata/cases/22-client-proxies/docker-config")
	if err != nil {
		t.Fatal(err)
	}
	c.vars = append(c.vars, "DOCKER_CONFIG="+configured)
	c.up(exitOK, "22-client-proxies", "-n", "1")
	const asked = `IO.inspect(for list <- [Parcel.at_build(), Parcel.at_run()], do: Enum.map(list, &elem(&1, 0))); Map.new(Parcel.at_run())["no_proxy"]`
	out, _ := c.run("rpc", c.cluster+"/n1", asked)
	const names = `["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"]`
	c.says(strings.Join(strings.Fields(out), " "), names+", "+names, "10.213.0.0/16", "n1."+c.cluster+".test")
}
