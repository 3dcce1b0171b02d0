package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
)

// dialHelper dials the helper at its own address and at its published port. A mere connection
// would prove nothing: docker-proxy accepts even if no process listens.
func (e *examination) dialHelper(ctx context.Context, facts *helperFacts, id, nonce string) error {
	c, err := e.Engine.InspectContainer(ctx, id)
	if err != nil {
		return fmt.Errorf("look at the helper: %w", err)
	}
	listed, err := e.Engine.Containers(ctx, map[string]string{labelProbe: nonce})
	if err != nil {
		return fmt.Errorf("look at the helper: %w", err)
	}
	facts.addressErr = errors.New("it has none on the default bridge")
	if len(c.Networks) > 0 && c.Networks[0].IP.IsValid() { // its only network
		facts.address = netip.AddrPortFrom(c.Networks[0].IP, probePort)
		facts.addressErr = answers(ctx, facts.address.String(), nonce)
	}
	facts.publishedErr = errors.New("the engine published none")
	for _, l := range listed {
		for _, p := range l.Ports {
			if p.Container == probePort && p.Host != 0 {
				facts.published = net.JoinHostPort(dialled(p, e.engine.info), strconv.Itoa(int(p.Host)))
				facts.publishedErr = answers(ctx, facts.published, nonce)
			}
		}
	}
	return nil
}

// dialled returns the host at which a published port is dialled.
func dialled(p orchestrator.PortBinding, info orchestrator.EngineInfo) string {
	if at, err := netip.ParseAddr(p.HostIP); err == nil && !at.IsUnspecified() && !at.IsLoopback() {
		return p.HostIP
	}
	return info.Host
}

// answers returns why no helper with the nonce answers at an address, or nil.
func answers(ctx context.Context, address, nonce string) error {
	const patience = 2 * time.Second // dropped packets cause no error, only silence
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if errors.Is(err, context.DeadlineExceeded) || isTimeout(err) {
		return fmt.Errorf("no answer within %s", patience)
	}
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	got, err := io.ReadAll(io.LimitReader(conn, 64))
	switch {
	case string(got) == nonce:
		return nil
	case isTimeout(err):
		return fmt.Errorf("no answer within %s", patience)
	case err != nil:
		return err
	}
	return errors.New("another program answers there")
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}
