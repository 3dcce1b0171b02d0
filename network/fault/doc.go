// Package fault cuts nodes off from each other, and makes the links between them lossy,
// narrow and slow.
//
//	            Partition, Isolate, Halves, Majority, Minority,
//	            Bridge, Ring, OneWay, Random, Link
//	                │ each returns a Fault
//	                ▼
//	Faults ───────► Plan ──► Rules of n1 ──► Apply ──► kernel, namespace of n1
//	Nodes ────────►     ╲──► Rules of n2 ──► Apply ──► kernel, namespace of n2 ──► Read
//	time  ────────►
//	                pure, any system       │ CAP_NET_ADMIN, Linux
//
// [Plan] decides, without I/O: it compiles all faults that are in force into one [Rules]
// value for each node. [Apply] makes the kernel of a node follow it, and [Read] returns
// what the kernel follows. A heal is an Apply of the rules that are left, which are empty
// after the last fault. What the rules need of a kernel is known before ([Needs],
// [Support.Check]), and [Features] finds out what a kernel has.
// [ResetConnections] is a blip: connections break, and can be made again at once.
//
// A fault of [KindDNS] needs a DNS server besides the rules: [Resolve], with the answers that
// [AnswersOf] plans. The other kinds are decided here too, and done elsewhere: [LimitsOf] says
// what a squeezed node may use, and [Clock.Offset] what a wrong clock shows. [Disconnect] is the
// VMs' own doing.
//
// # What the kernel gets
//
//	packets in  ──► chain in:  drop ──► lose by chance ──► reject ──► node
//	packets out ──► chain out: drop ──────────────────────► reject
//	            ──► chain shape: chooses a class of htb ──► rate ──► netem ──► interface
//	queries out ──► chain dns: not tracked, so that the engine's own rules do not apply ──► Resolve
//
// There is one nftables table, "beamyard" of family inet, and on each interface one tree of
// queues, "bea:" of kind htb. Apply replaces the table in one transaction: no packet gets
// past a cut that is in the old and in the new rules. New classes are there before the
// transaction, and old ones are removed after it. So what cannot be applied changes nothing.
//
// Each rule looks up the peer's address in a set, and each element of a set has its own
// timer in the kernel. So faults end in time even if all processes of Beamyard are dead.
// Packets that wait for a slow link at its end still come at its pace, until the next Apply.
//
// Rules apply to IPv4 and IPv6, by the addresses of the peers, and to all interfaces except
// the loopback one. ARP and the neighbour discovery of IPv6 pass: a cut ends at its end,
// and not when a stale neighbour entry expires. A peer that is reached through the host, at
// a published port, is not known as a peer; only a hard fault cuts that.
//
// A cut drops packets as they arrive and as they leave, so one end is enough. At the end
// that leaves, Linux reports the drop to senders of datagrams (EPERM); TCP takes it for a
// loss. [Reset] in one direction refuses who sends that way; the other end meets silence.
//
// # JSON
//
// A [Fault] is what is stored and shown, and [Rules] are what a helper in a node's
// namespace gets. Times are RFC 3339, durations are in nanoseconds, as in a spec:
//
//	{"id": "f1", "kind": "partition", "groups": [["n1","n2"],["n3"]], "how": "reset", "end": "2026-01-02T15:04:15Z"}
//	{"id": "f2", "kind": "cut",  "pairs": [{"from":"n1","to":"n3"}], "hard": true}
//	{"id": "f3", "kind": "link", "pairs": [{"from":"n1","to":"*"}], "quality": {"loss": 5, "rate": 1000000, "latency": 50000000}}
//
//	{"cuts":   [{"peer": "10.0.0.3", "direction": "out", "how": "drop", "until": "2026-01-02T15:04:15Z"}],
//	 "losses": [{"peer": "10.0.0.1", "percent": 5}],
//	 "shapes": [{"rate": 1000000, "latency": 50000000}]}
//
// # Threads
//
// Resolve answers each query on a goroutine; nothing else has any. Apply, Read,
// ResetConnections and Features act on the network
// namespace of the calling thread; one caller at a time may use a namespace. Features
// applies each feature once, to addresses and interfaces that carry no traffic, and removes
// it again. Run it in a namespace that has no other users, such as that of a helper
// container.
//
// # Sources
//
// nft(8), rtnetlink(7), sock_diag(7), tc-htb(8), tc-netem(8), and the kernel's
// net/netfilter/nf_tables_api.c, net/sched/sch_htb.c (skb->priority chooses the class),
// net/sched/sch_netem.c and net/ipv4/tcp.c (tcp_abort).
package fault
