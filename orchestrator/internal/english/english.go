// Package english forms the plural of nouns in messages.
package english

import "strconv"

// Plural returns a number with its noun: "1 node", "3 nodes".
func Plural(n int, one, many string) string { return strconv.Itoa(n) + " " + PluralWord(n, one, many) }

// PluralWord returns the form of a noun for a number: "node", "nodes".
func PluralWord(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}
