package testsupport

import (
	"sync"
	"testing"
)

// A shared cluster is lent while its image is still built for somebody, and while
// somebody else's failure is written down: run with -race.
func TestALoanWhileOthersLook(t *testing.T) {
	c := &Cluster{tests: map[string]bool{}, reported: map[string]bool{}}
	var all sync.WaitGroup
	all.Go(func() { c.acquire(t) })
	all.Go(func() { c.buildLine("a line") })
	all.Go(func() { _ = c.Evidence() })
	all.Wait()
	if c.test() != t {
		t.Error("it is not lent")
	}
}
