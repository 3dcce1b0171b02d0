package fault

import (
	"fmt"
	"strings"
)

// ParsePercent parses "5%" or "5"; "" is 0.
func ParsePercent(text string) (float64, error) {
	var p float64
	if text == "" {
		return 0, nil
	}
	if n, err := fmt.Sscanf(strings.TrimSuffix(text, "%")+"\n", "%g\n", &p); n != 1 || err != nil || p < 0 || p > 100 {
		return 0, fmt.Errorf("%q is not a percentage from 0 to 100", text)
	}
	return p, nil
}

// ParseRate parses bits per second as tc(8) writes them: "1mbit", "500kbit", "64000bit"; "" is 0.
func ParseRate(text string) (uint64, error) {
	if text == "" {
		return 0, nil
	}
	lower := strings.ToLower(text)
	for _, u := range []struct {
		suffix string
		factor float64
	}{{"gbit", 1e9}, {"mbit", 1e6}, {"kbit", 1e3}, {"bit", 1}} {
		number, ok := strings.CutSuffix(lower, u.suffix)
		var n float64
		if !ok {
			continue
		}
		if got, err := fmt.Sscanf(number+"\n", "%g\n", &n); got == 1 && err == nil && n > 0 {
			return uint64(n * u.factor), nil
		}
		break
	}
	return 0, fmt.Errorf("%q is not a rate like 1mbit or 500kbit", text)
}
