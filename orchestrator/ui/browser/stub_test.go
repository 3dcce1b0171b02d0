package browser

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
)

// policy is the Content-Security-Policy of the real server: a page that works here works there.
const policy = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"

// stub speaks the contract of the server about one world. It can be away: the listener is closed,
// its connections end, and it comes back at the same address.
type stub struct {
	world *world
	hello hello

	mu      sync.Mutex
	boot    string
	log     []message     // all messages after the snapshot, by seq-1
	more    chan struct{} // closed when log grows, or the server goes away
	addr    string
	server  *http.Server
	done    []request // what the page did
	queries []string  // of the logs and of tests
	deaf    bool      // the stream answers 503
	breaks  int       // so many requests for matrix.js break off
}

type hello struct {
	Cluster    string    `json:"cluster"`
	ReadOnly   bool      `json:"read_only"`
	Supervised bool      `json:"supervised"`
	Resumed    bool      `json:"resumed"`
	Boot       string    `json:"boot"`
	Now        time.Time `json:"now"`
	TakeOver   string    `json:"take_over"`
}

type message struct {
	kind string
	data []byte
}

// request is an action that the page asked for, as it was asked.
type request struct {
	Action  string     `json:"-"`
	Dry     bool       `json:"-"`
	Nodes   []string   `json:"nodes"`
	Groups  [][]string `json:"groups"`
	Kind    string     `json:"kind"`
	For     string     `json:"for"`
	Pairs   []string   `json:"pairs"`
	Latency string     `json:"latency"`
	Loss    string     `json:"loss"`
	Rate    string     `json:"rate"`
	IDs     []string   `json:"ids"`
}

// serve starts a stub about a world, until the test ends.
func serve(t *testing.T, w *world) *stub {
	t.Helper()
	s := &stub{world: w, boot: "b1", more: make(chan struct{}), addr: "127.0.0.1:0"}
	s.hello = hello{Cluster: w.status.Cluster, Supervised: w.status.Supervised}
	w.mu.Lock()
	w.tell = s.say
	w.mu.Unlock()
	s.up(t)
	t.Cleanup(s.down)
	return s
}

// up listens, at the same address as before.
func (s *stub) up(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", s.addr)
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addr = l.Addr().String()
	s.server = &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	go func(server *http.Server) { _ = server.Serve(l) }(s.server) // ends with Close
}

// down closes the listener and every connection.
func (s *stub) down() {
	s.mu.Lock()
	server := s.server
	s.wake()
	s.mu.Unlock()
	_ = server.Close()
}

func (s *stub) url(file string) string { return "http://" + s.addr + file }

func (s *stub) cluster() string { return s.url("/c/" + s.world.status.Cluster + "/") }

// wake lets streams look again; mu is held.
func (s *stub) wake() {
	close(s.more)
	s.more = make(chan struct{})
}

// say sends one message to each stream.
func (s *stub) say(kind string, payload any) {
	data, err := json.Marshal(payload)
	if err != nil {
		panic(err) // a payload of the test's own
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = append(s.log, message{kind, data})
	s.wake()
}

// ServeHTTP answers as the server does.
func (s *stub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Security-Policy", policy)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Referrer-Policy", "no-referrer")
	base := "/c/" + s.world.status.Cluster + "/"
	switch p := r.URL.Path; {
	case p == "/":
		file(w, r, "index.html")
	case p == base:
		file(w, r, "cluster.html")
	case p == "/assets/matrix.js" && s.broken():
		panic(http.ErrAbortHandler)
	case strings.HasPrefix(p, "/assets/"):
		file(w, r, path.Base(p))
	case p == "/api/clusters":
		answer(w, http.StatusOK, s.clusters())
	case p == base+"stream":
		s.stream(w, r)
	case strings.HasPrefix(p, base+"do/") && r.Method == http.MethodPost:
		s.do(w, r, path.Base(p))
	case p == base+"script":
		s.mu.Lock()
		s.queries = append(s.queries, r.URL.RawQuery)
		s.mu.Unlock()
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		fmt.Fprintf(w, "func TestWhatWasDone(t *testing.T) {\n\tc := testsupport.Start(t, \".\")\n\tc.Crash(t, \"n2\") // %s\n}\n", r.URL.Query().Get("as"))
	default:
		http.NotFound(w, r)
	}
}

// broken says whether a request breaks off.
func (s *stub) broken() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.breaks--
	return s.breaks >= 0
}

func file(w http.ResponseWriter, r *http.Request, name string) {
	w.Header().Set("Cache-Control", "no-cache")
	data, err := os.ReadFile("../page/" + name)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", map[string]string{
		".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml",
	}[path.Ext(name)])
	_, _ = w.Write(data)
}

func answer(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v)
}

func (s *stub) clusters() []map[string]any {
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	st := s.world.status
	running, finding, state := 0, "", "ready"
	for _, n := range st.Nodes {
		if n.State.Running() {
			running++
		}
		if n.State != orchestrator.Ready {
			state = string(n.State)
		}
		for _, f := range n.Findings {
			finding = f.String()
		}
	}
	return []map[string]any{
		{"cluster": st.Cluster, "state": state, "ready": st.Ready, "supervised": st.Supervised, "nodes": len(st.Nodes), "running": running, "finding": finding, "faults": len(st.Faults)},
		{"cluster": "shop", "state": "failed", "ready": false, "supervised": true, "nodes": 3, "running": 2, "finding": "port-in-use: the application of n2 cannot listen on port 9100: another process in its container uses it already", "faults": 0},
		{"cluster": "rabbit", "state": "running", "ready": false, "supervised": false, "nodes": 5, "running": 5, "finding": "", "faults": 0},
	}
}

