package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/beamyard/beamyard/images"
	"github.com/beamyard/beamyard/network"
	"github.com/beamyard/beamyard/network/erldist"
)

// site is the environment of a cluster's nodes. prepare creates it, and afterwards it is
// only read, except for each node's own placement, which its launch may change.
type site struct {
	spec        Spec // including the resolved image
	info        EngineInfo
	networkID   string
	subnet      network.Subnet
	created     time.Time
	direct      bool   // container addresses can be dialled from this process
	keeper      string // the container that this process runs in, if it is one of the engine's
	hostIP      string
	noFile      atomic.Int64      // the limit to request from the engine; 0 once it refused
	lacks       lacks             // the other features that it refused
	listenSince time.Time         // the time from which the engine's events are read
	taken       map[uint16]string // host ports of containers, and the containers' names
	slots       map[string]*slot
	elsewhere   map[string]string // other networks that the spec names, and their IDs
	adopted     bool              // it existed before: see adoptSite
	detached    bool              // and outlives its keepers
}

// slot is one node's placement. Its launch owns it until the node is running.
type slot struct {
	index int
	placement
	held  []*network.Reservation // listeners that reserve the ports until the engine binds them
	fixed bool                   // the user named a port: a conflict is an error
	fresh []string               // the mount points of new volumes that the node's user does not own yet
}

// distAddr returns where the node's distribution can be dialled, see
// [erldist.Dialer.Dial].
func (s *site) distAddr(node string) string {
	if s.spec.Distribution.Port == 0 {
		return erldist.EPMDAddr(s.addr(node, epmdPort))
	}
	return s.addr(node, s.spec.Distribution.Port)
}

// httpAddr returns where the node's HTTP port can be dialled.
func (s *site) httpAddr(node string) string { return s.addr(node, s.spec.of(node).HTTPPort) }

func (s *site) addr(node string, port int) string {
	at := s.slots[node].placement
	if !s.direct {
		for _, p := range at.ports {
			if int(p.Container) == port {
				return hostPort(s.info.Host, int(p.Host))
			}
		}
	}
	return hostPort(at.ip.String(), port)
}

// Prepare resolves what the spec's nodes run. It turns Source into an existing Image,
// reads App from the project if the spec does not set it, finds the command that starts a
// release, and pulls missing images of single nodes. progress receives the lines of a
// build.
func Prepare(ctx context.Context, eng Engine, s Spec, progress io.Writer) (Spec, error) {
	if progress == nil {
		progress = io.Discard
	}
	made, app, written := s.Image == "" && s.Source != "", "", s
	if made {
		var err error
		if s, app, err = s.build(ctx, eng, progress); err != nil {
			return s, err
		}
	}
	for _, n := range s.Nodes {
		if n.Image == "" || n.Built && made {
			continue
		}
		if _, err := images.Resolve(ctx, eng, images.Source{Kind: images.Reference, Ref: n.Image}, images.Options{Progress: progress}); err != nil {
			return s, fmt.Errorf("%s: %w", n.Name, err)
		}
	}
	s, err := s.withImages(ctx, eng)
	if err != nil {
		return s, err
	}
	if s, err = s.proxied(ctx, eng); err != nil {
		return s, err
	}
	if s, err = s.ownReleases(ctx, eng, written, app, progress); err != nil {
		return s, err
	}
	if made && s.Precompiled {
		return s.releaseOfProject(), nil
	}
	if s, err = s.recognised(ctx, eng, app, progress); err != nil {
		return s, err
	}
	return s.releaseOfImage(ctx, eng)
}

