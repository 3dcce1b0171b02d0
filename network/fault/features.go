package fault

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Support reports which features for network faults a kernel has.
type Support struct {
	Nftables Feature `json:"nftables"` // rules that end by themselves: cuts, and random packet loss
	Reset    Feature `json:"reset"`    // rules that refuse packets
	Destroy  Feature `json:"destroy"`  // connections can be reset from outside
	HTB      Feature `json:"htb"`      // queues by peer, with rate limits
	Netem    Feature `json:"netem"`    // a queue with delay, jitter and more
	Notrack  Feature `json:"notrack"`  // rules that keep DNS queries from the engine's server
}

// Feature reports whether a kernel has one feature.
type Feature struct {
	Works bool   `json:"works"`
	Why   string `json:"why,omitempty"` // the kernel's error, if it does not
}

// feature makes one of the error of its use.
func feature(err error) Feature {
	if err != nil {
		return Feature{Why: err.Error()}
	}
	return Feature{Works: true}
}

// needsNetem reports whether more than a rate is limited.
func (s Shaping) needsNetem() bool {
	s.Rate = 0
	return s != Shaping{}
}

// Needs returns the features that a kernel must have for the rules, by their names in
// [Support]'s JSON form.
func Needs(r Rules) []string {
	var needs []string
	if !r.Empty() {
		needs = append(needs, "nftables")
	}
	if slices.ContainsFunc(r.Cuts, func(c Cut) bool { return c.How == Reset }) {
		needs = append(needs, "reset", "destroy")
	}
	if len(r.Shapes) > 0 {
		needs = append(needs, "htb")
	}
	if slices.ContainsFunc(r.Shapes, func(s Shape) bool { return s.needsNetem() }) {
		needs = append(needs, "netem")
	}
	if r.Resolver.Ours {
		needs = append(needs, "notrack")
	}
	return needs
}

// Check returns an error that wraps [errors.ErrUnsupported] if a kernel lacks what the
// rules need. It says what is missing, in the kernel's words.
func (s Support) Check(r Rules) error {
	features := map[string]Feature{"nftables": s.Nftables, "reset": s.Reset, "destroy": s.Destroy, "htb": s.HTB, "netem": s.Netem, "notrack": s.Notrack}
	var missing []string
	for _, name := range Needs(r) {
		if f := features[name]; !f.Works {
			missing = append(missing, fmt.Sprintf("%s (%s)", name, f.Why))
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("the kernel lacks %s: %w", strings.Join(missing, " and "), errors.ErrUnsupported)
	}
	return nil
}
