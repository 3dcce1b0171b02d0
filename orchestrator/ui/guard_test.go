package ui

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
)

// anybody is another user of the machine: a client without the cookie, which follows no redirect.
func (s *served) anybody() *served {
	other := *s
	other.client = &http.Client{Transport: s.client.Transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return &other
}

// paths are all that needs a session.
var paths = []string{"/", "/c/demo/", "/assets/x.js", "/api/clusters", "/c/demo/stream", "/c/demo/export", "/c/demo/logs.txt", "/c/demo/script?as=go", "/metrics", "/nothing"}

func TestNothingIsServedWithoutASession(t *testing.T) {
	s := entered(t, Options{Source: newFake(), Metrics: http.NotFoundHandler()})
	for _, path := range paths {
		for what, header := range map[string][]string{
			"no cookie":      nil,
			"a wrong cookie": {"Cookie", s.guard.cookie() + "=" + strings.Repeat("A", 26)},
			"an empty one":   {"Cookie", s.guard.cookie() + "="},
			"the old name":   {"Cookie", "beamyard=" + s.guard.sessions[mayChange]},
		} {
			resp, body := s.anybody().request(http.MethodGet, path, "", header...)
			if resp.StatusCode != http.StatusUnauthorized || !strings.Contains(body, "beamyard ui NAME") || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/plain") {
				t.Errorf("%s, %s: %s %s", path, what, resp.Status, body)
			}
		}
	}
	resp, _ := s.anybody().request(http.MethodPost, "/c/demo/do/kill", `{"nodes":["n1"]}`)
	if resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("kill: %s", resp.Status)
	}
}

func TestATokenIsValidOnce(t *testing.T) {
	s := serve(t, Options{Source: newFake()})
	address, err := url.Parse(s.URL("/c/demo/", false))
	if err != nil {
		t.Fatal(err)
	}
	if address.Hostname() != "localhost" || address.Path != "/c/demo/" {
		t.Errorf("the URL is %s", address)
	}
	resp, _ := s.anybody().request(http.MethodGet, address.RequestURI(), "")
	if resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != "/c/demo/" {
		t.Fatalf("%s to %s", resp.Status, resp.Header.Get("Location"))
	}
	cookies := resp.cookies
	if len(cookies) != 1 {
		t.Fatalf("%d cookies", len(cookies))
	}
	c := cookies[0]
	if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Domain != "" || len(c.Value) < 26 || strings.Contains(address.RawQuery, c.Value) {
		t.Errorf("the cookie is %s", c)
	}
	if resp, body := s.anybody().request(http.MethodGet, address.RequestURI(), ""); resp.StatusCode != http.StatusUnauthorized || len(resp.cookies) > 0 {
		t.Errorf("used again: %s %s", resp.Status, body)
	}
	// The browser that has the cookie may reload the URL.
	if resp, _ := s.anybody().request(http.MethodGet, address.RequestURI(), "", "Cookie", c.Name+"="+c.Value); resp.StatusCode != http.StatusSeeOther || len(resp.cookies) > 0 {
		t.Errorf("reloaded: %s", resp.Status)
	}
	for _, token := range []string{"", "x", strings.Repeat("A", 26)} {
		if resp, _ := s.anybody().request(http.MethodGet, "/?token="+token, ""); resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("token %q: %s", token, resp.Status)
		}
	}
}

func TestATokenExpires(t *testing.T) {
	g := newGuard(1)
	now := time.Now()
	g.now = func() time.Time { return now }
	secret := g.invite(mayLook)
	now = now.Add(tokenTime)
	if _, ok := g.redeem(secret); ok {
		t.Error("it is valid after its time")
	}
	first := g.invite(mayLook)
	for range maxTokens {
		secret = g.invite(mayLook)
	}
	if _, ok := g.redeem(first); ok {
		t.Error("there is no bound of the tokens")
	}
	if session, ok := g.redeem(secret); !ok || g.session(session) != mayLook {
		t.Error("the last one is not valid")
	}
}

