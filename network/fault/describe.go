package fault

import (
	"slices"
	"strings"
	"time"
)

// Ended reports whether a fault's end has passed. Its begin does not count: a fault has begun
// when it is recorded, by a clock that may be read later than another.
func (f Fault) Ended(now time.Time) bool { return !f.End.IsZero() && !f.End.After(now) }

// CutsHost reports whether a fault cuts a node off from everything outside the cluster too.
func (f Fault) CutsHost(node string) bool { return f.Hard && slices.Contains(f.names(), node) }

// CutFromHost returns the first of these faults that cuts a node off from everything outside the
// cluster too; "" if none does.
func CutFromHost(faults []Fault, node string) (id string) {
	for _, f := range faults {
		if f.CutsHost(node) {
			return f.ID
		}
	}
	return ""
}

// NextEnd returns when the next of these faults ends; zero if none does.
func NextEnd(faults []Fault) time.Time {
	var next time.Time
	for _, f := range faults {
		if !f.End.IsZero() && (next.IsZero() || f.End.Before(next)) {
			next = f.End
		}
	}
	return next
}

// String describes what a fault does, in one line: "partition n1 | n2 n3, drop".
func (f Fault) String() string {
	var words []string
	switch f.Kind {
	case KindPartition:
		var groups []string
		for _, g := range f.Groups {
			groups = append(groups, strings.Join(g, " "))
		}
		if len(groups) == 1 {
			groups = append(groups, "the rest")
		}
		words = append(words, "partition "+strings.Join(groups, " | "))
	case KindDNS, KindClock, KindSqueeze:
		return f.nodesText()
	case KindCut, KindLink:
		words = append(words, map[Kind]string{KindCut: "cut ", KindLink: "link "}[f.Kind]+pairsText(f.Pairs))
	}
	if f.Kind != KindLink {
		how := f.How
		if how == "" {
			how = Drop
		}
		words = append(words, string(how))
	}
	if text := f.Quality.String(); text != "" {
		words = append(words, text)
	}
	if f.Hard {
		words = append(words, "from the host too")
	}
	return strings.Join(words, ", ")
}

// pairsText writes both directions of a pair once: "n1-n2 n1→n3".
func pairsText(pairs []Pair) string {
	has := map[Pair]bool{}
	for _, p := range pairs {
		has[p] = true
	}
	var words []string
	for _, p := range pairs {
		switch back := (Pair{p.To, p.From}); {
		case !has[p]: // written already, with the other direction
		case has[back]:
			words = append(words, p.From+"-"+p.To)
			delete(has, back)
		default:
			words = append(words, p.From+"→"+p.To)
		}
	}
	return strings.Join(words, " ")
}
