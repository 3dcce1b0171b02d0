package fault

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// resolverMark is the mark of the packets of [Resolve]'s own queries, which the engine answers.
const resolverMark = 0xbea

// dnsPatience is how long the engine may take to answer. Resolvers ask again after 5 s at most.
const dnsPatience = 4 * time.Second

// Resolve answers DNS queries at the address of the engine's server in the network namespace of
// the caller, until ctx ends: as that server would, except for what the answers change. Queries
// arrive only while rules say so ([Rules].Resolver). It calls ready once it listens. Several may listen
// at once, while one takes over from another. It needs CAP_NET_ADMIN and CAP_NET_BIND_SERVICE.
func Resolve(ctx context.Context, answers []Answer, ready func()) error {
	at := netip.AddrPortFrom(engineDNS, dnsPort).String()
	shared := net.ListenConfig{Control: option(unix.SO_REUSEPORT, 1)}
	packets, err := shared.ListenPacket(ctx, "udp", at)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	defer func() { _ = packets.Close() }()
	streams, err := shared.Listen(ctx, "tcp", at)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	defer streams.Close()
	ready()
	end := context.AfterFunc(ctx, func() { _, _ = packets.Close(), streams.Close() })
	defer end()
	go func() {
		for {
			c, err := streams.Accept()
			if err != nil {
				return
			}
			go func() { _ = resolveStream(ctx, c, answers) }() // its client meets the end of the stream
		}
	}()
	for {
		query := make([]byte, 1<<16)
		n, client, err := packets.ReadFrom(query)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("read a query: %w", err)
		}
		go func() {
			response, err := ask(ctx, "udp", query[:n])
			if err != nil {
				response = refused(query[:n])
			}
			if len(response) > 0 {
				_, _ = packets.WriteTo(Rewrite(response, answers, time.Now()), client) // it asks again
			}
		}()
	}
}

// option sets an option of a socket before it is bound or connected.
func option(name, value int) func(network, address string, c syscall.RawConn) error {
	return func(_, _ string, c syscall.RawConn) error {
		var err error
		return errors.Join(c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, name, value) }), err)
	}
}

// resolveStream answers the queries of one connection. Each message has its length before it.
func resolveStream(ctx context.Context, c net.Conn, answers []Answer) error {
	defer c.Close()
	for {
		if err := c.SetDeadline(time.Now().Add(2 * dnsPatience)); err != nil {
			return err
		}
		query, err := readMessage(c)
		if err != nil {
			return err
		}
		response, err := ask(ctx, "tcp", query)
		if err != nil {
			response = refused(query)
		}
		response = Rewrite(response, answers, time.Now())
		if _, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(response))), response...)); err != nil {
			return err
		}
	}
}

func readMessage(r io.Reader) ([]byte, error) {
	var size [2]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, err
	}
	message := make([]byte, binary.BigEndian.Uint16(size[:]))
	_, err := io.ReadFull(r, message)
	return message, err
}

// ask returns the response of the engine's server.
func ask(ctx context.Context, network string, query []byte) ([]byte, error) {
	marked := net.Dialer{Timeout: dnsPatience, Control: option(unix.SO_MARK, resolverMark)}
	c, err := marked.DialContext(ctx, network, netip.AddrPortFrom(engineDNS, dnsPort).String())
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(dnsPatience)); err != nil {
		return nil, err
	}
	if network == "tcp" {
		query = append(binary.BigEndian.AppendUint16(nil, uint16(len(query))), query...)
	}
	if _, err := c.Write(query); err != nil {
		return nil, err
	}
	if network == "tcp" {
		return readMessage(c)
	}
	response := make([]byte, 1<<16)
	n, err := c.Read(response)
	return response[:n], err
}
