package images

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestCheckDebian(t *testing.T) {
	asked := ""
	mirror := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.Method + " " + r.URL.Path
		if r.URL.Path != "/debian/dists/trixie/InRelease" {
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(mirror.Close)
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	apt := func(site string) func() {
		return func() { fakeTool(t, "apt-get", "echo "+site) }
	}
	for _, tt := range []struct {
		name, script string
		tools        func()
		mirror, fail string
		hint         string
	}{
		{name: "answers", script: "exit 0", tools: apt(mirror.URL + "/debian"), mirror: mirror.URL + "/debian"},
		{name: "of a method that only apt has", script: "exit 0", tools: apt("file:/srv/debian"), mirror: "file:/srv/debian"},
		{name: "is another thing", script: "exit 0", tools: apt(mirror.URL + "/attic/debian"), fail: "404", hint: "sudo apt-get update"},
		{name: "is away", script: "exit 0", tools: apt(closed.URL + "/debian"), fail: "connection refused", hint: "sudo apt-get update"},
		{name: "mmdebstrap is missing", tools: func() {}, fail: "mmdebstrap is not installed", hint: "apt-get install -y mmdebstrap"},
		{name: "behind a proxy that is away", script: "exit 0", fail: "proxyconnect", hint: "sudo apt-get update", tools: func() {
			apt("http://mirror.invalid/debian")()
			fakeTool(t, "apt-config", "echo Acquire::http::Proxy "+strings.Replace(closed.URL, "//", "//me:secret@", 1))
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fakeMmdebstrap(t, tt.script)
			tt.tools()
			got, err := CheckDebian(t.Context())
			if tt.fail == "" {
				if err != nil || got != tt.mirror {
					t.Fatalf("%q, %v", got, err)
				}
				return
			}
			var e *PackagesError
			if !errors.As(err, &e) || !strings.Contains(err.Error(), tt.fail) || !strings.Contains(e.Hint().String(), tt.hint) {
				t.Fatalf("%v", err)
			}
			if strings.Contains(err.Error()+got, "secret") {
				t.Errorf("a password is shown: %v", err)
			}
		})
	}
	if !strings.HasPrefix(asked, "HEAD ") {
		t.Errorf("another request than HEAD: %s", asked)
	}
}
