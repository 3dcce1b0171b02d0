package codesync

import (
	"archive/tar"
	"bytes"
	"path"
	"strings"
	"time"
)

// archive returns what differs from the image as a tar stream, to be extracted at the root of a
// container's disk. It includes folders with their owner: the engine creates missing ones as
// root, and the node could not write there. An archive cannot remove a file: a deleted code
// file becomes empty, which does not load either.
func archive(root string, files []File, gone []string, bodies map[Sum][]byte) ([]byte, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	now := time.Now().Truncate(time.Second)
	made := map[string]bool{}
	add := func(f File, body []byte) error {
		for _, dir := range foldersBelow(root, f.Path) {
			if made[dir] {
				continue
			}
			made[dir] = true
			if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir[1:] + "/", Mode: 0o755, Uid: f.UID, Gid: f.GID, ModTime: now}); err != nil {
				return err
			}
		}
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: f.Path[1:], Mode: f.Mode, Uid: f.UID, Gid: f.GID, Size: int64(len(body)), ModTime: now}); err != nil {
			return err
		}
		_, err := w.Write(body)
		return err
	}
	for _, f := range files {
		if err := add(f, bodies[f.Sum]); err != nil {
			return nil, err
		}
	}
	for _, p := range gone {
		if ext := path.Ext(p); ext == ".beam" || ext == ".ex" {
			owner := File{Path: p, Mode: 0o644}
			if len(files) > 0 {
				owner.UID, owner.GID = files[0].UID, files[0].GID
			}
			if err := add(owner, nil); err != nil {
				return nil, err
			}
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// foldersBelow returns the folders of a file below root, the outermost first.
func foldersBelow(root, file string) []string {
	var dirs []string
	for dir := path.Dir(file); strings.HasPrefix(dir, root+"/"); dir = path.Dir(dir) {
		dirs = append([]string{dir}, dirs...)
	}
	return dirs
}
