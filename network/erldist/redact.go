package erldist

import "strings"

// redactor removes from a term what an error must not contain: the cookie in any text, and the
// arguments in the frames of a stack.
type redactor struct{ cookie string }

func (r redactor) text(s string) string {
	if r.cookie == "" {
		return s
	}
	return strings.ReplaceAll(s, r.cookie, "[redacted]")
}

func (r redactor) terms(terms []any) []any {
	out := make([]any, len(terms))
	for i, e := range terms {
		out[i] = r.term(e)
	}
	return out
}

func (r redactor) term(term any) any {
	switch t := term.(type) {
	case Atom:
		return Atom(r.text(string(t)))
	case []byte:
		return []byte(r.text(string(t)))
	case List:
		if s, ok := Text(t); ok && r.text(s) != s { // a charlist, or a text in pieces
			return []byte(r.text(s))
		}
		if isStack(t) {
			t = withoutArguments(t)
		}
		return List(r.terms(t))
	case ImproperList:
		return ImproperList{Elems: r.terms(t.Elems), Tail: r.term(t.Tail)}
	case Tuple:
		return Tuple(r.terms(t))
	case Map:
		out := make(Map, len(t))
		for i, p := range t {
			out[i] = Pair{r.term(p.Key), r.term(p.Value)}
		}
		return out
	}
	return term
}

// isStack reports whether l is a list of {Module, Function, Arity | Args, Location}.
func isStack(l List) bool {
	for _, e := range l {
		t, ok := e.(Tuple)
		if !ok || len(t) != 4 {
			return false
		}
		if _, ok := t[0].(Atom); !ok {
			return false
		}
	}
	return len(l) > 0
}

// withoutArguments replaces the arguments, which the VM includes in the top frame of undef and
// function_clause, with their number.
func withoutArguments(stack List) List {
	out := make(List, len(stack))
	for i, e := range stack {
		t := e.(Tuple)
		if args, ok := t[2].(List); ok {
			t = Tuple{t[0], t[1], int64(len(args)), t[3]}
		}
		out[i] = t
	}
	return out
}
