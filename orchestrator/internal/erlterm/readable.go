// Package erlterm makes what a VM prints when it ends readable. The VM prints Erlang terms: a
// message that contains a line break is a list of bytes there, an exception of Elixir is a map,
// and the stack trace is longer than both.
package erlterm

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Readable returns a line of a VM's output with its binaries as text, its exceptions as Elixir
// prints them, and the end of a boot without the stack trace if an exception or a script is
// named in it:
//
//	Runtime terminating during boot ({#{message=><<107,101,121,…>>,'__struct__'=>'Elixir.RuntimeError',…},[…]})
//	Runtime terminating during boot (** (RuntimeError) key is missing, in runtime.exs:10)
//
// A line that has nothing of these is returned as it is, and so is what is cut off in the middle.
func Readable(line string) string {
	if !strings.Contains(line, "<<") && !strings.Contains(line, "=>") && !strings.Contains(line, bootEnd) {
		return line
	}
	return shortBoot(exceptions(binary.ReplaceAllStringFunc(line, asText)))
}

var binary = regexp.MustCompile(`<<\d{1,3}(?:,\d{1,3})*>>`)

// asText returns a binary that is printed as numbers as a string, if it is printable text.
func asText(printed string) string {
	var data []byte
	for number := range strings.SplitSeq(strings.Trim(printed, "<>"), ",") {
		b, err := strconv.ParseUint(number, 10, 8)
		if err != nil {
			return printed
		}
		data = append(data, byte(b))
	}
	text := string(data)
	if !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) && !unicode.IsSpace(r) }) {
		return printed
	}
	return `<<"` + escape.Replace(text) + `">>`
}

var (
	escape   = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`, "\t", `\t`)
	unescape = strings.NewReplacer(`\\`, `\`, `\"`, `"`, `\n`, " ", `\r`, " ", `\t`, " ")
)

// exceptions replaces each map that is an exception of Elixir, the innermost first.
func exceptions(text string) string {
	var b strings.Builder
	for {
		at := strings.Index(text, "#{")
		if at < 0 {
			break
		}
		end := closing(text[at+1:])
		if end < 0 { // it was cut off
			break
		}
		b.WriteString(text[:at])
		b.WriteString(exception("#{" + exceptions(text[at+2:at+1+end]) + "}"))
		text = text[at+1+end+1:]
	}
	return b.String() + text
}

var (
	structName = regexp.MustCompile(`'__struct__'=>'Elixir\.([\w.]+)'`)
	ownFields  = regexp.MustCompile(`,?'__(?:struct|exception)__'=>(?:'[^']*'|true)|,?message=>nil`)
	message    = regexp.MustCompile(`\bmessage=><<"((?:[^"\\]|\\.)*)"(?:/utf8)?>>`)
	variable   = regexp.MustCompile(`\benv=><<"((?:[^"\\]|\\.)*)">>`)
)

// exception returns a map as Elixir prints an exception, if it is one.
func exception(printed string) string {
	name := structName.FindStringSubmatch(printed)
	if name == nil || !strings.Contains(printed, "'__exception__'=>true") {
		return printed
	}
	says := strings.Trim(ownFields.ReplaceAllString(printed[2:len(printed)-1], ""), ",")
	if m := message.FindStringSubmatch(printed); m != nil {
		says = strings.Join(strings.Fields(unescape.Replace(m[1])), " ")
	} else if v := variable.FindStringSubmatch(printed); v != nil && name[1] == "System.EnvError" {
		says = `could not fetch environment variable "` + v[1] + `" because it is not set`
	}
	return strings.TrimSpace("** (" + name[1] + ") " + says)
}

const bootEnd = "Runtime terminating during boot ("

var (
	script = regexp.MustCompile(`\{file,"(?:[^"]*/)?([^"/]+\.exs)"\},\{line,(\d+)\}`)
	called = regexp.MustCompile(`^\{'?([\w.]+)'?,'?([\w?!]+)'?,(\[[^\]]*\]|\d+)`)
)

// shortBoot returns the end of a boot, {Reason, Stack}, without the stack, if the reason is an
// exception of Elixir, or if a script is in the stack.
func shortBoot(line string) string {
	at := strings.Index(line, bootEnd)
	if at < 0 {
		return line
	}
	head, term := line[:at+len(bootEnd)], line[at+len(bootEnd):]
	stackAt := strings.Index(term, ",[{")
	if !strings.HasPrefix(term, "{") || stackAt < 0 {
		return line
	}
	reason, stack := term[1:stackAt], term[stackAt+2:]
	where := script.FindStringSubmatch(stack)
	raised := strings.HasPrefix(reason, "** (")
	switch {
	case where == nil && !raised:
		return line
	case !raised:
		if f := called.FindStringSubmatch(stack); f != nil {
			reason += " in " + f[1] + ":" + f[2] + arguments(f[3])
		}
	}
	if where != nil {
		reason += ", in " + where[1] + ":" + where[2]
	}
	return head + reason + ")"
}

// arguments returns what a frame of a stack trace has: a list of arguments, or their number.
func arguments(printed string) string {
	if list, ok := strings.CutPrefix(printed, "["); ok {
		return "(" + strings.TrimSuffix(list, "]") + ")"
	}
	return "/" + printed
}

// closing returns where the bracket at the beginning of a text is closed, outside of strings and
// quoted atoms; -1 if it is not.
func closing(text string) int {
	depth, quote := 0, byte(0)
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && quote != 0:
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '{' || c == '[' || c == '(':
			depth++
		case c == '}' || c == ']' || c == ')':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}