// prepare creates the site. It queries the engine, resolves the image, and creates the
// network, or finds the network and containers of a cluster to adopt.
func (c *Cluster) prepare(ctx context.Context) (adopted []Container, err error) {
	s := &site{spec: c.spec, slots: map[string]*slot{}}
	if s.info, err = c.eng.Info(ctx); err != nil {
		return nil, err
	}
	s.noFile.Store(allowedNoFile(s.info))
	s.created, s.listenSince = s.info.Time, s.info.Time
	s.hostIP = publishedAt(s.info)
	networks, err := c.eng.Networks(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("list networks: %w", err)
	}
	networks = c.sweep(ctx, networks)
	if own := networksOf(networks, c.spec.Name); len(own) > 0 {
		if !c.opts.Adopt {
			return nil, errExists(c.spec.Name)
		}
		s.elsewhere, _ = c.spec.elsewhere(networks) // existing nodes are attached already
		return c.adoptSite(ctx, s, own[0])
	}
	if s.elsewhere, err = c.spec.elsewhere(networks); err != nil {
		return nil, err
	}

	if c.spec.Image == "" {
		c.phase("preparing the image")
	}
	if s.spec, err = Prepare(ctx, c.eng, c.spec, c.opts.BuildOutput); err != nil {
		return nil, err
	}
	if own, ok := ownContainer(ctx, c.eng); ok {
		s.keeper = own.ID
	}
	c.phase("creating network %s", c.spec.names().Network())
	if err := c.createNetwork(ctx, s, networks); err != nil {
		return nil, err
	}
	c.site = s
	c.meetNeighbours(s.info)
	if s.direct, err = reachable(ctx, c.eng, s.info, s.networkID, s.subnet); err == nil {
		c.sayUnreachable(s)
		err = c.place(ctx, s)
	}
	if err != nil {
		s.release()
		cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), teardown)
		defer cancel()
		return nil, errors.Join(err, removeNetwork(cleanup, c.eng, Network{ID: s.networkID, Name: c.spec.names().Network(), Labels: clusterLabels(s.spec, s.created)}))
	}
	for _, text := range s.spec.flagNotes() {
		c.note("", "%s", text)
	}
	c.phase("starting %s", count(len(c.spec.Nodes), "node"))
	return nil, nil
}

// publishedAt returns the address at which ports are published: for a remote engine,
// every address of its host.
func publishedAt(info EngineInfo) string {
	if info.Local {
		return "127.0.0.1"
	}
	return "0.0.0.0"
}

// meetNeighbours enlarges the kernel's neighbour table if the mesh is larger than it, as
// the engine does for its overlay networks, or notes what to type if this process may
// not.
func (c *Cluster) meetNeighbours(info EngineInfo) {
	n := len(c.spec.Nodes)
	limit, known := network.NeighbourLimit()
	if !info.Local || !known || n*n <= limit*3/4 {
		return
	}
	if err := network.RaiseNeighbourLimit(); err != nil {
		c.note("", "%d nodes need %d entries of the kernel's neighbour table, which has %d: connections will time out (%v); %s",
			n, n*n, limit, err, network.NeighbourCommand)
		return
	}
	c.note("", "raised the limit of the kernel's neighbour table from %d: %d nodes need %d entries", limit, n, n*n)
}

// allowedNoFile returns the limit of open files to request. An engine refuses a limit
// above its own hard limit when the container starts, which costs half a second for each
// node to find out; an engine on this machine seldom has less than this process.
func allowedNoFile(info EngineInfo) int64 {
	if hard, known := hardNoFile(); known && info.Local {
		return min(noFile, hard)
	}
	return noFile
}

func (c *Cluster) phase(format string, args ...any) {
	c.events.add(Event{Kind: EventPhase, Text: fmt.Sprintf(format, args...)}, time.Now())
}

func (c *Cluster) note(node, format string, args ...any) {
	c.events.add(Event{Node: node, Kind: EventNote, Text: c.clean(fmt.Sprintf(format, args...))}, time.Now())
}

func errExists(name string) error {
	return WithHint(fmt.Errorf("%w: %s", ErrClusterExists, name),
		"look at it with `beamyard ps %s`, remove it with `beamyard down %s`, or choose another --name", name, name)
}

func networksOf(all []Network, cluster string) []Network {
	var own []Network
	for _, n := range all {
		if n.Labels[LabelCluster] == cluster {
			own = append(own, n)
		}
	}
	// If two were created at the same time, the older one is the cluster; the engine
	// allows two networks of one name.
	slices.SortFunc(own, func(a, b Network) int {
		if d := a.Created.Compare(b.Created); d != 0 {
			return d
		}
		return strings.Compare(a.ID, b.ID)
	})
	return own
}

