package helper

import (
	"debug/elf"
	"encoding/binary"
	"math"
)

// withoutDebug returns a 64-bit executable without what the kernel does not load: symbols and debug
// information, about a third of a Go program. What it cannot read it returns as it is.
func withoutDebug(data []byte, f *elf.File) []byte {
	if f.Class != elf.ELFCLASS64 || f.ByteOrder != binary.LittleEndian {
		return data
	}
	const phoff, shoff, shnum, header = 32, 40, 60, 64 // offsets in the header, and its size: elf(5)
	segments := binary.LittleEndian.Uint64(data[phoff:])
	if segments > math.MaxInt32 {
		return data
	}
	end := segments + uint64(len(f.Progs))*uint64(binary.Size(elf.Prog64{})) // a size
	for _, p := range f.Progs {
		if p.Filesz > uint64(len(data)) || p.Off > uint64(len(data)) {
			return data
		}
		end = max(end, p.Off+p.Filesz)
	}
	if end < header || end >= uint64(len(data)) {
		return data
	}
	cut := append([]byte(nil), data[:end]...)
	clear(cut[shoff : shoff+8])   // there is no table of sections,
	clear(cut[shnum : shnum+2*2]) // with no section, and no names
	return cut
}
