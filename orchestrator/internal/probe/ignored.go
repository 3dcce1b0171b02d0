package probe

import (
	"context"

	"github.com/beamyard/beamyard/network/erldist"
	"github.com/beamyard/beamyard/orchestrator/internal/manifest"
)

// This file reports VM settings of a release or an image that the VM ignores because it
// was given ours as well. The node is healthy without them; the note is for their author.

// ignored asks a VM for the flags that it was given twice. It does so once for each
// cluster, because its nodes are alike.
func (p *prover) ignored(ctx context.Context) {
	if p.p.Ignores == nil || !manifest.SpareCookie(p.p.Spec, p.p.Spec.Index(p.r.Node)) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, CallTimeout)
	defer cancel()
	var flags []string
	for _, flag := range []string{"setcookie", "name", "sname"} {
		reply, err := p.conn.Call(ctx, "init", "get_argument", erldist.Atom(flag))
		if err == nil && differ(reply) {
			flags = append(flags, "-"+flag)
		}
	}
	if len(flags) > 0 {
		p.p.Ignores(ctx, p.r, flags)
	}
}

// differ reports whether init:get_argument/1 returns several different values.
func differ(reply any) bool {
	t, ok := reply.(erldist.Tuple)
	if !ok || len(t) != 2 || t[0] != any(erldist.Atom("ok")) {
		return false
	}
	values, ok := t[1].(erldist.List)
	if !ok {
		return false
	}
	for _, v := range values {
		if !erldist.Equal(v, values[0]) {
			return true
		}
	}
	return false
}
