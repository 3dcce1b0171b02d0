package redial

import "time"

// Soon and Late bound the delay between two attempts. It doubles with each attempt. Late doubles with
// each connection that does not last, up to maxBreaks times: then the delay is at most [Rare].
const (
	Soon = 50 * time.Millisecond
	Late = time.Second
	Rare = Late << maxBreaks

	// Lasts is how long a node must have all its peers before an earlier break no longer counts.
	Lasts = 5 * time.Second

	maxBreaks = 3
)

// Pace is the pace of one node's attempts. The zero Pace allows one at once.
//
// Connections that break as soon as they are made are made ever less often, until they last. The
// reason is global, which disconnects nodes that it believes to be on the other side of a partition:
// until every node has done so, a new connection looks like another partition (OTP, global(3),
// prevent_overlapping_partitions).
type Pace struct {
	next   time.Time // when the next attempt is allowed; zero: at once
	delay  time.Duration
	whole  time.Time // since when the node has all its peers; zero: it lacks one
	breaks int       // how often in a row that did not last, up to maxBreaks
}

// May reports whether an attempt is allowed now.
func (p *Pace) May(now time.Time) bool { return !now.Before(p.next) }

// Next returns when the next attempt is allowed. The zero time means: at once.
func (p *Pace) Next() time.Time { return p.next }

// Dialled notes that an attempt has ended, whatever came of it.
func (p *Pace) Dialled(now time.Time) {
	p.delay = min(max(2*p.delay, Soon), Late<<p.breaks)
	p.next = now.Add(p.delay)
}

// Saw notes whether the node has all its peers now.
func (p *Pace) Saw(all bool, now time.Time) {
	switch {
	case p.whole.IsZero():
	case now.Sub(p.whole) >= Lasts:
		*p = Pace{whole: p.whole}
	case !all:
		p.breaks = min(p.breaks+1, maxBreaks)
	}
	if !all {
		p.whole = time.Time{}
		return
	}
	if p.whole.IsZero() {
		p.whole = now
	}
	if p.breaks == 0 {
		p.Reset()
	}
}

// Reset allows an attempt at once, and begins with short delays: what kept the node from its peers has
// ended.
func (p *Pace) Reset() { p.next, p.delay = time.Time{}, 0 }
