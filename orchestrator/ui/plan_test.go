package ui

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/beamyard/beamyard/network/fault"
	"github.com/beamyard/beamyard/orchestrator"
)

func TestWhatButtonsDo(t *testing.T) {
	f := newFake()
	s := entered(t, Options{Source: f})
	for _, tc := range []struct {
		do, body, command, asked string
	}{
		{"kill", `{"nodes":["n1","n3"]}`, "beamyard kill -c demo n1 n3", "kill KILL [n1 n3]"},
		{"stop", `{"nodes":["n1"]}`, "beamyard stop -c demo n1", "stop [n1]"},
		{"start", `{"nodes":["n1"]}`, "beamyard start -c demo n1", "start [n1]"},
		{"restart", `{"nodes":["n1"]}`, "beamyard restart -c demo n1", "restart [n1]"},
		{"pause", `{"nodes":["n1"]}`, "beamyard pause -c demo n1", "pause [n1]"},
		{"unpause", `{"nodes":["n1"]}`, "beamyard unpause -c demo n1", "unpause [n1]"},
		{"partition", `{"groups":[["n1"]]}`, "beamyard partition -c demo n1", "inject partition n1 | the rest, drop for 0s"},
		{"partition", `{"groups":[["n1"],["n2","n3"]],"kind":"reset","for":"10s"}`, "beamyard partition -c demo n1 n2,n3 --kind reset --for 10s", "inject partition n1 | n2 n3, reset for 10s"},
		{"partition", `{"groups":[["n1","n2"]],"kind":"disconnect"}`, "beamyard partition -c demo n1,n2 --kind disconnect", "inject partition n1 n2 | the rest, disconnect for 0s"},
		{"blip", `{}`, "beamyard blip -c demo", "blip [{n1 n2} {n1 n3} {n2 n1} {n2 n3} {n3 n1} {n3 n2}] for 0s"},
		{"blip", `{"groups":[["n2"]],"for":"6ms"}`, "beamyard blip -c demo n2 --for 6ms", "blip [{n1 n2} {n2 n1} {n2 n3} {n3 n2}] for 6ms"},
		{"blip", `{"pairs":["n1:n2"]}`, "beamyard blip -c demo --pairs n1:n2", "blip [{n1 n2}] for 0s"},
		{"slow", `{"nodes":["n1"],"loss":"5%"}`, "beamyard slow -c demo n1 --loss '5%'", "inject link n1-*, loss 5% for 0s"},
		{"slow", `{"pairs":["n1:n2"],"latency":"50ms","rate":"1mbit","for":"2m"}`, "beamyard slow -c demo n1:n2 --latency 50ms --rate 1mbit --for 2m", "inject link n1→n2, rate 1000000bit/s latency 50ms for 2m0s"},
		{"heal", `{"ids":[]}`, "beamyard heal -c demo", "heal []"},
		{"heal", `{"ids":["fa1"]}`, "beamyard heal -c demo fa1", "heal [fa1]"},
		{"sync", `{"nodes":[]}`, "beamyard sync -c demo", "sync []"},
		{"take-over", `{}`, "beamyard up demo -d", ""},
	} {
		f.asked = nil
		var dry, done outcome
		resp, body := s.request(http.MethodPost, "/c/demo/do/"+tc.do+"?dry=1", tc.body)
		if err := json.Unmarshal([]byte(body), &dry); err != nil || resp.StatusCode != http.StatusOK || !dry.OK || dry.Command != tc.command {
			t.Errorf("%s %s would be %s %s", tc.do, tc.body, resp.Status, body)
		}
		if len(f.asked) > 0 {
			t.Errorf("%s: a dry run asked to %q", tc.do, f.asked)
		}
		resp, body = s.request(http.MethodPost, "/c/demo/do/"+tc.do, tc.body)
		if err := json.Unmarshal([]byte(body), &done); err != nil || resp.StatusCode != http.StatusOK || !done.OK || done.Command != tc.command || done.Said == "" {
			t.Errorf("%s %s is %s %s", tc.do, tc.body, resp.Status, body)
		}
		if got := strings.Join(f.asked, "; "); got != tc.asked {
			t.Errorf("%s %s asked to %q", tc.do, tc.body, got)
		}
	}
}

