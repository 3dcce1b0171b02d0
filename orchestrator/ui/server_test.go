package ui

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
)

func TestAStreamBeginsWithASnapshotAndGoesOn(t *testing.T) {
	f := newFake()
	begun := time.Now()
	f.events = []orchestrator.Event{{Seq: 1, Time: begun, Kind: orchestrator.EventPhase, Text: "ready"}}
	f.journal = []orchestrator.JournalEntry{
		{Time: begun, Source: orchestrator.FromNode, Node: "n1", Peer: "n2", Text: "nodeup n2"},
		{Time: begun, Source: orchestrator.FromEngine, Node: "n1", Text: "start"},
	}
	f.lines = []orchestrator.Line{{Node: "n1", Stream: orchestrator.Stdout, Seq: 1, Time: begun, Text: "<b>hi</b>\xff"}}
	s := entered(t, Options{Source: f})
	first := s.watch("demo", "")
	all := first.until(kindLines, nil)
	var kinds []string
	for _, e := range all {
		kinds = append(kinds, e.kind)
	}
	if got := strings.Join(kinds, " "); !strings.HasPrefix(got, "hello status") {
		t.Errorf("the messages are %s", got)
	}
	var h hello
	if err := json.Unmarshal([]byte(all[0].data), &h); err != nil {
		t.Fatal(err)
	}
	if h.Cluster != "demo" || h.ReadOnly || !h.Supervised || h.Resumed || h.Boot == "" || h.TakeOver != "" || all[0].id != "" {
		t.Errorf("hello is %+v, with the ID %q", h, all[0].id)
	}
	if data := all[len(all)-1].data; !strings.Contains(data, `\u003cb\u003ehi`) || !strings.Contains(data, `\ufffd`) {
		t.Errorf("the lines are %s", data)
	}
	// A second browser gets the same at once, and both get what is new.
	second := s.watch("demo", "")
	snapshot := second.until(kindLive, nil)
	seen := map[string]string{}
	for _, e := range snapshot {
		seen[e.kind] += e.data
		if (e.id != "") != (e.kind == kindLive) {
			t.Errorf("%s of the snapshot has the ID %q", e.kind, e.id)
		}
	}
	for _, kind := range []string{kindStatus, kindPairs, kindLines} {
		if seen[kind] == "" {
			t.Errorf("the snapshot has no %s", kind)
		}
	}
	f.change(func(f *fake) { f.status.Ready, f.status.Nodes[1].State = false, orchestrator.BackingOff })
	changed := func(data string) bool { return strings.Contains(data, "backing-off") }
	a, b := first.until(kindStatus, changed), second.until(kindStatus, changed)
	if x, y := a[len(a)-1], b[len(b)-1]; x != y || x.id == "" {
		t.Errorf("two browsers got %v and %v", x, y)
	}
	// One cluster was opened for both.
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.opened != 1 {
		t.Errorf("it was opened %d times", f.opened)
	}
}

// What a browser missed while it was away comes once, in order.
func TestAStreamResumes(t *testing.T) {
	f := newFake()
	s := entered(t, Options{Source: f})
	keeps := s.watch("demo", "")
	keeps.until(kindLive, nil)
	w := s.watch("demo", "")
	all := w.until(kindLive, nil)
	last := all[len(all)-1].id
	w.close()
	begun := time.Now()
	for i := range 50 {
		f.change(func(f *fake) {
			f.events = append(f.events, orchestrator.Event{Seq: uint64(i + 1), Time: begun.Add(time.Duration(i)), Text: "event"})
		})
	}
	isLast := func(data string) bool { return strings.Contains(data, `"seq":50,`) }
	keeps.until(kindHappened, isLast)
	again := s.watch("demo", last)
	resumed := again.until(kindHappened, isLast)
	var h hello
	if err := json.Unmarshal([]byte(resumed[0].data), &h); err != nil || !h.Resumed {
		t.Errorf("hello is %+v, %v", h, err)
	}
	next := uint64(1)
	for _, e := range resumed {
		if e.kind != kindHappened {
			continue
		}
		var got orchestrator.Event
		if err := json.Unmarshal([]byte(e.data), &got); err != nil || got.Seq != next {
			t.Fatalf("event %d comes where %d should: %v", got.Seq, next, err)
		}
		next++
	}
	// An ID of another boot, or one that was never given, begins anew.
	for _, id := range []string{"other-3", "nonsense", strings.Split(last, "-")[0] + "-99999999"} {
		fresh := s.watch("demo", id)
		if e := fresh.until(kindLive, nil); strings.Contains(e[0].data, `"resumed":true`) {
			t.Errorf("%s resumes", id)
		}
		fresh.close()
	}
}

