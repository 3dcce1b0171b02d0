package erldist

import (
	"strings"
	"testing"
)

func TestFlagNames(t *testing.T) {
	for flags, want := range map[Flags]string{
		0:                        "",
		flagsMonitors:            "DIST_MONITOR DIST_MONITOR_NAME",
		flagNameMe | flagAlias:   "NAME_ME ALIAS",
		flagsMandatory26 | 1<<63: "UNLINK_ID V4_NC", // the last has no name
		flagsMandatory25:         "EXTENDED_REFERENCES FUN_TAGS NEW_FUN_TAGS EXTENDED_PIDS_PORTS EXPORT_PTR_TAG BIT_BINARIES NEW_FLOATS UTF8_ATOMS MAP_TAG BIG_CREATION HANDSHAKE_23",
	} {
		if got := strings.Join(flags.Names(), " "); got != want {
			t.Errorf("%#x: %s, want %s", uint64(flags), got, want)
		}
	}
}
