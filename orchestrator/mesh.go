package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/beamyard/beamyard/network"
	"github.com/beamyard/beamyard/network/erldist"
)

// connectTimeout is longer than the kernel's own timer for a dial into silence
// (net_setuptime, 7 s).
const connectTimeout = 10 * time.Second

// connectPeers makes one node dial its peers in one call, and explains why some were not
// reached.
func (c *Cluster) connectPeers(ctx context.Context, a actConnect) {
	trouble := map[string]string{}
	defer func() { c.box.post(msgConnected{a.report, trouble}) }()
	conn, ok := c.links.get(a.node)
	if !ok || conn.inc != a.inc {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	names := c.names()
	targets := make(erldist.List, len(a.peers))
	for i, p := range a.peers {
		targets[i] = erldist.Atom(names.Node(p))
	}
	dial := erldist.ExtFun{Module: "net_kernel", Function: "connect_node", Arity: 1}
	reply, err := conn.Call(ctx, "lists", "map", dial, targets)
	answers, ok := reply.(erldist.List)
	if err != nil || !ok || len(answers) != len(a.peers) {
		return // the next sweep shows which pairs are missing
	}
	for i, p := range a.peers {
		if answers[i] != erldist.Atom("true") && answers[i] != true {
			trouble[p] = explainPair(ctx, conn, names, a.node, p)
		}
	}
}

// explainPair checks from the dialling node, step by step, why it does not reach a peer:
// the name, then EPMD; the handshake is what remains.
func explainPair(ctx context.Context, conn link, names network.Names, node, peer string) string {
	host := names.Host(peer)
	reply, err := conn.Call(ctx, "inet", "getaddr", charlist(host), erldist.Atom("inet"))
	if err != nil {
		return fmt.Sprintf("%s cannot connect to %s", node, peer)
	}
	t, ok := reply.(erldist.Tuple)
	if !ok || len(t) != 2 || t[0] != erldist.Atom("ok") {
		return fmt.Sprintf("%s cannot connect to %s: it does not resolve %s (%s)", node, peer, host, erldist.Format(reply))
	}
	reply, err = conn.Call(ctx, "erl_epmd", "port_please", charlist(alive(names, peer)), t[1])
	if err != nil {
		return fmt.Sprintf("%s cannot connect to %s", node, peer)
	}
	if answer, ok := reply.(erldist.Tuple); !ok || len(answer) != 3 {
		return fmt.Sprintf("%s cannot connect to %s: EPMD on %s answers %s", node, peer, host, erldist.Format(reply))
	}
	return fmt.Sprintf("%s cannot connect to %s: its name and port are found, the handshake fails (another cookie, or a connection that is cut)", node, peer)
}

// alive returns the part of a BEAM name before the @.
func alive(names network.Names, node string) string {
	full := names.Node(node)
	return full[:len(full)-len(names.Host(node))-1]
}

// charlist returns an Erlang string.
func charlist(s string) erldist.List {
	l := make(erldist.List, 0, len(s))
	for _, r := range s {
		l = append(l, int64(r))
	}
	return l
}

// sweepMesh asks every live node in parallel for its connections: one call for each node,
// however many pairs there are.
func (c *Cluster) sweepMesh(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	short := map[erldist.Atom]string{}
	for _, n := range c.spec.Nodes {
		short[erldist.Atom(c.names().Node(n.Name))] = n.Name
	}
	sees := map[string]sight{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for name, conn := range c.links.all() {
		wg.Go(func() {
			peers, err := connectedNodes(ctx, conn, short)
			mu.Lock()
			defer mu.Unlock()
			sees[name] = sight{conn.inc, peers, err}
		})
	}
	wg.Wait()
	c.box.post(msgMesh{sees})
}

// connectedNodes returns erlang:nodes/0 in short names, without nodes of other clusters.
func connectedNodes(ctx context.Context, conn link, short map[erldist.Atom]string) ([]string, error) {
	reply, err := conn.Call(ctx, "erlang", "nodes")
	if err != nil {
		return nil, err
	}
	list, ok := reply.(erldist.List)
	if !ok {
		return nil, errors.New("erlang:nodes() gave no list: " + erldist.Format(reply))
	}
	peers := []string{}
	for _, n := range list {
		if a, ok := n.(erldist.Atom); ok && short[a] != "" {
			peers = append(peers, short[a])
		}
	}
	return peers, nil
}
