package doctor

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/beamyard/beamyard/network"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/hosts"
	"github.com/beamyard/beamyard/orchestrator/internal/helper"
	"github.com/beamyard/beamyard/orchestrator/keeper"
)

// way is what a helper on one host reports of the others, or why there is no report.
type way struct {
	err error
	to  []wayFacts
}

// wayExamination starts the helpers.
type wayExamination struct {
	HostOptions
	eng   *hosts.Engine
	facts []hostFacts
	owner string
}

// run creates the network and the helpers, reads their reports, and removes everything.
func (e *wayExamination) run(ctx context.Context) (map[string]way, error) {
	owner, _ := json.Marshal(keeper.Self(false)) // plain data
	e.owner = string(owner)
	info, err := e.eng.Info(ctx)
	if err != nil {
		return nil, err
	}
	image, err := helper.Image(ctx, e.eng, info, e.Executable)
	if err != nil {
		return nil, err
	}
	nonce := rand.Text()
	labels := map[string]string{labelProbe: nonce, orchestrator.LabelOwner: e.owner}
	networks, err := e.eng.Networks(ctx, nil)
	if err != nil {
		return nil, err
	}
	e.sweep(ctx, networks)
	subnet, err := overlaySubnet(e.Pool, len(e.facts), networks, mathrand.Uint32())
	if err != nil {
		return nil, err
	}
	network, err := e.eng.CreateNetwork(ctx, orchestrator.NetworkSpec{
		Name: "beamyard-probe-" + nonce[:12], Subnet: subnet.Prefix, Gateway: subnet.Gateway, IPRange: subnet.Dynamic, MTU: info.MTU, Labels: labels,
	})
	if err != nil {
		return nil, err
	}
	defer e.remove(ctx, network, labels)
	reports := make([]way, len(e.facts))
	ids := make([]string, len(e.facts))
	e.each(func(i int) { // all are there before the first one starts: an image may have to be copied
		ids[i], reports[i].err = e.eng.CreateContainer(ctx, e.helper(i, image, network, nonce, subnet, labels))
	})
	e.each(func(i int) {
		if reports[i].err == nil {
			reports[i].err = e.eng.StartContainer(ctx, ids[i])
		}
	})
	e.each(func(i int) {
		if reports[i].err == nil {
			reports[i].to, reports[i].err = readWays(ctx, e.eng, ids[i])
		}
	})
	found := map[string]way{}
	for i, f := range e.facts {
		found[f.name] = reports[i]
	}
	return found, nil
}

// each does something for all hosts at once.
func (e *wayExamination) each(do func(i int)) {
	var group sync.WaitGroup
	for i := range e.facts {
		group.Go(func() { do(i) })
	}
	group.Wait()
}

// helper is the container of the i-th host, which tries all others.
func (e *wayExamination) helper(i int, image, network, nonce string, subnet network.Subnet, labels map[string]string) orchestrator.ContainerSpec {
	var targets []wayTarget
	for j, f := range e.facts {
		if j == i {
			continue
		}
		t := wayTarget{Peer: f.name, Overlay: netip.AddrPortFrom(subnet.Node(j), probePort).String()}
		for _, port := range f.ports() {
			t.Ports = append(t.Ports, netip.AddrPortFrom(f.address(), port))
		}
		targets = append(targets, t)
	}
	asked, _ := json.Marshal(targets) // plain data
	name := e.facts[i].name
	return orchestrator.ContainerSpec{
		Name: "beamyard-probe-" + nonce[:12] + "-" + strconv.Itoa(i), Host: name, Image: image,
		Entrypoint: []string{helper.Program}, Command: []string{"probe"}, User: "0",
		Env: []string{waysEnv + "=" + string(asked)}, Labels: labels, NetworkID: network, IP: subnet.Node(i),
		StopTimeout: time.Second, LogMaxSize: "1m", LogMaxFile: 1,
		NoInit: true, // it starts nothing, and an engine may have no init program
	}
}

// address is where other members reach the host.
func (f hostFacts) address() netip.Addr {
	at, _ := netip.ParseAddr(f.state.Address) // invalid: its ports are not tried
	return at
}

// ports are the TCP ports of the swarm that the host listens on.
func (f hostFacts) ports() []uint16 {
	switch {
	case !f.address().IsValid():
		return nil
	case f.state.Manager:
		return []uint16{2377, 7946}
	}
	return []uint16{7946}
}

// remove removes the helpers and their network.
func (e *wayExamination) remove(ctx context.Context, network string, labels map[string]string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
	defer cancel()
	list, _ := e.eng.Containers(ctx, labels) // what stays ends by itself, and the next examination removes it
	var group sync.WaitGroup
	for _, c := range list {
		group.Go(func() { _ = e.eng.RemoveContainer(ctx, c.ID) })
	}
	group.Wait()
	_ = e.eng.RemoveNetwork(ctx, network)
}

// sweep removes what examinations that were killed have left.
func (e *wayExamination) sweep(ctx context.Context, networks []orchestrator.Network) {
	for _, n := range networks {
		var owner orchestrator.Owner
		if n.Labels[labelProbe] == "" || json.Unmarshal([]byte(n.Labels[orchestrator.LabelOwner]), &owner) != nil {
			continue
		}
		if alive, known := keeper.Alive(owner); known && !alive {
			e.remove(ctx, n.ID, map[string]string{labelProbe: n.Labels[labelProbe]})
		}
	}
}

// readWays waits for the line with a helper's report.
func readWays(ctx context.Context, eng orchestrator.Engine, id string) ([]wayFacts, error) {
	var found []wayFacts
	err := readReport(ctx, eng, id, func(line []byte) bool { return json.Unmarshal(line, &found) == nil })
	return found, err
}

// readReport reads what a helper prints until a line is its report.
func readReport(ctx context.Context, eng orchestrator.Engine, id string, report func(line []byte) bool) error {
	logs, err := eng.Logs(ctx, id, time.Time{}, true)
	if err != nil {
		return fmt.Errorf("read what the helper says: %w", err)
	}
	defer logs.Close()
	const most = 1 << 20 // bytes of output
	var said []byte
	for len(said) < most {
		part, err := logs.Next()
		if err != nil {
			break
		}
		said = append(said, part.Text...)
		for line := range bytes.Lines(said) {
			if report(line) {
				return nil
			}
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("%w; it printed %q", errNoReport, said)
}

var errNoReport = errors.New("the helper container exited without a report")
