package ui

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
)

func TestTheEvidenceIsAnArchive(t *testing.T) {
	f := newFake()
	f.events = []orchestrator.Event{{Seq: 1, Time: time.Now(), Text: "it said " + theSecret}}
	s := entered(t, Options{Source: f})
	resp, body := s.request(http.MethodGet, "/c/demo/export", "")
	if name := resp.Header.Get("Content-Disposition"); resp.StatusCode != http.StatusOK || !strings.HasPrefix(name, `attachment; filename="beamyard-demo-`) || !strings.HasSuffix(name, `.tar.gz"`) {
		t.Fatalf("%s %s", resp.Status, name)
	}
	packed, err := gzip.NewReader(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for archive := tar.NewReader(packed); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		_, name, _ := strings.Cut(header.Name, "/")
		files[name] = string(data)
		if strings.Contains(string(data), theCookie) || strings.Contains(string(data), "s3cr3t") {
			t.Errorf("%s has a secret", header.Name)
		}
	}
	for _, name := range []string{"README.txt", "timeline.txt", "status.json"} {
		if files[name] == "" {
			t.Errorf("%s is missing", name)
		}
	}
}

func TestLogsAreAText(t *testing.T) {
	f := newFake()
	at := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	f.lines = []orchestrator.Line{
		{Node: "n1", Stream: orchestrator.Stdout, Seq: 1, Time: at, Text: "one <b>"},
		{Node: "n2", Stream: orchestrator.Stderr, Seq: 1, Time: at.Add(time.Second), Text: "two " + theSecret},
	}
	s := entered(t, Options{Source: f})
	resp, body := s.request(http.MethodGet, "/c/demo/logs.txt?node=&grep=", "")
	want := "2026-01-31T12:00:00Z n1 stdout | one <b>\n2026-01-31T12:00:01Z n2 stderr | two [secret]\n"
	if body != want || resp.Header.Get("Content-Type") != "text/plain; charset=utf-8" || !strings.HasPrefix(resp.Header.Get("Content-Disposition"), `attachment; filename="demo-`) {
		t.Errorf("%v %q", resp.Header, body)
	}
	if _, body := s.request(http.MethodGet, "/c/demo/logs.txt?node=n2", ""); strings.Contains(body, "n1") {
		t.Errorf("the lines of n2 are %q", body)
	}
	f.fail = errors.New("the grep is " + theSecret)
	if resp, body := s.request(http.MethodGet, "/c/demo/logs.txt", ""); resp.StatusCode != http.StatusInternalServerError || resp.Header.Get("Content-Disposition") != "" || !strings.Contains(body, "[secret]") {
		t.Errorf("%s %q", resp.Status, body)
	}
}

func TestTheScript(t *testing.T) {
	f := newFake()
	f.journal = []orchestrator.JournalEntry{{Time: time.Now(), Source: orchestrator.FromUser, Node: "n2", Text: "kill with SIGKILL"}}
	s := entered(t, Options{Source: f})
	for as, want := range map[string]string{"go": `c.Crash(t, "n2")`, "exunit": `Beamyard.crash("n2")`} {
		if resp, body := s.request(http.MethodGet, "/c/demo/script?as="+as, ""); resp.StatusCode != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s: %s %s", as, resp.Status, body)
		}
	}
	if resp, _ := s.request(http.MethodGet, "/c/demo/script", ""); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("%s", resp.Status)
	}
	if resp, _ := s.request(http.MethodGet, "/c/other/script?as=go", ""); resp.StatusCode != http.StatusNotFound {
		t.Errorf("of another cluster: %s", resp.Status)
	}
}

func TestAssets(t *testing.T) {
	text := strings.Repeat("let x = 1;\n", 100)
	all := assetsOf(fstest.MapFS{"a.js": {Data: []byte(text)}, "b.svg": {Data: []byte("<svg/>")}, "sub/c.css": {Data: []byte("a{}")}})
	if a := all["a.js"]; a.media != "text/javascript; charset=utf-8" || a.packed == nil || len(a.packed) >= len(text) {
		t.Errorf("a.js is %s, packed to %d bytes", a.media, len(a.packed))
	}
	if b := all["b.svg"]; b.media != "image/svg+xml" || b.packed != nil {
		t.Errorf("b.svg is %s, packed to %d bytes", b.media, len(b.packed))
	}
	s := entered(t, Options{Source: newFake()})
	resp, body := s.request(http.MethodGet, "/c/demo/", "")
	etag := resp.Header.Get("ETag")
	if etag == "" || resp.Header.Get("Cache-Control") != "no-cache" || body == "" {
		t.Errorf("%v", resp.Header)
	}
	if resp, body := s.request(http.MethodGet, "/c/demo/", "", "If-None-Match", etag); resp.StatusCode != http.StatusNotModified || body != "" {
		t.Errorf("%s", resp.Status)
	}
	// Every file of the page is of a kind that a browser accepts with nosniff.
	for name, a := range assets() {
		if a.media == "" {
			t.Errorf("%s has no media type", name)
		}
	}
}

func TestTheOverview(t *testing.T) {
	f := newFake()
	f.status.Nodes[1].State = orchestrator.BackingOff
	f.status.Nodes[1].Findings = []orchestrator.Finding{
		{Code: "b", Problem: "a symptom", SymptomOf: &orchestrator.Cause{Code: "a"}}, {Code: "a", Problem: "the root"},
	}
	f.status.Ready = false
	s := entered(t, Options{Source: f})
	_, body := s.request(http.MethodGet, "/api/clusters", "")
	if want := `[{"cluster":"demo","state":"backing-off","ready":false,"supervised":true,"nodes":3,"running":2,"finding":"a: the root","faults":0}]` + "\n"; body != want {
		t.Errorf("%s", body)
	}
	f.gone = errors.New("the engine is away")
	if resp, body := s.request(http.MethodGet, "/api/clusters", ""); resp.StatusCode != http.StatusServiceUnavailable || !strings.Contains(body, "the engine is away") {
		t.Errorf("%s %s", resp.Status, body)
	}
	// A page of one cluster says nothing of others.
	s = entered(t, Options{Source: newFake(), Only: "shop"})
	if _, body := s.request(http.MethodGet, "/api/clusters", ""); body != "[]\n" {
		t.Errorf("%s", body)
	}
	if resp, body := s.request(http.MethodGet, "/c/demo/stream", ""); resp.StatusCode != http.StatusNotFound || !strings.Contains(body, "beamyard ui") {
		t.Errorf("%s %s", resp.Status, body)
	}
}
