package docker

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/docker/cli/cli/config"
	"github.com/google/go-cmp/cmp"
)

// The proxies are those for the engine's own address, or the default ones.
func TestProxiesOfTheConfiguration(t *testing.T) {
	dir := t.TempDir()
	before := config.Dir()
	config.SetDir(dir) // the client reads the environment once
	t.Cleanup(func() { config.SetDir(before) })
	text := `{"proxies": {"default": {"httpProxy": "http://a:1", "noProxy": ".x"}, "tcp://far:2376": {"httpsProxy": "http://b:2"}}}`
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]map[string]string{
		"unix:///var/run/docker.sock": {"HTTP_PROXY": "http://a:1", "http_proxy": "http://a:1", "NO_PROXY": ".x", "no_proxy": ".x"},
		"tcp://far:2376":              {"HTTPS_PROXY": "http://b:2", "https_proxy": "http://b:2"},
	} {
		eng, err := New(Options{Host: host})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, eng.Proxies()); diff != "" {
			t.Errorf("%s: %s", host, diff)
		}
		eng.Close()
	}
}

// A step that prints its environment shows no password, however its output is split.
func TestMaskedBuild(t *testing.T) {
	var out bytes.Buffer
	m := newMasked(&out, map[string]string{"HTTP_PROXY": "http://me:s3cret%40x@proxy:3128"})
	for _, part := range []string{"HTTP_PROXY=http://me:s3c", "ret%40x@proxy:3128\nplain s3cret@x", " end"} {
		if _, err := m.Write([]byte(part)); err != nil {
			t.Fatal(err)
		}
	}
	m.flush()
	if got, want := out.String(), "HTTP_PROXY=http://[secret]@proxy:3128\nplain [secret] end"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
