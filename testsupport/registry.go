package testsupport

import (
	"slices"
	"strings"
	"sync"
)

// running are the clusters of this process.
var running registry

type registry struct {
	mu   sync.Mutex
	list []*Cluster
}

func (r *registry) add(c *Cluster) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, c)
}

func (r *registry) remove(c *Cluster) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = slices.DeleteFunc(r.list, func(other *Cluster) bool { return other == c })
}

// others returns the names of the clusters that are not a leak of a test: shared ones, and
// those of other tests.
func (r *registry) others(test string) map[string]bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	names := map[string]bool{}
	for _, c := range r.list {
		if c.isOfOthers(test) {
			names[c.name] = true
		}
	}
	return names
}

// isOfOthers reports whether a test other than the given one and its subtests uses the cluster,
// or it is kept for inspection. A cluster that Run started without a test may belong to any
// test once Run has returned it.
func (c *Cluster) isOfOthers(test string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	others := c.shared || c.starting || c.kept
	for name := range c.tests {
		if name != test && !strings.HasPrefix(name, test+"/") {
			others = true
		}
	}
	return others
}
