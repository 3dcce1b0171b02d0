package config

import (
	"cmp"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/health"
)

func TestDescriptions(t *testing.T) {
	r := reference{names: map[string]string{"HTTPPort": "http_port", "Source": "source", "Ready": "ready", "Mesh": "mesh", "Stdin": "stdin"}}
	for _, tc := range []struct{ field, doc, want string }{
		{"HTTPPort", "HTTPPort is the port. Default 4000.", "Port."},
		{"Mesh", "Mesh says what connects\nthe nodes.", "What connects the nodes."},
		{"Stdin", "Stdin keeps it open.", "Keeps it open."},
		{"Source", "Source of the nodes. HTTPPort is another key.", "Source of the nodes. http_port is another key."},
		{"Ready", "Ready are checks, as HTTPPort, Source and [Spec].Ready are, until a node is Ready.", "Checks, as http_port, source and ready are, until a node is Ready."},
		{"Mesh", "A.\n\nIn Go: B.\n\nIn beamyard.yml: c.\n\nSource: D.\n\nE.", "A. C. E."},
	} {
		if got := r.description(tc.field, tc.doc, "4000"); got != tc.want {
			t.Errorf("%q: %q, want %q", tc.doc, got, tc.want)
		}
	}
}

// reference is what is known about the keys of beamyard.yml.
type reference struct {
	t     *testing.T
	docs  map[string]string   // the comment of each field: "orchestrator.Spec.Name"
	enums map[string][]string // the constants of each string type: "orchestrator.MeshMode"
	names map[string]string   // the key of each field: "HTTPPort"
	forms object              // forms.json

	defaults map[reflect.Type]reflect.Value // structs with the defaults of their fields
}

func newReference(t *testing.T) *reference {
	t.Helper()
	r := &reference{t: t, docs: map[string]string{}, enums: map[string][]string{}, names: map[string]string{}, defaults: defaulted()}
	for _, folder := range []string{"..", "../health", "."} {
		files, err := filepath.Glob(folder + "/*.go")
		if err != nil || len(files) == 0 {
			t.Fatalf("no Go files in %s: %v", folder, err)
		}
		for _, file := range files {
			if !strings.HasSuffix(file, "_test.go") {
				r.parse(file)
			}
		}
	}
	for _, keys := range mappings {
		for _, k := range keys {
			if was := r.names[k.field.Name]; was != "" && was != k.name {
				t.Errorf("fields %s are the keys %s and %s", k.field.Name, was, k.name)
			}
			r.names[k.field.Name] = k.name
		}
	}
	data, err := os.ReadFile("forms.json")
	if err == nil {
		err = json.Unmarshal(data, &r.forms)
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// parse reads the comments of structs' fields, and the constants of string types.
func (r *reference) parse(path string) {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		r.t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.TypeSpec:
			if s, ok := n.Type.(*ast.StructType); ok {
				for _, f := range s.Fields.List {
					for _, name := range f.Names {
						r.docs[file.Name.Name+"."+n.Name.Name+"."+name.Name] = f.Doc.Text()
					}
				}
			}
		case *ast.ValueSpec:
			if t, ok := n.Type.(*ast.Ident); ok && len(n.Values) == 1 {
				if lit, ok := n.Values[0].(*ast.BasicLit); ok && lit.Kind == token.STRING {
					text, _ := strconv.Unquote(lit.Value)
					of := file.Name.Name + "." + t.Name
					r.enums[of] = append(r.enums[of], text)
				}
			}
		}
		return true
	})
}

// defaulted returns structs with the defaults of their fields.
func defaulted() map[reflect.Type]reflect.Value {
	s := orchestrator.Spec{}.Defaulted()
	s.Cookie = "" // it is random
	of := map[reflect.Type]reflect.Value{}
	for _, v := range []any{s, s.Distribution, s.Restart, health.Thresholds{}.Defaulted(), orchestrator.Check{Timeout: orchestrator.Check{}.Limit()}} {
		of[reflect.TypeOf(v)] = reflect.ValueOf(v)
	}
	return of
}

