package discovery

import (
	"strings"
	"testing"

	"github.com/beamyard/beamyard/orchestrator/diagnosis"
)

func TestReadDump(t *testing.T) {
	dump := "=erl_crash_dump:0.5\nTue Nov 24\nSlogan: out of luck\nSystem version: Erlang/OTP 27\n=memory\ntotal: 13102920\nprocesses: 1\n" +
		"=proc:<0.0.0>\nState: Waiting\nName: init\nSpawned as: erl_init:start/2\nMessage queue length: 0\nMemory: 2640\n" +
		"=proc:<0.9.0>\nSpawned as: hog:run/1\nMessage queue length: 12\nMemory: 99999\n=proc_heap:<0.9.0>\n" + strings.Repeat("A", 200<<10) + "\n=end\n"
	d := readCrashDump(strings.NewReader(dump))
	if d.Slogan != "out of luck" || d.Memory != 13102920 || len(d.Top) != 2 || d.Top[0] != (diagnosis.DumpEntry{PID: "<0.9.0>", Name: "hog:run/1", Memory: 99999, Queue: 12}) || d.Top[1].Name != "init" {
		t.Errorf("%+v", d)
	}
}

func FuzzReadDump(f *testing.F) {
	f.Add("=erl_crash_dump:0.5\nSlogan: x\n=proc:<0.1.0>\nMemory: 5\n")
	f.Fuzz(func(t *testing.T, text string) {
		if d := readCrashDump(strings.NewReader(text)); len(d.Top) > topProcesses {
			t.Errorf("%d processes", len(d.Top))
		}
	})
}
