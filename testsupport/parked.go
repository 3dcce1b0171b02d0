package testsupport

import (
	"context"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/testcontainers/testcontainers-go"

	"github.com/beamyard/beamyard/orchestrator/build"
	"github.com/beamyard/beamyard/orchestrator/config"
	"github.com/beamyard/beamyard/orchestrator/docker"
	"github.com/beamyard/beamyard/orchestrator/parking"
)

// This file takes clusters that were parked by an earlier test, and parks those of the next one;
// see package parking. The lot is a process of the test binary, and outlives it.

// lotVariable makes a test binary a lot. Its value is the name of its socket.
const lotVariable = "BEAMYARD_TEST_LOT"

func init() {
	if socket, keeping := os.LookupEnv(lotVariable); keeping {
		os.Exit(keepLot(socket))
	}
}

// keepLot is the process of a lot. No process waits for it, or reads what it says.
func keepLot(socket string) int {
	eng, err := docker.New(docker.Options{})
	if err != nil {
		return 1
	}
	defer eng.Close()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	dog, err := again(guardVariable, "-")
	if err != nil {
		return 1
	}
	return exitCode(parking.Run(ctx, socket, eng, dog))
}

// again returns the command that runs this test binary once more, with one more variable.
func again(key, value string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self) //nolint:noctx // it outlives this process on purpose
	for _, kv := range os.Environ() {
		if kv != lotVariable+"="+os.Getenv(lotVariable) {
			cmd.Env = append(cmd.Env, kv)
		}
	}
	cmd.Env = append(cmd.Env, key+"="+value)
	return cmd, nil
}

// takeParked replaces the plan of a cluster by that of a parked one that is equal, if there is
// one. It only saves time: whatever keeps it from doing so, the plan stays, and the start reports
// what is wrong.
func (c *Cluster) takeParked(ctx context.Context, p *plan) {
	if p.named { // the next one of that name could only be parked after this one
		parking.Evict(ctx, c.session.info, p.spec.Name)
		return
	}
	count := parking.Wanted(p.spec)
	if count == 0 || keeping() {
		return
	}
	wanted := p.spec
	wanted.Labels = merged(wanted.Labels, lastingLabels())
	wanted, err := build.Prepare(ctx, c.session.eng, wanted, lineWriter(c.buildLine))
	if err != nil {
		return
	}
	wanted.Name = ""
	order, why, err := parking.NewOrder(ctx, c.session.eng, wanted, config.DefaultName(p.spec), count)
	if why != "" && c.tb != nil {
		c.tb.Logf("clusters equal to %s are not parked: %s", p.spec.Name, why)
	}
	if err != nil || why != "" {
		return
	}
	c.order = order
	c.ticket = parking.Take(ctx, parking.Socket(c.session.info), order.Key)
	if c.ticket.Parked == nil {
		return
	}
	p.parked = c.ticket.Parked
	has := p.parked.Spec
	p.spec.Name, p.spec.Cookie, p.spec.Owner, p.spec.Labels = has.Name, has.Cookie, has.Owner, has.Labels
	taken.add(has.Name)
}

// parkNext has the next such cluster parked while the test runs.
func (c *Cluster) parkNext(ctx context.Context) {
	if c.ticket == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	go func() {
		defer cancel()
		c.ticket.Order(ctx, c.order, func(socket string) *exec.Cmd {
			cmd, err := again(lotVariable, socket)
			if err != nil {
				return exec.Command("") //nolint:noctx // it does not start
			}
			return cmd
		})
	}()
}

// lastingLabels are testcontainers' labels without those of a session: Ryuk must not remove what
// outlives the session. Watchdogs remove it.
func lastingLabels() map[string]string {
	labels := maps.Clone(testcontainers.GenericLabels())
	delete(labels, sessionLabel)
	delete(labels, reapLabel)
	return labels
}

// taken are the names of the parked clusters that this process has taken.
var taken names

type names struct {
	mu  sync.Mutex
	all []string
}

func (n *names) add(name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all = append(n.all, name)
}

func (n *names) has(name string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Contains(n.all, name)
}