// A redirect after the token leads nowhere else.
func TestTheRedirectStaysHere(t *testing.T) {
	s := serve(t, Options{Source: newFake()})
	for _, path := range []string{"//evil.example/", "/\\evil.example/", "///evil.example"} {
		address := strings.Replace(s.URL("/", false), "/?", path+"?", 1)
		at := strings.Index(address, path)
		resp, _ := s.anybody().request(http.MethodGet, address[at:], "")
		if to := resp.Header.Get("Location"); strings.HasPrefix(to, "//") || strings.HasPrefix(to, "/\\") || strings.Contains(to, "://") {
			t.Errorf("%s leads to %s", path, to)
		}
	}
}

// A file that leads to the page is another site for browsers: after a redirect they would not send a
// strict cookie.
func TestAFileMayLeadHere(t *testing.T) {
	s := serve(t, Options{Source: newFake()})
	uri := strings.TrimPrefix(s.URL("/c/demo/", false), s.base)
	resp, body := s.anybody().request(http.MethodGet, uri, "", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate")
	if resp.StatusCode != http.StatusOK || len(resp.cookies) != 1 || !strings.Contains(body, `content="0; url=/c/demo/"`) || strings.Contains(body, "token") {
		t.Errorf("%s %s", resp.Status, body)
	}
}

func TestOurHost(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost:80": true, "LOCALHOST:80": true, "127.0.0.1:80": true, "[::1]:80": true,
		"localhost": false, "localhost:81": false, "127.0.0.1": false, "127.0.0.1:8080": false, "": false, ":80": false,
		"127.attacker.example:80": false, "127.0.0.1.attacker.example:80": false, "localhost.attacker.example:80": false, "attacker.example:80": false,
		"localhost.:80": false, "127.0.0.2:80": false, "0.0.0.0:80": false, "[::]:80": false, "[::ffff:127.0.0.1]:80": false, "2130706433:80": false,
		"localhost:80:80": false, "user@localhost:80": false, "[::1%25lo]:80": false,
	} {
		if got := ourHost(host, 80); got != want {
			t.Errorf("%q: %t", host, got)
		}
	}
}

// A foreign name that resolves to loopback gets nothing, even with the cookie.
func TestAForeignHostIsRefused(t *testing.T) {
	s := entered(t, Options{Source: newFake(), Metrics: http.NotFoundHandler(), OpenMetrics: true})
	for _, host := range []string{"127.attacker.example", "rebound.example", fmt.Sprintf("127.attacker.example:%d", s.l.port), "localhost"} {
		for _, path := range paths {
			if resp, body := s.request(http.MethodGet, path, "", "Host", host); resp.StatusCode != http.StatusMisdirectedRequest || strings.Contains(body, "demo") {
				t.Errorf("%s%s: %s %s", host, path, resp.Status, body)
			}
		}
		if resp, _ := s.request(http.MethodPost, "/c/demo/do/kill", `{"nodes":["n1"]}`, "Host", host); resp.StatusCode != http.StatusMisdirectedRequest {
			t.Errorf("%s: kill: %s", host, resp.Status)
		}
	}
	for _, host := range []string{"localhost", "127.0.0.1", "[::1]"} {
		if resp, _ := s.request(http.MethodGet, "/api/clusters", "", "Host", fmt.Sprintf("%s:%d", host, s.l.port), "Cookie", s.guard.cookie()+"="+s.guard.sessions[mayLook]); resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", host, resp.Status)
		}
	}
}

func TestRequestsFromOtherSitesAreRefused(t *testing.T) {
	f := newFake()
	s := entered(t, Options{Source: f})
	for what, header := range map[string][]string{
		"another site":           {"Sec-Fetch-Site", "cross-site"},
		"another port":           {"Sec-Fetch-Site", "same-site"},
		"another origin":         {"Origin", "http://attacker.example"},
		"another port's origin":  {"Origin", "http://localhost:1"},
		"no origin at all":       {"Origin", "null"},
		"a form":                 {"Content-Type", "application/x-www-form-urlencoded"},
		"a form of text":         {"Content-Type", "text/plain"},
		"a file's form":          {"Content-Type", "multipart/form-data; boundary=x"},
		"no type":                {"Content-Type", ""},
		"an origin over TLS":     {"Origin", "https://localhost"},
		"a beginning of our own": {"Origin", s.base + ".attacker.example"},
	} {
		if resp, body := s.request(http.MethodPost, "/c/demo/do/kill", `{"nodes":["n1"]}`, header...); resp.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %s %s", what, resp.Status, body)
		}
	}
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete, http.MethodPatch, http.MethodOptions, http.MethodHead} {
		if resp, _ := s.request(method, "/c/demo/do/kill", `{"nodes":["n1"]}`); resp.StatusCode == http.StatusOK {
			t.Errorf("%s changes something", method)
		}
	}
	if len(f.asked) > 0 {
		t.Fatalf("it was asked to %q", f.asked)
	}
	for _, header := range [][]string{{"Origin", s.base, "Sec-Fetch-Site", "same-origin"}, {"Content-Type", "application/json; charset=utf-8"}, nil} {
		if resp, body := s.request(http.MethodPost, "/c/demo/do/kill", `{"nodes":["n1"]}`, header...); resp.StatusCode != http.StatusOK {
			t.Errorf("%q: %s %s", header, resp.Status, body)
		}
	}
	if !slices.Equal(f.asked, slices.Repeat([]string{"kill KILL [n1]"}, 3)) {
		t.Errorf("it was asked to %q", f.asked)
	}
}

