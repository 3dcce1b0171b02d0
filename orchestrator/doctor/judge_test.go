package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/beamyard/beamyard/images"
	"github.com/beamyard/beamyard/network"
	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/discovery"
	helpers "github.com/beamyard/beamyard/orchestrator/internal/helper"
)

// row is one judgement: its state, and what its text and its remedy must contain.
type row struct {
	name         string
	got          verdict
	state        State
	text, remedy string
}

func judge(t *testing.T, rows []row) {
	t.Helper()
	for _, r := range rows {
		if r.got.state != r.state || !strings.Contains(r.got.text, r.text) || !strings.Contains(r.got.remedy, r.remedy) {
			t.Errorf("%s: %s %q → %q\nwant %s %q → %q", r.name, r.got.state, r.got.text, r.got.remedy, r.state, r.text, r.remedy)
		}
		// A failed check has a remedy. A passed one has none.
		if wrong := r.state == Warning || r.state == Failed; wrong != (r.got.remedy != "") {
			t.Errorf("%s: %s with the remedy %q", r.name, r.state, r.got.remedy)
		}
	}
}

func TestJudgeEngine(t *testing.T) {
	info := orchestrator.EngineInfo{Version: "28.1.0", APIVersion: "1.49", OS: "linux", Arch: "aarch64", Kernel: "6.8.0"}
	rootless := info
	rootless.Security, rootless.Warnings = []string{"seccomp", "rootless", "userns"}, []string{"WARNING: No swap limit support"}
	judge(t, []row{
		{"plain", judgeEngine(info), OK, "Docker 28.1.0, API 1.49, linux/aarch64, kernel 6.8.0", ""},
		{"rootless", judgeEngine(rootless), OK, ", rootless, in a user namespace; it says: WARNING: No swap limit support", ""},
	})
}

// What another engine would save is said with its figure, and is never a warning.
func TestJudgeSpeed(t *testing.T) {
	of := func(version, runtime, driver string) verdict {
		return judgeSpeed(orchestrator.EngineInfo{Version: version, Runtime: runtime, StorageDriver: driver})
	}
	const none = "nothing is known that would make this engine faster"
	judge(t, []row{
		{"an old one", of("20.10.24+dfsg1", "runc", "overlay2"), OK, "would save time: crun, about 30 ms for each container; Docker 24.0 or later, up to 90 ms for each container", ""},
		{"an old one whose files are slow", of("20.10.24+dfsg1", "crun", "fuse-overlayfs"), OK, "would save time: Docker 24.0 or later, up to 90 ms for each container; overlay2, about 55 ms for each boot, a second or more for each new image", ""},
		{"an old one with crun", of("23.0.1", "crun", "overlay2"), OK, "would save time: Docker 24.0 or later", ""},
		{"a new one", of("28.5.2", "runc", "overlay2"), OK, "would save time: crun, about 30 ms for each container", ""},
		{"a new one with crun", of("28.5.2", "crun", "overlay2"), OK, none, ""},
		{"its files are slow", of("28.5.2", "crun", "fuse-overlayfs"), OK, "would save time: overlay2, about 55 ms for each boot, a second or more for each new image", ""},
		{"its images are slow", of("28.5.2", "crun", "vfs"), OK, "would save time: overlay2, a second or more for each new image", ""},
		{"Podman", of("4.3.1", "crun", "overlay"), OK, none, ""},
		{"an unknown one", of("dev", "", ""), OK, none, ""},
	})
	for _, version := range []string{"24.0.0", "28.5.2", "4.3.1"} {
		if text := of(version, "runc", "overlay2").text; strings.Contains(text, "Docker") {
			t.Errorf("%s: %s", version, text)
		}
	}
}

// hinted is an error of the engine's client with its hint.
func hinted(kind error) error {
	return orchestrator.WithHint(fmt.Errorf("ask the engine: %w", kind), "do it")
}

