package hosts_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/beamyard/beamyard/images"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/enginetest"
	"github.com/beamyard/beamyard/orchestrator/hosts"
)

// run creates and starts a container that waits, on a host.
func run(t *testing.T, eng orchestrator.Engine, host, name string, labels map[string]string) (id string) {
	t.Helper()
	id, err := eng.CreateContainer(t.Context(), orchestrator.ContainerSpec{Name: name, Host: host, Image: "script", Command: []string{"wait"}, Labels: labels})
	if err == nil {
		err = eng.StartContainer(t.Context(), id)
	}
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func names(list []orchestrator.Container) string {
	var all []string
	for _, c := range list {
		all = append(all, c.Name+"@"+c.Host)
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

func TestAListLacksThePartOfAHostThatDoesNotAnswer(t *testing.T) {
	all := machines(t, 3)
	eng := over(all)
	ids := map[string]string{}
	for _, host := range []string{"a", "b", "c"} {
		ids[host] = run(t, eng, host, "on-"+host, nil)
	}
	list, err := eng.Containers(t.Context(), nil)
	if err != nil || names(list) != "on-a@a on-b@b on-c@c" {
		t.Fatalf("%s, %v", names(list), err)
	}
	all[1].SetAway(true)
	list, err = eng.Containers(t.Context(), nil)
	var missing *hosts.MissingError
	if names(list) != "on-a@a on-c@c" || !errors.Is(err, orchestrator.ErrHostLost) || !errors.Is(err, orchestrator.ErrEngineUnreachable) || !errors.As(err, &missing) || missing.Hosts["b"] == nil || len(missing.Hosts) != 1 {
		t.Errorf("with b away: %s, %v", names(list), err)
	}
	if want := "host b does not answer: "; !strings.HasPrefix(fmt.Sprint(err), want) {
		t.Errorf("%q does not begin with %q", err, want)
	}
	// What is on other hosts goes on; what is on b, or may be, is not "not found".
	if _, err := eng.InspectContainer(t.Context(), ids["a"]); err != nil {
		t.Error(err)
	}
	for _, id := range []string{ids["b"], "no-such-container"} {
		if _, err := eng.InspectContainer(t.Context(), id); !errors.Is(err, orchestrator.ErrHostLost) || errors.Is(err, orchestrator.ErrNotFound) {
			t.Errorf("inspect %s: %v", id, err)
		}
		if err := eng.RemoveContainer(t.Context(), id); !errors.Is(err, orchestrator.ErrHostLost) {
			t.Errorf("remove %s: %v", id, err)
		}
	}
	run(t, eng, "c", "later", nil)
	info, err := eng.Info(t.Context())
	if err != nil || info.Hosts["b"].Lost == "" || info.Hosts["a"].Lost != "" || info.CPUs != 4 || info.Local {
		t.Errorf("info %+v, %v", info, err)
	}
	all[1].SetAway(false)
	if list, err = eng.Containers(t.Context(), nil); err != nil || names(list) != "later@c on-a@a on-b@b on-c@c" {
		t.Errorf("with b back: %s, %v", names(list), err)
	}
}

func TestNoHostAnswers(t *testing.T) {
	all := machines(t, 2)
	for _, e := range all {
		e.SetAway(true)
	}
	info, err := over(all).Info(t.Context())
	if !errors.Is(err, orchestrator.ErrEngineUnreachable) || info.Endpoint == "" {
		t.Errorf("info %+v, %v", info, err)
	}
}

// heard collects events as text.
type heard struct {
	mu   sync.Mutex
	text []string
}

func (h *heard) add(ev orchestrator.ContainerEvent) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.text = append(h.text, strings.TrimSpace(ev.Name+" "+ev.Action)+"@"+ev.Host)
}

func (h *heard) take() string {
	synctest.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	text := strings.Join(h.text, " ")
	h.text = nil
	return text
}

// listen subscribes; the subscription ends with the test.
func listen(t *testing.T, eng *hosts.Engine, since time.Time) (*heard, func()) {
	h, ready, ended := &heard{}, make(chan struct{}), make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	go func() { ended <- eng.Events(ctx, since, nil, func() { close(ready) }, h.add) }()
	<-ready
	return h, func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("events ended with %v", err)
		}
	}
}

