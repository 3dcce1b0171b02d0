package docker

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/system"
	"github.com/docker/go-connections/nat"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/beamyard/beamyard/orchestrator"
)

func TestCreateRequest(t *testing.T) {
	config, host, networking := createRequest(orchestrator.ContainerSpec{
		Name: "beamyard-demo-n1", Image: "demo:1", Hostname: "n1.demo.test", Command: []string{"elixir"}, Env: []string{"A=1"},
		Labels: map[string]string{"beamyard.node": "n1"}, NetworkID: "net1", IP: netip.MustParseAddr("10.213.0.2"),
		Aliases: []string{"n1.demo.test"}, Ports: []orchestrator.PortBinding{{Container: 4000, HostIP: "127.0.0.1", Host: 4200}},
		Mounts: []orchestrator.Mount{{Source: "/tmp/note", Target: "/note"}}, Capabilities: []string{"NET_ADMIN"}, Tmpfs: map[string]string{"/run": "size=1m"},
		ExtraHosts: []string{"db:10.0.0.7"},
		Memory:     256 << 20, CPUs: 1.5, NoFile: 65536, StopTimeout: 1500 * time.Millisecond, LogMaxSize: "10m", LogMaxFile: 3,
	}, false)
	init, grace := true, 2 // in whole seconds, rounded up
	wantConfig := &container.Config{
		Image: "demo:1", Hostname: "n1.demo.test", Cmd: []string{"elixir"}, Env: []string{"A=1"},
		Labels: map[string]string{"beamyard.node": "n1"}, ExposedPorts: nat.PortSet{"4000/tcp": {}},
		Healthcheck: &container.HealthConfig{Test: []string{"NONE"}}, StopTimeout: &grace,
	}
	wantHost := &container.HostConfig{
		Init: &init, RestartPolicy: container.RestartPolicy{Name: "no"}, NetworkMode: "net1",
		PortBindings: nat.PortMap{"4000/tcp": {{HostIP: "127.0.0.1", HostPort: "4200"}}},
		LogConfig:    container.LogConfig{Type: "json-file", Config: map[string]string{"max-size": "10m", "max-file": "3"}},
		ExtraHosts:   []string{"db:10.0.0.7"},
		CapAdd:       []string{"NET_ADMIN"}, Tmpfs: map[string]string{"/run": "size=1m"}, Mounts: []mount.Mount{{Type: "bind", Source: "/tmp/note", Target: "/note", ReadOnly: true}},
		Resources: container.Resources{
			Memory: 256 << 20, NanoCPUs: 1_500_000_000, Ulimits: []*container.Ulimit{{Name: "nofile", Soft: 65536, Hard: 65536}},
		},
	}
	wantNetworking := &network.NetworkingConfig{EndpointsConfig: map[string]*network.EndpointSettings{"net1": {
		Aliases: []string{"n1.demo.test"}, IPAMConfig: &network.EndpointIPAMConfig{IPv4Address: "10.213.0.2"},
	}}}
	if diff := cmp.Diff(wantConfig, config, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("config (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(wantHost, host, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("host config (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(wantNetworking, networking, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("networking (-want +got):\n%s", diff)
	}
}

func TestCreateRequestLeavesDefaults(t *testing.T) {
	if _, host, _ := createRequest(orchestrator.ContainerSpec{Name: "x", Image: "y", NoInit: true}, true); *host.Init {
		t.Error("an init that was not requested")
	}
	config, host, networking := createRequest(orchestrator.ContainerSpec{Name: "x", Image: "y"}, true)
	if config.StopTimeout != nil || len(host.Ulimits) != 0 || host.NetworkMode != "" || networking.EndpointsConfig != nil || host.AutoRemove {
		t.Errorf("%+v %+v %+v", config, host, networking)
	}
}

func TestCreateRequestPinsTheMACAddress(t *testing.T) {
	c := orchestrator.ContainerSpec{Name: "x", Image: "y", NetworkID: "net1", IP: netip.MustParseAddr("10.213.0.2")}
	for pinned, want := range map[bool]string{true: "02:42:0a:d5:00:02", false: ""} {
		if _, _, networking := createRequest(c, pinned); networking.EndpointsConfig["net1"].MacAddress != want {
			t.Errorf("%q, want %q", networking.EndpointsConfig["net1"].MacAddress, want)
		}
	}
}

var anHour = time.Date(2026, 1, 2, 3, 4, 5, 678, time.UTC)

func TestEngineInfo(t *testing.T) {
	got := told(system.Info{
		ID: "x", ServerVersion: "20.10.24", SystemTime: anHour.Format(time.RFC3339Nano), NCPU: 2, OperatingSystem: "Debian", OSType: "linux",
		Architecture: "x86_64", KernelVersion: "6.1.0", MemTotal: 8 << 30, DockerRootDir: "/var/lib/docker", Driver: "overlay2", DefaultRuntime: "crun",
		CgroupVersion: "2", CgroupDriver: "systemd", MemoryLimit: true, SwapLimit: true, PidsLimit: true, Warnings: []string{"WARNING: x"},
		SecurityOptions: []string{"name=seccomp,profile=default", "name=rootless", "apparmor"},
	})
	want := orchestrator.EngineInfo{
		ID: "x", Version: "20.10.24", Time: anHour, CPUs: 2, System: "Debian", OS: "linux", Arch: "x86_64", Kernel: "6.1.0", Memory: 8 << 30,
		RootDir: "/var/lib/docker", StorageDriver: "overlay2", Runtime: "crun", CgroupVersion: "2", CgroupDriver: "systemd",
		MemoryLimit: true, SwapLimit: true, PidsLimit: true, Warnings: []string{"WARNING: x"}, Security: []string{"seccomp", "rootless", "apparmor"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}

func TestInspected(t *testing.T) {
	in := container.InspectResponse{
		ContainerJSONBase: &container.ContainerJSONBase{
			ID: "c1", Name: "/beamyard-demo-n1", Image: "sha256:1", Created: anHour.Format(time.RFC3339Nano),
			State: &container.State{
				Status: "exited", ExitCode: 137, OOMKilled: true, Error: "e",
				StartedAt: anHour.Format(time.RFC3339Nano), FinishedAt: "0001-01-01T00:00:00Z",
			},
			HostConfig: &container.HostConfig{PortBindings: nat.PortMap{
				"9100/tcp": {{HostIP: "0.0.0.0", HostPort: "5300"}}, "4000/tcp": {{HostIP: "127.0.0.1", HostPort: "4200"}}, "1/tcp": {{}},
			}},
		},
		Config: &container.Config{Labels: map[string]string{"a": "b"}},
		NetworkSettings: &container.NetworkSettings{Networks: map[string]*network.EndpointSettings{
			"beamyard-demo": {NetworkID: "net1", IPAMConfig: &network.EndpointIPAMConfig{IPv4Address: "10.213.0.2"}},
			"a-shared":      {NetworkID: "net2"},
			"not-yet":       {IPAMConfig: &network.EndpointIPAMConfig{}},
		}},
	}
	want := orchestrator.Container{
		ID: "c1", Name: "beamyard-demo-n1", Image: "sha256:1", Labels: map[string]string{"a": "b"}, Created: anHour,
		Networks: []orchestrator.Attachment{ // the container is stopped: this is its fixed address
			{Network: "net2", Name: "a-shared"}, {Network: "net1", Name: "beamyard-demo", IP: netip.MustParseAddr("10.213.0.2")}, {Name: "not-yet"},
		},
		Ports: []orchestrator.PortBinding{{Container: 4000, HostIP: "127.0.0.1", Host: 4200}, {Container: 9100, HostIP: "0.0.0.0", Host: 5300}},
		State: orchestrator.ContainerState{Status: "exited", ExitCode: 137, OOMKilled: true, Error: "e", StartedAt: anHour},
	}
	if diff := cmp.Diff(want, inspected(in), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("inspected (-want +got):\n%s", diff)
	}
	if got := inspected(container.InspectResponse{ContainerJSONBase: &container.ContainerJSONBase{ID: "bare"}}); got.ID != "bare" {
		t.Errorf("bare: %+v", got)
	}
}

func TestListed(t *testing.T) {
	got := listed(container.Summary{
		ID: "c1", Names: []string{"/beamyard-demo-n1"}, ImageID: "sha256:1", State: "paused", Created: anHour.Unix(),
		Labels: map[string]string{"a": "b"}, Ports: []container.Port{{IP: "127.0.0.1", PrivatePort: 4000, PublicPort: 4200, Type: "tcp"}, {PrivatePort: 1, Type: "tcp"}},
		NetworkSettings: &container.NetworkSettingsSummary{Networks: map[string]*network.EndpointSettings{
			"n": {NetworkID: "net1", IPAddress: "10.213.0.2"}, "a": {NetworkID: "net2", IPAddress: "172.30.0.9"},
		}},
	})
	want := orchestrator.Container{
		ID: "c1", Name: "beamyard-demo-n1", Image: "sha256:1", Labels: map[string]string{"a": "b"}, Created: time.Unix(anHour.Unix(), 0),
		Networks: []orchestrator.Attachment{{Network: "net2", Name: "a", IP: netip.MustParseAddr("172.30.0.9")}, {Network: "net1", Name: "n", IP: netip.MustParseAddr("10.213.0.2")}},
		Ports:    []orchestrator.PortBinding{{Container: 4000, HostIP: "127.0.0.1", Host: 4200}},
		State:    orchestrator.ContainerState{Status: "paused", Running: true, Paused: true},
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("listed (-want +got):\n%s", diff)
	}
}

func TestContainerEvent(t *testing.T) {
	got := heard(events.Message{
		Action: events.ActionDie, TimeNano: anHour.UnixNano(),
		Actor: events.Actor{ID: "c1", Attributes: map[string]string{
			"name": "beamyard-demo-n1", "image": "demo:1", "exitCode": "137", "execDuration": "3", "beamyard.node": "n1",
		}},
	})
	want := orchestrator.ContainerEvent{
		ID: "c1", Name: "beamyard-demo-n1", Action: "die", Time: anHour.Local(), ExitCode: 137, Labels: map[string]string{"beamyard.node": "n1"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("heard (-want +got):\n%s", diff)
	}
	// These are Podman's names before 4.4.
	died := heard(events.Message{Action: "died", Actor: events.Actor{Attributes: map[string]string{"containerExitCode": "3", "beamyard.node": "n1"}}})
	if died.Action != "die" || died.ExitCode != 3 || len(died.Labels) != 1 {
		t.Errorf("died: %+v", died)
	}
	if !slices.Contains(actions, "die") || !slices.Contains(actions, "died") {
		t.Errorf("the filter does not have both names of the die event: %v", actions)
	}
	if e := heard(events.Message{Action: events.ActionKill, Actor: events.Actor{Attributes: map[string]string{"signal": "9"}}}); e.Signal != "9" {
		t.Errorf("kill: %+v", e)
	}
}
