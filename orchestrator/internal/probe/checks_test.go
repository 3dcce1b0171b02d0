package probe

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/beamyard/beamyard/network/erldist"
	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/health"
	"github.com/beamyard/beamyard/orchestrator/internal/supervisor"
	"github.com/beamyard/beamyard/orchestrator/secrets"
)

// measured is a node whose load sample takes a moment. It records when the sample was
// taken, and when a check ran.
type measured struct {
	Link
	sampled, checked time.Time
}

func (m *measured) Call(_ context.Context, module, _ string, _ ...any) (any, error) {
	if module == "os" {
		return time.Now().UnixNano(), nil
	}
	m.checked = time.Now()
	return erldist.Tuple{erldist.Tuple{erldist.Atom("ok"), []byte("true")}, erldist.List{}}, nil
}

func (m *measured) Eval(context.Context, string, map[string]any) (any, error) {
	time.Sleep(health.OneOff)
	m.sampled = time.Now()
	return erldist.Map{}, nil
}

// The load in a report does not include the cost of the report's own checks.
func TestCustomChecksRunAfterTheLoadSample(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := validSpec()
		s.Checks = []orchestrator.Check{{RPC: "Shop.ready?()"}}
		m := &measured{}
		own := Checks{Spec: s.Defaulted(), Clean: secrets.Redactor(s).Replace}
		seen := Examine(t.Context(), orchestrator.NodeStatus{Name: "n1"}, m, health.Ask{Window: health.OneOff}, own)
		if seen.Sample == nil || len(seen.Own) != 1 || seen.Own[0].Failure != "" {
			t.Fatalf("%+v", seen)
		}
		if m.checked.Before(m.sampled) {
			t.Errorf("the check ran %s before the load was sampled", m.sampled.Sub(m.checked))
		}
	})
}

// A report can be requested at any time after the probe's sample. Its load covers a
// second or more where possible.
func TestTheLoadCoversASecondOrMore(t *testing.T) {
	began := time.Unix(100, 0)
	l, r := NewLinks(), supervisor.RunID{Node: "n1", Inc: 1}
	l.put(r, nil)
	for _, tt := range []struct {
		sampled, asked, want time.Duration // since the run began; want < 0: none
	}{
		{-1, 0, -1},
		{0, 10 * time.Millisecond, 0}, // there is no earlier sample
		{5 * time.Second, 5010 * time.Millisecond, 0},
		{-1, 6 * time.Second, 5 * time.Second},
		{5500 * time.Millisecond, 5510 * time.Millisecond, 5 * time.Second},
		{5800 * time.Millisecond, 6200 * time.Millisecond, 5 * time.Second},
		{10 * time.Second, 11 * time.Second, 10 * time.Second},
	} {
		if tt.sampled >= 0 {
			l.Note(r, health.Sample{Time: began.Add(tt.sampled)})
		}
		conn, _ := l.Get("n1")
		got := conn.Since(began.Add(tt.asked))
		switch {
		case got == nil && tt.want < 0:
		case got == nil || got.Time.Sub(began) != tt.want:
			t.Errorf("at %s since %+v, want %s", tt.asked, got, tt.want)
		}
	}
}

// erlangLink is a node on which every evaluation has one result.
type erlangLink struct {
	Link
	value any
	err   error
	asked string
}

func (l *erlangLink) Eval(_ context.Context, expressions string, _ map[string]any) (any, error) {
	l.asked = expressions
	return l.value, l.err
}

func TestErlangChecks(t *testing.T) {
	raised := &erldist.RPCError{MFA: "erl_eval:exprs/2", Reason: erldist.Atom("undef")}
	for _, tt := range []struct {
		value   string
		err     error
		expect  string
		failure string
		crashed bool
	}{
		{value: "true"},
		{value: "{ok,1}"},
		{value: "3", expect: " 3 "},
		{value: "false", expect: "false"},
		{value: "false", failure: "it is false"},
		{value: "undefined", failure: "it is undefined"},
		{value: "error", failure: "it is error"},
		{value: "{error,crumbcrumb}", failure: "it is {error,[secret]}"},
		{value: "2", expect: "3", failure: "it is 2, not 3"},
		{err: raised, failure: "undef"},
		{err: erldist.ErrClosed, failure: erldist.ErrClosed.Error(), crashed: true},
	} {
		s := validSpec()
		s.Cookie = "crumbcrumb"
		l := &erlangLink{value: []byte(tt.value), err: tt.err}
		own := Checks{Spec: s.Defaulted(), Clean: secrets.Redactor(s).Replace}
		got := own.run(t.Context(), orchestrator.Check{Erlang: "a:b().", Expect: tt.expect}, "n1", l)
		if !strings.Contains(got.Failure, tt.failure) || (got.Failure == "") != (tt.failure == "") || got.Crashed != tt.crashed || got.Name != "erlang a:b()." {
			t.Errorf("%s %v: %+v", tt.value, tt.err, got)
		}
		if !strings.Contains(l.asked, "[begin a:b() end]") {
			t.Errorf("asked %s", l.asked)
		}
	}
}