func TestHeaders(t *testing.T) {
	s := entered(t, Options{Source: newFake()})
	want := map[string]string{
		"Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'",
		"X-Content-Type-Options":  "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer", "Cross-Origin-Resource-Policy": "same-origin",
		"Access-Control-Allow-Origin": "", "Access-Control-Allow-Credentials": "",
	}
	for _, client := range []*served{s, s.anybody()} {
		for _, path := range []string{"/c/demo/", "/api/clusters", "/nothing", "/?token=x"} {
			resp, _ := client.request(http.MethodGet, path, "", "Origin", "http://attacker.example")
			for name, value := range want {
				if got := resp.Header.Get(name); got != value {
					t.Errorf("%s: %s is %q", path, name, got)
				}
			}
		}
	}
}

// The page is for this machine alone.
func TestItListensOnLoopbackOnly(t *testing.T) {
	l, err := Listen(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, one := range l.all {
		if addr := one.Addr().(*net.TCPAddr); !addr.IP.IsLoopback() || addr.Port != l.Port() {
			t.Errorf("it listens on %s", addr)
		}
	}
	if _, err := Listen(t.Context(), l.Port()); err == nil {
		t.Error("a taken port is taken again")
	}
}

func TestReadOnly(t *testing.T) {
	for what, o := range map[string]Options{"the server": {ReadOnly: true}, "the browser": {}} {
		f := newFake()
		o.Source = f
		s := serve(t, o)
		s.enter(s.URL("/", true))
		for _, a := range actions {
			resp, body := s.request(http.MethodPost, "/c/demo/do/"+string(a), `{"nodes":["n1"]}`)
			var got outcome
			if err := json.Unmarshal([]byte(body), &got); err != nil || resp.StatusCode != http.StatusForbidden || got.OK || got.Error == "" || got.Hint == "" {
				t.Errorf("%s: %s: %s %s", what, a, resp.Status, body)
			}
		}
		if resp, body := s.request(http.MethodPost, "/c/demo/do/kill?dry=1", `{"nodes":["n1"]}`); resp.StatusCode != http.StatusOK || !strings.Contains(body, "beamyard kill -c demo n1") {
			t.Errorf("%s: the command: %s %s", what, resp.Status, body)
		}
		if e, _ := s.watch("demo", "").next(); !strings.Contains(e.data, `"read_only":true`) {
			t.Errorf("%s: hello is %s", what, e.data)
		}
		if len(f.asked) > 0 {
			t.Errorf("%s: it was asked to %q", what, f.asked)
		}
	}
}

// Two servers do not log each other out.
func TestCookiesOfTwoServers(t *testing.T) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	var all []*served
	for range 2 {
		s := serve(t, Options{Source: newFake()})
		s.client.Jar = jar
		s.enter(s.URL("/", false))
		all = append(all, s)
	}
	for _, s := range all {
		if resp, _ := s.request(http.MethodGet, "/api/clusters", ""); resp.StatusCode != http.StatusOK {
			t.Errorf("%s", resp.Status)
		}
	}
}

