package diagnosis

import (
	"path"
	"slices"
	"strconv"
	"strings"
)

// This file reads what runs in a container, and with which flags its VM was started.

// LookScript prints the listening sockets of a container, and then its processes in the
// format of [ReadProcesses]. It needs sh, cat and grep.
const LookScript = `cat /proc/net/tcp /proc/net/tcp6 2>/dev/null
for p in /proc/[0-9]*; do printf '\001%s\002' "${p#/proc/}"; grep ^PPid: "$p/status"; printf '\002'; cat "$p/cmdline"; done 2>/dev/null`

// Process is a process that runs in a container.
type Process struct {
	PID, Parent int
	Args        []string
}

// ReadProcesses parses the output of [LookScript]. It omits processes that were started
// in the container from outside, such as the script itself.
func ReadProcesses(printed string) []Process {
	var all []Process
	parents := map[int]int{}
	for record := range strings.SplitSeq(printed, "\x01") {
		fields := strings.SplitN(record, "\x02", 3)
		if len(fields) < 3 {
			continue
		}
		pid, err := strconv.Atoi(fields[0])
		parent, perr := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(fields[1], "PPid:")))
		if err != nil || perr != nil {
			continue
		}
		parents[pid] = parent
		if args := strings.TrimRight(fields[2], "\x00"); args != "" {
			all = append(all, Process{pid, parent, strings.Split(args, "\x00")})
		}
	}
	slices.SortFunc(all, func(a, b Process) int { return a.PID - b.PID })
	return slices.DeleteFunc(all, func(p Process) bool {
		at := p.PID
		for range len(parents) + 1 {
			if at <= 1 {
				break
			}
			at = parents[at]
		}
		return at != 1
	})
}

// VM is a BEAM that runs in a container, with the flags that it was started with.
type VM struct {
	// First means that it is the container's main process, or the only process that its
	// init has started: no process that is still to run will start another BEAM.
	First bool
	Flags []Flag
	// Run is the command that it runs, for people: "mix run --no-halt".
	Run string
}

// Flag is a flag of a VM with its values: "-kernel", [inet_dist_listen_min 9100].
type Flag struct {
	Name   string
	Values []string
}

// VMs returns the processes that are BEAMs.
func VMs(processes []Process) []VM {
	var vms []VM
	for _, p := range processes {
		if !strings.HasPrefix(path.Base(p.Args[0]), "beam.") {
			continue
		}
		vm := VM{Flags: vmFlags(p.Args[1:])}
		vm.First = p.PID == 1 || p.Parent == 1 && isInit(processes)
		if i := slices.Index(p.Args, "-extra"); i >= 0 && i+1 < len(p.Args) {
			rest := slices.Clone(p.Args[i+1:])
			rest[0] = path.Base(rest[0])
			vm.Run = strings.TrimPrefix(strings.Join(rest, " "), "--no-halt -- ") // of a direct boot
		}
		vms = append(vms, vm)
	}
	return vms
}

// isInit tells whether the first process is an init of an engine, which starts one
// thing: docker-init, catatonit and tini are the same in that.
func isInit(processes []Process) bool {
	if len(processes) == 0 || processes[0].PID != 1 {
		return false
	}
	return slices.Contains([]string{"docker-init", "tini", "catatonit", "podman-init", "dumb-init"}, path.Base(processes[0].Args[0]))
}

// vmFlags reads the arguments of a BEAM. erlexec has put those of ERL_AFLAGS and of
// files there, in their order; a "--" between them means nothing.
func vmFlags(args []string) []Flag {
	var flags []Flag
	for _, arg := range args {
		switch {
		case arg == "-extra":
			return flags
		case arg == "--":
		case strings.HasPrefix(arg, "-"):
			flags = append(flags, Flag{Name: arg})
		case len(flags) > 0:
			f := &flags[len(flags)-1]
			f.Values = append(f.Values, arg)
		}
	}
	return flags
}

// all are the values of each of a VM's flags of that name.
func (v *VM) all(name string) []string {
	var values []string
	for _, f := range v.Flags {
		if f.Name == name {
			values = append(values, strings.Join(f.Values, " "))
		}
	}
	return values
}

// name is what the VM was told to be called, and whether it was. Of several names the
// kernel takes the first.
func (v *VM) name() (name string, named bool) {
	names := append(v.all("-name"), v.all("-sname")...)
	if len(names) == 0 {
		return "", false
	}
	return names[0], true
}

// proto is the protocol of the distribution that it was told to use.
func (v *VM) proto() string {
	if protos := v.all("-proto_dist"); len(protos) > 0 {
		return protos[len(protos)-1]
	}
	return ""
}

// vm is the BEAM of a node, nil where none was seen: the first one.
func (n *Node) vm() *VM {
	if n.Live == nil || len(n.Live.VMs) == 0 {
		return nil
	}
	for i := range n.Live.VMs {
		if n.Live.VMs[i].First {
			return &n.Live.VMs[i]
		}
	}
	return &n.Live.VMs[0]
}

// See records the processes that run in the container.
func (l *Live) See(processes []Process) {
	l.VMs, l.First, l.Last = VMs(processes), nil, nil
	for _, p := range processes {
		first := p.PID == 1 && !isInit(processes) || p.Parent == 1 && isInit(processes)
		if first && l.First == nil {
			l.First = p.Args
		} else if p.PID != 1 {
			l.Last = p.Args
		}
	}
}
