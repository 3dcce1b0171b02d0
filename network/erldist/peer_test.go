package erldist

import (
	"context"
	"crypto/md5"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	testNode   = "app@n1.demo.test"
	testName   = "3G7ECRV1BHT5C@beamyard.invalid"
	testCookie = "kx7Qs3cret"
)

// peer is a node as far as the protocol goes: the accepting side of the handshake, then
// functions that answer calls. With zero fields it behaves correctly.
type peer struct {
	cookie  string                          // default testCookie
	name    string                          // default testNode
	status  string                          // sent in place of "named:…"
	greets  string                          // sent before anything is read
	raw     string                          // sent in place of everything, without a length
	signs   string                          // the cookie of its acknowledgement
	lenSize int                             // the size of the length of handshake frames; default 2, with TLS 4
	tls     *tls.Config                     // it speaks TLS
	mute    Phase                           // sends nothing from this phase on
	hangUp  Phase                           // closes the connection in this phase
	rex     func(p *peer, c request) any    // the result of a call; noReply: none
	on      func(p *peer, ctl Tuple, m any) // gets every other message
	ticks   atomic.Int32
	called  string // the name under which it was dialled
	alive   bool   // it already has a connection with that name
	said    string // our reply to that

	nc net.Conn
}

type noReply struct{}

// request is a decoded rex call.
type request struct {
	from     Pid
	ref      Ref
	function Atom
	args     List
	leader   any
}

// dialer connects to p through a pipe. served is closed when p has ended.
func (p *peer) dialer(t testing.TB) *Dialer {
	return &Dialer{Cookie: testCookie, DialContext: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		t.Cleanup(func() { theirs.Close() })
		go p.serve(theirs)
		return ours, nil
	}}
}

// dial completes the handshake with p.
func (p *peer) dial(t testing.TB) *Conn {
	t.Helper()
	c, err := p.dialer(t).Dial(t.Context(), testNode, "pipe")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func (p *peer) serve(nc net.Conn) {
	p.nc = nc
	defer nc.Close()
	if p.lenSize == 0 {
		p.lenSize = 2
	}
	if p.tls != nil {
		p.nc, p.lenSize = tls.Server(nc, p.tls), 4
	}
	if p.greets != "" {
		io.WriteString(p.nc, p.greets)
	}
	if p.handshake() {
		for p.message() == nil {
		}
	}
}

func (p *peer) handshake() bool {
	get := func() []byte {
		head := make([]byte, 8)
		if _, err := io.ReadFull(p.nc, head[8-p.lenSize:]); err != nil {
			return nil
		}
		b := make([]byte, binary.BigEndian.Uint64(head))
		io.ReadFull(p.nc, b)
		return b
	}
	put := func(phase Phase, msg []byte) bool {
		switch phase {
		case p.hangUp:
			return false
		case p.mute:
			io.Copy(io.Discard, p.nc)
			return false
		}
		head := binary.BigEndian.AppendUint64(nil, uint64(len(msg)))
		_, err := p.nc.Write(append(head[8-p.lenSize:], msg...))
		return err == nil
	}
	sum := func(cookie string, n uint32) []byte {
		d := md5.Sum([]byte(cookie + strconv.FormatUint(uint64(n), 10)))
		return d[:]
	}
	or := func(s, def string) string {
		if s == "" {
			return def
		}
		return s
	}
	hello := get()
	if len(hello) < 15 || hello[0] != 'N' {
		return false
	}
	own := binary.BigEndian.Uint64(hello[1:])&uint64(flagNameMe) == 0
	if p.raw != "" {
		io.WriteString(p.nc, p.raw)
		return false
	}
	named := fmt.Appendf(nil, "snamed:\x00%c%s\x00\x00\x01\x02extra", len(testName), testName)
	if own {
		p.called, named = string(hello[15:]), []byte("sok")
	}
	if p.alive {
		named = []byte("salive")
	}
	if !put(PhaseName, []byte(or(p.status, string(named)))) {
		return false
	}
	if p.alive {
		p.said = string(get())
	}
	if p.status != "" {
		get() // the end, or our reply to "alive"
		return false
	}
	name := or(p.name, testNode)
	challenge := fmt.Appendf(nil, "N\x00\x00\x00\x0d\xf0\x7d\xf7\xfb\x00\x00\x10\x00\x00\x00\x00\x07\x00%c%sextra", len(name), name)
	if !put(PhaseChallenge, challenge) {
		return false
	}
	reply := get()
	cookie := or(p.cookie, testCookie)
	if len(reply) != 21 || string(reply[5:]) != string(sum(cookie, 4096)) {
		return false
	}
	ours := binary.BigEndian.Uint32(reply[1:])
	return put(PhaseDigest, append([]byte{'a'}, sum(or(p.signs, cookie), ours)...))
}

func (p *peer) message() error {
	var head [4]byte
	if _, err := io.ReadFull(p.nc, head[:]); err != nil {
		return err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n == 0 {
		p.ticks.Add(1)
		return nil
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(p.nc, b); err != nil {
		return err
	}
	term, rest, err := decodePrefix(b[1:], Limits{}.filled())
	if err != nil {
		return err
	}
	control := term.(Tuple)
	var m any
	if len(rest) > 0 {
		if m, err = Decode(rest); err != nil {
			return err
		}
	}
	if control[0] != any(int64(ctlRegSend)) || control[3] != any(Atom("rex")) {
		if p.on != nil {
			p.on(p, control, m)
		}
		return nil
	}
	from, call := m.(Tuple)[1].(Tuple), m.(Tuple)[2].(Tuple)
	r := request{from: from[0].(Pid), ref: from[1].(Ref), function: call[2].(Atom), args: call[3].(List), leader: call[4]}
	result := any(Atom("ok"))
	if p.rex != nil {
		result = p.rex(p, r)
	}
	if result != any(noReply{}) {
		p.reply(r, result)
	}
	return nil
}

func (p *peer) reply(r request, result any) {
	p.send(Tuple{ctlSend, Atom(""), r.from}, Tuple{r.ref, result})
}

func (p *peer) send(control Tuple, message ...any) {
	b, err := frame(control, message...)
	if err != nil {
		panic(err)
	}
	p.nc.Write(b) // fails only if the test closed it
}
