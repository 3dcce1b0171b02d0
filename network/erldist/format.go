package erldist

import (
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of what Format prints, after Kernel.inspect's :limit and :printable_limit.
const (
	formatItems = 50
	formatText  = 4096 // bytes of one binary or charlist
	formatTotal = 16 << 10
	formatBits  = 4096 // of an integer: formatting digits is quadratic
)

// Format formats a term for people, like Elixir's inspect. Long texts and collections are
// truncated with "...", and funs are shown by name. The result is not meant to be parsed.
// Go values that Encode accepts are formatted as the term they become.
func Format(term any) string {
	var p printer
	p.term(term)
	return p.String()
}

// String returns "#PID<app@n1.demo.test.123.0>": unlike inspect, with the name of the node.
func (p Pid) String() string { return Format(p) }

type printer struct{ strings.Builder }

func (p *printer) term(term any) {
	if p.Len() > formatTotal {
		p.WriteString("...")
		return
	}
	switch t := term.(type) {
	case nil:
		p.WriteString("nil")
	case Atom:
		p.WriteString(formatAtom(t))
	case *big.Int:
		if t.BitLen() > formatBits {
			fmt.Fprintf(p, "#Integer<%d bits>", t.BitLen())
		} else {
			p.WriteString(t.String())
		}
	case float64:
		p.WriteString(formatFloat(t))
	case string:
		p.binary([]byte(t))
	case []byte:
		p.binary(t)
	case BitString:
		p.bitString(t)
	case Tuple:
		p.sequence("{", t, nil, "}")
	case []any:
		p.list(t)
	case List:
		p.list(t)
	case ImproperList:
		p.sequence("[", t.Elems, &t.Tail, "]")
	case Map:
		p.mapOrStruct(t)
	case Pid:
		fmt.Fprintf(p, "#PID<%s.%d.%d>", t.Node, t.ID, t.Serial)
	case Ref:
		fmt.Fprintf(p, "#Reference<%s", t.Node)
		for _, w := range t.Words[:min(max(t.Len, 0), len(t.Words))] {
			fmt.Fprintf(p, ".%d", w)
		}
		p.WriteString(">")
	case Port:
		fmt.Fprintf(p, "#Port<%s.%d>", t.Node, t.ID)
	case ExtFun:
		p.WriteString("&" + FormatMFA(t.Module, t.Function, t.Arity))
	case Fun:
		fmt.Fprintf(p, "#Function<%s/%d>", formatAtom(t.Module), t.Arity)
	default: // the other Go numbers, bool
		fmt.Fprint(p, t)
	}
}

// FormatMFA formats Mod.fun/arity as Elixir does: String.upcase/1, :lists.map/2.
func FormatMFA(module, function Atom, arity int) string {
	name := strings.TrimPrefix(formatAtom(function), ":")
	return fmt.Sprintf("%s.%s/%d", formatAtom(module), name, arity)
}

func (p *printer) sequence(open string, elems []any, tail *any, end string) {
	p.WriteString(open)
	for i, e := range elems {
		if i > 0 {
			p.WriteString(", ")
		}
		if i == formatItems {
			p.WriteString("...")
			break
		}
		p.term(e)
	}
	if tail != nil {
		p.WriteString(" | ")
		p.term(*tail)
	}
	p.WriteString(end)
}

func (p *printer) list(l []any) {
	if s, ok := charlist(l); ok {
		p.WriteString("~c")
		p.quoted(s)
		return
	}
	pairs := make(Map, len(l))
	for i, e := range l {
		t, ok := e.(Tuple)
		if !ok || len(t) != 2 || !plainAtom(t[0]) {
			p.sequence("[", l, nil, "]")
			return
		}
		pairs[i] = Pair{t[0], t[1]}
	}
	p.pairs("[", pairs, "]")
}

func (p *printer) mapOrStruct(m Map) {
	open := "%{"
	if name, ok := m.Get(Atom("__struct__")); ok {
		if a, isAtom := name.(Atom); isAtom {
			open = "%" + formatAtom(a) + "{"
			rest := make(Map, 0, len(m))
			for _, pair := range m {
				if pair.Key != any(Atom("__struct__")) && pair.Key != any(Atom("__exception__")) {
					rest = append(rest, pair)
				}
			}
			m = rest
		}
	}
	p.pairs(open, m, "}")
}

func (p *printer) pairs(open string, m Map, end string) {
	p.WriteString(open)
	for i, pair := range m {
		if i > 0 {
			p.WriteString(", ")
		}
		if i == formatItems {
			p.WriteString("...")
			break
		}
		if plainAtom(pair.Key) {
			fmt.Fprintf(p, "%s: ", pair.Key)
		} else {
			p.term(pair.Key)
			p.WriteString(" => ")
		}
		p.term(pair.Value)
	}
	p.WriteString(end)
}

func (p *printer) binary(b []byte) {
	if printable(string(b)) {
		p.quoted(string(b))
		return
	}
	p.bytes(b)
	p.WriteString(">>")
}

// bytes writes "<<1, 2" without its end, truncated after formatItems.
func (p *printer) bytes(b []byte) {
	p.WriteString("<<")
	for i, c := range b {
		if i > 0 {
			p.WriteString(", ")
		}
		if i == formatItems {
			p.WriteString("...")
			break
		}
		p.WriteString(strconv.Itoa(int(c)))
	}
}

func (p *printer) bitString(t BitString) {
	if len(t.Bytes) == 0 || t.Bits < 1 || t.Bits > 7 {
		p.WriteString("<<?>>")
		return
	}
	last := len(t.Bytes) - 1
	p.bytes(t.Bytes[:last])
	if last > 0 {
		p.WriteString(", ")
	}
	fmt.Fprintf(p, "%d::size(%d)>>", t.Bytes[last]>>(8-t.Bits), t.Bits)
}

var escapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`, "\t", `\t`, "\x1b", `\e`, "#{", `\#{`)

func (p *printer) quoted(s string) {
	cut := ""
	if len(s) > formatText {
		for s = s[:formatText]; !utf8.ValidString(s); s = s[:len(s)-1] {
		}
		cut = " <> ..."
	}
	p.WriteString(`"` + escapes.Replace(s) + `"` + cut)
}

func printable(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if !unicode.IsPrint(r) && !strings.ContainsRune("\n\r\t\x1b", r) {
			return false
		}
	}
	return true
}

