package probe

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/beamyard/beamyard/network/erldist"
	"github.com/beamyard/beamyard/orchestrator"
)

// Watchers are nodes that report the peers they see, by short name. A node without a
// sight is booting, or down.
type Watchers struct {
	names  func(string) string // the BEAM name of a node
	conns  []*erldist.Conn
	sights map[string]*erldist.NodeWatcher
}

// WatchAll starts watching these nodes, which answer, and returns once all of them have reported
// the peers they see. names returns the BEAM name of a node. The caller closes the result.
func WatchAll(ctx context.Context, nodes []string, names func(string) string, dial func(ctx context.Context, node string) (*erldist.Conn, error)) (*Watchers, error) {
	o := &Watchers{names: names, sights: map[string]*erldist.NodeWatcher{}}
	var mu sync.Mutex
	var group errgroup.Group
	for _, node := range nodes {
		group.Go(func() error {
			conn, err := dial(ctx, node)
			if err != nil {
				return err
			}
			sight, err := conn.Watch(ctx)
			if err != nil {
				return errors.Join(err, conn.Close())
			}
			mu.Lock()
			defer mu.Unlock()
			o.conns, o.sights[node] = append(o.conns, conn), sight
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		o.Close()
		return nil, err
	}
	return o, nil
}

// Close ends the watching.
func (o *Watchers) Close() {
	for _, s := range o.sights {
		s.Close()
	}
	for _, conn := range o.conns {
		_ = conn.Close() // which cannot fail
	}
}

// side is a node that watches, and the peer that it should see, or no longer see.
type side struct{ node, peer string }

// sides returns the sides of a node and its peers that can be observed. To see each
// other, both must answer.
func (o *Watchers) sides(node string, peers []string, met bool) (all []side) {
	for _, p := range peers {
		for _, s := range []side{{node, p}, {p, node}} {
			if o.sights[s.node] != nil && (!met || o.sights[s.peer] != nil) {
				all = append(all, s)
			}
		}
	}
	return all
}

// Until waits until a node and its peers see each other, or no longer do. A node that
// ends in the meantime sees no peers.
func (o *Watchers) Until(ctx context.Context, node string, peers []string, met bool) error {
	sides := o.sides(node, peers, met)
	for _, s := range sides {
		err := o.sights[s.node].Until(ctx, func(now erldist.Seen) bool { return now.Up[o.names(s.peer)] == met })
		switch gone := o.sights[s.node].Err(); {
		case err == nil:
		case gone == nil: // ctx ended
			return fmt.Errorf("%s: %w", o.left(sides, met), err)
		case met:
			return fmt.Errorf("%s: %w: it went meanwhile (%w)", s.node, orchestrator.ErrNotRunning, gone)
		}
	}
	return nil
}

// left describes the sides that are still outstanding.
func (o *Watchers) left(sides []side, met bool) string {
	says := "still sees"
	if met {
		says = "does not see"
	}
	var left []string
	for _, s := range sides {
		if o.sights[s.node].Now().Up[o.names(s.peer)] != met {
			left = append(left, s.node+" "+says+" "+s.peer)
		}
	}
	return strings.Join(left, ", ")
}
