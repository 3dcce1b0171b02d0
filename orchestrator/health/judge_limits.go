package health

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/beamyard/beamyard/orchestrator/hint"
)

// performance never says that a node is broken: it says that it has much to do.
func (j *judge) performance(n Seen) []Check {
	s := n.Sample
	trip := Check{Name: "round trip", State: Passed, Figures: []Figure{milliseconds("round trip", s.RoundTrip, j.RoundTrip)}}
	if s.RoundTrip > j.RoundTrip {
		trip.State = Failed
		trip.Means = fmt.Sprintf("a call that does nothing takes %s at %s: its schedulers are busy, or this machine is", s.RoundTrip.Round(1000), n.Name)
		trip.Suggestion = hint.Newf("see what runs there: %s, and top on the engine's machine", j.eval(n, ":erlang.statistics(:total_run_queue_lengths)"))
	}
	clock := Check{Name: "clock", State: Passed, Figures: []Figure{milliseconds("skew", s.ClockSkew, j.ClockSkew)}}
	switch {
	case s.Partial:
		clock.State, clock.Figures, clock.Means = Unknown, nil, n.Name+" did not report its time"
	case s.ClockSkew.Abs() > j.ClockSkew+s.RoundTrip:
		clock.State = Failed
		clock.Means = fmt.Sprintf("the clock of %s is %s off ours: times of lines and events do not compare", n.Name, s.ClockSkew.Round(1000000))
		clock.Suggestion = hint.Text("set the clock of the engine's machine by NTP: timedatectl set-ntp true")
		if by := n.Clock; by.ID != "" {
			clock.Means += fmt.Sprintf("; %s sets it (%s)", by.ID, by.Text)
			clock.Suggestion = hint.Newf("heal it: %s", hint.Heal.On(j.Cluster).With(by.ID))
		}
	}
	queue := Check{Name: "run queue", State: Unknown}
	if s.Schedulers > 0 {
		each := float64(s.RunQueue) / float64(s.Schedulers)
		queue.State = Passed
		queue.Figures = []Figure{{Name: "waiting for each scheduler", Value: each, Limit: j.RunQueue}}
		if each > j.RunQueue {
			queue.State = Failed
			queue.Means = fmt.Sprintf("%d processes wait for the %d schedulers of %s: it has more to do than it can", s.RunQueue, s.Schedulers, n.Name)
			queue.Suggestion = hint.Newf("see the busiest: %s", j.eval(n, "Process.list() |> Enum.map(&{&1, Process.info(&1, :reductions)}) |> Enum.sort_by(&elem(&1, 1), :desc) |> Enum.take(5)"))
		}
	}
	load := Check{Name: "scheduler load", State: Unknown}
	if s.Load.Known {
		load.State = Passed
		load.Figures = []Figure{{Name: "load", Value: percent(s.Load.Part), Unit: "%", Limit: percent(j.Load)}}
		switch {
		case s.Load.Part <= j.Load:
		case s.Load.Over < Steady:
			load.State = Unknown
			load.Means = fmt.Sprintf("%s used %.0f %% of its schedulers' time, for %s: too short a time to judge", n.Name, percent(s.Load.Part), s.Load.Over)
		default:
			load.State = Failed
			load.Means = fmt.Sprintf("%s uses %.0f %% of its schedulers' time", n.Name, percent(s.Load.Part))
			load.Suggestion = hint.Newf("give it more: %s; or see the busiest: %s", hint.Setting("cpus"),
				j.eval(n, "Process.list() |> Enum.sort_by(&Process.info(&1, :reductions), :desc) |> Enum.take(5)"))
		}
	}
	return []Check{trip, clock, queue, load}
}

// resources are far from limits at which something is refused, or killed.
func (j *judge) resources(n Seen) []Check {
	s := n.Sample
	memory := j.part("memory", "bytes", s.Container, j.Memory, n, "the kernel kills the VM at the limit",
		"raise %s, or see what uses it: %s", hint.Setting("memory"), j.eval(n, ":erlang.memory()"))
	for _, kind := range slices.Sorted(maps.Keys(s.Memory)) {
		memory.Figures = append(memory.Figures, Figure{Name: "memory of " + kind, Value: float64(s.Memory[kind]), Unit: "bytes"})
	}
	return []Check{
		memory,
		j.part("processes", "", s.Processes, j.Processes, n, "at the limit no process can be started (system_limit)",
			"find what starts them, or raise +P: %s; %s", hint.Setting("command"), j.eval(n, ":erlang.system_info(:process_count)")),
		j.part("ports", "", s.Ports, j.Ports, n, "at the limit no socket or file can be opened (system_limit)",
			"find what leaks them, or raise +Q: %s; %s", hint.Setting("command"), j.eval(n, ":erlang.system_info(:port_count)")),
		j.part("atoms", "", s.Atoms, j.Atoms, n, "at the limit the VM ends: atoms are never freed",
			"find what makes atoms of input (String.to_atom), then: %s", hint.Restart.On(j.Cluster, n.Name)),
		j.part("tables", "", s.Tables, j.Tables, n, "at the limit no ETS table can be made (system_limit)",
			"find what leaks them: %s", j.eval(n, "length(:ets.all())")),
		j.part("files", "", s.Files, j.Files, n, "at the limit no file or socket can be opened (emfile)",
			"find what leaks them: %s", j.eval(n, "length(Port.list())")),
	}
}

// part compares what is used with a part of the limit. suggestion and steps are those of
// [hint.Newf].
func (j *judge) part(name, unit string, c Count, limit float64, n Seen, means, suggestion string, steps ...any) Check {
	check := Check{Name: name, State: Unknown}
	if !c.Known {
		return check
	}
	check.State = Passed
	check.Figures = []Figure{{Name: name, Value: float64(c.Used), Unit: unit, Limit: math.Floor(float64(c.Limit) * limit)}}
	if c.Limit > 0 && float64(c.Used) > float64(c.Limit)*limit {
		used, whole := fmt.Sprint(c.Used), fmt.Sprint(c.Limit)
		if unit == "bytes" {
			used, whole = mebibytes(c.Used), mebibytes(c.Limit)
		}
		check.State, check.Suggestion = Failed, hint.Newf(suggestion, steps...)
		check.Means = fmt.Sprintf("%s of %s: %s of %s (%.0f %%, over %.0f %%); %s",
			name, n.Name, used, whole, percent(float64(c.Used)/float64(c.Limit)), percent(limit), means)
	}
	return check
}

func mebibytes(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

// percent of a part, to a tenth: a figure is read, not calculated with.
func percent(part float64) float64 { return math.Round(part*1000) / 10 }
