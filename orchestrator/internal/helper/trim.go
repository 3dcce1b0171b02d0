package helper

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"io"
	"math"
)

// withoutDebug returns a 64-bit executable of that size without what the kernel does not load:
// symbols and debug information, about a third of a Go program. What it cannot read it returns as it
// is.
func withoutDebug(r io.ReaderAt, size int64, f *elf.File) (io.Reader, int64) {
	whole := io.NewSectionReader(r, 0, size)
	const phoff, shoff, shnum, header = 32, 40, 60, 64 // offsets in the header, and its size: elf(5)
	head := make([]byte, header)
	if f.Class != elf.ELFCLASS64 || f.ByteOrder != binary.LittleEndian {
		return whole, size
	}
	if _, err := r.ReadAt(head, 0); err != nil {
		return whole, size
	}
	segments := binary.LittleEndian.Uint64(head[phoff:])
	if segments > math.MaxInt32 {
		return whole, size
	}
	end := segments + uint64(len(f.Progs))*uint64(binary.Size(elf.Prog64{})) // a size
	for _, p := range f.Progs {
		if p.Filesz > uint64(size) || p.Off > uint64(size) { // a size
			return whole, size
		}
		end = max(end, p.Off+p.Filesz)
	}
	if end < header || end >= uint64(size) { // a size
		return whole, size
	}
	clear(head[shoff : shoff+8])   // there is no table of sections,
	clear(head[shnum : shnum+2*2]) // with no section, and no names
	cut := int64(end)              // less than size
	return io.MultiReader(bytes.NewReader(head), io.NewSectionReader(r, header, cut-header)), cut
}
