package orchestrator

import (
	"context"
	"crypto/rand"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/beamyard/beamyard/network/erldist"
)

// Disconnect cuts a node off from peers, or with none named from all others, and
// keeps them apart until [Cluster.Reconnect]: by their own VMs, each of which gets a
// cookie for the other that nobody has, and with no privilege. Nothing else is
// touched: what connects nodes (the kernel, the application, the cluster itself)
// finds a peer that refuses it. Such nodes are Degraded, [NodeStatus].Cut says from
// whom, and the cluster is not Ready meanwhile. One that is restarted stays apart.
//
// It returns when every node that runs has seen the others go. When ctx ends before
// that, or a node cannot be told, the cut stays wanted: Reconnect ends it.
//
// The kernel of OTP 25 and later lets no two nodes be apart while a third is
// connected to both: global would take innocent connections off. A cut that leaves
// such a third is refused with an [OverlapError], unless the nodes let partitions
// overlap: see [Distribution]. To cut off a whole node needs nothing of that.
//
// Another supervisor that adopts the nodes does not know of a cut: it lives only in
// the VMs then. Reconnect with the peers named, or a restart of both, ends it.
//
// Errors: [ErrNoNode], [ErrNotRunning] (also of a paused container), [ErrOverlapping],
// [ErrConflict] when somebody reconnects them meanwhile, [ErrClosed].
// Source: erlang:set_cookie/2 and erlang:disconnect_node/1; kernel(6).
func (c *Cluster) Disconnect(ctx context.Context, node string, peers ...string) error {
	if err := c.setApart(ctx, node, peers, true); err != nil {
		return fmt.Errorf("disconnect %s: %w", node, err)
	}
	return nil
}

// Reconnect ends what [Cluster.Disconnect] did to a node and peers, or with none
// named to it and all from whom it is cut off, and connects them, whoever connects
// the nodes otherwise. It returns when both sides of each pair that runs see each
// other: use WaitReady for the proof that the cluster is whole. Peers that are not
// cut off are no error.
//
// Where it would leave two nodes apart that a third is connected to, it is refused
// as Disconnect is. Errors: those of Disconnect.
func (c *Cluster) Reconnect(ctx context.Context, node string, peers ...string) error {
	if err := c.setApart(ctx, node, peers, false); err != nil {
		return fmt.Errorf("reconnect %s: %w", node, err)
	}
	return nil
}

func (c *Cluster) setApart(ctx context.Context, node string, peers []string, apart bool) error {
	st := c.view.Load()
	for _, n := range append([]string{node}, peers...) {
		if _, known := st.Node(n); !known {
			return c.spec.noNode(n)
		}
	}
	if slices.Contains(peers, node) {
		return errors.New("it cannot be told to meet or leave itself")
	}
	if len(peers) == 0 {
		peers = c.partners(node, apart)
	}
	if len(peers) == 0 {
		return nil
	}
	peers = slices.Compact(slices.Sorted(slices.Values(peers)))
	seen, err := c.lookOn(ctx, append([]string{node}, peers...))
	if err != nil {
		return err
	}
	defer seen.close()
	loose := map[string]bool{}
	if len(st.Nodes) > 2 {
		loose = c.letOverlap(ctx)
	}
	if err := c.answered(ctx, func(w waiter) message { return msgCut{node: node, peers: peers, apart: apart, loose: loose, waiter: w} }); err != nil {
		return err
	}
	return seen.until(ctx, node, peers, !apart)
}

// partners are whom a request without peers is about.
func (c *Cluster) partners(node string, apart bool) []string {
	st := c.view.Load()
	if !apart {
		n, _ := st.Node(node)
		return n.Cut
	}
	var others []string
	for _, n := range st.Nodes {
		if n.Name != node {
			others = append(others, n.Name)
		}
	}
	return others
}

