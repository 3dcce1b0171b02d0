package erldist

import (
	"maps"
	"testing"
)

// The lines are as OTP 25 to 29 print them. Any other line names no process.
func TestParseNames(t *testing.T) {
	for printed, want := range map[string]map[string]int{
		"epmd: up and running on port 4369 with data:\nname app at port 25999\nname other-1 at port 9100\n": {"app": 25999, "other-1": 9100},
		"epmd: up and running on port 4369 with data:\n":                                                    {},
		"epmd: Cannot connect to local epmd\n":                                                              {},
		"name app at port\nname at port 1":                                                                  {},
	} {
		if got := ParseNames(printed); !maps.Equal(got, want) {
			t.Errorf("%q: %v", printed, got)
		}
	}
}
