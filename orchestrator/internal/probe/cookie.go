package probe

import (
	"context"

	"github.com/beamyard/beamyard/network/erldist"
	"github.com/beamyard/beamyard/orchestrator/hint"
)

// sameCookie asks a VM for its cookie. A connection survives a change of the cookie
// (erlang:set_cookie/1), but then neither peers nor commands can connect any more. So a
// node with another cookie is not healthy, even if it answers on our connection. A VM
// that does not report its cookie is assumed to have ours.
func (p *prover) sameCookie(ctx context.Context) (reason string, next hint.Hint) {
	ctx, cancel := context.WithTimeout(ctx, CallTimeout)
	defer cancel()
	reply, err := p.conn.Call(ctx, "erlang", "get_cookie")
	cookie, told := reply.(erldist.Atom)
	if err != nil || !told {
		return "", nil
	}
	other := string(cookie) != p.p.Spec.Cookie
	p.p.Links.changed(p.r, other)
	if other {
		return "its cookie was changed while it runs: every new connection is refused",
			hint.Text("let the application not call Node.set_cookie, or with $ERLANG_COOKIE")
	}
	return "", nil
}

// A VM that is given two cookies by flags, ours and one in its vm.args, uses neither, and
// reads .erlang.cookie in its home folder (auth:init_cookie/0 of OTP 25 to 27). So if a
// custom command or release may give it a second one, the cluster's cookie is written
// there too.
