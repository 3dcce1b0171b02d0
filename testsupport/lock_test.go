package testsupport

import (
	"sync"
	"testing"
)

// A test may acquire a shared cluster while its image is being built for another test,
// and while another test's failure is being recorded. Run with -race.
func TestConcurrentUseOfASharedCluster(t *testing.T) {
	c := &Cluster{tests: map[string]bool{}, reported: map[string]bool{}}
	var all sync.WaitGroup
	all.Go(func() { c.acquire(t) })
	all.Go(func() { c.buildLine("a line") })
	all.Go(func() { _ = c.Evidence() })
	all.Wait()
	if c.test() != t {
		t.Error("the cluster was not acquired")
	}
}
