package manifest

import (
	"archive/tar"
	"bytes"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/hint"
)

// MaxFile bounds a file of [orchestrator.Spec].Files, which are for configuration.
const MaxFile = 1 << 20

// Folder is a folder to create in a container.
type Folder struct {
	Path  string
	Mode  int64
	Owner FileOwner
}

// Archive returns a tar archive of the cookie, a spec's files, folders, secret files by their path,
// which only the owner may read, and what faults of the clock need. read returns a file of the
// container, "" if there is none.
func Archive(s orchestrator.Spec, owner FileOwner, folders []Folder, secret map[string][]byte, now time.Time, read func(path string) (string, error)) ([]byte, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range folders {
		err := w.WriteHeader(&tar.Header{
			Name: strings.TrimPrefix(f.Path, "/") + "/", Typeflag: tar.TypeDir, Mode: f.Mode, Uid: f.Owner.uid, Gid: f.Owner.gid, ModTime: now,
		})
		if err != nil {
			return nil, fmt.Errorf("write %s: %w", f.Path, err)
		}
	}
	add := func(inside string, mode int64, content []byte) error {
		err := w.WriteHeader(&tar.Header{
			Name: strings.TrimPrefix(inside, "/"), Typeflag: tar.TypeReg, Mode: mode, Size: int64(len(content)),
			Uid: owner.uid, Gid: owner.gid, ModTime: now,
		})
		if err == nil {
			_, err = w.Write(content)
		}
		return err
	}
	for _, inside := range slices.Sorted(maps.Keys(s.Files)) {
		content, mode, err := ReadSmall(s.Files[inside])
		if err != nil {
			return nil, orchestrator.WithHint(fmt.Errorf("read the file for %s: %w", inside, err), "its path in files: is relative to beamyard.yml")
		}
		if err := add(inside, mode, content); err != nil {
			return nil, fmt.Errorf("write %s: %w", inside, err)
		}
	}
	if s.CookieFile != "" {
		if err := add(s.CookieFile, 0o400, []byte(s.Cookie)); err != nil {
			return nil, fmt.Errorf("write %s: %w", s.CookieFile, err)
		}
	}
	for _, inside := range slices.Sorted(maps.Keys(secret)) {
		mode := int64(0o400)
		if inside == ParkedFile {
			mode = 0o600 // its shell writes to it
		}
		if err := add(inside, mode, secret[inside]); err != nil {
			return nil, fmt.Errorf("write %s: %w", inside, err)
		}
	}
	if s.Clock {
		files, err := clockFiles(read)
		if err != nil {
			return nil, err
		}
		for _, inside := range slices.Sorted(maps.Keys(files)) {
			if err := add(inside, 0o644, []byte(files[inside])); err != nil {
				return nil, fmt.Errorf("write %s: %w", inside, err)
			}
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("write files: %w", err)
	}
	return b.Bytes(), nil
}

// ReadSmall returns a regular file that is at most [MaxFile] long, and its mode.
func ReadSmall(path string) (content []byte, mode int64, err error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, 0, err
	case !info.Mode().IsRegular():
		return nil, 0, fmt.Errorf("%s is not a regular file", path)
	case info.Size() > MaxFile:
		return nil, 0, fmt.Errorf("%s has %d bytes, at most %d are copied", path, info.Size(), MaxFile)
	}
	content, err = os.ReadFile(path)
	return content, int64(info.Mode().Perm()), err
}

// FileOwner is the owner of a file, as numbers.
type FileOwner struct{ uid, gid int }

// FileOwnerOf finds a container's user ("", "name", "12", "name:group") in the container's
// own files, as the engine does when it starts. A number need not be listed there; its
// group is then 0. Sources: passwd(5), group(5), USER in the Dockerfile reference.
func FileOwnerOf(user string, read func(path string) (string, error)) (owner FileOwner, err error) {
	name, group, grouped := strings.Cut(user, ":")
	if name != "" {
		passwd, err := read("/etc/passwd")
		if err != nil {
			return owner, err
		}
		entry := entryOf(passwd, name)
		if owner.uid, err = strconv.Atoi(name); err != nil {
			if len(entry) < 4 {
				return owner, orchestrator.WithHint(fmt.Errorf("user %s is not in /etc/passwd of the image", name), "give a user of the image: %s", hint.Setting("user"))
			}
			owner.uid, _ = strconv.Atoi(entry[2])
		}
		if len(entry) >= 4 {
			owner.gid, _ = strconv.Atoi(entry[3])
		}
	}
	if !grouped {
		return owner, nil
	}
	if gid, err := strconv.Atoi(group); err == nil {
		return FileOwner{owner.uid, gid}, nil
	}
	groups, err := read("/etc/group")
	if err != nil {
		return owner, err
	}
	entry := entryOf(groups, group)
	if len(entry) < 3 {
		return owner, orchestrator.WithHint(fmt.Errorf("group %s is not in /etc/group of the image", group), "give a group of the image: %s", hint.Setting("user"))
	}
	owner.gid, _ = strconv.Atoi(entry[2])
	return owner, nil
}

// entryOf returns the line of passwd(5) or group(5) with that name or number.
func entryOf(text, name string) []string {
	for line := range strings.Lines(text) {
		entry := strings.Split(strings.TrimSpace(line), ":")
		if len(entry) >= 3 && (entry[0] == name || entry[2] == name) {
			return entry
		}
	}
	return nil
}
