package erldist

import (
	"crypto/md5"
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
)

// Flags are the capabilities of a node (DFLAG_… of the documentation).
type Flags uint64

// The capabilities that we announce. Left out on purpose: PUBLISHED, so that we are hidden and
// do not appear in nodes(); DIST_HDR_ATOM_CACHE and FRAGMENTS, so that every message is one
// plain frame; SPAWN, ALIAS and the PAYLOAD signals, which we do not use. OTP 25.2, 27.3 and
// 29.1 accept a client with only the mandatory sets.
const (
	flagsMandatory25 Flags = 0x4 | 0x10 | 0x80 | 0x100 | 0x200 | 0x400 | 0x800 | 0x10000 | 0x20000 | 0x40000 | 0x1000000
	flagsMandatory26 Flags = 0x2000000 | 1<<34 // UNLINK_ID, V4_NC
	flagsMonitors    Flags = 0x8 | 0x20        // DIST_MONITOR, DIST_MONITOR_NAME: on our group leaders
	flagUnicodeIO    Flags = 0x1000
	flagNameMe       Flags = 1 << 33 // requests a name: no clash between tools (OTP 24)

	ourFlags = flagsMandatory25 | flagsMandatory26 | flagsMonitors | flagUnicodeIO
)

// identity is the result of a completed handshake.
type identity struct {
	self         Atom // our name
	creation     uint32
	peer         Atom
	peerCreation uint32
	peerFlags    Flags
}

// handshaker performs version 6 of the handshake, as the connecting side.
type handshaker struct {
	rw      io.ReadWriter
	lenSize int // bytes of a frame's length: 2 on TCP, 4 on TLS
	cookie  string
	name    string // ours; empty = the node assigns one, for host
	host    string
	node    Atom // expected; empty = any
}

// run performs the handshake. If it fails, it returns the phase, and an error that is one of
// the sentinels or the raw error of the connection.
func (h *handshaker) run() (id identity, phase Phase, err error) {
	if id.self, id.creation, err = h.introduce(); err != nil {
		return id, PhaseName, err
	}

	msg, err := h.receive()
	var theirs challenge
	if err == nil {
		theirs, err = parseChallenge(msg)
	}
	if err == nil && h.node != "" && theirs.name != h.node {
		err = &WrongNameError{Node: string(theirs.name)}
	}
	if err != nil {
		return id, PhaseChallenge, err
	}
	id.peer, id.peerCreation, id.peerFlags = theirs.name, theirs.creation, theirs.flags

	var ours [4]byte
	rand.Read(ours[:]) // never fails
	number := binary.BigEndian.Uint32(ours[:])
	if err = h.send(replyMessage(h.cookie, theirs.number, number)); err != nil {
		return id, PhaseDigest, err
	}
	if msg, err = h.receive(); err == nil {
		err = checkAck(msg, h.cookie, number)
	}
	return id, PhaseDigest, err
}

// introduce sends our name, or requests one.
func (h *handshaker) introduce() (name Atom, creation uint32, err error) {
	if h.name == "" {
		if err := h.send(nameMessage(ourFlags|flagNameMe, 0, h.host)); err != nil {
			return "", 0, err
		}
		msg, err := h.receive()
		if string(msg) == "salive" {
			_ = h.send([]byte("sfalse")) // step 3B: we do not replace that connection
		}
		if err != nil {
			return "", 0, err
		}
		return parseStatus(msg)
	}
	var random [4]byte
	rand.Read(random[:])                                  // never fails
	creation = binary.BigEndian.Uint32(random[:]) | 1<<31 // nodes before OTP 23 use 0 to 3
	if err := h.send(nameMessage(ourFlags, creation, h.name)); err != nil {
		return "", 0, err
	}
	msg, err := h.receive()
	if err != nil {
		return "", 0, err
	}
	alive, err := parseStatusOfName(msg)
	if err == nil && alive {
		err = h.send([]byte("strue")) // step 3B: that connection is an old one of ours
	}
	return Atom(h.name), creation, err
}

func (h *handshaker) send(msg []byte) error {
	frame := make([]byte, 8, 8+len(msg))
	binary.BigEndian.PutUint64(frame, uint64(len(msg)))
	_, err := h.rw.Write(append(frame, msg...)[8-h.lenSize:])
	return err
}

// tlsAlert and tlsMajor begin a TLS server's answer to an invalid request: an alert, and the
// major version of the record layer. Source: RFC 8446 sections 5.1 and 6.
const tlsAlert, tlsMajor = 21, 3

