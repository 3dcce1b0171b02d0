package manifest

import (
	"cmp"
	"path"
	"strings"

	"github.com/beamyard/beamyard/images"
	"github.com/beamyard/beamyard/orchestrator"
)

// SpareCookie reports whether node i gets the cookie in its home folder, in addition to
// its flags.
func SpareCookie(s orchestrator.Spec, i int) bool {
	node := s.NodeAt(i)
	return s.CookieFile == "" && (s.RunsRelease(node) || len(node.Command)+len(node.Entrypoint) > 0)
}

// CookieInHome returns where the VM of node i looks for its cookie by default, or "" if
// it must not be written because the image or the spec has a file or a volume there.
func CookieInHome(s orchestrator.Spec, i int, image images.Info, user string, read func(path string) (string, error)) (string, error) {
	home, known := s.NodeAt(i).Env["HOME"]
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
	for _, target := range s.NodeAt(i).Volumes {
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
