package show_test

import (
	"strings"
	"testing"

	"github.com/beamyard/beamyard/cmd/beamyard/internal/show"
)

func TestPrintable(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"n1 ready: é 日本", "n1 ready: é 日本"},
		{"two\n\tlines", "two\n\tlines"},
		{"\x1b[91mred\x1b[0m", `\x1b[91mred\x1b[0m`},
		{"bell\a back\b null\x00 return\r", `bell\x07 back\x08 null\x00 return\x0d`},
		{"C1: \u009b2J", `C1: \u009b2J`},
		{"turned \u202egnp.exe", `turned \u202egnp.exe`},
		{"not UTF-8 \xff\xc3", `not UTF-8 \xff\xc3`},
	} {
		if got := show.Printable(tt.text); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.text, got, tt.want)
		}
	}
}

func FuzzPrintable(f *testing.F) {
	f.Add("a\x1b[2J\r\u202e\xff")
	f.Fuzz(func(t *testing.T, text string) {
		once := show.Printable(text)
		if show.Printable(once) != once || strings.ContainsAny(once, "\x1b\r\x00\a\u009b") {
			t.Errorf("%q becomes %q", text, once)
		}
	})
}

func TestUncoloured(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"\x1b[91mnpm warn\x1b[0m", "npm warn"},
		{"\x1b[0;31;1m\x1b[Kerror:\x1b[m no", "error: no"},
		{"10 %\r50 %\rdone\r", "done"},
		{"\x1b]0;title\x07text \x1b]8;;http://x\x1b\\link", "text link"},
		{"alone \x1b and \a", `alone \x1b and \x07`},
	} {
		if got := show.Uncoloured(tt.text); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.text, got, tt.want)
		}
	}
}
