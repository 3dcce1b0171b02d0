// Package browser tests the page of `beamyard ui` in a real browser, Chromium, which speaks the
// DevTools protocol with chromedp.
//
//	test ──► world: a cluster that does what the test says ──► stub: the contract of the server
//	  │                                                          │  page, stream, actions
//	  └────► chromedp ──► Chromium ◄────────────────────────────┘
//
// The stub serves the files of ../page as the real server does, with its Content-Security-Policy.
// It needs no engine, so that a crash, 50 nodes, a thousand lines a second, and a stream that
// breaks are there when a test says so. What is essential runs against the real server too.
//
// Chromium is found as chromium, chromium-browser or google-chrome; `.ci/prepare browser` installs
// it. Where it is missing, the tests fail in CI ($CI is set) and are skipped elsewhere.
//
// Screenshots of each pane go to the folder ui in $BEAMYARD_EXPORT_DIR, or with
// `go test -artifacts` to the test's own folder.
//
// # Threads
//
// The package has only tests. The stub has one goroutine for each connection, which the test's end
// closes.
package browser