func TestRequestsThatMakeNoSense(t *testing.T) {
	f := newFake()
	s := entered(t, Options{Source: f})
	for _, tc := range []struct {
		do, body string
		status   int
	}{
		{"down", `{}`, http.StatusBadRequest},
		{"kill", `{}`, http.StatusBadRequest},
		{"kill", `{"nodes":["n9"]}`, http.StatusNotFound},
		{"kill", `{"nodes":["n1; rm -rf /"]}`, http.StatusNotFound},
		{"kill", `{"nodes":["--signal=TERM"]}`, http.StatusNotFound},
		{"kill", `{"node":["n1"]}`, http.StatusBadRequest},
		{"kill", `no JSON`, http.StatusBadRequest},
		{"kill", `{"nodes":["` + strings.Repeat("n", maxRequest) + `"]}`, http.StatusBadRequest},
		{"partition", `{}`, http.StatusBadRequest},
		{"partition", `{"groups":[["n1","n2","n3"]]}`, http.StatusBadRequest},
		{"partition", `{"groups":[["n1"],["n1"]]}`, http.StatusBadRequest},
		{"partition", `{"groups":[["n1"]],"kind":"melt"}`, http.StatusBadRequest},
		{"partition", `{"groups":[["n1"]],"for":"soon"}`, http.StatusBadRequest},
		{"partition", `{"groups":[["n1"]],"for":"-1s"}`, http.StatusBadRequest},
		{"blip", `{"for":"2s"}`, http.StatusBadRequest},
		{"blip", `{"pairs":["n1"]}`, http.StatusBadRequest},
		{"blip", `{"pairs":["n1:n1"]}`, http.StatusBadRequest},
		{"blip", `{"pairs":["n1:n9"]}`, http.StatusNotFound},
		{"blip", `{"pairs":["n1:n2"],"groups":[["n1"]]}`, http.StatusBadRequest},
		{"slow", `{"loss":"5%"}`, http.StatusBadRequest},
		{"slow", `{"nodes":["n1"]}`, http.StatusBadRequest},
		{"slow", `{"nodes":["n1"],"loss":"500%"}`, http.StatusBadRequest},
		{"slow", `{"nodes":["n1"],"rate":"fast"}`, http.StatusBadRequest},
		{"slow", `{"nodes":["n1"],"latency":"50"}`, http.StatusBadRequest},
		{"heal", `{"ids":["--all"]}`, http.StatusBadRequest},
	} {
		for _, path := range []string{tc.do, tc.do + "?dry=1"} {
			resp, body := s.request(http.MethodPost, "/c/demo/do/"+path, tc.body)
			var got outcome
			if err := json.Unmarshal([]byte(body), &got); err != nil || resp.StatusCode != tc.status || got.OK || got.Error == "" {
				t.Errorf("%s %.60s: %s %.200s", path, tc.body, resp.Status, body)
			}
		}
	}
	if len(f.asked) > 0 {
		t.Errorf("it was asked to %q", f.asked)
	}
	if resp, _ := s.request(http.MethodPost, "/c/other/do/kill", `{"nodes":["n1"]}`); resp.StatusCode != http.StatusNotFound {
		t.Errorf("another cluster: %s", resp.Status)
	}
}

// The status of an answer says what kind of failure it is.
func TestFailures(t *testing.T) {
	f := newFake()
	s := entered(t, Options{Source: f})
	for err, status := range map[error]int{
		orchestrator.ErrNotRunning: http.StatusConflict, orchestrator.ErrNoSupervisor: http.StatusConflict, orchestrator.ErrFaultUnsupported: http.StatusNotImplemented,
		orchestrator.ErrEngineUnreachable: http.StatusServiceUnavailable, errors.New("other"): http.StatusInternalServerError,
	} {
		f.fail = orchestrator.WithHint(err, "do this")
		resp, body := s.request(http.MethodPost, "/c/demo/do/kill", `{"nodes":["n1"]}`)
		var got outcome
		if e := json.Unmarshal([]byte(body), &got); e != nil || resp.StatusCode != status || got.OK || got.Command != "beamyard kill -c demo n1" || got.Error != err.Error() || got.Hint != "do this" {
			t.Errorf("%v: %s %s", err, resp.Status, body)
		}
	}
}

// Without a supervisor the VMs are not kept apart, and a heal makes them accept each other again.
func TestADisconnectWithoutASupervisor(t *testing.T) {
	f := newFake()
	f.supervised = false
	s := entered(t, Options{Source: f})
	if resp, body := s.request(http.MethodPost, "/c/demo/do/partition", `{"groups":[["n1"]],"kind":"disconnect"}`); resp.StatusCode != http.StatusConflict || !strings.Contains(body, "beamyard up demo -d") {
		t.Errorf("%s %s", resp.Status, body)
	}
	x := fault.Partition([]string{"n1"})
	x.ID, x.How = "f1", fault.Disconnect
	f.faults = []fault.Fault{x}
	if resp, body := s.request(http.MethodPost, "/c/demo/do/heal", `{}`); resp.StatusCode != http.StatusOK || !strings.Contains(body, "f1 is healed") {
		t.Errorf("%s %s", resp.Status, body)
	}
	if !slices.Equal(f.asked, []string{"heal []", "readmit partition n1 | the rest, disconnect"}) {
		t.Errorf("it was asked to %q", f.asked)
	}
}