func TestEventsOfAHostThatWasAwayAreDeliveredOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := machines(t, 2)
		eng := over(all)
		id := run(t, eng, "b", "n2", nil)
		time.Sleep(time.Minute)
		h, end := listen(t, eng, time.Time{})
		defer end()
		run(t, eng, "a", "n1", nil)
		if got := h.take(); got != "n1 create@a n1 start@a" {
			t.Fatal(got)
		}
		all[1].SetAway(true)
		if got := h.take(); got != "host-lost@b" {
			t.Fatal(got)
		}
		all[1].ExternalKill(id, "KILL") // nobody hears it
		run(t, eng, "a", "n3", nil)
		time.Sleep(time.Minute)
		if got := h.take(); got != "n3 create@a n3 start@a" {
			t.Fatal(got)
		}
		all[1].SetAway(false)
		time.Sleep(6 * time.Second) // at most lastPause between two attempts
		got := strings.Fields(h.take())
		slices.Sort(got)
		if want := "die@b host-back@b kill@b n2 n2"; strings.Join(got, " ") != want {
			t.Errorf("%v, want %s", got, want)
		}
		all[1].BreakStreams() // without a break of the host, too
		time.Sleep(time.Second)
		if got := h.take(); got != "host-lost@b host-back@b" {
			t.Error(got)
		}
	})
}

// A host that is lost before the subscription does not hold it up for longer than its patience.
func TestASubscriptionDoesNotWaitForALostHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := machines(t, 2)
		eng := over(all)
		all[1].SetAway(true)
		began := time.Now()
		h, end := listen(t, eng, time.Time{})
		defer end()
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("ready after %v", took)
		}
		if got := h.take(); got != "host-lost@b" {
			t.Error(got)
		}
		all[1].SetAway(false)
		time.Sleep(6 * time.Second)
		if got := h.take(); got != "host-back@b" {
			t.Error(got)
		}
	})
}

// silent is a machine that stops to answer without closing a connection.
type silent struct {
	*enginetest.Engine
	mu   sync.Mutex
	hang chan struct{} // closed when it answers again; nil while it answers
}

func (s *silent) Info(ctx context.Context) (orchestrator.EngineInfo, error) {
	s.mu.Lock()
	hang := s.hang
	s.mu.Unlock()
	if hang != nil {
		select {
		case <-hang:
		case <-ctx.Done():
			return orchestrator.EngineInfo{}, ctx.Err()
		}
	}
	return s.Engine.Info(ctx)
}

func TestASilentHostIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := machines(t, 2)
		b := &silent{Engine: all[1]}
		eng := hosts.New(map[string]hosts.Machine{"a": all[0], "b": b}, hosts.Options{})
		h, end := listen(t, eng, time.Time{})
		defer end()
		time.Sleep(time.Minute)
		if got := h.take(); got != "" {
			t.Fatal(got)
		}
		b.mu.Lock()
		b.hang = make(chan struct{})
		b.mu.Unlock()
		time.Sleep(11 * time.Second) // asked every 5 s, for 5 s
		if got := h.take(); got != "host-lost@b" {
			t.Errorf("%q", got)
		}
		if _, err := eng.Containers(t.Context(), nil); err != nil {
			t.Errorf("it answers other questions: %v", err)
		}
		b.mu.Lock()
		close(b.hang)
		b.hang = nil
		b.mu.Unlock()
		time.Sleep(6 * time.Second)
		if got := h.take(); got != "host-back@b" {
			t.Errorf("%q", got)
		}
	})
}

