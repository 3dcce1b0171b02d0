package images

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// sighted searches a folder's files as a search for an image does, after the given time.
func sighted(t *testing.T, dir string, later time.Duration) (hash string, read []string) {
	t.Helper()
	s := seenOf(dir)
	s.clock = func() time.Time { return time.Now().Add(later) }
	list, _, err := layoutOf(dir).entriesBy("amd64", s.entry)
	must(t, err)
	s.keep()
	for _, e := range list {
		if e.data != nil {
			read = append(read, e.Name)
		}
	}
	var h bytes.Buffer
	hashEntries(&h, list)
	return h.String(), read
}

// What a search finds is what reading every file finds, whatever changed a file.
func TestSeenFilesAreReadAgainWhenTheyChange(t *testing.T) {
	const old = 10 * time.Second
	for _, tt := range []struct {
		name   string
		later  time.Duration
		change func(t *testing.T, file string)
		read   []string
	}{
		{"unchanged", old, func(*testing.T, string) {}, nil},
		{"too young to be sure", 0, func(*testing.T, string) {}, []string{"a.ex", "b.ex"}},
		{"another size", old, func(t *testing.T, f string) { must(t, os.WriteFile(f, []byte("longer"), 0o600)) }, []string{"a.ex"}},
		{"the same size", old, func(t *testing.T, f string) { must(t, os.WriteFile(f, []byte("two"), 0o600)) }, []string{"a.ex"}},
		{"size and time set back", old, func(t *testing.T, f string) {
			info, err := os.Stat(f)
			must(t, err)
			must(t, os.WriteFile(f, []byte("two"), 0o600))
			must(t, os.Chtimes(f, info.ModTime(), info.ModTime()))
		}, []string{"a.ex"}},
		{"replaced, size and time set back", old, func(t *testing.T, f string) {
			info, err := os.Stat(f)
			must(t, err)
			must(t, os.WriteFile(f+"~", []byte("two"), 0o600))
			must(t, os.Chtimes(f+"~", info.ModTime(), info.ModTime()))
			must(t, os.Rename(f+"~", f))
		}, []string{"a.ex"}},
		{"executable", old, func(t *testing.T, f string) { must(t, os.Chmod(f, 0o700)) }, []string{"a.ex"}}, // a program
		{"removed", old, func(t *testing.T, f string) { must(t, os.Remove(f)) }, nil},
		{"a damaged cache", old, func(t *testing.T, f string) {
			file := seenOf(filepath.Dir(f)).file
			data, err := os.ReadFile(file)
			must(t, err)
			data[len(data)-30] ^= 1
			must(t, os.WriteFile(file, data, 0o600))
		}, []string{"a.ex", "b.ex"}},
		{"a cache cut short", old, func(t *testing.T, f string) {
			must(t, os.Truncate(seenOf(filepath.Dir(f)).file, 40))
		}, []string{"a.ex", "b.ex"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("XDG_CACHE_HOME", t.TempDir())
			dir := t.TempDir()
			write(t, dir, map[string]string{"a.ex": "one", "b.ex": "b"})
			if _, read := sighted(t, dir, tt.later); len(read) != 2 {
				t.Fatalf("first it read %q", read)
			}
			tt.change(t, filepath.Join(dir, "a.ex"))
			got, read := sighted(t, dir, tt.later)
			if diff := cmp.Diff(tt.read, read); diff != "" {
				t.Errorf("it read: %s", diff)
			}
			list, _, err := layoutOf(dir).entries("amd64")
			must(t, err)
			var want bytes.Buffer
			hashEntries(&want, list)
			if diff := cmp.Diff(want.String(), got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Code for another system is recognised without reading it again.
func TestSeenForeignCode(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	dir := t.TempDir()
	write(t, dir, map[string]string{"priv/nif.so": "\xcf\xfa\xed\xfe and the rest of it"})
	for range 2 {
		s := seenOf(dir)
		s.clock = func() time.Time { return time.Now().Add(time.Minute) }
		_, foreign, err := layoutOf(dir).entriesBy("amd64", s.entry)
		must(t, err)
		if diff := cmp.Diff([]string{"priv/nif.so"}, foreign); diff != "" {
			t.Error(diff)
		}
		s.keep()
	}
}

func BenchmarkUnchangedFiles(b *testing.B) {
	b.Setenv("XDG_CACHE_HOME", b.TempDir())
	dir := b.TempDir()
	for i := range 1000 {
		if err := os.WriteFile(filepath.Join(dir, string(rune('a'+i%26))+time.Duration(i).String()), bytes.Repeat([]byte{byte(i)}, 20_000), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	for _, way := range []string{"read", "seen"} {
		b.Run(way, func(b *testing.B) {
			for b.Loop() {
				s := seenOf(dir)
				s.clock = func() time.Time { return time.Now().Add(time.Minute) }
				if way == "read" {
					s.old = nil
				}
				list, _, err := layoutOf(dir).entriesBy("amd64", s.entry)
				if err != nil {
					b.Fatal(err)
				}
				s.keep()
				hashEntries(&bytes.Buffer{}, list)
			}
		})
	}
}

func FuzzDecodePrints(f *testing.F) {
	f.Add([]byte(printsMagic))
	f.Add(encodePrints(map[string]print{"/a": {Sum: [32]byte{1}, Magic: [20]byte{2}, stamp: stamp{1, 2, 3, 4, 5, 6}}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		prints := decodePrints(data)
		if diff := cmp.Diff(prints, decodePrints(encodePrints(prints)), cmp.AllowUnexported(print{})); diff != "" {
			t.Error(diff)
		}
	})
}
