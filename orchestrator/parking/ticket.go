package parking

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"sync"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/cluster"
	"github.com/beamyard/beamyard/orchestrator/control"
	"github.com/beamyard/beamyard/orchestrator/keeper"
	"github.com/beamyard/beamyard/orchestrator/watchdog"
)

// Ticket is a connection to a lot, for one cluster of this process. Its methods are safe for
// concurrent use. Parking only saves time, so nothing of it is an error: without a lot, nothing is
// taken and nothing parked.
type Ticket struct {
	// Parked is the cluster that was taken; nil if there was none.
	Parked *cluster.Parked

	socket string
	mu     sync.Mutex
	conn   net.Conn // nil: no lot answers
	over   bool
}

// Take takes a parked cluster of that key, if the lot of that socket has one. The lot removes it
// when this process ends before [Ticket.Release].
func Take(ctx context.Context, socket, key string) *Ticket {
	conn, err := control.Connect(ctx, socket)
	if err != nil {
		return &Ticket{socket: socket}
	}
	return takeOver(ctx, conn, socket, key)
}

// takeOver is Take over a connection.
func takeOver(ctx context.Context, conn net.Conn, socket, key string) *Ticket {
	t := &Ticket{socket: socket}
	var a answer
	if ask(ctx, conn, word{Take: key}, &a) != nil {
		_ = conn.Close() // the lot removes what it gave
		return t
	}
	t.conn, t.Parked = conn, a.Parked
	return t
}

// ask says a word, and waits for the answer.
func ask(ctx context.Context, conn net.Conn, w word, a *answer) error {
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now()) })
	defer stop()
	err := conn.SetDeadline(time.Now().Add(patience + 5*time.Second))
	if err == nil {
		err = json.NewEncoder(conn).Encode(w)
	}
	if err == nil {
		err = json.NewDecoder(conn).Decode(a)
	}
	return errors.Join(err, conn.SetDeadline(time.Time{}))
}

func (t *Ticket) say(w word) {
	if t.conn == nil {
		return
	}
	if err := json.NewEncoder(t.conn).Encode(w); err != nil {
		_ = t.conn.Close()
		t.conn = nil
	}
}

// Guarded says that this process's watchdog guards the cluster, so the lot's need not.
func (t *Ticket) Guarded() {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.say(word{Guarded: true})
}

// Order has the lot park clusters: at once, or once this one is released if they have its name. If
// there is no lot, start makes it: a process that calls [Run] with the socket.
func (t *Ticket) Order(ctx context.Context, o Order, start func(socket string) *exec.Cmd) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over {
		return
	}
	if t.conn == nil {
		t.conn = open(ctx, t.socket, start)
	}
	t.say(word{Order: &o})
}

// open starts a lot, and connects to it, or to one that another process starts meanwhile.
func open(ctx context.Context, socket string, start func(socket string) *exec.Cmd) net.Conn {
	cmd := start(socket)
	cmd.Dir, cmd.SysProcAttr = "/", watchdog.OwnSession()
	if cmd.Start() != nil {
		return nil
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // it outlives this process, or another lot was faster
	}()
	for {
		if conn, err := control.Connect(ctx, socket); err == nil {
			return conn
		}
		select {
		case <-ended:
			conn, err := control.Connect(ctx, socket)
			if err != nil {
				return nil
			}
			return conn
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return nil
		}
	}
}

// Release says that the cluster is removed. The ticket is over.
func (t *Ticket) Release() {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over = true
	t.say(word{Released: true})
	if t.conn != nil {
		_ = t.conn.Close()
		t.conn = nil
	}
}

// Close ends the ticket of a cluster that this process does not use: the lot removes it.
func (t *Ticket) Close() {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over = true
	if t.conn != nil {
		_ = t.conn.Close()
		t.conn = nil
	}
}

// Evict removes the parked clusters of that name, or of every name for "", and returns their
// names. A cluster that was taken is not parked any more.
func Evict(ctx context.Context, info orchestrator.EngineInfo, name string) []string {
	conn, err := control.Connect(ctx, Socket(info))
	if err != nil {
		return nil
	}
	defer conn.Close()
	if name == "" {
		name = all
	}
	var a answer
	_ = conn.SetDeadline(time.Now().Add(orchestrator.RemovalTime)) // a connection that has no deadlines is broken
	if json.NewEncoder(conn).Encode(word{Evict: name}) != nil || json.NewDecoder(conn).Decode(&a) != nil {
		return nil
	}
	return a.Evicted
}

// Run is the process of a lot; see [Lot.Serve]. dog is the command of its watchdog; see
// [watchdog.Start]. If another process has the socket, Run returns at once.
func Run(ctx context.Context, socket string, eng orchestrator.Engine, dog *exec.Cmd) error {
	listener, err := control.Listen(ctx, socket)
	if errors.Is(err, control.ErrSupervised) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open the lot of parked clusters: %w", err)
	}
	guard, err := watchdog.Start(dog)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	lot := &Lot{Engine: eng, Guard: guard, Owner: keeper.Self(false)}
	if err := lot.Serve(ctx, listener); err != nil {
		return err // its watchdog removes what is left
	}
	return guard.Close()
}

// Answers reports whether there is a lot.
func Answers(ctx context.Context, info orchestrator.EngineInfo) bool {
	conn, err := control.Connect(ctx, Socket(info))
	if err == nil {
		_ = conn.Close()
	}
	return err == nil
}