// Times of all hosts are of one clock, however wrong theirs are.
func TestTimesAreOfOneClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := machines(t, 2)
		all[1].Skew = -3 * time.Hour
		eng := over(all)
		var stamps []time.Time
		ctx, cancel := context.WithCancel(t.Context())
		ready, ended := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(ended)
			_ = eng.Events(ctx, time.Time{}, nil, func() { close(ready) }, func(ev orchestrator.ContainerEvent) {
				if ev.Action == "start" {
					stamps = append(stamps, ev.Time)
				}
			}) // ends with ctx
		}()
		<-ready
		at := func(host, name string) {
			time.Sleep(time.Minute)
			id := run(t, eng, host, name, nil)
			synctest.Wait()
			c, err := eng.InspectContainer(t.Context(), id)
			if err != nil || time.Since(c.State.StartedAt).Abs() > time.Second || time.Since(c.Created).Abs() > time.Second {
				t.Errorf("%s: created %v, started %v, now %v, %v", host, c.Created, c.State.StartedAt, time.Now(), err)
			}
			logs, err := eng.Logs(t.Context(), id, time.Now().Add(-time.Second), false)
			if err != nil {
				t.Fatal(err)
			}
			defer logs.Close()
			if part, err := logs.Next(); err != nil || string(part.Text) != "waiting\n" || time.Since(part.Time).Abs() > time.Second {
				t.Errorf("%s: %q at %v, %v", host, part.Text, part.Time, err)
			}
		}
		for i, host := range []string{"b", "a", "b"} {
			at(host, fmt.Sprint("n", i))
		}
		cancel()
		<-ended
		if len(stamps) != 3 || !slices.IsSortedFunc(stamps, time.Time.Compare) {
			t.Errorf("started at %v", stamps)
		}
	})
}

func TestNamesAreUniqueOnAllHosts(t *testing.T) {
	eng := over(machines(t, 2))
	run(t, eng, "a", "n1", nil)
	_, err := eng.CreateContainer(t.Context(), orchestrator.ContainerSpec{Name: "n1", Host: "b", Image: "script"})
	if !errors.Is(err, orchestrator.ErrNameTaken) {
		t.Errorf("a second time: %v", err)
	}
	var group sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		group.Go(func() {
			_, errs[i] = eng.CreateContainer(t.Context(), orchestrator.ContainerSpec{Name: "n2", Host: []string{"a", "b"}[i%2], Image: "script"})
		})
	}
	group.Wait()
	created := 0
	for _, err := range errs {
		if err == nil {
			created++
		} else if !errors.Is(err, orchestrator.ErrNameTaken) {
			t.Error(err)
		}
	}
	if created != 1 {
		t.Errorf("%d containers have the name", created)
	}
	_, err = eng.CreateContainer(t.Context(), orchestrator.ContainerSpec{Name: "n3", Host: "z", Image: "script"})
	if !errors.Is(err, orchestrator.ErrNotFound) || !strings.Contains(err.Error(), "host z") {
		t.Errorf("on a host that is none: %v", err)
	}
}

// counting counts how often an image is loaded.
type counting struct {
	*enginetest.Engine
	mu    sync.Mutex
	loads int
}

func (c *counting) LoadImage(ctx context.Context, archive io.Reader) error {
	err := c.Engine.LoadImage(ctx, archive)
	if err == nil {
		c.mu.Lock()
		c.loads++
		c.mu.Unlock()
	}
	return err
}

func TestAnImageIsCopiedOnceToTheHostsThatNeedIt(t *testing.T) {
	all := machines(t, 3)
	b := &counting{Engine: all[1]}
	all[1].FailNext("LoadImage", errors.New("no space left on device"))
	eng := hosts.New(map[string]hosts.Machine{"a": all[0], "b": b, "c": all[2]}, hosts.Options{})
	_, err := eng.CreateContainer(t.Context(), orchestrator.ContainerSpec{Name: "n0", Host: "b", Image: "script"})
	if err == nil || !strings.Contains(err.Error(), "host b: no space left") {
		t.Errorf("a copy that fails: %v", err)
	}
	var group sync.WaitGroup
	for i := range 6 {
		group.Go(func() {
			if _, err := eng.CreateContainer(t.Context(), orchestrator.ContainerSpec{Name: fmt.Sprint("n", i), Host: "b", Image: "script"}); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if _, err := all[2].Image(t.Context(), "script"); !errors.Is(err, images.ErrNotFound) {
		t.Errorf("c, which needs none: %v", err)
	}
	if b.loads != 1 {
		t.Errorf("%d copies", b.loads)
	}
	if _, err := eng.CreateContainer(t.Context(), orchestrator.ContainerSpec{Name: "later", Host: "b", Image: "script"}); err != nil || b.loads != 1 {
		t.Errorf("an image that is there was copied: %d copies, %v", b.loads, err)
	}
}
