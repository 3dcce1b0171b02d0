package watch

import (
	"slices"
	"time"
)

// Loops detects files that change because of a sync: a sync may run a generator or a
// formatter, whose output starts the next sync. It is not safe for concurrent use.
type Loops struct {
	streak map[string]int // how many times in a row
	ended  time.Time      // of the last time
	told   map[string]bool
}

const (
	// soon is the time after a sync within which it is suspected to have caused a change. A
	// person cannot read the result, think, type and save in that time.
	soon = time.Second
	// often is how many times in a row make a loop.
	often = 3
)

// Note records changed paths and the time in which they were handled. It returns the
// paths that are newly found to be in a loop, each once.
func (l *Loops) Note(paths []string, began, ended time.Time) (loops []string) {
	last := l.streak
	l.streak = map[string]int{}
	if l.told == nil {
		l.told = map[string]bool{}
	}
	for _, p := range paths {
		l.streak[p] = 1
		if began.Sub(l.ended) <= Quiet+soon {
			l.streak[p] += last[p]
		}
		if l.streak[p] > often && !l.told[p] {
			l.told[p] = true
			loops = append(loops, p)
		}
	}
	l.ended = ended
	slices.Sort(loops)
	return loops
}
