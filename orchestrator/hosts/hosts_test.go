package hosts_test

import (
	"context"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/enginetest"
	"github.com/beamyard/beamyard/orchestrator/enginetest/contract"
	"github.com/beamyard/beamyard/orchestrator/hosts"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// machines returns engines of one swarm, the first its manager and the only one with an image.
// Their containers end with the test.
func machines(t testing.TB, n int) []*enginetest.Engine {
	var all []*enginetest.Engine
	for i := range n {
		var refs []string
		if i == 0 {
			refs = []string{"script"}
		}
		e := enginetest.New(refs...)
		e.Program = func(orchestrator.ContainerSpec) enginetest.Program { return enginetest.Script }
		e.Command = enginetest.Script
		all = append(all, e)
	}
	enginetest.Join(all...)
	t.Cleanup(func() {
		for _, e := range all {
			e.SetAway(false)
			list, err := e.Containers(context.Background(), nil)
			if err != nil {
				t.Error(err)
			}
			for _, c := range list {
				e.ExternalRemove(c.ID)
			}
		}
	})
	return all
}

func over(all []*enginetest.Engine) *hosts.Engine {
	byName := map[string]hosts.Machine{}
	for i, e := range all {
		byName[string(rune('a'+i))] = e
	}
	return hosts.New(byName, hosts.Options{})
}

// onHost creates every container and volume on one host.
type onHost struct {
	orchestrator.Engine
	host string
}

func (e onHost) CreateContainer(ctx context.Context, c orchestrator.ContainerSpec) (string, error) {
	if c.NetworkOf == "" && c.PIDOf == "" {
		c.Host = e.host
	}
	return e.Engine.CreateContainer(ctx, c)
}

func (e onHost) CreateVolume(ctx context.Context, v orchestrator.Volume) error {
	v.Host = e.host
	return e.Engine.CreateVolume(ctx, v)
}

// reachedAt is an engine of another machine, at an address of its own.
type reachedAt struct {
	*enginetest.Engine
	address string
}

func (e reachedAt) Info(ctx context.Context) (orchestrator.EngineInfo, error) {
	info, err := e.Engine.Info(ctx)
	info.Host, info.Publish, info.Local = e.address, e.address, false
	return info, err
}

// Each of several hosts says where its ports are published. Those on loopback are dialled on
// loopback, whatever the manager's address is.
func TestWherePortsAreDialled(t *testing.T) {
	all := machines(t, 2)
	byName := map[string]hosts.Machine{"a": reachedAt{all[0], "10.0.0.7"}, "b": reachedAt{all[1], "127.0.0.1"}}
	info, err := hosts.New(byName, hosts.Options{}).Info(t.Context())
	if err != nil || info.Host != "127.0.0.1" || info.Publish != "10.0.0.7" || info.Hosts["a"].Publish != "10.0.0.7" || info.Hosts["b"].Publish != "127.0.0.1" {
		t.Errorf("%+v, %v", info, err)
	}
	delete(byName, "b")
	if info, err = hosts.New(byName, hosts.Options{}).Info(t.Context()); err != nil || info.Host != "10.0.0.7" {
		t.Errorf("alone: %+v, %v", info, err)
	}
}

func TestContract(t *testing.T) {
	for _, tt := range []struct {
		name, host string
		skew       time.Duration
	}{
		{name: "on the manager"},
		{name: "on a worker", host: "b"},
		{name: "on a worker whose clock is wrong", host: "b", skew: -5 * time.Minute},
		{name: "on a worker whose clock is ahead", host: "b", skew: 5 * time.Minute},
	} {
		t.Run(tt.name, func(t *testing.T) {
			contract.Run(t, func(t testing.TB) orchestrator.Engine {
				all := machines(t, 2)
				all[1].Skew = tt.skew
				return onHost{over(all), tt.host}
			}, "script")
		})
	}
	t.Run("one host", func(t *testing.T) {
		contract.Run(t, func(testing.TB) orchestrator.Engine {
			e := enginetest.New("script")
			e.Program = func(orchestrator.ContainerSpec) enginetest.Program { return enginetest.Script }
			e.Command = enginetest.Script
			return hosts.New(map[string]hosts.Machine{"a": e}, hosts.Options{})
		}, "script")
	})
}
