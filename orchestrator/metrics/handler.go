package metrics

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/health"
)

// Defaults of [Options].
const (
	DefaultMaxAge  = 5 * time.Second
	DefaultTimeout = 5 * time.Second
)

// margin is how much earlier than the scraper's timeout an answer must be ready.
const margin = 500 * time.Millisecond

// followAgain is how long the handler waits before it follows events again that broke off.
const followAgain = 5 * time.Second

// Build describes the program that supervises the cluster.
type Build struct {
	Version   string // "v1.2.3"
	Revision  string // commit
	GoVersion string // "go1.26.0"
}

// Options configure a [Handler]. The zero value works.
type Options struct {
	Build Build
	// Mesh is that of the cluster's spec: with [orchestrator.MeshNone] no pair should be
	// connected.
	Mesh orchestrator.MeshMode
	// MaxAge is how old a sample of the nodes may be. Default 5 s.
	MaxAge time.Duration
	// Timeout bounds a scrape. Default 5 s, or what the scraper's header
	// X-Prometheus-Scrape-Timeout-Seconds says if that is less.
	Timeout time.Duration
}

// Handler returns a handler that answers each request with the metrics of a cluster, in the text
// format of Prometheus or what the request prefers. It answers with 503 if the cluster's status is
// not known.
//
// Counters begin with the events that c keeps. The handler follows the events of c until ctx ends.
// c must stay the controller of one supervisor, because another one numbers its events anew.
func Handler(ctx context.Context, c orchestrator.Controller, o Options) http.Handler {
	h := &handler{
		cluster: c, options: o, tally: newTally(), turn: make(chan struct{}, 1),
		maxAge: cmp.Or(o.MaxAge, DefaultMaxAge), timeout: cmp.Or(o.Timeout, DefaultTimeout),
	}
	h.turn <- struct{}{}
	go h.follow(ctx)
	return h
}

type handler struct {
	cluster orchestrator.Controller
	options Options
	maxAge  time.Duration
	timeout time.Duration
	tally   *tally

	failures atomic.Uint64

	turn   chan struct{} // holds a token while no scrape uses the sample
	sample *health.Report
	taken  time.Time
}

// follow counts events as they happen: a scrape may be so late that they are no longer kept.
func (h *handler) follow(ctx context.Context) {
	for ctx.Err() == nil {
		_ = h.cluster.Events(ctx, h.tally.after(), true, h.tally.add) // without a supervisor there are none; it may come back
		select {
		case <-ctx.Done():
		case <-time.After(followAgain):
		}
	}
}

// ServeHTTP implements [http.Handler].
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), scrapeTime(h.timeout, r.Header))
	defer cancel()
	s, err := h.look(ctx)
	if err != nil {
		http.Error(w, fmt.Sprintf("the cluster's status is not known: %v", err), http.StatusServiceUnavailable)
		return
	}
	write(w, r, s)
}

// write answers a request with a snapshot.
func write(w http.ResponseWriter, r *http.Request, s snapshot) {
	registry := prometheus.NewRegistry() // of this scrape alone: a collector has no context
	registry.MustRegister(s)
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP(w, r)
}

// look asks the cluster what a scrape reports. Only a status that fails is an error.
func (h *handler) look(ctx context.Context) (s snapshot, err error) {
	s = snapshot{build: h.options.Build, mesh: h.options.Mesh}
	if s.status, err = h.cluster.Status(ctx); err != nil {
		return s, err
	}
	_ = h.cluster.Events(ctx, h.tally.after(), false, h.tally.add) // the newest, which the follower may not have yet
	s.counts = h.tally.counts()
	if s.health = h.healthOf(ctx); s.health == nil {
		h.failures.Add(1)
	}
	s.failures = h.failures.Load()
	return s, nil
}

// healthOf returns the last sample of the nodes, or a new one if that is too old. It returns nil if
// there is none before ctx ends. Concurrent scrapes wait for one sample.
func (h *handler) healthOf(ctx context.Context) *health.Report {
	select {
	case <-h.turn:
		defer func() { h.turn <- struct{}{} }()
	case <-ctx.Done():
		return nil
	}
	if h.sample == nil || time.Since(h.taken) >= h.maxAge {
		report, err := h.cluster.Health(ctx)
		if err != nil {
			return nil
		}
		h.sample, h.taken = &report.Report, time.Now()
	}
	return h.sample
}

// scrapeTime returns how long a scrape may take.
func scrapeTime(most time.Duration, header http.Header) time.Duration {
	seconds, err := strconv.ParseFloat(header.Get("X-Prometheus-Scrape-Timeout-Seconds"), 64)
	asked := time.Duration(seconds * float64(time.Second))
	if err != nil || asked <= 0 {
		return most
	}
	return min(most, max(asked-margin, asked/2))
}
