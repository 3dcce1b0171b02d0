package orchestrator

import (
	"fmt"
	"strings"
	"testing"
)

func TestReleaseRoots(t *testing.T) {
	for _, tt := range []struct {
		command []string
		dir     string
		want    string
	}{
		{[]string{"/app/bin/server"}, "/app", "[/app] []"},
		{[]string{"bin/ledger", "start"}, "/srv/ledger", "[/srv/ledger] []"},
		{[]string{"/bin/sh", "-c", "./bin/migrate && exec ./bin/shop start"}, "/app/", "[/app] []"},
		{[]string{"/usr/bin/tini", "--", "/opt/shop/bin/shop", "start"}, "", "[/opt/shop] [/]"},
		{[]string{"/entrypoint.sh", "start"}, "/app", "[] [/app]"},
		{nil, "/app", "[] [/app]"},
		{[]string{"mix", "run", "--no-halt"}, "/app", "[] []"},
		{[]string{"elixir", "-S", "mix", "phx.server"}, "/app", "[] []"},
		{[]string{"PATH=/x/bin/y", "/usr/local/bin/run"}, "/", "[] [/]"},
		{[]string{"/app/sbin/x"}, "/app", "[] [/app]"},
	} {
		certain, likely := releaseRoots(tt.command, tt.dir)
		if got := fmt.Sprint(certain, likely); got != tt.want {
			t.Errorf("%s in %q: %s, want %s", strings.Join(tt.command, " "), tt.dir, got, tt.want)
		}
	}
}
