package docker

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// An engine's address may hold a user and a password. The client prints the whole
// of it in its errors; none of ours may.

// splitUser cuts an address into itself without credentials, and those: "u:pw",
// or "" where it has none. It reads no URL: addresses that are malformed, or lack
// a scheme, are printed too. Only sockets are files, which may have a @ in their
// names.
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

// errMalformed stands for what a parser says of an address with credentials: it
// quotes the part that it did not understand, which may be one of the password.
var errMalformed = errors.New("it is not an address of an engine")

// badAddress is the error of an address that cannot be used.
func badAddress(host string, err error) error {
	clean, user := splitUser(host)
	if _, malformed := url.Parse(host); malformed != nil && user != "" {
		err = errMalformed
	}
	return fmt.Errorf("use engine %s: %w", clean, discreet(err, user))
}

// discreet is an error whose text has no credentials.
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

// redacted is a text in which credentials do not stand, in none of the forms that
// net/url, net/http and %q give them: http://u:pw%40host, lookup u:pw@host.
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
	if len(password) >= 4 { // a shorter one would garble the rest
		for _, alone := range []string{password, asHost(password), url.PathEscape(password), url.QueryEscape(password)} {
			add(alone, "[secret]")
		}
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// asHost escapes a text as a URL's host, which is where the client puts it.
func asHost(text string) string {
	return strings.TrimPrefix((&url.URL{Host: text}).String(), "//")
}

type discreetError struct {
	text string
	err  error
}

func (e *discreetError) Error() string { return e.text }
func (e *discreetError) Unwrap() error { return e.err }
