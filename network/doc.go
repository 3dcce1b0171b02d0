// Package network decides what one cluster is called and where it lives: its
// names, its subnet, and its host ports.
//
//	            cluster demo, node n1
//
//	Names       app@n1.demo.test ── BEAM name       beamyard-demo-n1 ── container
//	                n1.demo.test ── host and alias  beamyard-demo    ── network
//
//	Subnet      10.213.7.0/26
//	            │ .1       │ .2 … .47              │ .48 … .62     │
//	            │ gateway  │ nodes, fixed by index │ dynamic /28   │
//
//	Ports       127.0.0.1:4200 → n1, :4201 → n2, … each held by a listener
//	            until the engine takes it over
//
// Decisions ([CheckCluster], [Sanitize], [Layout], [PickSubnet]) are pure
// functions over a list of what is taken. What must look at this machine is
// apart from them and named for what it looks at: [LocalPrefixes] and
// [Reachable] read the interfaces and routes, [Hold] and [HoldFree] open
// listeners, [Holder] reads the process table. No container engine is imported
// or spoken to here.
//
// # Names
//
// Long BEAM names need a dotted host, so a host is node.cluster.domain. Lengths
// are limited per part ([MaxNode], [MaxCluster], [MaxDomain]) such that every
// combination of legal parts is legal: the host fits into the 64 bytes that the
// kernel gives a host name, the container's name into the 63 of a DNS label,
// the BEAM name into the 255 of an atom. No combination has to be checked.
//
// Two clusters never make the same container name either, see
// [Names.Container].
//
// # Subnets
//
// Each network names its subnet, because an engine left to itself hands out
// /16s and has 31 of them. Networks of other tools and the routes of this
// machine count as taken: a bridge over a VPN's range would cut the VPN off.
// The start of the search is random, chosen by the caller, so that two
// processes that look at the same moment rarely want the same range; the engine
// refuses the second, and the caller looks again.
//
// # Threads
//
// There are no goroutines. Every function may be called from several at once;
// a [Held] may be released from any, and more than once.
//
// # Sources
//
// RFC 1123 section 2.1 and RFC 5891 section 4.2.3.1 (labels), RFC 6761 (reserved
// names), sethostname(2), net_kernel(3) and erl(1) (-name), the Fetch standard's
// "port blocking", proc(5) and the kernel's Documentation/networking/proc_net_tcp.
package network
