package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
)

// grace is how long answers in progress may take once a server is stopped: the reply to /down
// is being sent at that moment.
const grace = 2 * time.Second

// Serve serves c on l until ctx ends, and closes l. It returns nil if ctx ended it.
// Requests in progress then have 2 s to finish, after which their contexts are cancelled.
// No goroutine outlives Serve.
func Serve(ctx context.Context, l net.Listener, c orchestrator.Controller) error {
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	var handlers sync.WaitGroup
	mux := (&server{c}).routes()
	srv := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			handlers.Add(1)
			defer handlers.Done()
			mux.ServeHTTP(w, r)
		}),
		BaseContext:       func(net.Listener) context.Context { return work },
		ReadHeaderTimeout: 10 * time.Second,
	}
	var broke error
	over := make(chan struct{})
	go func() {
		defer close(over)
		broke = srv.Serve(l)
	}()

	select {
	case <-over:
		cancel()
		_ = srv.Close() // it is broken already
		handlers.Wait()
		return fmt.Errorf("serve control socket: %w", broke)
	case <-ctx.Done():
	}
	closing, stop := context.WithTimeout(work, grace)
	defer stop()
	err := srv.Shutdown(closing)
	cancel()
	if err != nil {
		_ = srv.Close() // its connections also end with their contexts
	}
	<-over
	handlers.Wait()
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("close control socket: %w", err)
	}
	return nil
}

type server struct{ c orchestrator.Controller }

func (s *server) routes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /supervisor", s.supervisor)
	mux.HandleFunc("GET /status", s.status)
	mux.HandleFunc("GET /spec", s.spec)
	mux.HandleFunc("GET /health", s.health)
	mux.HandleFunc("POST /ready", s.do(func(ctx context.Context, _ nodesRequest) error { return s.c.WaitReady(ctx) }))
	mux.HandleFunc("GET /events", s.events)
	mux.HandleFunc("GET /journal", s.journal)
	mux.HandleFunc("GET /logs", s.logs)
	mux.HandleFunc("POST /nodes/start", s.do(func(ctx context.Context, r nodesRequest) error { return s.c.Start(ctx, r.Nodes...) }))
	mux.HandleFunc("POST /nodes/stop", s.do(func(ctx context.Context, r nodesRequest) error { return s.c.Stop(ctx, r.Nodes...) }))
	mux.HandleFunc("POST /nodes/restart", s.do(func(ctx context.Context, r nodesRequest) error { return s.c.Restart(ctx, r.Nodes...) }))
	mux.HandleFunc("POST /nodes/kill", s.do(func(ctx context.Context, r nodesRequest) error { return s.c.Kill(ctx, r.Signal, r.Nodes...) }))
	mux.HandleFunc("POST /nodes/pause", s.do(func(ctx context.Context, r nodesRequest) error { return s.c.Pause(ctx, r.Nodes...) }))
	mux.HandleFunc("POST /nodes/unpause", s.do(func(ctx context.Context, r nodesRequest) error { return s.c.Unpause(ctx, r.Nodes...) }))
	mux.HandleFunc("POST /eval", s.eval)
	mux.HandleFunc("POST /sync", s.sync)
	mux.HandleFunc("POST /upgrade", s.upgrade)
	mux.HandleFunc("POST /ui", s.page)
	mux.HandleFunc("POST /down", s.do(func(ctx context.Context, _ nodesRequest) error { return s.c.Down(ctx) }))
	return mux
}

func (s *server) supervisor(w http.ResponseWriter, r *http.Request) {
	st, err := s.c.Status(r.Context())
	answer(w, Supervisor{Cluster: st.Cluster, PID: os.Getpid(), Goroutines: runtime.NumGoroutine()}, err)
}

func (s *server) status(w http.ResponseWriter, r *http.Request) {
	st, err := s.c.Status(r.Context())
	answer(w, st, err)
}

func (s *server) journal(w http.ResponseWriter, r *http.Request) {
	entries, err := s.c.Journal(r.Context())
	answer(w, entries, err)
}

func (s *server) health(w http.ResponseWriter, r *http.Request) {
	report, err := s.c.Health(r.Context())
	answer(w, report, err)
}

