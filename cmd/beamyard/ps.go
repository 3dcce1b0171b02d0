package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/discovery"
	"github.com/beamyard/beamyard/orchestrator/keeper"
)

type psCmd struct {
	Name    string `arg:"" optional:"" complete:"cluster" help:"Only this cluster."`
	Cluster string `short:"c" complete:"cluster" placeholder:"NAME" help:"The same."`
}

func (psCmd) Help() string {
	return `Without a name, the nodes of all clusters. A cluster whose supervisor does not
answer is listed from its containers alone, as "unsupervised".

--json answers with a list of clusters, also for one.`
}

// Run lists nodes.
func (c *psCmd) Run(ctx context.Context, a *app) error {
	eng, err := a.engine(ctx)
	if err != nil {
		return err
	}
	defer eng.Close()
	var found []discovery.Cluster
	var parked []string
	name := clusterRef(cmp.Or(c.Name, c.Cluster))
	if name == "" {
		found, parked, err = apart(ctx, eng)
	} else {
		found = make([]discovery.Cluster, 1)
		found[0], err = discovery.Find(ctx, eng, name)
	}
	if err != nil {
		return err
	}
	all := make([]orchestrator.Status, len(found))
	var silent, lonely []string
	for i, f := range found {
		all[i] = statusOf(ctx, f.Status)
		if all[i].Supervised {
			continue
		}
		if alive, _ := keeper.Alive(f.Owner); alive {
			silent = append(silent, fmt.Sprintf("%s is kept by process %d, which does not answer here: a Go test, another user's, one with another XDG_RUNTIME_DIR, or one that is just starting", f.Cluster, f.Owner.PID))
		} else {
			lonely = append(lonely, f.Cluster)
		}
	}
	printed := make([]orchestrator.Status, len(all))
	for i, st := range all {
		printed[i] = st.Printed()
	}
	return a.answer(printed, func(o *output) error {
		if len(parked) > 0 {
			a.say("parked for a next start: %s; remove what is parked: beamyard prune", strings.Join(parked, ", "))
		}
		if len(all) == 0 {
			a.say("no cluster is up; start one: beamyard up")
			return nil
		}
		if err := a.printNodes(o, all, name == ""); err != nil {
			return err
		}
		for _, st := range all {
			for _, f := range st.Faults {
				a.say("fault %s in force in %s: %s", f.ID, st.Cluster, f)
			}
		}
		for _, text := range silent {
			a.say("%s", text)
		}
		if len(lonely) > 0 {
			a.say("unsupervised: %s (no process restarts what crashes)", strings.Join(lonely, ", "))
		}
		return nil
	})
}

// apart returns the clusters that are up, and the names of those that are parked.
func apart(ctx context.Context, eng orchestrator.Engine) (up []discovery.Cluster, parked []string, err error) {
	found, err := discovery.All(ctx, eng)
	for _, f := range found {
		if f.Parked {
			parked = append(parked, f.Cluster)
			continue
		}
		up = append(up, f)
	}
	return up, parked, err
}
