package faults

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/internal/manifest"
)

// This file has the helper of several nodes at once: one container is started instead of one for
// each node. It sees the processes of the engine's machine, and enters the network namespaces of
// the nodes by them. An engine that refuses that gets a helper for each node.

// member is what a helper of several nodes has to do for one of them.
type member struct {
	Container string  `json:"container"` // its ID
	PID       int     `json:"pid"`       // of its first process
	Request   request `json:"request"`
}

// errGone reports that a process is not, or no longer, the one of a container.
var errGone = errors.New("the process of the container is gone")

// helpMembers does what each request says, in the network namespace of its node, and returns the
// answers in the order of the members. It does all at once, each on a thread of its own that ends
// with it: a thread that entered a namespace is of no use to others.
func helpMembers(members []member) []answer {
	answers := make([]answer, len(members))
	var group sync.WaitGroup
	for at, m := range members {
		group.Go(func() {
			err := enterNetwork(m.PID, m.Container)
			if err == nil {
				m.Request.wait()
				err = m.Request.do(&answers[at])
			}
			answers[at].fail(err)
		})
	}
	group.Wait()
	return answers
}

// helpTogether runs one helper for several nodes of one host, and returns the answers by node. It has none of
// a node that could not be helped, for whatever reason: a helper of its own tells that better.
func (i Injector) helpTogether(ctx context.Context, image string, nodes map[string]orchestrator.Container, names []string, requests map[string]request) map[string]answer {
	members := make([]member, len(names))
	var group errgroup.Group
	for at, name := range names {
		group.Go(func() error {
			c, err := i.Engine.InspectContainer(ctx, nodes[name].ID)
			members[at] = member{Container: c.ID, PID: c.State.PID, Request: requests[name]}
			return err
		})
	}
	if group.Wait() != nil || slices.ContainsFunc(members, func(m member) bool { return m.PID == 0 }) {
		return nil
	}
	c := i.container(image, passing, passing+"-"+strings.ToLower(rand.Text()[:8]))
	c.Env = []string{helperVariable + "=" + manifest.MustJSON(request{Members: members})}
	c.Host = nodes[names[0]].Host
	c.HostPID, c.Capabilities = true, []string{"NET_ADMIN", "SYS_ADMIN", "SYS_PTRACE"}
	id, a, err := i.runHelper(ctx, c)
	if err != nil || len(a.Members) != len(members) {
		return nil
	}
	i.removeHelper(ctx, id)
	answers := map[string]answer{}
	for at, name := range names {
		if a.Members[at].Error == "" {
			answers[name] = a.Members[at]
		}
	}
	return answers
}
