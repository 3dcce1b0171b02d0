package parking

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/enginetest"
	"github.com/beamyard/beamyard/orchestrator/keeper"
	"github.com/beamyard/beamyard/orchestrator/watchdog"
)

// world is a lot in a bubble of synctest's time.
type world struct {
	t     *testing.T
	eng   *enginetest.Engine
	lot   *Lot
	stop  context.CancelFunc
	conns chan net.Conn
	ended chan error
	dog   dog
}

// dog is a watchdog that only counts.
type dog struct {
	mu      sync.Mutex
	guarded []string
	deaf    bool
	slow    time.Duration
}

func (d *dog) Guard(t watchdog.Target) error {
	time.Sleep(d.slow)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.deaf {
		return errors.New("it is gone")
	}
	d.guarded = append(d.guarded, t.Cluster)
	return nil
}

func (d *dog) Release(t watchdog.Target) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.guarded = slices.DeleteFunc(d.guarded, func(name string) bool { return name == t.Cluster })
	return nil
}

// Accept, Close and Addr make the world a listener.
func (w *world) Accept() (net.Conn, error) {
	conn, ok := <-w.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return conn, nil
}

func (w *world) Close() error   { close(w.conns); return nil }
func (w *world) Addr() net.Addr { return nil }

func bubble(t *testing.T, test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		w := &world{t: t, eng: enginetest.New("shop:1"), stop: stop, conns: make(chan net.Conn), ended: make(chan error, 1)}
		w.lot = &Lot{Engine: w.eng, Guard: &w.dog, Owner: keeper.Self(false)}
		go func() { w.ended <- w.lot.Serve(ctx, w) }()
		test(w)
		stop()
		if err := <-w.ended; err != nil {
			t.Error(err)
		}
		if left := w.eng.Left(); len(left) > 0 || len(w.dog.guarded) > 0 {
			t.Errorf("left %v, guarded %v", left, w.dog.guarded)
		}
	})
}

// take takes a cluster of an order, as another process does.
func (w *world) take(o Order) *Ticket {
	w.t.Helper()
	ours, theirs := net.Pipe()
	w.conns <- theirs
	return takeOver(w.t.Context(), ours, "", o.Key)
}

func (w *world) order(spec orchestrator.Spec) Order {
	w.t.Helper()
	spec.Image, spec.HostPort = "shop:1", 24200
	if spec.Nodes == nil {
		spec.Nodes = orchestrator.NodeNames(2)
	}
	o, why, err := NewOrder(w.t.Context(), w.eng, spec, "shop", 1)
	if err != nil || why != "" {
		w.t.Fatalf("%v, %s", err, why)
	}
	return o
}

// order over a ticket, and wait until it is done.
func (w *world) park(t *Ticket, o Order) {
	w.t.Helper()
	t.Order(w.t.Context(), o, nil)
	time.Sleep(time.Second)
	synctest.Wait()
}

func (w *world) parked() int {
	w.lot.mu.Lock()
	defer w.lot.mu.Unlock()
	return len(w.lot.parked)
}

// A cluster is parked for the next process, with a name, a cookie and addresses, and is removed
// when that one is done or gone.
func TestOneParksForTheNext(t *testing.T) {
	bubble(t, func(w *world) {
		o := w.order(orchestrator.Spec{})
		first := w.take(o)
		if first.Parked != nil {
			t.Fatal("something is parked")
		}
		w.park(first, o)
		first.Release()
		second := w.take(o)
		p := second.Parked
		if p == nil {
			t.Fatal("nothing is parked")
		}
		if name := p.Spec.Name; !strings.HasPrefix(name, "shop-") || p.Spec.Cookie == "" || p.Spec.Owner != w.lot.Owner || len(p.Nodes) != 2 || !p.Nodes["n2"].IP.IsValid() {
			t.Errorf("%+v", p)
		}
		w.park(second, o)
		if !slices.Equal(w.dog.guarded, []string{p.Spec.Name, w.lot.parked[0].cluster.Spec.Name}) {
			t.Errorf("guarded %v", w.dog.guarded)
		}
		second.Guarded()
		synctest.Wait()
		if len(w.dog.guarded) != 1 {
			t.Errorf("guarded by two: %v", w.dog.guarded)
		}
		second.Close() // it was killed
		time.Sleep(5 * time.Second)
		if left := strings.Join(w.eng.Left(), " "); strings.Contains(left, p.Spec.Name) || w.parked() != 1 {
			t.Errorf("left %s", left)
		}
	})
}