// describe returns the description of a key with a default, nil if it has none.
func (r *reference) describe(k key, value any) string {
	field, standard := k.in.String()+"."+k.field.Name, ""
	doc := r.docs[field]
	if value != nil && value != false {
		standard = fmt.Sprint(value)
		if text := strings.Join(strings.Fields(doc), " "); !strings.Contains(text, "Default "+standard+".") && !strings.Contains(text, "Default "+standard+",") {
			r.t.Errorf("the comment of %s does not say its default: Default %s.", field, standard)
		}
	}
	text := r.description(k.field.Name, doc, standard)
	if text == "" {
		r.t.Errorf("%s has no comment", field)
	}
	if link := regexp.MustCompile(`\[[A-Z][A-Za-z]*\]|\[[a-z]+\.[A-Z][A-Za-z.]*\]`).FindString(text); link != "" {
		r.t.Errorf("the comment of %s refers to %s, which a file does not have: put that in a paragraph that begins with In Go:", field, link)
	}
	return text
}

// description turns the comment of a field into the description of a key. It leaves out
// paragraphs for Go and citations, the field's name as the subject of the first sentence,
// and the default, which the schema gives. Names of fields become keys: names such as
// HTTPPort everywhere, those that are English words only within a sentence.
func (r *reference) description(field, doc, standard string) string {
	var paragraphs []string
	for p := range strings.SplitSeq(doc, "\n\n") {
		p = strings.Join(strings.Fields(p), " ")
		switch inFile, ok := strings.CutPrefix(p, "In beamyard.yml: "); {
		case ok:
			paragraphs = append(paragraphs, capital(inFile))
		case p != "" && !strings.HasPrefix(p, "In Go: ") && !strings.HasPrefix(p, "Source: "):
			paragraphs = append(paragraphs, p)
		}
	}
	text := strings.Join(paragraphs, " ")
	if verb := regexp.MustCompile(`^` + field + ` ((is|are|says) |[a-z]+s )`).FindStringSubmatch(text); verb != nil {
		text = strings.TrimPrefix(text, field+" ")
		if verb[2] != "" {
			text = regexp.MustCompile(`^(the|an?) `).ReplaceAllString(strings.TrimPrefix(text, verb[1]), "")
		}
	}
	if standard != "" {
		text = strings.TrimSpace(strings.Replace(text+" ", "Default "+standard+". ", "", 1))
	}
	text = regexp.MustCompile(`\[[A-Z]\w*\]\.\w+`).ReplaceAllStringFunc(text, func(link string) string {
		_, name, _ := strings.Cut(link, ".")
		return cmp.Or(r.names[name], link)
	})
	var b strings.Builder
	last := 0
	for _, at := range regexp.MustCompile(`\b[A-Z][A-Za-z0-9]*\b`).FindAllStringIndex(text, -1) {
		word, before := text[at[0]:at[1]], text[:at[0]]
		inSentence := before != "" && !strings.HasSuffix(before, ". ")
		if key := r.names[word]; key != "" && (camel(word) || inSentence && !slices.Contains(plain, word)) {
			b.WriteString(text[last:at[0]] + key)
			last = at[1]
		}
	}
	return capital(b.String() + text[last:])
}

// plain are names of fields that are also words of the text, as in "a node is Ready". A
// comment refers to such a field as [Spec].Ready.
var plain = []string{"Ready", "Dockerfile", "EPMD", "HTTP", "Erlang"}

// camel reports whether a word can only be the name of a field: HTTPPort.
func camel(word string) bool {
	return strings.ContainsFunc(word[1:], func(c rune) bool { return c >= 'A' && c <= 'Z' }) && word != strings.ToUpper(word)
}

// capital returns a sentence with a capital, unless it begins with a key.
func capital(s string) string {
	if first, _, _ := strings.Cut(s, " "); strings.Contains(first, "_") || s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
