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

// others are the names of the clusters that are not a test's, or of one of its
// subtests.
func (r *registry) others(test string) map[string]bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	names := map[string]bool{}
	for _, c := range r.list {
		if !c.isOf(test) {
			names[c.name] = true
		}
	}
	return names
}

// isOf tells whether a test, or one of its subtests, has the cluster to itself.
func (c *Cluster) isOf(test string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for name := range c.tests {
		if name != test && !strings.HasPrefix(name, test+"/") {
			return false
		}
	}
	return len(c.tests) > 0
}
