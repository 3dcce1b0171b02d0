package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// This file is the browser of scripts: $PAGE is the server, $PAGE_COOKIE the cookie that it gave.

// addressIn finds the address that `ui` prints, as a line or in JSON, once it is complete.
var addressIn = regexp.MustCompile(`http://localhost:\d+/[a-z0-9/-]*\?token=[A-Z0-9]{26}`)

// enterPage is "enter-page FILE [STATUS]": opens the address in the file, once there is one.
func enterPage(ts *testscript.TestScript, _ bool, args []string) {
	address := ""
	if !within(30*time.Second, func() bool {
		if !exists(ts.MkAbs(args[0])) {
			return false
		}
		address = addressIn.FindString(ts.ReadFile(args[0]))
		return address != ""
	}) {
		ts.Fatalf("%s has no address", args[0])
	}
	u, err := url.Parse(address)
	ts.Check(err)
	ts.Setenv("PAGE", "http://"+u.Host)
	cookie := ts.Getenv("PAGE_COOKIE")
	ts.Setenv("PAGE_COOKIE", "")
	want := http.StatusSeeOther
	if len(args) > 1 {
		want, err = strconv.Atoi(args[1])
		ts.Check(err)
	}
	resp := requestPage(ts, http.MethodGet, u.RequestURI(), "")
	defer resp.Body.Close()
	if resp.StatusCode != want {
		ts.Fatalf("%s: %s", u.Path, resp.Status)
	}
	for _, c := range resp.Cookies() {
		cookie = c.Name + "=" + c.Value
	}
	ts.Setenv("PAGE_COOKIE", cookie)
}

// getPage is "get-page PATH STATUS PATTERN".
func getPage(ts *testscript.TestScript, _ bool, args []string) {
	answered(ts, requestPage(ts, http.MethodGet, args[0], ""), args[1], args[2]) //nolint:bodyclose // answered closes it
}

// postPage is "post-page PATH BODY STATUS PATTERN".
func postPage(ts *testscript.TestScript, _ bool, args []string) {
	answered(ts, requestPage(ts, http.MethodPost, args[0], args[1]), args[2], args[3]) //nolint:bodyclose // answered closes it
}

// watchPage is "watch-page PATH PATTERN": a line of the stream matches within 30 s. The stream begins
// anew with each command.
func watchPage(ts *testscript.TestScript, _ bool, args []string) {
	pattern := regexp.MustCompile(args[1])
	deadline := time.Now().Add(30 * time.Second)
	var seen bytes.Buffer
	for time.Now().Before(deadline) {
		resp := requestPage(ts, http.MethodGet, args[0], "")
		if resp.StatusCode != http.StatusOK {
			ts.Fatalf("%s: %s", args[0], resp.Status)
		}
		timer := time.AfterFunc(time.Until(deadline), func() { resp.Body.Close() })
		seen.Reset()
		chunk := make([]byte, 64<<10)
		for {
			n, err := resp.Body.Read(chunk)
			seen.Write(chunk[:n])
			if pattern.Match(seen.Bytes()) {
				timer.Stop()
				resp.Body.Close()
				return
			}
			if err != nil { // the server cut it: a browser connects again
				break
			}
		}
		timer.Stop()
		resp.Body.Close()
	}
	ts.Fatalf("%q never matched:\n%s", args[1], seen.Bytes())
}

func answered(ts *testscript.TestScript, resp *http.Response, status, pattern string) {
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	ts.Check(err)
	if strconv.Itoa(resp.StatusCode) != status || !regexp.MustCompile(pattern).Match(body) {
		ts.Fatalf("%s: %s", resp.Status, body[:min(len(body), 4000)])
	}
}

func requestPage(ts *testscript.TestScript, method, path, body string) *http.Response {
	base := ts.Getenv("PAGE")
	if base == "" { // of the address that is about to be used
		u, err := url.Parse(addressIn.FindString(ts.ReadFile("url")))
		ts.Check(err)
		base = "http://" + u.Host
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	ts.Defer(cancel)
	req, err := http.NewRequestWithContext(ctx, method, base+path, strings.NewReader(body))
	ts.Check(err)
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Origin", base)
	}
	req.Header.Set("Cookie", ts.Getenv("PAGE_COOKIE"))
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		ts.Fatalf("%v", fmt.Errorf("%s: %w", path, err))
	}
	return resp
}
