package script

import (
	"strconv"
	"strings"
)

func number(n int) string { return strconv.Itoa(n) }

// float writes a number without an exponent.
func float(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }

// quotes writes strings of Go, as arguments.
func quotes(texts []string) string {
	quoted := make([]string, len(texts))
	for i, t := range texts {
		quoted[i] = strconv.Quote(t)
	}
	return strings.Join(quoted, ", ")
}

// oneLine is a text that ends no comment.
func oneLine(text string) string {
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' }), " ")
}