// Two that take at the same time get two clusters, or one of them none.
func TestTwoTakeAtTheSameTime(t *testing.T) {
	bubble(t, func(w *world) {
		o := w.order(orchestrator.Spec{})
		first := w.take(o)
		w.park(first, o)
		first.Release()
		var wg sync.WaitGroup
		tickets := make([]*Ticket, 5)
		for i := range tickets {
			wg.Go(func() { tickets[i] = w.take(o) })
		}
		wg.Wait()
		got := 0
		for _, ticket := range tickets {
			if ticket.Parked != nil {
				got++
			}
			ticket.Close()
		}
		if got != 1 {
			t.Errorf("%d got it", got)
		}
	})
}

// A lot ends when nothing is parked any more, and no process is connected.
func TestALotEnds(t *testing.T) {
	bubble(t, func(w *world) {
		o := w.order(orchestrator.Spec{})
		first := w.take(o)
		w.park(first, o)
		time.Sleep(IdleTime)
		if w.parked() != 0 {
			t.Error("it is parked for too long")
		}
		synctest.Wait()
		if len(w.ended) != 0 {
			t.Error("the lot ended beside a process")
		}
		first.Release()
		synctest.Wait()
		if len(w.ended) != 1 {
			t.Error("the lot did not end")
		}
	})
	bubble(t, func(w *world) {
		time.Sleep(arrival - time.Millisecond)
		synctest.Wait()
		if len(w.ended) != 0 {
			t.Error("it ended before a process came")
		}
		time.Sleep(time.Millisecond)
		synctest.Wait()
		if len(w.ended) != 1 {
			t.Error("it waits for a process that does not come")
		}
	})
}

// A cluster whose name is given is parked once the present one of that name is removed.
func TestAGivenNameIsParkedAfterwards(t *testing.T) {
	bubble(t, func(w *world) {
		o := w.order(orchestrator.Spec{Name: "demo"})
		first := w.take(o)
		w.park(first, o)
		if w.parked() != 0 {
			t.Fatal("parked beside the one that has the name")
		}
		first.Release()
		time.Sleep(time.Second)
		synctest.Wait()
		second := w.take(o)
		if second.Parked == nil || second.Parked.Spec.Name != "demo" {
			t.Errorf("%+v", second.Parked)
		}
		second.Close()
	})
}

// What cannot be parked is not tried again, and leaves nothing.
func TestParkingFails(t *testing.T) {
	for name, spoil := range map[string]func(w *world, o *Order){
		"no network":             func(w *world, _ *Order) { w.eng.FailNext("CreateNetwork", orchestrator.ErrAddressPool) },
		"the spec is another":    func(_ *world, o *Order) { o.Spec.Basename = "other" },
		"the image is gone":      func(_ *world, o *Order) { o.Spec.Image = "gone:1" },
		"the watchdog is gone":   func(w *world, _ *Order) { w.dog.deaf = true },
		"a container is refused": func(w *world, _ *Order) { w.eng.FailNext("StartContainer", orchestrator.ErrCannotStart) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				o := w.order(orchestrator.Spec{})
				first := w.take(o)
				spoil(w, &o)
				w.park(first, o)
				time.Sleep(5 * time.Second)
				if w.parked() != 0 || len(w.eng.Left()) > 0 {
					t.Errorf("left %v", w.eng.Left())
				}
				first.Release()
			})
		})
	}
}

// Who evicts gets what is parked, and nothing of what was taken.
func TestEvict(t *testing.T) {
	bubble(t, func(w *world) {
		a, b := w.order(orchestrator.Spec{}), w.order(orchestrator.Spec{Name: "demo"})
		first := w.take(a)
		w.park(first, a)
		first.Release()
		first = w.take(a)
		w.park(first, a)
		other := w.take(b)
		w.park(other, b)
		other.Release()
		time.Sleep(time.Second)
		synctest.Wait()
		if w.parked() != 2 {
			t.Fatalf("%d are parked", w.parked())
		}
		evict := func(name string) []string {
			ours, theirs := net.Pipe()
			w.conns <- theirs
			defer ours.Close()
			var got answer
			if err := ask(w.t.Context(), ours, word{Evict: name}, &got); err != nil {
				t.Fatal(err)
			}
			return got.Evicted
		}
		if got := evict("demo"); !slices.Equal(got, []string{"demo"}) {
			t.Errorf("%v", got)
		}
		if got := evict(all); len(got) != 1 || got[0] == first.Parked.Spec.Name {
			t.Errorf("%v", got)
		}
		if left := strings.Join(w.eng.Left(), " "); strings.Count(left, "container") != 2 {
			t.Errorf("left %s", left)
		}
		first.Close()
	})
}

