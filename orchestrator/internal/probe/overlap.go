package probe

import (
	"context"
	"strconv"

	"github.com/beamyard/beamyard/network/erldist"
)

// AllowsOverlap asks a node whether its kernel lets partitions overlap. Source: kernel(6),
// prevent_overlapping_partitions: true by default since OTP 25, and without effect if connect_all
// is false.
func AllowsOverlap(ctx context.Context, conn Link) (bool, error) {
	parameter := func(name, unset erldist.Atom) (bool, error) {
		v, err := conn.Call(ctx, "application", "get_env", erldist.Atom("kernel"), name, unset)
		return v == any(erldist.Atom("true")) || v == any(true), err
	}
	v, err := conn.Call(ctx, "erlang", "system_info", erldist.Atom("otp_release"))
	if err != nil {
		return false, err
	}
	text, _ := erldist.Text(v)
	release, err := strconv.Atoi(text)
	if err != nil {
		return false, err
	}
	unset := erldist.Atom("true")
	if release < 25 {
		unset = "false"
	}
	prevents, err := parameter("prevent_overlapping_partitions", unset)
	if err != nil || !prevents {
		return err == nil, err
	}
	all, err := parameter("connect_all", "true")
	return err == nil && !all, err
}
