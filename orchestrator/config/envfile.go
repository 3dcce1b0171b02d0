package config

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/goccy/go-yaml/ast"
)

// variable is a line of an env_file, or an entry of env in its list form.
type variable struct {
	key, value string
	given      bool // false: the value is that of our own environment
	line       int
}

// envFiles converts env_file to a mapping. It accepts a path, or a list of paths and of {path,
// required}. If several files set a key, the last one counts.
func (r *reader) envFiles(at ast.Node, _ reflect.Type) (ast.Node, error) {
	listed := []ast.Node{at}
	if list, ok := r.behind(at).(*ast.SequenceNode); ok {
		listed = list.Values
	}
	out := ast.Mapping(at.GetToken(), false)
	for _, n := range listed {
		path, required, err := r.envFile(n)
		if err != nil {
			return nil, err
		}
		if path == nil {
			continue
		}
		vars, err := r.envOf(path, required)
		if err != nil {
			return nil, err
		}
		for _, v := range vars {
			put(out, path, v.key, v.value)
		}
	}
	return out, nil
}

// envFile reads an entry of env_file; path is nil if it has none.
func (r *reader) envFile(at ast.Node) (path *ast.StringNode, required bool, err error) {
	of := reflect.TypeFor[string]()
	if _, mapping := r.behind(at).(ast.MapNode); mapping {
		of = nil
	}
	value, err := r.as(at, of)
	if err != nil {
		return nil, false, err
	}
	required = true
	var pairs []*ast.MappingValueNode
	switch value := value.(type) {
	case *ast.StringNode:
		return value, true, nil
	case *ast.NullNode:
		return nil, false, nil
	case *ast.MappingNode:
		pairs = value.Values
	default:
		return nil, false, wrong(at, "env_file is a path, or a list of paths")
	}
	for _, p := range pairs {
		switch key, v := p.Key.(*ast.StringNode).Value, p.Value; key {
		case "path":
			text, ok := written(v)
			if !ok {
				return nil, false, wrong(v, "a path is text")
			}
			path = textAt(v.GetToken(), text)
		case "required":
			b, ok := v.(*ast.BoolNode)
			if !ok {
				return nil, false, wrong(v, "this must be true or false")
			}
			required = b.Value
		default:
			return nil, false, orchestrator.WithHint(wrong(p.Key, "unknown field %q", key), "env_file has path and required: env_file: [{path: .env, required: false}]")
		}
	}
	if path == nil {
		return nil, false, wrong(at, "which file? its path is missing")
	}
	return path, required, nil
}

// envOf reads one env_file. Its errors never quote a value.
func (r *reader) envOf(path *ast.StringNode, required bool) ([]variable, error) {
	if r.readFile == nil {
		return nil, wrong(path, "env_file %s: this text has no folder to look in", path.Value)
	}
	data, err := r.readFile(path.Value)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !required:
		return nil, nil
	case errors.Is(err, fs.ErrNotExist):
		return nil, orchestrator.WithHint(wrong(path, "there is no file %s", path.Value),
			"its path is relative to this file's folder; one that may be missing: env_file: [{path: %s, required: false}]", path.Value)
	case err != nil:
		var why *os.PathError
		if errors.As(err, &why) {
			err = why.Err
		}
		return nil, wrong(path, "env_file %s cannot be read: %v", path.Value, err)
	}
	vars, line, err := dotenv(string(data))
	for i, v := range vars {
		if err == nil && !v.given {
			vars[i].value, err = r.ours(v.key)
			line = v.line
		}
	}
	if err != nil {
		return nil, orchestrator.WithHint(wrong(path, "env_file %s, line %d: %v", path.Value, line, err), "%s", orchestrator.HintOf(err))
	}
	return vars, nil
}

// over merges the variables of files and env, which takes precedence.
func over(files, env map[string]string) map[string]string {
	if len(files) == 0 {
		return env
	}
	all := maps.Clone(files)
	maps.Copy(all, env)
	return all
}

// ours returns a value of our own environment.
func (r *reader) ours(key string) (string, error) {
	if r.lookup != nil {
		if value, ok := r.lookup(key); ok {
			return value, nil
		}
	}
	return "", orchestrator.WithHint(fmt.Errorf("%s has no value, and is not set in this environment either", key), "give it one here, \"\" for an empty one, or set it first: export %s=…", key)
}

// dotenv parses KEY=VALUE lines as Compose does: comments, quotes with escapes, values of
// several lines, `export`, and KEY alone for our own value. A variable in a value ($NAME,
// ${NAME}) is an error, because it is not expanded here: in 'single quotes' it is plain
// text. Errors come with their line and never quote a value. Source:
// https://docs.docker.com/compose/how-tos/environment-variables/variable-interpolation/#env-file-syntax.
func dotenv(text string) (vars []variable, line int, err error) {
	if !utf8.ValidString(text) {
		return nil, 1, errors.New("it is not UTF-8")
	}
	if i := strings.IndexByte(text, 0); i >= 0 {
		return nil, 1 + strings.Count(text[:i], "\n"), errors.New("no value can hold a zero byte")
	}
	p := &dotenvText{rest: strings.ReplaceAll(strings.TrimPrefix(text, "\ufeff"), "\r\n", "\n"), line: 1}
	for p.rest != "" {
		begun := p.line
		v, ok, err := p.variable()
		if err != nil {
			return nil, begun, err
		}
		if ok {
			vars = append(vars, v)
		}
	}
	return vars, 0, nil
}

