package orchestrator

import (
	"cmp"
	"context"
	"path"
	"strings"

	"github.com/beamyard/beamyard/images"
	"github.com/beamyard/beamyard/network/erldist"
)

// sameCookie asks a VM for its cookie. A connection survives a change of the cookie
// (erlang:set_cookie/1), but then neither peers nor commands can connect any more. So a
// node with another cookie is not healthy, even if it answers on our connection. A VM
// that does not report its cookie is assumed to have ours.
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

// A VM that is given two cookies by flags, ours and one in its vm.args, uses neither, and
// reads .erlang.cookie in its home folder (auth:init_cookie/0 of OTP 25 to 27). So if a
// custom command or release may give it a second one, the cluster's cookie is written
// there too.

// spareCookie reports whether node i gets the cookie in its home folder, in addition to
// its flags.
func (s Spec) spareCookie(i int) bool {
	node := s.filled(i)
	return s.CookieFile == "" && (s.runsRelease(node) || len(node.Command)+len(node.Entrypoint) > 0)
}

// cookieInHome returns where the VM of node i looks for its cookie by default, or "" if
// it must not be written because the image or the spec has a file or a volume there.
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
