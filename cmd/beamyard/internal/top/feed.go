package top

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/beamyard/beamyard/orchestrator"
)

// How often the feed asks. A supervisor answers for its status from a stored pointer; for the
// health it asks every node.
const (
	statusEvery  = 500 * time.Millisecond
	healthEvery  = 2 * time.Second
	connectEvery = time.Second
	patience     = 3 * time.Second // for a status
	gather       = 50 * time.Millisecond
)

// followedLines are the last lines of a log, of each of its streams.
const followedLines = 500

// Link is a connection to a cluster. A caller of [Connect] closes it.
type Link struct {
	orchestrator.Controller
	// Supervised says that the Controller is the cluster's supervisor.
	Supervised bool
	// Better reports, of a link without a supervisor, that one answers by now.
	Better func(ctx context.Context) bool
	// Heal ends all faults of the cluster.
	Heal func(ctx context.Context) error
	// Close ends the connection.
	Close func()
}

// Connect returns the cluster's supervisor, or the cluster as its labels tell if it has none.
type Connect func(ctx context.Context) (*Link, error)

// feed turns what a cluster reports into messages.
type feed struct {
	connect Connect
	send    func(tea.Msg)
	now     func() time.Time

	mu      sync.Mutex
	link    *Link // nil: not connected
	logOf   string
	changed chan struct{} // closed when logOf changes
}

func newFeed(connect Connect, send func(tea.Msg)) *feed {
	return &feed{connect: connect, send: send, now: time.Now, changed: make(chan struct{})}
}

// run connects, again and again, until ctx ends.
func (f *feed) run(ctx context.Context) {
	defer f.raise()
	had := false // a supervisor answered
	for ctx.Err() == nil {
		link, err := f.connect(ctx)
		if err == nil {
			if link.Supervised || !had {
				f.send(Found{})
			}
			had = had || link.Supervised
			err = f.session(ctx, link)
		}
		if err != nil && ctx.Err() == nil {
			f.send(Lost{f.now(), err})
			pause(ctx, connectEvery)
		}
	}
}

// session reports until the link fails, which is its error, or a better one is there.
func (f *feed) session(ctx context.Context, link *Link) error {
	ctx, cancel := context.WithCancel(ctx)
	f.use(link)
	var wg sync.WaitGroup
	wake := make(chan struct{}, 1)
	for _, report := range []func(){
		func() { f.health(ctx, link) },
		func() { f.events(ctx, link, wake) },
		func() { f.log(ctx, link) },
	} {
		wg.Go(func() { defer f.raise(); report() })
	}
	err := f.status(ctx, link, wake)
	cancel()
	wg.Wait()
	f.use(nil)
	link.Close()
	return err
}

// status reports the status at intervals, and at once when something happened.
func (f *feed) status(ctx context.Context, link *Link, wake <-chan struct{}) error {
	for ctx.Err() == nil {
		asking, cancel := context.WithTimeout(ctx, patience)
		st, err := link.Status(asking)
		cancel()
		if err != nil {
			if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
				err = fmt.Errorf("no answer within %s", patience)
			}
			return err
		}
		f.send(Told{st})
		if link.Better != nil && link.Better(ctx) {
			return nil
		}
		select {
		case <-ctx.Done():
		case <-wake:
		case <-time.After(statusEvery):
		}
	}
	return nil
}

// health reports the health at intervals. An error is the status's to report.
func (f *feed) health(ctx context.Context, link *Link) {
	for ctx.Err() == nil {
		if report, err := link.Health(ctx); err == nil {
			f.send(Examined{report})
		}
		pause(ctx, healthEvery)
	}
}

// events follows the events, all that are kept first.
func (f *feed) events(ctx context.Context, link *Link, wake chan<- struct{}) {
	anew := true
	batch := newBatch(ctx, func(events []orchestrator.Event) {
		f.send(Happened{events, anew})
		anew = false
		select {
		case wake <- struct{}{}:
		default:
		}
	})
	_ = link.Events(ctx, 0, true, batch.add) // a supervisor that is gone has no status either
	batch.close()
}

// log follows the log of the node that is asked for.
func (f *feed) log(ctx context.Context, link *Link) {
	for ctx.Err() == nil {
		f.mu.Lock()
		node, changed := f.logOf, f.changed
		f.mu.Unlock()
		following, cancel := context.WithCancel(ctx)
		var wg sync.WaitGroup
		wg.Go(func() {
			defer f.raise()
			for node != "" && following.Err() == nil {
				f.followLog(following, link, node)
				pause(following, connectEvery) // it ends with the containers: there may be others soon
			}
		})
		select {
		case <-changed:
		case <-ctx.Done():
		}
		cancel()
		wg.Wait()
	}
}

func (f *feed) followLog(ctx context.Context, link *Link, node string) {
	anew := true
	batch := newBatch(ctx, func(lines []orchestrator.Line) {
		f.send(Printed{node, lines, anew})
		anew = false
	})
	_ = link.Logs(ctx, orchestrator.LogQuery{Nodes: []string{node}, Tail: followedLines, Follow: true}, batch.add)
	batch.close()
}

// follow implements hands.
func (f *feed) follow(node string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.logOf = node
	close(f.changed)
	f.changed = make(chan struct{})
}

func (f *feed) use(link *Link) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.link = link
}

// errNotConnected says that there is nobody to ask.
var errNotConnected = errors.New("not connected")

// act carries out an action.
func (f *feed) act(ctx context.Context, a Action, node string) error {
	f.mu.Lock()
	link := f.link
	f.mu.Unlock()
	if link == nil {
		return errNotConnected
	}
	switch a {
	case Kill:
		return link.Kill(ctx, "KILL", node)
	case Restart:
		return link.Restart(ctx, node)
	case Stop:
		return link.Stop(ctx, node)
	case Start:
		return link.Start(ctx, node)
	case Pause:
		return link.Pause(ctx, node)
	case Unpause:
		return link.Unpause(ctx, node)
	case Heal:
		return link.Heal(ctx)
	}
	return nil
}

// raise takes a panic to the event loop, which restores the terminal before it ends the process.
func (f *feed) raise() {
	if cause := recover(); cause != nil {
		f.send(broken{cause})
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// batch gathers what comes in quick succession: each message draws the screen.
type batch[T any] struct {
	in   chan T
	done chan struct{}
	ctx  context.Context // of the stream that it is part of
}

func newBatch[T any](ctx context.Context, send func([]T)) batch[T] {
	b := batch[T]{make(chan T, 256), make(chan struct{}), ctx}
	go func() {
		defer close(b.done)
		var some []T
		var late <-chan time.Time
		for {
			select {
			case one, open := <-b.in:
				if !open {
					if len(some) > 0 {
						send(some)
					}
					return
				}
				if some = append(some, one); late == nil {
					late = time.After(gather)
				}
			case <-late:
				send(some)
				some, late = nil, nil
			}
		}
	}()
	return b
}

func (b batch[T]) add(one T) error {
	select {
	case b.in <- one:
		return nil
	case <-b.ctx.Done():
		return b.ctx.Err()
	}
}

// close sends what is left, and waits for that.
func (b batch[T]) close() {
	close(b.in)
	<-b.done
}
