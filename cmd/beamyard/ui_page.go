package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"html"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"sync"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/cluster"
	"github.com/beamyard/beamyard/orchestrator/control"
	"github.com/beamyard/beamyard/orchestrator/hint"
	"github.com/beamyard/beamyard/orchestrator/metrics"
	"github.com/beamyard/beamyard/orchestrator/ui"
	"github.com/beamyard/beamyard/orchestrator/watchdog"
)

// page is the page of the cluster of this process. It is served from the first request on, until the
// process's work ends.
type page struct {
	name    string
	src     ui.Source
	metrics func() http.Handler // begins to count; nil: there are none
	serve   func(*ui.Server)    // on a goroutine of its own

	mu     sync.Mutex
	server *ui.Server
	port   int
	token  string // of scrapers
}

// newPage returns the page of a cluster. It is served on goroutines of wg until work ends.
func newPage(work context.Context, wg *sync.WaitGroup, c *cluster.Cluster, eng orchestrator.Engine) *page {
	count := func() http.Handler {
		v := buildVersion()
		return metrics.Handler(work, c, metrics.Options{Build: metrics.Build{Version: v.Version, Revision: v.Commit, GoVersion: v.Go}, Mesh: c.Spec().Mesh})
	}
	return &page{name: c.Spec().Name, src: ownCluster{c, eng}, metrics: count, serve: func(s *ui.Server) {
		wg.Go(func() { _ = s.Serve(work) }) // a page that fails takes no cluster with it
	}}
}

// open returns an address of the page.
func (p *page) open(ctx context.Context, r control.PageRequest) (control.Page, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.server != nil && r.Port != 0 && r.Port != p.port {
		return control.Page{}, orchestrator.WithHint(fmt.Errorf("the page of %s is served at port %d already", p.name, p.port), "%s", hint.Page.On(p.name))
	}
	if p.server == nil {
		l, err := ui.Listen(ctx, r.Port)
		if err != nil {
			return control.Page{}, err
		}
		p.port, p.token = l.Port(), rand.Text()
		options := ui.Options{Source: p.src, Only: p.name, MetricsToken: p.token}
		if p.metrics != nil {
			options.Metrics = p.metrics()
		}
		p.server = ui.New(l, options)
		p.serve(p.server)
	}
	answer := control.Page{URL: p.server.URL("/c/"+p.name+"/", r.ReadOnly)}
	if p.metrics != nil {
		answer.Metrics, answer.MetricsToken = fmt.Sprintf("http://localhost:%d/metrics", p.port), p.token
	}
	return answer, nil
}

// paged is a cluster with its page, for the control socket.
type paged struct {
	*cluster.Cluster
	page *page
}

var _ control.Pager = paged{}

// Page implements [control.Pager].
func (p paged) Page(ctx context.Context, r control.PageRequest) (control.Page, error) {
	return p.page.open(ctx, r)
}

// announce prints the address of a page, if the cluster is to have one from its start. It is called
// when the cluster is up. A page that cannot be served is not an error of the cluster.
func (u *up) announce(ctx context.Context, open func(context.Context, control.PageRequest) (control.Page, error)) {
	if !u.spec.UI {
		return
	}
	p, err := open(ctx, control.PageRequest{})
	if err != nil {
		u.say("no page: %v", err)
		return
	}
	u.say("page: %s", p.URL)
	u.say("      (opens once; for another browser: beamyard ui %s)", u.spec.Name)
}

// announceDetached is announce for a cluster whose supervisor is another process.
func (u *up) announceDetached(ctx context.Context) {
	if !u.spec.UI {
		return
	}
	client, err := control.Dial(ctx, u.spec.Name)
	if err != nil {
		u.say("no page: %v", err)
		return
	}
	defer client.Close()
	u.announce(ctx, client.Page)
}

// openBrowser opens an address in the user's browser, if there is a display. It never fails: the
// address is printed in any case.
func openBrowser(name, address string) {
	program := browser(runtime.GOOS, os.Getenv, exec.LookPath)
	if program == "" {
		return
	}
	path, err := control.PageFile(name, fmt.Sprintf("<!doctype html>\n<meta charset=\"utf-8\">\n<meta http-equiv=\"refresh\" content=\"0; url=%s\">\n<title>Beamyard</title>\n",
		html.EscapeString(address)))
	if err != nil {
		return
	}
	cmd := exec.Command(program, path) //nolint:noctx // the browser outlives this command
	cmd.SysProcAttr = watchdog.OwnSession()
	if cmd.Start() == nil {
		_ = cmd.Process.Release() // it is not waited for
	}
}

// browser returns the program that opens a file in the user's browser; "" if there is none, or no
// display.
func browser(system string, env func(string) string, look func(string) (string, error)) string {
	names := []string{"wslview"} // it is there only where Windows has the display
	switch {
	case system == "darwin":
		names = []string{"open"}
	case env("DISPLAY") != "" || env("WAYLAND_DISPLAY") != "":
		names = []string{"wslview", "xdg-open"}
	}
	for _, name := range names {
		if path, err := look(name); err == nil {
			return path
		}
	}
	return ""
}
