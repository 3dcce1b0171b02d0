package images

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"path"
	"slices"
	"strings"
)

// machines are the processors of engines, by Go's names. Source: the ELF specification,
// e_machine.
var machines = map[string]elf.Machine{
	"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64, "386": elf.EM_386, "arm": elf.EM_ARM,
	"ppc64le": elf.EM_PPC64, "s390x": elf.EM_S390, "riscv64": elf.EM_RISCV, "loong64": elf.EM_LOONGARCH,
}

// otherSystem reports whether a file is code that was compiled for another system than the
// image's: a NIF, an object file or a program in priv that a Makefile of the project made on
// this machine. The image could not load it, and make would consider it up to date.
func otherSystem(e entry, arch string) bool {
	compiled := slices.Contains([]string{".so", ".o", ".a", ".dylib", ".dll"}, path.Ext(e.Name))
	if e.Size < magicSize || !compiled && !slices.Contains(strings.Split(path.Dir(e.Name), "/"), "priv") {
		return false
	}
	if bytes.HasPrefix(e.magic[:], []byte("\x7fELF")) {
		want, known := machines[arch]
		order := binary.ByteOrder(binary.LittleEndian)
		if e.magic[5] == byte(elf.ELFDATA2MSB) {
			order = binary.BigEndian
		}
		return known && elf.Machine(order.Uint16(e.magic[18:])) != want
	}
	for _, magic := range []string{ // Mach-O, in both byte orders and both sizes
		"\xfe\xed\xfa\xce", "\xfe\xed\xfa\xcf", "\xce\xfa\xed\xfe", "\xcf\xfa\xed\xfe",
	} {
		if bytes.HasPrefix(e.magic[:], []byte(magic)) {
			return true
		}
	}
	// A universal binary begins as a Java class does; a DLL with MZ.
	return compiled && (bytes.HasPrefix(e.magic[:], []byte("\xca\xfe\xba\xbe")) || bytes.HasPrefix(e.magic[:], []byte("MZ")))
}
