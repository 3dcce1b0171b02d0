package ui

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/hint"
	"github.com/beamyard/beamyard/orchestrator/secrets"
)

const (
	// linger is how long a feed goes on without a browser: a reloaded page is back at once.
	linger = 10 * time.Second
	// grace is how long answers in progress may take once the server is to end.
	grace = 2 * time.Second
	// doTime is how long an action may take.
	doTime = 5 * time.Minute
	// listTime is how long the list of clusters may take.
	listTime = 10 * time.Second
)

// Options configure a [Server]. Source is required.
type Options struct {
	Source Source
	// Only is the name of the only cluster that is served: / then leads to its page. "" serves
	// an overview of all clusters.
	Only string
	// ReadOnly refuses all changes.
	ReadOnly bool
	// Metrics answers GET /metrics. Nil: there is none.
	Metrics http.Handler
	// MetricsToken is what a scraper sends as "Authorization: Bearer TOKEN". "": metrics need
	// the cookie, as everything else, unless OpenMetrics is set.
	MetricsToken string
	// OpenMetrics serves metrics to every user of this machine.
	OpenMetrics bool
}

// Listener accepts connections on the loopback addresses of this machine, at one port.
type Listener struct {
	all  []net.Listener
	port int
}

// Listen listens on 127.0.0.1 and, if there is one, on ::1, at a port; 0 is a free one. A given port
// that is taken is an error that matches [syscall.EADDRINUSE].
func Listen(ctx context.Context, port int) (*Listener, error) {
	const tries = 20 // a port that is free at one address can be taken at the other
	for try := 1; ; try++ {
		l, err := listen(ctx, port)
		if err == nil || port != 0 || try == tries || !errors.Is(err, syscall.EADDRINUSE) {
			if err != nil {
				err = fmt.Errorf("listen for browsers: %w", err)
			}
			return l, err
		}
	}
}

func listen(ctx context.Context, port int) (*Listener, error) {
	var config net.ListenConfig
	v4, err := config.Listen(ctx, "tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return nil, err
	}
	l := &Listener{all: []net.Listener{v4}, port: v4.Addr().(*net.TCPAddr).Port}
	v6, err := config.Listen(ctx, "tcp6", net.JoinHostPort("::1", strconv.Itoa(l.port)))
	switch {
	case err == nil:
		l.all = append(l.all, v6)
	case errors.Is(err, syscall.EADDRINUSE): // a browser may try that address first: it must be ours
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// Port returns the port.
func (l *Listener) Port() int { return l.port }

// Close stops listening. A server that serves the listener closes it.
func (l *Listener) Close() error {
	var errs []error
	for _, one := range l.all {
		if err := one.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Server serves pages. All methods are safe for concurrent use.
type Server struct {
	Options
	l     *Listener
	guard *guard

	mu     sync.Mutex
	feeds  map[string]*watched
	ended  bool
	work   context.Context // what feeds and actions run under; it ends with Serve
	cancel context.CancelFunc
	wg     sync.WaitGroup // feeds and answers
}

// watched is a feed with its browsers.
type watched struct {
	*feed
	browsers int
	end      context.CancelFunc
	timer    *time.Timer // ends it; nil while there is a browser
}

// New returns a server for a listener. It does nothing before Serve.
func New(l *Listener, o Options) *Server {
	s := &Server{Options: o, l: l, guard: newGuard(l.port), feeds: map[string]*watched{}}
	s.work, s.cancel = context.WithCancel(context.Background())
	return s
}

// URL returns an address with a new token: a browser can open it once, within an hour. The path is
// that of the page to show: "/" or "/c/demo/". With readOnly the browser may change nothing.
func (s *Server) URL(path string, readOnly bool) string {
	m := mayChange
	if readOnly || s.ReadOnly {
		m = mayLook
	}
	u := url.URL{
		Scheme: "http", Host: net.JoinHostPort("localhost", strconv.Itoa(s.l.port)), Path: path,
		RawQuery: url.Values{"token": {s.guard.invite(m)}}.Encode(),
	}
	return u.String()
}

// Serve serves until ctx ends, and closes the listener. It returns nil if ctx ended it. Answers in
// progress then have 2 s to finish; streams end at once. No goroutine outlives Serve.
func (s *Server) Serve(ctx context.Context) error {
	answering, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	handler := s.handler()
	srv := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s.wg.Add(1)
			defer s.wg.Done()
			handler.ServeHTTP(w, r)
		}),
		BaseContext: func(net.Listener) context.Context { return answering },
		// No ReadTimeout: it would end streams.
		ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
	}
	broke := make(chan error, len(s.l.all))
	var accepting sync.WaitGroup
	for _, l := range s.l.all {
		accepting.Go(func() { broke <- srv.Serve(l) })
	}
	var err error
	select {
	case err = <-broke:
		err = fmt.Errorf("serve the page: %w", err)
	case <-ctx.Done():
	}
	s.end()
	closing, stop := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer stop()
	_ = srv.Shutdown(closing) // what is left then ends with its context
	cancel()
	s.cancel()
	_ = srv.Close()
	accepting.Wait()
	s.wg.Wait()
	return err
}

// end ends all feeds, and with them the streams.
func (s *Server) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	for _, f := range s.feeds {
		f.board.close()
		f.end()
		if f.timer != nil {
			f.timer.Stop()
		}
	}
}

