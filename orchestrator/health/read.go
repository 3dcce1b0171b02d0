package health

import (
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"github.com/beamyard/beamyard/network/erldist"
)

// read fills a sample from what sample.erl told. A value of another type than
// expected leaves its field as it is: unknown.
func (s *Sample) read(told erldist.Map, since *Sample) {
	get := func(key string) any {
		v, _ := told.Get(erldist.Atom(key))
		return v
	}
	s.OTP, _ = erldist.Text(get("otp"))
	s.Visible, s.Hidden = atoms(get("visible")), atoms(get("hidden"))
	s.Apps = atoms(get("apps"))
	s.Memory = memory(get("memory"))
	s.Processes, s.Ports = pair(get("processes")), pair(get("ports"))
	s.Atoms, s.Tables = pair(get("atoms")), pair(get("tables"))
	if open, ok := get("files").(int64); ok {
		s.Files = Count{Used: open, Limit: openFiles(text(get("limits"))), Known: true}
	}
	s.Container = cgroup(get("cgroup"))
	s.RunQueue, s.Schedulers = int(number(get("run_queue"))), int(number(get("schedulers")))
	s.load(get("ticks"), since)
	s.Encoding, _ = erldist.Text(get("encoding"))
	s.Heart = isTrue(get("heart"))
	s.NetTick, s.TickIntensity = number(get("net_tick")), number(get("tick_intensity"))
	if auto, ok := get("auto_connect").(erldist.Atom); ok && auto != "unknown" {
		s.AutoConnect = string(auto)
	}
	s.PreventOverlapping = isTrue(get("prevent_overlapping"))
	s.agreements(get)
	s.Modules = modules(get("modules"))
}

// load is the processor time over the real time of all schedulers. It counts
// every thread of the VM; a little over 1 is possible and means 1.
func (s *Sample) load(term any, since *Sample) {
	t, _ := term.(erldist.Tuple)
	if len(t) != 2 {
		return
	}
	before, after := tick(t[0]), tick(t[1])
	if since != nil && since.ticks.wall <= after.wall {
		before = since.ticks
	}
	s.ticks = after
	if wall := after.wall - before.wall; wall > 0 && s.Schedulers > 0 {
		s.Load = Load{
			Part: min(1, float64(after.runtime-before.runtime)/float64(wall*int64(s.Schedulers))), Known: true,
			Over: time.Duration(wall) * time.Millisecond,
		}
	}
}

func tick(term any) ticks {
	t, _ := term.(erldist.Tuple)
	if len(t) != 2 {
		return ticks{}
	}
	return ticks{number(t[0]), number(t[1])}
}

func number(term any) int64 {
	n, _ := term.(int64)
	return n
}

// isTrue reads a boolean: the atom true comes as Go's bool or as an Atom.
func isTrue(term any) bool { return term == any(true) || term == any(erldist.Atom("true")) }

func text(term any) string {
	s, _ := term.([]byte)
	return string(s)
}

func atoms(term any) []string {
	list, _ := term.(erldist.List)
	var names []string
	for _, e := range list {
		if a, ok := e.(erldist.Atom); ok && !isTool(string(a)) {
			names = append(names, string(a))
		}
	}
	return names
}

// isTool tells hidden nodes with made-up names, like us, by the host that erldist
// gives them.
func isTool(node string) bool { return strings.HasSuffix(node, "@beamyard.invalid") }

func memory(term any) map[string]int64 {
	list, ok := term.(erldist.List)
	if !ok {
		return nil
	}
	kinds := map[string]int64{}
	for _, e := range list {
		if t, ok := e.(erldist.Tuple); ok && len(t) == 2 {
			if kind, ok := t[0].(erldist.Atom); ok {
				kinds[string(kind)] = number(t[1])
			}
		}
	}
	return kinds
}

func pair(term any) Count {
	t, _ := term.(erldist.Tuple)
	if len(t) != 2 {
		return Count{}
	}
	used, known := t[0].(int64)
	return Count{Used: used, Limit: number(t[1]), Known: known}
}

// openFiles is the soft limit in /proc/self/limits, 0 for "unlimited". Source:
// proc(5).
func openFiles(limits string) int64 {
	for line := range strings.Lines(limits) {
		if rest, ok := strings.CutPrefix(line, "Max open files"); ok {
			if fields := strings.Fields(rest); len(fields) > 0 {
				n, _ := strconv.ParseInt(fields[0], 10, 64) // "unlimited" is no number
				return n
			}
		}
	}
	return 0
}

// noLimit is less than what version 1 shows where nobody set one (the largest
// multiple of a page), and more than any machine has.
const noLimit = 1 << 60

// cgroup reads usage, limit and statistics of the container's memory. File pages
// that were not used lately count as used until the kernel wants them: they are
// taken off, as `docker stats` does. Source: the kernel's cgroup-v1/memory and
// cgroup-v2 documents.
func cgroup(term any) Count {
	files, _ := term.(erldist.List)
	if len(files) != 3 {
		return Count{}
	}
	used, err := strconv.ParseInt(strings.TrimSpace(text(files[0])), 10, 64)
	if err != nil {
		return Count{}
	}
	limit, _ := strconv.ParseInt(strings.TrimSpace(text(files[1])), 10, 64) // "max" is no number
	if limit >= noLimit {
		limit = 0
	}
	inactive := map[string]int64{}
	for line := range strings.Lines(text(files[2])) {
		if key, rest, _ := strings.Cut(line, " "); strings.HasSuffix(key, "inactive_file") {
			inactive[key], _ = strconv.ParseInt(strings.TrimSpace(rest), 10, 64)
		}
	}
	pages, first := inactive["total_inactive_file"]
	if !first {
		pages = inactive["inactive_file"]
	}
	return Count{Used: max(0, used-pages), Limit: limit, Known: true}
}

func modules(term any) map[string]string {
	list, ok := term.(erldist.List)
	if !ok {
		return nil
	}
	sums := make(map[string]string, len(list))
	for _, e := range list {
		if t, ok := e.(erldist.Tuple); ok && len(t) == 2 {
			if name, ok := t[0].(erldist.Atom); ok {
				sum, _ := t[1].([]byte) // the atom unknown: ""
				sums[string(name)] = hex.EncodeToString(sum)
			}
		}
	}
	return sums
}
