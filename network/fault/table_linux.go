package fault

import (
	"fmt"
	"maps"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
)

// tableName is the name of the one table, of family inet.
const tableName = "beamyard"

// A list has the peers to which the kernel does the same. Its name says what is done to
// which peers. The order of the names is the order of the rules:
//
//	drop-outside-in, drop-outside-out, drop-peer-in, drop-peer-out
//	loss-everyone-50000-0, loss-peer-50000-0   5 %; -1 and so on for equal losses of a peer
//	reset-outside-in, …
//	shape-everyone-00, shape-peer-00           the shapes that end last, then -01 and so on:
//	                                           a later rule replaces an earlier one's choice
//	dns-peer-out                               the engine's DNS server
//
// A list is a set for each version of IP. The elements are addresses of peers, or, for
// outside and everyone, the version itself. Each element has its own timer.
type list map[netip.Addr]entry

type entry struct {
	until time.Time
	class uint16 // of a shape
}

func listName(action, noPeer string, peer netip.Addr, detail string) string {
	if peer.IsValid() {
		noPeer = "peer"
	}
	return action + "-" + noPeer + "-" + detail
}

// listWords is the reverse of listName, with the first word of the detail.
func listWords(name string) (action, target, detail string) {
	words := append(strings.Split(name, "-"), "", "")
	return words[0], words[1], words[2]
}

// toLists sorts rules into lists.
func toLists(r Rules, classes map[classKey]uint16) map[string]list {
	lists := map[string]list{}
	add := func(name string, peer netip.Addr, e entry) bool {
		if lists[name] == nil {
			lists[name] = list{}
		}
		if _, taken := lists[name][peer]; taken {
			return false
		}
		lists[name][peer] = e
		return true
	}
	for _, c := range r.Cuts {
		add(listName(string(c.How), "outside", c.Peer, string(c.Direction)), c.Peer, entry{until: c.Until})
	}
	for _, l := range r.Losses {
		for i, n := 0, math.Round(l.Percent*1e4); !add(listName("loss", "everyone", l.Peer, fmt.Sprintf("%.0f-%d", n, i)), l.Peer, entry{until: l.Until}); i++ {
		}
	}
	if r.Resolver.Ours {
		add(listName("dns", "", engineDNS, string(Out)), engineDNS, entry{until: r.Resolver.Until})
	}
	for _, s := range slices.Backward(r.Shapes) {
		e := entry{s.Until, classes[keyOf(s)]}
		for i := 0; !add(listName("shape", "everyone", s.Peer, fmt.Sprintf("%02d", i)), s.Peer, e); i++ {
		}
	}
	return lists
}

// fromLists is the reverse of toLists. Shapes whose class has no shaping are left out.
func fromLists(lists map[string]list, shapings map[uint16]Shaping) (r Rules, classes map[classKey]uint16) {
	classes = map[classKey]uint16{}
	for name, entries := range lists {
		action, _, detail := listWords(name)
		for peer, e := range entries {
			switch action {
			case string(Drop), string(Reset):
				r.Cuts = append(r.Cuts, Cut{peer, Direction(detail), How(action), e.until})
			case "loss":
				r.Losses = append(r.Losses, Loss{peer, float64(millionths(detail)) / 1e4, e.until})
			case "dns":
				r.Resolver = Resolver{true, e.until}
			case "shape":
				if shaping, ok := shapings[e.class]; ok {
					s := Shape{peer, shaping, e.until}
					r.Shapes, classes[keyOf(s)] = append(r.Shapes, s), e.class
				}
			}
		}
	}
	return r, classes
}

// millionths returns how many of a million packets a list loses.
func millionths(detail string) uint32 {
	n, err := strconv.ParseUint(detail, 10, 32)
	if err != nil {
		return 0 // not one of ours
	}
	return uint32(n)
}

// A family is a version of IP.
type family struct {
	suffix      string // of the names of sets
	proto       byte   // NFPROTO_…, the same numbers as AF_…
	source, own uint32 // where a packet has its addresses: of the sender, of the receiver
	key         nftables.SetDatatype
}

var families = []family{
	{"-4", syscall.AF_INET, 12, 16, nftables.TypeIPAddr},
	{"-6", syscall.AF_INET6, 8, 24, nftables.TypeIP6Addr},
}