// The cookie of the distribution and the secrets are in nothing that is served, whoever says them.
func TestNoPayloadHasASecret(t *testing.T) {
	f := newFake()
	said := "it said " + theSecret + " and " + theCookie
	now := time.Now()
	f.status.Source, f.status.Nodes[0].Reason = "/src/"+theCookie, said
	f.status.Nodes[0].State = orchestrator.Failed
	f.status.Nodes[0].Findings = []orchestrator.Finding{{Code: "x", Node: "n1", Problem: said, Evidence: said, Solutions: []orchestrator.Solution{}}}
	f.status.Nodes[0].LastExit = &orchestrator.Exit{Class: orchestrator.ExitBoot, Reason: said, Slogan: said}
	f.events = []orchestrator.Event{{Seq: 1, Time: now, Text: said}}
	f.journal = []orchestrator.JournalEntry{
		{Time: now, Source: orchestrator.FromNode, Node: "n2", Peer: "n1", Text: "nodedown n1 (" + said + ")"},
		{Time: now, Source: orchestrator.FromUser, Node: "n2", Text: said},
		{Time: now, Source: orchestrator.FromFault, Text: said, Fault: &fault.Fault{ID: "f1", Kind: fault.KindSqueeze, Nodes: []string{"n1"}, Limits: fault.Limits{Full: []string{"/" + theCookie}}}},
	}
	f.lines = []orchestrator.Line{{Node: "n1", Stream: orchestrator.Stdout, Seq: 1, Time: now, Text: said}}
	f.report.Findings = f.status.Nodes[0].Findings
	s := entered(t, Options{Source: f})
	var payloads []string
	read := func(method, path, body string) {
		resp, text := s.request(method, path, body)
		payloads = append(payloads, fmt.Sprint(resp.Header)+text)
	}
	w := s.watch("demo", "")
	for _, e := range append(w.until(kindLines, nil), w.until(kindSample, nil)...) {
		payloads = append(payloads, e.kind+e.data)
	}
	for _, e := range s.watch("demo", "").until(kindLive, nil) {
		payloads = append(payloads, e.kind+e.data)
	}
	for _, path := range []string{"/api/clusters", "/c/demo/logs.txt", "/c/demo/script?as=go", "/c/demo/script?as=exunit"} {
		read(http.MethodGet, path, "")
	}
	f.change(func(f *fake) {
		f.fail = orchestrator.WithHint(fmt.Errorf("%w: %s", orchestrator.ErrNotRunning, said), "%s", said)
	})
	for _, a := range []action{actKill, actSync, actHeal, actSlow} {
		read(http.MethodPost, "/c/demo/do/"+string(a), `{"nodes":["n1"],"loss":"5%"}`)
	}
	for _, e := range s.watch("demo", "").until(kindGone, nil) {
		payloads = append(payloads, e.kind+e.data)
	}
	masked := 0
	for _, p := range payloads {
		for _, part := range []string{theCookie, "s3cr3t", "pass"} {
			if strings.Contains(strings.ReplaceAll(p, `"passed":`, ""), part) {
				t.Errorf("%s is in %s", part, p)
			}
		}
		if strings.Contains(p, "[secret]") {
			masked++
		}
	}
	if masked < 12 {
		t.Errorf("only %d of %d payloads said something that was masked", masked, len(payloads))
	}
}

func TestMetrics(t *testing.T) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("up 1")) })
	for _, tc := range []struct {
		what   string
		o      Options
		header []string
		want   int
	}{
		{"without anything", Options{}, nil, http.StatusUnauthorized},
		{"with a token that nobody gave", Options{}, []string{"Authorization", "Bearer "}, http.StatusUnauthorized},
		{"with the token", Options{MetricsToken: "abc"}, []string{"Authorization", "Bearer abc"}, http.StatusOK},
		{"with another token", Options{MetricsToken: "abc"}, []string{"Authorization", "Bearer abcd"}, http.StatusUnauthorized},
		{"open", Options{OpenMetrics: true}, nil, http.StatusOK},
	} {
		tc.o.Source, tc.o.Metrics = newFake(), handler
		s := entered(t, tc.o)
		if resp, _ := s.anybody().request(http.MethodGet, "/metrics", "", tc.header...); resp.StatusCode != tc.want {
			t.Errorf("%s: %s", tc.what, resp.Status)
		}
		if resp, body := s.request(http.MethodGet, "/metrics", ""); resp.StatusCode != http.StatusOK || body != "up 1" {
			t.Errorf("%s, with the cookie: %s", tc.what, resp.Status)
		}
	}
}
