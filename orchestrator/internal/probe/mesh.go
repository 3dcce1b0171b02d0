package probe

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/beamyard/beamyard/network"
	"github.com/beamyard/beamyard/network/erldist"
	"github.com/beamyard/beamyard/orchestrator/internal/supervisor"
)

// connectTimeout is longer than the kernel's own timer for a dial into silence
// (net_setuptime, 7 s).
const connectTimeout = 10 * time.Second

// Connect makes one node dial its peers in one call, and explains why some were not
// reached.
func (p *Prober) Connect(ctx context.Context, a supervisor.Connect) {
	trouble := map[string]string{}
	defer func() { p.Post(supervisor.Connected{RunID: a.RunID, Trouble: trouble}) }()
	conn, ok := p.Links.Get(a.Node)
	if !ok || conn.Inc != a.Inc {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	names := p.Spec.Names()
	targets := make(erldist.List, len(a.Peers))
	for i, peer := range a.Peers {
		targets[i] = erldist.Atom(names.Node(peer))
	}
	dial := erldist.ExtFun{Module: "net_kernel", Function: "connect_node", Arity: 1}
	reply, err := conn.Call(ctx, "lists", "map", dial, targets)
	answers, ok := reply.(erldist.List)
	if err != nil || !ok || len(answers) != len(a.Peers) {
		return // the next sweep shows which pairs are missing
	}
	for i, peer := range a.Peers {
		if answers[i] != erldist.Atom("true") && answers[i] != true {
			trouble[peer] = explainPair(ctx, conn, names, a.Node, peer)
		}
	}
}

// explainPair checks from the dialling node, step by step, why it does not reach a peer:
// the name, then EPMD; the handshake is what remains.
func explainPair(ctx context.Context, conn Link, names network.Names, node, peer string) string {
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

// Sweep asks every live node in parallel for its connections: one call for each node,
// however many pairs there are.
func (p *Prober) Sweep(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, CallTimeout)
	defer cancel()
	short := map[erldist.Atom]string{}
	for _, n := range p.Spec.Nodes {
		short[erldist.Atom(p.Spec.Names().Node(n.Name))] = n.Name
	}
	sees := map[string]supervisor.Sight{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for name, conn := range p.Links.All() {
		wg.Go(func() {
			peers, err := connectedNodes(ctx, conn, short)
			mu.Lock()
			defer mu.Unlock()
			sees[name] = supervisor.Sight{Inc: conn.Inc, Peers: peers, Err: err}
		})
	}
	wg.Wait()
	p.Post(supervisor.Mesh{Sees: sees})
}

// connectedNodes returns erlang:nodes/0 in short names, without nodes of other clusters.
func connectedNodes(ctx context.Context, conn Link, short map[erldist.Atom]string) ([]string, error) {
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
