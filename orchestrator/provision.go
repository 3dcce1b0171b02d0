package orchestrator

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

// This file writes into a container that was just created what its VM needs there: the
// cookie, the spec's files, and volumes that it may write to.

// maxFile bounds a file of [Spec].Files, which are for configuration.
const maxFile = 1 << 20

// provision writes the files of node i. They belong to the user that runs, because a VM
// refuses a cookie file that others may read. Its new volumes get the same owner: if the
// image has no content at their path, the engine makes root their owner.
func (c *Cluster) provision(ctx context.Context, id string, i int, fresh []string) error {
	s := c.site.spec
	spare := s.spareCookie(i)
	node := s.filled(i)
	if s.CookieFile == "" && len(s.Files) == 0 && len(fresh) == 0 && len(node.Tmpfs) == 0 && !spare {
		return nil
	}
	image, err := c.eng.Image(ctx, node.Image)
	if err != nil {
		return fmt.Errorf("find the user of image %s: %w", node.Image, err)
	}
	if node.User == "" {
		node.User = image.User
	}
	read := func(path string) (string, error) { return c.readFile(ctx, id, path) }
	owner, err := ownerIn(node.User, read)
	if err != nil {
		return err
	}
	if spare {
		if s.CookieFile, err = s.cookieInHome(i, image, node.User, read); err != nil {
			return err
		}
	}
	folders, err := tmpfsFolders(tmpfsOf(s, i), func(path string) (bool, error) { return c.hasPath(ctx, id, path) })
	if err != nil {
		return err
	}
	if owner != (fileOwner{}) { // root writes anywhere, and a process that it starts may run as another user
		for _, path := range fresh {
			folders = append(folders, folder{path, 0o755, owner})
		}
	}
	archive, err := filesOf(s, owner, folders, time.Now())
	if err != nil {
		return err
	}
	return c.retryUnavailable(ctx, func() error { return c.eng.WriteFiles(ctx, id, bytes.NewReader(archive)) })
}

// readFile returns a small file of a container; "" if it does not exist.
func (c *Cluster) readFile(ctx context.Context, id, path string) (text string, err error) {
	err = c.retryUnavailable(ctx, func() error {
		file, _, err := c.eng.OpenFile(ctx, id, path)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		defer func() { _ = file.Close() }()
		data, err := io.ReadAll(io.LimitReader(file, maxFile))
		text = string(data)
		return err
	})
	return text, err
}

// hasPath reports whether a container has a file or a folder.
func (c *Cluster) hasPath(ctx context.Context, id, path string) (there bool, err error) {
	err = c.retryUnavailable(ctx, func() error {
		file, _, err := c.eng.OpenFile(ctx, id, path)
		switch {
		case err == nil:
			_ = file.Close()
		case errors.Is(err, ErrNoRegularFile):
		case errors.Is(err, ErrNotFound):
			there = false
			return nil
		default:
			return err
		}
		there = true
		return nil
	})
	return there, err
}

// folder is a folder to create in a container.
type folder struct {
	path  string
	mode  int64
	owner fileOwner
}

// filesOf returns a tar archive of the cookie, a spec's files, and folders.
func filesOf(s Spec, owner fileOwner, folders []folder, now time.Time) ([]byte, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range folders {
		err := w.WriteHeader(&tar.Header{
			Name: strings.TrimPrefix(f.path, "/") + "/", Typeflag: tar.TypeDir, Mode: f.mode, Uid: f.owner.uid, Gid: f.owner.gid, ModTime: now,
		})
		if err != nil {
			return nil, fmt.Errorf("write %s: %w", f.path, err)
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
	for _, inside := range sortedKeys(s.Files) {
		content, mode, err := readSmall(s.Files[inside])
		if err != nil {
			return nil, WithHint(fmt.Errorf("read the file for %s: %w", inside, err), "its path in files: is relative to beamyard.yml")
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
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("write files: %w", err)
	}
	return b.Bytes(), nil
}

func readSmall(path string) (content []byte, mode int64, err error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, 0, err
	case !info.Mode().IsRegular():
		return nil, 0, fmt.Errorf("%s is not a regular file", path)
	case info.Size() > maxFile:
		return nil, 0, fmt.Errorf("%s has %d bytes, at most %d are copied", path, info.Size(), maxFile)
	}
	content, err = os.ReadFile(path)
	return content, int64(info.Mode().Perm()), err
}

// fileOwner is the owner of a file, as numbers.
type fileOwner struct{ uid, gid int }

// ownerIn finds a container's user ("", "name", "12", "name:group") in the container's
// own files, as the engine does when it starts. A number need not be listed there; its
// group is then 0. Sources: passwd(5), group(5), USER in the Dockerfile reference.
func ownerIn(user string, read func(path string) (string, error)) (owner fileOwner, err error) {
	name, group, grouped := strings.Cut(user, ":")
	if name != "" {
		passwd, err := read("/etc/passwd")
		if err != nil {
			return owner, err
		}
		entry := entryOf(passwd, name)
		if owner.uid, err = strconv.Atoi(name); err != nil {
			if len(entry) < 4 {
				return owner, WithHint(fmt.Errorf("user %s is not in /etc/passwd of the image", name), "give a user of the image: user: in beamyard.yml")
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
		return fileOwner{owner.uid, gid}, nil
	}
	groups, err := read("/etc/group")
	if err != nil {
		return owner, err
	}
	entry := entryOf(groups, group)
	if len(entry) < 3 {
		return owner, WithHint(fmt.Errorf("group %s is not in /etc/group of the image", group), "give a group of the image: user: in beamyard.yml")
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
