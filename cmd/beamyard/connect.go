package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/beamyard/beamyard/cmd/beamyard/internal/show"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/control"
	"github.com/beamyard/beamyard/orchestrator/discovery"
)

// engineTime limits how long the engine may take to describe itself or a cluster. It answers
// within 20 ms at rest, and within a second or two while it starts fifty containers: an engine
// that needs longer hangs.
const engineTime = 10 * time.Second

// answers checks that the engine answers.
func (a *app) answers(ctx context.Context, eng orchestrator.Engine) (orchestrator.EngineInfo, error) {
	asking, cancel := context.WithTimeout(ctx, a.engineTime)
	defer cancel()
	info, err := eng.Info(asking)
	return info, a.late(ctx, err, " from "+info.Endpoint)
}

// late explains an error that is caused by our own deadline: the engine hangs.
func (a *app) late(ctx context.Context, err error, from string) error {
	if ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return orchestrator.WithHint(fmt.Errorf("%w: no answer%s within %s", orchestrator.ErrEngineUnreachable, from, a.engineTime),
		"see whether it hangs: docker version; then restart it: sudo systemctl restart docker")
}

// connection is a cluster with its sources of information: the engine, its supervisor, or both.
// It works without an engine, because commands also examine clusters whose engine fails.
type connection struct {
	cluster string
	nodes   []string            // short names, of nodes or roles
	eng     engine              // nil: the engine does not answer
	client  *control.Client     // nil: no supervisor, or it does not answer
	status  orchestrator.Status // as reported by client
}

// connect finds the cluster of the target and connects to its engine and its supervisor. It
// returns the engine's error if the supervisor does not answer either.
func (t target) connect(ctx context.Context, a *app, command string, nodes []string) (*connection, error) {
	r := &connection{}
	var err, away error
	if r.eng, away = a.engine(ctx); away == nil {
		asking, cancel := context.WithTimeout(ctx, a.engineTime)
		defer cancel()
		r.cluster, r.nodes, err = t.find(asking, r.eng, command, nodes)
		err = a.late(ctx, err, "")
	} else if r.cluster, r.nodes, err = t.named(nodes); err == nil && r.cluster == "" {
		names := control.Answering(ctx)
		if len(names) == 0 {
			return nil, away
		}
		r.cluster, err = theOnly(names, command, nodes)
	}
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		r.close()
		return nil, err
	}
	silent := r.dial(ctx)
	switch {
	case r.client == nil && r.eng == nil:
		return nil, away
	case r.eng == nil:
		a.say("no engine answers, so this is what the supervisor knows: %v", away)
	case r.client == nil && !errors.Is(silent, orchestrator.ErrNoSupervisor):
		a.say("the supervisor does not answer, so this is what the engine and the nodes tell: %v", silent)
	}
	return r, nil
}

// dial asks the supervisor for its status first, so that a supervisor that hangs is not waited
// for. The error says why there is no client.
func (r *connection) dial(ctx context.Context) error {
	asking, cancel := context.WithTimeout(ctx, supervisorPatience)
	defer cancel()
	client, err := control.Dial(asking, r.cluster)
	if err == nil {
		if r.status, err = client.Status(asking); err == nil {
			r.client = client
			return nil
		}
		client.Close()
	}
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		err = fmt.Errorf("no answer within %s", supervisorPatience)
	}
	return err
}

func (r *connection) close() {
	r.hangUp()
	if r.eng != nil {
		r.eng.Close()
	}
}

// hangUp closes the connection to the supervisor.
func (r *connection) hangUp() {
	if r.client != nil {
		r.client.Close()
		r.client = nil
	}
}

// controller returns the supervisor if it answers, otherwise the cluster found by its labels.
func (r *connection) controller(eng orchestrator.Engine) orchestrator.Controller {
	if r.client != nil {
		return r.client
	}
	return discovery.Control(eng, r.cluster)
}

// controllerOf returns the cluster's supervisor, or the cluster found by its labels if it has
// none. A supervisor that fails is an error. The caller calls done when it needs neither.
func controllerOf(ctx context.Context, eng orchestrator.Engine, cluster string) (c orchestrator.Controller, done func(), err error) {
	client, err := control.Dial(ctx, cluster)
	switch {
	case errors.Is(err, orchestrator.ErrNoSupervisor):
		return discovery.Control(eng, cluster), func() {}, nil
	case err != nil:
		return nil, nil, err
	}
	return client, func() { client.Close() }, nil
}

// find returns the cluster with its spec, whose secrets must not be shown, and with the
// supervisor's status if it reported one.
func (r *connection) find(ctx context.Context, a *app) (found discovery.Cluster, err error) {
	if r.eng != nil {
		asking, cancel := context.WithTimeout(ctx, a.engineTime)
		defer cancel()
		found, err = discovery.Find(asking, r.eng, r.cluster)
		err = a.late(ctx, err, "")
	}
	if r.client == nil {
		return found, err
	}
	if r.eng == nil || err != nil {
		asking, cancel := context.WithTimeout(ctx, supervisorPatience)
		defer cancel()
		var told error
		if found.Spec, told = r.client.Spec(asking); told != nil {
			return found, errors.Join(err, fmt.Errorf("ask the supervisor of %s for its spec: %w", r.cluster, told))
		}
		found.Spec.Image = r.status.Image // which is built after the spec is written
	}
	found.Status = r.status
	return found, nil
}

// places returns a line that says which nodes are on which host; "" if they are all on one, or not
// known.
func (r *connection) places(ctx context.Context, a *app) string {
	if r.client != nil {
		return show.Hosts(r.status.Nodes)
	}
	found, err := r.find(ctx, a)
	if err != nil {
		return ""
	}
	return show.Hosts(found.Nodes)
}

// health asks the supervisor, or the nodes themselves without one. It connects anew each time:
// --watch continues when the supervisor comes or goes.
func (r *connection) health(ctx context.Context, a *app) (orchestrator.HealthReport, error) {
	r.hangUp()
	silent := r.dial(ctx)
	if silent == nil {
		report, err := r.client.Health(ctx)
		if r.eng == nil || !errors.Is(err, orchestrator.ErrNoSupervisor) { // otherwise it has just died
			return report, err
		}
	} else if r.eng == nil {
		return orchestrator.HealthReport{}, fmt.Errorf("ask the supervisor of %s: %w", r.cluster, silent)
	}
	if _, err := a.answers(ctx, r.eng); err != nil {
		return orchestrator.HealthReport{}, err
	}
	return discovery.Control(r.eng, r.cluster).Health(ctx)
}