// receive reads a frame. 2 bytes can announce at most 64 KiB; no message of the handshake is
// larger on TLS either.
func (h *handshaker) receive() ([]byte, error) {
	var head [8]byte
	if _, err := io.ReadFull(h.rw, head[8-h.lenSize:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint64(head[:])
	if h.lenSize == 2 && n>>8 == tlsAlert && n&0xff == tlsMajor {
		return nil, ErrTLS // no message of a handshake is that long
	}
	if n > 1<<16 {
		return nil, fmt.Errorf("%w: handshake message of %d bytes", ErrProtocol, n)
	}
	msg := make([]byte, n)
	_, err := io.ReadFull(h.rw, msg)
	return msg, err
}

// nameMessage is send_name: 'N', flags, creation, name. To request a name, the name is only the
// host, and the node assigns the creation, too.
func nameMessage(flags Flags, creation uint32, name string) []byte {
	b := binary.BigEndian.AppendUint64([]byte{'N'}, uint64(flags))
	b = binary.BigEndian.AppendUint32(b, creation)
	b = binary.BigEndian.AppendUint16(b, uint16(len(name)))
	return append(b, name...)
}

// parseStatusOfName parses send_status for a name of our own. alive means that the node has a
// connection with that name.
func parseStatusOfName(msg []byte) (alive bool, err error) {
	if len(msg) == 0 || msg[0] != 's' {
		return false, fmt.Errorf("%w: no status", ErrProtocol)
	}
	switch status := string(msg[1:]); status {
	case "ok", "ok_simultaneous":
		return false, nil
	case "alive":
		return true, nil
	case "nok", "not_allowed":
		return false, fmt.Errorf("%w: status %s", ErrNotAllowed, status)
	}
	return false, fmt.Errorf("%w: unknown status", ErrProtocol)
}

// parseStatus parses send_status after a request for a name: 's' and a word; after "named:" our
// name and creation. Every other status is a refusal: `ok` and `ok_simultaneous` answer a node
// that has a name, so a node that sends them does not support the request, and `alive` and
// `nok` concern a name that we do not have.
func parseStatus(msg []byte) (name Atom, creation uint32, err error) {
	if len(msg) == 0 || msg[0] != 's' {
		return "", 0, fmt.Errorf("%w: no status", ErrProtocol)
	}
	rest, named := strings.CutPrefix(string(msg[1:]), "named:")
	if !named {
		switch rest {
		case "ok", "ok_simultaneous":
			return "", 0, fmt.Errorf("%w: it gives no dynamic name (OTP 24 and newer do)", ErrNotAllowed)
		case "nok", "not_allowed", "alive":
			return "", 0, fmt.Errorf("%w: status %s", ErrNotAllowed, rest)
		}
		return "", 0, fmt.Errorf("%w: unknown status", ErrProtocol)
	}
	if len(rest) < 2 {
		return "", 0, fmt.Errorf("%w: short status", ErrProtocol)
	}
	n := int(binary.BigEndian.Uint16([]byte(rest)))
	if rest = rest[2:]; len(rest) < n+4 { // the rest must be ignored
		return "", 0, fmt.Errorf("%w: short status", ErrProtocol)
	}
	return Atom(rest[:n]), binary.BigEndian.Uint32([]byte(rest[n:])), nil
}

type challenge struct {
	flags    Flags
	number   uint32
	creation uint32
	name     Atom
}

// parseChallenge parses send_challenge: 'N', flags, challenge, creation, name.
func parseChallenge(msg []byte) (c challenge, err error) {
	const head = 1 + 8 + 4 + 4 + 2
	if len(msg) < head || msg[0] != 'N' {
		return c, fmt.Errorf("%w: no challenge of handshake version 6", ErrProtocol)
	}
	c.flags = Flags(binary.BigEndian.Uint64(msg[1:]))
	c.number = binary.BigEndian.Uint32(msg[9:])
	c.creation = binary.BigEndian.Uint32(msg[13:])
	n := int(binary.BigEndian.Uint16(msg[17:]))
	if len(msg) < head+n {
		return c, fmt.Errorf("%w: short challenge", ErrProtocol)
	}
	c.name = Atom(msg[head : head+n])
	return c, nil
}

// replyMessage is send_challenge_reply: 'r', our challenge, our digest of theirs.
func replyMessage(cookie string, theirs, ours uint32) []byte {
	b := binary.BigEndian.AppendUint32([]byte{'r'}, ours)
	d := digest(cookie, theirs)
	return append(b, d[:]...)
}

// checkAck checks send_challenge_ack: 'a' and the node's digest of our challenge.
func checkAck(msg []byte, cookie string, ours uint32) error {
	if len(msg) != 1+md5.Size || msg[0] != 'a' {
		return fmt.Errorf("%w: no challenge acknowledgement", ErrProtocol)
	}
	want := digest(cookie, ours)
	if subtle.ConstantTimeCompare(msg[1:], want[:]) != 1 {
		return ErrWrongCookie
	}
	return nil
}

// digest is MD5(cookie ++ decimal challenge), as the protocol requires.
func digest(cookie string, challenge uint32) [md5.Size]byte {
	return md5.Sum(fmt.Appendf([]byte(cookie), "%d", challenge))
}