// A browser that may not see the stream's headers says in the query where it was.
func TestTheQueryResumesToo(t *testing.T) {
	s := entered(t, Options{Source: newFake()})
	w := s.watch("demo", "")
	all := w.until(kindLive, nil)
	for _, name := range []string{"after", "last"} {
		again := s.watch("demo/stream?"+name+"="+all[len(all)-1].id+"&", "")
		if e, _ := again.next(); !strings.Contains(e.data, `"resumed":true`) {
			t.Errorf("%s: %s", name, e.data)
		}
	}
}

// A cluster that is gone is said to be, and comes back on the same stream.
func TestAClusterThatGoesAndComesBack(t *testing.T) {
	f := newFake()
	s := entered(t, Options{Source: f})
	w := s.watch("demo", "")
	w.until(kindLive, nil)
	f.change(func(f *fake) { f.fail, f.gone = orchestrator.ErrNoSupervisor, orchestrator.ErrNoCluster })
	all := w.until(kindGone, func(data string) bool { return strings.Contains(data, "no such cluster") })
	if data := all[len(all)-1].data; !strings.Contains(data, `"why":`) {
		t.Errorf("gone is %s", data)
	}
	// Who comes now is told so at the end of the snapshot.
	late := s.watch("demo", "")
	if all := late.until(kindLive, nil); all[len(all)-2].kind != kindGone {
		t.Errorf("the snapshot ends with %s", all[len(all)-2].kind)
	}
	f.change(func(f *fake) { f.fail, f.gone = nil, nil })
	w.until(kindStatus, nil)
	if all := s.watch("demo", "").until(kindLive, nil); all[len(all)-2].kind == kindGone {
		t.Error("it is gone in a snapshot after it came back")
	}
}

// A browser learns at once that a supervisor has taken over: its stream is cut, and the next one
// resumes with another hello.
func TestTakeOver(t *testing.T) {
	f := newFake()
	f.supervised = false
	f.takeOver = func(context.Context) error {
		f.change(func(f *fake) { f.supervised = true })
		return nil
	}
	s := entered(t, Options{Source: f})
	w := s.watch("demo", "")
	all := w.until(kindLive, nil)
	if !strings.Contains(all[0].data, `"supervised":false`) || !strings.Contains(all[0].data, `"take_over":"beamyard up demo -d"`) {
		t.Errorf("hello is %s", all[0].data)
	}
	resp, body := s.request(http.MethodPost, "/c/demo/do/take-over", "{}")
	if resp.StatusCode != http.StatusOK || !strings.Contains(body, "has a supervisor now") {
		t.Fatalf("%s: %s", resp.Status, body)
	}
	last := all[len(all)-1].id
	for {
		e, over := w.next()
		if over {
			break
		}
		last = e.id
	}
	e, _ := s.watch("demo", last).next()
	if !strings.Contains(e.data, `"supervised":true,"resumed":true`) || !strings.Contains(e.data, `"take_over":""`) {
		t.Errorf("hello is %s", e.data)
	}
}

func TestPages(t *testing.T) {
	s := entered(t, Options{Source: newFake()})
	for path, want := range map[string]int{
		"/c/demo/": http.StatusOK, "/": http.StatusOK, "/c/demo": http.StatusOK, "/assets/nothing.js": http.StatusNotFound,
		"/assets/index.html": http.StatusNotFound, "/assets/../index.html": http.StatusNotFound, "/c/demo/do/kill": http.StatusMethodNotAllowed,
	} {
		if resp, _ := s.request(http.MethodGet, path, ""); resp.StatusCode != want {
			t.Errorf("%s: %s", path, resp.Status)
		}
	}
}