// createNetwork takes a subnet from the pool and creates the network. It tries another
// subnet if another process was faster. If two `up` of one name create theirs at the same
// time, the older network wins and the other one reports an error.
func (c *Cluster) createNetwork(ctx context.Context, s *site, networks []Network) error {
	var taken []netip.Prefix
	for _, n := range networks {
		taken = append(taken, n.Subnets...)
	}
	if s.info.Local {
		local, err := network.LocalPrefixes()
		if err != nil {
			return err
		}
		taken = append(taken, local...)
	}
	for attempt := 0; ; attempt++ {
		subnet, err := network.PickSubnet(s.spec.Pool, len(s.spec.Nodes), taken, rand.Uint32())
		if err != nil {
			return whoHolds(err, s.spec.Pool, networks)
		}
		s.spec.Subnet = subnet.Prefix
		s.networkID, err = c.eng.CreateNetwork(ctx, NetworkSpec{
			Name: s.spec.names().Network(), Subnet: subnet.Prefix, Gateway: subnet.Gateway, IPRange: subnet.Dynamic, IPv6: ipv6Subnet(s.spec),
			MTU: s.info.MTU, Labels: keptBy(networkLabels(s.spec, s.created), s.keeper),
		})
		switch {
		case err == nil:
			s.subnet = subnet
			return c.firstOfName(ctx, s, nil)
		case errors.Is(err, ErrSubnetOverlap) && attempt < 20:
			taken = append(taken, subnet.Prefix)
		case errors.Is(err, ErrNameTaken):
			return c.firstOfName(ctx, s, err)
		default:
			return fmt.Errorf("create network: %w", err)
		}
	}
}

// ipv6Subnet returns a new subnet of unique local addresses. Their 56 random bits make a
// comparison with other networks unnecessary. It is zero if the spec does not use IPv6.
// Source: RFC 4193.
func ipv6Subnet(s Spec) netip.Prefix {
	if !s.Distribution.Inet6 {
		return netip.Prefix{}
	}
	address := [16]byte{0: 0xfd}
	for i := range 7 {
		address[1+i] = byte(rand.Uint32())
	}
	return netip.PrefixFrom(netip.AddrFrom16(address), 64)
}

// whoHolds adds to the error which networks fill a pool, and how to remove each.
func whoHolds(err error, pool netip.Prefix, networks []Network) error {
	var full *network.PoolExhaustedError
	if !errors.As(err, &full) {
		return err
	}
	hints := []string{full.Hint()}
	for _, n := range networks {
		if !slices.ContainsFunc(n.Subnets, pool.Overlaps) {
			continue
		}
		remove := "docker network rm " + n.Name
		if cluster := n.Labels[LabelCluster]; cluster != "" {
			remove = "beamyard down " + cluster
		}
		hints = append(hints, fmt.Sprintf("network %s is in it, made %s: %s", n.Name, n.Created.UTC().Format("2006-01-02 15:04"), remove))
	}
	const most = 6
	if more := len(hints) - most; more > 1 {
		hints = append(hints[:most], fmt.Sprintf("and %d more networks: docker network ls", more))
	}
	return WithHint(err, "%s", strings.Join(hints, "\n"))
}

// firstOfName checks that the network just created is the cluster's. refused is the
// engine's error if it was not created.
func (c *Cluster) firstOfName(ctx context.Context, s *site, refused error) error {
	networks, err := c.eng.Networks(ctx, map[string]string{LabelCluster: s.spec.Name})
	own := networksOf(networks, s.spec.Name)
	switch {
	case err != nil:
	case len(own) == 0: // refused because of a network that belongs to no cluster
		return refused
	case own[0].ID == s.networkID:
		return nil
	default:
		err = errExists(s.spec.Name)
	}
	if s.networkID == "" {
		return err
	}
	cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), teardown)
	defer cancel()
	return errors.Join(err, c.eng.RemoveNetwork(cleanup, s.networkID))
}
