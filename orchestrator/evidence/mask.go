package evidence

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"io"
	"strings"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/secrets"
)

// mask removes secrets from what is collected.
type mask struct{ *secrets.Mask }

// newMask collects the secrets of several specs: the one that the caller gave, and that of the
// cluster which was found.
func newMask(specs ...orchestrator.Spec) *mask { return &mask{secrets.NewMask(specs...)} }

// encode encodes JSON that people also read: <, > and & are not escaped.
func encode(v any, indent string) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", indent)
	if err := enc.Encode(v); err != nil {
		panic(err) // plain data
	}
	return b.Bytes()
}

// veil is a pattern and its replacement, of the same length.
type veil struct{ find, put []byte }

// veils are the forms of secrets in a crash dump: as text (atoms), and in binaries in
// hexadecimal (before OTP 24) or base64.
func (m *mask) veils() []veil {
	var all []veil
	add := func(find, fill string) {
		if find != "" {
			put := strings.Repeat(fill, len(find)/len(fill)+1)[:len(find)]
			all = append(all, veil{[]byte(find), []byte(put)})
		}
	}
	for _, value := range m.Values() {
		add(value, "*")
		add(hex.EncodeToString([]byte(value)), "2a")
		add(strings.ToUpper(hex.EncodeToString([]byte(value))), "2A")
		for before := range 3 {
			add(secrets.InBase64(value, before), "K")
		}
	}
	return all
}

// copy copies at most limit bytes, with the secrets overwritten, and reports whether there was
// more.
func (m *mask) copy(w io.Writer, r io.Reader, limit int64) (more bool, err error) {
	veils := m.veils()
	longest := 1
	for _, v := range veils {
		longest = max(longest, len(v.find))
	}
	limited := &io.LimitedReader{R: r, N: limit}
	chunk := make([]byte, 64<<10)
	var held []byte // the end of the data so far: a secret may begin in it
	for {
		n, err := limited.Read(chunk)
		held = append(held, chunk[:n]...)
		for _, v := range veils {
			cover(held, v)
		}
		out := len(held) - (longest - 1)
		if err != nil {
			out = len(held)
		}
		if out > 0 {
			if _, err := w.Write(held[:out]); err != nil {
				return false, err
			}
			held = append(held[:0], held[out:]...)
		}
		switch {
		case err == io.EOF:
			if limited.N > 0 {
				return false, nil
			}
			n, _ := r.Read(chunk[:1]) // an error here does not affect what was copied
			return n > 0, nil
		case err != nil:
			return false, err
		}
	}
}

func cover(text []byte, v veil) {
	for {
		i := bytes.Index(text, v.find)
		if i < 0 {
			return
		}
		copy(text[i:], v.put)
		text = text[i+len(v.find):]
	}
}
