package ui

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"sync"
)

//go:embed page
var embedded embed.FS

// asset is one file of the page.
type asset struct {
	data, packed []byte // packed is nil if it is not smaller
	media, etag  string
}

// assets are the files of the page by their paths: "index.html", "assets/x.js". They are packed
// once, at the first request.
var assets = sync.OnceValue(func() map[string]asset {
	pages, err := fs.Sub(embedded, "page")
	if err != nil {
		panic(err) // it is embedded
	}
	return assetsOf(pages)
})

// medias are those that a machine's mime.types must not decide.
var medias = map[string]string{
	".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
	".mjs": "text/javascript; charset=utf-8", ".svg": "image/svg+xml", ".json": "application/json", ".woff2": "font/woff2",
	".png": "image/png", ".ico": "image/x-icon", ".webmanifest": "application/manifest+json",
}

func assetsOf(pages fs.FS) map[string]asset {
	all := map[string]asset{}
	err := fs.WalkDir(pages, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(pages, name)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(data)
		a := asset{data: data, media: medias[path.Ext(name)], etag: `"` + hex.EncodeToString(sum[:8]) + `"`}
		if a.media == "" {
			a.media = mime.TypeByExtension(path.Ext(name))
		}
		var b bytes.Buffer
		w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
		if err != nil {
			return err
		}
		if _, err := w.Write(data); err != nil {
			return err
		}
		if err := w.Close(); err != nil {
			return err
		}
		if b.Len() < len(data) {
			a.packed = b.Bytes()
		}
		all[name] = a
		return nil
	})
	if err != nil {
		panic(err) // it is in memory
	}
	return all
}

// serveAsset serves a file of the page. Browsers ask each time whether it changed: the same address
// may be that of another version's server tomorrow.
func serveAsset(w http.ResponseWriter, r *http.Request, name string) {
	a, ok := assets()[name]
	if !ok {
		plain(w, http.StatusNotFound, "There is no such page.")
		return
	}
	h := w.Header()
	h.Set("Cache-Control", "no-cache")
	h.Set("Vary", "Accept-Encoding")
	h.Set("ETag", a.etag)
	if strings.Contains(r.Header.Get("If-None-Match"), a.etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", a.media)
	data := a.data
	if a.packed != nil && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		data = a.packed
	}
	_, _ = w.Write(data) // fails if the browser is gone
}
