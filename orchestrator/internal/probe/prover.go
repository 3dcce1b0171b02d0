package probe

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/beamyard/beamyard/network/erldist"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/health"
	"github.com/beamyard/beamyard/orchestrator/hint"
	"github.com/beamyard/beamyard/orchestrator/internal/supervisor"
)

const (
	// execEvery bounds how often an exec check is run: each run costs the engine about 50
	// ms of work.
	execEvery = 250 * time.Millisecond
	// mendEvery is how often a node that fails a proof at rest is checked again.
	mendEvery = 500 * time.Millisecond
)

// prover checks one run of one node, over one link, for what makes it Ready or Degraded:
// those checks of package health that decide about readiness. Its probe owns it.
type prover struct {
	p    *Prober
	r    supervisor.RunID
	conn Link
	own  Checks

	began    bool // its run was Ready once: the checks of the first Ready are skipped
	settled  bool // it was proven once: from now on its limits are checked too
	thorough bool // the checks that are not repeated at rest are due
	last     *health.Sample
	execs    map[string]execTry
	look     looker
}

// execTry is the last attempt of an exec check.
type execTry struct {
	at      time.Time
	outcome health.Outcome
}

func (p *Prober) newProver(r supervisor.RunID, conn Link) *prover {
	checks := p.Checks
	checks.Said = func(expr string) bool { return p.Said(r, expr) }
	// An adopted run was started under another supervisor: what the first Ready requires
	// may no longer hold, and its lines may be gone.
	began := p.Adopted(r) || p.Links.began(r)
	return &prover{p: p, r: r, conn: conn, own: checks, began: began, thorough: true, execs: map[string]execTry{}, look: newLooker(p, r, conn)}
}

// check checks the node; "" is a pass.
func (p *prover) check(ctx context.Context) (reason string, next hint.Hint) {
	sample, err := p.sample(ctx)
	if err != nil {
		return fmt.Sprintf("asking for its applications failed: %v", err), nil
	}
	if failed, ok := p.judge(sample, nil); ok {
		if !p.settled { // the cluster may be gone before a command is typed
			return failed.Means, nil
		}
		p.thorough = p.thorough || failed.Group == health.Operations // its application starts again
		return failed.Means, failed.Suggestion
	}
	if reason := p.look.again(ctx, p.settled); reason != "" {
		return reason, nil
	}
	checks := p.look.asked(p.own.of(p.r.Node))
	if !p.thorough {
		checks = slices.DeleteFunc(checks, func(k orchestrator.Check) bool { return k.RPC == "" && k.Erlang == "" })
	}
	if !p.began {
		checks = append(p.look.asked(p.own.ready(p.r.Node)), checks...)
	}
	var outcomes []health.Outcome
	for _, k := range checks {
		o := p.look.explained(k, p.try(ctx, k))
		outcomes = append(outcomes, o)
		if o.Failure != "" {
			break
		}
	}
	if failed, ok := p.judge(sample, outcomes); ok {
		next = outcomes[len(outcomes)-1].Hint
		if k := checks[len(outcomes)-1]; k.HTTP == "" && k.Log == "" && !p.settled && !p.p.Spec.KeepOnFailure {
			next = hint.Newf("up again with %s, then %s", hint.Setting("keep_on_failure"), next)
		} else if k.HTTP != "" && !p.settled {
			p.look.waits(failed.Means)
		}
		return failed.Means, next
	}
	if reason, next = p.sameCookie(ctx); reason != "" {
		return reason, next
	}
	if !p.settled {
		p.ignored(ctx)
	}
	p.settled, p.thorough, p.began = true, false, true
	p.p.Links.begin(p.r)
	return "", nil
}

// sample takes a light sample while the node boots, because thirty nodes may share a
// machine then, and a full one at rest.
func (p *prover) sample(ctx context.Context) (health.Sample, error) {
	ctx, cancel := context.WithTimeout(ctx, CallTimeout)
	defer cancel()
	if p.settled {
		s, err := health.Take(ctx, p.conn, health.Ask{Since: p.last})
		if err == nil {
			p.last = &s
			p.p.Links.Note(p.r, s)
		}
		if rpc := (*erldist.RPCError)(nil); !errors.As(err, &rpc) {
			return s, err
		} // a node that cannot interpret it can still be proven by the rest
	}
	return health.Glance(ctx, p.conn)
}

// judge returns the check that keeps the node from being Ready, if any.
func (p *prover) judge(s health.Sample, own []health.Outcome) (health.Check, bool) {
	spec := p.p.Spec
	seen := health.Seen{Name: p.r.Node, Node: spec.Names().Node(p.r.Node), App: spec.Node(p.r.Node).App, Sample: &s, Own: own}
	return health.Judge(
		health.Observation{Time: s.Time, Nodes: []health.Seen{seen}},
		health.Expectations{Cluster: spec.Name}, spec.Health,
	).FirstFailed(health.Connectivity, health.Operations, health.Resources)
}

// try runs a check, or returns a command's recent result again.
func (p *prover) try(ctx context.Context, k orchestrator.Check) health.Outcome {
	if len(k.Exec) == 0 {
		return p.own.run(ctx, k, p.r.Node, p.conn)
	}
	if last, ok := p.execs[k.String()]; ok && time.Since(last.at) < execEvery {
		return last.outcome
	}
	o := p.own.run(ctx, k, p.r.Node, p.conn)
	p.execs[k.String()] = execTry{time.Now(), o}
	return o
}