// keys returns the element of a peer in the set of a family, or none.
func (f family) keys(peer netip.Addr) [][]byte {
	switch addr := peer.AsSlice(); len(addr) {
	case 0:
		return [][]byte{{f.proto}}
	case int(f.key.Bytes):
		return [][]byte{addr}
	}
	return nil
}

// A table collects the messages of one transaction.
type table struct {
	*nftables.Table
	conn *nftables.Conn
	sets uint32
	err  error // the first one
}

// replaceTable replaces the table of this name in one transaction, or removes it if there
// are no rules.
func replaceTable(name string, r Rules, classes map[classKey]uint16) error {
	conn, err := nftables.New()
	if err != nil {
		return fmt.Errorf("open netlink: %w", err)
	}
	t := table{&nftables.Table{Family: nftables.TableFamilyINet, Name: name}, conn, 0, nil}
	conn.AddTable(t.Table) // there may be none to remove
	conn.DelTable(t.Table)
	if !r.Empty() {
		conn.AddTable(t.Table)
		t.fill(r, classes)
	}
	if t.err != nil {
		return fmt.Errorf("encode the rules: %w", t.err)
	}
	if err := conn.Flush(); err != nil {
		return fmt.Errorf("replace the rules: %w", err)
	}
	return nil
}

func (t *table) fill(r Rules, classes map[classKey]uint16) {
	chains := map[string]*nftables.Chain{
		"in":    t.chain("in", nftables.ChainHookInput, expr.MetaKeyIIFNAME),
		"out":   t.chain("out", nftables.ChainHookOutput, expr.MetaKeyOIFNAME),
		"shape": t.chain("shape", nftables.ChainHookPostrouting, expr.MetaKeyOIFNAME),
	}
	if r.Resolver.Ours {
		chains["dns"] = t.conn.AddChain(&nftables.Chain{Name: "dns", Table: t.Table, Type: nftables.ChainTypeFilter, Hooknum: nftables.ChainHookOutput, Priority: nftables.ChainPriorityRaw})
	}
	cluster := map[string]*nftables.Set{}
	for _, f := range families {
		var elements []nftables.SetElement
		for _, a := range r.Cluster {
			for _, key := range f.keys(a) {
				elements = append(elements, nftables.SetElement{Key: key})
			}
		}
		cluster[f.suffix] = t.set(nftables.Set{Name: "cluster" + f.suffix, KeyType: f.key}, elements)
	}
	tcp := slices.Concat(meta(expr.MetaKeyL4PROTO), equal(syscall.IPPROTO_TCP))
	drop, accept := verdict(expr.VerdictDrop), verdict(expr.VerdictAccept)
	lists := toLists(r, classes)
	for _, name := range slices.Sorted(maps.Keys(lists)) {
		switch action, _, detail := listWords(name); action {
		case string(Drop):
			t.list(chains[detail], name, lists[name], cluster, drop)
		case "loss":
			t.list(chains["in"], name, lists[name], cluster, slices.Concat(chance(millionths(detail)), drop))
		case string(Reset):
			// What refuses packets is not refused itself.
			const flags, rst = 13, 0x04 // of a TCP header
			t.rule(chains[detail], tcp, transport(flags), mask(rst), equal(rst), accept)
			t.passICMP(chains[detail], syscall.IPPROTO_ICMP, 3, 3)
			t.passICMP(chains[detail], syscall.IPPROTO_ICMPV6, 1, 1)
			// NFT_REJECT_TCP_RST; NFT_REJECT_ICMPX_UNREACH with NFT_REJECT_ICMPX_PORT_UNREACH.
			t.list(chains[detail], name, lists[name], cluster, slices.Concat(tcp, []expr.Any{&expr.Reject{Type: 1}}), []expr.Any{&expr.Reject{Type: 2, Code: 1}})
		case "dns":
			// The engine's own rules send what is for port 53 to the port of its server, where
			// the kernel tracks the connection. What it does not track arrives at ours.
			const destination = 2 // of the transport header
			port := []expr.Any{&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: destination, Len: 2}}
			ours := []expr.Any{&expr.Meta{Key: expr.MetaKeyMARK, Register: 1}, &expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: binaryutil.NativeEndian.PutUint32(resolverMark)}}
			t.list(chains[action], name, lists[name], cluster, slices.Concat(port, equal(binaryutil.BigEndian.PutUint16(dnsPort)...), ours, []expr.Any{&expr.Notrack{}}))
		case "shape": // the lookup puts the class into the register
			t.list(chains["shape"], name, lists[name], cluster, []expr.Any{&expr.Meta{Key: expr.MetaKeyPRIORITY, SourceRegister: true, Register: 1}})
		}
	}
}

