package parking

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/beamyard/beamyard/network"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/cluster"
	"github.com/beamyard/beamyard/orchestrator/watchdog"
)

// IdleTime is how long a cluster stays parked.
const IdleTime = 5 * time.Minute

const (
	// most is how many clusters a lot keeps parked. The oldest makes room.
	most = orchestrator.MaxWarm
	// patience is how long a caller waits for a cluster that is being parked. What is left of that
	// is less work for the engine than a start beside it.
	patience = 5 * time.Second
	// arrival is how long a lot waits for its first connection.
	arrival = 10 * time.Second
)

// Guard is the watchdog of a lot.
type Guard interface {
	Guard(watchdog.Target) error
	Release(watchdog.Target) error
}

// Lot keeps parked clusters. Its fields may not be changed once it serves.
type Lot struct {
	Engine orchestrator.Engine
	Guard  Guard
	Owner  orchestrator.Owner // this process

	mu      sync.Mutex
	parked  []entry         // the oldest first
	parking map[string]bool // keys of which a cluster is being parked
	conns   int
	changed chan struct{} // closed and replaced with each change of these
	evicted int           // how often somebody evicted
	closing bool
	wg      sync.WaitGroup
}

// entry is a parked cluster.
type entry struct {
	key     string
	cluster cluster.Parked
	since   time.Time
}

// Serve answers connections until ctx ends, or nothing is parked and no process is connected. It
// then removes what is parked. A cluster that was taken stays until its connection ends, and Serve
// waits for that.
func (l *Lot) Serve(ctx context.Context, listener net.Listener) error {
	l.parking, l.changed = map[string]bool{}, make(chan struct{})
	work := context.WithoutCancel(ctx)
	l.wg.Go(func() {
		l.untilIdle(ctx)
		_ = listener.Close() // ends the loop below
	})
	for {
		conn, err := listener.Accept()
		if err != nil {
			break
		}
		if !l.enter() {
			_ = conn.Close()
			continue
		}
		l.wg.Go(func() {
			defer l.leave()
			l.talk(work, conn)
		})
	}
	l.mu.Lock()
	l.closing = true
	left := l.parked
	l.parked = nil
	l.mu.Unlock()
	var errs []error
	for _, e := range left {
		errs = append(errs, l.remove(work, e.cluster))
	}
	l.wg.Wait()
	return errors.Join(errs...)
}

func (l *Lot) enter() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closing {
		l.conns++
		l.change()
	}
	return !l.closing
}

func (l *Lot) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns--
	l.change()
}

// change reports a change of the lists. The caller holds the lock.
func (l *Lot) change() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// untilIdle removes what was parked for too long. It returns when ctx ends or the lot is idle; no
// connection is accepted then.
func (l *Lot) untilIdle(ctx context.Context) {
	begin := time.Now()
	for {
		l.mu.Lock()
		changed, now, next := l.changed, time.Now(), begin.Add(arrival)
		var old []entry
		l.parked = slices.DeleteFunc(l.parked, func(e entry) bool {
			if now.Sub(e.since) < IdleTime {
				return false
			}
			old = append(old, e)
			return true
		})
		busy, timed := l.conns > 0 || len(l.parking) > 0, true
		if len(l.parked) > 0 {
			next = l.parked[0].since.Add(IdleTime)
		} else {
			timed = !busy
		}
		l.closing = ctx.Err() != nil || !busy && len(l.parked) == 0 && !now.Before(begin.Add(arrival))
		closing := l.closing
		l.mu.Unlock()
		for _, e := range old {
			l.wg.Go(func() { _ = l.remove(context.WithoutCancel(ctx), e.cluster) }) // a failure is the watchdog's
		}
		if closing {
			return
		}
		var due <-chan time.Time
		if timed {
			due = time.After(time.Until(next))
		}
		select {
		case <-ctx.Done():
		case <-changed:
		case <-due:
		}
	}
}

// word is what a process says to a lot. One field is set.
type word struct {
	Take     string `json:"take,omitempty"`  // a key; the answer is an [answer]
	Order    *Order `json:"order,omitempty"` // to be parked
	Guarded  bool   `json:"guarded,omitempty"`
	Released bool   `json:"released,omitempty"`
	Evict    string `json:"evict,omitempty"` // a name, or [all]; the answer is an [answer]
}

// all is what Evict says of every parked cluster.
const all = "*"

type answer struct {
	Parked  *cluster.Parked `json:"parked,omitempty"`
	Evicted []string        `json:"evicted,omitempty"`
}

