package discovery

import (
	"bufio"
	"cmp"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/beamyard/beamyard/orchestrator/diagnosis"
	"github.com/beamyard/beamyard/orchestrator/internal/erlterm"
)

const (
	topProcesses = 5
	// maxDumpLine is where a line of a dump is cut: heaps are one line a term.
	maxDumpLine = 64 << 10
)

// readCrashDump reads a crash dump from r: its slogan, the VM's memory, and the largest
// processes. It reads a truncated dump as far as it goes. Source: "How to Interpret the
// Erlang Crash Dumps" in the ERTS manual.
func readCrashDump(r io.Reader) diagnosis.Dump {
	var d diagnosis.Dump
	var entry *diagnosis.DumpEntry
	section := ""
	keep := func() {
		if entry == nil {
			return
		}
		d.Top = append(d.Top, *entry)
		slices.SortStableFunc(d.Top, func(a, b diagnosis.DumpEntry) int { return cmp.Compare(b.Memory, a.Memory) })
		d.Top = d.Top[:min(len(d.Top), topProcesses)]
		entry = nil
	}
	lines := bufio.NewReaderSize(r, maxDumpLine)
	for {
		line, more, err := lines.ReadLine()
		text := string(line) // before the buffer is used again
		for more && err == nil {
			_, more, err = lines.ReadLine()
		}
		if head, ok := strings.CutPrefix(text, "="); ok {
			keep()
			kind, id, _ := strings.Cut(head, ":")
			section = kind
			if kind == "proc" {
				entry = &diagnosis.DumpEntry{PID: id}
			}
		}
		key, value, _ := strings.Cut(text, ": ")
		switch {
		case section == "erl_crash_dump" && key == "Slogan":
			d.Slogan = erlterm.Readable(strings.TrimSpace(value))
		case section == "memory" && key == "total":
			d.Memory = number(value)
		case entry != nil:
			readEntry(entry, key, value)
		}
		if err != nil {
			keep()
			return d
		}
	}
}

func readEntry(e *diagnosis.DumpEntry, key, value string) {
	switch key {
	case "Name":
		e.Name = value
	case "Spawned as":
		e.Name = cmp.Or(e.Name, value)
	case "Message queue length":
		e.Queue = int(number(value))
	case "Memory":
		e.Memory = number(value)
	}
}

func number(text string) int64 {
	n, _ := strconv.ParseInt(strings.TrimSpace(text), 10, 64) // what is no number counts as none
	return n
}
