package bench

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Text returns a value of this unit for a reader: "1.47 s", "140 ms", "25.4 MB".
func (u Unit) Text(v float64) string {
	switch u {
	case Seconds, Processor:
		return duration(v)
	case Bytes:
		return fmt.Sprintf("%.1f MB", v/1e6)
	case PerSecond:
		return rate(v)
	case Share:
		return strconv.FormatFloat(v*100, 'f', 2, 64) + " %"
	case Count:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return fmt.Sprint(v, " ", string(u))
}

func duration(s float64) string {
	size := max(s, -s)
	switch {
	case size >= 9.995:
		return fmt.Sprintf("%.1f s", s)
	case size >= 0.9995:
		return fmt.Sprintf("%.2f s", s)
	case size >= 0.00995:
		return fmt.Sprintf("%.0f ms", s*1e3)
	case size >= 0.000995:
		return fmt.Sprintf("%.1f ms", s*1e3)
	}
	return fmt.Sprintf("%.0f µs", s*1e6)
}

func rate(v float64) string {
	switch {
	case v >= 1e6:
		return fmt.Sprintf("%.1f million/s", v/1e6)
	case v >= 1e4:
		return fmt.Sprintf("%.0f thousand/s", v/1e3)
	}
	return fmt.Sprintf("%.0f/s", v)
}

// Benchstat returns the run in the format of Go's benchmarks, which benchstat reads: a line for
// each value. Compare two runs with `benchstat old new`, and Beamyard with what stands beside it
// in one run with `benchstat -col /by new`.
func (r Run) Benchstat() string {
	var b strings.Builder
	fmt.Fprintf(&b, "cpu: %s\nengine: %s\nstorage: %s\n", r.Machine.CPU, r.Engine.Version, r.Engine.Driver)
	told := map[string]bool{} // a value of ours stands beside more than one of theirs
	write := func(name string, unit Unit, values []float64) {
		if told[name] {
			return
		}
		told[name] = true
		for _, v := range values {
			fmt.Fprintf(&b, "Benchmark%s-%d 1 %s\n", name, r.Machine.CPUs, measure(unit, v))
		}
	}
	for _, row := range r.Rows {
		name := capital(row.Key)
		if row.Nodes > 0 {
			name += fmt.Sprintf("/nodes=%d", row.Nodes)
		}
		write(name+"/by=beamyard", row.Unit, row.Ours)
		if row.By != "" {
			write(name+"/by="+row.By, row.Unit, row.Theirs)
		}
	}
	return b.String()
}

// measure is a value with a unit that benchstat knows, or that names itself.
func measure(u Unit, v float64) string {
	number := func(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
	switch u {
	case Seconds:
		return fmt.Sprintf("%.0f ns/op", v*1e9)
	case Processor:
		return fmt.Sprintf("%.0f cpu-ns/op", v*1e9)
	case Bytes:
		return number(v) + " B"
	case PerSecond:
		return number(v) + " ops/s"
	case Share:
		return number(v) + " cores"
	case Count:
		return number(v) + " count"
	}
	return number(v) + " " + string(u)
}

func capital(s string) string {
	var b strings.Builder
	for word := range strings.FieldsSeq(strings.ReplaceAll(s, "-", " ")) {
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return b.String()
}

// Head is one paragraph that says where and when a run took place.
func (r Run) Head() string {
	head := fmt.Sprintf("Measured %s", r.Began.Format("2006-01-02 15:04 MST"))
	if r.Commit != "" {
		head += " at " + r.Commit
	}
	head += fmt.Sprintf(", in one run of %.0f minutes, on %d processors (%s), %.0f GiB, Linux %s, load average %.1f before and %.1f after. %s.",
		r.Took.Minutes(), r.Machine.CPUs, r.Machine.CPU, float64(r.Machine.Memory)/(1<<30), r.Machine.Kernel, r.Machine.Load[0], r.Machine.Load[1], r.Engine)
	if len(r.Software) > 0 {
		head += " " + strings.Join(r.Software, ", ") + "."
	}
	return head
}

func (e Engine) String() string {
	return fmt.Sprintf("Docker Engine %s %s: %s, %s, cgroup v%s", e.Version, e.Where, e.Driver, e.Runtime, e.Cgroups)
}

// Markdown returns the table of all rows, under its head.
func (r Run) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\nTimes are medians. A ratio is the median over the pairs of a round, with the lowest and the highest; *n* is the number of rounds.\n\n", r.Head())
	b.WriteString("| what | nodes | Beamyard | beside it | | ratio | *n* |\n|---|---|---|---|---|---|---|\n")
	before := ""
	for _, row := range r.grouped() {
		what := row.What
		if what == before {
			what = ""
		}
		before = row.What
		b.WriteString(row.line(what) + "\n")
	}
	return b.String()
}

// grouped returns the rows with those of one key together, in the order of their first.
func (r Run) grouped() []Row {
	first := map[string]int{}
	for i, row := range r.Rows {
		if _, ok := first[row.Key]; !ok {
			first[row.Key] = i
		}
	}
	return slices.SortedStableFunc(slices.Values(r.Rows), func(a, b Row) int { return cmp.Compare(first[a.Key], first[b.Key]) })
}

// String is the row as it is in the table.
func (r Row) String() string { return r.line(r.What) }

func (r Row) line(what string) string {
	nodes := r.nodes()
	if r.Why != "" {
		return fmt.Sprintf("| %s | %s | | not measured: %s | %s | | |", what, nodes, r.Why, r.Beside)
	}
	theirs, ratio := "", ""
	if len(r.Theirs) > 0 {
		theirs, ratio = r.Unit.Text(Median(r.Theirs)), r.ratio()
	}
	ours := ""
	if len(r.Ours) > 0 {
		ours = r.Unit.Text(Median(r.Ours))
	}
	if len(r.Theirs) == 0 && len(r.Ours) > 1 {
		ours += fmt.Sprintf(" (%s – %s)", r.Unit.Text(slices.Min(r.Ours)), r.Unit.Text(slices.Max(r.Ours)))
	}
	return fmt.Sprintf("| %s | %s | %s | %s | %s | %s | %d |", what, nodes, ours, theirs, r.Beside, ratio, max(len(r.Ours), len(r.Theirs)))
}

// ratio is "1.23 (1.15–1.31)", and where we take less than a second longer, the difference, which
// may be what counts: "1.23 (1.15–1.31), + 50 ms".
func (r Row) ratio() string {
	ratios := r.Ratios()
	if len(ratios) == 0 {
		return ""
	}
	text := fmt.Sprintf("%.2f (%.2f–%.2f)", Median(ratios), slices.Min(ratios), slices.Max(ratios))
	if over := Median(r.Differences()); r.Unit == Seconds && over > 0 && over < 0.9995 {
		text += ", + " + duration(over)
	}
	return text
}

// Short returns the table of README: the rows of these keys and contenders, "up/3/serving".
func (r Run) Short(wanted ...string) string {
	var b strings.Builder
	b.WriteString("| | nodes | Beamyard | beside it | |\n|---|---|---|---|---|\n")
	before := ""
	for _, want := range wanted {
		for _, row := range r.Rows {
			if row.Why != "" || row.name() != want {
				continue
			}
			what, theirs := row.What, ""
			if what == before {
				what = ""
			}
			before = row.What
			if len(row.Theirs) > 0 {
				theirs = row.Unit.Text(Median(row.Theirs))
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", what, row.nodes(), row.Unit.Text(Median(row.Ours)), theirs, row.Beside)
		}
	}
	return b.String()
}

// nodes is the row's column "nodes", empty where the number says nothing.
func (r Row) nodes() string {
	if r.Nodes == 0 {
		return ""
	}
	return strconv.Itoa(r.Nodes)
}

func (r Row) name() string {
	name := fmt.Sprintf("%s/%d", r.Key, r.Nodes)
	if r.By != "" {
		name += "/" + r.By
	}
	return name
}

// Engines returns a table of the same rows of several runs side by side, one column a run.
func Engines(runs []Run) string {
	if len(runs) == 0 {
		return "Not measured yet.\n"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d processors (%s), %.0f GiB, Linux %s; %s, one engine after the other. Medians, with the lowest and the highest.\n\n",
		runs[0].Machine.CPUs, runs[0].Machine.CPU, float64(runs[0].Machine.Memory)/(1<<30), runs[0].Machine.Kernel, runs[0].Began.Format("2006-01-02 15:04 MST"))
	b.WriteString("| what | nodes |")
	rule := "|---|---|"
	for _, run := range runs {
		fmt.Fprintf(&b, " %s %s |", run.Engine.Version, run.Engine.Where)
		rule += "---|"
	}
	b.WriteString("\n" + rule + "\n| storage, runtime, cgroup | |")
	for _, run := range runs {
		fmt.Fprintf(&b, " %s, %s, v%s |", run.Engine.Driver, run.Engine.Runtime, run.Engine.Cgroups)
	}
	b.WriteString("\n")
	told := map[string]bool{} // the same values may stand beside several rows
	for _, row := range runs[0].grouped() {
		for _, ours := range []bool{true, false} {
			what, values := row.What, row.Ours
			if !ours {
				values = row.Theirs
				if len(row.Ours) > 0 {
					what += ": " + row.Beside
				}
			}
			column := fmt.Sprint(row.Key, row.Nodes)
			if !ours {
				column = fmt.Sprint(row.By, row.Nodes, values)
			}
			if told[column] || len(values) == 0 && (!ours || row.Why == "") {
				continue
			}
			told[column] = true
			fmt.Fprintf(&b, "| %s | %s |", what, row.nodes())
			for _, run := range runs {
				b.WriteString(" " + run.cell(row, ours) + " |")
			}
			b.WriteString("\n")
		}
	}
	return b.String()
}

// cell is the run's value in a row like that of another run.
func (r Run) cell(like Row, ours bool) string {
	for _, row := range r.Rows {
		if row.name() != like.name() {
			continue
		}
		values := row.Theirs
		if ours {
			values = row.Ours
		}
		if len(values) == 0 {
			return row.Why
		}
		return fmt.Sprintf("%s (%s – %s)", row.Unit.Text(Median(values)), row.Unit.Text(slices.Min(values)), row.Unit.Text(slices.Max(values)))
	}
	return "–"
}
