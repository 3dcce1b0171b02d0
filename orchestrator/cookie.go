package orchestrator

import (
	"cmp"
	"context"
	"path"
	"strings"

	"github.com/beamyard/beamyard/images"
	"github.com/beamyard/beamyard/network/erldist"
)

// sameCookie asks a VM for its cookie. A connection outlives a change of it
// (erlang:set_cookie/1), and then neither its peers nor a command come in any more; so
// a node with another cookie is not well, however it answers us. A VM that does not say
// is believed.
func (p *prover) sameCookie(ctx context.Context) (reason, hint string) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	reply, err := p.conn.Call(ctx, "erlang", "get_cookie")
	cookie, told := reply.(erldist.Atom)
	if err != nil || !told {
		return "", ""
	}
	other := string(cookie) != p.c.spec.Cookie
	p.c.links.changed(p.r, other)
	if other {
		return "its cookie was changed while it runs: every new connection is refused",
			"let the application not call Node.set_cookie, or with $ERLANG_COOKIE"
	}
	return "", ""
}

// A VM that is given two cookies by flags, one of ours and one of its vm.args, takes
// neither, and reads .erlang.cookie in its home folder (auth:init_cookie/0 of OTP 25 to
// 27). So where a command or a release of somebody else's may give it a second one, the
// cluster's is written there too.

// spareCookie tells whether node i gets the cookie in its home folder beside its flags.
func (s Spec) spareCookie(i int) bool {
	node := s.filled(i)
	return s.CookieFile == "" && (s.runsRelease(node) || len(node.Command)+len(node.Entrypoint) > 0)
}

// cookieInHome is where the VM of node i looks for its cookie by itself, "" where it
// shall not be written: the image or the spec has a file or a volume there.
func (s Spec) cookieInHome(i int, image images.Info, user string, read func(path string) (string, error)) (string, error) {
	home, known := s.filled(i).Env["HOME"]
	for _, kv := range image.Env {
		if value, ok := strings.CutPrefix(kv, "HOME="); ok && !known {
			home, known = value, true
		}
	}
	if !known { // the runtime takes it from there
		passwd, err := read("/etc/passwd")
		if err != nil {
			return "", err
		}
		name, _, _ := strings.Cut(user, ":")
		if entry := entryOf(passwd, cmp.Or(name, "0")); len(entry) > 5 {
			home = entry[5]
		}
	}
	if !path.IsAbs(home) || home == "/nonexistent" {
		return "", nil
	}
	file := path.Join(home, ".erlang.cookie")
	if _, given := s.Files[file]; given {
		return "", nil
	}
	for _, target := range s.filled(i).Volumes {
		if file == target || strings.HasPrefix(file, strings.TrimSuffix(target, "/")+"/") {
			return "", nil
		}
	}
	there, err := read(file)
	if err != nil || there != "" {
		return "", err
	}
	return file, nil
}
