//go:build unix

package reach

import "syscall"

// hardNoFile returns this process's hard limit of open files (getrlimit(2)).
func hardNoFile() (int64, bool) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Max > 1<<40 {
		return 0, false // unknown, or infinite
	}
	return int64(limit.Max), true
}
