package probe

import (
	"errors"
	"testing"

	"github.com/beamyard/beamyard/orchestrator/diagnosis"
	"github.com/beamyard/beamyard/orchestrator/internal/supervisor"
)

// numbered is a link with a number, so that links can be told apart.
type numbered struct {
	Link
	n int
}

// A late action of an earlier run's probe does not change the link of the present run.
func TestALinkBelongsToTheLatestRun(t *testing.T) {
	l := NewLinks()
	is := func(when string, n int) {
		t.Helper()
		open, ok := l.Get("n1")
		if !ok || open.Link != any(numbered{n: n}) {
			t.Errorf("%s: %v, want link %d", when, open.Link, n)
		}
	}
	put := func(inc, n int, want bool) {
		t.Helper()
		if l.put(supervisor.RunID{Node: "n1", Inc: inc}, numbered{n: n}) != want {
			t.Errorf("run %d: kept is not %t", inc, want)
		}
	}
	put(1, 1, true)
	put(2, 2, true)
	put(1, 3, false)
	is("after a late one", 2)
	put(2, 4, true)
	is("another of the same run", 4)
	l.take(supervisor.RunID{Node: "n1", Inc: 1})
	is("after a late end", 4)
	l.take(supervisor.RunID{Node: "n1", Inc: 2})

	l.failed(supervisor.RunID{Node: "n1", Inc: 3}, errors.New("no"))
	l.failed(supervisor.RunID{Node: "n1", Inc: 2}, errors.New("no"))
	if contact, _ := l.LastContact(supervisor.RunID{Node: "n1", Inc: 3}); contact != diagnosis.ContactOther {
		t.Errorf("a late failure replaces that of the present run: %q", contact)
	}
	put(2, 5, false)
	if _, ok := l.Get("n1"); ok {
		t.Error("the link of an ended run is returned while the next run is dialled")
	}
}
