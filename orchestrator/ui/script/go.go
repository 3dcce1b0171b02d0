package script

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
)

// Go returns what was done as a test file in Go, formatted as gofmt does.
func Go(c Cluster, journal []orchestrator.JournalEntry) string {
	all := steps(journal)
	names := variables(all)
	var body strings.Builder
	for _, s := range all {
		if s.after > 0 {
			fmt.Fprintf(&body, "\ttime.Sleep(%s)\n", goDuration(s.after))
		}
		fmt.Fprintf(&body, "\t%s\n", goStep(s, names))
	}
	options := goOptions(c.Spec)
	text := body.String()
	imports := []string{"\t\"testing\""}
	for _, p := range []struct{ word, path string }{{"time.", "time"}, {"", ""}, {"fault.", "network/fault"}, {"orchestrator.", "orchestrator"}, {"testsupport.", "testsupport"}} {
		switch {
		case p.path == "":
			imports = append(imports, "")
		case p.path == "testsupport" || strings.Contains(text+options, p.word):
			path := p.path
			if path != "time" {
				path = "github.com/beamyard/beamyard/" + path
			}
			imports = append(imports, "\t"+strconv.Quote(path))
		}
	}
	return fmt.Sprintf(`package cluster_test

import (
%s
)

// TestWhatWasDone does to a new cluster what was done to %s.
func TestWhatWasDone(t *testing.T) {
	c := testsupport.Start(t, %s%s)
%s	// Check here what must hold.
}
`, strings.Join(imports, "\n"), c.Spec.Name, strconv.Quote(c.source()), options, text)
}

// goOptions returns the options that make the new cluster what the old one was, where the defaults
// of tests differ.
func goOptions(s orchestrator.Spec) string {
	var text string
	if s.File == "" && numbered(s) {
		text += fmt.Sprintf(", testsupport.WithNodes(%d)", len(s.Nodes))
	}
	if s.NetTick > 0 {
		text += fmt.Sprintf(", testsupport.WithNetTick(%s)", strings.ReplaceAll(goDuration(s.NetTick), " ", "")) // as gofmt does in a call in a call
	} else {
		text += ", testsupport.WithNetTick(time.Minute)"
	}
	if s.Distribution.OverlappingPartitions {
		text += ", testsupport.WithOverlappingPartitions()"
	}
	if s.Restart.Mode != orchestrator.RestartNo {
		mode := "RestartOnFailure"
		if s.Restart.Mode == orchestrator.RestartAlways {
			mode = "RestartAlways"
		}
		text += ",\n\t\ttestsupport.WithRestart(orchestrator.RestartPolicy{Mode: orchestrator." + mode + "})"
	}
	return text
}

func goStep(s step, names map[string]string) string {
	call := func(method string) string { return fmt.Sprintf("c.%s(t, %s)", method, strconv.Quote(s.node)) }
	switch s.verb {
	case note:
		return "// " + oneLine(s.text)
	case crash:
		return call("Crash")
	case stop:
		return call("Stop")
	case start:
		return call("Start")
	case restart:
		return call("Restart")
	case pause:
		return call("Pause")
	case unpause:
		return call("Unpause")
	case inject:
		text := goInject(s.fault)
		if s.used {
			return names[s.fault.ID] + " := " + text
		}
		return text
	case heal:
		return "c.Heal(t, " + names[s.fault.ID] + ")"
	}
	return ""
}

