package cluster

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/beamyard/beamyard/network"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/build"
	"github.com/beamyard/beamyard/orchestrator/discovery"
	"github.com/beamyard/beamyard/orchestrator/hint"
	"github.com/beamyard/beamyard/orchestrator/internal/dist"
	"github.com/beamyard/beamyard/orchestrator/internal/english"
	"github.com/beamyard/beamyard/orchestrator/internal/manifest"
	"github.com/beamyard/beamyard/orchestrator/internal/provision"
	"github.com/beamyard/beamyard/orchestrator/internal/reach"
)

// site is the environment of a cluster's nodes. prepare creates it, and afterwards it is
// only read, except for each node's own placement, which its launch may change.
type site struct {
	spec        orchestrator.Spec // including the resolved image
	info        orchestrator.EngineInfo
	networkID   string
	subnet      network.Subnet
	created     time.Time
	direct      bool              // container addresses can be dialled from this process
	keeper      string            // the container that this process runs in, if it is one of the engine's
	noFile      atomic.Int64      // the limit to request from the engine; 0 once it refused
	lacks       provision.Lacks   // the other features that it refused
	listenSince time.Time         // the time from which the engine's events are read
	taken       map[uint16]string // host ports of containers, and the containers' names
	slots       map[string]*slot
	moving      sync.RWMutex        // guards the placements of slots once their nodes run, and given
	given       map[netip.Addr]bool // addresses that moved nodes got
	elsewhere   map[string]string   // other networks that the spec names, and their IDs
	adopted     bool                // it existed before: see adoptSite
	detached    bool                // and outlives its keepers

	parked map[string]string    // containers that wait, by node, until a launch opens them; guarded by Cluster.placing
	opened map[string]time.Time // when they were opened, by ID; the zero time before. The goroutine of listen owns it
}

// slot is one node's placement. Its launch owns it until the node is running.
type slot struct {
	index int
	orchestrator.Placement
	held  []*network.Reservation // listeners that reserve the ports until the engine binds them
	host  string                 // it runs on; "" for the declared one
	tried map[netip.Addr]bool    // while it is being moved: addresses other than its own; see otherAddress
	fixed bool                   // the user named a port: a conflict is an error
	fresh []string               // the mount points of new volumes that the node's user does not own yet
}

// addresses returns how the nodes can be dialled.
func (s *site) addresses() reach.Addresses {
	return reach.Addresses{Direct: s.direct, Host: s.info.Host, DistPort: s.spec.Distribution.Port}
}

// distAddr returns where the node's distribution can be dialled.
func (s *site) distAddr(node string) string { return s.addresses().Dist(s.placement(node)) }

// addr returns where a port inside the node's container can be dialled.
func (s *site) addr(node string, port int) string {
	return s.addresses().Port(s.placement(node), port)
}

// prepare creates the site. It queries the engine, resolves the image, and creates the
// network, or finds the network and containers of a cluster to adopt.
func (c *Cluster) prepare(ctx context.Context) (adopted []orchestrator.Container, err error) {
	s := &site{spec: c.spec, slots: map[string]*slot{}, given: map[netip.Addr]bool{}}
	if _, err := dist.Dialer(c.spec, ""); err != nil { // before anything is created
		return nil, err
	}
	if s.info, err = c.eng.Info(ctx); err != nil {
		return nil, err
	}
	s.noFile.Store(reach.FileLimit(s.info))
	s.created, s.listenSince = s.info.Time, s.info.Time
	if err := manifest.CheckHosts(c.spec, s.info); err != nil {
		return nil, err
	}
	networks, err := c.eng.Networks(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("list networks: %w", err)
	}
	networks = c.sweep(ctx, networks)
	networks, taken, err := c.takeParked(ctx, s, networks)
	if err != nil {
		return nil, err
	}
	if taken {
		c.announceStart(s)
		return nil, nil
	}
	if own := orchestrator.NetworksOf(networks, c.spec.Name); len(own) > 0 {
		if !c.opts.Adopt {
			return nil, errExists(c.spec.Name)
		}
		s.elsewhere, _ = manifest.ResolveNetworks(c.spec, networks) // existing nodes are attached already
		return c.adoptSite(ctx, s, own[0])
	}
	if s.elsewhere, err = manifest.ResolveNetworks(c.spec, networks); err != nil {
		return nil, err
	}

	if c.spec.Image == "" {
		c.phase("preparing the image")
	}
	if s.spec, err = build.Prepare(ctx, c.eng, c.spec, c.opts.BuildOutput); err != nil {
		return nil, err
	}
	if own, ok := reach.OwnContainer(ctx, c.eng); ok {
		s.keeper = own.ID
	}
	c.phase("creating network %s", c.spec.Names().Network())
	if err := c.createNetwork(ctx, s, networks); err != nil {
		return nil, err
	}
	c.site = s
	c.tell(reach.MakeRoom(len(c.spec.Nodes), s.info))
	if s.direct, err = reach.Direct(ctx, c.eng, s.info, s.networkID, s.subnet); err == nil {
		c.tell(reach.Doubt(s.direct, s.info))
		err = c.place(ctx, s)
	}
	if err != nil {
		s.release()
		cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), orchestrator.RemovalTime)
		defer cancel()
		return nil, errors.Join(err, discovery.RemoveNetwork(cleanup, c.eng, orchestrator.Network{ID: s.networkID, Name: c.spec.Names().Network(), Labels: manifest.ClusterLabels(s.spec, s.created)}))
	}
	c.announceStart(s)
	return nil, nil
}

