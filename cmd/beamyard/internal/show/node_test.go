package show_test

import (
	"testing"
	"time"

	"github.com/beamyard/beamyard/cmd/beamyard/internal/show"
)

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0s", 0: "0s", 59900 * time.Millisecond: "59s", 60 * time.Second: "1m00s",
		3599 * time.Second: "59m59s", 2*time.Hour + 5*time.Minute: "2h05m", 99 * time.Hour: "4d03h",
	} {
		if got := show.Span(d); got != want {
			t.Errorf("Span(%v) = %s, want %s", d, got, want)
		}
	}
}
