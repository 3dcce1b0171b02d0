package codesync

import (
	"path"
	"strings"
)

// IsEditors reports whether a path is an editor's own file beside the file being edited.
func IsEditors(p string) bool {
	base := path.Base(p)
	switch {
	case base == "4913", // vim checks whether it may write
		strings.HasPrefix(base, ".#"),                                                    // emacs: a lock
		strings.HasPrefix(base, "#") && strings.HasSuffix(base, "#"),                     // emacs: saved by itself
		strings.HasSuffix(base, "~"),                                                     // backups
		strings.HasPrefix(base, ".goutputstream-"),                                       // GNOME
		strings.HasSuffix(base, "___jb_tmp___"), strings.HasSuffix(base, "___jb_old___"), // JetBrains
		strings.HasPrefix(base, ".") && strings.HasSuffix(base, ".kate-swp"):
		return true
	}
	ext := path.Ext(base)
	return strings.HasPrefix(base, ".") && len(ext) == 4 && strings.HasPrefix(ext, ".sw") // vim: .x.ex.swp
}