// charlist reports whether inspect prints a list as ~c"…": ASCII only, not empty.
func charlist(l []any) (string, bool) {
	var b strings.Builder
	for _, e := range l {
		n, ok := e.(int64)
		if !ok || n > unicode.MaxASCII || n < 0 {
			return "", false
		}
		b.WriteByte(byte(n))
	}
	return b.String(), b.Len() > 0 && printable(b.String())
}

var (
	barewordAtom = regexp.MustCompile(`^[\p{Ll}_][\p{L}\p{Nd}_@]*[?!]?$`)
	aliasAtom    = regexp.MustCompile(`^Elixir(\.[A-Z][A-Za-z0-9_]*)+$`)
)

// plainAtom reports whether a keyword list writes an atom without quotes.
func plainAtom(term any) bool {
	a, ok := term.(Atom)
	return ok && barewordAtom.MatchString(string(a))
}

func formatAtom(a Atom) string {
	switch {
	case a == "true" || a == "false" || a == "nil":
		return string(a)
	case aliasAtom.MatchString(string(a)):
		return string(a[len("Elixir."):])
	case barewordAtom.MatchString(string(a)), operators[a]:
		return ":" + string(a)
	}
	return `:"` + escapes.Replace(string(a)) + `"`
}

var operators = map[Atom]bool{"+": true, "-": true, "*": true, "/": true, "<>": true, "++": true, "--": true,
	"==": true, "!=": true, "<": true, ">": true, "<=": true, ">=": true, "!": true, "||": true, "&&": true, "|>": true, "{}": true, "%{}": true}

func formatFloat(f float64) string {
	s := strconv.FormatFloat(f, 'g', -1, 64)
	mantissa, exponent, scientific := strings.Cut(s, "e")
	if !strings.Contains(mantissa, ".") {
		mantissa += ".0"
	}
	if scientific {
		n, _ := strconv.Atoi(exponent) // Go writes e+09 and e-09
		return fmt.Sprintf("%se%d", mantissa, n)
	}
	return mantissa
}