// chain adds a chain. It accepts what passes the loopback interface. It accepts also what
// IPv6 has instead of ARP, or stale neighbours would outlive a fault: messages of multicast
// listeners, routers and neighbours (RFC 2710, RFC 4861).
func (t *table) chain(name string, hook *nftables.ChainHook, iface expr.MetaKey) *nftables.Chain {
	c := t.conn.AddChain(&nftables.Chain{Name: name, Table: t.Table, Type: nftables.ChainTypeFilter, Hooknum: hook, Priority: nftables.ChainPriorityFilter})
	lo := make([]byte, 16) // IFNAMSIZ
	copy(lo, "lo")
	t.rule(c, meta(iface), equal(lo...), verdict(expr.VerdictAccept))
	t.passICMP(c, syscall.IPPROTO_ICMPV6, 130, 137)
	return c
}

// passICMP accepts a range of types of messages.
func (t *table) passICMP(c *nftables.Chain, proto, first, last byte) {
	between := &expr.Range{Op: expr.CmpOpEq, Register: 1, FromData: []byte{first}, ToData: []byte{last}}
	t.rule(c, meta(expr.MetaKeyL4PROTO), equal(proto), transport(0), []expr.Any{between}, verdict(expr.VerdictAccept))
}

// list adds a list's sets, and rules that do all actions to the packets of its peers.
func (t *table) list(c *nftables.Chain, name string, entries list, cluster map[string]*nftables.Set, actions ...[]expr.Any) {
	_, target, _ := listWords(name)
	for _, f := range families {
		set := nftables.Set{Name: name + f.suffix, KeyType: f.key, HasTimeout: true, IsMap: c.Name == "shape", DataType: nftables.TypeClassID}
		offset := f.own
		if c.Name == string(In) {
			offset = f.source
		}
		match := slices.Concat(meta(expr.MetaKeyNFPROTO), equal(f.proto),
			[]expr.Any{&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: f.key.Bytes}})
		switch target {
		case "everyone":
			set.KeyType, match = nftables.TypeNFProto, meta(expr.MetaKeyNFPROTO)
		case "outside":
			notCluster := &expr.Lookup{SourceRegister: 1, SetName: cluster[f.suffix].Name, SetID: cluster[f.suffix].ID, Invert: true}
			set.KeyType, match = nftables.TypeNFProto, slices.Concat(match, []expr.Any{notCluster}, meta(expr.MetaKeyNFPROTO))
		}
		var elements []nftables.SetElement
		for peer, e := range entries {
			for _, key := range f.keys(peer) {
				elements = append(elements, e.element(key, set.IsMap))
			}
		}
		if len(elements) == 0 {
			continue
		}
		added := t.set(set, elements)
		lookup := &expr.Lookup{SourceRegister: 1, SetName: added.Name, SetID: added.ID, DestRegister: 1, IsDestRegSet: set.IsMap}
		for _, action := range actions {
			t.rule(c, match, []expr.Any{lookup}, action)
		}
	}
}

func (t *table) set(s nftables.Set, elements []nftables.SetElement) *nftables.Set {
	t.sets++
	s.Table, s.ID = t.Table, t.sets // the library's own numbers are not safe for concurrent use
	if err := t.conn.AddSet(&s, elements); err != nil && t.err == nil {
		t.err = err
	}
	return &s
}

func (t *table) rule(c *nftables.Chain, exprs ...[]expr.Any) {
	t.conn.AddRule(&nftables.Rule{Table: t.Table, Chain: c, Exprs: slices.Concat(exprs...)})
}

// What follows works on register 1.

func meta(key expr.MetaKey) []expr.Any { return []expr.Any{&expr.Meta{Key: key, Register: 1}} }

