package health

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/beamyard/beamyard/network/erldist"
)

// node answers like sample.erl.
type node struct {
	told     any
	clock    time.Duration // of its clock before ours
	bindings map[string]any
}

func (n *node) Call(_ context.Context, module, function string, _ ...any) (any, error) {
	switch module + ":" + function {
	case "os:system_time":
		return time.Now().Add(n.clock).UnixNano(), nil
	case "application:which_applications":
		return erldist.List{erldist.Tuple{erldist.Atom("shop"), "the shop", "1.0"}, erldist.Tuple{erldist.Atom("kernel"), "", ""}}, nil
	}
	return nil, errors.New("not played: " + module)
}

func (n *node) Eval(_ context.Context, _ string, bindings map[string]any) (any, error) {
	n.bindings = bindings
	return n.told, nil
}

func told(pairs ...any) erldist.Map {
	var m erldist.Map
	for i := 0; i < len(pairs); i += 2 {
		m = append(m, erldist.Pair{Key: erldist.Atom(pairs[i].(string)), Value: pairs[i+1]})
	}
	return m
}

const limits = `Limit                     Soft Limit           Hard Limit           Units
Max processes             unlimited            unlimited            processes
Max open files            20000                20000                files
`

func TestTake(t *testing.T) {
	atom := func(s string) erldist.Atom { return erldist.Atom(s) }
	text := func(s string) []byte { return []byte(s) }
	n := &node{clock: time.Minute, told: told(
		"otp", text("27"), "visible", erldist.List{atom("app@n2.shop.test")},
		"hidden", erldist.List{atom("3G7ECRV1BHT5C@beamyard.invalid"), atom("spy@h.test")},
		"apps", erldist.List{atom("shop")}, "memory", erldist.List{erldist.Tuple{atom("total"), int64(42)}},
		"processes", erldist.Tuple{int64(80), int64(1000)}, "ports", erldist.Tuple{atom("unknown"), atom("unknown")},
		"files", int64(24), "limits", text(limits),
		"cgroup", erldist.List{text("1000\n"), text("9223372036854771712\n"), text("cache 9\ntotal_inactive_file 300\n")},
		"run_queue", int64(3), "schedulers", int64(2),
		"ticks", erldist.Tuple{erldist.Tuple{int64(100), int64(1000)}, erldist.Tuple{int64(110), int64(1020)}},
		"encoding", atom("utf8"), "heart", true, "net_tick", int64(60), "prevent_overlapping", atom("true"),
		"modules", erldist.List{erldist.Tuple{atom("Elixir.Shop"), []byte{0xab, 1}}, erldist.Tuple{atom("Elixir.Gone"), atom("unknown")}},
	)}
	got, err := Take(t.Context(), n, Ask{App: "shop", Modules: true, Window: OneOff})
	if err != nil {
		t.Fatal(err)
	}
	want := Sample{
		OTP: "27", Visible: []string{"app@n2.shop.test"}, Hidden: []string{"spy@h.test"}, Apps: []string{"shop"},
		Memory: map[string]int64{"total": 42}, Processes: Count{80, 1000, true}, Files: Count{24, 20000, true}, Container: Count{700, 0, true},
		RunQueue: 3, Schedulers: 2, Load: Load{0.25, true, 20 * time.Millisecond}, Encoding: "utf8", Heart: true, NetTick: 60, PreventOverlapping: true,
		Modules: map[string]string{"Elixir.Shop": "ab01", "Elixir.Gone": ""}, ticks: ticks{110, 1020},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(Sample{}, ticks{}), cmpopts.IgnoreFields(Sample{}, "Time", "RoundTrip", "ClockSkew")); diff != "" {
		t.Error(diff)
	}
	if off := (got.ClockSkew - time.Minute).Abs(); off > got.RoundTrip+time.Millisecond {
		t.Errorf("clock skew %s", got.ClockSkew)
	}
	if diff := cmp.Diff(map[string]any{"App": atom("shop"), "Md5s": true, "Window": int64(20)}, n.bindings); diff != "" {
		t.Error(diff)
	}

	// If the earlier sample is too recent, the load is measured over a window. Otherwise it
	// is the load since that sample, without waiting.
	if _, err := Take(t.Context(), n, Ask{Since: &got, Window: OneOff}); err != nil || n.bindings["Window"] != any(int64(20)) {
		t.Errorf("%v, bindings %v", err, n.bindings)
	}
	got.Time = got.Time.Add(-2 * time.Second)
	n.told = told("schedulers", int64(2), "ticks", erldist.Tuple{erldist.Tuple{int64(1110), int64(3020)}, erldist.Tuple{int64(1110), int64(3020)}})
	again, err := Take(t.Context(), n, Ask{Since: &got, Window: OneOff})
	if err != nil || again.Load != (Load{0.25, true, 2 * time.Second}) || n.bindings["Window"] != any(int64(0)) || n.bindings["App"] != any(atom("-")) {
		t.Errorf("%+v, %v, bindings %v", again.Load, err, n.bindings)
	}
	if again.Processes.Known || again.Container.Known || again.Modules != nil {
		t.Errorf("known without being reported: %+v", again)
	}
}

func TestTakeRefusesNonsense(t *testing.T) {
	if _, err := Take(t.Context(), &node{told: erldist.Atom("ok")}, Ask{}); err == nil {
		t.Error("an atom was accepted as a sample")
	}
	// Values of a wrong type leave their fields unknown.
	keys := []any{}
	for _, k := range []string{"otp", "visible", "apps", "memory", "processes", "files", "limits", "cgroup", "run_queue", "ticks", "modules"} {
		keys = append(keys, k, erldist.Tuple{erldist.Map{}, 1.5})
	}
	s, err := Take(t.Context(), &node{told: told(keys...)}, Ask{})
	if err != nil || s.Processes.Known || s.Files.Known || s.Container.Known || s.Load.Known || s.Modules != nil {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestGlance(t *testing.T) {
	s, err := Glance(t.Context(), &node{})
	if diff := cmp.Diff([]string{"shop", "kernel"}, s.Apps); diff != "" || err != nil || !s.Partial {
		t.Error(diff, err, s.Partial)
	}
}

func TestContainerMemory(t *testing.T) {
	text := func(s string) []byte { return []byte(s) }
	for _, tt := range []struct {
		name  string
		files erldist.List
		want  Count
	}{
		{"version 2 with a limit", erldist.List{text("1000\n"), text("4096\n"), text("anon 1\ninactive_file 200\n")}, Count{800, 4096, true}},
		{"version 2 without", erldist.List{text("1000\n"), text("max\n"), text("")}, Count{1000, 0, true}},
		{"version 1 with a limit", erldist.List{text("1000\n"), text("4096\n"), text("inactive_file 1\ntotal_inactive_file 200\n")}, Count{800, 4096, true}},
		{"more inactive than used", erldist.List{text("100\n"), text("max\n"), text("inactive_file 200\n")}, Count{0, 0, true}},
		{"no cgroup", erldist.List{erldist.Atom("unknown"), erldist.Atom("unknown"), erldist.Atom("unknown")}, Count{}},
	} {
		if got := cgroup(tt.files); got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
	if got := openFiles("Max open files            unlimited            unlimited            files\n"); got != 0 {
		t.Errorf("unlimited is %d", got)
	}
}