// stream sends a snapshot and what comes after it, or what comes after the message that the
// browser names.
func (s *stub) stream(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	deaf := s.deaf
	s.mu.Unlock()
	if deaf {
		http.Error(w, "not now", http.StatusServiceUnavailable)
		return
	}
	last := r.Header.Get("Last-Event-ID")
	if last == "" {
		last = r.URL.Query().Get("after")
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	send := func(kind, id string, data []byte) {
		if id != "" {
			fmt.Fprintf(w, "id: %s\n", id)
		}
		fmt.Fprintf(w, "event: %s\ndata: %s\n\n", kind, data)
	}
	must := func(v any) []byte {
		data, err := json.Marshal(v)
		if err != nil {
			panic(err) // a payload of the test's own
		}
		return data
	}
	fmt.Fprint(w, "retry: 200\n\n")

	s.world.mu.Lock() // nothing happens between the snapshot and the place that it stands for
	s.mu.Lock()
	h, at := s.hello, len(s.log)
	h.Boot, h.Now = s.boot, time.Now()
	if boot, seq, ok := strings.Cut(last, "-"); ok && boot == s.boot {
		if n, err := strconv.Atoi(seq); err == nil && n <= len(s.log) {
			h.Resumed, at = true, n
		}
	}
	s.mu.Unlock()
	send("hello", "", must(h))
	if !h.Resumed {
		world := s.world
		send("status", "", must(world.status.Printed()))
		if world.health != nil {
			send("health", "", must(world.health.Printed()))
		}
		send("pairs", "", must(world.pairs()))
		for _, e := range world.events {
			send("happened", "", must(e.Printed()))
		}
		for _, e := range world.journ {
			send("journal", "", must(e))
		}
		for _, e := range world.sample {
			send("sample", "", must(e))
		}
		send("lines", "", must(world.lines[max(0, len(world.lines)-5000):]))
		send("live", fmt.Sprintf("%s-%d", s.boot, at), []byte("{}"))
	}
	s.world.mu.Unlock()

	flush := http.NewResponseController(w)
	for {
		s.mu.Lock()
		fresh, more := s.log[at:], s.more
		s.mu.Unlock()
		for _, m := range fresh {
			at++
			send(m.kind, fmt.Sprintf("%s-%d", s.boot, at), m.data)
		}
		if err := flush.Flush(); err != nil {
			return
		}
		select {
		case <-more:
		case <-r.Context().Done():
			return
		}
	}
}

// do carries out an action in the world, and says which command does the same.
func (s *stub) do(w http.ResponseWriter, r *http.Request, action string) {
	req := request{}
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
		answer(w, http.StatusBadRequest, map[string]any{"ok": false, "error": err.Error()})
		return
	}
	req.Action, req.Dry = action, r.URL.Query().Has("dry")
	words := []string{"beamyard", action, "-c", s.world.status.Cluster}
	words = append(words, req.Nodes...)
	words = append(words, req.IDs...)
	words = append(words, req.Pairs...)
	for _, g := range req.Groups {
		words = append(words, strings.Join(g, ","))
	}
	for _, flag := range []struct{ name, value string }{{"--kind", req.Kind}, {"--loss", req.Loss}, {"--latency", req.Latency}, {"--rate", req.Rate}, {"--for", req.For}} {
		if flag.value != "" && (flag.name != "--kind" || flag.value != "drop") {
			words = append(words, flag.name, flag.value)
		}
	}
	command := strings.Join(words, " ")
	s.mu.Lock()
	s.done = append(s.done, req)
	readOnly := s.hello.ReadOnly
	s.mu.Unlock()
	switch {
	case req.For == "never":
		answer(w, http.StatusBadRequest, map[string]any{"ok": false, "error": `"never" is not a time like 10s or 2m`})
	case req.Dry:
		answer(w, http.StatusOK, map[string]any{"ok": true, "command": command})
	case readOnly:
		answer(w, http.StatusForbidden, map[string]any{"ok": false, "command": command, "error": "the page is read-only", "hint": "beamyard ui"})
	case action == "slow":
		answer(w, http.StatusNotImplemented, map[string]any{"ok": false, "command": command, "error": "this kernel has no netem", "hint": "beamyard doctor"})
	default:
		answer(w, http.StatusOK, map[string]any{"ok": true, "command": command, "said": s.carryOut(action, req)})
	}
}

func (s *stub) carryOut(action string, req request) string {
	s.world.mu.Lock()
	for _, n := range req.Nodes {
		s.world.asked(n, action+" "+n)
	}
	s.world.mu.Unlock()
	switch action {
	case "kill":
		for _, n := range req.Nodes {
			s.world.crash(n)
		}
		return strings.Join(req.Nodes, ", ") + " got SIGKILL"
	case "stop":
		for _, n := range req.Nodes {
			s.world.stop(n)
		}
	case "start", "restart":
		for _, n := range req.Nodes {
			s.world.ready(n)
		}
	case "pause", "unpause":
		for _, n := range req.Nodes {
			s.world.pause(n, action == "pause")
		}
	case "partition":
		f := s.world.inject(fault.Fault{Kind: fault.KindPartition, Groups: req.Groups, How: fault.How(req.Kind)})
		return f.ID + ": " + f.String() + "\nexpect of all nodes: nodedown at once, because connections are closed"
	case "heal":
		s.world.heal(req.IDs...)
		return "every pair is connected again, after 860ms"
	case "sync":
		s.world.mu.Lock()
		s.world.asked("", "sync")
		s.world.mu.Unlock()
		return "synced Demo.Router on n1 n2 n3: 185 ms, of them 112 ms compiling"
	}
	return ""
}

// asked returns the actions that the page asked for, without those that only show a command.
func (s *stub) asked() []request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.done), func(r request) bool { return r.Dry })
}
