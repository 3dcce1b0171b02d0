package doctor

import (
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// space returns bytes and inodes of the file system of path; ok is false if the path does not
// exist or is not accessible. Free is what an ordinary user may use (statfs(2)).
func space(path string) (free, total, inodesFree, inodesTotal uint64, ok bool) {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(path, &fs); err != nil {
		return 0, 0, 0, 0, false
	}
	size := uint64(fs.Bsize)
	return fs.Bavail * size, fs.Blocks * size, fs.Ffree, fs.Files, true
}

// hardNoFile is this process's hard limit of open files; 0 if unknown.
func hardNoFile() uint64 {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	return limit.Max
}

// groupOf is the name of the group that owns a file, its number if it has no name, or "" if
// unknown.
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
