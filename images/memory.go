package images

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// memory holds Mix's answers for a folder, by the inputs of the question. It is a hint: an
// image that is found by it was made of exactly these files, and if none is found, Mix is
// asked.
type memory struct {
	Latest string             `json:"latest"`
	Said   map[string]project `json:"said"`
}

// kept is how many answers are stored for a folder: MIX_ENVs, bases.
const kept = 16

// memory is the key for the inputs of the question to Mix.
func (b *mixBuild) memory() string {
	h := sha256.New()
	b.hashInputs(h, project{})
	h.Write([]byte(b.dir))
	return hex.EncodeToString(h.Sum(nil))[:16]
}

func memoryFile(dir string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(dir))
	return filepath.Join(cache, "beamyard", "projects", hex.EncodeToString(sum[:8])+".json"), nil
}

func remembered(dir string) memory {
	var m memory
	file, err := memoryFile(dir)
	if err == nil {
		var data []byte
		if data, err = os.ReadFile(file); err == nil {
			err = json.Unmarshal(data, &m)
		}
	}
	if err != nil || m.Said == nil {
		m = memory{Said: map[string]project{}}
	}
	return m
}

func recall(dir, key string) (project, bool) {
	p, ok := remembered(dir).Said[key]
	return p, ok && p.Layout.Dir == dir
}

// latest is the last known layout of a folder, or a layout of that folder alone.
func latest(dir string) layout {
	m := remembered(dir)
	if p, ok := m.Said[m.Latest]; ok && p.Layout.Dir == dir {
		return p.Layout
	}
	return layoutOf(dir)
}

// remember stores an answer. It may fail, for example if the home is not writable: then Mix is
// asked again.
func remember(dir, key string, p project) {
	file, err := memoryFile(dir)
	if err != nil {
		return
	}
	m := remembered(dir)
	old, had := m.Said[key]
	if had && m.Latest == key && same(old, p) {
		return
	}
	for len(m.Said) >= kept && !had {
		delete(m.Said, slices.Sorted(maps.Keys(m.Said))[0])
	}
	m.Said[key], m.Latest = p, key
	if data, err := json.Marshal(m); err == nil {
		writeCache(file, data)
	}
}

// writeCache replaces a file in the user's cache folder. It may fail.
func writeCache(file string, data []byte) {
	if os.MkdirAll(filepath.Dir(file), 0o700) != nil {
		return
	}
	temporary, err := os.CreateTemp(filepath.Dir(file), "new-*")
	if err != nil {
		return
	}
	_, err = temporary.Write(data)
	if closed := temporary.Close(); err == nil && closed == nil {
		err = os.Rename(temporary.Name(), file)
	}
	if err != nil {
		_ = os.Remove(temporary.Name())
	}
}

func same(a, b project) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && string(x) == string(y)
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }

// latestApp is the application of a folder that Mix has built before, or "" if unknown.
func latestApp(dir string) string {
	full, err := filepath.Abs(dir)
	if err == nil {
		full, err = filepath.EvalSymlinks(full)
	}
	if err != nil {
		return ""
	}
	m := remembered(full)
	return m.Said[m.Latest].App
}
