package main

import (
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"testing"

	"github.com/beamyard/beamyard/orchestrator"
)

// An application that listens on 127.0.0.1 in dev, as phx.new generates it, is reached at
// its URL, and its HTTP check passes. In test it does not listen at all, and is not
// checked.
func TestCaseLoopbackHTTP(t *testing.T) {
	t.Parallel()
	c := newNamesCase(t)
	c.says(c.up(exitOK, "04-loopback-http/checked.yml"), "listens on 127.0.0.1:4000 only, inside its container: port 4000 is forwarded there")
	out, _ := c.run("ps", c.cluster, "--json")
	var clusters []orchestrator.Status
	if err := json.Unmarshal([]byte(out), &clusters); err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, clusters[0].Nodes[0].URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "ok\n" {
		t.Errorf("%s answers %q, %v", clusters[0].Nodes[0].URL, body, err)
	}
	if out, code := c.run("down", c.cluster); code != 0 {
		t.Fatal(out)
	}
	out, code := c.run("test", "-f", filepath.Join("testdata", "cases", "04-loopback-http", "checked.yml"), "--name", c.cluster)
	c.says(out, "is not asked HTTP check /: nothing listens on port 4000 with MIX_ENV=test", "1 test, 0 failures")
	if code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// Flags of an image in ERL_AFLAGS and ERL_FLAGS are used in addition to Beamyard's own. A
// cookie in them is not used, and is reported.
func TestCaseFlagsOfTheImage(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ variable, says string }{
		"a-aflags": {"ERL_AFLAGS", "shell_history enabled"},
		"b-flags":  {"ERL_FLAGS", "-config /app/etc/base"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newNamesCase(t)
			out := c.up(exitOK, "16-image-env-flags/"+name+"/beamyard.yml")
			if name == "b-flags" {
				c.says(out, "-setcookie")
			}
			out, _ = c.run("logs", c.cluster+"/n1")
			c.says(out, "shelf of oak")
			out, _ = c.run("rpc", c.cluster+"/n1", `System.get_env("`+tt.variable+`")`)
			c.says(out, tt.says)
		})
	}
}