// talk serves one connection. At its end, it removes the cluster that was taken over it and not
// released.
func (l *Lot) talk(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	in, out := json.NewDecoder(conn), json.NewEncoder(conn)
	var taken *cluster.Parked
	var later *Order // of the cluster that has the name now
	for {
		var w word
		if in.Decode(&w) != nil {
			break
		}
		switch {
		case w.Take != "" && taken == nil:
			taken = l.take(ctx, w.Take)
			_ = out.Encode(answer{Parked: taken}) // what cannot be told is not released
		case w.Guarded && taken != nil:
			_ = l.Guard.Release(l.target(*taken)) // it may stay: see Target
		case w.Released:
			taken = nil
			if later != nil {
				l.order(ctx, *later)
				later = nil
			}
		case w.Order != nil && w.Order.Spec.Name != "":
			later = w.Order
		case w.Order != nil:
			l.order(ctx, *w.Order)
		case w.Evict != "":
			_ = out.Encode(answer{Evicted: l.evict(ctx, w.Evict)}) // the process is gone
		}
	}
	if taken != nil {
		_ = l.remove(ctx, *taken) // a failure is the watchdog's
	}
}

// take returns a cluster of that key, which is then the caller's; nil if there is none.
func (l *Lot) take(ctx context.Context, key string) *cluster.Parked {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		l.mu.Lock()
		i := slices.IndexFunc(l.parked, func(e entry) bool { return e.key == key })
		if i >= 0 {
			taken := l.parked[i].cluster
			l.parked = slices.Delete(l.parked, i, i+1)
			l.change()
			l.mu.Unlock()
			return &taken
		}
		changed, coming := l.changed, l.parking[key]
		l.mu.Unlock()
		if !coming {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}

// order parks clusters until there are as many as ordered.
func (l *Lot) order(ctx context.Context, o Order) {
	if o.Spec.Name != "" {
		o.Count = min(o.Count, 1)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	have := 0
	for _, e := range l.parked {
		if e.key == o.Key {
			have++
		}
	}
	if l.closing || l.parking[o.Key] || have >= min(o.Count, most) {
		return
	}
	l.parking[o.Key] = true
	l.change()
	evicted := l.evicted
	l.wg.Go(func() {
		again := l.park(ctx, o)
		l.mu.Lock()
		again = again && l.evicted == evicted // nobody parks again what was evicted meanwhile
		delete(l.parking, o.Key)
		l.change()
		l.mu.Unlock()
		if again {
			l.order(ctx, o)
		}
	})
}

// park parks one cluster. It reports whether it did.
func (l *Lot) park(ctx context.Context, o Order) bool {
	spec := o.Spec
	spec.Owner = l.Owner
	if spec.Name == "" {
		spec.Name = UniqueName(o.Base)
	}
	target := watchdog.Target{Cluster: spec.Name, Owner: l.Owner}
	if l.Guard.Guard(target) != nil {
		return false
	}
	p, err := cluster.Park(ctx, spec, l.Engine)
	if err != nil {
		_ = l.Guard.Release(target) // nothing is left of it
		return false
	}
	// What it was made of may have changed since it was ordered.
	if key, _, err := Key(ctx, l.Engine, o.Spec); err != nil || key != o.Key {
		_ = l.remove(ctx, p) // a failure is the watchdog's
		return false
	}
	var old []entry
	l.mu.Lock()
	if l.closing {
		old = []entry{{cluster: p}}
	} else {
		l.parked = append(l.parked, entry{o.Key, p, time.Now()})
		if n := len(l.parked) - most; n > 0 {
			old = slices.Clone(l.parked[:n])
			l.parked = slices.Delete(l.parked, 0, n)
		}
	}
	l.change()
	l.mu.Unlock()
	for _, e := range old {
		_ = l.remove(ctx, e.cluster) // a failure is the watchdog's
	}
	return true
}

// evict removes the parked clusters of that name, or all, and returns their names. It waits for
// those that are being parked.
func (l *Lot) evict(ctx context.Context, name string) []string {
	var out []entry
	l.mu.Lock()
	l.evicted++
	l.mu.Unlock()
	for {
		l.mu.Lock()
		l.parked = slices.DeleteFunc(l.parked, func(e entry) bool {
			gone := name == all || e.cluster.Spec.Name == name
			if gone {
				out = append(out, e)
			}
			return gone
		})
		l.change()
		changed, busy := l.changed, len(l.parking) > 0
		l.mu.Unlock()
		if !busy {
			break
		}
		<-changed
	}
	names := []string{}
	for _, e := range out {
		if l.remove(ctx, e.cluster) == nil {
			names = append(names, e.cluster.Spec.Name)
		}
	}
	return names
}

func (l *Lot) target(p cluster.Parked) watchdog.Target {
	return watchdog.Target{Cluster: p.Spec.Name, Owner: l.Owner}
}

// remove removes a cluster, and releases the watchdog if nothing is left.
func (l *Lot) remove(ctx context.Context, p cluster.Parked) error {
	ctx, cancel := context.WithTimeout(ctx, orchestrator.RemovalTime)
	defer cancel()
	err := l.target(p).Remove(ctx, l.Engine)
	if err == nil {
		err = l.Guard.Release(l.target(p))
	}
	return err
}

// UniqueName returns a name for a cluster that begins with base.
func UniqueName(base string) string {
	const suffix = 6
	base = network.Sanitize(base)
	if len(base) > network.MaxCluster-suffix-1 {
		base = strings.TrimRight(base[:network.MaxCluster-suffix-1], "-")
	}
	return base + "-" + strings.ToLower(rand.Text()[:suffix])
}