func transport(offset uint32) []expr.Any {
	return []expr.Any{&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: offset, Len: 1}}
}

func mask(bits byte) []expr.Any {
	return []expr.Any{&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 1, Mask: []byte{bits}, Xor: []byte{0}}}
}

func equal(data ...byte) []expr.Any {
	return []expr.Any{&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: data}}
}

// chance matches this many of a million packets.
func chance(millionths uint32) []expr.Any {
	return []expr.Any{
		&expr.Numgen{Register: 1, Modulus: 1e6, Type: 1},                                             // NFT_NG_RANDOM
		&expr.Byteorder{SourceRegister: 1, DestRegister: 1, Op: expr.ByteorderHton, Len: 4, Size: 4}, // as Cmp compares
		&expr.Cmp{Op: expr.CmpOpLt, Register: 1, Data: binaryutil.BigEndian.PutUint32(millionths)},
	}
}

func verdict(v expr.VerdictKind) []expr.Any { return []expr.Any{&expr.Verdict{Kind: v}} }

// untilComment begins the comment of an element that ends. It has the end as it was asked
// for, which the kernel's timer rounds.
const untilComment = "until "

func (e entry) element(key []byte, shape bool) nftables.SetElement {
	el := nftables.SetElement{Key: key}
	if shape {
		el.Val = binaryutil.NativeEndian.PutUint32(classHandle(e.class))
	}
	if !e.until.IsZero() {
		el.Timeout = max(time.Until(e.until), time.Millisecond) // 0 would be for ever
		el.Comment = untilComment + e.until.Format(time.RFC3339Nano)
	}
	return el
}

// readEntry is the reverse of element.
func readEntry(el nftables.SetElement) (e entry) {
	if len(el.Val) == 4 {
		e.class = uint16(binaryutil.NativeEndian.Uint32(el.Val)) // the minor number
	}
	if el.Timeout > 0 {
		e.until = time.Now().UTC().Add(el.Expires)
		asked, err := time.Parse(time.RFC3339Nano, strings.TrimPrefix(el.Comment, untilComment))
		if err == nil && e.until.Sub(asked).Abs() < time.Second {
			e.until = asked.UTC()
		}
	}
	return e
}

// readTable returns the lists that rules of the table use, and the addresses of the
// cluster. It returns nothing if there is no table.
func readTable() (lists map[string]list, cluster []netip.Addr, err error) {
	conn, err := nftables.New()
	if err != nil {
		return nil, nil, fmt.Errorf("open netlink: %w", err)
	}
	tables, err := conn.ListTablesOfFamily(nftables.TableFamilyINet)
	if err != nil {
		return nil, nil, fmt.Errorf("list tables: %w", err)
	}
	if !slices.ContainsFunc(tables, func(t *nftables.Table) bool { return t.Name == tableName }) {
		return nil, nil, nil
	}
	t := &nftables.Table{Family: nftables.TableFamilyINet, Name: tableName}
	used := map[string]bool{}
	for _, chain := range []string{"in", "out", "shape", "dns"} {
		rules, err := conn.GetRules(t, &nftables.Chain{Name: chain})
		if err != nil {
			return nil, nil, fmt.Errorf("list rules: %w", err)
		}
		for _, r := range rules {
			for _, e := range r.Exprs {
				if l, ok := e.(*expr.Lookup); ok {
					used[l.SetName] = true
				}
			}
		}
	}
	sets, err := conn.GetSets(t)
	if err != nil {
		return nil, nil, fmt.Errorf("list sets: %w", err)
	}
	lists = map[string]list{}
	for _, s := range sets {
		elements, err := conn.GetSetElements(s)
		if err != nil {
			return nil, nil, fmt.Errorf("list the elements of %s: %w", s.Name, err)
		}
		name := s.Name[:len(s.Name)-len("-4")]
		if lists[name] == nil {
			lists[name] = list{}
		}
		for _, el := range elements {
			peer, _ := netip.AddrFromSlice(el.Key) // none if it is a version
			if used[s.Name] {
				lists[name][peer] = readEntry(el)
			}
		}
	}
	return lists, slices.Collect(maps.Keys(lists["cluster"])), nil
}
