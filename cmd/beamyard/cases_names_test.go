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
	"time"
)

// namesCase is a project of testdata/cases in a cluster of its own.
type namesCase struct {
	t       *testing.T
	cluster string
	vars    []string
}

func newNamesCase(t *testing.T) *namesCase {
	t.Helper()
	c := &namesCase{t, clusterName(t.Name()), append(os.Environ(), "XDG_RUNTIME_DIR="+t.TempDir())}
	t.Cleanup(func() { removeCluster(t, c.cluster, c.vars) })
	return c
}

// run runs the command line, and returns its output and its exit code.
func (c *namesCase) run(args ...string) (string, int) {
	c.t.Helper()
	cmd := exec.Command("beamyard", args...)
	var out bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = c.vars, &out, &out
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		return out.String(), exit.ExitCode()
	case err != nil:
		c.t.Fatal(err)
	}
	return out.String(), 0
}

// up starts the project. The command must exit with that code.
func (c *namesCase) up(want int, project string, args ...string) string {
	c.t.Helper()
	at := filepath.Join("testdata", "cases", project)
	what := []string{"up", at}
	if strings.HasSuffix(project, ".yml") {
		what = []string{"up", "-f", at}
	}
	out, code := c.run(append(append(what, "-d", "--name", c.cluster), args...)...)
	if code != want {
		c.t.Fatalf("exit code %d, want %d:\n%s", code, want, out)
	}
	return out
}

// says checks that the output contains texts.
func (c *namesCase) says(out string, texts ...string) {
	c.t.Helper()
	for _, text := range texts {
		if !strings.Contains(out, text) {
			c.t.Errorf("%q is not in:\n%s", text, out)
		}
	}
}

// eventually checks that a command prints something within 30 s.
func (c *namesCase) eventually(text string, args ...string) {
	c.t.Helper()
	pattern := regexp.MustCompile(text)
	out := ""
	if !within(30*time.Second, func() bool { out, _ = c.run(args...); return pattern.MatchString(out) }) {
		c.t.Fatalf("beamyard %s did not print %q in time:\n%s", strings.Join(args, " "), text, out)
	}
}

// gaveUp checks that the failure was found long before the deadline, with this code and
// text.
func (c *namesCase) gaveUp(out, code string, texts ...string) {
	c.t.Helper()
	c.says(out, append(texts, "why: "+code+":", "giving up: a node failed")...)
	if n := strings.Count(out, "why: "); n != 1 {
		c.t.Errorf("%d causes:\n%s", n, out)
	}
}

// The files that `fly launch` generates take the name and flags of a node from variables
// that only Fly's machines have.
func TestCaseFlyEnv(t *testing.T) {
	t.Parallel()
	c := newNamesCase(t)
	out := c.up(exitNodeFailed, "fly-env-sh", "-n", "1")
	c.gaveUp(out, "release-env", "rel/env.sh of the release overrides ERL_AFLAGS (line 5)", "RELEASE_NODE (line 9)", `if [ -n "$FLY_APP_NAME" ]; then export ERL_AFLAGS=…`)
}

// A cookie in vm.args that equals the cluster's is accepted, and another one is reported.
func TestCaseCookieInVMArgs(t *testing.T) {
	t.Parallel()
	t.Run("release", func(t *testing.T) {
		t.Parallel()
		c := newNamesCase(t)
		out := c.up(exitOK, "cookie-in-vm-args/b-mix/cookie.yml")
		if strings.Contains(out, "-setcookie (line") {
			t.Errorf("an equal cookie is reported:\n%s", out)
		}
	})
	t.Run("another", func(t *testing.T) {
		t.Parallel()
		c := newNamesCase(t)
		out := c.up(exitOK, "cookie-in-vm-args/b-mix/beamyard.yml", "-n", "1")
		c.says(out, "vm-args: rel/vm.args of the release sets -name (line 2) and -setcookie (line 3) in vain")
		if strings.Contains(out, "coffer_secret") {
			t.Errorf("a cookie is shown:\n%s", out)
		}
	})
	t.Run("relx", func(t *testing.T) {
		t.Parallel()
		c := newNamesCase(t)
		c.up(exitOK, "cookie-in-vm-args/a-relx", "-n", "1")
		out, _ := c.run("rpc", c.cluster+"/n1", "--erlang", "vault:combination()")
		c.says(out, "[7,3,19]")
	})
}

func TestCaseEntrypointDropsItsCommand(t *testing.T) {
	t.Parallel()
	c := newNamesCase(t)
	out := c.up(exitNodeFailed, "entrypoint-drops", "-n", "1", "--dockerfile=Dockerfile")
	c.gaveUp(out, "entrypoint-ignores-command", "/entrypoint.sh, does not run the command", "mix run --no-halt", "entrypoint: [sh, -c, 'exec elixir --name {node}")
}

func TestCaseDistributionThatIsNotReached(t *testing.T) {
	t.Parallel()
	c := newNamesCase(t)
	out := c.up(exitNodeFailed, "loopback-distribution", "-n", "1")
	c.gaveUp(out, "distribution-loopback", "127.0.0.1:9100", "ERL_AFLAGS of env: in beamyard.yml")
	out = c.up(exitNodeFailed, "loopback-distribution", "-n", "1", "--env", "ERL_AFLAGS=", "--env", "ELIXIR_ERL_OPTIONS=-proto_dist inet_tls")
	c.gaveUp(out, "distribution-tls", "ELIXIR_ERL_OPTIONS of env:")
}

// An application finds its nodes by DNS, as in production: each node looks up the name of
// all, which resolves to the running nodes, and connects to app@ADDRESS.
func TestCaseDNSCluster(t *testing.T) {
	t.Parallel()
	c := newNamesCase(t)
	c.up(exitOK, "dns-cluster", "-n", "2", "--env", "FLOCK_BY=dns_poll")
	if out, code := c.run("down", c.cluster); code != exitOK {
		t.Fatal(out)
	}
	c.up(exitOK, "dns-cluster")
	lookup := []string{"rpc", c.cluster + "/n1", `length(:inet_res.lookup(~c"` + c.cluster + `.test", :in, :a))`}
	out, _ := c.run(lookup...)
	c.says(out, "3")
	if out, code := c.run("stop", c.cluster+"/n3"); code != exitOK {
		t.Fatal(out)
	}
	c.eventually(`(?m)^2$`, lookup...)
	// The application took the cluster's cookie when it started, and has another one now.
	if out, code := c.run("rpc", c.cluster+"/n2", "Node.set_cookie(:another)"); code != exitOK {
		t.Fatal(out)
	}
	c.eventually("cookie-changed: the cookie of n2 was changed while it runs", "events", "-c", c.cluster)
}