func (c *Cluster) announceStart(s *site) {
	for _, text := range manifest.FlagNotes(s.spec) {
		c.note("", "%s", text)
	}
	c.phase("starting %s", english.Plural(len(c.spec.Nodes), "node", "nodes"))
}

func (c *Cluster) phase(format string, args ...any) {
	c.events.Add(orchestrator.Event{Kind: orchestrator.EventPhase, Text: fmt.Sprintf(format, args...)}, time.Now())
}

func (c *Cluster) note(node, format string, args ...any) {
	c.advise(node, nil, fmt.Sprintf(format, args...))
}

// tell notes a text that is not empty.
func (c *Cluster) tell(text string) {
	if text != "" {
		c.note("", "%s", text)
	}
}

// advise reports something worth knowing, and what to do about it.
func (c *Cluster) advise(node string, next hint.Hint, text string) {
	c.events.Add(orchestrator.Event{Node: node, Kind: orchestrator.EventNote, Text: c.clean(text), Hint: next.Map(c.clean)}, time.Now())
}

func errExists(name string) error {
	return orchestrator.WithHint(fmt.Errorf("%w: %s", orchestrator.ErrClusterExists, name),
		"look at it with `%s`, remove it with `%s`, or choose another %s", hint.Status.On(name), hint.Down.On(name), hint.Setting("name"))
}

// createNetwork takes a subnet from the pool and creates the network. If two `up` of one name create
// theirs at the same time, one of them wins and the other one reports an error.
func (c *Cluster) createNetwork(ctx context.Context, s *site, networks []orchestrator.Network) error {
	labels := func(spec orchestrator.Spec) map[string]string {
		labels := manifest.WithKeeper(manifest.NetworkLabels(spec, s.created), s.keeper)
		if c.parking {
			labels[orchestrator.LabelParked] = "true"
		}
		return labels
	}
	id, subnet, err := provision.Network(ctx, c.eng, s.spec, s.info, networks, labels)
	if err != nil && !errors.Is(err, orchestrator.ErrNameTaken) {
		return err
	}
	s.networkID, s.subnet, s.spec.Subnet = id, subnet, subnet.Prefix
	return c.firstOfName(ctx, s, err)
}

// firstOfName checks that the network just created is the cluster's. refused is the
// engine's error if it was not created.
func (c *Cluster) firstOfName(ctx context.Context, s *site, refused error) error {
	winner, err := provision.Winner(ctx, c.eng, s.spec.Name, s.networkID)
	switch {
	case err != nil:
	case winner == "": // refused because of a network that belongs to no cluster
		return refused
	case winner == s.networkID:
		return nil
	default:
		err = errExists(s.spec.Name)
	}
	if s.networkID == "" {
		return err
	}
	cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), orchestrator.RemovalTime)
	defer cancel()
	return errors.Join(err, c.eng.RemoveNetwork(cleanup, s.networkID))
}
