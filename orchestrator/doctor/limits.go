package doctor

import (
	"context"
	"fmt"
	"math"
	"os"
	"slices"
	"time"

	"github.com/beamyard/beamyard/network"
	"github.com/beamyard/beamyard/orchestrator"
)

// Limits of the nodes: cgroups, open files, watches, the neighbour table, and the clock that
// stamps their output.

func lookCgroup(_ context.Context, e *examination) verdict { return judgeCgroup(e.engine.info) }

func judgeCgroup(info orchestrator.EngineInfo) verdict {
	const kernel = `add "cgroup_enable=memory swapaccount=1" to GRUB_CMDLINE_LINUX in /etc/default/grub, then: sudo update-grub && sudo reboot`
	name := fmt.Sprintf("version %s, driver %s", info.CgroupVersion, info.CgroupDriver)
	switch {
	case !info.MemoryLimit && slices.Contains(info.Security, "rootless"):
		return warning("let users' services have them: sudo systemctl edit user@.service, and write [Service] Delegate=cpu cpuset io memory pids",
			"%s: a rootless engine without the memory controller; memory: and cpus: do nothing", name)
	case !info.MemoryLimit:
		return warning(kernel, "%s, without memory limits: memory: does nothing, and a greedy node takes the machine's", name)
	case !info.SwapLimit:
		return warning(kernel, "%s, memory limits without swap: a node beyond its memory: swaps before it is killed", name)
	}
	text := name + ", memory and swap can be limited"
	if info.PidsLimit {
		text = name + ", memory, swap and processes can be limited"
	}
	return ok("%s", text)
}

func lookInit(ctx context.Context, e *examination) verdict {
	h, err := e.helper.get(ctx)
	if err != nil {
		return noHelper()
	}
	return judgeInit(h.initRefused)
}

func judgeInit(refused error) verdict {
	if refused != nil {
		return warning("install it where the engine runs: sudo apt-get install tini (Docker), sudo apt-get install catatonit (Podman)",
			"the engine has none: nodes run without, and processes that they leave behind stay as zombies (%v)", refused)
	}
	return ok("the engine has one: it passes signals on, and reaps what nodes leave behind")
}

func lookNoFile(ctx context.Context, e *examination) verdict {
	h, err := e.helper.get(ctx)
	if err != nil {
		return noHelper()
	}
	return judgeNoFile(h.NoFile)
}

// wantNoFile is the limit that nodes get: see orchestrator's noFile.
const wantNoFile = 65536

func judgeNoFile(hard uint64) verdict {
	const raise = "sudo systemctl edit docker, write [Service] LimitNOFILE=65536, then: sudo systemctl restart docker\nor, without systemd, before dockerd: ulimit -Hn 65536"
	switch {
	case hard == 0:
		return unknown("the container does not tell its limit")
	case hard < 1024:
		return failed(raise, "a container may open %d files: too few for a node", hard)
	case hard < wantNoFile:
		return warning(raise, "a container may open %d files, %d are wanted: nodes get %d, which is about as many connections", hard, wantNoFile, hard)
	case hard > 1<<30:
		return ok("a container may open any number; nodes are given %d, for the BEAM reserves memory for them all", wantNoFile)
	}
	return ok("a container may open %d files; nodes are given %d", hard, wantNoFile)
}

func lookInotify(ctx context.Context, e *examination) verdict {
	h, err := e.helper.get(ctx)
	if err != nil {
		return noHelper()
	}
	return judgeInotify(h.InotifyWatches, h.InotifyUsers, e.Nodes)
}

// judgeInotify compares the limits with the needs of code reloaders, which watch files with
// inotify(7). Each node needs an instance, and a watch for each folder; to the kernel all nodes
// are one user and share its limits.
func judgeInotify(watches, instances, nodes int) verdict {
	const folders = 1000 // of a project with its dependencies
	const raise = "sudo sysctl -w fs.inotify.max_user_watches=524288 fs.inotify.max_user_instances=512"
	switch text := fmt.Sprintf("%d watches, %d instances for each user", watches, instances); {
	case watches == 0 || instances == 0:
		return unknown("the container does not tell the limits")
	case watches < nodes*folders || instances < nodes:
		n := min(watches/folders, instances)
		return warning(raise, "%s: enough for about %d nodes that watch their code; beyond, reloading fails", text, n)
	default:
		return ok("%s", text)
	}
}

func lookNeighbours(ctx context.Context, e *examination) verdict {
	h, err := e.helper.get(ctx)
	if err != nil {
		return noHelper()
	}
	limit, known := network.NeighbourLimit()
	// A unix socket can lead to an engine in a virtual machine.
	raises := os.Geteuid() == 0 && e.engine.info.Local // as orchestrator does
	return judgeNeighbours(limit, known && sameKernel(h), raises, e.Nodes)
}

// judgeNeighbours compares the limit with the needs of a mesh: n² entries, and a third more, as
// orchestrator counts them.
func judgeNeighbours(limit int, known, raises bool, nodes int) verdict {
	if !known {
		return unknown("only the engine's own machine shows the limit; %d nodes need %d entries", nodes, nodes*nodes*4/3)
	}
	fits := int(math.Sqrt(float64(limit) * 3 / 4))
	switch {
	case fits >= nodes:
		return ok("%d entries: enough for %d nodes and more", limit, nodes)
	case raises:
		return ok("%d entries: enough for %d nodes; for more, up raises the limit", limit, fits)
	}
	return warning(network.NeighbourCommand, "%d entries: enough for %d nodes; a mesh of more falls apart", limit, fits)
}

func lookClock(_ context.Context, e *examination) verdict {
	half := e.engine.answer.Sub(e.engine.asked) / 2
	return judgeClock(e.engine.info.Time.Sub(e.engine.asked.Add(half)), half)
}

// judgeClock takes the difference between the engine's clock and ours at the middle of the
// request, and how far from the middle the engine may have read its clock.
func judgeClock(skew, uncertain time.Duration) verdict {
	const tolerated = time.Second
	text := fmt.Sprintf("the engine's is %s ahead of ours (± %s)", rough(skew), rough(uncertain))
	switch {
	case skew.Abs() <= uncertain:
		return ok("the engine's and ours agree (± %s)", rough(uncertain))
	case skew < 0:
		text = fmt.Sprintf("the engine's is %s behind ours (± %s)", rough(-skew), rough(uncertain))
	}
	if skew.Abs()-uncertain > tolerated {
		return warning("set both by NTP: sudo timedatectl set-ntp true (a virtual machine that slept: restart it)",
			"%s: times in logs and events do not match, and logs --since misses lines", text)
	}
	return ok("%s", text)
}

func rough(d time.Duration) time.Duration {
	if d < time.Second {
		return d.Round(time.Millisecond)
	}
	return d.Round(100 * time.Millisecond)
}