// dotenvText is the remaining text.
type dotenvText struct {
	rest string
	line int
}

// take returns the next n bytes.
func (p *dotenvText) take(n int) string {
	taken := p.rest[:n]
	p.rest, p.line = p.rest[n:], p.line+strings.Count(taken, "\n")
	return taken
}

// endOfLine takes the rest of the line, including its newline.
func (p *dotenvText) endOfLine() string {
	line, _, more := strings.Cut(p.rest, "\n")
	n := len(line)
	if more {
		n++
	}
	return strings.TrimSuffix(p.take(n), "\n")
}

const blanks = " \t\v\f\r"

// variable parses a line, or several if a quoted value spans them.
func (p *dotenvText) variable() (v variable, ok bool, err error) {
	p.rest = strings.TrimLeft(p.rest, blanks)
	if p.rest == "" || p.rest[0] == '\n' || p.rest[0] == '#' {
		p.endOfLine()
		return v, false, nil
	}
	if after, exported := strings.CutPrefix(p.rest, "export"); exported && after != "" && strings.ContainsRune(blanks, rune(after[0])) {
		p.rest = strings.TrimLeft(after, blanks)
	}
	n := strings.IndexFunc(p.rest, func(c rune) bool { return !nameRune(c) })
	if n < 0 {
		n = len(p.rest)
	}
	v.line = p.line
	v.key = p.take(n)
	if v.key == "" || '0' <= v.key[0] && v.key[0] <= '9' {
		return v, false, errors.New("this does not begin with the name of a variable")
	}
	p.rest = strings.TrimLeft(p.rest, blanks)
	switch {
	case p.rest == "" || p.rest[0] == '\n' || p.rest[0] == '#':
		p.endOfLine()
		return v, true, nil
	case p.rest[0] != '=' && p.rest[0] != ':':
		return v, false, fmt.Errorf("after the name %s comes = and the value", v.key)
	}
	p.take(1)
	v.given = true
	v.value, err = p.value(v.key)
	return v, err == nil, err
}

func nameRune(c rune) bool {
	return c == '_' || c == '.' || c == '-' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// value parses what follows the equals sign.
func (p *dotenvText) value(key string) (string, error) {
	value := strings.TrimLeft(p.rest, blanks)
	spaced := len(value) < len(p.rest)
	p.rest = value
	if value != "" && (value[0] == '\'' || value[0] == '"') {
		return p.quoted(key, value[0])
	}
	value = p.endOfLine()
	if spaced && strings.HasPrefix(value, "#") {
		return "", nil
	}
	for i := 1; i < len(value); i++ {
		if value[i] == '#' && strings.ContainsRune(blanks, rune(value[i-1])) {
			value = value[:i]
			break
		}
	}
	value = strings.TrimRight(value, blanks)
	for i := range value {
		if replaced(value[i:]) {
			return "", notReplaced(key)
		}
	}
	return value, nil
}

// quoted parses up to the quote that ends the value.
func (p *dotenvText) quoted(key string, quote byte) (string, error) {
	var b strings.Builder
	for i := 1; i < len(p.rest); i++ {
		switch c := p.rest[i]; {
		case c == quote:
			p.take(i + 1)
			if after := strings.TrimLeft(p.endOfLine(), blanks); after != "" && after[0] != '#' {
				return "", fmt.Errorf("something follows the quote that ends the value of %s", key)
			}
			return b.String(), nil
		case c == '\\' && i+1 < len(p.rest):
			i++
			b.WriteString(unescape(p.rest[i], quote))
		case quote == '"' && replaced(p.rest[i:]):
			return "", notReplaced(key)
		default:
			b.WriteByte(c)
		}
	}
	return "", fmt.Errorf("no quote ends the value of %s", key)
}

// unescape returns the meaning of a backslash followed by c: in single quotes only the quote
// can be escaped.
func unescape(c, quote byte) string {
	switch {
	case c == quote:
		return string(c)
	case quote == '\'':
	case c == 'n':
		return "\n"
	case c == 'r':
		return "\r"
	case c == 't':
		return "\t"
	case c == '\\', c == '$':
		return string(c)
	}
	return `\` + string(c)
}

// replaced reports whether Compose would expand a variable at the start of the text.
func replaced(text string) bool {
	if len(text) < 2 || text[0] != '$' {
		return false
	}
	c := text[1]
	return c == '{' || c == '$' || c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

func notReplaced(key string) error {
	return orchestrator.WithHint(fmt.Errorf("a $ in the value of %s would stand for another variable, which is not replaced here", key),
		"where it is meant as it is, put the value in single quotes: %s='…'", key)
}
