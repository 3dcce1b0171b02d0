package discovery

import (
	"context"
	"sync"

	"github.com/beamyard/beamyard/network/erldist"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/internal/dist"
	"github.com/beamyard/beamyard/orchestrator/internal/probe"
)

// Versions are the releases that a node runs, and what it announces to its peers.
type Versions struct {
	// OTP is the release of Erlang/OTP: "27".
	OTP string `json:"otp"`
	// ERTS is the version of its runtime system: "15.2.3".
	ERTS string `json:"erts"`
	// Elixir is the version of Elixir: "1.18.3"; "" if its application is not loaded.
	Elixir string `json:"elixir,omitempty"`
	// Flags are the capabilities of the node's handshake.
	Flags erldist.Flags `json:"-"`
}

// askVersions needs no code on the node except OTP's own.
//
// Source: ERTS, erlang(3), system_info/1; Kernel, application(3).
const askVersions = `{
	list_to_binary(erlang:system_info(otp_release)), list_to_binary(erlang:system_info(version)),
	case application:get_key(elixir, vsn) of {ok, Elixir} -> list_to_binary(Elixir); _ -> <<>> end
}.`

// Versions asks all nodes that run, at once, as [Eval] does: over connections of its own. The
// result lacks nodes that do not answer within ctx. The error is that of the engine, or of a file
// of [orchestrator.TLS].
func (f Cluster) Versions(ctx context.Context, eng orchestrator.Engine) (map[string]Versions, error) {
	info, err := eng.Info(ctx)
	if err != nil {
		return nil, err
	}
	dialer, err := dist.Dialer(f.Spec, "")
	if err != nil {
		return nil, err
	}
	at := f.addressesFrom(ctx, eng, info)
	all := map[string]Versions{}
	var mu sync.Mutex
	var group sync.WaitGroup
	for _, n := range f.Nodes {
		if !n.State.Running() || n.Paused {
			continue
		}
		group.Go(func() {
			limited, cancel := context.WithTimeout(ctx, probe.DialTimeout)
			defer cancel()
			conn, err := dialer.Dial(limited, n.Node, at.Dist(f.placement(n.Name)))
			if err != nil {
				return
			}
			defer func() { _ = conn.Close() }()
			answer, err := conn.Eval(limited, askVersions, nil)
			if v, ok := versionsOf(answer); ok && err == nil {
				v.Flags = conn.Flags()
				mu.Lock()
				defer mu.Unlock()
				all[n.Name] = v
			}
		})
	}
	group.Wait()
	return all, nil
}

// versionsOf reads the answer to askVersions.
func versionsOf(answer any) (v Versions, ok bool) {
	terms, isTuple := answer.(erldist.Tuple)
	if !isTuple || len(terms) != 3 {
		return v, false
	}
	for i, to := range []*string{&v.OTP, &v.ERTS, &v.Elixir} {
		if *to, ok = erldist.Text(terms[i]); !ok {
			return Versions{}, false
		}
	}
	return v, true
}
