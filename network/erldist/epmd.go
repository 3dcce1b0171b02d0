package erldist

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// Tags of the EPMD protocol (Erlang documentation, "Distribution Protocol").
const (
	epmdPortPlease2 = 122
	epmdPort2Resp   = 119
	epmdNames       = 110
)

// epmdLimit limits an answer of EPMD, to about 10,000 names.
const epmdLimit = 1 << 20

// Name is a node in EPMD's list.
type Name struct {
	Alive string // the part before the @
	Port  int    // port of its distribution listener
}

// LookupEPMD asks the EPMD at addr (host:port, usually 4369) for the distribution port of
// the node whose name starts with alive@. Errors are [*DialError]; if EPMD does not know
// the name, the error wraps [ErrNotRegistered].
func LookupEPMD(ctx context.Context, addr, alive string) (int, error) {
	answer, err := askEPMD(ctx, addr, append([]byte{epmdPortPlease2}, alive...))
	if err == nil && (len(answer) < 2 || answer[0] != epmdPort2Resp) {
		err = fmt.Errorf("%w: EPMD sent %d bytes", ErrProtocol, len(answer))
	}
	switch {
	case err != nil:
	case answer[1] != 0:
		err = ErrNotRegistered
	case len(answer) < 4:
		err = fmt.Errorf("%w: EPMD sent %d bytes", ErrProtocol, len(answer))
	default:
		return int(binary.BigEndian.Uint16(answer[2:])), nil
	}
	return 0, &DialError{Node: alive, Addr: addr, Phase: PhaseEPMD, Err: err}
}

// Names returns every node that is registered with the EPMD at addr.
func Names(ctx context.Context, addr string) ([]Name, error) {
	answer, err := askEPMD(ctx, addr, []byte{epmdNames})
	if err == nil && len(answer) < 4 {
		err = fmt.Errorf("%w: EPMD sent %d bytes", ErrProtocol, len(answer))
	}
	if err != nil {
		return nil, &DialError{Node: "the names", Addr: addr, Phase: PhaseEPMD, Err: err}
	}
	var names []Name
	for line := range strings.Lines(string(answer[4:])) { // the first 4 bytes are EPMD's own port
		var n Name
		if _, err := fmt.Sscanf(line, "name %s at port %d", &n.Alive, &n.Port); err == nil {
			names = append(names, n)
		}
	}
	return names, nil
}

// askEPMD sends one request; EPMD answers and closes the connection.
func askEPMD(ctx context.Context, addr string, request []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, defaultHandshakeTimeout)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, classify(ctx, PhaseEPMD, err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })()

	frame := binary.BigEndian.AppendUint16(nil, uint16(len(request)))
	_, err = conn.Write(append(frame, request...))
	var answer []byte
	if err == nil {
		answer, err = io.ReadAll(io.LimitReader(conn, epmdLimit))
	}
	if err == nil && len(answer) == 0 {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, classify(ctx, PhaseEPMD, err)
	}
	return answer, nil
}