func goInject(f fault.Fault) string {
	switch f.Kind {
	case fault.KindPartition:
		if f.How != fault.Reset && f.How != fault.Disconnect && !f.Hard {
			var groups []string
			for _, g := range f.Groups {
				groups = append(groups, "[]string{"+quotes(g)+"}")
			}
			return "c.Partition(t, " + strings.Join(groups, ", ") + ")"
		}
		var groups []string
		for _, g := range f.Groups {
			groups = append(groups, "{"+quotes(g)+"}")
		}
		return goCut(f, "fault.KindPartition", "Groups: [][]string{"+strings.Join(groups, ", ")+"}")
	case fault.KindCut:
		var pairs []string
		for _, p := range f.Pairs {
			pairs = append(pairs, fmt.Sprintf("{From: %q, To: %q}", p.From, p.To))
		}
		return goCut(f, "fault.KindCut", "Pairs: []fault.Pair{"+strings.Join(pairs, ", ")+"}")
	case fault.KindLink:
		text := "c.Slow(t, " + goQuality(f.Quality)
		for _, p := range f.Pairs {
			text += ", fault.Pair{From: " + goEnd(p.From) + ", To: " + goEnd(p.To) + "}"
		}
		return text + ")"
	case fault.KindDNS:
		answers := "fault.NoAnswers"
		if f.DNS.Answers == fault.StaleAnswers {
			answers = "fault.StaleAnswers"
		}
		peers := ""
		if len(f.DNS.Peers) > 0 {
			peers = ", Peers: []string{" + quotes(f.DNS.Peers) + "}"
		}
		return fmt.Sprintf("c.DNS(t, fault.DNS{Answers: %s%s}, %s)", answers, peers, quotes(f.Nodes))
	case fault.KindClock:
		var fields fields
		fields.duration("Bump", f.Clock.Bump)
		fields.number("Drift", f.Clock.Drift)
		fields.duration("Strobe", f.Clock.Strobe)
		return fmt.Sprintf("c.Clock(t, fault.Clock{%s}, %s)", fields.String(), quotes(f.Nodes))
	case fault.KindSqueeze:
		var fields fields
		fields.number("Memory", float64(f.Limits.Memory))
		fields.number("CPUs", f.Limits.CPUs)
		if len(f.Limits.Full) > 0 {
			fields = append(fields, "Full: []string{"+quotes(f.Limits.Full)+"}")
		}
		return fmt.Sprintf("c.Squeeze(t, fault.Limits{%s}, %s)", fields.String(), quotes(f.Nodes))
	}
	return "// " + oneLine(f.String())
}

// goCut returns the injection of a partition or a cut that has no method of its own.
func goCut(f fault.Fault, kind, what string) string {
	how := "fault.Drop"
	switch f.How {
	case fault.Reset:
		how = "fault.Reset"
	case fault.Disconnect:
		how = "fault.Disconnect"
	case fault.Drop:
	}
	hard := ""
	if f.Hard {
		hard = ", Hard: true"
	}
	return fmt.Sprintf("c.Inject(t, fault.Fault{Kind: %s, %s, How: %s%s})", kind, what, how, hard)
}

func goQuality(q fault.Quality) string {
	var shaping fields
	shaping.number("Rate", float64(q.Rate))
	shaping.duration("Latency", q.Latency)
	shaping.duration("Jitter", q.Jitter)
	shaping.number("Duplicate", q.Duplicate)
	shaping.number("Corrupt", q.Corrupt)
	shaping.number("Reorder", q.Reorder)
	var all fields
	all.number("Loss", q.Loss)
	if len(shaping) > 0 {
		all = append(all, "Shaping: fault.Shaping{"+shaping.String()+"}")
	}
	return "fault.Quality{" + all.String() + "}"
}

func goEnd(name string) string {
	if name == fault.Everyone {
		return "fault.Everyone"
	}
	return strconv.Quote(name)
}

// fields are those of a composite literal that are not zero.
type fields []string

func (f *fields) number(name string, n float64) {
	if n != 0 {
		*f = append(*f, name+": "+float(n))
	}
}

func (f *fields) duration(name string, d time.Duration) {
	if d != 0 {
		*f = append(*f, name+": "+goDuration(d))
	}
}

func (f fields) String() string { return strings.Join(f, ", ") }

// goDuration writes a duration as people write it in Go.
func goDuration(d time.Duration) string {
	if d < 0 {
		return "-" + goDuration(-d)
	}
	for _, unit := range []struct {
		d    time.Duration
		name string
	}{{time.Hour, "Hour"}, {time.Minute, "Minute"}, {time.Second, "Second"}, {time.Millisecond, "Millisecond"}, {time.Microsecond, "Microsecond"}} {
		switch n := d / unit.d; {
		case d%unit.d != 0 || d == 0:
		case n == 1:
			return "time." + unit.name
		default:
			return fmt.Sprintf("%d * time.%s", n, unit.name)
		}
	}
	return fmt.Sprintf("time.Duration(%d)", d)
}
