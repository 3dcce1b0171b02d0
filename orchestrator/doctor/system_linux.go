package doctor

import (
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// space tells bytes and inodes of the file system that path lies on; ok is false
// where the path is not there or not ours to see. Free is what an ordinary user
// may take (statfs(2)).
func space(path string) (free, total, inodesFree, inodesTotal uint64, ok bool) {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(path, &fs); err != nil {
		return 0, 0, 0, 0, false
	}
	size := uint64(fs.Bsize)
	return fs.Bavail * size, fs.Blocks * size, fs.Ffree, fs.Files, true
}

// hardNoFile is this process's hard limit of open files; 0 where unknown.
func hardNoFile() uint64 {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	return limit.Max
}

// groupOf is the name of the group that a file belongs to, its number where it
// has no name, and "" where that cannot be told.
func groupOf(info os.FileInfo) string {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	id := strconv.FormatUint(uint64(stat.Gid), 10)
	if g, err := user.LookupGroupId(id); err == nil {
		return g.Name
	}
	return id
}
