package discovery

import (
	"testing"

	"github.com/beamyard/beamyard/network/erldist"
)

func TestVersionsOf(t *testing.T) {
	v, ok := versionsOf(erldist.Tuple{[]byte("27"), []byte("15.2.3"), []byte("")})
	if want := (Versions{OTP: "27", ERTS: "15.2.3"}); !ok || v != want {
		t.Errorf("%+v, %t; want %+v", v, ok, want)
	}
	for _, answer := range []any{nil, erldist.Atom("unknown"), erldist.Tuple{[]byte("27")}, erldist.Tuple{[]byte("27"), 15, []byte("")}} {
		if v, ok := versionsOf(answer); ok {
			t.Errorf("%v: %+v", answer, v)
		}
	}
}