func TestJudgeNoEngine(t *testing.T) {
	unix := orchestrator.EngineInfo{Endpoint: "unix:///run/d.sock", From: orchestrator.EndpointDefault}
	env := orchestrator.EngineInfo{Endpoint: "tcp://lab:2375", From: orchestrator.EndpointEnv}
	elsewhere := orchestrator.EngineInfo{Endpoint: "unix:///run/d.sock", From: orchestrator.EndpointEnv}
	named := orchestrator.EngineInfo{Endpoint: "ssh://lab", From: orchestrator.EndpointContext, Context: "lab"}
	old := env
	old.Version, old.APIVersion = "19.03.15", "1.40"
	tls := env
	tls.TLS = true
	away, forbidden := hinted(orchestrator.ErrEngineUnreachable), hinted(orchestrator.ErrEnginePermission)
	dial := func(err error) error { return &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", err)} }
	socket := func(err error) endpointFacts {
		return endpointFacts{scheme: "unix", path: "/run/d.sock", dial: err, system: "linux", installed: true}
	}
	tcp := func(err error) endpointFacts {
		return endpointFacts{scheme: "tcp", host: "lab:2375", dial: err, system: "linux", installed: true}
	}
	closed := endpointFacts{scheme: "unix", path: "/run/d.sock", user: "ann", group: "docker", mode: fs.ModeSocket | 0o660}
	member, ofRoot := closed, closed
	member.member = true
	ofRoot.group = "root"
	bare, mac, podman := socket(fs.ErrNotExist), socket(fs.ErrNotExist), socket(fs.ErrNotExist)
	bare.installed, mac.system = false, "darwin"
	podman.others = []string{"/run/user/1000/podman/podman.sock"}
	judge(t, []row{
		{"too old", judgeNoEngine(old, tcp(nil), hinted(orchestrator.ErrEngineTooOld)), Failed, "Docker 19.03.15, API 1.40, at tcp://lab:2375 (of DOCKER_HOST) is too old: API 1.41", "upgrade the engine to Docker 20.10"},
		{"too old to say", judgeNoEngine(env, tcp(nil), hinted(orchestrator.ErrEngineTooOld)), Failed, "the engine at tcp://lab:2375", "unset DOCKER_API_VERSION"},
		{"not of the group", judgeNoEngine(unix, closed, forbidden), Failed, "the user ann may not use unix:///run/d.sock: it belongs to the group docker, mode 0660", "sudo usermod -aG docker ann, then log in again"},
		{"of the group since", judgeNoEngine(unix, member, forbidden), Failed, "this session does not belong yet", "newgrp docker"},
		{"root's socket", judgeNoEngine(unix, ofRoot, forbidden), Failed, "group root", "sudo groupadd -f docker"},
		{"no socket", judgeNoEngine(unix, socket(fs.ErrNotExist), away), Failed, "there is no socket at unix:///run/d.sock", "sudo systemctl start docker"},
		{"not installed", judgeNoEngine(unix, bare, away), Failed, "there is no socket", "sudo apt-get install -y docker.io"},
		{"on a Mac", judgeNoEngine(unix, mac, away), Failed, "there is no socket", "open -a Docker"},
		{"another engine", judgeNoEngine(unix, podman, away), Failed, "there is no socket", "export DOCKER_HOST=unix:///run/user/1000/podman/podman.sock"},
		{"a stale socket", judgeNoEngine(unix, socket(dial(syscall.ECONNREFUSED)), away), Failed, "nothing listens at unix:///run/d.sock", "sudo systemctl start docker"},
		{"a deaf one", judgeNoEngine(unix, socket(nil), away), Failed, "does not answer like an engine", "docker version"},
		{"a hanging one", judgeNoEngine(elsewhere, socket(nil), &hangsError{fmt.Errorf("%w within 5s", errLate)}), Failed,
			"something listens at unix:///run/d.sock (of DOCKER_HOST), but does not answer like an engine: no answer within 5s", "docker version; restart it: sudo systemctl restart docker\nor use another engine: unset DOCKER_HOST"},
		{"an odd one", judgeNoEngine(unix, socket(dial(syscall.EIO)), away), Failed, "no engine answers at unix:///run/d.sock", "sudo systemctl start docker"},
		{"refused", judgeNoEngine(env, tcp(dial(syscall.ECONNREFUSED)), away), Failed, "nothing listens at tcp://lab:2375 (of DOCKER_HOST)", "curl lab:2375/_ping\nor use another engine: unset DOCKER_HOST"},
		{"no such host", judgeNoEngine(env, tcp(&net.DNSError{Err: "no such host"}), away), Failed, "the host of tcp://lab:2375 (of DOCKER_HOST) has no address: no such host", "unset DOCKER_HOST"},
		{"a firewall", judgeNoEngine(env, tcp(context.DeadlineExceeded), away), Failed, "cannot be reached: context deadline exceeded", "unset DOCKER_HOST"},
		{"a web server", judgeNoEngine(tls, tcp(nil), away), Failed, "something listens at tcp://lab:2375", "docker --tlsverify version"},
		{"ssh fails", judgeNoEngine(named, endpointFacts{scheme: "ssh", host: "lab"}, hinted(fmt.Errorf("%w: command [ssh] … stderr=Connection refused", orchestrator.ErrEngineUnreachable))), Failed, "ssh://lab (of the docker context lab) cannot be reached: Connection refused", "ssh USER@lab docker version"},
		{"no ssh", judgeNoEngine(named, endpointFacts{scheme: "ssh", command: fs.ErrNotExist}, away), Failed, "needs the ssh command", "openssh-client"},
		{"no address", judgeNoEngine(orchestrator.EngineInfo{}, endpointFacts{}, orchestrator.WithHint(errors.New("docker context nope: not found"), "docker context ls")), Failed, "docker context nope: not found", "docker context ls"},
		{"nothing at all", judgeNoEngine(orchestrator.EngineInfo{}, endpointFacts{}, errNoEngine), Failed, "no engine was given", "DOCKER_HOST"},
	})
}

func TestJudgeEndpoint(t *testing.T) {
	at := func(endpoint string, from orchestrator.EndpointSource) orchestrator.EngineInfo {
		return orchestrator.EngineInfo{Endpoint: endpoint, From: from, Context: "lab"}
	}
	socket := func(mode fs.FileMode) endpointFacts {
		return endpointFacts{scheme: "unix", path: "/run/d.sock", group: "docker", mode: fs.ModeSocket | mode}
	}
	tls := at("tcp://lab:2376", orchestrator.EndpointEnv)
	tls.TLS = true
	judge(t, []row{
		{"usual", judgeEndpoint(at("unix:///run/d.sock", orchestrator.EndpointDefault), socket(0o660)), OK, "unix:///run/d.sock, the usual one, group docker, mode 0660", ""},
		{"open to all", judgeEndpoint(at("unix:///run/d.sock", orchestrator.EndpointDefault), socket(0o666)), Warning, "everybody on this machine can become root", "sudo chmod 0660 /run/d.sock"},
		{"both variables", judgeEndpoint(at("unix:///run/d.sock", orchestrator.EndpointEnv), endpointFacts{scheme: "unix", dockerHost: "unix:///run/d.sock", dockerContext: "lab"}), Warning, "of DOCKER_HOST; DOCKER_CONTEXT=lab says otherwise", "unset DOCKER_HOST"},
		{"in the clear", judgeEndpoint(at("tcp://lab:2375", orchestrator.EndpointContext), endpointFacts{scheme: "tcp", host: "lab:2375"}), Warning, "of the docker context lab, without TLS", "ssh://lab"},
		{"in the clear, at home", judgeEndpoint(at("tcp://127.0.0.1:2375", orchestrator.EndpointEnv), endpointFacts{scheme: "tcp", host: "127.0.0.1:2375"}), OK, "tcp://127.0.0.1:2375", ""},
		{"TLS", judgeEndpoint(tls, endpointFacts{scheme: "tcp", host: "lab:2376"}), OK, "of DOCKER_HOST, TLS", ""},
		{"ssh", judgeEndpoint(at("ssh://lab", orchestrator.EndpointFlag), endpointFacts{scheme: "ssh", host: "lab"}), OK, "ssh://lab", ""},
	})
}

func TestJudgeLimits(t *testing.T) {
	cgroup := func(edit func(*orchestrator.EngineInfo)) verdict {
		info := orchestrator.EngineInfo{CgroupVersion: "2", CgroupDriver: "systemd", MemoryLimit: true, SwapLimit: true, PidsLimit: true}
		edit(&info)
		return judgeCgroup(info)
	}
	judge(t, []row{
		{"cgroup 2", cgroup(func(*orchestrator.EngineInfo) {}), OK, "version 2, driver systemd, memory, swap and processes can be limited", ""},
		{"no pids", cgroup(func(i *orchestrator.EngineInfo) { i.PidsLimit = false }), OK, "memory and swap can be limited", ""},
		{"no swap", cgroup(func(i *orchestrator.EngineInfo) { i.SwapLimit = false }), Warning, "memory limits without swap", "swapaccount=1"},
		{"no memory", cgroup(func(i *orchestrator.EngineInfo) { i.MemoryLimit = false }), Warning, "without memory limits", "cgroup_enable=memory"},
		{"rootless", cgroup(func(i *orchestrator.EngineInfo) { i.MemoryLimit, i.Security = false, []string{"rootless"} }), Warning, "a rootless engine without the memory controller", "Delegate="},

		{"an init", judgeInit(nil), OK, "the engine has one", ""},
		{"no init", judgeInit(orchestrator.ErrNoInit), Warning, "nodes run without", "tini"},
		{"nofile as wanted", judgeNoFile(65536), OK, "may open 65536 files", ""},
		{"nofile infinite", judgeNoFile(math.MaxUint64), OK, "any number; nodes are given 65536", ""},
		{"nofile low", judgeNoFile(20000), Warning, "may open 20000 files, 65536 are wanted", "LimitNOFILE=65536"},
		{"nofile tiny", judgeNoFile(256), Failed, "may open 256 files", "LimitNOFILE"},
		{"nofile untold", judgeNoFile(0), Unknown, "does not tell", ""},

		{"inotify ample", judgeInotify(524288, 512, 50), OK, "524288 watches, 512 instances", ""},
		{"few watches", judgeInotify(8192, 128, 50), Warning, "enough for about 8 nodes", "fs.inotify.max_user_watches=524288"},
		{"few instances", judgeInotify(524288, 20, 50), Warning, "enough for about 20 nodes", "fs.inotify.max_user_instances=512"},
		{"inotify untold", judgeInotify(0, 0, 50), Unknown, "does not tell", ""},

		{"neighbours ample", judgeNeighbours(65536, true, false, 50), OK, "65536 entries: enough for 50 nodes", ""},
		{"neighbours as root", judgeNeighbours(1024, true, true, 50), OK, "enough for 27 nodes; for more, up raises the limit", ""},
		{"neighbours as a user", judgeNeighbours(1024, true, false, 50), Warning, "enough for 27 nodes; a mesh of more falls apart", network.NeighbourCommand},
		{"neighbours few wanted", judgeNeighbours(1024, true, false, 27), OK, "enough for 27 nodes", ""},
		{"neighbours elsewhere", judgeNeighbours(1024, false, false, 50), Unknown, "only the engine's own machine", ""},

		{"clock right", judgeClock(3*time.Millisecond, 5*time.Millisecond), OK, "the engine's and ours agree (± 5ms)", ""},
		{"clock ahead", judgeClock(400*time.Millisecond, 5*time.Millisecond), OK, "400ms ahead of ours", ""},
		{"clock behind", judgeClock(-90*time.Second, 5*time.Millisecond), Warning, "1m30s behind ours", "set-ntp true"},
		{"clock far ahead", judgeClock(1500*time.Millisecond, 5*time.Millisecond), Warning, "1.5s ahead", "set-ntp"},
		{"clock asked slowly", judgeClock(1500*time.Millisecond, time.Second), OK, "± 1s", ""},
	})
}

func TestJudgeSpace(t *testing.T) {
	disk := func(f spaceFacts) verdict {
		f.where = "/var/lib/docker"
		if f.driver == "" {
			f.driver = "overlay2"
		}
		return judgeStorage(f)
	}
	pool := netip.MustParsePrefix("10.213.0.0/16")
	judge(t, []row{
		{"disk", disk(spaceFacts{free: 20 * gib, total: 100 * gib, inodesFree: 5, inodesTotal: 10}), OK, "20.0 GiB of 100.0 GiB free at /var/lib/docker (overlay2)", ""},
		{"disk tight", disk(spaceFacts{free: 3 * gib, total: 100 * gib}), Warning, "3.0 GiB of", "docker system df"},
		{"disk full", disk(spaceFacts{free: 100 << 20, total: 100 * gib}), Failed, "100 MiB of 100.0 GiB", "docker image prune"},
		{"inodes", disk(spaceFacts{free: 20 * gib, total: 100 * gib, inodesFree: 1, inodesTotal: 100}), Warning, "only 1 of 100 inodes", "docker image prune"},
		{"vfs", disk(spaceFacts{free: 20 * gib, total: 100 * gib, driver: "vfs"}), Warning, "copies the whole image", "overlay2"},
		{"disk untold", disk(spaceFacts{}), Unknown, "not told", ""},

		{"memory", judgeMemory(24*gib, 20*gib, 2), OK, "24.0 GiB, 20.0 GiB of it free, 2 processors: room for about 429 idle nodes", ""},
		{"memory in all", judgeMemory(8*gib, 0, 4), OK, "8.0 GiB, 4 processors: room for about 171 idle", ""},
		{"memory tight", judgeMemory(8*gib, 200_000_000, 4), Warning, "room for about 4 idle", "stop what takes"},
		{"memory full", judgeMemory(8*gib, 10_000_000, 4), Failed, "room for about 0 idle", "stop what takes"},
		{"memory untold", judgeMemory(0, 0, 0), Unknown, "does not tell", ""},

		{"pool", judgeSubnets(pool, 1021, 1024, []string{"a", "b", "c"}, ""), OK, "1021 of 1024 (/26) free in 10.213.0.0/16; held by a, b, c", ""},
		{"pool of many", judgeSubnets(pool, 1019, 1024, []string{"a", "b", "c", "d", "e"}, ""), OK, "held by a, b, c and 2 more", ""},
		{"pool tight", judgeSubnets(pool, 3, 1024, nil, ""), Warning, "3 of 1024", "beamyard prune"},
		{"a small pool", judgeSubnets(pool, 4, 4, nil, ""), OK, "4 of 4", ""},
		{"pool full", judgeSubnets(pool, 0, 1024, []string{"vpn"}, "pool: 10.117.0.0/16"), Failed, "0 of 1024 (/26) free in 10.213.0.0/16; held by vpn: no cluster finds a place", "pool: 10.117.0.0/16"},

		{"ports", judgePorts(portFacts{base: 4200, free: []uint16{4200, 4201, 4203}}, 3), OK, "3 are free from 4200 on, up to 4203", ""},
		{"first port taken", judgePorts(portFacts{base: 4200, free: []uint16{4201, 4202}, holder: "x"}, 2), OK, "4200 is taken by x; 2 are free from 4201 on", ""},
		{"few ports", judgePorts(portFacts{base: 4200, free: []uint16{4201}}, 3), Warning, "1 are free", "host_port: 5200"},
		{"no port", judgePorts(portFacts{base: 4200}, 3), Failed, "none is free from 4200 to 5199", "host_port: 5200"},
		{"no port of another base", judgePorts(portFacts{base: 65000}, 3), Failed, "none is free from 65000 to 65535", "host_port: 4200"},
		{"ports elsewhere", judgePorts(portFacts{remote: true}, 3), Unknown, "not this machine's", ""},

		{"control", judgeControl("/run/user/1/beamyard", 50, nil), OK, "/run/user/1/beamyard can be written to", ""},
		{"control tight", judgeControl("/long", 12, nil), Warning, "may have 12 characters, not 30", "XDG_RUNTIME_DIR"},
		{"control too long", judgeControl("/long", -3, nil), Failed, "too long a path", "XDG_RUNTIME_DIR"},
		{"control closed", judgeControl("/root", 0, orchestrator.WithHint(fs.ErrPermission, "choose")), Failed, "permission denied", "choose"},
		{"control plain error", judgeControl("/root", 0, fs.ErrPermission), Failed, "permission denied", "XDG_RUNTIME_DIR"},

		{"nothing left", judgeLeftovers(nil, nil), OK, "no dead process", ""},
		{"left", judgeLeftovers([]discovery.Removed{{Cluster: "demo", Containers: []string{"a", "b"}, Networks: []string{"n"}}}, nil), Warning, "2 containers and 1 network, of demo", "beamyard prune"},
		{"left, late", judgeLeftovers(nil, context.DeadlineExceeded), Unknown, "in time", ""},
		{"left, broken", judgeLeftovers(nil, errors.New("boom")), Unknown, "boom", ""},
	})
}

func TestJudgeReach(t *testing.T) {
	no := errors.New("no answer within 2s")
	helper := func(address, published error, bridge bool) helperFacts {
		return helperFacts{
			address: netip.MustParseAddrPort("172.17.0.2:7000"), published: "127.0.0.1:32768",
			addressErr: address, publishedErr: published, bridgeHere: bridge,
		}
	}
	works, lacks := fault.Feature{Works: true}, fault.Feature{Why: "the kernel has no netem: no such file or directory"}
	all := fault.Support{Nftables: works, Reset: works, Destroy: works, HTB: works, Netem: works, Notrack: works}
	noNetem := all
	noNetem.Netem = lacks
	judge(t, []row{
		{"container", judgeContainer(helperFacts{took: 350 * time.Millisecond}, nil), OK, "within 350ms", ""},
		{"container not tried", judgeContainer(helperFacts{}, fmt.Errorf("%w: it is not a Linux executable", helpers.ErrUnsuitable)), Unknown, "not a Linux executable", ""},
		{"container late", judgeContainer(helperFacts{}, fmt.Errorf("%w within 15s", errLate)), Warning, "no answer within 15s", "docker ps"},
		{"container refused", judgeContainer(helperFacts{}, orchestrator.WithHint(errors.New("cgroup mountpoint does not exist"), "mount it")), Failed, "cgroup mountpoint", "mount it"},
		{"container broken", judgeContainer(helperFacts{}, errors.New("boom")), Failed, "boom", "journalctl -u docker"},

		{"both", judgeAddresses(helper(nil, nil, true), true, "127.0.0.1"), OK, "its own address (172.17.0.2:7000) and by its published port (127.0.0.1:32768)", ""},
		{"virtual machine", judgeAddresses(helper(no, nil, false), true, "127.0.0.1"), OK, "distribution ports are published too", ""},
		{"firewall", judgeAddresses(helper(no, nil, true), true, "127.0.0.1"), Failed, "a firewall or a VPN is in the way", "ip route get 172.17.0.2"},
		{"no proxy", judgeAddresses(helper(nil, no, true), true, "127.0.0.1"), Warning, "the URLs of ps will not answer", "iptables -t nat -S DOCKER"},
		// On the default bridge, like the helper, but not on a cluster's.
		{"in a container", judgeAddresses(helper(nil, no, false), true, "127.0.0.1"), Failed, "the bridge is not on this machine", "--network host"},
		{"in a deaf virtual machine", judgeAddresses(helper(no, no, false), true, "127.0.0.1"), Failed, "does not answer (no answer within 2s)", "BEAMYARD_HOST"},
		{"remote", judgeAddresses(helper(no, nil, false), false, "lab"), OK, "published port", ""},
		{"remote and deaf", judgeAddresses(helper(no, no, false), false, "lab"), Failed, "published at lab", "BEAMYARD_HOST"},

		{"mount", judgeMounts(helperFacts{mountSeen: true}), OK, "is seen inside", ""},
		{"mount refused", judgeMounts(helperFacts{mountRefused: errors.New("create container x: Error response from daemon: bind source path does not exist")}), Warning, "of this machine: bind source path", "mounts nothing"},
		{"no file to mount", judgeMounts(helperFacts{mountFailed: fs.ErrNotExist}), Unknown, "file does not exist", ""},
		{"mount of another", judgeMounts(helperFacts{}), Warning, "not seen inside", "mounts nothing"},

		{"NET_ADMIN", judgeNetAdmin(true, nil), OK, "given", ""},
		{"NET_ADMIN refused", judgeNetAdmin(false, errors.New("authorization denied")), Warning, "refused: authorization denied", "partitions"},
		{"NET_ADMIN without effect", judgeNetAdmin(false, nil), Warning, "not in effect", "partitions"},

		{"all faults", judgeFaults(true, all, "6.8"), OK, "the kernel can do all faults", ""},
		{"no netem", judgeFaults(true, noNetem, "6.8"), Warning, "nftables, htb, reset, destroy, notrack can be used; nothing can delay packets (the kernel has no netem", "sudo modprobe -a sch_netem, on the engine's machine (its kernel, 6.8,"},
		{"no faults", judgeFaults(true, fault.Support{Nftables: lacks, Netem: lacks, HTB: lacks}, "6.8"), Warning, "nothing can cut a link", "modprobe -a nf_tables sch_netem sch_htb nft_reject_inet tcp_diag nft_ct"},
		{"faults forbidden", judgeFaults(false, fault.Support{}, "6.8"), Unknown, "without NET_ADMIN", ""},
	})
}

func TestJudgeSupply(t *testing.T) {
	none := &images.PackagesError{Suite: "trixie", Why: "mmdebstrap is not installed", Next: "sudo apt-get install -y mmdebstrap"}
	judge(t, []row{
		{"registry", judgeRegistry(registryFacts{answers: true, offers: true}, nil, "elixir:1"), OK, "has elixir:1", ""},
		{"registry without it", judgeRegistry(registryFacts{answers: true, why: "manifest unknown"}, nil, "elixir:1"), Warning, "gives no elixir:1 (manifest unknown)", "docker login"},
		{"no registry", judgeRegistry(registryFacts{why: "no such host"}, nil, "elixir:1"), Warning, "none answers the engine (no such host)", "docker load"},
		{"registry unclear", judgeRegistry(registryFacts{}, errors.New("toomanyrequests"), "elixir:1"), Warning, "toomanyrequests", "docker load"},

		{"base there", judgeBase(baseFacts{there: "beamyard/debian:trixie", packages: none}), OK, "beamyard/debian:trixie is on the engine", ""},
		{"base pulled", judgeBase(baseFacts{official: "elixir:1", registry: registryFacts{offers: true}}), OK, "elixir:1 can be pulled", ""},
		{"base made", judgeBase(baseFacts{mirror: "http://mirror.invalid/debian"}), OK, "from http://mirror.invalid/debian", ""},
		{"no base", judgeBase(baseFacts{official: "elixir:1", packages: none}), Failed, "mmdebstrap is not installed", "sudo apt-get install -y mmdebstrap\nor bring one: docker load"},
	})
	for text, want := range map[string]string{"Get \"x\": dial tcp: lookup x: no such host": "no such host", "boom": "boom"} {
		if got := cause(errors.New(text)); got != want {
			t.Errorf("cause of %q: %q", text, got)
		}
	}
}

func TestJudgeTestcontainers(t *testing.T) {
	reaper := func(variable string, properties map[string]string) testcontainersFacts {
		return testcontainersFacts{ryukDisabled: variable, properties: properties}
	}
	file := func(key, value string) testcontainersFacts {
		return testcontainersFacts{file: "/h/.testcontainers.properties", properties: map[string]string{key: value}}
	}
	const off = "export TESTCONTAINERS_RYUK_DISABLED=true"
	judge(t, []row{
		{"off", judgeReaper(reaper("true", nil), false, false), OK, "disabled", ""},
		{"off by file", judgeReaper(reaper("", map[string]string{"ryuk.disabled": "true"}), false, false), OK, "disabled", ""},
		{"on over the file", judgeReaper(reaper("false", map[string]string{"ryuk.disabled": "true"}), false, false), Warning, reaperImage, off},
		{"1 means false", judgeReaper(reaper("1", nil), true, true), Warning, `TESTCONTAINERS_RYUK_DISABLED=1 means "false"`, off},
		{"TRUE means false", judgeReaper(reaper("TRUE", nil), true, true), Warning, `means "false"`, off},
		{"yes means nothing", judgeReaper(reaper("yes", nil), true, true), Warning, "is not a boolean", off},
		{"there", judgeReaper(reaper("", nil), true, false), OK, "nothing disables", ""},
		{"pulled", judgeReaper(reaper("", nil), false, true), OK, "can be pulled", ""},
		{"missing", judgeReaper(reaper("", nil), false, false), Warning, "Go tests fail at their first call", off},

		{"plain", judgeTestcontainersHost(testcontainersFacts{}, "unix:///x", "127.0.0.1"), OK, "no setting", ""},
		{"prefix", judgeTestcontainersHost(testcontainersFacts{prefix: "mirror.invalid"}, "", ""), Warning, `"mirror.invalid"`, "unset TESTCONTAINERS_HUB_IMAGE_NAME_PREFIX"},
		{"prefix by file", judgeTestcontainersHost(file("hub.image.name.prefix", "mirror.invalid"), "", ""), Warning, `"mirror.invalid"`, "/h/.testcontainers.properties"},
		{"host by file", judgeTestcontainersHost(file("docker.host", "tcp://lab:1"), "unix:///x", ""), Warning, "sends Go tests to tcp://lab:1, while beamyard uses unix:///x", "remove the line docker.host from /h/"},
		{"tc.host by file", judgeTestcontainersHost(file("tc.host", "tcp://lab:1"), "unix:///x", ""), Warning, "tcp://lab:1", "remove the line tc.host"},
		{"the same host by file", judgeTestcontainersHost(file("docker.host", "unix:///x"), "unix:///x", ""), OK, "", ""},
		{"dockerenv", judgeTestcontainersHost(testcontainersFacts{dockerEnv: true}, "unix:///x", "127.0.0.1"), Warning, "takes this machine for a container", "export TESTCONTAINERS_HOST_OVERRIDE=127.0.0.1"},
		{"dockerenv, untried", judgeTestcontainersHost(testcontainersFacts{dockerEnv: true}, "", ""), Warning, "container", "if published ports answer there"},
		{"several at once", judgeTestcontainersHost(testcontainersFacts{prefix: "mirror.invalid", dockerEnv: true}, "unix:///x", "127.0.0.1"), Warning, "too; /.dockerenv", "PREFIX\nexport"},
		{"override", judgeTestcontainersHost(testcontainersFacts{dockerEnv: true, override: "10.0.0.9"}, "unix:///x", ""), OK, "TESTCONTAINERS_HOST_OVERRIDE=10.0.0.9", ""},
	})
}

func TestProperties(t *testing.T) {
	got := properties("# docker.host=no\n! x=y\n\n docker.host = tcp://lab:1 \r\nryuk.disabled:true\nalone\n")
	if len(got) != 2 || got["docker.host"] != "tcp://lab:1" || got["ryuk.disabled"] != "true" {
		t.Errorf("%q", got)
	}
}