// Who evicts waits for what is being parked.
func TestEvictWaits(t *testing.T) {
	bubble(t, func(w *world) {
		w.dog.slow = 3 * time.Second
		o := w.order(orchestrator.Spec{})
		first := w.take(o)
		first.Order(w.t.Context(), o, nil)
		first.Release()
		synctest.Wait() // it is being parked
		if got := w.lot.evict(w.t.Context(), all); len(got) != 1 {
			t.Errorf("evicted %v", got)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if left := w.eng.Left(); len(left) > 0 {
			t.Errorf("it was parked again: %v", left)
		}
	})
}

// At most so many are parked; the oldest makes room.
func TestTheOldestMakesRoom(t *testing.T) {
	bubble(t, func(w *world) {
		for i := range most + 2 {
			o := w.order(orchestrator.Spec{OutputLines: 10 + i, Nodes: orchestrator.NodeNames(1)})
			ticket := w.take(o)
			w.park(ticket, o)
			ticket.Release()
		}
		time.Sleep(5 * time.Second)
		if w.parked() != most {
			t.Errorf("%d are parked", w.parked())
		}
		ticket := w.take(w.order(orchestrator.Spec{OutputLines: 10, Nodes: orchestrator.NodeNames(1)}))
		defer ticket.Close()
		if ticket.Parked != nil {
			t.Error("the oldest is parked")
		}
	})
}

// Only equal specs have the same key.
func TestKey(t *testing.T) {
	eng := enginetest.New("shop:1", "shop:2")
	base := func() orchestrator.Spec {
		return orchestrator.Spec{Image: "shop:1", Nodes: orchestrator.NodeNames(2), Env: map[string]string{"A": "1", "B": "2"}}
	}
	key := func(edit func(*orchestrator.Spec)) (string, string) {
		s := base()
		edit(&s)
		k, why, err := Key(t.Context(), eng, s)
		if err != nil {
			t.Fatal(err)
		}
		return k, why
	}
	same, _ := key(func(*orchestrator.Spec) {})
	for name, tt := range map[string]struct {
		edit func(*orchestrator.Spec)
		fits bool
		why  string // it cannot be parked at all
	}{
		"an owner":                 {func(s *orchestrator.Spec) { s.Owner = keeper.Self(false) }, true, ""},
		"warm":                     {func(s *orchestrator.Spec) { s.Warm = 2 }, true, ""},
		"a page":                   {func(s *orchestrator.Spec) { s.UI = true }, true, ""},
		"another order of the env": {func(s *orchestrator.Spec) { s.Env = map[string]string{"B": "2", "A": "1"} }, true, ""},
		"another value":            {func(s *orchestrator.Spec) { s.Env["A"] = "2" }, false, ""},
		"one more node":            {func(s *orchestrator.Spec) { s.Nodes = orchestrator.NodeNames(3) }, false, ""},
		"another image":            {func(s *orchestrator.Spec) { s.Image = "shop:2" }, false, ""},
		"a node's limit":           {func(s *orchestrator.Spec) { s.Nodes[1].Memory = 1 << 28 }, false, ""},
		"a cookie":                 {func(s *orchestrator.Spec) { s.Cookie = "word" }, false, ""},
		"a name":                   {func(s *orchestrator.Spec) { s.Name = "demo" }, false, ""},
		"a label":                  {func(s *orchestrator.Spec) { s.Labels = map[string]string{"a": "b"} }, false, ""},
		"a restart policy":         {func(s *orchestrator.Spec) { s.Restart.Max = 3 }, false, ""},
		"a volume":                 {func(s *orchestrator.Spec) { s.Volumes = map[string]string{"data": "/data"} }, false, "n1 has volumes, whose content may change"},
		"another network":          {func(s *orchestrator.Spec) { s.Networks = map[string][]string{"db": nil} }, false, "n1 is in other networks"},
		"a host port":              {func(s *orchestrator.Spec) { s.Nodes[1].Ports = []orchestrator.PortSpec{{Container: 1, Host: 2}} }, false, "n2 has a host port that others may want"},
		"a tmpfs at /tmp":          {func(s *orchestrator.Spec) { s.Tmpfs = []string{"/tmp:size=1m"} }, false, "n1 has /tmp in memory"},
		"a tmpfs elsewhere":        {func(s *orchestrator.Spec) { s.Tmpfs = []string{"/run"} }, false, ""},
		"detached":                 {func(s *orchestrator.Spec) { s.Owner.Detached = true }, false, "it outlives its supervisor"},
		"kept":                     {func(s *orchestrator.Spec) { s.KeepOnFailure = true }, false, "it is kept if it fails"},
		"a clock":                  {func(s *orchestrator.Spec) { s.Clock = true }, false, "its clocks can be changed, and a shell's with them"},
		"a name no shell has":      {func(s *orchestrator.Spec) { s.Env["a.b"] = "" }, false, "n1 has the environment variable a.b, which a shell would change"},
		"a shell's own variable":   {func(s *orchestrator.Spec) { s.Env["PWD"] = "/" }, false, "n1 has the environment variable PWD, which a shell would change"},
	} {
		t.Run(name, func(t *testing.T) {
			got, why := key(tt.edit)
			if why != tt.why || (got == same) != tt.fits {
				t.Errorf("fits %t, %q", got == same, why)
			}
		})
	}
}
