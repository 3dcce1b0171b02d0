package ui

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

const (
	beatPause = 15 * time.Second // between two signs of life on a stream without messages
	// slowest is how long a browser may take to read what was written. The kernel has buffers:
	// one that needs longer has stopped reading.
	slowest = 20 * time.Second
)

// stream writes messages until the browser leaves, falls behind, or the server ends.
func (s *Server) stream(w http.ResponseWriter, r *http.Request) {
	f := s.join(r.PathValue("cluster")) //nolint:contextcheck // the feed outlives this browser
	defer s.leave(f)
	ctx := r.Context()
	select {
	case <-f.opened:
	case <-ctx.Done():
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	last := r.Header.Get("Last-Event-ID")
	if last == "" { // a page that opens a new stream by itself cannot set the header
		last = cmp.Or(r.URL.Query().Get("after"), r.URL.Query().Get("last"))
	}
	reader, first, snapshot := f.board.read(last)
	first.ReadOnly = !s.mayChange(r)
	if first.ReadOnly {
		first.TakeOver = ""
	}
	data, err := json.Marshal(first)
	if err != nil {
		panic(err) // plain data
	}
	out := sse{w, http.NewResponseController(w)}
	if _, err := fmt.Fprint(w, "retry: 1000\n"); err != nil {
		return
	}
	if out.write(append([]message{{kind: kindHello, data: data}}, snapshot...)) != nil {
		return
	}
	beat := time.NewTimer(beatPause)
	defer beat.Stop()
	for {
		messages, more, over := reader.next()
		if over {
			return
		}
		if len(messages) > 0 {
			if out.write(messages) != nil {
				return
			}
			beat.Reset(beatPause)
			continue
		}
		select {
		case <-more:
		case <-beat.C:
			if out.beat() != nil {
				return
			}
			beat.Reset(beatPause)
		case <-ctx.Done():
			return
		}
	}
}

// sse writes Server-Sent Events.
type sse struct {
	w    http.ResponseWriter
	ctrl *http.ResponseController
}

// write writes messages, in pieces: the deadline is for each.
func (o sse) write(messages []message) error {
	const piece = 64 << 10
	var b bytes.Buffer
	for i, m := range messages {
		if m.id != "" {
			fmt.Fprintf(&b, "id: %s\n", m.id)
		}
		fmt.Fprintf(&b, "event: %s\ndata: %s\n\n", m.kind, m.data)
		if b.Len() < piece && i < len(messages)-1 {
			continue
		}
		if err := o.send(b.Bytes()); err != nil {
			return err
		}
		b.Reset()
	}
	return nil
}

// beat writes a sign of life. It is an event: pages do not see comments.
func (o sse) beat() error { return o.send([]byte("event: ping\ndata: {}\n\n")) }

func (o sse) send(data []byte) error {
	if err := o.ctrl.SetWriteDeadline(time.Now().Add(slowest)); err != nil {
		return err
	}
	if _, err := o.w.Write(data); err != nil {
		return err
	}
	return o.ctrl.Flush()
}