// answered posts a message with a waiter and waits for its answer.
func (c *Cluster) answered(ctx context.Context, msg func(waiter) message) error {
	reply := make(chan error, 1)
	c.mu.Lock()
	if c.ended {
		reply <- ErrClosed
	} else {
		c.waiters++
		c.waiting[c.waiters] = reply
		c.box.post(msg(c.waiters))
	}
	c.mu.Unlock()
	select {
	case err := <-reply:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// letOverlap asks the nodes that answer whether their kernel lets partitions
// overlap. Of one that does not answer it is not known. Source: kernel(6),
// prevent_overlapping_partitions: true by default since OTP 25, and of no effect
// where connect_all is false.
func (c *Cluster) letOverlap(ctx context.Context) map[string]bool {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	loose := map[string]bool{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for name, conn := range c.links.all() {
		wg.Go(func() {
			lets, err := letsOverlap(ctx, conn)
			mu.Lock()
			defer mu.Unlock()
			loose[name] = err == nil && lets
		})
	}
	wg.Wait()
	return loose
}

func letsOverlap(ctx context.Context, conn link) (bool, error) {
	parameter := func(name, unset erldist.Atom) (bool, error) {
		v, err := conn.Call(ctx, "application", "get_env", erldist.Atom("kernel"), name, unset)
		return v == any(erldist.Atom("true")) || v == any(true), err
	}
	v, err := conn.Call(ctx, "erlang", "system_info", erldist.Atom("otp_release"))
	if err != nil {
		return false, err
	}
	text, _ := erldist.Text(v)
	release, err := strconv.Atoi(text)
	if err != nil {
		return false, err
	}
	unset := erldist.Atom("true")
	if release < 25 {
		unset = "false"
	}
	prevents, err := parameter("prevent_overlapping_partitions", unset)
	if err != nil || !prevents {
		return err == nil, err
	}
	all, err := parameter("connect_all", "true")
	return err == nil && !all, err
}

//go:embed halves.erl
var halves string

// setHalf tells a node whom to refuse and whom to take again.
func (c *Cluster) setHalf(ctx context.Context, a actSetHalf) {
	err := erldist.ErrClosed
	if conn, ok := c.links.get(a.node); ok && conn.inc == a.inc {
		ctx, cancel := context.WithTimeout(ctx, callTimeout)
		defer cancel()
		cut, mend := erldist.List{}, erldist.List{}
		for _, p := range a.cut {
			// The other side has another one: two that were alike would be a cookie.
			cut = append(cut, erldist.Tuple{erldist.Atom(c.names().Node(p)), erldist.Atom(rand.Text())})
		}
		for _, p := range a.mend {
			mend = append(mend, erldist.Atom(c.names().Node(p)))
		}
		_, err = conn.Eval(ctx, halves, map[string]any{"Cut": cut, "Mend": mend})
	}
	c.box.post(msgHalfSet{a.report, a.cut, a.mend, err})
}

// onlookers are nodes that tell whom they see, by short name. One without a sight
// boots, or is down.
type onlookers struct {
	names  func(string) string // the BEAM name of a node
	conns  []*erldist.Conn
	sights map[string]*erldist.Sight
}

// lookOn has the nodes that answer told on, and returns once all have said whom they
// see now.
func (c *Cluster) lookOn(ctx context.Context, nodes []string) (*onlookers, error) {
	o := &onlookers{names: c.names().Node, sights: map[string]*erldist.Sight{}}
	var mu sync.Mutex
	var group errgroup.Group
	for _, node := range nodes {
		if _, ok := c.links.get(node); !ok {
			continue
		}
		group.Go(func() error {
			conn, err := c.Dial(ctx, node)
			if err != nil {
				return err
			}
			sight, err := conn.Look(ctx)
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
		o.close()
		return nil, err
	}
	return o, nil
}

func (o *onlookers) close() {
	for _, s := range o.sights {
		s.Close()
	}
	for _, conn := range o.conns {
		_ = conn.Close() // which cannot fail
	}
}

// side is a node that looks, and whom it is to see, or no longer.
type side struct{ node, peer string }

// sides of a node and its peers that can be seen. To meet takes two that answer.
func (o *onlookers) sides(node string, peers []string, met bool) (all []side) {
	for _, p := range peers {
		for _, s := range []side{{node, p}, {p, node}} {
			if o.sights[s.node] != nil && (!met || o.sights[s.peer] != nil) {
				all = append(all, s)
			}
		}
	}
	return all
}

// until waits until a node and its peers see each other, or no longer. One that went
// meanwhile sees nobody.
func (o *onlookers) until(ctx context.Context, node string, peers []string, met bool) error {
	sides := o.sides(node, peers, met)
	for _, s := range sides {
		err := o.sights[s.node].Until(ctx, func(now erldist.Seen) bool { return now.Up[o.names(s.peer)] == met })
		switch gone := o.sights[s.node].Err(); {
		case err == nil:
		case gone == nil: // ctx ended
			return fmt.Errorf("%s: %w", o.left(sides, met), err)
		case met:
			return fmt.Errorf("%s: %w: it went meanwhile (%w)", s.node, ErrNotRunning, gone)
		}
	}
	return nil
}

// left says what is still to be seen.
func (o *onlookers) left(sides []side, met bool) string {
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
