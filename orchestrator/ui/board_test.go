package ui

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

func text(messages []message) string {
	var words []string
	for _, m := range messages {
		words = append(words, m.kind+string(m.data))
	}
	return strings.Join(words, " ")
}

// The ring is bounded by its messages and by its bytes. A reader that falls out of it is over.
func TestTheRingIsBounded(t *testing.T) {
	for what, size := range map[string]int{"messages": 1, "bytes": ringBytes / 100} {
		b := newBoard("demo")
		slow, _, _ := b.read("")
		fast, _, _ := b.read("")
		read := 0
		for range ringMessages + 10 {
			b.add(kindHappened, make([]byte, size))
			if messages, _, over := fast.next(); over {
				t.Fatalf("%s: who keeps up is over", what)
			} else {
				read += len(messages)
			}
			if size > 1 && read > 300 {
				break
			}
		}
		if len(b.ring) > ringMessages || b.bytes > ringBytes {
			t.Errorf("%s: the ring has %d messages of %d bytes", what, len(b.ring), b.bytes)
		}
		if _, _, over := slow.next(); !over {
			t.Errorf("%s: who fell behind is not over", what)
		}
		if _, h, snapshot := b.read(b.id(1)); h.Resumed || len(snapshot) == 0 {
			t.Errorf("%s: an ID that is gone resumes", what)
		}
		oldest := b.next - uint64(len(b.ring))
		r, h, _ := b.read(b.id(oldest - 1))
		if messages, _, _ := r.next(); !h.Resumed || len(messages) != len(b.ring) {
			t.Errorf("%s: the oldest ID that can resume gives %d messages of %d", what, len(messages), len(b.ring))
		}
	}
}

func TestASnapshotHasWhatCounts(t *testing.T) {
	b := newBoard("demo")
	now := time.Now()
	b.now = func() time.Time { return now }
	if _, _, all := b.read(""); text(all) != "live{}" {
		t.Errorf("an empty board gives %s", text(all))
	}
	for i := range 3 {
		b.set(kindStatus, fmt.Appendf(nil, "%d", i))
		b.set(kindPairs, []byte("p"))
		b.add(kindHappened, fmt.Appendf(nil, "%d", i))
		b.add(kindSample, fmt.Appendf(nil, "%d", i))
		now = now.Add(keptSamples / 2)
	}
	b.add(kindSample, []byte("3"))
	b.set(kindGone, []byte("g"))
	if _, _, all := b.read(""); text(all) != "status2 pairsp happened0 happened1 happened2 sample1 sample2 sample3 goneg live{}" {
		t.Errorf("%s", text(all))
	}
	b.set(kindStatus, []byte("2")) // the same again, but it was gone
	if _, _, all := b.read(""); strings.Contains(text(all), "gone") {
		t.Errorf("%s", text(all))
	}
	r, _, _ := b.read("")
	b.set(kindStatus, []byte("2"))
	if messages, _, _ := r.next(); len(messages) > 0 {
		t.Errorf("a status that did not change is told: %s", text(messages))
	}
	for i := range keptHappened + 5 {
		b.add(kindHappened, fmt.Appendf(nil, "%d", i))
		b.addLines([]json.RawMessage{json.RawMessage("1"), json.RawMessage("2")})
	}
	_, _, all := b.read("")
	happened, lines := 0, 0
	for _, m := range all {
		switch m.kind {
		case kindHappened:
			happened++
		case kindLines:
			lines += strings.Count(string(m.data), ",") + 1
		}
	}
	if happened != keptHappened || lines != keptLines {
		t.Errorf("%d events and %d lines are kept", happened, lines)
	}
}

// A snapshot that breaks half way cannot be mistaken for a whole one: its messages have no IDs.
func TestOnlyTheEndOfASnapshotHasAnID(t *testing.T) {
	b := newBoard("demo")
	b.set(kindStatus, []byte("1"))
	b.add(kindHappened, []byte("1"))
	r, _, all := b.read("")
	for i, m := range all {
		if (m.id != "") != (i == len(all)-1) {
			t.Errorf("%s has the ID %q", m.kind, m.id)
		}
	}
	b.add(kindHappened, []byte("2"))
	resumed, h, _ := b.read(all[len(all)-1].id)
	x, _, _ := r.next()
	y, _, _ := resumed.next()
	if !h.Resumed || text(x) != "happened2" || text(y) != "happened2" {
		t.Errorf("after the snapshot come %s and %s", text(x), text(y))
	}
}

// Who was told a hello that no longer holds connects again; so does everybody at the end.
func TestAnotherHelloCutsStreams(t *testing.T) {
	b := newBoard("demo")
	b.greet(false, "take it")
	r, first, _ := b.read("")
	b.greet(false, "take it")
	if _, _, over := r.next(); over || first.TakeOver != "take it" {
		t.Error("the same hello cuts")
	}
	_, more, _ := r.next()
	b.greet(true, "")
	select {
	case <-more:
	default:
		t.Error("it is not woken")
	}
	if _, _, over := r.next(); !over {
		t.Error("another hello does not cut")
	}
	r, _, _ = b.read("")
	b.close()
	if _, _, over := r.next(); !over {
		t.Error("the end does not cut")
	}
}
