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

// site is what a cluster's nodes stand on: made by prepare, then only read,
// but for each node's own placement, which its launch may change.
type site struct {
	spec        Spec // with the image resolved
	info        EngineInfo
	networkID   string
	subnet      network.Subnet
	created     time.Time
	direct      bool   // container addresses can be dialled from here
	keeper      string // the container that this process runs in, where it is one of the engine's
	hostIP      string
	noFile      atomic.Int64      // what is asked of the engine; 0 once it refused
	lacks       lacks             // what it refused beside
	listenSince time.Time         // from when on the engine's events are wanted
	taken       map[uint16]string // host ports that containers have, and whose
	slots       map[string]*slot
	elsewhere   map[string]string // networks of others that the spec names, and their IDs
	adopted     bool              // it was there before: see adoptSite
	detached    bool              // and is to outlive its keepers
}

// slot is one node's place. Its launch owns it until the node runs.
type slot struct {
	index int
	placement
	held  []*network.Held // listeners that keep the ports until the engine takes them
	fixed bool            // the user named a port: a conflict is an error
	fresh []string        // where its volumes sit that were made and are not its user's yet
}

// distAddr is where the node's distribution can be dialled, see [erldist.Dialer.Dial].
func (s *site) distAddr(node string) string {
	if s.spec.Distribution.Port == 0 {
		return erldist.EPMDAddr(s.addr(node, epmdPort))
	}
	return s.addr(node, s.spec.Distribution.Port)
}

// httpAddr is where the node's HTTP port can be dialled.
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

// Prepare resolves what the spec's nodes run: Source becomes an Image that
// exists, App is read from the project where the spec leaves it out, what starts a
// release is looked up, and images of single nodes are pulled where they are
// missing. progress gets the lines of a build.
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

// prepare makes the site: the engine is asked, the image resolved, and the
// network created, or those of a cluster to adopt are found.
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
		s.elsewhere, _ = c.spec.elsewhere(networks) // nodes that are there have them already
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

// publishedAt is the address at which ports are published: where the engine is
// elsewhere, every one that its host has.
func publishedAt(info EngineInfo) string {
	if info.Local {
		return "127.0.0.1"
	}
	return "0.0.0.0"
}

// meetNeighbours makes room in the kernel's neighbour table for a mesh that is
// larger than it holds, as the engine does for its overlay networks, or says
// what to type where this process may not.
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

// allowedNoFile is the limit of open files to ask for. An engine refuses one
// above its own hard limit when the container starts, which costs half a second
// a node to find out; an engine on this machine seldom has less than we do.
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
	// Of two that were created at once the older one is the cluster; the
	// engine allows two networks of one name.
	slices.SortFunc(own, func(a, b Network) int {
		if d := a.Created.Compare(b.Created); d != 0 {
			return d
		}
		return strings.Compare(a.ID, b.ID)
	})
	return own
}

// createNetwork cuts a subnet from the pool and creates the network, with
// another subnet when somebody else was faster. When two `up` of one name
// create theirs at once, the older network wins and the other says so.
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

// ipv6Subnet is a new subnet of unique local addresses, whose 56 random bits need no look
// at those of others; zero where the spec wants no IPv6. Source: RFC 4193.
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

// whoHolds says whose networks fill a pool, and how each is removed.
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

// firstOfName checks that the network just made is the cluster's. refused is
// the engine's error where it was not made.
func (c *Cluster) firstOfName(ctx context.Context, s *site, refused error) error {
	networks, err := c.eng.Networks(ctx, map[string]string{LabelCluster: s.spec.Name})
	own := networksOf(networks, s.spec.Name)
	switch {
	case err != nil:
	case len(own) == 0: // refused because of a network that is nobody's cluster
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
