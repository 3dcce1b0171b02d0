package ui

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"
)

// What the board keeps.
const (
	ringMessages = 20_000
	ringBytes    = 16 << 20
	keptHappened = 1_000
	keptJournal  = 2_000
	keptLines    = 500
	keptSamples  = 5 * time.Minute
)

// message is one message of the stream, encoded and masked.
type message struct {
	kind string
	data []byte
	id   string // "" in a snapshot
}

// board has the last messages of a feed, and those that a newcomer gets first. All methods are safe
// for concurrent use, and none waits.
type board struct {
	boot string
	now  func() time.Time

	mu      sync.Mutex
	next    uint64    // the number of the next message
	ring    []message // the last ones, the oldest first, in the order of their numbers
	bytes   int       // of the ring
	more    chan struct{}
	latest  map[string][]byte // of kinds of which only the last one counts
	kept    map[string][]aged // of kinds of which each one counts
	lines   []json.RawMessage
	greeted uint64 // counts the changes of what hello says
	hello   hello
	closed  bool
}

// aged is a kept message with its time.
type aged struct {
	data []byte
	at   time.Time
}

func newBoard(cluster string) *board {
	return &board{
		boot: rand.Text()[:12], now: time.Now, next: 1, more: make(chan struct{}),
		latest: map[string][]byte{}, kept: map[string][]aged{}, hello: hello{Cluster: cluster},
	}
}

// add numbers a message and keeps it.
func (b *board) add(kind string, data []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.addLocked(kind, data)
}

// set is add for a kind of which only the last one counts, if it differs from that. It reports
// whether it does.
func (b *board) set(kind string, data []byte) (changed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	changed = string(b.latest[kind]) != string(data) || kind == kindStatus && b.latest[kindGone] != nil
	if changed {
		b.addLocked(kind, data)
	}
	return changed
}

// addLines is add for lines, each encoded.
func (b *board) addLines(lines []json.RawMessage) {
	data, err := json.Marshal(lines)
	if err != nil {
		panic(err) // they are JSON
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.addLocked(kindLines, data)
	b.lines = append(b.lines, lines...)
	if drop := len(b.lines) - keptLines; drop > 0 {
		b.lines = append([]json.RawMessage(nil), b.lines[drop:]...)
	}
}

func (b *board) addLocked(kind string, data []byte) {
	b.ring = append(b.ring, message{kind, data, b.id(b.next)})
	b.next++
	b.bytes += len(data)
	drop := 0
	for len(b.ring)-drop > ringMessages || b.bytes > ringBytes && len(b.ring)-drop > 1 {
		b.bytes -= len(b.ring[drop].data)
		b.ring[drop].data = nil // the array is shared until it grows
		drop++
	}
	b.ring = b.ring[drop:]
	switch kind {
	case kindStatus:
		b.latest[kind] = data
		delete(b.latest, kindGone)
	case kindHealth, kindPairs, kindGone:
		b.latest[kind] = data
	case kindHappened:
		b.keep(kind, data, keptHappened)
	case kindJournal:
		b.keep(kind, data, keptJournal)
	case kindSample:
		b.keep(kind, data, 0)
		old := 0
		for old < len(b.kept[kind]) && b.now().Sub(b.kept[kind][old].at) > keptSamples {
			old++
		}
		b.kept[kind] = b.kept[kind][old:]
	}
	b.wake()
}

// keep keeps a message, and at most so many of its kind; 0: all.
func (b *board) keep(kind string, data []byte, most int) {
	b.kept[kind] = append(b.kept[kind], aged{data, b.now()})
	if drop := len(b.kept[kind]) - most; most > 0 && drop > 0 {
		b.kept[kind] = b.kept[kind][drop:]
	}
}

// wake makes the readers read.
func (b *board) wake() {
	close(b.more)
	b.more = make(chan struct{})
}

// greet changes what hello says. Readers that were told something else connect again.
func (b *board) greet(supervised bool, takeOver string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.hello.Supervised == supervised && b.hello.TakeOver == takeOver && b.greeted > 0 {
		return
	}
	b.hello.Supervised, b.hello.TakeOver = supervised, takeOver
	b.greeted++
	b.wake()
}

// close ends all readers.
func (b *board) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.wake()
}

// reader is the place of one browser in the messages.
type reader struct {
	b       *board
	after   uint64 // the number of the last message that it has
	greeted uint64
}

// read begins to read after the message with this ID, or with a snapshot if the ring does not have
// what follows it.
func (b *board) read(lastID string) (r *reader, first hello, snapshot []message) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r = &reader{b: b, greeted: b.greeted}
	first = b.hello
	first.Boot, first.Now = b.boot, b.now().UTC()
	boot, number, _ := strings.Cut(lastID, "-")
	after, err := strconv.ParseUint(number, 10, 64)
	if oldest := b.next - uint64(len(b.ring)); err == nil && boot == b.boot && after < b.next && after+1 >= oldest {
		r.after, first.Resumed = after, true
		return r, first, nil
	}
	r.after = b.next - 1
	return r, first, b.snapshot()
}

// snapshot returns what is known now. Only its last message has an ID.
func (b *board) snapshot() []message {
	var all []message
	one := func(kind string, data []byte) {
		if data != nil {
			all = append(all, message{kind: kind, data: data})
		}
	}
	for _, kind := range []string{kindStatus, kindHealth, kindPairs} {
		one(kind, b.latest[kind])
	}
	for _, kind := range []string{kindHappened, kindJournal, kindSample} {
		for _, m := range b.kept[kind] {
			one(kind, m.data)
		}
	}
	if len(b.lines) > 0 {
		lines, err := json.Marshal(b.lines)
		if err != nil {
			panic(err) // they are JSON
		}
		one(kindLines, lines)
	}
	one(kindGone, b.latest[kindGone])
	return append(all, message{kindLive, []byte("{}"), b.id(b.next - 1)})
}

// next returns the messages after the last one, and a channel that is closed when there are more.
// It is over when the server ends, and when the reader fell behind or was told a hello that no
// longer holds: then the browser connects again.
func (r *reader) next() (messages []message, more <-chan struct{}, over bool) {
	r.b.mu.Lock()
	defer r.b.mu.Unlock()
	oldest := r.b.next - uint64(len(r.b.ring))
	if r.after+1 < oldest || r.greeted != r.b.greeted || r.b.closed {
		return nil, nil, true
	}
	messages = append(messages, r.b.ring[r.after+1-oldest:]...)
	r.after = r.b.next - 1
	return messages, r.b.more, false
}

// id returns the ID of the message with a number.
func (b *board) id(number uint64) string { return fmt.Sprintf("%s-%d", b.boot, number) }
