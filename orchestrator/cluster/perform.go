package cluster

import (
	"context"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/internal/supervisor"
)

// perform carries out the supervisor's actions. Anything that takes time runs in its own
// goroutine and posts its result. done reports that the cluster is over.
func (c *Cluster) perform(ctx context.Context, actions []supervisor.Action) (err error, done bool) {
	for _, a := range actions {
		switch a := a.(type) {
		case supervisor.Launch:
			c.wg.Go(func() { c.launch(ctx, a.RunID, a.Replace) })
		case supervisor.Move:
			c.wg.Go(func() { c.move(ctx, a) })
		case supervisor.Discard:
			c.wg.Go(func() {
				c.box.post(supervisor.Discarded{ContainerID: a.ContainerID, Err: c.eng.RemoveContainer(ctx, a.ContainerID)})
			})
		case supervisor.Start:
			c.wg.Go(func() {
				c.box.post(supervisor.Started{RunID: a.RunID, Err: c.starting(ctx, func() error { return c.startAgain(ctx, a.Node, a.ContainerID) })})
			})
		case supervisor.Stop:
			c.outputs[a.Node].Out.Stopping(a.Inc)
			c.wg.Go(func() {
				c.box.post(supervisor.Stopped{RunID: a.RunID, Err: c.retryUnavailable(ctx, func() error { return c.eng.StopContainer(ctx, a.ContainerID, a.Grace) })})
			})
		case supervisor.Kill:
			c.wg.Go(func() {
				c.box.post(supervisor.Killed{RunID: a.RunID, Waiter: a.Waiter, Err: c.eng.KillContainer(ctx, a.ContainerID, a.Signal)})
			})
		case supervisor.Pause:
			ask := c.eng.UnpauseContainer
			if a.Paused {
				ask = c.eng.PauseContainer
			}
			c.wg.Go(func() {
				c.box.post(supervisor.Paused{RunID: a.RunID, Paused: a.Paused, Waiter: a.Waiter, Err: ask(ctx, a.ContainerID)})
			})
		case supervisor.Follow:
			out := c.outputs[a.Node]
			end := out.Begin(a.Inc)
			c.wg.Go(func() {
				defer end()
				out.Follow(ctx, c.eng, a.ContainerID, a.Inc, a.Began)
			})
			// A clock is wrong still if its fault ended while the node was down.
			if c.faulty.Load() || c.spec.Clock {
				c.wg.Go(func() { c.applyFaults(ctx, a.Node) })
			}
		case supervisor.Probe:
			probing, cancel := context.WithCancel(ctx)
			c.probes[a.Node] = cancel
			c.wg.Go(func() { c.prober.Probe(probing, a.RunID) })
		case supervisor.Forget:
			if cancel := c.probes[a.Node]; cancel != nil {
				cancel()
				delete(c.probes, a.Node)
			}
		case supervisor.Inspect:
			c.wg.Go(func() { c.inspect(ctx, a.RunID, a.ContainerID) })
		case supervisor.Postmortem:
			c.wg.Go(func() { c.postmortem(ctx, a.RunID, a.ContainerID, a.Code) })
		case supervisor.Connect:
			c.wg.Go(func() { c.prober.Connect(ctx, a) })
		case supervisor.SetBlocked:
			c.wg.Go(func() { c.setBlocked(ctx, a) })
		case supervisor.ApplyFaults:
			c.wg.Go(func() { c.applyFaults(ctx, a.Nodes...) })
		case supervisor.Fault:
			c.journal.Add(orchestrator.JournalEntry{Time: time.Now(), Source: orchestrator.FromFault, Node: a.Node, Text: a.Text, Fault: a.Fault, Healed: a.Healed})
		case supervisor.Sweep:
			c.sightTold.Store(false)
			c.wg.Go(func() { c.prober.Sweep(ctx) })
		case supervisor.List:
			c.wg.Go(func() { c.compare(ctx, a.Runs) })
		case supervisor.Collect:
			c.publish(time.Now()) // so that the hook sees the failure
			cause := c.failure(a.Cause)
			c.wg.Go(func() { c.collect(ctx, cause, a.Snapshots) })
		case supervisor.Diagnose:
			c.wg.Go(func() { c.answerWhy(ctx, a.Snapshots) })
		case supervisor.Remove:
			c.wg.Go(func() {
				c.box.post(supervisor.Removed{Err: c.retryUnavailable(ctx, func() error { return c.removeAll(ctx) })})
			})
		case supervisor.Reply:
			c.publish(time.Now()) // so that the caller sees the state that the answer is about
			c.reply(a.Waiter, a.Err)
		case supervisor.Emit:
			a.Event.Text, a.Event.Hint, a.Event.Exit = c.clean(a.Event.Text), a.Event.Hint.Map(c.clean), c.cleanExit(a.Event.Exit)
			c.events.Add(a.Event, time.Now())
		case supervisor.Mark:
			c.outputs[a.Node].Out.Mark(a.Inc, time.Now(), a.Text)
		case supervisor.Done:
			return c.excerpts(a.Err), true
		}
	}
	return nil, false
}
