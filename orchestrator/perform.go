package orchestrator

import (
	"context"
	"time"
)

// perform carries out the supervisor's actions. Anything that takes time runs in its own
// goroutine and posts its result. done reports that the cluster is over.
func (c *Cluster) perform(ctx context.Context, actions []action) (err error, done bool) {
	for _, a := range actions {
		switch a := a.(type) {
		case actLaunch:
			c.wg.Go(func() { c.launch(ctx, a.report) })
		case actStart:
			id := c.sup.byName[a.node].id
			c.wg.Go(func() {
				c.box.post(msgStarted{a.report, c.starting(ctx, func() error { return c.startAgain(ctx, a.node, id) })})
			})
		case actStop:
			id := c.sup.byName[a.node].id
			c.wg.Go(func() {
				c.box.post(msgStopped{a.report, c.retryUnavailable(ctx, func() error { return c.eng.StopContainer(ctx, id, a.grace) })})
			})
		case actKill:
			id := c.sup.byName[a.node].id
			c.wg.Go(func() { c.box.post(msgKilled{a.report, a.waiter, c.eng.KillContainer(ctx, id, a.signal)}) })
		case actPause:
			id, ask := c.sup.byName[a.node].id, c.eng.UnpauseContainer
			if a.paused {
				ask = c.eng.PauseContainer
			}
			c.wg.Go(func() { c.box.post(msgPaused{a.report, a.paused, a.waiter, ask(ctx, id)}) })
		case actFollow:
			id := c.sup.byName[a.node].id
			out := c.outputs[a.node]
			end := out.begin(a.inc)
			c.wg.Go(func() {
				defer end()
				out.follow(ctx, c.eng, id, a.inc, a.began)
			})
		case actProbe:
			probing, cancel := context.WithCancel(ctx)
			c.probes[a.node] = cancel
			c.wg.Go(func() { c.probe(probing, a.report) })
		case actForget:
			if cancel := c.probes[a.node]; cancel != nil {
				cancel()
				delete(c.probes, a.node)
			}
		case actInspect:
			id := c.sup.byName[a.node].id
			c.wg.Go(func() { c.inspect(ctx, a.report, id) })
		case actAutopsy:
			id := c.sup.byName[a.node].id
			c.wg.Go(func() { c.autopsy(ctx, a.report, id, a.code) })
		case actConnect:
			c.wg.Go(func() { c.connectPeers(ctx, a) })
		case actSetHalf:
			c.wg.Go(func() { c.setHalf(ctx, a) })
		case actFault:
			c.journal.add(JournalEntry{Time: time.Now(), Source: FromFault, Node: a.node, Text: a.text})
		case actSweep:
			c.sightTold.Store(false)
			c.wg.Go(func() { c.sweepMesh(ctx) })
		case actList:
			c.wg.Go(func() { c.compare(ctx, a.runs) })
		case actCollect:
			c.publish(time.Now()) // so that the hook sees the failure
			cause := c.failure(a.cause)
			c.wg.Go(func() { c.collect(ctx, cause, a.snapshots) })
		case actDiagnose:
			c.wg.Go(func() { c.answerWhy(ctx, a.snapshots) })
		case actRemove:
			c.wg.Go(func() { c.box.post(msgRemoved{c.retryUnavailable(ctx, func() error { return c.removeAll(ctx) })}) })
		case actReply:
			c.publish(time.Now()) // so that the caller sees the state that the answer is about
			c.reply(a.waiter, a.err)
		case actEmit:
			a.event.Text, a.event.Exit = c.clean(a.event.Text), c.cleanExit(a.event.Exit)
			c.events.add(a.event, time.Now())
		case actMark:
			c.outputs[a.node].out.Mark(a.inc, time.Now(), a.text)
		case actDone:
			return c.excerpts(a.err), true
		}
	}
	return nil, false
}
