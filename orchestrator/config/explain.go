package config

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/beamyard/beamyard/orchestrator"
	"github.com/beamyard/beamyard/orchestrator/hint"
	"github.com/goccy/go-yaml"
)

// explain formats a decoding error for people: what is wrong, with its line and a caret, and
// for an unknown key a suggestion.
func explain(err error) (text string, next hint.Hint) {
	var wrongType *yaml.TypeError
	if errors.As(err, &wrongType) && wrongType.Token != nil {
		// The original message names Go's struct and field.
		err = &yaml.SyntaxError{
			Message: fmt.Sprintf("this must be %s, not %s", inWords(wrongType.DstType), inWords(wrongType.SrcType)),
			Token:   wrongType.Token,
		}
	}
	next, text = orchestrator.HintOf(err), err.Error()
	var located yaml.Error
	if errors.As(err, &located) {
		text = masked(located.FormatError(false, true), located.GetToken())
	}
	return strings.TrimRight(text, " \n"), next
}

// inWords names a type in YAML's terms.
func inWords(t reflect.Type) string {
	if t == nil {
		return "empty"
	}
	switch t.Kind() { //nolint:exhaustive // the others do not come from YAML
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int64, reflect.Uint64, reflect.Float64:
		return "a number"
	case reflect.String:
		return "text"
	case reflect.Slice:
		return "a list"
	case reflect.Map, reflect.Struct:
		return "a mapping"
	}
	return t.String()
}
