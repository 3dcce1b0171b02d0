//go:build !linux

package doctor

import "os"

// On other systems the engine runs in a virtual machine, so values of this machine would not
// describe it.

func space(string) (free, total, inodesFree, inodesTotal uint64, ok bool) { return 0, 0, 0, 0, false }

func hardNoFile() uint64 { return 0 }

func groupOf(os.FileInfo) string { return "" }
