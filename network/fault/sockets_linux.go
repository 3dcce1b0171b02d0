package fault

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"syscall"

	"github.com/vishvananda/netlink/nl"
)

func init() {
	nl.EnableErrorMessageReporting = true // errors have the kernel's explanation
}

// ResetConnections destroys all TCP connections of this network namespace with these
// peers, including those that are being made or closed. Both ends see it at once: the
// program here gets an error, and the peer a reset. It returns their number.
func ResetConnections(peers ...netip.Addr) (int, error) {
	return destroy(func(peer netip.Addr) bool { return slices.Contains(peers, peer) })
}

// Positions in struct inet_diag_req_v2 and struct inet_diag_msg (linux/inet_diag.h, as in
// sock_diag(7)). Both have an ID of the socket, which begins with the ports.
const (
	diagReqSize = 56
	diagReqID   = 8
	diagMsgID   = 4
	diagIDSize  = 48
	diagMsgPeer = diagMsgID + 20
)

// connected are the states of sockets that have a peer: not closed, listening or waiting
// for late packets.
const connected = 0xfff &^ (1<<6 | 1<<7 | 1<<10) // TIME_WAIT, CLOSE, LISTEN

// destroy destroys the TCP sockets with the peers that match.
func destroy(match func(peer netip.Addr) bool) (int, error) {
	count, errs := 0, []error(nil)
	for _, family := range []byte{syscall.AF_INET, syscall.AF_INET6} {
		sockets, err := retry(func() ([][]byte, error) {
			return diagnose(nl.SOCK_DIAG_BY_FAMILY, syscall.NLM_F_DUMP, diagRequest(family, connected, nil))
		})
		if errors.Is(err, syscall.ENOENT) {
			continue // the kernel has no such family
		}
		if err != nil {
			return count, fmt.Errorf("list connections: %w", err)
		}
		for _, s := range sockets {
			if len(s) < diagMsgID+diagIDSize || !match(diagPeer(s)) {
				continue
			}
			_, err := diagnose(nl.SOCK_DESTROY, syscall.NLM_F_ACK, diagRequest(family, connected, s[diagMsgID:][:diagIDSize]))
			switch {
			case err == nil:
				count++
			case !errors.Is(err, syscall.ENOENT): // that one has just ended
				errs = append(errs, fmt.Errorf("destroy the connection with %s: %w", diagPeer(s), err))
			}
		}
	}
	return count, errors.Join(errs...)
}

func diagnose(command, flags int, request []byte) ([][]byte, error) {
	req := nl.NewNetlinkRequest(command, flags)
	req.AddRawData(request)
	return req.Execute(syscall.NETLINK_INET_DIAG, 0)
}

func diagRequest(family byte, states uint32, id []byte) []byte {
	req := make([]byte, diagReqSize)
	req[0], req[1] = family, syscall.IPPROTO_TCP
	nl.NativeEndian().PutUint32(req[4:], states)
	copy(req[diagReqID:], id)
	return req
}

// diagPeer returns the address of the other end. A socket for both families has one that
// looks like IPv6.
func diagPeer(msg []byte) netip.Addr {
	size := 4
	if msg[0] == syscall.AF_INET6 {
		size = 16
	}
	addr, _ := netip.AddrFromSlice(msg[diagMsgPeer:][:size])
	return addr.Unmap()
}
