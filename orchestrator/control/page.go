package control

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
)

// PageRequest asks for an address of the cluster's page, which the supervisor then serves.
type PageRequest struct {
	Port     int  `json:"port,omitempty"` // of the page; 0: a free one, or the one that it is served at
	ReadOnly bool `json:"read_only,omitempty"`
}

// Page is an address of the page.
type Page struct {
	URL string `json:"url"` // with a token that is valid once
	// Metrics is the address of the cluster's metrics, for Prometheus, and MetricsToken what a
	// scraper sends there: "Authorization: Bearer TOKEN". "" if there are none.
	Metrics      string `json:"metrics,omitempty"`
	MetricsToken string `json:"metrics_token,omitempty"`
}

// Pager is a controller that serves the page of its cluster. The page ends with it.
type Pager interface {
	Page(ctx context.Context, r PageRequest) (Page, error)
}

// page serves the cluster's page, from the first request on.
func (s *server) page(w http.ResponseWriter, r *http.Request) {
	p, ok := s.c.(Pager)
	if !ok {
		http.NotFound(w, r)
		return
	}
	var req PageRequest
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
		refuse(w, fmt.Errorf("read request: %w", err))
		return
	}
	page, err := p.Page(r.Context(), req)
	answer(w, page, err)
}

// Page returns a new address of the cluster's page. A supervisor that serves no page, because it is
// of an earlier version, is an error that matches [errors.ErrUnsupported].
func (c *Client) Page(ctx context.Context, r PageRequest) (p Page, err error) {
	return p, c.call(ctx, http.MethodPost, "/ui", r, &p)
}

// PageFile writes a file with mode 0600 that leads a browser to a page, beside the sockets, and
// returns its path. Arguments of programs can be seen by other users: a browser is given the path
// instead of the address. [RemoveFiles] removes the file; name is that of a cluster, or another.
func PageFile(name, html string) (path string, err error) {
	folder, err := makeFolder()
	if err != nil {
		return "", err
	}
	path = file(folder, name, pageExt)
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return "", fmt.Errorf("remove an earlier file for the browser: %w", err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return "", fmt.Errorf("make a file for the browser: %w", err)
	}
	_, err = f.WriteString(html)
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return "", fmt.Errorf("write a file for the browser: %w", err)
	}
	return path, nil
}

const pageExt = ".ui.html"