// join returns the feed of a cluster, and starts it if nobody watches it yet.
func (s *Server) join(cluster string) *watched {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.feeds[cluster]
	if f == nil {
		ctx, cancel := context.WithCancel(s.work)
		f = &watched{feed: newFeed(s.Source, cluster), end: cancel}
		s.feeds[cluster] = f
		if s.ended {
			f.board.close()
			cancel()
		}
		s.wg.Go(func() { f.run(ctx) })
	}
	f.browsers++
	if f.timer != nil {
		f.timer.Stop()
		f.timer = nil
	}
	return f
}

// leave ends the feed a while after the last browser has left.
func (s *Server) leave(f *watched) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.browsers--; f.browsers > 0 || s.ended {
		return
	}
	f.timer = time.AfterFunc(linger, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if f.browsers == 0 && s.feeds[f.name] == f {
			delete(s.feeds, f.name)
			f.end()
		}
	})
}

// handler returns everything that is served.
func (s *Server) handler() http.Handler {
	private := http.NewServeMux()
	private.HandleFunc("GET /{$}", s.front)
	private.HandleFunc("GET /assets/{file...}", func(w http.ResponseWriter, r *http.Request) {
		name := r.PathValue("file")
		if strings.HasSuffix(name, ".html") { // pages have addresses of their own
			name = ""
		}
		serveAsset(w, r, name)
	})
	private.HandleFunc("GET /api/clusters", s.clusters)
	private.HandleFunc("GET /c/{cluster}/{$}", s.of(func(w http.ResponseWriter, r *http.Request) { serveAsset(w, r, "cluster.html") }))
	private.HandleFunc("GET /c/{cluster}/stream", s.of(s.stream))
	private.HandleFunc("GET /c/{cluster}/export", s.of(s.export))
	private.HandleFunc("GET /c/{cluster}/logs.txt", s.of(s.logs))
	private.HandleFunc("GET /c/{cluster}/script", s.of(s.script))
	private.HandleFunc("POST /c/{cluster}/do/{action}", s.of(s.do))

	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodGet && r.URL.Query().Has("token"):
			s.guard.enter(w, r)
		case s.guard.mode(r) == nobody:
			refuse(w, "This page needs a URL of its own for each browser.")
		default:
			private.ServeHTTP(w, r)
		}
	})
	if s.Metrics != nil {
		mux.HandleFunc("GET /metrics", s.metrics)
	}
	return s.guard.protect(mux)
}

// of refuses requests about clusters that are not served here.
func (s *Server) of(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if s.Only != "" && r.PathValue("cluster") != s.Only {
			plain(w, http.StatusNotFound, "This is the page of cluster %s alone. For the others, type: %s", s.Only, hint.Page.With())
			return
		}
		next(w, r)
	}
}

// mayChange reports whether the request's session may change clusters.
func (s *Server) mayChange(r *http.Request) bool {
	return !s.ReadOnly && s.guard.mode(r) == mayChange
}

// front serves the overview, or leads to the page of the only cluster.
func (s *Server) front(w http.ResponseWriter, r *http.Request) {
	name := s.Only
	if name == "" {
		asking, cancel := context.WithTimeout(r.Context(), listTime)
		defer cancel()
		if all, err := s.Source.List(asking); err == nil && len(all) == 1 {
			name = all[0].Cluster
		}
	}
	if name == "" {
		serveAsset(w, r, "index.html")
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, "/c/"+name+"/", http.StatusSeeOther)
}

// clusters lists the clusters.
func (s *Server) clusters(w http.ResponseWriter, r *http.Request) {
	asking, cancel := context.WithTimeout(r.Context(), listTime)
	defer cancel()
	all, err := s.Source.List(asking)
	if err != nil {
		answer(w, http.StatusServiceUnavailable, outcome{Error: err.Error(), Hint: orchestrator.HintOf(err).String()})
		return
	}
	list := []summary{}
	for _, st := range all {
		if s.Only == "" || st.Cluster == s.Only {
			one := summaryOf(st.Printed())
			one.Finding = secrets.NewMask(st.Spec).Text(one.Finding)
			list = append(list, one)
		}
	}
	answer(w, http.StatusOK, list)
}

// metrics answers a scraper.
func (s *Server) metrics(w http.ResponseWriter, r *http.Request) {
	given, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	allowed := s.OpenMetrics || s.MetricsToken != "" && equal(given, s.MetricsToken) || s.guard.mode(r) != nobody
	if !allowed {
		w.Header().Set("WWW-Authenticate", "Bearer")
		refuse(w, "Metrics need the token that the server was given, or the page's cookie.")
		return
	}
	s.Metrics.ServeHTTP(w, r)
}

// answer writes JSON.
func answer(w http.ResponseWriter, status int, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // plain data
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(data, '\n')) // fails if the browser is gone
}

// names returns the short names of a cluster's nodes.
func names(spec orchestrator.Spec) []string {
	var all []string
	for _, n := range spec.Nodes {
		all = append(all, n.Name)
	}
	return slices.Clip(all)
}