func (s *server) eval(w http.ResponseWriter, r *http.Request) {
	var req evalRequest
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
		refuse(w, fmt.Errorf("read request: %w", err))
		return
	}
	out := newStream[evalPart](w, true)
	printed := writerFunc(func(p []byte) error { return out.item(evalPart{Output: p}) })
	value, err := s.c.Eval(r.Context(), req.Node, req.Expression, orchestrator.EvalOptions{Output: printed, File: req.File, Erlang: req.Erlang})
	if err == nil {
		err = out.item(evalPart{Value: []byte(value), Done: true})
	}
	out.end(err)
}

// writerFunc is a writer that writes everything or fails.
type writerFunc func(p []byte) error

func (f writerFunc) Write(p []byte) (int, error) {
	if err := f(p); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (s *server) sync(w http.ResponseWriter, r *http.Request) {
	var opts orchestrator.SyncOptions
	if err := json.NewDecoder(r.Body).Decode(&opts); err != nil {
		refuse(w, fmt.Errorf("read request: %w", err))
		return
	}
	report, err := s.c.Sync(r.Context(), opts)
	answer(w, report, err)
}

// do answers a request without a result.
func (s *server) do(f func(context.Context, nodesRequest) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var req nodesRequest
		if r.ContentLength != 0 {
			if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
				refuse(w, fmt.Errorf("read request: %w", err))
				return
			}
		}
		answer(w, struct{}{}, f(r.Context(), req))
	}
}

func (s *server) events(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	after, err := parse(q.Get("after"), func(v string) (uint64, error) { return strconv.ParseUint(v, 10, 64) })
	if err != nil {
		refuse(w, err)
		return
	}
	follow, err := parse(q.Get("follow"), strconv.ParseBool)
	if err != nil {
		refuse(w, err)
		return
	}
	out := newStream[orchestrator.Event](w, follow)
	out.end(s.c.Events(r.Context(), after, follow, out.item))
}

func (s *server) logs(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	query := orchestrator.LogQuery{Nodes: q["node"], Stream: orchestrator.Stream(q.Get("stream")), Grep: q.Get("grep")}
	var errs [5]error
	query.Tail, errs[0] = parse(q.Get("tail"), strconv.Atoi)
	query.Since, errs[1] = parse(q.Get("since"), func(v string) (time.Time, error) { return time.Parse(time.RFC3339Nano, v) })
	query.Follow, errs[2] = parse(q.Get("follow"), strconv.ParseBool)
	query.Run, errs[3] = parse(q.Get("run"), strconv.Atoi)
	query.SinceRestart, errs[4] = parse(q.Get("since-restart"), strconv.ParseBool)
	if err := errors.Join(errs[:]...); err != nil {
		refuse(w, err)
		return
	}
	out := newStream[line](w, query.Follow)
	out.end(s.c.Logs(r.Context(), query, func(l orchestrator.Line) error { return out.item(toWireLine(l)) }))
}

// parse parses a parameter; a missing one is the zero value.
func parse[T any](text string, f func(string) (T, error)) (value T, err error) {
	if text == "" {
		return value, nil
	}
	return f(text)
}

// answer writes a value or an error.
func answer(w http.ResponseWriter, value any, err error) {
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		// All failures have one status: the body identifies the error.
		w.WriteHeader(http.StatusConflict)
		value = toWire(err)
	}
	_ = json.NewEncoder(w).Encode(value) // fails if the client is gone
}

// refuse answers an invalid request.
func refuse(w http.ResponseWriter, err error) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusBadRequest)
	_ = json.NewEncoder(w).Encode(toWire(err)) // fails if the client is gone
}

// stream writes frames. A stream that follows sends each one at once; others are buffered.
type stream[T any] struct {
	enc   *json.Encoder
	flush func() error
	live  bool
}

func newStream[T any](w http.ResponseWriter, live bool) *stream[T] {
	w.Header().Set("Content-Type", "application/x-ndjson")
	s := &stream[T]{enc: json.NewEncoder(w), flush: http.NewResponseController(w).Flush, live: live}
	if live {
		_ = s.flush() // the headers: the client waits for them before the first item
	}
	return s
}

func (s *stream[T]) item(v T) error {
	if err := s.enc.Encode(frame[T]{Item: &v}); err != nil {
		return err
	}
	if s.live {
		return s.flush()
	}
	return nil
}

func (s *stream[T]) end(err error) {
	_ = s.enc.Encode(frame[T]{Error: toWire(err), End: err == nil}) // fails if the client is gone
}
