package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/hint"
	"github.com/beamyard/beamyard/orchestrator/upgrade"
)

var _ upgrade.Upgrader = (*Client)(nil)

// upgradeAnswer is the answer of /upgrade: an upgrade that stopped has done something, too.
type upgradeAnswer struct {
	Report upgrade.Report `json:"report"`
	Error  *wireError     `json:"error,omitempty"`
}

// upgrade replaces the image of nodes, for a controller that can.
func (s *server) upgrade(w http.ResponseWriter, r *http.Request) {
	c, ok := s.c.(upgrade.Upgrader)
	if !ok {
		http.NotFound(w, r)
		return
	}
	var o upgrade.Options
	if err := json.NewDecoder(r.Body).Decode(&o); err != nil {
		refuse(w, fmt.Errorf("read request: %w", err))
		return
	}
	report, err := c.Upgrade(r.Context(), o)
	answer(w, upgradeAnswer{report, toWire(err)}, nil)
}

// Upgrade replaces the image of the nodes: see [cluster.Cluster.Upgrade]. Where an upgrade stopped,
// the error has the text, the hint and the sentinels of an [upgrade.Stopped]. If ctx ends, the
// supervisor finishes the nodes that it is replacing, and no others.
func (c *Client) Upgrade(ctx context.Context, o upgrade.Options) (upgrade.Report, error) {
	var a upgradeAnswer
	err := c.call(ctx, http.MethodPost, "/upgrade", o, &a)
	if errors.Is(err, errors.ErrUnsupported) {
		err = orchestrator.WithHint(fmt.Errorf("the supervisor of %s is of a version of Beamyard that cannot upgrade", c.cluster),
			"replace it: end its process, then: %s", hint.Supervise.On(c.cluster))
	}
	if err == nil {
		err = a.Error.err()
	}
	return a.Report, err
}
