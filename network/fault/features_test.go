package fault

import (
	"errors"
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	works := Feature{Works: true}
	no := Feature{Why: "no such file or directory"}
	for _, test := range []struct {
		rules Rules
		needs string
	}{
		{Rules{}, ""},
		{Rules{Losses: []Loss{{Percent: 1}}}, "nftables"},
		{Rules{Resolver: Resolver{Ours: true}}, "nftables notrack"},
		{Rules{Cuts: []Cut{{How: Drop}}}, "nftables"},
		{Rules{Cuts: []Cut{{How: Drop}, {How: Reset}}}, "nftables reset destroy"},
		{Rules{Shapes: []Shape{{Shaping: Shaping{Rate: 1000}}}}, "nftables htb"},
		{Rules{Shapes: []Shape{{Shaping: Shaping{Rate: 1000}}, {Shaping: Shaping{Corrupt: 1}}}}, "nftables htb netem"},
	} {
		if got := strings.Join(Needs(test.rules), " "); got != test.needs {
			t.Errorf("%s needs %s; want %s", test.rules, got, test.needs)
		}
		if err := (Support{works, works, works, works, works, works}).Check(test.rules); err != nil {
			t.Errorf("%s: %v", test.rules, err)
		}
		err := Support{Nftables: works, Reset: works, Destroy: no, HTB: works, Netem: no, Notrack: works}.Check(test.rules)
		if lacks := strings.Contains(test.needs, "destroy") || strings.Contains(test.needs, "netem"); lacks != errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%s without destroy and netem: %v", test.rules, err)
		}
	}
	err := Support{Nftables: works}.Check(Rules{Shapes: []Shape{{Shaping: Shaping{Corrupt: 1}}}})
	if want := "the kernel lacks htb () and netem (): unsupported operation"; err == nil || err.Error() != want {
		t.Errorf("%v; want %s", err, want)
	}
}
