package images

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// This file remembers the hashes of a project's files, so that an unchanged project is
// recognised without reading them. As git's index does, it identifies a file's content by
// what the file system says of it (git's Documentation/technical/racy-git.txt). Only the
// search for an existing image relies on it: an image is made, and named, of what is read.

// stamp is what a file system says of a file that changes whenever its content does. The
// change time (ctime) cannot be set by a program: a checkout, cp -p or touch -r that keeps
// size and modification time changes it, or the inode.
type stamp struct {
	Device, Inode             uint64
	Size, Modified, ChangedAt int64 // bytes; nanoseconds since 1970
	Mode                      uint32
}

// settled is how old a file's last change must be when it is read, to be remembered. A
// later change within one tick of the file system's clock would leave the stamp as it is:
// ticks are at most 2 s (FAT).
const settled = 2 * time.Second

func (s stamp) settled(now time.Time) bool {
	return max(s.Modified, s.ChangedAt) < now.Add(-settled).UnixNano()
}

// print is what is remembered of a file's content.
type print struct {
	stamp

	Sum   [sha256.Size]byte
	Magic [magicSize]byte // how it begins: see [otherSystem]
}

// seen are the prints of the files that a search for an image has read, by absolute path.
type seen struct {
	file string // where they are kept; "": nowhere
	old  map[string]print
	now  map[string]print
	read bool // some file was read: what is kept is out of date

	clock func() time.Time
}

// seenOf returns what is known of the files of a project's folder.
func seenOf(dir string) *seen {
	s := &seen{old: map[string]print{}, now: map[string]print{}, clock: time.Now}
	cache, err := os.UserCacheDir()
	if err != nil {
		return s // every file is read
	}
	sum := sha256.Sum256([]byte(dir))
	s.file = filepath.Join(cache, "beamyard", "projects", hex.EncodeToString(sum[:8])+".files")
	if data, err := os.ReadFile(s.file); err == nil {
		s.old = decodePrints(data)
	}
	return s
}

// entry is readEntry, without the content of a file that is known.
func (s *seen) entry(full, name string, info fs.FileInfo) (entry, error) {
	if !info.Mode().IsRegular() {
		return readEntry(full, name, info)
	}
	st, ok := stampOf(info)
	if known, had := s.old[full]; ok && had && known.stamp == st {
		s.now[full] = known
		e := fileEntry(name, info)
		e.Size, e.sum, e.magic = info.Size(), known.Sum, known.Magic
		return e, nil
	}
	began := s.clock()
	e, err := readEntry(full, name, info)
	if err != nil {
		return e, err
	}
	s.read = true
	if after, err := os.Lstat(full); ok && err == nil && st.settled(began) {
		// It may have been replaced since the folder was listed.
		if again, ok := stampOf(after); ok && again == st && e.Size == st.Size {
			s.now[full] = print{st, e.sum, e.magic}
		}
	}
	return e, nil
}

// keep stores what is known. It may fail, for example if the home is not writable: the files
// are then read again.
func (s *seen) keep() {
	if s.file == "" || !s.read && len(s.now) == len(s.old) {
		return
	}
	writeCache(s.file, encodePrints(s.now))
}

// The format of the file: a magic word, the checksum of the rest, then per file its path with
// its length, and its print in a fixed size. JSON, or encoding/binary, would cost more to read
// than the stamps do.
const (
	printsMagic = "beamyard files 1\n"
	printSize   = 5*8 + 4 + sha256.Size + magicSize
)

func encodePrints(prints map[string]print) []byte {
	le := binary.LittleEndian
	out := le.AppendUint32([]byte(printsMagic), 0)
	body := len(out)
	for _, name := range slices.Sorted(maps.Keys(prints)) {
		p := prints[name]
		out = append(le.AppendUint32(out, uint32(len(name))), name...)                                           // a path is short
		for _, n := range []uint64{p.Device, p.Inode, uint64(p.Size), uint64(p.Modified), uint64(p.ChangedAt)} { // read back as written
			out = le.AppendUint64(out, n)
		}
		out = append(append(le.AppendUint32(out, p.Mode), p.Sum[:]...), p.Magic[:]...)
	}
	le.PutUint32(out[body-4:], crc32.ChecksumIEEE(out[body:]))
	return out
}

// decodePrints returns nothing if the data is damaged or of another version.
func decodePrints(data []byte) map[string]print {
	le := binary.LittleEndian
	body, ok := bytes.CutPrefix(data, []byte(printsMagic))
	if !ok || len(body) < 4 || crc32.ChecksumIEEE(body[4:]) != le.Uint32(body) {
		return map[string]print{}
	}
	body = body[4:]
	prints := make(map[string]print, len(body)/(printSize+64))
	for len(body) > 0 {
		if len(body) < 4 || uint64(len(body)-4) < uint64(le.Uint32(body))+printSize {
			return map[string]print{}
		}
		n := int(le.Uint32(body))
		name, at := string(body[4:4+n]), body[4+n:]
		int64At := func(i int) int64 { return int64(le.Uint64(at[8*i:])) } // as it was written
		p := print{stamp: stamp{
			Device: le.Uint64(at), Inode: le.Uint64(at[8:]), Size: int64At(2), Modified: int64At(3), ChangedAt: int64At(4), Mode: le.Uint32(at[40:]),
		}}
		rest := at[44:]
		copy(p.Sum[:], rest)
		copy(p.Magic[:], rest[sha256.Size:])
		prints[name], body = p, at[printSize:]
	}
	return prints
}
