package erldist

import "math/bits"

// flagNames are the capabilities that a node can announce, by their bit.
//
// Source: ERTS, "Distribution Protocol", "Distribution Flags"; lib/kernel/include/dist.hrl of OTP
// 25 to 28.
var flagNames = map[int]string{
	0: "PUBLISHED", 1: "ATOM_CACHE", 2: "EXTENDED_REFERENCES", 3: "DIST_MONITOR", 4: "FUN_TAGS", 5: "DIST_MONITOR_NAME",
	6: "HIDDEN_ATOM_CACHE", 7: "NEW_FUN_TAGS", 8: "EXTENDED_PIDS_PORTS", 9: "EXPORT_PTR_TAG", 10: "BIT_BINARIES", 11: "NEW_FLOATS",
	12: "UNICODE_IO", 13: "DIST_HDR_ATOM_CACHE", 14: "SMALL_ATOM_TAGS", 16: "UTF8_ATOMS", 17: "MAP_TAG", 18: "BIG_CREATION",
	19: "SEND_SENDER", 20: "BIG_SEQTRACE_LABELS", 22: "EXIT_PAYLOAD", 23: "FRAGMENTS", 24: "HANDSHAKE_23", 25: "UNLINK_ID",
	26: "MANDATORY_25_DIGEST", 32: "SPAWN", 33: "NAME_ME", 34: "V4_NC", 35: "ALIAS", 37: "ALTACT_SIG",
}

// Names returns the names of the flags, in the order of their bits: "DIST_MONITOR" for
// DFLAG_DIST_MONITOR. A flag without a name is left out: its meaning is not known here.
func (f Flags) Names() []string {
	var names []string
	for rest := uint64(f); rest != 0; rest &= rest - 1 {
		if name := flagNames[bits.TrailingZeros64(rest)]; name != "" {
			names = append(names, name)
		}
	}
	return names
}
