package manifest

import (
	"fmt"
	"net/netip"

	"github.com/beamyard/beamyard/orchestrator/hint"
)

// LoopbackNews says that an application listens only on loopback, and what was done about
// it.
type LoopbackNews struct {
	At        netip.AddrPort
	Forwarded bool
	Err       error // why it could not be forwarded
}

// Describe returns it in words, and what to do about it.
func (n LoopbackNews) Describe(node string) (text string, next hint.Hint) {
	text = fmt.Sprintf("%s listens on %s only, inside its container: ", node, n.At)
	switch {
	case n.Forwarded:
		text += fmt.Sprintf("port %d is forwarded there (have it listen on 0.0.0.0 to do without)", n.At.Port())
	case n.Err != nil:
		text += fmt.Sprintf("it cannot be reached, and not be forwarded: %v", n.Err)
	default:
		text += "it cannot be reached"
		next = hint.Newf("have it listen on 0.0.0.0, or set %s", hint.Setting("loopback: forward"))
	}
	return text, next
}
