package control

import (
	"context"
	"net/http"
	"path/filepath"
	"slices"
	"strings"

	"github.com/beamyard/beamyard/orchestrator"
)

// specified is a controller that knows its cluster's spec, as [cluster.Cluster] does.
type specified interface{ Spec() orchestrator.Spec }

// spec returns everything that the cluster's labels store on the engine, including cookie and
// secrets: whoever can dial the socket is its owner.
func (s *server) spec(w http.ResponseWriter, r *http.Request) {
	c, ok := s.c.(specified)
	if !ok {
		http.NotFound(w, r)
		return
	}
	answer(w, c.Spec(), nil)
}

// Spec returns the cluster's spec with defaults filled in, for callers that cannot read
// it from the engine. It includes the cookie and the secrets, so that they can be masked.
func (c *Client) Spec(ctx context.Context) (s orchestrator.Spec, err error) {
	return s, c.call(ctx, http.MethodGet, "/spec", nil, &s)
}

// Answering returns the names of the clusters whose sockets have a listener, in
// alphabetical order. It works without an engine. It ignores stale sockets of dead
// supervisors.
func Answering(ctx context.Context) []string {
	var names []string
	all, _ := lookedIn() // an error means fewer folders
	for _, folder := range all {
		sockets, _ := filepath.Glob(filepath.Join(folder, "*.sock")) // the pattern is valid
		for _, path := range sockets {
			name := strings.TrimSuffix(filepath.Base(path), ".sock")
			if _, err := dial(ctx, name); err == nil {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
