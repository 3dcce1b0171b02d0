package docker

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// An engine's address may contain a user and a password. The client prints it in full in its
// errors; our errors must not.

// splitUser splits an address into the address without credentials, and the credentials:
// "u:pw", or "" if it has none. It does not parse a URL: addresses that are malformed, or lack
// a scheme, are printed, too. Only sockets are files, whose names may contain a @.
func splitUser(host string) (clean, user string) {
	scheme, rest, found := strings.Cut(host, "://")
	if !found {
		scheme, rest = "", host
	}
	at := strings.LastIndex(rest, "@")
	if at < 0 || scheme == "unix" || scheme == "npipe" {
		return host, ""
	}
	clean = rest[at+1:]
	if found {
		clean = scheme + "://" + clean
	}
	return clean, rest[:at]
}

// errMalformed replaces a parser's error about an address with credentials: it quotes the
// invalid part, which may be part of the password.
var errMalformed = errors.New("it is not an address of an engine")

// badAddress returns the error for an address that cannot be used.
func badAddress(host string, err error) error {
	clean, user := splitUser(host)
	if _, malformed := url.Parse(host); malformed != nil && user != "" {
		err = errMalformed
	}
	return fmt.Errorf("use engine %s: %w", clean, discreet(err, user))
}

// discreet returns an error whose text contains no credentials.
func discreet(err error, user string) error {
	if err == nil || user == "" {
		return err
	}
	text := redacted(err.Error(), user)
	if text == err.Error() {
		return err
	}
	return &discreetError{text: text, err: err}
}

// redacted removes credentials from a text, in all forms that net/url, net/http and %q give
// them: http://u:pw%40host, lookup u:pw@host.
func redacted(text, user string) string {
	name, password, _ := strings.Cut(user, ":")
	var pairs []string
	add := func(form, put string) {
		quoted := strconv.Quote(form)
		pairs = append(pairs, form, put, quoted[1:len(quoted)-1], put)
	}
	for _, whole := range []string{user, url.UserPassword(name, password).String(), asHost(user), url.PathEscape(user), url.QueryEscape(user)} {
		add(whole+"@", "")
		add(whole+"%40", "")
	}
	if len(password) >= 4 { // replacing a shorter one would garble the rest
		for _, alone := range []string{password, asHost(password), url.PathEscape(password), url.QueryEscape(password)} {
			add(alone, "[secret]")
		}
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// asHost escapes a text as the host of a URL, which is where the client puts it.
func asHost(text string) string {
	return strings.TrimPrefix((&url.URL{Host: text}).String(), "//")
}

type discreetError struct {
	text string
	err  error
}

func (e *discreetError) Error() string { return e.text }
func (e *discreetError) Unwrap() error { return e.err }
