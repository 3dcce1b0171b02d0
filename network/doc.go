// Package network chooses a cluster's names, its subnet, and its host ports.
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
// Decisions ([CheckCluster], [Sanitize], [Layout], [PickSubnet]) are pure functions of a
// list of what is taken. Functions that inspect this machine are separate:
// [LocalPrefixes] and [Reachable] read the interfaces and routes, [Hold] and [Reserve]
// open listeners, and [Owner] reads the process table. The package neither imports nor
// calls a container engine.
//
// # Names
//
// Long BEAM names need a dotted host, so a host is node.cluster.domain. Each part has a
// maximum length ([MaxNode], [MaxCluster], [MaxDomain]), chosen so that every combination
// of valid parts is valid: the host fits into the kernel's 64 bytes for a host name, the
// container's name into the 63 of a DNS label, and the BEAM name into the 255 of an atom.
// Combinations need no further check.
//
// Two clusters never get the same container name either; see [Names.Container].
//
// # Subnets
//
// Each network specifies its subnet, because an engine by default hands out /16s and has
// only 31 of them. Networks of other tools and the routes of this machine count as taken:
// a bridge over a VPN's range would cut off the VPN. The caller chooses a random start
// for the search, so that two processes that search at the same moment rarely choose the
// same range. If they do, the engine refuses the second, and the caller searches again.
//
// # Threads
//
// There are no goroutines. All functions are safe for concurrent use. A [Reservation] may be
// released from any goroutine, and more than once.
//
// # Sources
//
// RFC 1123 section 2.1 and RFC 5891 section 4.2.3.1 (labels), RFC 6761 (reserved
// names), sethostname(2), net_kernel(3) and erl(1) (-name), the Fetch standard's
// "port blocking", proc(5) and the kernel's Documentation/networking/proc_net_tcp.
package network
