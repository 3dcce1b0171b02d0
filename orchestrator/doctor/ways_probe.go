package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/beamyard/beamyard/orchestrator/internal/wait"
)

// waysEnv has the targets of a helper that tries what passes between hosts.
const waysEnv = "BEAMYARD_PROBE_WAYS"

// wayTarget is another host, as a helper tries to reach it.
type wayTarget struct {
	Peer    string           `json:"peer"`
	Overlay string           `json:"overlay"` // its helper
	Ports   []netip.AddrPort `json:"ports"`   // of its machine
}

// wayFacts are what a helper found.
type wayFacts struct {
	Peer string `json:"peer"`
	// Closed are the ports of its machine that refused, or did not answer, with the reason.
	Closed map[uint16]string `json:"closed,omitempty"`
	Open   []uint16          `json:"open,omitempty"`
	// Small and Large are why a message of that size did not come back over the overlay network;
	// "": it did.
	Small string        `json:"small,omitempty"`
	Large string        `json:"large,omitempty"`
	Took  time.Duration `json:"took"` // for the large one, there and back
}

// Sizes of the messages. The large one fills every packet on its way.
const (
	smallMessage = 64
	largeMessage = 1 << 20
)

// Times of a helper. An overlay network connects its members after their next gossip, within two
// seconds here (Docker 26.1).
const (
	overlayTime = 8 * time.Second
	messageTime = 3 * time.Second
	portTime    = 2 * time.Second
)

// tellWays answers other helpers, tries all targets at once, prints what it found as one line of
// JSON, and goes on to answer for a short time.
func tellWays(ctx context.Context, out io.Writer, l net.Listener, targets []wayTarget) error {
	ctx, cancel := context.WithTimeout(ctx, probeLife)
	defer cancel()
	defer context.AfterFunc(ctx, func() { l.Close() })()
	var group sync.WaitGroup
	defer group.Wait()
	group.Go(func() { echo(ctx, l) })
	found := make([]wayFacts, len(targets))
	var trying sync.WaitGroup
	for i, t := range targets {
		trying.Go(func() { found[i] = try(ctx, t) })
	}
	trying.Wait()
	line, err := json.Marshal(found)
	if err == nil {
		_, err = fmt.Fprintf(out, "%s\n", line)
	}
	if err != nil {
		cancel()
		return fmt.Errorf("tell facts: %w", err)
	}
	<-ctx.Done()
	return nil
}

// echo sends back what each connection sends, until the listener is closed.
func echo(ctx context.Context, l net.Listener) {
	var group sync.WaitGroup
	defer group.Wait()
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		group.Go(func() {
			defer conn.Close()
			defer context.AfterFunc(ctx, func() { conn.Close() })()
			_ = conn.SetDeadline(time.Now().Add(overlayTime))
			_, _ = io.Copy(conn, conn) // a client that hangs up knows why
		})
	}
}

// try finds out what passes to a target.
func try(ctx context.Context, t wayTarget) wayFacts {
	f := wayFacts{Peer: t.Peer, Closed: map[uint16]string{}}
	for _, at := range t.Ports {
		conn, err := (&net.Dialer{Timeout: portTime}).DialContext(ctx, "tcp", at.String())
		if err != nil {
			f.Closed[at.Port()] = reason(err, portTime)
			continue
		}
		conn.Close()
		f.Open = append(f.Open, at.Port())
	}
	limited, cancel := context.WithTimeout(ctx, overlayTime)
	defer cancel()
	for {
		_, err := comesBack(limited, t.Overlay, smallMessage)
		if err == nil {
			break
		}
		if !wait.Sleep(limited, 200*time.Millisecond) {
			f.Small = reason(err, overlayTime)
			f.Large = f.Small
			return f
		}
	}
	took, err := comesBack(ctx, t.Overlay, largeMessage)
	if f.Took = took; err != nil {
		f.Large = reason(err, messageTime)
	}
	return f
}

// comesBack sends a message to another helper and reads it again.
func comesBack(ctx context.Context, address string, size int) (time.Duration, error) {
	conn, err := (&net.Dialer{Timeout: messageTime}).DialContext(ctx, "tcp", address)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	began := time.Now()
	_ = conn.SetDeadline(began.Add(messageTime))
	sent := make(chan error, 1)
	go func() {
		_, err := conn.Write(make([]byte, size))
		sent <- err
	}()
	_, err = io.CopyN(io.Discard, conn, int64(size))
	if err != nil {
		conn.Close() // ends the writer
	}
	return time.Since(began), errors.Join(err, <-sent)
}

// reason is why something did not come back, in a few words.
func reason(err error, limit time.Duration) string {
	if isTimeout(err) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, net.ErrClosed) {
		return fmt.Sprintf("no answer within %s", limit)
	}
	return cause(err)
}

// targetsOf reads the targets of this helper; none: it is not one that tries them.
func targetsOf() (targets []wayTarget, err error) {
	text := os.Getenv(waysEnv)
	if text == "" {
		return nil, nil
	}
	if err := json.Unmarshal([]byte(text), &targets); err != nil {
		return nil, fmt.Errorf("read %s: %w", waysEnv, err)
	}
	return targets, nil
}
