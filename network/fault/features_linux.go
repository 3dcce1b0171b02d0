package fault

import (
	"errors"
	"fmt"
	"os"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/vishvananda/netlink"
)

// Features tries each feature in the network namespace of the calling thread, and removes
// it again. It requires CAP_NET_ADMIN in that namespace.
func Features() Support {
	return Support{
		Nftables: feature(tryNftables()),
		Netem: feature(tryQdisc(func(a netlink.QdiscAttrs) netlink.Qdisc {
			return netlink.NewNetem(a, netlink.NetemQdiscAttrs{Latency: 1000})
		})),
		TBF: feature(tryQdisc(func(a netlink.QdiscAttrs) netlink.Qdisc {
			return &netlink.Tbf{QdiscAttrs: a, Rate: 125_000, Limit: 15_000, Buffer: 1500}
		})),
	}
}

// tryNftables makes a table with a rule that drops by chance, as a lossy link
// has it (numgen is a kernel module of its own), and removes it.
func tryNftables() error {
	conn, err := nftables.New()
	if err != nil {
		return fmt.Errorf("open netlink: %w", err)
	}
	// Nobody else's table has the name, should this not be a namespace of our own.
	table := conn.AddTable(&nftables.Table{Family: nftables.TableFamilyIPv4, Name: fmt.Sprintf("beamyard-probe-%d", os.Getpid())})
	chain := conn.AddChain(&nftables.Chain{Name: "probe", Table: table}) // hooked nowhere: it sees no packet
	conn.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: []expr.Any{
		&expr.Numgen{Register: 1, Modulus: 100, Type: 1}, // NFT_NG_RANDOM
		&expr.Cmp{Op: expr.CmpOpLt, Register: 1, Data: []byte{0, 0, 0, 1}},
		&expr.Verdict{Kind: expr.VerdictDrop},
	}})
	if err := conn.Flush(); err != nil { // one transaction: all or nothing
		return fmt.Errorf("make a table: %w", err)
	}
	conn.DelTable(table)
	if err := conn.Flush(); err != nil {
		return fmt.Errorf("remove the table: %w", err)
	}
	return nil
}

// tryQdisc puts a queue on the loopback interface, and removes it.
func tryQdisc(queue func(netlink.QdiscAttrs) netlink.Qdisc) (err error) {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("find lo: %w", err)
	}
	q := queue(netlink.QdiscAttrs{LinkIndex: lo.Attrs().Index, Handle: netlink.MakeHandle(1, 0), Parent: netlink.HANDLE_ROOT})
	// Creates only: what is there already is somebody else's, and stays.
	if err := netlink.QdiscAdd(q); err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("the kernel has no %s: %w", q.Type(), err)
		}
		return fmt.Errorf("add %s: %w", q.Type(), err)
	}
	if err := netlink.QdiscDel(q); err != nil {
		return fmt.Errorf("remove %s: %w", q.Type(), err)
	}
	return nil
}
