package ui

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/secrets"
	"github.com/beamyard/beamyard/orchestrator/ui/script"
)

// exportTime is how long the evidence of a cluster may take: fifty nodes have as many dumps.
const exportTime = 2 * time.Minute

// open opens the cluster of a request. It answers if that fails.
func (s *Server) open(w http.ResponseWriter, r *http.Request) (*Cluster, bool) {
	c, err := s.Source.Open(r.Context(), r.PathValue("cluster"))
	if err != nil {
		fail(w, secrets.NewMask(), "", err)
		return nil, false
	}
	return c, true
}

// export sends the evidence as an archive. Its secrets are masked by package evidence.
func (s *Server) export(w http.ResponseWriter, r *http.Request) {
	c, ok := s.open(w, r)
	if !ok {
		return
	}
	defer c.close()
	if c.Export == nil {
		plain(w, http.StatusNotImplemented, "This page cannot export.")
		return
	}
	collecting, cancel := context.WithTimeout(r.Context(), exportTime)
	defer cancel()
	b := c.Export(collecting)
	defer func() { _ = b.Close() }() // its files are temporary
	download(w, "application/gzip", b.Name()+".tar.gz")
	_ = b.TarGz(w, b.Name()) // an archive that is cut off does not unpack
}

// download sets the headers of a file.
func download(w http.ResponseWriter, media, name string) {
	w.Header().Set("Content-Type", media)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", name))
}

// logs sends the kept lines as a text: the query has node (may be repeated), stream and grep.
func (s *Server) logs(w http.ResponseWriter, r *http.Request) {
	c, ok := s.open(w, r)
	if !ok {
		return
	}
	defer c.close()
	mask := secrets.NewMask(c.Spec)
	q := r.URL.Query()
	query := orchestrator.LogQuery{Stream: orchestrator.Stream(q.Get("stream")), Grep: q.Get("grep")}
	for _, n := range q["node"] {
		if n != "" {
			query.Nodes = append(query.Nodes, n)
		}
	}
	began := false
	begin := func() {
		if !began {
			download(w, "text/plain; charset=utf-8", fmt.Sprintf("%s-%s.log", c.Spec.Name, time.Now().UTC().Format("20060102-150405")))
			began = true
		}
	}
	err := c.Logs(r.Context(), query, func(l orchestrator.Line) error {
		begin()
		_, err := fmt.Fprintf(w, "%s %s %s | %s\n", l.Time.UTC().Format(time.RFC3339Nano), l.Node, l.Stream, mask.Text(l.Text))
		return err
	})
	switch {
	case err == nil:
		begin() // of an empty file
	case began:
		fmt.Fprintf(w, "\nthe rest is missing: %s\n", mask.Text(err.Error()))
	default:
		fail(w, mask, "", err)
	}
}

// script sends what was done so far as a test: the query has as=go or as=exunit.
func (s *Server) script(w http.ResponseWriter, r *http.Request) {
	write := map[string]func(script.Cluster, []orchestrator.JournalEntry) string{"go": script.Go, "exunit": script.ExUnit}[r.URL.Query().Get("as")]
	if write == nil {
		plain(w, http.StatusBadRequest, "as is go or exunit.")
		return
	}
	c, ok := s.open(w, r)
	if !ok {
		return
	}
	defer c.close()
	mask := secrets.NewMask(c.Spec)
	journal, err := c.Journal(r.Context())
	if err != nil {
		fail(w, mask, "", err)
		return
	}
	st, err := c.Status(r.Context())
	if err != nil {
		fail(w, mask, "", err)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write([]byte(mask.Text(write(script.Cluster{Spec: c.Spec, Source: st.Source}, journal)))) // fails if the browser is gone
}
