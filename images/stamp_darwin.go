package images

import (
	"io/fs"
	"syscall"
)

// stampOf returns what identifies a file's content: stat(2).
func stampOf(info fs.FileInfo) (stamp, bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return stamp{}, false
	}
	return stamp{
		Device: uint64(st.Dev), Inode: st.Ino, Size: st.Size, Mode: uint32(st.Mode), // only compared
		Modified: st.Mtimespec.Nano(), ChangedAt: st.Ctimespec.Nano(),
	}, true
}
